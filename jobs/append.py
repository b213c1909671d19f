"""The log of publications of a day: read behind what is under way, appended to by one conditional write."""

from datetime import date

from cassandra import OperationTimedOut, WriteTimeout

from drinkstream.merge import Publication
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer


def log_of(reader: Reader, day: date) -> list[Publication]:
    """The publications of a day by seq; conditional writes that are under way are ended first."""
    return [entry for entry in reader.publications([str(day)[:7]], serial=True) if entry.day == day]


def append(reader: Reader, writer: Writer, entry: Publication) -> Publication | None:
    """Appends `entry` unless its seq is taken; returns what stands at that seq then (None: the write did not arrive).

    A write whose answer was lost may have happened, which only the log can tell: compare what comes back.
    """
    try:
        if writer.publish(entry):
            return entry
    except (OperationTimedOut, WriteTimeout):
        pass
    return next((found for found in log_of(reader, entry.day) if found.seq == entry.seq), None)
