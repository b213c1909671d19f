"""The command line: the one place that may import every part, each only when it is asked for."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any

import click

from drinkstream.errors import BadInputError, DrinkStreamError


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
    for answer in classified(file):
        click.echo(explained(answer) if explain else json.dumps(answer, ensure_ascii=False))


def classified(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The answer to each line. Raises BadInputError that names the line which is not of the expected form."""
    from drinkstream.classify import Classifier
    from drinkstream.taxonomy import load

    classifier = Classifier(load())
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            asked = json.loads(line)
            post_id, text, lang = asked["id"], asked["text"], asked.get("lang")
        except (ValueError, KeyError, TypeError, AttributeError):
            post_id, text, lang = None, None, None
        if not isinstance(text, str) or not isinstance(lang, str | None):
            raise BadInputError(f'line {number}: expected a JSON object {{"id": ..., "text": "...", "lang": "..."?}}')
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


def explained(answer: dict[str, Any]) -> str:
    """One answer of `classified` in words."""
    lines = [f"{answer['id']}:"]
    for m in answer["mentions"]:
        what = " with ".join(part for part in (m["category"], m["brand"]) if part)
        lines.append(f"  counts as {what}: {m['alias']!r} at {m['start']}-{m['end']}, by rule {m['rule']}")
    lines += [f"  held back: {held['alias']!r}, by rule {held['rule']}" for held in answer["held"]]
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
