"""The live cells of one epoch, kept in memory by reading only what new micro-batches touched: of an hour its end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from drinkstream.coverage import Covered, Minute
from drinkstream.difference import Change, Moved, Report
from drinkstream.merge import Publication, days_between, hours_of
from drinkstream.reconcile import Attributed, Reconciliation
from drinkstream.share import Total
from drinkstream.store.read import Batch, CellCount, CellIds, EpochRow, Rejection, Run
from webapp.counts import EMPTY, Counts, Keys, add, join, of_cells, of_day

HOURS_A_LOOK = 48
"""Hours read again in one look at most: a replay touches all hours of a month each second, and the rest can wait."""

QUIET = timedelta(seconds=60)
"""A live layer whose last micro-batch ended longer ago than this is called quiet."""

_LOOK_BACK = timedelta(days=35)


class Store(Protocol):
    """What the web asks the store; drinkstream.store.read.Reader is one."""

    def publication_counts(self) -> Mapping[str, int]: ...
    def publications(self, months: Iterable[str]) -> list[Publication]: ...
    def epochs(self) -> list[EpochRow]: ...
    def run(self, day: date, run_id: str) -> Run | None: ...
    def last_batch(self, epoch: str, day: date) -> int | None: ...
    def batches(self, epoch: str, day: date, after: int) -> list[Batch]: ...
    def day_totals(self, day: date, run_id: str) -> list[Total]: ...
    def batch_counts(self, run_id: str, hours: Sequence[str], categories: Sequence[str]) -> list[CellCount]: ...
    def batch_ids(self, run_id: str, hours: Sequence[str], category: str, brand: str | None) -> Iterator[CellIds]: ...
    def coverage_days(self, months: Iterable[str]) -> list[Covered]: ...
    def coverage_minutes(self, day: date) -> list[Minute]: ...
    def speed_hours(self, epoch: str) -> frozenset[str]: ...
    def touched(self, epoch: str) -> dict[str, datetime]: ...
    def speed_counts(
        self, epoch: str, hours: Sequence[str], categories: Sequence[str], since: Mapping[str, int] = ...
    ) -> list[CellCount]: ...
    def speed_ids(self, epoch: str, hours: Sequence[str], category: str, brand: str | None) -> Iterator[CellIds]: ...
    def rejections(self, run_id: str) -> list[Rejection]: ...
    def reconciliations(self, day: date) -> list[Reconciliation]: ...
    def reconciled_cells(self, day: date, run_id: str) -> Iterator[Attributed]: ...
    def taxonomy(self, meaning: str) -> dict[str, str]: ...
    def reports(self, day: date) -> list[Report]: ...
    def changed_cells(self, day: date, run_id: str) -> Iterator[Change]: ...
    def moved_posts(self, day: date, run_id: str) -> Iterator[Moved]: ...
    def batch_minute(self, run_id: str, hour: str, minute: int, categories: Iterable[str]) -> Iterator[CellIds]: ...
    def speed_minute(self, epoch: str, hour: str, minute: int, categories: Iterable[str]) -> Iterator[CellIds]: ...


@dataclass(frozen=True, slots=True)
class Live:
    """What the current epoch counted, as last read. Never changed once made.

    `until` is when the last micro-batch ended of which, and of all before, every row is in here; `behind` is how many
    hours have rows that are not. `last_batch` is the last one that ended, or, where none did that is known, one that
    began. `reached` is up to which append time posts have been counted, where that is long ago; else None.
    """

    epoch: EpochRow
    hours: Mapping[str, Counts] = field(default_factory=dict)
    days: Mapping[date, Counts] = field(default_factory=dict)
    last_batch: Batch | None = None
    until: datetime | None = None
    behind: int = 0
    reached: datetime | None = None

    @property
    def last_sign(self) -> datetime:
        """When it last ended a micro-batch, or began the only one that is known of, or itself."""
        batch = self.last_batch
        return self.epoch.started_at if batch is None else batch.ended_at or batch.started_at


def newest_batch(store: Store, row: EpochRow, until: date) -> tuple[date, int] | None:
    """The last micro-batch that an epoch began up to a UTC day: that of its begin, and its id. None: none is kept."""
    earliest = max(row.started_at.date(), until - _LOOK_BACK)
    for day in reversed(days_between(min(earliest, until), until)):
        last = store.last_batch(row.epoch, day)
        if last is not None:
            return day, last
    return None


class Tail:
    """Follows one epoch. Used by one thread only; what it hands out is safe to share."""

    def __init__(self, store: Store, keys: Keys, epoch: str, categories: Sequence[str]) -> None:
        self.epoch = epoch
        self._store = store
        self._keys = keys
        self._categories = categories
        self._hours: dict[str, Counts] = {}
        self._sums: dict[str, Counts] = {}  # of the minutes of each hour
        self._days: dict[date, Counts] = {}
        self._dirty: dict[str, int] = {}  # from which minute on each is; in the order in which they became so
        self._day: date | None = None
        self._seen = -1
        self._last: Batch | None = None
        self._until: datetime | None = None
        self._reached: datetime | None = None
        self._whole = False

    def look(self, row: EpochRow, today: date) -> Live:
        """The epoch's cells as they are now. The first look reads all hours, a later one what changed since.

        Those of the days that the epoch cannot answer for are neither read nor kept; such a day never comes back.
        """
        self._forget(row.blind_days)
        if self._day is None:
            self._begin(row, today)
        self._take_batches(row.blind_days, today)
        while not self._whole and self._dirty:
            self._read(self._next_hours())
        self._whole = True
        self._read(self._next_hours())
        if not self._dirty and self._last is not None:
            self._until = self._last.ended_at
        return Live(row, dict(self._hours), dict(self._days), self._last, self._until, len(self._dirty), self._reached)

    def _begin(self, row: EpochRow, today: date) -> None:
        day, last = newest_batch(self._store, row, today) or (today, 0)
        # the last batch is looked up before the hours are, so that what comes in between is read again
        self._dirty = dict.fromkeys(sorted(_of_other_days(self._store.speed_hours(self.epoch), row.blind_days)), 0)
        self._seen, self._day = last - 1, day

    def _forget(self, blind: frozenset[date]) -> None:
        for day in self._days.keys() & blind:
            del self._days[day]
            for hour in hours_of(day):
                self._hours.pop(hour, None)
                self._sums.pop(hour, None)
        for hour in self._dirty.keys() - _of_other_days(self._dirty, blind):
            del self._dirty[hour]

    def _take_batches(self, blind: frozenset[date], today: date) -> None:
        assert self._day is not None  # noqa: S101 - look() sets it first
        # a batch that began before midnight lies in that day's partition, the next one in the new day's; or, where the
        # clock was set back, in the one before
        days = days_between(self._day - timedelta(days=1), max(self._day, today))
        # the last one once more: what was measured of it is stored a moment after its end
        found = [batch for day in days for batch in self._store.batches(self.epoch, day, self._seen - 1)]
        for batch in sorted(found, key=lambda one: one.batch_id):
            if batch.ended_at is None:
                self._last = self._last or batch
                continue
            self._follow(batch)
            if batch.batch_id == self._seen:
                self._last = batch
                continue
            self._seen, self._day, self._last = batch.batch_id, batch.started_at.date(), batch
            for hour in sorted(_of_other_days(batch.hours, blind)):
                first = batch.hours[hour]
                self._dirty[hour] = min(first, self._dirty.get(hour, first))

    def _follow(self, batch: Batch) -> None:
        """How far the epoch has come with a micro-batch: behind a silence there may be a backlog to work off."""
        if batch.hits is not None:
            # one without any hit is small, or nothing of the topic names a drink
            late = batch.append_to is not None and batch.started_at - batch.append_to > QUIET
            self._reached = batch.append_to if late else None
        elif self._last is not None and batch.batch_id > self._last.batch_id:
            before = self._last.ended_at or self._last.started_at
            self._reached = before if batch.started_at - before > QUIET else self._reached

    def _next_hours(self) -> list[str]:
        # the newest hours move on the page, so they go first; the rest in the order in which they were touched
        newest = sorted(self._dirty, reverse=True)[:2]
        return newest + [hour for hour in self._dirty if hour not in newest][: HOURS_A_LOOK - len(newest)]

    def _read(self, hours: list[str]) -> None:
        # a minute that nothing touched since is as it was read: an hour that is under way would cost more each second
        since = {hour: self._dirty[hour] for hour in hours if hour in self._hours}
        cells: dict[str, list[CellCount]] = defaultdict(list)
        for cell in self._store.speed_counts(self.epoch, hours, self._categories, since):
            cells[cell.hour].append(cell)
        for hour in hours:
            before = self._hours.get(hour, EMPTY).between(0, int(hour[11:]) * 60 + since.get(hour, 0))
            self._hours[hour] = join([before, of_cells(self._keys, cells[hour])])
            self._sums[hour] = of_day(self._hours[hour])
            self._dirty.pop(hour, None)
        for day in {hour[:10] for hour in hours}:
            sums = [self._sums[hour] for hour in hours_of(day) if hour in self._sums]
            self._days[date.fromisoformat(day)] = add(sums)


def _of_other_days(hours: Iterable[str], blind: frozenset[date]) -> set[str]:
    return {hour for hour in hours if date.fromisoformat(hour[:10]) not in blind}
