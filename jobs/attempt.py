"""What the jobs after a recompute share: one attempt's runs, and the ids that a run counts."""

from drinkstream.errors import BadInputError
from drinkstream.reconcile import CellName
from drinkstream.store.read import Reader, Run


def runs_of(reader: Reader, attempt: str) -> list[Run]:
    """The runs that an attempt wrote, by day. Raises BadInputError where it wrote none."""
    runs = reader.runs_of_attempt(attempt)
    if not runs:
        raise BadInputError(f"no attempt {attempt!r} wrote any run: pass the attempt of a recompute that succeeded")
    return runs


def ids_of(reader: Reader, one: Run, category: str) -> dict[CellName, tuple[str, ...]]:
    """The ids of all cells of a run in a category ('*' is one)."""
    hours = [f"{one.day}T{hour:02d}" for hour in range(24)]
    return {cell[:7]: cell.ids for cell in reader.batch_ids(one.run_id, hours, category, None)}
