"""Rejected records, as plain values: which days have some, and of one day where they lie and how each reads now.

What stands in such a line is shown nowhere: nobody can say whose text it is.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from drinkstream.archive import Row
from drinkstream.errors import NotFoundError, UnavailableError
from drinkstream.merge import instant
from drinkstream.post import NO_DAY
from drinkstream.rejections import reading
from drinkstream.store.read import Rejection, Run, rejection
from webapp.differences import published
from webapp.query import AskedRejections
from webapp.serving import Serving
from webapp.view import State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def days(asked: AskedRejections, state: State) -> dict[str, Any]:
    """The published days whose runs in force rejected records, with the number by reason."""
    found = []
    for of, run in sorted(state.in_force().items()):
        reasons = [rejection(name, n) for name, n in sorted(run.rejected.items())]
        chosen = [one for one in reasons if asked.reason in (None, one.reason)]
        if chosen and (asked.first is None or asked.first <= of) and (asked.last is None or of <= asked.last):
            rows = [{"reason": one.reason, "dated": one.dated, "n": one.n} for one in chosen]
            found.append({"day": str(of), "run": run.run_id, "meaning": run.meaning, "reasons": rows})
    return {"unit": "records", "days": found}


def day(asked: AskedRejections, here: Serving) -> dict[str, Any]:
    """What the run in force of a day rejected, by reason, with samples looked up in the archive.

    Raises NotFoundError for a day that is not published. Without the archive `samples_failing` says why.
    """
    state = here.view.state()
    assert asked.first is not None  # noqa: S101 - it is that of the path
    run = _run(asked.first, state)
    found = [one for one in here.view.store().rejections(run.run_id) if asked.reason in (None, one.reason)]
    failing = None
    rows: Sequence[Row] = ()
    try:
        places = [place for one in found for place in one.places]
        rows = here.archive.at(here.topic, places, str(asked.first), NO_DAY) if places else ()
    except UnavailableError as error:
        failing = str(error)
    return {
        "day": str(asked.first),
        "unit": "records",
        "run": run.run_id,
        "meaning": run.meaning,
        "reasons": [
            {
                "reason": one.reason,
                "dated": one.dated,
                "n": one.n,
                "samples": [sample for place in one.places for sample in _samples(one, place, rows)],
            }
            for one in sorted(found, key=lambda one: (-one.n, one.reason, one.dated))
        ],
        "samples_failing": failing,
    }


def _run(of: date, state: State) -> Run:
    run = state.in_force().get(of)
    if run is None:
        raise NotFoundError(f"{of} is not published, so no run of it rejected anything; {published(state)}")
    return run


def _samples(one: Rejection, place: tuple[int, int], rows: Sequence[Row]) -> list[dict[str, Any]]:
    partition, offset = place
    # the place is one of this cluster or of an earlier one
    held = [row for row in rows if (row.partition, row.offset) == place and (row.day != NO_DAY) == one.dated]
    unknown = dict.fromkeys(("cluster", "key", "arrived", "bytes", "reads_as", "why"))
    return [{"partition": partition, "offset": offset, **_sample(row)} for row in held] or [
        {"partition": partition, "offset": offset, **unknown}
    ]


def _sample(row: Row) -> dict[str, Any]:
    read = reading(row)
    return {
        "cluster": row.cluster,
        "key": row.key,
        "arrived": instant(_EPOCH + timedelta(milliseconds=row.append_ms)),
        "bytes": len(row.value or b""),
        "reads_as": read.words,
        "why": read.about,
    }
