"""The answers, as plain values: the page and the API show what these functions return, and nothing else."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from drinkstream import coverage
from drinkstream.coverage import Covered
from drinkstream.interval import CONFIDENCE
from drinkstream.merge import Choice, Publication, Snapshot, absence, choose, days_between, instant
from drinkstream.share import Change, Shares, changes, shares
from webapp import listing
from webapp.counts import Counts, add, columns, matching, totals
from webapp.live import hours_of
from webapp.query import Asked
from webapp.texts import Found
from webapp.view import State, View

QUIET_S = 60
"""A live layer whose last micro-batch ended longer ago than this is called quiet."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of an answer: the layer that was chosen for it, its counts and their meaning version.

    A missing day has no counts, and the reason in words.
    """

    choice: Choice
    publication: Publication | None
    counts: Counts | None
    meaning: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What one request answers from: one snapshot of a state, its token, and the days asked for.

    `feeds` is what was told of these days by the sources asked about; `texts` looks up the texts of posts.
    """

    view: View
    state: State
    snapshot: Snapshot
    as_of: datetime | None
    now: datetime
    token: str
    days: tuple[Day, ...]
    feeds: Mapping[date, Sequence[Covered]]
    texts: Callable[[Collection[str], Collection[str]], Found]

    @property
    def live(self) -> bool:
        """Whether any of its numbers may still move."""
        return any(day.choice.layer == "speed" for day in self.days)

    @property
    def counts(self) -> Counts:
        """The counts of all days that have some, by key."""
        return counts_of(self.days)

    @property
    def answerable(self) -> bool:
        """Whether any day could be answered for."""
        return any(day.counts is not None for day in self.days)


def basis(
    view: View, asked: Asked, state: State, now: datetime, texts: Callable[[Collection[str], Collection[str]], Found]
) -> Basis:
    """Takes one snapshot of the state for a question. Raises BadInputError for a token that leads nowhere."""
    snapshot, token = state.at(asked.at, asked.as_of)
    days = tuple(day_of(view, state, snapshot, asked.as_of, wanted) for wanted in asked.days)
    source = asked.narrowed.source
    feeds = {day: [one for one in state.feeds.get(day, ()) if source in (None, one.source)] for day in asked.days}
    return Basis(view, state, snapshot, asked.as_of, now, token, days, feeds, texts)


def day_of(view: View, state: State, snapshot: Snapshot, as_of: datetime | None, wanted: date) -> Day:
    """One day as a snapshot of the state answers for it."""
    choice = choose(wanted, snapshot)
    publication = snapshot.publications.get(wanted)
    counts, meaning = view.day(state, choice)
    if choice.run is not None and (counts is None or (meaning is None and not len(counts.n))):
        # neither the run's row nor its totals are there any more: zero would be a low number
        gone = f"run {choice.run} was in force, and is no longer kept"
        return Day(Choice(wanted, "missing"), publication, None, None, gone)
    if counts is None:
        return Day(choice, publication, None, None, absence(wanted, snapshot, state.log, as_of))
    return Day(choice, publication, counts, meaning)


def counts_of(days: Sequence[Day]) -> Counts:
    """The counts of all of these days that have some, by key."""
    return add([day.counts for day in days if day.counts is not None])


def days_before(base: Basis, days: int) -> tuple[Day, ...]:
    """The period of as many days right before that of the answer; none where any day of either is missing."""
    first = base.days[0].choice.day
    if days >= first.toordinal() or any(day.counts is None for day in base.days):
        return ()
    found = []
    for wanted in days_between(first - timedelta(days=days), first - timedelta(days=1)):
        day = day_of(base.view, base.state, base.snapshot, base.as_of, wanted)
        if day.counts is None:
            return ()
        found.append(day)
    return tuple(found)


def incomparable(now: Sequence[Day], before: Sequence[Day]) -> str | None:
    """Why no change from one period to the other can be told; None where one meaning version counted all of both.

    What other rules move is no sample's chance, so that no interval would hold it.
    """
    rules = {day.meaning for day in (*now, *before)}
    if None in rules:
        return "by which rules it was counted is not known any more"
    return "counted by other rules" if len(rules) > 1 else None


