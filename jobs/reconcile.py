"""Reconcile runs with the speed layer: every id that one of them lacks, with its cause, stored by day and printed."""

import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import click
from tenacity import RetryCallState, RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from drinkstream import meaning
from drinkstream.archive import Archive
from drinkstream.cells import ANY
from drinkstream.command import exit_code
from drinkstream.errors import IntegrityError, UnavailableError
from drinkstream.positions import Ledger, furthest
from drinkstream.reconcile import (
    Attributed,
    Cause,
    Difference,
    Layers,
    Reconciliation,
    attribute,
    compare,
    posts_of,
    tally,
)
from drinkstream.settings import Settings
from drinkstream.store.read import EpochRow, Reader, Run
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.taxonomy_kept import counted_in
from jobs.attempt import ids_of, only_day, runs_of, whole
from jobs.audit import hours_within
from jobs.facts import gather

SHOWN = 20
PAUSE_S = 5.0


def main(argv: list[str] | None = None) -> int:
    """Reconciles the runs of an attempt; the exit code is IntegrityError's where an id has no cause."""
    return exit_code(run, argv)


@click.command()
@click.option("--attempt", required=True, help="The attempt whose runs are reconciled.")
@only_day
def run(attempt: str, day: date | None) -> None:
    """Compare every run of ATTEMPT with the current epoch, id by id, and name the cause of each difference."""
    settings = Settings.load()
    cassandra = connect(settings, settings.writer_login())
    try:
        reader, writer = Reader(cassandra), Writer(cassandra)
        unexplained = []
        for attempted in whole(runs_of(reader, attempt, day)):
            found, parts = reconcile(settings, reader, attempted)
            writer.reconciliation(found, parts)
            print(in_words(found), flush=True)
            mine = [part for part in parts if part.cause == Cause.UNEXPLAINED]
            for part in mine:
                print(f"  unexplained {part.cell}: batch only {part.only_batch} speed only {part.only_speed}")
            unexplained += [f"{attempted.day} {source}:{post_id}" for source, post_id in sorted(_posts(mine))]
    finally:
        cassandra.cluster.shutdown()
    if unexplained:
        raise IntegrityError(
            f"{len(unexplained)} posts stand in one layer only and nothing explains it: "
            f"{', '.join(unexplained[:SHOWN])}{' ...' if len(unexplained) > SHOWN else ''}. "
            "All of them are above and at /api/v1/reconciliation/DAY; look each up in the archive"
        )


def reconcile(settings: Settings, reader: Reader, attempted: Run) -> tuple[Reconciliation, tuple[Attributed, ...]]:
    """What a run and the current epoch do not share, in all and by cell and cause.

    Raises UnavailableError where an id can only be explained by records that the archive does not get.
    """
    # before the cells: what the epoch counts from here on came after the run in any case
    epoch = reader.current_epoch()
    found = Reconciliation(
        day=attempted.day,
        run_id=attempted.run_id,
        at=datetime.now(UTC),
        epoch=epoch.epoch if epoch is not None else "",
        batch_meaning=attempted.meaning,
        speed_meaning=epoch.meaning if epoch is not None else "",
        answered=epoch is not None and attempted.day not in epoch.blind_days,
        cells=0,
        only_batch=0,
        only_speed=0,
        causes=tally(()),
    )
    if epoch is None or not found.answered:
        n = _size(reader, attempted)
        return replace(found, only_batch=n, causes={**found.causes, Cause.SPEED_COULD_NOT_ANSWER: n}), ()
    differing = differences(reader, attempted, epoch)
    parts = explain(settings, reader, attempted, epoch, differing)
    return replace(
        found,
        cells=len(differing),
        only_batch=len({(d.cell[4], post_id) for d in differing for post_id in d.only_batch}),
        only_speed=len({(d.cell[4], post_id) for d in differing for post_id in d.only_speed}),
        causes=tally(parts),
    ), parts


