"""The published days that so many records came for since their run that they are worth a recompute."""

import sys
from collections.abc import Mapping
from datetime import date, datetime

import click

from drinkstream.archive import Archive
from drinkstream.command import exit_code
from drinkstream.merge import snapshot
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect

ANSWER = "days="
"""What the last line of the output begins with; the days follow, with commas between them."""


def main(argv: list[str] | None = None) -> int:
    """Says which days; returns the exit code."""
    return exit_code(run, argv)


@click.command()
@click.option("--but", default=None, type=click.DateTime(["%Y-%m-%d"]), help="A day that is recomputed anyway.")
def run(but: datetime | None) -> None:
    """Print the published days with more records pending than the setting `pending_limit` allows."""
    settings = Settings.load()
    cassandra = connect(settings, settings.reader_login())
    try:
        positions = counted(Reader(cassandra))
    finally:
        cassandra.cluster.shutdown()
    if but is not None:
        positions.pop(but.date(), None)
    asked = {str(day): position for day, position in positions.items()}
    found = Archive(settings.archive).pending(settings.posts_topic, asked) if asked else {}
    days = over(found, settings.pending_limit)
    for day in days:
        print(f"day={day} pending={found[day]}")
    print(ANSWER + ",".join(days))


def counted(reader: Reader) -> dict[date, Mapping[str, int]]:
    """By published day the next offsets of the archive when the run in force was counted, where the run knows them."""
    in_force = snapshot(reader.publications(reader.published_months()), None).publications
    runs = {day: reader.run(day, publication.run_id) for day, publication in sorted(in_force.items())}
    return {day: run.position for day, run in runs.items() if run is not None and run.position}


def over(pending: Mapping[str, int], limit: int) -> list[str]:
    """The days with more than `limit` records pending, in order."""
    return sorted(day for day, n in pending.items() if n > limit)


if __name__ == "__main__":
    sys.exit(main())