def share(asked: Asked, base: Basis) -> dict[str, Any]:
    """Counts, shares and mix by category or brand; the `n` of a day is its part of `total`, the denominator."""
    keys = base.view.keys
    found: Shares = shares(totals(keys, base.counts), asked.by, asked.narrowed)
    before = days_before(base, len(base.days))
    then = shares(totals(keys, counts_of(before)), asked.by, asked.narrowed)
    apart = incomparable(base.days, before)
    moved = changes(found, then) if apart is None else (None,) * len(found.rows)
    whole = columns(keys, asked.by, asked.narrowed, ()).whole
    parts = [None if day.counts is None else int(day.counts.n[whole[day.counts.key]].sum()) for day in base.days]
    rows = day_rows(base, parts)
    return {
        **head(asked),
        "by": asked.by,
        "total": found.total if base.answerable else None,
        "mix_total": _mix_total(found) if base.answerable else None,
        "low_base": found.low_base if base.answerable else None,
        "confidence": CONFIDENCE,
        "before": None
        if not then.total
        else {
            "from": str(before[0].choice.day),
            "to": str(before[-1].choice.day),
            "total": then.total,
            "reason": apart,
        },
        "coverage": coverage.of_days(row["coverage"] for row in rows),
        "at": base.token,
        "days": rows,
        "shares": [
            {
                "category": row.category,
                "brand": row.brand,
                "n": row.n,
                "share": row.share,
                "interval": found.interval(row),
                "mix": row.mix,
                **_change(change),
            }
            for row, change in zip(found.rows, moved, strict=True)
        ],
        "freshness": freshness(base),
    }


def _change(found: Change | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("change", "change_interval", "within_noise"))
    return {"change": found.change, "change_interval": found.interval, "within_noise": found.within_noise}


