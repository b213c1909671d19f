"""How the classifier agrees with the posts that were labelled by hand, on the two thirds that it may be worked on with,
and on the third that is held out.

    python -m bench.evaluate [--write] [--errors [--split dev|held]]

Prints the figures that docs/accuracy.md defines; `--write` puts them there. The same code and taxonomy print the same.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import click

from bench import accuracy
from bench.accuracy import Fires, Judged, Score
from drinkstream.classify import Classifier, Decision
from drinkstream.taxonomy import load
from tests.lib.labelled import Labelled, labelled

PAGE = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.S)
"""The part of the page that `--write` writes."""

FEW = 10
"""Languages with fewer posts than this in all are shown as one row."""

Splits = tuple[Sequence[Judged], Sequence[Judged]]
"""The posts to work with, and those that are held out."""


@click.command()
@click.option("--write", is_flag=True, help="Put the figures into docs/accuracy.md.")
@click.option("--errors", is_flag=True, help="List the posts in which something is wrong, instead of the figures.")
@click.option("--split", type=click.Choice(["dev", "held"]), default="dev", show_default=True, help="Whose errors.")
def main(write: bool, errors: bool, split: str) -> None:
    """Measure the classifier against the posts labelled by hand."""
    classifier, posts = Classifier(load()), labelled()
    if errors:
        listed = (post for post in posts if post.held_out == (split == "held"))
        click.echo("\n\n".join(explained for post in listed if (explained := error(post, _decide(classifier, post)))))
        return
    figures = report(judge(classifier, posts))
    click.echo(figures, nl=False)
    if write:
        PAGE.write_text(BLOCK.sub(lambda _: figures, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def judge(classifier: Classifier, posts: Iterable[Labelled]) -> Splits:
    """Every post beside what the classifier finds in it, those to work with and those held out."""
    judged = [(post, _judged(post, _decide(classifier, post))) for post in posts]
    return [one for post, one in judged if not post.held_out], [one for post, one in judged if post.held_out]


def report(splits: Splits) -> str:
    """All figures as Markdown."""
    return "\n".join((
        *_overall(splits),
        *_scores("category", [accuracy.by_category(split) for split in splits]),
        *_scores("language", [_by_language(split, _rare(splits)) for split in splits]),
        *_fires([accuracy.by(lambda post: post.trap, split) for split in splits]),
    ))  # fmt: skip


def error(post: Labelled, decision: Decision) -> str:
    """What is wrong about a post: its text, what it names, what was found and by which rules; empty if nothing is."""
    if not accuracy.wrong(_judged(post, decision)):
        return ""
    mentions = sorted({(m.category or "-", m.brand or "-", m.alias, m.rule) for m in decision.mentions})
    held = sorted({(h.alias, h.rule) for h in decision.held})
    names = sorted((category or "-", brand or "-") for category, brand in post.names)
    return "\n".join((
        f"{post.lang or '?'} {post.trap or post.group}: {post.text}",
        f"    expected  {', '.join(':'.join(name) for name in names) or 'nothing'}",
        f"    found     {', '.join(f'{c}:{b} ({alias}, {rule})' for c, b, alias, rule in mentions) or 'nothing'}",
        *([f"    held back {', '.join(f'{alias} ({rule})' for alias, rule in held)}"] if held else []),
        *([f"    note      {post.note}"] if post.note else []),
    ))  # fmt: skip


def _decide(classifier: Classifier, post: Labelled) -> Decision:
    return classifier.decide(post.text, post.lang or None)


def _judged(post: Labelled, decision: Decision) -> Judged:
    return Judged(
        post,
        frozenset(mention.category for mention in decision.mentions if mention.category),
        frozenset(mention.brand for mention in decision.mentions if mention.brand),
    )


def _overall(splits: Splits) -> list[str]:
    rows: list[tuple[str, Callable[[Sequence[Judged]], str]]] = [
        ("posts", lambda split: str(len(split))),
        ("posts that name a drink", lambda split: str(sum(bool(one.post.categories) for one in split))),
        ("precision", lambda split: _percent(accuracy.categories(split).precision)),
        ("recall", lambda split: _percent(accuracy.categories(split).recall)),
        ("F1", lambda split: _percent(accuracy.categories(split).f1)),
        ("brand precision", lambda split: _percent(accuracy.brands(split).precision)),
        ("brand recall", lambda split: _percent(accuracy.brands(split).recall)),
        ("brand F1", lambda split: _percent(accuracy.brands(split).f1)),
        ("recall outside English", lambda split: _percent(accuracy.categories(accuracy.outside_english(split)).recall)),
        ("false fires, posts without a drink", lambda split: _of(accuracy.false_fires(split))),
        ("false fires, traps", lambda split: _of(accuracy.false_fires(_group(split, "trap")))),
        ("false fires, everyday posts", lambda split: _of(accuracy.false_fires(_group(split, "everyday")))),
    ]
    return _table(["", "dev", "held out"], ([name, *map(figure, splits)] for name, figure in rows))


def _scores(what: str, splits: Sequence[dict[str, Score]]) -> list[str]:
    head = [what, *(f"{where}: {name}" for where in ("dev", "held out") for name in ("true", "P", "R", "F1"))]
    names = dict.fromkeys(sorted({name for split in splits for name in split}))
    return _table(head, ([name, *(cell for split in splits for cell in _cells(split.get(name)))] for name in names))


def _fires(splits: Sequence[dict[str, list[Judged]]]) -> list[str]:
    kinds = sorted({kind for split in splits for kind in split} - {""})
    fires = ([accuracy.false_fires(split.get(kind, ())) for split in splits] for kind in kinds)
    rows = ([kind, *map(_of, both)] for kind, both in zip(kinds, fires, strict=True))
    return _table(["false fires by trap", "dev", "held out"], rows)


def _by_language(split: Sequence[Judged], rare: set[str]) -> dict[str, Score]:
    groups = accuracy.by(lambda post: "others" if accuracy.language(post) in rare else accuracy.language(post), split)
    return {name: accuracy.categories(group) for name, group in groups.items()}


def _rare(splits: Splits) -> set[str]:
    return {
        name for name, group in accuracy.by(accuracy.language, [*splits[0], *splits[1]]).items() if len(group) < FEW
    }


def _group(split: Sequence[Judged], group: str) -> list[Judged]:
    return [one for one in split if one.post.group == group]


def _cells(score: Score | None) -> list[str]:
    score = score or Score()
    return [str(score.true), *map(_percent, (score.precision, score.recall, score.f1))]


def _of(fires: Fires) -> str:
    return f"{fires.fired} of {fires.posts}" + (f" ({_percent(fires.rate)})" if fires.posts else "")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.1f} %"


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]


if __name__ == "__main__":
    main()
