"""What the runs of an attempt would change of the numbers in force: stored, printed, and told to who approves.

Once a run is published, the report that was approved is what is told of it: held against itself it changes nothing.
"""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache

import click

from drinkstream import meaning
from drinkstream.archive import Archive
from drinkstream.cells import ANY
from drinkstream.classify import Classifier
from drinkstream.command import exit_code
from drinkstream.difference import (
    Change,
    Move,
    Moved,
    Report,
    Side,
    changes,
    explain,
    moves,
    picked,
    rows,
    ruled,
    tally,
)
from drinkstream.difference_text import ANSWER, beyond, form, in_full
from drinkstream.errors import BadInputError, ConflictError, IntegrityError
from drinkstream.merge import Publication
from drinkstream.post import Post
from drinkstream.reconcile import Known, Place
from drinkstream.settings import Settings
from drinkstream.store.read import Reader, Run
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.taxonomy import load
from drinkstream.taxonomy_kept import restored
from jobs.append import log_of
from jobs.attempt import ids_of, runs_of, whole
from jobs.facts import gather

EXPLAINED = 2000
"""Posts of a day that are looked up in the archive and explained; how many move is exact, however many it are."""

Rules = Callable[[str], Classifier | None]
"""The rules of a meaning version as the present code applies them; None where its taxonomy was not kept."""


def main(argv: list[str] | None = None) -> int:
    """Compares the runs of an attempt with those in force; returns the exit code."""
    return exit_code(run, argv)


@click.command()
@click.option("--attempt", required=True, help="The attempt whose runs are compared with what is in force.")
def run(attempt: str) -> None:
    """Report what every run of ATTEMPT would change; the last line says for whom approves what they decide on."""
    settings = Settings.load()
    cassandra = connect(settings, settings.writer_login())
    try:
        reader, writer = Reader(cassandra), Writer(cassandra)
        runs = runs_of(reader, attempt)
        kept, overtaken = whole(runs), []
        rules, found, asks = kept_rules(reader), [], dict[str, str]()
        for attempted in kept:
            log = log_of(reader, attempted.day)
            if seqs := [entry.seq for entry in log if entry.run_id == attempted.run_id]:
                print(as_published(reader, attempted, min(seqs)), end="\n\n", flush=True)
                continue
            # no approval lets it be published any more
            if log and log[-1].seq != attempted.fingerprint.get("seq", 0):
                print(as_overtaken(attempted, log[-1]), end="\n\n", flush=True)
                overtaken.append(str(attempted.day))
                continue
            report, changed, moved = difference(settings, reader, attempted, log, rules)
            writer.difference(report, changed, moved)
            print(in_full(report, moved), end="\n\n", flush=True)
            found.append((report, moved))
            if attempted.asks:
                day = str(attempted.day)
                asks[day] = "; ".join(attempted.asks)
                print(beyond(day, asks[day]), end="\n\n", flush=True)
    finally:
        cassandra.cluster.shutdown()
    if len(overtaken) == len(kept):
        raise ConflictError(
            f"nothing to approve: other runs came into force since on {', '.join(overtaken)}. Recompute what you still "
            "need"
        )
    site = f"http://{settings.host}:{settings.web_port}"
    published = [str(report.day) for report, _ in found if report.published]
    gone = [str(one.day) for one in runs if one not in kept]
    body = form(found, site, gone, overtaken, asks)
    print(ANSWER + json.dumps({"published": published, "asks": list(asks), "body": body}))


def as_published(reader: Reader, attempted: Run, seq: int) -> str:
    """What was stored of a run before it was published as `seq`, in words."""
    said = f"day={attempted.day} run={attempted.run_id}: was published already, as seq {seq}"
    report = next((one for one in reader.reports(attempted.day) if one.run_id == attempted.run_id), None)
    if report is None:
        return f"{said}, and had not been compared"
    return f"{said}; its report of before:\n\n" + in_full(report, reader.moved_posts(attempted.day, attempted.run_id))


def as_overtaken(attempted: Run, last: Publication) -> str:
    """Why a run is left out that began before the publication in force, in words."""
    return (
        f"day={attempted.day} run={attempted.run_id}: left out, seq {last.seq}, run {last.run_id}, came into force "
        "since it began"
    )


def difference(
    settings: Settings, reader: Reader, attempted: Run, log: Sequence[Publication], rules: Rules
) -> tuple[Report, tuple[Change, ...], tuple[Moved, ...]]:
    """What a run would change: the report, every cell that changes, and the posts that were explained.

    `log` are the day's publications.
    """
    in_force = log[-1] if log else None
    old = reader.run(attempted.day, in_force.run_id) if in_force is not None else None
    if in_force is not None and old is None:
        raise IntegrityError(
            f"{attempted.day}: run {in_force.run_id} is in force but its row is gone: look into the store"
        )
    totals = [reader.day_totals(one.day, one.run_id) if one is not None else [] for one in (old, attempted)]
    changed: tuple[Change, ...] = ()
    moved: tuple[Moved, ...] = ()
    number = 0
    if old is not None:
        for category in sorted({ANY, *(total.category for side in totals for total in side)}):
            changed += changes(ids_of(reader, old, category), ids_of(reader, attempted, category))
        moving = moves(changed)
        number = len(moving)
        moved = explained(settings, reader, (old, attempted), picked(moving, EXPLAINED), rules)
    report = Report(
        day=attempted.day,
        run_id=attempted.run_id,
        at=datetime.now(UTC),
        old_run=old.run_id if old is not None else "",
        seq=in_force.seq if in_force is not None else 0,
        old_meaning=old.meaning if old is not None else "",
        new_meaning=attempted.meaning,
        cells=len(changed),
        moved=number,
        explained=len(moved),
        rows=rows(*totals),
        causes=tally(moved),
        rules=ruled(moved),
    )
    return report, changed, moved


def explained(
    settings: Settings, reader: Reader, runs: tuple[Run, Run], moving: tuple[Move, ...], rules: Rules
) -> tuple[Moved, ...]:
    """Why these posts move from the first run to the second, from what the archive holds of them."""
    if not moving:
        return ()
    old, new = (Side(one.meaning, one.position, rules(one.meaning)) for one in runs)
    rejected = reader.rejected_places(runs[0].run_id)
    read: dict[Place, Post] = {}
    names = [(move.source, move.id) for move in moving]
    known = gather(Archive(settings.archive), settings.posts_topic, runs[1].day, names, rejected, read)
    installed = meaning.version()
    return tuple(
        explain(move, known.get((move.source, move.id), Known()), read, old, new, installed) for move in moving
    )


def kept_rules(reader: Reader) -> Rules:
    """The rules of any meaning version whose taxonomy was kept, each made once."""

    @cache
    def rules(version: str) -> Classifier | None:
        if version == meaning.version():
            return Classifier(load())
        kept = reader.taxonomy(version)
        if not kept:
            print(f"the taxonomy of meaning {version} was not kept: its rules are not known")
            return None
        try:
            return Classifier(restored(kept))
        except BadInputError as error:
            print(f"the present code cannot read the taxonomy of meaning {version}, its rules are not known: {error}")
            return None

    return rules


if __name__ == "__main__":
    sys.exit(main())
