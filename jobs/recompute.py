"""Recompute days from the archive: one Spark application for one or many days, each day into a run of its own.

Nothing of a run is visible before it is published. The days come as arguments; the clock is read only to name the run.
"""

import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import click
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from drinkstream import meaning
from drinkstream.archive import Archive
from drinkstream.command import exit_code
from drinkstream.errors import BadInputError, IntegrityError, UnavailableError
from drinkstream.merge import Publication, days_between, snapshot
from drinkstream.post import NO_DAY
from drinkstream.settings import Settings
from drinkstream.spark import PARALLEL, causes, session, wake_workers
from drinkstream.store.read import Reader
from drinkstream.store.rows import NO_DAY_MARK
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.taxonomy_kept import installed
from jobs.counted import counted, fingerprints, rejections
from jobs.coverage import settle
from jobs.elsewhere import elsewhere
from jobs.leader import end_with
from jobs.lines import Lines
from jobs.ordinary import FEW
from jobs.readings import level_rows, posts, readings, removed
from jobs.write_cells import Written, write

MANY_DAYS = 4
"""Days from which on the JVM lives long enough to gain by its second compiler."""


def java(days: int) -> list[str]:
    """Options of the JVM that recomputes so many days."""
    # for a few, no core is left for the second compiler either: it takes more from the Python workers meanwhile than
    # the JVM's own work gains
    return [PARALLEL] if days >= MANY_DAYS else [PARALLEL, "-XX:TieredStopAtLevel=1"]


@dataclass(frozen=True, slots=True)
class Request:
    """One application's work: the days, the attempt that asked, and who stands behind it."""

    days: tuple[date, ...]
    attempt: str
    asked_by: str
    same_rules: bool = False
    """Whether the numbers in force must be of the rules installed, since nobody approves what others change."""


def main(argv: list[str] | None = None) -> int:
    """Recomputes the days that the arguments name; returns the exit code."""
    return exit_code(run, argv)


@click.command()
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC).")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day, included.")
@click.option("--days", default="", help="Instead of FROM and TO: days with commas between them.")
@click.option("--attempt", required=True, help="Name of this attempt; audit and publish ask for its runs.")
@click.option("--asked-by", default="", help="Who asked, and what for.")
@click.option("--same-rules", is_flag=True, help="Refuse days that are published by other rules than those installed.")
@click.option("--led-by", type=int, help="Process id: end with this process, as with the task that waits for it.")
def run(
    first: datetime | None,
    last: datetime | None,
    days: str,
    attempt: str,
    asked_by: str,
    same_rules: bool,
    led_by: int | None,
) -> None:
    """Recompute the days FROM to TO, or DAYS, from the archive, each into a new run."""
    if led_by is not None:
        end_with(led_by)
    request = Request(asked_days(first, last, days), attempt, asked_by, same_rules)
    # before Spark's first worker starts, which reads code and taxonomy as they are then: `recompute_chunk` sees by this
    # one that they were changed
    meaning.version()
    settings = Settings.load()
    cassandra = connect(settings, settings.writer_login())
    try:
        options = java(len(request.days))
        spark = session(settings, f"recompute-{attempt}", settings.recompute_heap, java=options)
        try:
            with ThreadPoolExecutor(1) as beside_it:
                awake = beside_it.submit(wake_workers, spark)
                recompute(spark, settings, Reader(cassandra), Writer(cassandra), request)
            # what could have kept them from waking ends a recompute itself; but nothing fails unsaid
            awake.result()
        finally:
            spark.stop()
    finally:
        cassandra.cluster.shutdown()


