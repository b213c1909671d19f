"""How the layers differed on a day: as JSON, as CSV and as a page, and what is said where there is nothing to show."""

from datetime import UTC, date, datetime

import pytest

from drinkstream.reconcile import Attributed, Cause, CellName, Reconciliation
from tests.web.conftest import DAY, Store, Web

COFFEE: CellName = ("2017-09-14T08", 3, "coffee", "", "x", "original", "en")
PEPSI: CellName = ("2017-09-14T09", 10, "*", "pepsi", "x", "reply", "pt")
NONE = dict.fromkeys(map(str, Cause), 0)


@pytest.fixture
def compared(store: Store) -> Store:
    """A comparison of the run in force, with two causes in one cell, and one of a run that is not."""
    at = datetime(2017, 9, 15, 2, 31, tzinfo=UTC)
    first = Reconciliation(
        DAY, "run-1", at, "e1", "m1", "m1", True, 2, 1, 2, {**NONE, "deleted": 1, "arrived_after": 2}
    )
    parts = [
        Attributed(COFFEE, Cause.ARRIVED_AFTER, 5, 7, (), ("12",)),
        Attributed(COFFEE, Cause.DELETED, 5, 7, (), ("7",)),
        Attributed(PEPSI, Cause.ARRIVED_AFTER, 1, 1, ("3",), ("12",)),
    ]
    blind = Reconciliation(DAY, "run-0", at, "", "m0", "", False, 0, 9, 0, {**NONE, "speed_could_not_answer": 9})
    store.compared = {"run-1": (first, parts), "run-0": (blind, [])}
    return store


@pytest.mark.usefixtures("compared")
def test_a_day_says_each_cause_with_its_number_and_each_cell_with_its_ids(web: Web):
    answer = web.get("reconciliation/2017-09-14")
    causes = {one["cause"]: one["posts"] for one in answer.pop("causes")}  # type: ignore[index, union-attr]
    assert list(causes.items()) == list({**NONE, "deleted": 1, "arrived_after": 2}.items())
    coffee = {"minute": "2017-09-14T08:03", "category": "coffee", "brand": "", "source": "x", "kind": "original"}
    coffee |= {"lang": "en", "batch_n": 5, "speed_n": 7, "only_batch": []}
    pepsi = {"minute": "2017-09-14T09:10", "category": "*", "brand": "pepsi", "source": "x", "kind": "reply"}
    pepsi |= {"lang": "pt", "batch_n": 1, "speed_n": 1, "only_batch": ["x:3"], "only_speed": ["x:12"]}
    assert answer == {
        "day": "2017-09-14",
        "unit": "posts",
        "run": "run-1",
        "in_force": True,
        "epoch": "e1",
        "compared_at": "2017-09-15T02:31:00Z",
        "answered": True,
        "meaning": {"batch": "m1", "speed": "m1"},
        "only_batch": 1,
        "only_speed": 2,
        "cells_that_differ": 2,
        "cells": [
            {**coffee, "cause": "arrived_after", "only_speed": ["x:12"]},
            {**coffee, "cause": "deleted", "only_speed": ["x:7"]},
            {**pepsi, "cause": "arrived_after"},
        ],
        "more": False,
    }


@pytest.mark.usefixtures("compared")
def test_cells_are_narrowed_by_cause_and_cut_at_the_limit(web: Web):
    answer = web.get("reconciliation/2017-09-14?cause=deleted")
    assert [cell["only_speed"] for cell in answer["cells"]] == [["x:7"]]  # type: ignore[attr-defined]
    cut = web.get("reconciliation/2017-09-14?limit=2")
    assert (len(cut["cells"]), cut["more"]) == (2, True)  # type: ignore[arg-type]
    assert web.get("reconciliation/2017-09-14?limit=3")["more"] is False


@pytest.mark.usefixtures("compared")
def test_a_run_that_is_not_in_force_may_be_asked_about(web: Web):
    answer = web.get("reconciliation/2017-09-14?run=run-0")
    found = [answer[name] for name in ("run", "in_force", "epoch", "answered", "meaning", "only_batch", "cells")]
    assert found == ["run-0", False, None, False, {"batch": "m0", "speed": None}, 9, []]


