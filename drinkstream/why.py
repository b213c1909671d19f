"""Why a post counts where it does: everything that is known about one post, put together. Pure: facts in, answer out.

facts      the archived records, and the cells of the runs and the epoch that hold the post      lookup.py
answer     plain values, as JSON has them                                                        `explain`
words      the answer for a reader at a terminal                                                 words.py
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from drinkstream import meaning
from drinkstream.archive import Row
from drinkstream.cells import Level, hour_of, levels, minute_of
from drinkstream.classify import Classifier
from drinkstream.edits import TIMED, time_in_id
from drinkstream.errors import BadInputError, NotFoundError
from drinkstream.merge import Choice, Publication, instant
from drinkstream.post import Notice, Post, Rejected, Tombstone, day_of, unread
from drinkstream.standing import Version, order, read, taken, text_of
from drinkstream.store.read import EpochRow, Run
from drinkstream.taxonomy import load
from drinkstream.wire_values import post_id as x_id
from drinkstream.words import named, plain

CellName = tuple[str, int, str, str, str, str, str]
"""(hour, minute, category, brand, source, kind, lang)"""

HIDDEN = ("withheld", "erased")
"""States of a text that must not be shown, nor anything quoted from it."""

ERASED_SINCE = "{counts}; its records were erased since then, so nothing is left to check that against"

_KEY = re.compile(r"([a-z][a-z0-9_]{0,31}):([^\s\x00-\x1f]{1,512})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The publication in force of a day, its run (None: its row is gone), and the run's cells that hold the post."""

    publication: Publication
    run: Run | None
    cells: frozenset[CellName]


@dataclass(frozen=True, slots=True)
class EpochFacts:
    """The current epoch, and its cells that hold the post."""

    epoch: EpochRow
    cells: frozenset[CellName]


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found about a post. `days`: those that the archive was searched under (None: all), `held`: all it has.

    `files` are by row, relative to the archive's folder; `choices` say which layer answers for the post's days. `topic`
    is the one that is counted now.
    """

    source: str
    id: str
    rows: Sequence[Row]
    files: Mapping[Row, str]
    days: tuple[str, ...] | None
    held: tuple[str, ...]
    choices: tuple[Choice, ...]
    runs: tuple[RunFacts, ...]
    epoch: EpochFacts | None
    topic: str


def parse(key: str) -> tuple[str, str]:
    """The source and id in `source:id`, or in the key of an unreadable line. Raises BadInputError for others."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise BadInputError(f"a post is named source:id, such as x:908300000000000000, not {key!r}")
    source, found = match.groups()
    if source in TIMED and x_id(found) is None and not unread(key):
        raise BadInputError(f"an id of {source} is a whole number without a sign or leading zeros, not {found!r}")
    return source, found


def minutes(source: str, post_id: str, versions: Iterable[Version]) -> frozenset[int]:
    """The minutes (start, ms since 1970 UTC) that a post may count in, by its id and its versions."""
    times = [v.record.event_ms for v in versions if isinstance(v.record, Post)]
    carried = time_in_id(source, post_id)
    return frozenset(minute_of(ms) for ms in ([*times, carried] if carried is not None else times))


def explain(facts: Facts) -> dict[str, Any]:
    """The answer. Raises NotFoundError where nothing is known of the post.

    Of a post that an order withholds, or that was erased, neither the text nor what it quotes (aliases, spans) is in
    the answer.
    """
    if not facts.rows and not any(run.cells for run in facts.runs) and not (facts.epoch and facts.epoch.cells):
        raise NotFoundError(_unknown(facts))
    versions = read(facts.rows)
    text = text_of(versions)
    choices = taken(versions)
    return {
        "post": f"{facts.source}:{facts.id}",
        "meaning": meaning.version(),
        "state": text.state,
        "text": text.text,
        "why": text.why,
        "searched": list(facts.days) if facts.days is not None else None,
        "records": [
            _record(v, facts, [c.day for c in choices if c.version is v], text.state in HIDDEN) for v in versions
        ],
        "days": [
            {
                "day": choice.day,
                "record": versions.index(choice.version) + 1 if choice.version is not None else None,
                "why": choice.why,
            }
            for choice in choices
        ],
        "answered": [
            {"day": str(choice.day), "layer": choice.layer, "run": choice.run, "epoch": choice.epoch}
            for choice in facts.choices
        ],
        "runs": [_run(run, versions) for run in facts.runs],
        "epoch": _epoch(facts.epoch, facts.topic, versions) if facts.epoch is not None else None,
    }