def asked_days(first: datetime | None, last: datetime | None, listed: str) -> tuple[date, ...]:
    """The days that were asked for, in order and each once: a range, or a list like '2017-09-14,2017-09-16'."""
    if listed and first is None and last is None:
        try:
            return tuple(sorted({date.fromisoformat(day) for day in listed.split(",")}))
        except ValueError:
            raise BadInputError(f"--days {listed}: days like 2017-09-14,2017-09-16") from None
    if listed or first is None or last is None:
        raise BadInputError("give --from and --to, or --days")
    if first > last:
        raise BadInputError(f"--from {first:%Y-%m-%d} lies after --to {last:%Y-%m-%d}: exchange them")
    return days_between(first.date(), last.date())


def recompute(
    spark: SparkSession, settings: Settings, reader: Reader, writer: Writer, request: Request
) -> dict[date, str]:
    """Writes a complete run for each day; returns them by day. All days are read at one version of the archive.

    Raises BadInputError, before anything is written, where posts of a day lie under another topic too, or where the
    request is for the same rules and a day was counted by others.
    """
    # before the archive is: a run that is published from here on may have read more of it, which the audit is to see
    months = sorted({str(day)[:7] for day in request.days})
    in_force = snapshot(reader.publications(months), None).publications
    latest = Archive(settings.archive)
    pinned = Archive(settings.archive, latest.version())
    version = int(pinned.version())
    require_one_topic(pinned, settings.posts_topic, request.days)
    if request.same_rules:
        require_same_rules(reader, [in_force[day] for day in request.days if day in in_force])
    position = {"/".join(map(str, place)): end for place, end in sorted(pinned.ends().items())}
    held = pinned.rows_by_day(settings.posts_topic)
    mint = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"
    runs = {day: f"{mint}-{day:%Y%m%d}" for day in request.days}
    # once other rules are installed, only these can say why a post counted
    writer.taxonomy(meaning.version(), installed())
    for day, run_id in runs.items():
        writer.run(
            day,
            run_id,
            attempt=request.attempt,
            asked_by=request.asked_by,
            meaning=meaning.version(),
            archive_version=version,
            position=position,
            status="writing",
            started_at=datetime.now(UTC),
            fingerprint={"seq": in_force[day].seq if day in in_force else 0},
        )
        writer.run_of_attempt(request.attempt, day, run_id)
    done = 0
    for chunk in chunks(request.days, held, settings.recompute_chunk):
        with causes():
            recompute_chunk(spark, settings, reader, writer, chunk, runs, version, held)
        done += len(chunk)
        print(f"recomputed {done} of {len(request.days)} days, up to {chunk[-1]}", flush=True)
    settle(pinned, settings.status_topic, reader, writer, request.days)
    return runs


def require_one_topic(archive: Archive, topic: str, days: Sequence[date]) -> None:
    """Raises BadInputError where posts of a day lie under another topic: a run reads one, and would lack these."""
    if others := archive.other_topics(topic, map(str, days)):
        told = ", ".join(f"{day} under {' and '.join(topics)}" for day, topics in others.items())
        raise BadInputError(
            f"posts lie under other topics than {topic}: {told}. Such a day stays as it is, published or missing; one "
            "whose posts all lie under another topic is recomputed with DRINKSTREAM_POSTS_TOPIC set to that one"
        )


def require_same_rules(reader: Reader, in_force: Sequence[Publication]) -> None:
    """Raises BadInputError where a day is published by other rules than those installed."""
    runs = {entry.day: reader.run(entry.day, entry.run_id) for entry in in_force}
    if others := [str(day) for day, run in runs.items() if run is not None and run.meaning != meaning.version()]:
        raise BadInputError(
            f"the rules were changed since: {', '.join(others)} would change by more than what came in. Clear "
            "`pending`, which leaves them: recompute_range recounts them, once a person approves"
        )


def chunks(days: Sequence[date], held: Mapping[str, int], most: int) -> Iterator[tuple[date, ...]]:
    """Days in chunks of at most `most` archived records, so that memory stays bounded; a day is never split."""
    chunk: list[date] = []
    rows = 0
    for day in days:
        size = held.get(str(day), 0)
        if chunk and rows + size > most:
            yield tuple(chunk)
            chunk, rows = [], 0
        chunk.append(day)
        rows += size
    if chunk:
        yield tuple(chunk)


