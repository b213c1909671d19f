"""How much of a day the feeds were there for: what they say of each minute, summed. Pure.

status line   bytes of `feed.status`, as the collector sends one for each minute          streaming/feed.py
Minute        one such line: a minute of the wall clock, of one source                    `minute`
Covered       a source's minutes of one day, summed                                       `summed`
answer        plain values, beside each day of an answer                                  `of_day`, `of_days`

The minutes are those in which posts came, not those in which they were written. What is replayed from files is no
feed: its lines are left out, and a day that is known from files alone has no coverage, which is not full coverage.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

MINUTE = timedelta(minutes=1)
REPLAY = "replay"
"""The adapter whose lines say nothing of a feed."""

LATE = timedelta(seconds=150)
"""So long after its end a minute's line may be on its way still; the minutes after the last one count as lost later."""

_DAY_MS = 86_400_000
_MINUTE_MS = 60_000
_COUNTS = ("limits", "undelivered", "gaps")


@dataclass(frozen=True, slots=True)
class Minute:
    """What one status line says of a minute (its start, UTC). `place` is its `cluster/topic/partition/offset`.

    Two lines may speak of one minute: a collector that ends and is started again within it sends one each time.
    """

    source: str
    minute: datetime
    place: str
    connected_ms: int
    received: int
    limits: int
    undelivered: int
    gaps: int

    @property
    def day(self) -> date:
        """The UTC day."""
        return self.minute.date()


@dataclass(frozen=True, slots=True)
class Covered:
    """A source's minutes of `day`, summed; `until` is the end of the last of them (UTC)."""

    day: date
    source: str
    connected_ms: int
    received: int
    limits: int
    undelivered: int
    gaps: int
    until: datetime


def minute(value: bytes | None, place: str) -> Minute | None:
    """The minute that a status line speaks of; None for any other line, one of a replay, and what is no such line."""
    try:
        told = json.loads(value or b"")
        if told["kind"] != "minute" or told["via"] == REPLAY:
            return None
        start = datetime.fromisoformat(told["minute"])
        if start.utcoffset() is None or not isinstance(told["source"], str):
            return None
        return Minute(
            told["source"],
            start.astimezone(UTC).replace(second=0, microsecond=0),
            place,
            min(_MINUTE_MS, max(0, round(told["connected_s"] * 1000))),
            sum(map(_count, told["received"].values())),
            *(_count(told[name]) for name in _COUNTS),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def summed(minutes: Iterable[Minute]) -> tuple[Covered, ...]:
    """Each source's day, summed, by day and source. Minutes with the same place are one; none is longer than itself."""
    by_day: dict[tuple[date, str], dict[str, Minute]] = defaultdict(dict)
    for one in minutes:
        by_day[one.day, one.source][one.place] = one
    return tuple(_sum(day, source, list(found.values())) for (day, source), found in sorted(by_day.items()))


def connected(minutes: Iterable[Minute]) -> dict[datetime, int]:
    """For each minute how long its source was connected, ms; at most the minute itself. All of one source."""
    found: dict[datetime, int] = defaultdict(int)
    for one in minutes:
        found[one.minute] = min(_MINUTE_MS, found[one.minute] + one.connected_ms)
    return dict(found)


def of_day(day: date, sources: Sequence[Covered], now: datetime) -> Mapping[str, Any] | None:
    """The coverage of a day as an answer has it; None where no feed told anything of it, which is not known.

    `share` is connected seconds / seconds of the day (of a day that runs: passed so far) x sources that told anything.
    """
    if not sources:
        return None
    if (now - LATE).date() > day:
        return _of_passed_day(day, tuple(sources))
    return _of_day(day, sources, now)


@lru_cache(maxsize=8192)
def _of_passed_day(day: date, sources: tuple[Covered, ...]) -> Mapping[str, Any]:
    """The same of a day of which no line can be on its way any more: the clock has no part in it."""
    return _of_day(day, sources, datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) + LATE + MINUTE)


def _of_day(day: date, sources: Sequence[Covered], now: datetime) -> Mapping[str, Any]:
    connected_ms = sum(one.connected_ms for one in sources)
    of_ms = sum(_passed_ms(day, one.until, now) for one in sources)
    return {
        # a collector's clock may be ahead of ours
        "share": min(1.0, connected_ms / of_ms) if of_ms else None,
        "connected_s": connected_ms / 1000,
        "of_s": of_ms / 1000,
        **{name: sum(getattr(one, name) for one in sources) for name in ("received", *_COUNTS)},
        "sources": sorted(one.source for one in sources),
    }


def by_period(
    day: date, sources: Sequence[Covered], minutes: Iterable[Minute], step: int, now: datetime
) -> list[float | None]:
    """For each period of `step` minutes of a day the part of it that the sources were connected; None: not known (yet).

    A minute without a line counts as not connected, unless its line may still be on its way.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    connected_ms, of_ms = [0] * (1440 // step), [0] * (1440 // step)
    by_source: dict[str, list[Minute]] = defaultdict(list)
    for one in minutes:
        by_source[one.source].append(one)
    for source in sources:
        known = connected(by_source[source.source])
        for at in range(_passed_ms(day, source.until, now) // _MINUTE_MS):
            of_ms[at // step] += _MINUTE_MS
            connected_ms[at // step] += known.get(start + at * MINUTE, 0)
    return [part / whole if whole else None for part, whole in zip(connected_ms, of_ms, strict=True)]


def of_days(days: Iterable[Mapping[str, Any] | None]) -> dict[str, Any]:
    """The coverage of many days, each from `of_day`: sums over the days that it is known of, and how many it is not."""
    found = list(days)
    known = [one for one in found if one is not None]
    connected_s, of_s = (sum(one[name] for one in known) for name in ("connected_s", "of_s"))
    return {
        "share": min(1.0, connected_s / of_s) if of_s else None,
        **{name: sum(one[name] for one in known) if known else None for name in ("received", *_COUNTS)},
        "unknown_days": len(found) - len(known),
    }


def _sum(day: date, source: str, minutes: Sequence[Minute]) -> Covered:
    return Covered(
        day,
        source,
        connected_ms=sum(connected(minutes).values()),
        received=sum(one.received for one in minutes),
        limits=sum(one.limits for one in minutes),
        undelivered=sum(one.undelivered for one in minutes),
        gaps=sum(one.gaps for one in minutes),
        until=max(one.minute for one in minutes) + MINUTE,
    )


def _passed_ms(day: date, until: datetime, now: datetime) -> int:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    # whole minutes, so that an answer stays the same until there is news
    end = min(start + timedelta(days=1), until if now - until <= LATE else now.replace(second=0, microsecond=0))
    return min(_DAY_MS, max(0, (end - start) // timedelta(milliseconds=1)))


def _count(n: object) -> int:
    if not isinstance(n, int) or isinstance(n, bool) or n < 0:
        raise ValueError(f"not a count: {n!r}")
    return n
