"""How records that were rejected when they came are read now, and of which days those are that can be. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from drinkstream.archive import Row
from drinkstream.edits import time_in_id
from drinkstream.post import Post, Rejected, Tombstone, day_of, post_of

REJECTED = "rejected."


@dataclass(frozen=True, slots=True)
class Now:
    """How a record is read now: `kind` (post, tombstone, notice, rejected), in `words`, and of which event day.

    `about` is what `why` can be asked about: the post, or else the key of a line that names none; None without a key.
    """

    kind: str
    words: str
    about: str | None
    day: str | None


@dataclass(slots=True)
class Review:
    """The records that were rejected for one reason: `records` of them, by what they are read as now.

    `days` are the event days of those that are posts, or orders about posts, by now.
    """

    records: int = 0
    now: Counter[str] = field(default_factory=Counter)
    days: set[str] = field(default_factory=set)


def reading(row: Row) -> Now:
    """How a record is read by the installed parser."""
    record = row.record()
    about = post_of(record) or row.key
    match record:
        case Post():
            return Now("post", f"a post of {day_of(record.event_ms)}", about, day_of(record.event_ms))
        case Tombstone():
            ms = time_in_id(record.source, record.id)
            return Now(
                "tombstone", f"an order about a post ({record.action})", about, None if ms is None else day_of(ms)
            )
        case Rejected():
            return Now("rejected", f"rejected: {record.reason}", about, None)
    return Now("notice", f"a notice ({record.kind})", about, None)


def review(rows: Iterable[Row]) -> Mapping[str, Review]:
    """What became of rejected records, by the reason for which they were rejected when they came."""
    found: dict[str, Review] = {}
    for row in rows:
        reason = (row.shape or "").removeprefix(REJECTED)
        now = reading(row)
        one = found.setdefault(reason, Review())
        one.records += 1
        one.now[now.kind] += 1
        if now.day is not None:
            one.days.add(now.day)
    return dict(sorted(found.items()))


def told(reviews: Mapping[str, Review]) -> Iterable[str]:
    """Lines for a person; the last is `days=`, and the days with lines that can be read now, commas between.

    It knows of no run: a day that was recomputed since is among them too.
    """
    for reason, one in reviews.items():
        others = ", ".join(f"{kind} {n}" for kind, n in sorted(one.now.items()) if kind != "rejected")
        readable = f"; readable by now: {others}" if others else ""
        yield f"{reason}: {one.records} records, {one.now['rejected']} still rejected{readable}"
    yield "days=" + ",".join(sorted({day for one in reviews.values() for day in one.days}))
