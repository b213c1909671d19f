"""What can still be said of an epoch that answers no more: a token may name it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from drinkstream.merge import hours_of
from drinkstream.retention import expiring
from drinkstream.store.read import EpochRow
from webapp.live import Store, newest_batch
from webapp.recent import Recent

MOST_BYTES = 4 * 1024 * 1024
"""Memory for what was read of such epochs; the one asked about longest ago goes first."""

_HOUR_BYTES = 200


@dataclass(frozen=True, slots=True)
class End:
    """When an epoch first wrote into each hour ('YYYY-MM-DDTHH'), and up to when it counted."""

    touched: Mapping[str, datetime]
    until: datetime

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it takes, about."""
        return _HOUR_BYTES * (1 + len(self.touched))


class Ended:
    """Reads the end of each such epoch once. Used by many threads. `ttl` is the life of a live cell."""

    def __init__(self, store: Callable[[], Store], clock: Callable[[], datetime], ttl: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._ttl = ttl
        self._ends: Recent[str, End] = Recent(MOST_BYTES, lambda _, end: end.nbytes)

    def answers(self, row: EpochRow, day: date) -> bool:
        """Whether all that the epoch counted of a day is still there. Raises UnavailableError without the store.

        Cells expire one by one, each its life after it was written: a day that has lost some would be a low number.
        """
        if row.status == "dropped":
            # its watermark left rows out, and nobody knows of which days
            return False
        end = self._end(row)
        # by the minute, as long as an answer is given again
        if day in expiring(end.touched, self._clock().replace(second=0, microsecond=0), self._ttl):
            return False
        return day <= end.until.date() or any(hour in end.touched for hour in hours_of(day))

    def until(self, row: EpochRow) -> datetime:
        """Up to when the epoch counted. Raises UnavailableError without the store."""
        return self._end(row).until

    def _end(self, row: EpochRow) -> End:
        return self._ends.get(f"{row.epoch} {row.retired_at}", lambda: self._read(row))

    def _read(self, row: EpochRow) -> End:
        store = self._store()
        retired_at = row.retired_at or self._clock()
        until = row.started_at
        if (newest := newest_batch(store, row, retired_at.date())) is not None:
            # its process may have been gone for long when another one took its place
            for batch in store.batches(row.epoch, newest[0], newest[1] - 1):
                until = batch.ended_at or batch.started_at
        return End(store.touched(row.epoch), min(until, retired_at))
