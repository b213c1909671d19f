"""Sums over published days, kept: what a run counted never changes, so a long range costs little more than a day."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from functools import partial
from itertools import groupby
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from webapp.counts import Counts, add
from webapp.day import Day
from webapp.recent import Recent

MOST_BYTES = 32 * 1024 * 1024
"""Memory for sums of ranges; the one asked for longest ago goes first."""

MOST_QUESTIONS = 512
"""Questions of which the number of each published day is kept."""

_MOST_RUNS = 4096
_FEW_MONTHS = 3


class Sums:
    """Sums of days with counts. Used by many threads."""

    def __init__(self) -> None:
        self._wholes: Recent[tuple[str | None, ...], Counts] = Recent(MOST_BYTES, _nbytes)
        self._parts: OrderedDict[Hashable, dict[str, int]] = OrderedDict()
        self._lock = Lock()

    def whole(self, days: Sequence[Day]) -> Counts:
        """The counts of all of these days that have some, by key."""
        published = [day for day in days if day.counts is not None and day.choice.run is not None]
        others = [day.counts for day in days if day.counts is not None and day.choice.run is None and len(day.counts.n)]
        return add([self._published(published), *others] if published else others)

    def parts(self, question: Hashable, mask: NDArray[np.bool_], days: Sequence[Day]) -> list[int | None]:
        """For each day the posts of the keys that `mask` has (by key number), which is the same for one `question`.

        None where a day has no counts.
        """
        with self._lock:
            known = self._parts.setdefault(question, {})
            self._parts.move_to_end(question)
            if len(known) > _MOST_RUNS:
                known.clear()
            while len(self._parts) > MOST_QUESTIONS:
                self._parts.popitem(last=False)
        weights = mask.astype(np.int64)
        return [None if day.counts is None else _part(known, weights, day.choice.run, day.counts) for day in days]

    def _published(self, days: Sequence[Day]) -> Counts:
        def summed() -> Counts:
            # a range that was not asked about before is made of months that were summed for others
            months = [list(month) for _, month in groupby(days, key=lambda day: day.said["day"][:7])]
            if len(months) < _FEW_MONTHS:
                return _summed(days)
            whole = [self._wholes.get(_runs(month), partial(_summed, month)) for month in months[1:-1]]
            return add([_summed(months[0]), *whole, _summed(months[-1])])

        return self._wholes.get(_runs(days), summed)


def _runs(days: Sequence[Day]) -> tuple[str | None, ...]:
    return tuple([day.choice.run for day in days])


def _summed(days: Sequence[Day]) -> Counts:
    return add([day.counts for day in days if day.counts is not None])


def _part(known: dict[str, int], weights: NDArray[np.int64], run: str | None, counts: Counts) -> int:
    n = known.get(run) if run is not None else None
    if n is None:
        n = int(np.dot(weights.take(counts.key), counts.n))
        if run is not None:
            known[run] = n
    return n


def _nbytes(runs: tuple[str | None, ...], counts: Counts) -> int:
    return counts.nbytes + 8 * len(runs)
