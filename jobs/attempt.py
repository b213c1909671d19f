"""What the jobs after a recompute share: one attempt's runs."""

from drinkstream.errors import BadInputError
from drinkstream.store.read import Reader, Run


def runs_of(reader: Reader, attempt: str) -> list[Run]:
    """The runs that an attempt wrote, by day. Raises BadInputError where it wrote none."""
    runs = reader.runs_of_attempt(attempt)
    if not runs:
        raise BadInputError(f"no attempt {attempt!r} wrote any run: pass the attempt of a recompute that succeeded")
    return runs
