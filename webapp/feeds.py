"""What the feeds told of each day, in memory: sums by day, read now and then, and minutes where they are asked for."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from threading import Lock

from drinkstream.coverage import Covered, Minute
from webapp.live import Store

EVERY = timedelta(seconds=10)
"""Time from one look at the store to the next; a minute's line comes once a minute."""

DAYS_KEPT = 62

Feeds = Mapping[date, tuple[Covered, ...]]
"""By day what each source told of it, summed."""


class Told:
    """Reads what changed. `days` is called by one thread, `minutes` by many."""

    def __init__(self) -> None:
        self._days: Feeds = {}
        self._months: frozenset[str] = frozenset()
        self._read_at: datetime | None = None
        self._minutes: OrderedDict[date, tuple[Sequence[Covered], list[Minute]]] = OrderedDict()
        self._lock = Lock()

    def days(self, store: Store, days: Iterable[date], now: datetime) -> Feeds:
        """What the feeds told of each day in the months of `days` and in the present one; at most ten seconds old."""
        months = frozenset(str(day)[:7] for day in (*days, now.date()))
        if self._read_at is None or months != self._months or abs(now - self._read_at) >= EVERY:
            found: dict[date, list[Covered]] = defaultdict(list)
            for one in store.coverage_days(sorted(months)):
                found[one.day].append(one)
            self._days = {day: tuple(sources) for day, sources in found.items()}
            self._months, self._read_at = months, now
        return self._days

    def minutes(self, store: Store, day: date, told: Sequence[Covered]) -> list[Minute]:
        """The minutes of a day; read again once its sums (`told`) are others than when they were read."""
        with self._lock:
            known = self._minutes.get(day)
        if known is not None and known[0] == told:
            return known[1]
        found = store.coverage_minutes(day) if told else []
        with self._lock:
            self._minutes[day] = told, found
            while len(self._minutes) > DAYS_KEPT:
                self._minutes.popitem(last=False)
        return found
