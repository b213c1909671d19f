"""Drop the rows of runs that nobody can be answered from any more: superseded, failed or dead ones.

A run is marked first, so that neither a publication nor a rollback takes it any more; after a pause, in which those
under way end, the log is read again, and only then its rows are deleted. Its own row stays, and says so.
"""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import click

from drinkstream.cells import ANY
from drinkstream.command import exit_code
from drinkstream.merge import days_between
from drinkstream.retention import Candidate, kept_for
from drinkstream.settings import Settings
from drinkstream.store.read import Reader, Run
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.taxonomy import load
from jobs.append import log_of

PAUSE_S = 90.0
"""Longer than a publication or a rollback takes from its look at the run to its write."""


def main(argv: list[str] | None = None) -> int:
    """Drops what may go; returns the exit code."""
    return exit_code(run, argv)


@click.command()
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC); the first published one.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day, included; today.")
@click.option("--dry-run", is_flag=True, help="Only say what would be dropped.")
def run(first: datetime | None, last: datetime | None, dry_run: bool) -> None:
    """Drop the superseded runs of the days FROM to TO, or of all since the first published day."""
    settings = Settings.load()
    retention = timedelta(days=settings.as_of_days)
    cassandra = connect(settings, settings.writer_login())
    try:
        reader, writer = Reader(cassandra), Writer(cassandra)
        days = asked_days(reader, first, last, datetime.now(UTC).date())
        if dry_run:
            for found in droppable(reader, days, datetime.now(UTC), retention):
                print(f"day={found.day} run={found.run_id}: would be dropped")
        else:
            drop(reader, writer, days, datetime.now(UTC), retention, lambda: time.sleep(PAUSE_S))
    finally:
        cassandra.cluster.shutdown()


def asked_days(reader: Reader, first: datetime | None, last: datetime | None, today: date) -> tuple[date, ...]:
    """The days from `first` to `last`; left out, from the first day that was ever published to `today`."""
    end = last.date() if last is not None else today
    if first is not None:
        return days_between(first.date(), end)
    published = [entry.day for entry in reader.publications(reader.published_months()[:1])]
    return days_between(min(published), end) if published else ()


def drop(
    reader: Reader,
    writer: Writer,
    days: Sequence[date],
    now: datetime,
    retention: timedelta,
    pause: Callable[[], None],
) -> None:
    """Drops the runs of these days that may go, and those that an earlier call left half dropped."""
    marked = [found for day in days for found in reader.runs(day) if found.status == "dropping"]
    for found in droppable(reader, days, now, retention):
        writer.run(found.day, found.run_id, status="dropping")
        marked.append(found)
    if marked:
        pause()
    for found in marked:
        log = log_of(reader, found.day)
        if log and log[-1].run_id == found.run_id:
            # named in between: it is whole, and stays
            writer.run(found.day, found.run_id, status="complete")
            print(f"day={found.day} run={found.run_id}: came into force in between and stays")
            continue
        totals = reader.day_totals(found.day, found.run_id)
        writer.drop_run(found.day, found.run_id, {ANY, *load().categories, *(total.category for total in totals)})
        print(f"day={found.day} run={found.run_id}: dropped", flush=True)


def droppable(reader: Reader, days: Sequence[date], now: datetime, retention: timedelta) -> list[Run]:
    """The runs of these days that may be dropped, and are not yet."""
    found = []
    for day in days:
        log = log_of(reader, day)
        for one in reader.runs(day):
            if one.status in ("writing", "complete") and kept_for(_candidate(one), log, now, retention) is None:
                found.append(one)
    return found


def _candidate(one: Run) -> Candidate:
    return Candidate(
        one.run_id,
        one.fingerprint.get("seq", 0),
        one.started_at,
        one.status == "complete",
        bool(one.audit) and not one.audited,
    )


if __name__ == "__main__":
    sys.exit(main())