def posts(asked: Asked, base: Basis) -> dict[str, Any]:
    """One page of the ids behind a number. `total` is that number; where a day is live, at least that many ids come.

    Texts come from the archive, in the order of the ids; where it does not answer, the ids come without them.
    """
    start, end = asked.minutes
    counted = [day.counts for day in base.days]
    if (start, end) != (0, 1440):
        minutes = [base.view.minutes(base.state, day.choice) for day in base.days]
        counted = [None if counts is None else counts.between(start, end) for counts in minutes]
    match = matching(base.view.keys, asked.narrowed)
    parts = [None if counts is None else int(counts.n[match[counts.key]].sum()) for counts in counted]
    looked: list[tuple[Choice, list[str]]] = []
    for day, n in zip(base.days, parts, strict=True):
        if n is None:
            continue
        # a published day without a match is not looked into; a live one may have got some since
        if n or day.choice.layer == "speed":
            hours = hours_of(day.choice.day)[start // 60 : (end + 59) // 60]
            looked.append((day.choice, hours_with_cells(base, day.choice, hours)))
    page = listing.page(
        base.view.store(),
        looked,
        asked.narrowed,
        asked.minutes,
        asked.after.entry if asked.after is not None else None,
        asked.limit,
    )
    return {
        **head(asked),
        "total": sum(n for n in parts if n is not None) if base.answerable else None,
        "at": base.token,
        "ids": list(page.ids),
        "next": listing.Place(base.token, page.last).text if page.last is not None else None,
        **(_texts(base, page) if asked.texts else {}),
        "days": day_rows(base, parts),
        "freshness": freshness(base),
    }


def _texts(base: Basis, page: listing.Page) -> dict[str, Any]:
    found = base.texts(page.ids, page.days)
    rows = [{"id": key, "state": text.state, "text": text.text, "why": text.why} for key, text in found.by_key.items()]
    return {"texts": None if found.failing is not None else rows, "texts_failing": found.failing}


def days(asked: Asked, base: Basis) -> dict[str, Any]:
    """Each day: the layer, the publication in force, and how many posts the question is about."""
    match = matching(base.view.keys, asked.narrowed)
    parts = [None if day.counts is None else int(day.counts.n[match[day.counts.key]].sum()) for day in base.days]
    rows = day_rows(base, parts)
    for row, day in zip(rows, base.days, strict=True):
        row["seq"] = day.publication.seq if day.publication is not None else None
        row["by"] = day.publication.who if day.publication is not None else None
        row["why"] = day.publication.why if day.publication is not None else None
    known = [n for n in parts if n is not None]
    return {
        **head(asked),
        "total": sum(known) if base.answerable else None,
        "at": base.token,
        "days": rows,
        "freshness": freshness(base),
    }


def status(asked: Asked, base: Basis) -> dict[str, Any]:
    """How fresh each layer is, which days have data, and how many posts the question is about."""
    answer = days(asked, base)
    state, live = base.state, base.state.live
    layers = [day.choice.layer for day in base.days]
    published = sorted(state.now.publications.values(), key=lambda publication: publication.at)
    return {
        **head(asked),
        "total": answer["total"],
        "at": base.token,
        "now": instant(base.now),
        "read_at": instant(state.read_at),
        "stale_since": maybe(state.stale_since(base.now)),
        "failing": state.failing,
        "days": {layer: layers.count(layer) for layer in ("batch", "speed", "missing")},
        "published": {
            "days": len(published),
            "first": str(min(state.now.publications)) if published else None,
            "last": str(max(state.now.publications)) if published else None,
            "last_published_at": instant(published[-1].at) if published else None,
        },
        "data": [{"from": str(first), "to": str(last)} for first, last in spans(state.days)],
        "live": None
        if live is None
        else {
            "epoch": live.epoch.epoch,
            "meaning": live.epoch.meaning,
            "started_at": instant(live.epoch.started_at),
            "until": maybe(live.until),
            "quiet_since": maybe(quiet_since(base)),
            "hours_behind": live.behind,
            "last_batch": None
            if live.last_batch is None
            else {
                "id": live.last_batch.batch_id,
                "started_at": instant(live.last_batch.started_at),
                "ended_at": maybe(live.last_batch.ended_at),
                "rows_in": live.last_batch.rows_in,
                "hits": live.last_batch.hits,
            },
        },
        "freshness": freshness(base),
    }


def spans(known: Sequence[date]) -> list[tuple[date, date]]:
    """Days in order, as runs of neighbours: (first, last) of each."""
    if not known:
        return []
    breaks = [(a, b) for a, b in pairwise(known) if b - a > timedelta(days=1)]
    return list(zip([known[0], *(b for _, b in breaks)], [*(a for a, _ in breaks), known[-1]], strict=True))


def quiet_since(base: Basis) -> datetime | None:
    """When the live layer's last micro-batch ended, if that is too long ago for a stream that runs; else None."""
    live = base.state.live
    if live is None or live.last_batch is None or live.last_batch.ended_at is None:
        return None
    ended = live.last_batch.ended_at
    return ended if base.now - ended > timedelta(seconds=QUIET_S) else None


def head(asked: Asked) -> dict[str, Any]:
    return {"from": str(asked.first), "to": str(asked.last), "unit": "posts", "reposts": asked.reposts}


def day_rows(base: Basis, parts: Sequence[int | None]) -> list[dict[str, Any]]:
    return [_day(base, day, n) for day, n in zip(base.days, parts, strict=True)]


def _day(base: Basis, day: Day, n: int | None) -> dict[str, Any]:
    pending = base.state.pending
    return {
        "day": str(day.choice.day),
        "layer": day.choice.layer,
        "run": day.choice.run,
        "epoch": day.choice.epoch,
        "meaning": day.meaning,
        "published_at": instant(day.publication.at) if day.publication is not None else None,
        "n": n,
        "pending": pending.get(day.choice.run) if day.choice.run is not None else None,
        "coverage": coverage.of_day(day.choice.day, base.feeds[day.choice.day], base.now),
        "reason": day.reason,
    }


def freshness(base: Basis) -> dict[str, Any]:
    """`until`: live numbers hold all that was counted up to here; null where the answer has none."""
    live = base.state.live if base.live else None
    return {
        "until": maybe(live.until) if live is not None else None,
        "hours_behind": live.behind if live is not None else None,
        "quiet_since": maybe(quiet_since(base)) if live is not None else None,
        "stale_since": maybe(base.state.stale_since(base.now)),
    }


def _mix_total(found: Shares) -> int:
    # a filter on the dimension itself leaves rows out, but each row still knows its part of the whole
    return next((round(row.n / row.mix) for row in found.rows if row.mix), 0)


def maybe(when: datetime | None) -> str | None:
    return instant(when) if when is not None else None


def hours_with_cells(base: Basis, choice: Choice, hours: list[str]) -> list[str]:
    """Of these hours those to look into for ids: live, an hour that has none is known."""
    live = base.state.live
    if choice.epoch is not None and live is not None and live.epoch.epoch == choice.epoch:
        return [hour for hour in hours if hour in live.hours]
    return hours
