"""What the jobs after a recompute share: one attempt's runs, and the ids that a run counts."""

from collections.abc import Iterable
from datetime import date, datetime

import click

from drinkstream.errors import BadInputError, ConflictError
from drinkstream.merge import hours_of
from drinkstream.reconcile import CellName
from drinkstream.store.read import Reader, Run


def _date(_: click.Context, __: click.Parameter, value: datetime | None) -> date | None:
    return value.date() if value is not None else None


only_day = click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), callback=_date, help="Only the run of this day (UTC)."
)
"""The option of a job that may be called for each day of an attempt by itself."""


def runs_of(reader: Reader, attempt: str, day: date | None = None) -> list[Run]:
    """The runs that an attempt wrote, by day; only that of one, where it is given. Raises BadInputError without any."""
    runs = reader.runs_of_attempt(attempt)
    if not runs:
        raise BadInputError(f"no attempt {attempt!r} wrote any run: pass the attempt of a recompute that succeeded")
    found = [one for one in runs if day in (None, one.day)]
    if not found:
        raise BadInputError(f"attempt {attempt!r} wrote no run of {day}, but of {', '.join(str(r.day) for r in runs)}")
    return found


def whole(runs: Iterable[Run]) -> list[Run]:
    """Those of `runs` whose rows are all there; each of the others is printed.

    A run that another publication overtook, as while it waited for an approval, may have lost its rows meanwhile: what
    is compared with it would seem to be new. Raises ConflictError where none is left.
    """
    kept, without = [], []
    for one in runs:
        if one.status == "complete":
            kept.append(one)
        else:
            without.append(f"day={one.day} run={one.run_id}: left out, its rows are not all there ({one.status})")
    for line in without:
        print(line)
    if not kept:
        raise ConflictError(f"nothing to compare: {'; '.join(without)}. Recompute what you still need")
    return kept


def ids_of(reader: Reader, one: Run, category: str) -> dict[CellName, tuple[str, ...]]:
    """The ids of all cells of a run in a category ('*' is one)."""
    return {cell[:7]: cell.ids for cell in reader.batch_ids(one.run_id, hours_of(one.day), category, None)}
