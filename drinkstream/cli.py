"""The command line: the one place that may import every part, each only when it is asked for."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from drinkstream.errors import BadInputError, DrinkStreamError

if TYPE_CHECKING:
    from drinkstream.explain import Explainer


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """DrinkStream: counts posts that mention a drink, at once and again every night."""


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def replay(arguments: tuple[str, ...]) -> None:
    """Send files of archived lines through the real path (see `drinkstream replay --help`)."""
    from streaming import replay as command

    raise SystemExit(command.main(list(arguments)))


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def status(arguments: tuple[str, ...]) -> None:
    """Account for every record: in Kafka, archived, and what each was (see `drinkstream status --help`)."""
    from streaming import accounting

    raise SystemExit(accounting.main(list(arguments)))


@cli.command()
@click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
@click.option("--explain", is_flag=True, help="Write words for a reader instead of JSON.")
def classify(file: IO[str], explain: bool) -> None:
    """Read JSON lines {"id","text","lang"?} from FILE (default: standard input) and write what each mentions.

    One JSON line comes back for each, in the same order: {"id","mentions":[{"category","brand","alias","start","end",
    "rule"}],"held":[{"alias","rule"}]}. start and end are character positions in the text; a brand without its drink
    has "category": null.
    """
    from drinkstream.explain import Explainer
    from drinkstream.taxonomy import load

    explainer = Explainer(load()) if explain else None
    for answer in classified(file):
        click.echo(explained(answer, explainer) if explainer else json.dumps(answer, ensure_ascii=False))


@cli.group()
def taxonomy() -> None:
    """What counts as which drink: check a taxonomy, or see what a change of it does."""


@taxonomy.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
def check(path: Path | None) -> None:
    """Read the taxonomy at PATH (a taxonomy.toml, its parts in the folder taxonomy/ beside it; default: the installed).

    A mistake is told with file, line and remedy, and the exit code is 2. Entries that do nothing are listed.
    """
    from drinkstream.taxonomy import load
    from drinkstream.taxonomy_review import idle

    read = load(path)
    click.echo(
        f"version {read.version}: {len(read.categories)} categories, {len(read.brands)} brands, "
        f"{len(read.terms)} terms, "
        f"{len(read.traps)} traps, {len(read.contexts)} contexts"
    )
    for note in idle(read):
        click.echo(f"note: {note}")


@taxonomy.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--on",
    "files",
    type=click.File("r", encoding="utf-8"),
    multiple=True,
    required=True,
    help='Texts to read by both: JSON lines {"id","text","lang"?}; may be given again.',
)
def diff(old: Path, new: Path, files: tuple[IO[str], ...]) -> None:
    """Write which texts the taxonomy NEW reads otherwise than OLD, and by which rules."""
    from drinkstream.taxonomy import load
    from drinkstream.taxonomy_review import changes

    posts = [post for file in files for post in asked(file)]
    found = 0
    for change in changes(load(old), load(new), posts):
        found += 1
        click.echo(f"{change.id}: {_named(change.before)} -> {_named(change.after)}\n  {change.text!r}")
        for sign, rules in (("-", change.rules_before), ("+", change.rules_after)):
            for rule in rules:
                click.echo(f"  {sign} {rule}")
    click.echo(f"{found} of {len(posts)} texts change")


def _named(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join("/".join(part for part in pair if part) for pair in sorted(pairs)) or "nothing"


def asked(lines: Iterable[str]) -> Iterator[tuple[Any, str, str | None]]:
    """Id, text and language of each line. Raises BadInputError that names the line not of the expected form."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            post = json.loads(line)
            post_id, text, lang = post["id"], post["text"], post.get("lang")
        except (ValueError, KeyError, TypeError, AttributeError):
            post_id, text, lang = None, None, None
        if not isinstance(text, str) or not isinstance(lang, str | None):
            raise BadInputError(f'line {number}: expected a JSON object {{"id": ..., "text": "...", "lang": "..."?}}')
        yield post_id, text, lang


def classified(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The answer to each line. Raises BadInputError that names the line which is not of the expected form."""
    from drinkstream.classify import Classifier
    from drinkstream.taxonomy import load

    classifier = Classifier(load())
    for post_id, text, lang in asked(lines):
        decision = classifier.decide(text, lang)
        yield {
            "id": post_id,
            "mentions": [
                {
                    "category": m.category,
                    "brand": m.brand,
                    "alias": m.alias,
                    "start": m.start,
                    "end": m.end,
                    "rule": m.rule,
                }
                for m in decision.mentions
            ],
            "held": [{"alias": held.alias, "rule": held.rule} for held in decision.held],
        }


def explained(answer: dict[str, Any], explainer: "Explainer") -> str:
    """One answer of `classified` in words: each alias that counts, and for each that does not, why."""
    lines = [f"{answer['id']}:"]
    for m in answer["mentions"]:
        what = " with ".join(part for part in (m["category"], m["brand"]) if part)
        because = explainer.counts(m["rule"])
        lines.append(
            f"  counts as {what}: {m['alias']!r} at {m['start']}-{m['end']}, by rule {m['rule']}"
            + (f" ({because})" if because else "")
        )
    lines += [
        f"  held back: {held['alias']!r}, by rule {held['rule']}: {explainer.held(held['rule'])}"
        for held in answer["held"]
    ]
    return "\n".join(lines if len(lines) > 1 else [*lines, "  names no drink"])


def main() -> None:
    """Entry point: errors of ours become a message and their exit code."""
    try:
        cli()
    except DrinkStreamError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
