"""Keep the archive in few files, and none on the disk that it no longer needs.

The query writes two small files every half minute for each day in it; readers open them all. What a rewrite leaves
behind stays for an hour, for whoever still reads an earlier version; so does its text, if it had to be erased
meanwhile.

The erasure list comes last, since it only grows: were it first, a list that takes longer than the task may would leave
the old files, erased texts in them, on the disk for good. How long these stay hangs on the deletion alone.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import click

from drinkstream.archive import Archive
from drinkstream.archive_change import ORPHANED_FOR, compact, drop_orphans, erase, vacuum
from drinkstream.command import exit_code
from drinkstream.erasures import Erasures
from drinkstream.errors import ConflictError
from drinkstream.post import NO_DAY
from drinkstream.settings import Settings

FEW = 4
"""A day with no more files than this is left as it is."""

REMOVED_FOR = timedelta(hours=1)
"""How long a file stays that no longer belongs to the table: an audit may still read the version of its recompute."""


def main(argv: list[str] | None = None) -> int:
    """Does it; returns the exit code."""
    return exit_code(run, argv)


@click.command()
def run() -> None:
    """Delete files that nobody needs, join small ones, apply the erasure list once more."""
    settings, now = Settings.load(), datetime.now(UTC)
    uri = settings.archive
    # before the rewrite: what that removes is kept for those who still read it
    vacuum(uri, REMOVED_FOR)
    drop_orphans(uri, ORPHANED_FOR)
    days, disturbed = scattered(Archive(uri).files(), now.date()), None
    try:
        print(f"days={len(days)} files={compact(uri, days)} less", flush=True)
    except ConflictError as error:
        # the list does not wait for a quieter time
        disturbed = error
    # a restored copy, or a batch that began before a key was listed, may have brought something back
    keys = [order.key for order in Erasures.beside(uri).orders()]
    print(f"listed={len(keys)} erased={len(erase(uri, keys, now).places)}", flush=True)
    # what the archive's query replaced within the hour before the first time may be old enough by now
    vacuum(uri, REMOVED_FOR)
    if disturbed is not None:
        raise disturbed


def scattered(files: Mapping[str, int], today: date) -> list[str]:
    """The days worth a rewrite: of many files, and over, so that no more are added every half minute."""
    return sorted(day for day, n in files.items() if n > FEW and (day == NO_DAY or day < str(today)))


if __name__ == "__main__":
    sys.exit(main())
