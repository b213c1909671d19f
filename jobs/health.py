"""Whether the live path keeps up: speed layer, archive and collector, each asked for its newest sign of life.

Beside it what else needs a person and has no red task of its own: days that no night takes any more.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import click

from drinkstream.archive import Archive
from drinkstream.command import exit_code
from drinkstream.errors import BadInputError, IntegrityError
from drinkstream.positions import Ledger, nothing_more
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from drinkstream.taxonomy import load
from jobs.pending import MOST_RUNS, given_up

NEWEST = timedelta(days=1)
"""The archive is asked for records no older than this."""

AHEAD = timedelta(minutes=1)
"""A sign further ahead of the clock is of before that was set back, and says nothing of now."""


@dataclass(frozen=True, slots=True)
class Signs:
    """Newest signs of life (UTC, None: none in a day), and how far the archive and the speed layer are apart.

    `speed_ahead` and `archive_ahead` count records that the one has processed and the other has not.
    """

    epoch: str | None
    speed: datetime | None
    archive: datetime | None
    speed_ahead: int
    archive_ahead: int


def main(argv: list[str] | None = None) -> int:
    """Looks once; the exit code is IntegrityError's where something is stale."""
    return exit_code(run, argv)


@click.command()
@click.option("--stale", default=300, show_default=True, help="Seconds without progress that count as stale.")
def run(stale: int) -> None:
    """Say how fresh the live numbers and the archive are."""
    settings = Settings.load()
    cassandra = connect(settings, settings.reader_login())
    try:
        now = datetime.now(UTC)
        reader = Reader(cassandra)
        signs = look(settings, reader, now)
        stuck = given_up(reader, now.date(), settings.speed_ttl_days)
    finally:
        cassandra.cluster.shutdown()
    for name, at in (("speed", signs.speed), ("archive", signs.archive)):
        print(f"{name}: " + (f"{(now - at).total_seconds():.0f} s old" if at else "nothing in a day"))
    print(f"speed ahead of archive by {signs.speed_ahead} records, archive ahead of speed by {signs.archive_ahead}")
    faults = stale_parts(signs, now, timedelta(seconds=stale))
    if (why := refusal()) is not None:
        faults.append(f"the taxonomy is refused, so the live stream goes on with the last good one: {why}")
    if refused := Ledger.beside(settings.archive).every_refusal():
        faults.append(nothing_more(refused))
    if stuck:
        faults.append(
            f"no night takes {', '.join(map(str, stuck))} any more: {MOST_RUNS} runs of the day and more, none "
            "published; settle why by the logs of `nightly_share`, then run its Backfill for the day"
        )
    if faults:
        raise IntegrityError(". ".join(faults))


def refusal() -> str | None:
    """Why the taxonomy on disk does not load; None where it does."""
    try:
        load()
    except BadInputError as error:
        return str(error)
    return None


def look(settings: Settings, reader: Reader, now: datetime) -> Signs:
    """What both layers say of themselves."""
    epoch = reader.current_epoch()
    archive = Archive(settings.archive)
    newest = archive.newest(settings.posts_topic, now - NEWEST)
    if epoch is None:
        return Signs(None, None, newest, 0, 0)
    archived = {
        str(p): n
        for (topic, p), n in Ledger.beside(settings.archive).positions(epoch.cluster).items()
        if topic == settings.posts_topic
    }
    ended = [last_end(reader, epoch.epoch, day) for day in (now.date(), now.date() - timedelta(days=1))]
    return Signs(
        epoch.epoch,
        max((at for at in ended if at is not None), default=None),
        newest,
        behind(archived, epoch.processed),
        behind(epoch.processed, archived),
    )


def last_end(reader: Reader, epoch: str, day: date) -> datetime | None:
    """When the last micro-batch that an epoch finished on a day ended. Batches follow each other: only one runs."""
    last = reader.last_batch(epoch, day)
    if last is None:
        return None
    ended = [batch.ended_at for batch in reader.batches(epoch, day, after=last - 2)]
    return max((at for at in ended if at is not None), default=None)


def behind(position: Mapping[str, int], other: Mapping[str, int]) -> int:
    """How many records `other` has processed that `position` has not; both are next offsets by partition."""
    return sum(max(0, offset - position.get(partition, 0)) for partition, offset in other.items())


def stale_parts(signs: Signs, now: datetime, stale: timedelta) -> list[str]:
    """What is stale, each with what to look at. A layer that has processed all that the other has is only idle."""
    faults = []
    for name, at in (("speed", signs.speed), ("archive", signs.archive)):
        if at is not None and at - now > AHEAD:
            faults.append(
                f"the newest sign of `{name}` lies {(at - now).total_seconds():.0f} s ahead of the clock, which is "
                "wrong or was set back: until it is there again see by the log whether anything moves"
            )
    if signs.epoch is None:
        faults.append("no epoch of the speed layer answers: see the log of `speed`")
    elif signs.archive_ahead and (signs.speed is None or now - signs.speed > stale):
        faults.append(f"the speed layer is {signs.archive_ahead} records behind the archive: see the log of `speed`")
    if signs.speed_ahead and (signs.archive is None or now - signs.archive > stale):
        faults.append(f"the archive is {signs.speed_ahead} records behind the speed layer: see the log of `archive`")
    newest = max((at for at in (signs.speed, signs.archive) if at is not None), default=None)
    if newest is None or now - newest > stale:
        faults.append(f"nothing has arrived for {int(stale.total_seconds())} s: see the log of `collect`")
    return faults


if __name__ == "__main__":
    sys.exit(main())
