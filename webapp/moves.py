"""What a run changes, or would change, of the numbers in force: page and API show what `difference` returns.

Which rules counted a post is stored with the report, its words are not: they are cut out of the archived text, and only
while that may be shown.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from drinkstream.cells import Level
from drinkstream.difference import Change, Moved, Report, Row, Said
from drinkstream.errors import NotFoundError, UnavailableError
from drinkstream.lookup import Records
from drinkstream.merge import Publication, instant
from drinkstream.post import NO_DAY, Post
from drinkstream.reconcile import Cause, CellName, Place
from drinkstream.standing import by_post, text_of
from drinkstream.words import named
from webapp.differences import cell_named
from webapp.query import AskedMoves
from webapp.view import State, View

WORDS = {
    Cause.DELETED: "deleted, or withheld everywhere, since the run in force",
    Cause.EDITED: "edited since the run in force",
    Cause.OTHER_VERSION: "another delivery of it is the first now",
    Cause.MEANING_CHANGED: "the same post by other rules: taxonomy, parser or classifier changed",
    Cause.ARRIVED_AFTER: "came into the archive after the run in force",
    Cause.UNPARSABLE_THEN: "rejected when it came, readable since the parser was mended",
    Cause.UNEXPLAINED: "nothing explains it: a fault, to be looked into",
}


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts that may be shown, by the place of their record; `failing` says why the archive gave no answer."""

    by_place: Mapping[Place, str] = field(default_factory=dict)
    failing: str | None = None


def difference(asked: AskedMoves, view: View, state: State, archive: Records) -> dict[str, Any]:
    """The report on a run (by default the newest that was compared): counts, causes, rules, posts and cells.

    Raises NotFoundError for a day without any report, or a run without one.
    """
    store, found = view.store(), _report(asked, view)
    publication = state.now.publications.get(asked.day)
    in_force = publication if publication is not None and publication.run_id == found.run_id else None
    posts = (one for one in store.moved_posts(asked.day, found.run_id) if asked.cause in (None, one.cause))
    cells = store.changed_cells(asked.day, found.run_id)
    shown, listed = list(islice(posts, asked.limit)), list(islice(cells, asked.limit))
    texts = _texts(archive, shown, str(asked.day)) if asked.texts else Texts()
    return {
        "day": str(asked.day),
        "unit": "posts",
        "reposts": "excluded",
        "run": found.run_id,
        "in_force": in_force is not None,
        "seq": in_force.seq if in_force is not None else None,
        "again": in_force is not None and found.run_id in put_back(state, [in_force]),
        "meaning": found.new_meaning,
        "against": {"run": found.old_run, "seq": found.seq, "meaning": found.old_meaning} if found.published else None,
        "compared_at": instant(found.at),
        "moved": found.moved,
        "explained": found.explained,
        "cells_that_change": found.cells,
        "rows": [_row(row) for row in found.rows],
        "causes": [{"cause": why, "posts": n, "means": WORDS[Cause(why)]} for why, n in found.causes.items()],
        "rules": _rules(found),
        "posts": [_post(one, texts.by_place) for one in shown],
        "more_posts": next(posts, None) is not None,
        "cells": [_cell(one) for one in listed],
        "more_cells": next(cells, None) is not None,
        "texts_failing": texts.failing,
    }


def changed(asked: AskedMoves, view: View) -> Iterator[dict[str, Any]]:
    """The cells that the run changes, read one by one: all, unless a limit was asked for. Raises as `difference`."""
    cells = view.store().changed_cells(asked.day, _report(asked, view).run_id)
    return map(_cell, islice(cells, asked.limit))


def put_back(state: State, publications: Iterable[Publication]) -> frozenset[str]:
    """Of these publications the runs that had been in force before: a report on one is of its first time."""
    seqs = {p.run_id: p.seq for p in publications if p.seq > 1}
    return frozenset(p.run_id for p in state.log if p.seq < seqs.get(p.run_id, 0)) if seqs else frozenset()


def _report(asked: AskedMoves, view: View) -> Report:
    reports = view.store().reports(asked.day)
    found = next((one for one in reports if asked.run in (None, one.run_id)), None)
    if found is None:
        known = ", ".join(one.run_id for one in reports) or "none"
        raise NotFoundError(
            f"no report says what {f'run {asked.run}' if asked.run else 'a run'} of {asked.day} would change; runs "
            f"with one: {known}. Airflow's recompute_range makes them before it publishes, nightly_share does not"
        )
    return found


def _texts(archive: Records, shown: Collection[Moved], day: str) -> Texts:
    if not shown:
        return Texts()
    try:
        rows = archive.records([f"{one.move.source}:{one.move.id}" for one in shown], day, NO_DAY)
    except UnavailableError as error:
        return Texts(failing=str(error))
    found: dict[Place, str] = {}
    for versions in by_post(rows).values():
        if text_of(versions).state == "shown":
            found |= {
                Place(v.row.cluster, v.row.topic, v.row.partition, v.row.offset): v.record.text
                for v in versions
                if isinstance(v.record, Post)
            }
    return Texts(found)


def _row(row: Row) -> dict[str, Any]:
    return {
        "category": row.category,
        "brand": row.brand,
        "old_n": row.old_n,
        "new_n": row.new_n,
        "old_share": row.old_share,
        "new_share": row.new_share,
        "old_total": row.old_whole,
        "new_total": row.new_whole,
    }


def _rules(found: Report) -> list[dict[str, Any]]:
    return [
        {"cause": one.cause, "was": list(one.was), "becomes": list(one.becomes), "posts": one.posts}
        for one in found.rules
    ]


def _post(one: Moved, texts: Mapping[Place, str]) -> dict[str, Any]:
    return {
        "post": f"{one.move.source}:{one.move.id}",
        "cause": str(one.cause),
        "lost": _levels(one.move.lost),
        "gained": _levels(one.move.gained),
        "was": [_said(said, one.before, texts) for said in one.was] if one.was_told else None,
        "becomes": [_said(said, one.after, texts) for said in one.becomes] if one.becomes_told else None,
    }


def _said(said: Said, place: Place | None, texts: Mapping[Place, str]) -> dict[str, Any]:
    text = texts.get(place) if place is not None else None
    known = text is not None and said.start is not None
    return {
        "rule": said.rule,
        "counts": said.counts,
        "category": said.category,
        "brand": said.brand,
        "start": said.start,
        "end": said.end,
        "alias": text[said.start : said.end] if text is not None and known else None,
    }


def _levels(cells: Iterable[CellName]) -> list[str]:
    return sorted({named(Level(cell[2], cell[3])) for cell in cells})


def _cell(one: Change) -> dict[str, Any]:
    source = one.cell[4]
    return {
        **cell_named(one.cell),
        "old_n": one.old_n,
        "new_n": one.new_n,
        "lost": [f"{source}:{post_id}" for post_id in one.lost],
        "gained": [f"{source}:{post_id}" for post_id in one.gained],
    }
