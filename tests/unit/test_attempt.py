"""A job may be about all days of an attempt or about one of them, and says so where there is none."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from drinkstream.errors import BadInputError, ConflictError
from drinkstream.store.read import Run
from jobs.attempt import runs_of, whole

NOW = datetime(2017, 9, 20, tzinfo=UTC)
RUNS = [Run(date(2017, 9, day), f"run-{day}", "a", "", "m", "complete", NOW, NOW) for day in (14, 15)]


class Attempts:
    """The runs of the attempt 'a'."""

    def runs_of_attempt(self, attempt: str) -> list[Run]:
        return RUNS if attempt == "a" else []


def found(attempt: str, day: date | None = None) -> list[Run]:
    return runs_of(Attempts(), attempt, day)  # type: ignore[arg-type]


def test_all_runs_or_that_of_one_day():
    assert found("a") == RUNS
    assert found("a", date(2017, 9, 15)) == RUNS[1:]


@pytest.mark.parametrize(
    ("attempt", "day", "message"),
    [
        ("b", None, "no attempt 'b' wrote any run: pass the attempt of a recompute that succeeded"),
        ("a", date(2017, 9, 16), "attempt 'a' wrote no run of 2017-09-16, but of 2017-09-14, 2017-09-15"),
    ],
)
def test_an_attempt_without_such_a_run_is_said_with_what_it_has(attempt: str, day: date | None, message: str):
    with pytest.raises(BadInputError) as failed:
        found(attempt, day)
    assert str(failed.value) == message


@pytest.mark.parametrize("status", ["dropped", "dropping", "writing"])
def test_a_run_that_lost_its_rows_is_not_compared(status: str, capsys: pytest.CaptureFixture[str]):
    """All that another layer or run has would seem to be missing from it."""
    gone = replace(RUNS[0], status=status)
    assert whole([gone, RUNS[1]]) == RUNS[1:]
    words = f"day=2017-09-14 run=run-14: left out, its rows are not all there ({status})"
    assert capsys.readouterr().out == words + "\n"
    with pytest.raises(ConflictError, match=r"nothing to compare: day=2017-09-14 run=run-14.*Recompute"):
        whole([gone])