def _unknown(facts: Facts) -> str:
    searched = f"under {' and '.join(facts.days)}" if facts.days is not None else "under any day"
    held = (
        f"which holds {' to '.join(dict.fromkeys((facts.held[0], facts.held[-1])))}" if facts.held else "which is empty"
    )
    counts = [f"run {run.publication.run_id}" for run in facts.runs]
    if facts.epoch is not None:
        counts.append(f"the live count {facts.epoch.epoch.epoch}")
    counted = f"; it is not counted by {' or '.join(counts)}" if counts else ""
    return f"{facts.source}:{facts.id}: no record of it is {searched} in the archive, {held}{counted}"


@cache
def _classifier() -> Classifier:
    return Classifier(load())


def _record(version: Version, facts: Facts, taken_for: list[str], withheld: bool) -> dict[str, Any]:
    row, record = version.row, version.record
    answer: dict[str, Any] = {
        "cluster": row.cluster,
        "topic": row.topic,
        "partition": row.partition,
        "offset": row.offset,
        "arrived": _instant(row.append_ms),
        "day": row.day,
        "file": facts.files.get(row),
        "shape": row.shape,
        "what": type(record).__name__.lower(),
        "says": _says(record, facts.id)
        if version.own or not isinstance(record, Post | Tombstone)
        else _about_another(record),
        "taken_for": taken_for,
        **dict.fromkeys(("version", "event_time", "kind", "lang", "edited", "text", "mentions", "held", "levels")),
    }
    if isinstance(record, Post):
        decided = plain(_classifier().decide(record.text, record.lang))
        if withheld:
            hidden = {"alias": None, "start": None, "end": None}
            decided["mentions"] = [{**mention, **hidden} for mention in decided["mentions"]]
            decided["held"] = [{**held, "alias": None} for held in decided["held"]]
        answer |= {
            "version": record.version,
            "event_time": _instant(record.event_ms),
            "kind": record.kind,
            "lang": record.lang,
            "edited": record.edited,
            "text": None if withheld else record.text,
            **decided,
            "levels": [
                {"category": level.category, "brand": level.brand, "name": named(level)} for level in _levels(record)
            ],
        }
    return answer


def _says(record: object, post_id: str) -> str:
    match record:
        case Post():
            edit = f", edited as version {record.version}" if record.edited else ""
            return f"{_a(record.kind)} in {record.lang}, written {_instant(record.event_ms)}{edit}"
        case Tombstone():
            by_id = f" by the id of its version {record.id}" if record.id != post_id else ""
            return f"an order about the post{by_id}: {order(record)}"
        case Notice():
            return f"a notice ({record.kind}), which counts nowhere"
        case Rejected():
            return f"rejected for the reason {record.reason}: it counts nowhere"
    raise TypeError(f"not a record: {record!r}")


def _about_another(record: Post | Tombstone) -> str:
    about = f"it is about {record.source}:{record.id}, though its key says otherwise, and counts there"
    return f"{_says(record, record.id)}; {about}"


def _a(kind: str) -> str:
    return f"an {kind} post" if kind == "original" else f"a {kind}"


def _levels(post: Post) -> tuple[Level, ...]:
    decided = _classifier().decide(post.text, post.lang)
    return levels((mention.category, mention.brand) for mention in decided.mentions)


def _cells(post: Post) -> frozenset[CellName]:
    minute = post.event_ms // 60_000 % 60
    hour = hour_of(post.event_ms)
    return frozenset((hour, minute, *level, post.source, post.kind, post.lang) for level in _levels(post))


def _taken_cells(day: str, versions: Sequence[Version]) -> frozenset[CellName]:
    records = [choice.version.record for choice in taken(versions) if choice.day == day and choice.version is not None]
    return frozenset(cell for record in records if isinstance(record, Post) for cell in _cells(record))


