"""The trend: counts and shares by period, with holes where nothing can be said."""

from datetime import date, datetime, timedelta
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from drinkstream import coverage
from drinkstream.errors import UnavailableError
from drinkstream.share import shares_of
from webapp.answers import day_rows, freshness, head, parts_of_whole
from webapp.basis import Basis, horizon, midnight
from webapp.counts import Columns, Counts, beneath, columns, levels
from webapp.query import Asked

_STEP = {"day": 1440, "hour": 60, "minute": 1}


def trend(asked: Asked, base: Basis) -> dict[str, Any]:
    """Counts and shares by period and category or brand. A period of which nothing is known is null: a hole."""
    step = _STEP[asked.grain]
    window = _window(asked, base)
    minutes = [_minutes(asked, base, place, window) for place in range(len(base.days))]
    table = columns(base.view.keys, asked.by, asked.narrowed, _values(asked, base))
    cells, wholes = _grid(table, minutes, step)
    known = _known(asked, base, minutes, step)
    rows = range(window.start // step, -(-window.stop // step))
    divisors = [int(wholes[row]) if known[row] else None for row in rows]
    parts = parts_of_whole(asked, base, table)
    return {
        **head(asked),
        "by": asked.by,
        "grain": asked.grain,
        "at": base.token,
        "days": day_rows(base, parts),
        "periods": [_period(asked, row * step) for row in rows],
        "totals": divisors,
        "covered": _covered(asked, base, rows, step),
        "series": [
            _series(asked, value, [int(cells[row, place]) if known[row] else None for row in rows], divisors)
            for place, value in enumerate(table.values)
        ],
        "freshness": freshness(base),
    }


def _window(asked: Asked, base: Basis) -> range:
    # the minutes asked for, from the start of the first day
    if asked.last_minutes is None:
        return range(1440 * len(base.days))
    end = _minutes_since(asked.first, base.now) + 1
    return range(end - asked.last_minutes, end)


def _values(asked: Asked, base: Basis) -> list[str]:
    rows = shares_of(levels(base.view.keys, base.counts, asked.narrowed), asked.by, asked.narrowed).rows
    return [str(row.category if asked.by == "category" else row.brand) for row in rows]


def _minutes(asked: Asked, base: Basis, place: int, window: range) -> Counts | None:
    day = base.days[place]
    if asked.grain == "day" or day.counts is None:
        # the minutes of a retired epoch come as they are: a period of a day sums them anyway
        return day.counts
    counts = base.view.minutes(base.state, day)
    return None if counts is None else counts.between(window.start - place * 1440, window.stop - place * 1440)


def _grid(table: Columns, days: list[Counts | None], step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    # counts by (period, value) and denominators by period, zero where a day is missing
    per_day = 1440 // step
    cells = np.zeros((per_day * len(days), len(table.values)), np.int64)
    wholes = np.zeros(per_day * len(days), np.int64)
    for place, counts in enumerate(days):
        if counts is not None:
            part = slice(place * per_day, (place + 1) * per_day)
            cells[part], wholes[part] = table.table(counts, counts.minute.astype(np.int64) // step, per_day)
    return cells, wholes


def _known(asked: Asked, base: Basis, days: list[Counts | None], step: int) -> list[bool]:
    # as `looked_at` has it, for all periods at once
    seen = _minutes_since(asked.first, horizon(base))
    per_day, whole = 1440 // step, beneath(base.view.keys, base.narrowed)
    known = np.arange(per_day * len(days)) * step <= seen
    for place, (day, counts) in enumerate(zip(base.days, days, strict=True)):
        part = known[place * per_day : (place + 1) * per_day]
        if counts is None or day.choice.layer == "batch":
            part[:] = counts is not None
        else:
            part[counts.minute[whole[counts.key]] // step] = True
    return cast(list[bool], known.tolist())


def _covered(asked: Asked, base: Basis, rows: range, step: int) -> list[float | None]:
    """For each period the part of it that the feeds were connected; None where that is not known."""
    if asked.grain == "day":
        found = [coverage.of_day(day, feeds, base.now) for day, feeds in base.feeds.items()]
        return [None if one is None else one["share"] for one in found]
    parts: list[float | None] = []
    for day, feeds in base.feeds.items():
        try:
            minutes = base.view.feed_minutes(base.state, day) if feeds else []
        except UnavailableError:
            # the answer says itself that the store is away; the numbers are in memory, these are not
            feeds = []
            base.unread.add(day)
        parts += coverage.by_period(day, feeds, minutes if feeds else [], step, base.now)
    return [parts[row] if row < len(parts) else None for row in rows]


def _series(asked: Asked, value: str, n: list[int | None], divisors: list[int | None]) -> dict[str, Any]:
    return {
        "category": value if asked.by == "category" else asked.narrowed.category,
        "brand": value if asked.by == "brand" else asked.narrowed.brand,
        "n": n,
        "share": [
            count / whole if count is not None and whole else None for count, whole in zip(n, divisors, strict=True)
        ],
    }


def _period(asked: Asked, minutes: int) -> str:
    start = midnight(asked.first) + timedelta(minutes=minutes)
    return str(start.date()) if asked.grain == "day" else f"{start.isoformat()[:16]}Z"


def _minutes_since(first: date, when: datetime) -> int:
    return int((when - midnight(first)).total_seconds() // 60)
