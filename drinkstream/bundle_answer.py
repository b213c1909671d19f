"""What a bundle says, each key read in one place, and whether the numbers of its answer are those of its own ids.

published day  its n is exactly the number of its ids
live day       its n is at most that: numbers are read first, and posts go on coming until its ids are
certainty      low base and intervals are those of the answer's own numbers
labels         the answer is said to be of what question.json asks, and of each day of it
holes          null stands where nothing is known, and nowhere else
origins        layer, run, publication, epoch and meaning of each day are those of runs.json
"""

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from math import isclose
from typing import Any, NamedTuple, TypeVar, cast, get_args

from drinkstream.errors import IntegrityError
from drinkstream.interval import CONFIDENCE, Interval
from drinkstream.merge import days_between
from drinkstream.reconcile import CellName
from drinkstream.share import By, Filter, Share, Shares, Total, shares

Cells = Mapping[CellName, frozenset[str]]
Name = tuple[str | None, str | None]

ORIGIN = ("layer", "run", "epoch", "meaning", "published_at")
"""What the answer says of where the number of a day comes from."""

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Run:
    """The run of a published day: `position` is the next offset by `cluster/topic/partition`."""

    run_id: str
    meaning: str
    position: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Day:
    """A day (`YYYY-MM-DD`), and its run where it can be counted again.

    `origin` is what the answer must say of where its number comes from, by its names.
    """

    day: str
    layer: str
    run: Run | None
    origin: Mapping[str, str | None]


class Row(NamedTuple):
    """The numbers of one row of the answer."""

    n: int
    share: float | None
    mix: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Said:
    """The question, the answer and the days.

    `asked` is what the answer must repeat of the question, `wanted` the days that it is about; `labels` are what the
    answer says of itself, `rows` its numbers by category and brand, `origins` where it has each day's from.
    """

    asked: Mapping[str, str]
    wanted: Sequence[str]
    labels: Mapping[str, Any]
    topic: str
    by: By
    narrowed: Filter
    total: int | None
    mix_total: int | None
    rows: Mapping[Name, Row]
    n: Mapping[str, int | None]
    origins: Mapping[str, Mapping[str, Any]]
    days: Sequence[Day]


def read(parts: Mapping[str, bytes]) -> Said:
    """What the parts say. Raises IntegrityError, which names the part, for one without what must be there."""
    with _named(parts, "question.json") as question:
        topic, by = _text(question["topic"]), question["by"]
        if by not in get_args(By):
            raise ValueError(f"by {by!r}")
        category, brand, source, lang = (
            _maybe(_text, question[name]) for name in ("category", "brand", "source", "lang")
        )
        narrowed = Filter(category, brand, source, lang, frozenset(question["kinds"]))
        asked = {name: _text(question[name]) for name in ("from", "to", "by", "at")}
        wanted = [str(day) for day in days_between(*(date.fromisoformat(asked[name]) for name in ("from", "to")))]
    with _named(parts, "answer.json") as answer:
        total, mix_total = _maybe(_whole, answer["total"]), _maybe(_whole, answer["mix_total"])
        rows = _once(
            ((_maybe(_text, row["category"]), _maybe(_text, row["brand"])), _row(row)) for row in answer["shares"]
        )
        n = _once((_text(day["day"]), _maybe(_whole, day["n"])) for day in answer["days"])
        origins = {day["day"]: {name: day[name] for name in ORIGIN} for day in answer["days"]}
        labels = {name: answer[name] for name in (*asked, "unit", "reposts", "low_base", "confidence")}
    with _named(parts, "runs.json") as runs:
        days = [
            Day(
                str(date.fromisoformat(day["day"])),
                _text(day["layer"]),
                _run(day["run"]) if day["final"] else None,
                _origin(day),
            )
            for day in runs
        ]
    return Said(asked, wanted, labels, topic, cast(By, by), narrowed, total, mix_total, rows, n, origins, days)


def part(parts: Mapping[str, bytes], name: str) -> bytes:
    """The bytes of a part. Raises IntegrityError where it is not there."""
    if name not in parts:
        raise IntegrityError(f"{name}: not in the bundle, and it must be")
    return parts[name]


def faults(said: Said, ids: Mapping[str, Cells]) -> tuple[str, ...]:
    """What the answer has otherwise than its question and ids. `ids`: by day, of every day but the missing ones."""
    layers = {day.day: day.layer for day in said.days}
    found = [] if layers.keys() == said.n.keys() else ["answer.json is not of the same days as runs.json"]
    if [day.day for day in said.days] != said.wanted:
        found.append("runs.json is not of the days that question.json asks about")
    totals = {day: _totals(cells) for day, cells in ids.items()}
    settled = {day: some for day, some in totals.items() if layers[day] != "speed"}
    least, most = _shares(said, settled), _shares(said, totals)
    for day, n in said.n.items():
        listed = shares(totals[day], said.by, said.narrowed).total if day in totals else 0
        found += _outside(f" for {day}", n or 0, listed if layers.get(day) != "speed" else 0, listed)
    total = said.total or 0
    if not least.total <= total <= most.total:
        found.append(f"answer.json has a total of {said.total}, and its ids are {_range(least.total, most.total)}")
    if total != sum(n or 0 for n in said.n.values()):
        found.append(f"answer.json has a total of {said.total}, which is not the sum of its days")
    whole = said.mix_total or 0
    if not least.whole <= whole <= most.whole:
        found.append(
            f"answer.json has a mix_total of {said.mix_total}, and its ids are {_range(least.whole, most.whole)}"
        )
    # a filter on the dimension itself only selects rows: the mix is of all of them
    selected = said.narrowed.category if said.by == "category" else said.narrowed.brand
    if selected is None and whole != sum(row.n for row in said.rows.values()):
        found.append(f"answer.json has a mix_total of {said.mix_total}, which is not the sum of its rows")
    return (*found, *_holes(said, layers), *_rows(said, least, most), *_labels(said), *_origins(said))


