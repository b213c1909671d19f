"""The answers, as plain values: the page and the API show what these functions return, and nothing else."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drinkstream import coverage
from drinkstream.interval import CONFIDENCE
from drinkstream.merge import Choice, hours_of, instant
from drinkstream.share import Change, Shares, changes, shares_of
from webapp import listing
from webapp.basis import Basis, begun, counted, days_before, hours_with_cells, incomparable, looked_at, quiet_since
from webapp.counts import Columns, columns, levels, matching
from webapp.day import Day
from webapp.query import Asked

NOT_BEGUN = "not begun"
UNSEEN = "not counted yet: it has not begun, or the live layer has not come so far"


def share(asked: Asked, base: Basis) -> dict[str, Any]:
    """Counts, shares and mix by category or brand; the `n` of a day is its part of `total`, the denominator."""
    keys = base.view.keys
    found: Shares = shares_of(levels(keys, base.counts, asked.narrowed), asked.by, asked.narrowed)
    before = days_before(base, len(base.days))
    then = shares_of(levels(keys, base.view.sums.whole(before), asked.narrowed), asked.by, asked.narrowed)
    apart = incomparable(base.days, before)
    moved = changes(found, then) if apart is None else (None,) * len(found.rows)
    parts = parts_of_whole(asked, base, columns(keys, asked.by, asked.narrowed, ()))
    rows = day_rows(base, parts)
    return {
        **head(asked),
        "by": asked.by,
        "total": found.total if base.answerable else None,
        "mix_total": found.whole if base.answerable else None,
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
    match = matching(base.view.keys, asked.narrowed)
    parts = [_part(asked, base, day, match) for day in base.days]
    rows = day_rows(base, parts)
    known = [row["n"] for row in rows if row["n"] is not None]
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
        "total": sum(known) if known else None,
        "at": base.token,
        "ids": list(page.ids),
        "next": listing.Place(base.token, (asked.first, asked.last), page.last).text if page.last is not None else None,
        **(_texts(base, page) if asked.texts else {}),
        "days": rows,
        "freshness": freshness(base),
    }


def _part(asked: Asked, base: Basis, day: Day, match: NDArray[np.bool_]) -> int | None:
    """How many posts of a day, or of the asked period of it, match; None where it has no counts, or nobody looked."""
    start, end = asked.minutes
    if (start, end) == (0, 1440):
        return None if day.counts is None else int(day.counts.n[match[day.counts.key]].sum())
    minutes = base.view.minutes(base.state, day)
    if minutes is None:
        return None
    counts = minutes.between(start, end)
    return int(counts.n[match[counts.key]].sum()) if looked_at(base, day, counts, start) else None


def _texts(base: Basis, page: listing.Page) -> dict[str, Any]:
    found = base.texts(page.ids, page.days)
    if found.failing is not None:
        return {"texts": None, "texts_failing": found.failing}
    # one for each id, also where one comes twice
    texts = [(key, found.by_key[key]) for key in page.ids]
    rows = [{"id": key, "state": text.state, "text": text.text, "why": text.why} for key, text in texts]
    return {"texts": rows, "texts_failing": None}


def days(asked: Asked, base: Basis) -> dict[str, Any]:
    """Each day: the layer, the publication in force, and how many posts the question is about."""
    parts = _parts(asked, base)
    rows = day_rows(base, parts)
    for row, day in zip(rows, base.days, strict=True):
        row["seq"] = day.publication.seq if day.publication is not None else None
        row["by"] = day.publication.who if day.publication is not None else None
        row["why"] = day.publication.why if day.publication is not None else None
    return {
        **head(asked),
        "total": _total(base, parts),
        "at": base.token,
        "days": rows,
        "freshness": freshness(base),
    }


def _parts(asked: Asked, base: Basis) -> list[int | None]:
    """How many posts of each day the question is about; None where it has no counts."""
    return base.view.sums.parts(asked.narrowed, matching(base.view.keys, asked.narrowed), base.days)


def _total(base: Basis, parts: Sequence[int | None]) -> int | None:
    return sum(n for n in parts if n is not None) if base.answerable else None


def status(asked: Asked, base: Basis) -> dict[str, Any]:
    """How fresh each layer is, which days have data, and how many posts the question is about."""
    state, live = base.state, base.state.live
    layers = [day.choice.layer if counted(base, day) else "missing" for day in base.days]
    published = sorted(state.now.publications.values(), key=lambda publication: publication.at)
    return {
        **head(asked),
        "total": _total(base, _parts(asked, base)),
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
            "reached": maybe(live.reached),
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


def parts_of_whole(asked: Asked, base: Basis, table: Columns) -> list[int | None]:
    """What each day is of the denominator; None where it has no counts."""
    return base.view.sums.parts((asked.by, asked.narrowed), table.whole, base.days)


def head(asked: Asked) -> dict[str, Any]:
    return {"from": str(asked.first), "to": str(asked.last), "unit": "posts", "reposts": asked.narrowed.reposts}


def day_rows(base: Basis, parts: Sequence[int | None]) -> list[dict[str, Any]]:
    return [_day(base, day, n) for day, n in zip(base.days, parts, strict=True)]


def _day(base: Basis, day: Day, n: int | None) -> dict[str, Any]:
    said, choice = day.said.copy(), day.choice
    if n is not None and counted(base, day):
        said["n"] = n
    elif day.counts is not None:
        said["reason"] = UNSEEN if begun(base, day) else NOT_BEGUN
    if choice.run is not None:
        said["pending"] = base.state.pending.get(choice.run)
    said["coverage"] = coverage.of_day(choice.day, base.feeds[choice.day], base.now)
    return said


def freshness(base: Basis) -> dict[str, Any]:
    """`until`: live numbers hold all that was counted up to here; null where the answer has none."""
    live = base.state.live if base.live else None
    return {
        "until": maybe(live.until) if live is not None else None,
        "hours_behind": live.behind if live is not None else None,
        "quiet_since": maybe(quiet_since(base)) if live is not None else None,
        "reached": maybe(live.reached) if live is not None else None,
        "stale_since": maybe(base.state.stale_since(base.now)),
    }


def maybe(when: datetime | None) -> str | None:
    return instant(when) if when is not None else None