def recompute_chunk(
    spark: SparkSession,
    settings: Settings,
    reader: Reader,
    writer: Writer,
    days: tuple[date, ...],
    runs: Mapping[date, str],
    version: int,
    held: Mapping[str, int],
) -> None:
    """Writes and completes the runs of a few days, which are read in one pass."""
    names = [str(day) for day in days]
    archive = Archive(settings.archive, version)
    # every record of these days, and those without a day
    lines = Lines(spark, archive, settings.posts_topic, [*names, NO_DAY])
    # (what it is, which day, which post, which levels): one row for each record, or for many ordinary ones
    read = readings(lines).persist()
    try:
        counts = counted(read)
        rows_read = sum(counts.records.values())
        rows_held = sum(held.get(name, 0) for name in [*names, NO_DAY])
        if rows_read != rows_held:
            raise IntegrityError(
                f"read {rows_read} records of {names[0]} to {names[-1]} at archive version {version}, which holds "
                f"{rows_held}: nothing was completed"
            )
        rejected = rejections(read) if counts.of("rejected") else {}
        # (cell, shard, id): the levels of the posts that stay
        outside = elsewhere(archive, settings.posts_topic, read, names, counts.edited)
        gone = removed(read, counts.edited, outside.posts) if counts.of("tombstone") or outside.posts else None
        found = level_rows(posts(lines, read, gone, few=counts.alone <= FEW).where(F.col("day").isin(*names)))
        written = write(found, {str(day): runs[day] for day in days}, settings)
        prints = fingerprints(counts, names, outside.checksums)
        if (now := meaning.on_disk()) != meaning.version():
            # Spark's workers read code and taxonomy whenever one starts: some of them may have read the new ones
            raise UnavailableError(
                f"the meaning changed from {meaning.version()} to {now} while {names[0]} to {names[-1]} were "
                "recomputed: nothing was completed; recompute them again"
            )
        for day in days:
            complete(reader, writer, day, runs[day], written.get(runs[day], Written()), prints[str(day)], rejected)
    finally:
        read.unpersist()


def complete(
    reader: Reader,
    writer: Writer,
    day: date,
    run_id: str,
    written: Written,
    fingerprint: Mapping[str, Any],
    rejected: Mapping[tuple[str, str], tuple[int, list[str]]],
) -> None:
    """Writes a run's totals, reads them back, and only then marks it complete. Raises IntegrityError if they differ."""
    totals = dict(written.totals)
    writer.day_totals(day, run_id, totals)
    mine = {
        reason if stored == str(day) else reason + NO_DAY_MARK: found
        for (stored, reason), found in rejected.items()
        if stored in (str(day), NO_DAY)
    }
    writer.rejections(run_id, mine)
    back = {(t.category, t.brand, t.source, t.kind, t.lang): t.n for t in reader.day_totals(day, run_id)}
    if back != totals:
        raise IntegrityError(f"the totals of run {run_id} read back differ from those written: it stays incomplete")
    drinks = sum(n for (category, brand, *_), n in totals.items() if (category, brand) == ("*", ""))
    before = reader.run(day, run_id)
    seq = before.fingerprint.get("seq", 0) if before is not None else 0
    writer.run(
        day,
        run_id,
        totals={"drinks": drinks, "cells": written.cells, "records": fingerprint["rows"]},
        rejected={reason: n for reason, (n, _) in mine.items()},
        fingerprint={**fingerprint, "rows_checksum": f"{written.checksum & (2**64 - 1):016x}", "seq": seq},
        status="complete",
        completed_at=datetime.now(UTC),
    )
    print(f"day={day} run={run_id} records={fingerprint['rows']} drinks={drinks} cells={written.cells}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