def _run(facts: RunFacts, versions: Sequence[Version]) -> dict[str, Any]:
    publication, run = facts.publication, facts.run
    day = str(publication.day)
    position = run.position if run is not None else {}
    known = [v for v in versions if not position or v.row.offset < position.get(_kafka(v.row), 0)]
    then, now = _taken_cells(day, known), _taken_cells(day, versions)
    says = _verdict(facts.cells, then, run.meaning if run is not None else None)
    if facts.cells and _erased(versions):
        says = ERASED_SINCE.format(counts=_counts(facts.cells))
    elif facts.cells == then and now != then:
        will = "leave it out" if not now else "count it" if not then else "count it otherwise"
        came = len(versions) - len(known)
        says += f"; {came} record{'s' if came > 1 else ''} came since, and the next recompute will {will}"
    return {
        "run": publication.run_id,
        "day": day,
        "seq": publication.seq,
        "published_at": instant(publication.at),
        "by": publication.who,
        "why": publication.why,
        "meaning": run.meaning if run is not None else None,
        "cells": _plain_cells(facts.cells),
        "expected": _plain_cells(then),
        "agrees": None if facts.cells and _erased(versions) else facts.cells == then,
        "says": says,
    }


def _epoch(facts: EpochFacts, topic: str, versions: Sequence[Version]) -> dict[str, Any]:
    epoch = facts.epoch
    seen = [v for v in versions if _seen(v.row, epoch, topic)]
    posts = [v.record for v in seen if v.own and isinstance(v.record, Post)]
    expected = frozenset(cell for post in posts for cell in _cells(post))
    blind = sorted({day_of(post.event_ms) for post in posts} & {str(day) for day in epoch.blind_days})
    says = _verdict(facts.cells, expected, epoch.meaning)
    if facts.cells and _erased(versions):
        says = ERASED_SINCE.format(counts=_counts(facts.cells))
    elif blind:
        says += f"; it cannot answer for {' and '.join(blind)}"
    elif versions and not seen:
        says += "; none of its records is among those that it has counted"
    elif len({_cells(post) for post in posts}) > 1:
        says += "; each of its versions counts live, until the recompute takes one"
    return {
        "epoch": epoch.epoch,
        "meaning": epoch.meaning,
        "cells": _plain_cells(facts.cells),
        "expected": _plain_cells(expected),
        "agrees": None if facts.cells and _erased(versions) else facts.cells == expected,
        "says": says,
    }


def _verdict(found: frozenset[CellName], expected: frozenset[CellName], counted_by: str | None) -> str:
    counts = _counts(found)
    if found == expected:
        return f"{counts}, as the rules say of the records that it read"
    if counted_by is None:
        return f"{counts}; its own row is gone, so it cannot be said by which rules"
    if counted_by != meaning.version():
        return f"{counts}, by the rules of another meaning version ({counted_by}) than those used here"
    return f"{counts}, which the rules of its own meaning version do not explain: compare `cells` with `expected`"


def _counts(found: frozenset[CellName]) -> str:
    return f"counts it in {len(found)} cell{'s' if len(found) > 1 else ''}" if found else "does not count it"


def _erased(versions: Iterable[Version]) -> bool:
    return any(v.own and isinstance(v.record, Tombstone) and v.record.action == "erase" for v in versions)


def _seen(row: Row, epoch: EpochRow, topic: str) -> bool:
    if (row.cluster, row.topic) != (epoch.cluster, topic):
        return False
    first = epoch.first_offsets.get(str(row.partition), 0)
    # an epoch whose positions are not stored yet is taken to have seen everything
    until = epoch.processed.get(str(row.partition), first) if epoch.processed else row.offset + 1
    return first <= row.offset < until


def _kafka(row: Row) -> str:
    return f"{row.cluster}/{row.topic}/{row.partition}"


def _plain_cells(cells: Iterable[CellName]) -> list[dict[str, Any]]:
    return [
        {
            "minute": f"{hour}:{minute:02}Z",
            "category": category,
            "brand": brand,
            "source": source,
            "kind": kind,
            "lang": lang,
            "name": named(Level(category, brand)),
        }
        for hour, minute, category, brand, source, kind, lang in sorted(cells)
    ]


def _instant(ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
