"""The micro-batches of a test's epoch."""

from datetime import UTC, datetime, timedelta

from drinkstream.merge import days_between
from drinkstream.store.read import Reader
from drinkstream.store.rows import Batch


def batches(reader: Reader, epoch: str) -> list[Batch]:
    """The micro-batches that began yesterday or today, in order: midnight may have passed since a test's first."""
    today = datetime.now(UTC).date()
    return [batch for day in days_between(today - timedelta(days=1), today) for batch in reader.batches(epoch, day)]
