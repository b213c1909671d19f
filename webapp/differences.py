"""What the layers did not share on a day, as plain values: page and API show what `reconciliation` returns."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from drinkstream.errors import NotFoundError
from drinkstream.merge import instant
from drinkstream.reconcile import Attributed, Cause, CellName, Reconciliation
from webapp.answers import spans
from webapp.query import AskedDifferences
from webapp.view import State, View

WORDS = {
    Cause.DELETED: "deleted before the run; live numbers keep it until the recompute",
    Cause.EDITED: "the batch counts its last edit, the live numbers the earlier version too",
    Cause.OTHER_VERSION: "delivered in several versions, none marked as an edit: the batch counts the first",
    Cause.MEANING_CHANGED: "counted by other rules: taxonomy, parser or classifier changed in between",
    Cause.ARRIVED_AFTER: "came into the archive after the run; the next recompute counts it",
    Cause.SPEED_COULD_NOT_ANSWER: "the live count never had its record, or has not come to it yet",
    Cause.UNPARSABLE_THEN: "rejected when it came, readable since the parser was mended",
    Cause.UNEXPLAINED: "nothing explains it: a fault, to be looked into",
}


def reconciliation(asked: AskedDifferences, view: View, state: State) -> dict[str, Any]:
    """The causes of a day's differences with their numbers of posts, and the cells that differ with the ids.

    Raises NotFoundError for a day that was never published, a run that was not compared, or no comparison yet.
    """
    found = _compared(asked, view, state)
    parts = _parts(asked, view, found.run_id)
    listed = [_cell(part) for part in islice(parts, asked.limit)]
    return {
        "day": str(asked.day),
        "unit": "posts",
        "run": found.run_id,
        "in_force": found.run_id == state.now.publications[asked.day].run_id,
        "epoch": found.epoch or None,
        "compared_at": instant(found.at),
        "answered": found.answered,
        "meaning": {"batch": found.batch_meaning, "speed": found.speed_meaning or None},
        "only_batch": found.only_batch,
        "only_speed": found.only_speed,
        "causes": [{"cause": why, "posts": n, "means": WORDS[Cause(why)]} for why, n in found.causes.items()],
        "cells_that_differ": found.cells,
        "cells": listed,
        "more": next(parts, None) is not None,
    }


def cells(asked: AskedDifferences, view: View, state: State) -> Iterator[dict[str, Any]]:
    """The cells that differ, read one by one: all, unless a limit was asked for. Raises as `reconciliation`."""
    return map(_cell, islice(_parts(asked, view, _compared(asked, view, state).run_id), asked.limit))


def _compared(asked: AskedDifferences, view: View, state: State) -> Reconciliation:
    publication = state.now.publications.get(asked.day)
    if publication is None:
        raise NotFoundError(f"{asked.day} is not published, so there is nothing to compare; {published(state)}")
    compared = view.store().reconciliations(asked.day)
    run_id = asked.run or publication.run_id
    found = next((one for one in compared if one.run_id == run_id), None)
    if found is None:
        known = ", ".join(one.run_id for one in compared) or "none yet"
        raise NotFoundError(
            f"run {run_id} of {asked.day} was not compared with the live numbers; compared runs of that day: {known}. "
            "Airflow's task `reconcile` does it after each publication"
        )
    return found


def _parts(asked: AskedDifferences, view: View, run_id: str) -> Iterator[Attributed]:
    return (part for part in view.store().reconciled_cells(asked.day, run_id) if asked.cause in (None, part.cause))


def cell_named(cell: CellName) -> dict[str, Any]:
    """A cell's name as answers give it: minute (`YYYY-MM-DDTHH:MM`), category, brand, source, kind, lang."""
    hour, minute, category, brand, source, kind, lang = cell
    return {
        "minute": f"{hour}:{minute:02d}",
        "category": category,
        "brand": brand,
        "source": source,
        "kind": kind,
        "lang": lang,
    }


def _cell(part: Attributed) -> dict[str, Any]:
    source = part.cell[4]
    return {
        **cell_named(part.cell),
        "cause": str(part.cause),
        "batch_n": part.batch_n,
        "speed_n": part.speed_n,
        "only_batch": [f"{source}:{post_id}" for post_id in part.only_batch],
        "only_speed": [f"{source}:{post_id}" for post_id in part.only_speed],
    }


def published(state: State) -> str:
    """Which days are published, in words."""
    days = spans(sorted(state.now.publications))
    if not days:
        return "no day is published yet"
    return "published are " + ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in days[-6:])
