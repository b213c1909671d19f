"""The coverage of days, settled from the archive: what the status lines archived say of each of their minutes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from drinkstream.archive import Archive
from drinkstream.coverage import Minute, minute
from drinkstream.store.coverage import keep
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer

ON_THE_WAY = timedelta(days=1)
"""How long after its minute a status line may reach Kafka: a collector keeps its lines while Kafka is away."""

SPAN = timedelta(days=31)
"""Time that one question to the archive is about."""


def settle(archive: Archive, topic: str, reader: Reader, writer: Writer, days: Iterable[date]) -> None:
    """Stores what the archived status lines say of these days; a day without any is left as it is."""
    for some in spans(days):
        keep(reader, writer, archived(archive, topic, some))


def spans(days: Iterable[date]) -> Iterator[list[date]]:
    """The days in order, those within SPAN of the first together."""
    some: list[date] = []
    for day in sorted(days):
        if some and day - some[0] >= SPAN:
            yield some
            some = []
        some.append(day)
    if some:
        yield some


def archived(archive: Archive, topic: str, days: Sequence[date]) -> Iterator[Minute]:
    """The minutes of some days (in order), from the archived lines of the status topic."""
    first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (days[0], days[-1]))
    for row in archive.appended(topic, first, last + timedelta(days=1) + ON_THE_WAY):
        found = minute(row.value, f"{row.cluster}/{row.topic}/{row.partition}/{row.offset}")
        if found is not None and found.day in days:
            yield found
