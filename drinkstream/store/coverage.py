"""Keeping what the feeds say of each minute: rows of single lines first, then each day they touch, summed anew."""

from collections.abc import Iterable

from drinkstream.coverage import Minute, summed
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer


def keep(reader: Reader, writer: Writer, minutes: Iterable[Minute]) -> None:
    """Stores minutes and the sums of their days. May be repeated and cut off anywhere: the next call mends it.

    Raises UnavailableError where Cassandra does not answer.
    """
    found = list(minutes)
    writer.coverage_minutes(found)
    for day in sorted({one.day for one in found}):
        # read back, since others may have written minutes of the day too
        for one in summed(reader.coverage_minutes(day)):
            writer.coverage_day(one)