@pytest.mark.usefixtures("compared")
def test_csv_has_a_row_for_each_id(web: Web):
    response = web.client.get("/api/v1/reconciliation/2017-09-14?format=csv")
    assert response.mimetype == "text/csv"
    assert response.text == (
        "day,minute,category,brand,source,kind,lang,cause,layer,id\r\n"
        "2017-09-14,2017-09-14T08:03,coffee,,x,original,en,arrived_after,speed,x:12\r\n"
        "2017-09-14,2017-09-14T08:03,coffee,,x,original,en,deleted,speed,x:7\r\n"
        "2017-09-14,2017-09-14T09:10,*,pepsi,x,reply,pt,arrived_after,batch,x:3\r\n"
        "2017-09-14,2017-09-14T09:10,*,pepsi,x,reply,pt,arrived_after,speed,x:12\r\n"
    )
    again = web.client.get(
        "/api/v1/reconciliation/2017-09-14?format=csv", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert again.status_code == 304


def test_csv_has_every_cell_unless_a_limit_is_given(web: Web, compared: Store):
    first, _ = compared.compared["run-1"]
    minutes = [(f"2017-09-14T{at // 60:02}", at % 60, *COFFEE[2:]) for at in range(1001)]
    parts = [Attributed(cell, Cause.DELETED, 0, 1, (), ("7",)) for cell in minutes]
    compared.compared["run-1"] = (first, [*parts, Attributed(PEPSI, Cause.EDITED, 0, 1, (), ("8",))])
    for question, cells in (("", 1002), ("&cause=deleted", 1001), ("&limit=5", 5)):
        found = web.client.get(f"/api/v1/reconciliation/2017-09-14?format=csv{question}").text
        assert len(found.splitlines()) == 1 + cells
    page = web.client.get("/reconciliation/2017-09-14?limit=5").text
    assert "The first 5 rows; the others come with a larger <code>limit</code>, all of them as CSV." in page
    assert 'href="/api/v1/reconciliation/2017-09-14?format=csv"' in page


@pytest.mark.usefixtures("compared")
def test_the_page_shows_the_same_and_leads_to_each_cause(web: Web):
    page = web.client.get("/reconciliation/2017-09-14")
    assert page.status_code == 200
    for text in ("in 2 cells", "arrived after", "x:12", "pepsi", "/api/v1/reconciliation/2017-09-14?format=csv"):
        assert text in page.text
    assert '<a href="/reconciliation/2017-09-14?cause=deleted">deleted</a>' in page.text
    assert "cause=edited" not in page.text
    narrowed = web.client.get("/reconciliation/2017-09-14?cause=deleted").text
    assert "x:7" in narrowed
    assert "x:12" not in narrowed
    assert 'href="/reconciliation/2017-09-14"' in web.client.get("/?from=2017-09-14&to=2017-09-14").text


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("2017-09-31", 400, "day: a day of the calendar as YYYY-MM-DD (UTC), not '2017-09-31'"),
        ("today", 400, "day: a day of the calendar as YYYY-MM-DD (UTC), not 'today'"),
        ("2017-09-14?cause=luck", 400, f"cause: one of {', '.join(Cause)}; not 'luck'"),
        ("2017-09-14?by=brand", 400, "by: not a parameter here; allowed are cause, format, limit, run"),
        ("2017-09-14?limit=0", 400, "limit: a whole number from 1 to 10000, not '0'"),
        ("2017-09-15", 404, "2017-09-15 is not published, so there is nothing to compare; published are 2017-09-14"),
        (
            "2017-09-14?run=run-9",
            404,
            "run run-9 of 2017-09-14 was not compared with the live numbers; compared runs of that day: run-1, run-0. "
            "Airflow's task `reconcile` does it after each publication",
        ),
    ],
)
@pytest.mark.usefixtures("compared")
def test_what_makes_no_sense_or_is_not_there_is_said_with_what_is(web: Web, path: str, status: int, message: str):
    response = web.client.get(f"/api/v1/reconciliation/{path}")
    assert (response.status_code, response.get_json()) == (status, {"error": message})
    page = web.client.get(f"/reconciliation/{path}")
    assert page.status_code == status
    assert page.mimetype == "text/html"


def test_a_published_day_that_was_not_compared_yet_says_so(web: Web):
    response = web.client.get("/api/v1/reconciliation/2017-09-14")
    assert response.status_code == 404
    assert "compared runs of that day: none yet" in response.get_json()["error"]


def test_without_any_publication_none_is_offered(web: Web, store: Store):
    store.log = []
    response = web.client.get(f"/api/v1/reconciliation/{date(2017, 9, 14)}")
    assert response.get_json()["error"].endswith("nothing to compare; no day is published yet")


@pytest.mark.usefixtures("compared")
def test_while_the_store_is_away_the_answer_is_503(web: Web, store: Store):
    web.get("status")
    store.away = True
    assert web.client.get("/api/v1/reconciliation/2017-09-14").status_code == 503
