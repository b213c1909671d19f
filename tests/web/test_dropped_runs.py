"""One process lives through the drop of a run: its numbers stand while it is complete; then a hole, and no zero."""

from datetime import UTC, date, datetime

import pytest

from drinkstream.merge import Publication
from drinkstream.share import Total
from tests.web.conftest import DAY, Store, Web, post

THEN = "from=2017-09-14&to=2017-09-14&as_of=2017-09-15T09:00:00Z"
NOW = "from=2017-09-14&to=2017-09-14"
GONE = "run run-2 was in force, and is no longer kept"


@pytest.fixture
def web(web: Web, store: Store) -> Web:
    """The application once the day was published a second time (run-2), and rolled back."""
    store.log += [
        Publication(DAY, 2, "run-2", datetime(2017, 9, 15, 8, tzinfo=UTC), "ops", "a late file"),
        Publication(DAY, 3, "run-1", datetime(2017, 9, 15, 10, tzinfo=UTC), "ops", "rollback"),
    ]
    store.runs["run-2"] = post("2017-09-14T08:01", "999", "x", "original", "en", ("milk", None))
    return web


def numbers(web: Web, question: str) -> list[object]:
    """The day's layer and reason; its number by share, by hours, by minutes of one hour, and as ids."""
    share, days = web.get(f"share?{question}"), web.get(f"days?{question}")["days"]
    hours = web.get(f"trend?grain=hour&{question}")["totals"]
    listed = web.get(f"posts?period=2017-09-14T08&{question}")
    (day,) = share["days"]
    assert [(one["layer"], one["n"], one["reason"]) for one in days] == [(day["layer"], day["n"], day["reason"])]
    return [day["layer"], day["reason"], day["n"], share["total"], hours[7:9], listed["total"], listed["ids"]]


WHOLE = ["batch", None, 1, 1, [0, 1], 1, ["x:999"]]
HOLE = ["missing", GONE, None, None, [None, None], None, []]


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_run_that_is_dropped_while_the_process_lives_becomes_a_hole(
    web: Web, store: Store, asked_before: bool
) -> None:
    """At each step of maintenance, whatever the process had kept: marked, its cells deleted, all deleted, dropped."""
    if asked_before:
        assert numbers(web, THEN) == WHOLE
    store.status["run-2"] = "dropping"
    web.view.look()
    assert numbers(web, THEN) == HOLE
    store.lost.add("run-2")
    web.view.look()
    assert numbers(web, THEN) == HOLE
    store.runs["run-2"] = []
    web.view.look()
    assert numbers(web, THEN) == HOLE
    store.status["run-2"] = "dropped"
    web.view.look()
    assert numbers(web, THEN) == HOLE
    assert numbers(web, NOW)[:4] == ["batch", None, 3, 3]


def test_the_page_says_of_such_a_day_what_its_row_says(web: Web, store: Store) -> None:
    """It was published then; a day beside it that was not is said to be one."""
    store.status["run-2"] = "dropped"
    page = web.client.get("/?from=2017-09-14&to=2017-09-15&as_of=2017-09-15T09:00:00Z").text
    assert (
        "1 of 2 days are missing: what answered for them is no longer kept; 1 of 2 days were not published at "
        "2017-09-15T09:00:00Z, and what was live then is not kept, and nothing is counted in their place."
    ) in page
    assert GONE in page


def test_a_number_that_was_told_before_the_drop_is_not_told_without_its_ids(web: Web, store: Store) -> None:
    """Of one state share was asked, then the run goes: trend and posts do not answer from what share had read."""
    assert web.get(f"share?{THEN}")["total"] == 1
    store.status["run-2"] = "dropped"
    store.runs["run-2"] = []
    assert web.get(f"trend?grain=hour&{THEN}")["totals"] == [None] * 24
    listed = web.get(f"posts?{THEN}")
    assert (listed["total"], listed["ids"], listed["days"][0]["layer"]) == (None, [], "missing")


def test_a_run_that_comes_back_into_force_is_read_again(web: Web, store: Store) -> None:
    """Maintenance marked it just before it was named again, and takes the mark back: no cell was deleted."""
    assert numbers(web, THEN) == WHOLE
    store.status["run-2"] = "dropping"
    store.log.append(Publication(DAY, 4, "run-2", datetime(2017, 9, 15, 12, tzinfo=UTC), "ops", "on second thought"))
    web.view.look()
    assert numbers(web, NOW) == HOLE
    assert web.view.state().in_force() == {}
    web.view.look()
    assert numbers(web, NOW) == HOLE
    del store.status["run-2"]
    web.view.look()
    assert numbers(web, NOW) == WHOLE
    store.asked.clear()
    web.view.look()
    assert [one for one in store.asked if "run-2" in one] == []


def test_a_run_that_is_deleted_while_its_totals_are_read_is_no_low_number(
    web: Web, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is read behind the totals, so that a mark set in between is seen."""
    read = store.day_totals

    def meanwhile(day: date, run_id: str) -> list[Total]:
        if run_id == "run-2":
            store.status[run_id] = "dropping"
            store.runs[run_id] = []
        return read(day, run_id)

    monkeypatch.setattr(store, "day_totals", meanwhile)
    assert numbers(web, THEN) == HOLE


def test_a_superseded_run_costs_one_look_at_its_row(web: Web, store: Store) -> None:
    """Its numbers are kept; only that it is still there is asked again."""
    web.get(f"trend?grain=hour&{THEN}")
    store.asked.clear()
    web.get(f"trend?grain=hour&{THEN}&category=milk")
    assert store.asked == ["run run-2"]