def explain(
    settings: Settings, reader: Reader, attempted: Run, epoch: EpochRow, differing: tuple[Difference, ...]
) -> tuple[Attributed, ...]:
    """The differences by cause. What nothing explains is looked up again once the archive has all that was counted."""
    layers = Layers(
        meaning=meaning.version(),
        batch_meaning=attempted.meaning,
        speed_meaning=epoch.meaning,
        position=attempted.position,
        cluster=epoch.cluster,
        topic=settings.posts_topic,
        first=epoch.first_offsets,
        processed=epoch.processed,
    )
    archive, names = Archive(settings.archive), posts_of(differing)
    rejected = reader.rejected_places(attempted.run_id) if names else frozenset()

    def attributed() -> tuple[Attributed, ...]:
        known = gather(archive, settings.posts_topic, attempted.day, names, rejected) if names else {}
        return attribute(differing, known, layers)

    parts = attributed()
    if any(part.cause == Cause.UNEXPLAINED and part.only_speed for part in parts):
        # counted, but not archived yet: it came after the run
        wait(settings, reader, epoch)
        parts = attributed()
    return parts


def wait(settings: Settings, reader: Reader, epoch: EpochRow) -> None:
    """Returns when the archive holds all that an epoch has counted by now.

    Raises UnavailableError where it does not get there within the setting `archive_patience`, and at once where it
    takes nothing more.
    """
    ends = counted_ends(reader, epoch, datetime.now(UTC))

    def told(state: RetryCallState) -> None:
        print(f"waiting for the archive to reach {state.outcome.result() if state.outcome else ends}", flush=True)

    asking = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_delay(settings.archive_patience),
        wait=wait_fixed(PAUSE_S),
        before_sleep=told,
    )
    try:
        asking(_lacking, settings, epoch.cluster, ends)
    except RetryError as error:
        raise UnavailableError(
            f"the archive has not reached what the speed layer counted: {error.last_attempt.result()} (partition: next "
            "offset); `make status` shows whether the archive query runs"
        ) from None


def counted_ends(reader: Reader, epoch: EpochRow, now: datetime) -> dict[str, int]:
    """By partition the next offset that an epoch may have counted up to: of its last micro-batch, ended or not."""
    ends = dict(epoch.processed)
    for day in (now.date() - timedelta(days=1), now.date()):
        last = reader.last_batch(epoch.epoch, day)
        for batch in reader.batches(epoch.epoch, day, last - 1) if last is not None else ():
            for partition, (_, until) in batch.offsets.items():
                ends[partition] = max(until, ends.get(partition, 0))
    return ends


def differences(reader: Reader, attempted: Run, epoch: EpochRow) -> tuple[Difference, ...]:
    """The cells of a run's day whose ids differ from those of an epoch."""
    live = hours_within(attempted.day, reader.speed_hours(epoch.epoch))
    found: list[Difference] = []
    for category in counted_in(reader.taxonomy(attempted.meaning), reader.taxonomy(epoch.meaning)):
        speed = {cell[:7]: cell.ids for cell in reader.speed_ids(epoch.epoch, live, category, None)}
        found += compare(ids_of(reader, attempted, category), speed)
    return tuple(found)


def in_words(found: Reconciliation) -> str:
    """One line that says what came of it."""
    line = f"day={found.day} run={found.run_id} epoch={found.epoch or 'none'}"
    if not found.answered:
        return f"{line}: the speed layer cannot answer for the day; posts only in batch={found.only_batch}"
    causes = " ".join(f"{why}={n}" for why, n in found.causes.items())
    return f"{line} cells={found.cells} only_batch={found.only_batch} only_speed={found.only_speed} {causes}"


def _size(reader: Reader, attempted: Run) -> int:
    return len({(cell[4], post_id) for cell, ids in ids_of(reader, attempted, ANY).items() for post_id in ids})


def _posts(parts: Iterable[Attributed]) -> set[tuple[str, str]]:
    return {(part.cell[4], post_id) for part in parts for post_id in (*part.only_batch, *part.only_speed)}


def _lacking(settings: Settings, cluster: str, ends: dict[str, int]) -> dict[str, int]:
    ledger = Ledger.beside(settings.archive)
    if (refused := ledger.taken_no_more(cluster, settings.posts_topic)) is not None:
        raise UnavailableError(refused)
    reached = furthest(ledger.positions(cluster), Archive(settings.archive).positions(cluster))
    return {p: end for p, end in ends.items() if reached.get((settings.posts_topic, int(p)), 0) < end}


if __name__ == "__main__":
    sys.exit(main())
