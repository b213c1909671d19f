"""Superseded runs are dropped from a real Cassandra; what is in force stays, whatever happens in between."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drinkstream.errors import BadInputError
from drinkstream.merge import Publication, hours_of
from drinkstream.settings import Settings
from drinkstream.store.read import Run
from jobs.append import append
from jobs.maintenance import drop
from jobs.publish import publish
from jobs.rollback import rollback
from tests.lib.planted import COFFEE, TEA, History, apart, new_day
from webapp import create_app
from webapp.serving import serving


@pytest.fixture
def history(keyspace: Settings, tmp_path: Path) -> Iterator[History]:
    """A day that was published twice."""
    made = History(apart(keyspace, tmp_path), new_day())
    for text in (COFFEE, TEA):
        made.posts(5, text)
        _, run_id = made.run()
        publish(made.reader, made.writer, run_of(made, run_id), "airflow", "nightly")
    yield made
    made.close()


def run_of(history: History, run_id: str) -> Run:
    found = history.reader.run(history.day, run_id)
    assert found is not None
    return found


def cells(history: History, run_id: str) -> int:
    return len(list(history.reader.batch_ids(run_id, hours_of(history.day), "*", None)))


def tidy(history: History, retention: timedelta = timedelta(0), pause: Callable[[], None] = lambda: None) -> None:
    """Drops what may go now."""
    drop(history.reader, history.writer, [history.day], datetime.now(UTC), retention, pause)


def test_a_superseded_run_goes_and_the_one_in_force_stays(history: History, capsys: pytest.CaptureFixture[str]):
    first, second = (entry.run_id for entry in history.reader.publications([str(history.day)[:7]]))
    token = answer(history, f"from={history.day}&to={history.day}")["at"]
    tidy(history, timedelta(days=1))
    assert capsys.readouterr().out == ""
    tidy(history)
    assert capsys.readouterr().out == f"day={history.day} run={first}: dropped\n"
    assert (cells(history, first), history.reader.day_totals(history.day, first)) == (0, [])
    assert [run_of(history, one).status for one in (first, second)] == ["dropped", "complete"]
    assert cells(history, second) > 0
    assert answer(history, f"at={token}&from={history.day}&to={history.day}")["total"] == 10
    with pytest.raises(BadInputError, match=r"its rows were dropped, .*; recompute the day instead"):
        rollback(history.reader, history.writer, history.day, "1", "ops", "back")
    tidy(history)
    assert capsys.readouterr().out == ""


def test_what_was_shown_then_is_unknown_and_not_zero_once_it_is_dropped(history: History):
    moment = history.reader.publications([str(history.day)[:7]])[0].at.isoformat().replace("+00:00", "Z")
    question = f"as_of={moment}&from={history.day}&to={history.day}"
    assert answer(history, question)["total"] == 5
    tidy(history)
    gone = answer(history, question)
    assert (gone["total"], [day["n"] for day in gone["days"]]) == (None, [None])


def test_a_run_that_comes_into_force_in_between_is_kept_whole(history: History, capsys: pytest.CaptureFixture[str]):
    """A rollback that had looked at the run before it was marked."""
    first, _ = (entry.run_id for entry in history.reader.publications([str(history.day)[:7]]))
    before = cells(history, first)

    def meanwhile() -> None:
        append(history.reader, history.writer, Publication(history.day, 3, first, datetime.now(UTC), "ops", "back"))

    tidy(history, pause=meanwhile)
    assert capsys.readouterr().out == f"day={history.day} run={first}: came into force in between and stays\n"
    assert (cells(history, first), run_of(history, first).status) == (before, "complete")


def test_a_call_that_ended_early_is_taken_up_by_the_next(history: History):
    first, _ = (entry.run_id for entry in history.reader.publications([str(history.day)[:7]]))

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tidy(history, pause=die)
    assert (run_of(history, first).status, cells(history, first) > 0) == ("dropping", True)
    tidy(history)
    assert (run_of(history, first).status, cells(history, first)) == ("dropped", 0)


def answer(history: History, question: str) -> dict:
    """What the real application says, started anew."""
    app = create_app(history.settings, lambda: history.reader)
    try:
        return app.test_client().get(f"/api/v1/share?{question}").get_json()
    finally:
        serving(app).view.stop()
        serving(app).pending.stop()