def _holes(said: Said, layers: Mapping[str, str]) -> Iterator[str]:
    for day, n in said.n.items():
        # a live day may have no number yet
        if layers.get(day) == "missing" and n is not None:
            yield f"answer.json has {n:,} posts for {day}, which is missing: null must stand there"
        if layers.get(day) == "batch" and n is None:
            yield f"answer.json has null for {day}, which is published: a number must stand there"
    unknown = all(n is None for n in said.n.values())
    for name, number in (("total", said.total), ("mix_total", said.mix_total)):
        if (number is None) != unknown:
            days = "no day has" if unknown else "some day has"
            yield f"answer.json has {json.dumps(number)} as {name}, and {days} a number"


def _rows(said: Said, least: Shares, most: Shares) -> Iterator[str]:
    of = Shares(said.total or 0, said.mix_total or 0, ())
    low, high = ({(row.category, row.brand): row.n for row in one.rows} for one in (least, most))
    for name in sorted(said.rows.keys() | high.keys(), key=str):
        n, share, mix, interval = said.rows.get(name, Row(0, None, None, None))
        value = " with ".join(one for one in name if one)
        if outside := _outside(f" for {value}", n, low.get(name, 0), high.get(name, 0)):
            yield from outside
        elif name not in said.rows:
            continue
        elif (share, mix) != (_parts(n, said.total), _parts(n, said.mix_total)):
            yield f"answer.json has the share {share} and mix {mix} for {value}, and they are not those of {n:,} posts"
        elif not _close(interval, of.interval(Share(*name, n, share, mix))):
            yield f"answer.json has the interval {json.dumps(interval)} for {value}, and it is not that of {n:,} posts"


def _labels(said: Said) -> Iterator[str]:
    right: dict[str, Any] = {
        **said.asked,
        "unit": "posts",
        "reposts": said.narrowed.reposts,
        "low_base": Shares(said.total, 0, ()).low_base if said.total is not None else None,
        "confidence": CONFIDENCE,
    }
    for name, value in right.items():
        if said.labels[name] != value:
            yield f"answer.json has {json.dumps(said.labels[name])} as {name}, and it is {json.dumps(value)}"


def _origins(said: Said) -> Iterator[str]:
    for day in said.days:
        known = said.origins.get(day.day, day.origin)
        for name, value in day.origin.items():
            if known[name] != value:
                there, here = json.dumps(known[name]), json.dumps(value)
                yield f"answer.json has {there} as {name} of {day.day}, and runs.json {here}"
        if day.run is not None and (day.run.run_id, day.run.meaning) != (day.origin["run"], day.origin["meaning"]):
            yield f"runs.json has for {day.day} another run than its publication, or another meaning than its run's"


def _close(one: Interval | None, other: Interval | None) -> bool:
    # the last digits of a logarithm are not the same on every machine
    if one is None or other is None:
        return one is other
    return all(isclose(a, b, abs_tol=1e-9) for a, b in zip(one, other, strict=True))


def _shares(said: Said, totals: Mapping[str, Sequence[Total]]) -> Shares:
    return shares([total for some in totals.values() for total in some], said.by, said.narrowed)


def _totals(cells: Cells) -> list[Total]:
    return [
        Total(category, brand, source, kind, lang, len(ids))
        for (_, _, category, brand, source, kind, lang), ids in cells.items()
    ]


def _outside(of: str, n: int, low: int, high: int) -> list[str]:
    return [] if low <= n <= high else [f"answer.json has {n:,} posts{of}, and its ids are {_range(low, high)}"]


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _parts(n: int, whole: int | None) -> float | None:
    return n / whole if whole else None


@contextmanager
def _named(parts: Mapping[str, bytes], name: str) -> Iterator[Any]:
    content = part(parts, name)
    try:
        yield json.loads(content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise IntegrityError(f"{name}: not what a bundle has there ({error!r})") from None


def _origin(day: Any) -> dict[str, str | None]:
    published = day["publication"]
    found = {"layer": day["layer"], "epoch": day["epoch"], "meaning": day["meaning"], "run": None}
    if published is None:
        # of a day whose run is gone the answer still says when that was published
        return found
    return {**found, "run": _text(published["run_id"]), "published_at": _text(published["at"])}


def _run(run: Any) -> Run:
    position = {place: _whole(offset) for place, offset in run["position"].items()}
    return Run(_text(run["run_id"]), _text(run["meaning"]), position)


def _row(row: Any) -> Row:
    return Row(_whole(row["n"]), row["share"], row["mix"], _maybe(_interval, row["interval"]))


def _interval(value: Any) -> Interval:
    low, high = value
    return Interval(float(low), float(high))


def _once(pairs: Iterable[tuple[K, T]]) -> dict[K, T]:
    found: dict[K, T] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} twice")
        found[key] = value
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} is no number of posts or records")
    return value


def _maybe(check: Callable[[Any], T], value: Any) -> T | None:
    return None if value is None else check(value)
