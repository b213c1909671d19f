"""The coverage of days, settled from the archive: what the status lines archived say of each of their minutes."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from drinkstream.archive import Archive
from drinkstream.coverage import Minute, minute
from drinkstream.store.coverage import keep
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer

ON_THE_WAY = timedelta(days=1)
"""How long after its minute a status line may reach Kafka: a collector keeps its lines while Kafka is away."""


def settle(archive: Archive, topic: str, reader: Reader, writer: Writer, days: Iterable[date]) -> None:
    """Stores what the archived status lines say of these days; a day without any is left as it is."""
    for day in days:
        keep(reader, writer, archived(archive, topic, day))


def archived(archive: Archive, topic: str, day: date) -> Iterator[Minute]:
    """The minutes of a day, from the archived lines of the status topic."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for row in archive.appended(topic, start, start + timedelta(days=1) + ON_THE_WAY):
        found = minute(row.value, f"{row.cluster}/{row.topic}/{row.partition}/{row.offset}")
        if found is not None and found.day == day:
            yield found
