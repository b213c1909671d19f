"""The command line: the one place that may import every part, each only when it is asked for."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from drinkstream.errors import BadInputError, DrinkStreamError, IntegrityError
from drinkstream.record import REASONS

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
    from drinkstream.explain import installed

    explainer = installed() if explain else None
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


def _readable(lines: Iterable[str]) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError:
        raise BadInputError("the lines are not UTF-8: save them as UTF-8") from None


def asked(lines: Iterable[str]) -> Iterator[tuple[Any, str, str | None]]:
    """Id, text and language of each line. Raises BadInputError for lines that are not UTF-8 or not of this form."""
    for number, line in enumerate(_readable(lines), 1):
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


@cli.command()
@click.argument("post", metavar="SOURCE:ID")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of words.")
def why(post: str, as_json: bool) -> None:
    """Why SOURCE:ID (such as x:908300000000000000) counts where it does, or does not.

    Where its records lie in the archive, how each was read, what it mentions by which rule, and which runs and which
    live count hold it. Exits with 2 where the post is not known.
    """
    from drinkstream.archive import Archive
    from drinkstream.lookup import gather
    from drinkstream.settings import Settings
    from drinkstream.store.read import Reader
    from drinkstream.store.session import connect
    from drinkstream.why import explain, parse
    from drinkstream.words import told

    source, post_id = parse(post)
    settings = Settings.load()
    session = connect(settings, settings.reader_login())
    try:
        archive, store = Archive(settings.archive), Reader(session)
        answer = explain(gather(archive, store, settings.posts_topic, source, post_id))
    finally:
        session.cluster.shutdown()
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else "\n".join(told(answer)))


@cli.command()
@click.option("--reason", type=click.Choice(REASONS), help="Only those that were rejected for it.")
@click.option("--lines", is_flag=True, help="Write each line too, as it came: place, how it reads now, bytes.")
def rejections(reason: str | None, lines: bool) -> None:
    """What became of the lines that were rejected when they came: which of them the installed parser can read.

    The last line of the output, `days=`, names the days with lines that can be read now. A day that was recomputed
    since, under the present meaning, stays among them and needs no more.
    """
    from drinkstream.archive import Archive
    from drinkstream.rejections import reading, review, told
    from drinkstream.settings import Settings

    settings = Settings.load()
    rows = list(Archive(settings.archive).rejected(settings.posts_topic, reason))
    for row in rows if lines else ():
        click.echo(f"{row.topic}/{row.partition} offset {row.offset}, {reading(row).words}: {row.value!r}")
    for line in told(review(rows)):
        click.echo(line)


@cli.command()
@click.option("--from", "first", metavar="DAY", help="First day (UTC), as YYYY-MM-DD.")
@click.option("--to", "last", metavar="DAY", help="Last day, included.")
@click.option("--by", type=click.Choice(["category", "brand"]), help="What the rows are; category unless given.")
@click.option("--category", help="Only this category.")
@click.option("--brand", help="Only this brand.")
@click.option("--source", help="Only this source.")
@click.option("--lang", help="Only this language.")
@click.option("--kind", help="Only this kind of post.")
@click.option("--reposts", type=click.Choice(["include", "exclude"]), help="Whether reposts count; not unless given.")
@click.option("--as-of", metavar="INSTANT", help="As published then (RFC 3339).")
@click.option("--at", metavar="TOKEN", help="The state of an earlier answer, by its token.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
def bundle(out: Path, **given: str | None) -> None:
    """Write an answer with the ids, runs and rules behind it into one file that `verify` can check.

    The answer is that of /api/v1/share to the same question. The last line on standard output is the bundle's hash.
    """
    from drinkstream.bundle import unpack, whole
    from drinkstream.settings import Settings
    from drinkstream.store.read import Reader
    from drinkstream.store.session import connect
    from webapp import create_app
    from webapp.bundles import of_parameters
    from webapp.serving import serving

    names = {"first": "from", "last": "to"}
    asked = {names.get(name, name): value for name, value in given.items() if value is not None}
    settings = Settings.load()
    session = connect(settings, settings.reader_login())
    try:
        _, content = of_parameters(serving(create_app(settings, lambda: Reader(session))), asked)
    finally:
        session.cluster.shutdown()
    aside = out.with_name(f"{out.name}.new")
    try:
        aside.write_bytes(content)
        aside.replace(out)
    except OSError as error:
        raise BadInputError(f"{out} cannot be written: {error.strerror}; name another file with --out") from None
    click.echo(f"{out}: {len(content):,} bytes")
    click.echo(f"sha256:{whole(unpack(content))}")


SHOWN = 50
"""Differing posts that `verify` names at most."""


@cli.command()
@click.argument("file", metavar="BUNDLE", type=click.Path(path_type=Path, dir_okay=False))
def verify(file: Path) -> None:
    """Check an evidence bundle: that it was not changed, and that this archive gives the same ids.

    Published days are counted again from the archive's records, without Spark or Cassandra; the answer's numbers must
    be those of the bundle's own ids, of whatever day. Where no day is published, it says that nothing was proved.
    Exits with 0 and the hash where all of it is found; with 6 where a part was changed, or posts or numbers differ:
    each is named, and why; with 2 where BUNDLE is none.
    """
    from drinkstream.archive import Archive
    from drinkstream.bundle import unpack
    from drinkstream.settings import Settings
    from drinkstream.verify import verify as check

    if not file.is_file():
        raise BadInputError(f"no bundle at {file}: `drinkstream bundle` writes one")
    parts = unpack(file.read_bytes())
    verdict = check(parts, Archive(Settings.load().archive))
    for note in verdict.notes:
        click.echo(note)
    if verdict.holds:
        click.echo(f"sha256:{verdict.hash}")
        return
    told = [str(one) for one in (*verdict.faults, *verdict.differences)]
    for line in told[:SHOWN]:
        click.echo(line)
    if len(told) > SHOWN:
        click.echo(f"... and {len(told) - SHOWN:,} more")
    raise IntegrityError(
        f"{file} has the hash {verdict.hash}, and this archive gives {verdict.found}: "
        f"{len(verdict.differences):,} posts and {len(verdict.faults)} numbers differ, named above"
    )


def classified(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The answer to each line. Raises BadInputError that names the line which is not of the expected form."""
    from drinkstream.classify import Classifier
    from drinkstream.taxonomy import load
    from drinkstream.words import plain

    classifier = Classifier(load())
    for post_id, text, lang in asked(lines):
        decision = classifier.decide(text, lang)
        yield {"id": post_id, **plain(decision)}


def explained(answer: dict[str, Any], explainer: "Explainer") -> str:
    """One answer of `classified` in words: each alias that counts, and for each that does not, why."""
    from drinkstream.words import spoken

    return "\n".join([f"{answer['id']}:", *(f"  {line}" for line in spoken(answer, explainer))])


def main() -> None:
    """Entry point: errors of ours become a message and their exit code."""
    try:
        cli()
    except DrinkStreamError as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
