"""What a run would change: as JSON, as CSV and as a page, with words from the archive where they may be shown."""

import html
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from drinkstream.archive import Archive
from drinkstream.difference import Change, Move, Moved, Report, Row, Ruled, Said
from drinkstream.errors import UnavailableError
from drinkstream.merge import Publication
from drinkstream.reconcile import Cause, CellName, Place
from tests.lib.archived import archive, row
from tests.web.conftest import DAY, Store, Web

NONE = {str(why): 0 for why in Cause if why != Cause.SPEED_COULD_NOT_ANSWER}
PEPSI: CellName = ("2017-09-14T08", 3, "*", "pepsi", "x", "original", "en")
TEA: CellName = ("2017-09-14T08", 3, "tea", "", "x", "original", "en")
ANY: CellName = ("2017-09-14T08", 3, "*", "", "x", "original", "en")
AT = datetime(2017, 9, 20, 2, 31, tzinfo=UTC)
PATH = "difference/2017-09-14"


def place(offset: int) -> Place:
    return Place("c1", "posts", 0, offset)


@pytest.fixture
def compared(store: Store) -> Store:
    """A run that awaits its approval, in which pepsi is a brand and a tea is deleted, and the first run of the day."""
    report = Report(
        *(DAY, "run-2", AT, "run-1", 1, "m1", "m2", 3, 2, 2),
        (
            Row(None, None, 5, 4, 5, 4),
            Row("tea", None, 2, 1, 5, 4),
            Row(None, "pepsi", 0, 1, 0, 1),
            Row("tea", "lipton", 1, 1, 2, 1),
        ),
        {**NONE, "meaning_changed": 1, "deleted": 1},
        (
            Ruled("deleted", ("en.tea",), (), 1),
            Ruled("meaning_changed", ("held by traps.bottle",), ("brands.pepsi",), 1),
        ),
    )
    changed = [Change(ANY, 5, 4, ("102",), ()), Change(PEPSI, 0, 1, (), ("101",)), Change(TEA, 2, 1, ("102",), ())]
    moved = [
        Moved(
            Move("x", "101", frozenset(), frozenset([PEPSI])),
            *(Cause.MEANING_CHANGED, place(0), place(0)),
            *((Said("traps.bottle"),), (Said("brands.pepsi", None, "pepsi", 2, 7),)),
            *(True, True),
        ),
        Moved(
            Move("x", "102", frozenset([ANY, TEA]), frozenset()),
            *(Cause.DELETED, place(1), None, (Said("en.tea", "tea", None, 0, 3),), (), True, False),
        ),
    ]
    first = Report(DAY, "run-1", AT, "", 0, "", "m1", 0, 0, 0, (Row(None, None, 0, 5, 0, 5),), NONE, ())
    store.changes = {"run-2": (report, changed, moved), "run-1": (first, [], [])}
    return store


def archived(home: Path) -> None:
    """The texts of both posts, and the order that deletes the second."""
    lines = [
        {"data": {"id": "101", "text": "a pepsi, please", "created_at": "2017-09-14T08:03:00.000Z"}},
        {"data": {"id": "102", "text": "tea at nine", "created_at": "2017-09-14T08:03:00.000Z"}},
        {"delete": {"status": {"id_str": "102"}}},
    ]
    keys = ["x:101", "x:102", "x:102"]
    rows = [
        row(n, key=key, value=json.dumps(line).encode()) for n, (key, line) in enumerate(zip(keys, lines, strict=True))
    ]
    archive(home / "archive", rows)


@pytest.mark.usefixtures("compared")
def test_a_report_says_counts_causes_rules_posts_and_cells(web: Web):
    """The newest of the day, though it is not in force: that is when somebody asks."""
    answer = web.get(PATH)
    causes = {one["cause"]: one["posts"] for one in answer.pop("causes")}  # type: ignore[index, union-attr]
    assert causes == {**NONE, "meaning_changed": 1, "deleted": 1}
    cell = {"minute": "2017-09-14T08:03", "source": "x", "kind": "original", "lang": "en"}
    said = {"category": None, "brand": None, "start": None, "end": None, "alias": None}
    assert answer == {
        "day": "2017-09-14",
        "unit": "posts",
        "reposts": "excluded",
        "run": "run-2",
        "in_force": False,
        "seq": None,
        "again": False,
        "meaning": "m2",
        "against": {"run": "run-1", "seq": 1, "meaning": "m1"},
        "compared_at": "2017-09-20T02:31:00Z",
        "moved": 2,
        "explained": 2,
        "cells_that_change": 3,
        "rows": [
            {"category": None, "brand": None, "old_n": 5, "new_n": 4, "old_share": 1.0, "new_share": 1.0}
            | {"old_total": 5, "new_total": 4},
            {"category": "tea", "brand": None, "old_n": 2, "new_n": 1, "old_share": 0.4, "new_share": 0.25}
            | {"old_total": 5, "new_total": 4},
            {"category": None, "brand": "pepsi", "old_n": 0, "new_n": 1, "old_share": None, "new_share": 1.0}
            | {"old_total": 0, "new_total": 1},
            {"category": "tea", "brand": "lipton", "old_n": 1, "new_n": 1, "old_share": 0.5, "new_share": 1.0}
            | {"old_total": 2, "new_total": 1},
        ],
        "rules": [
            {"cause": "deleted", "was": ["en.tea"], "becomes": [], "posts": 1},
            {"cause": "meaning_changed", "was": ["held by traps.bottle"], "becomes": ["brands.pepsi"], "posts": 1},
        ],
        "posts": [
            {
                "post": "x:101",
                "cause": "meaning_changed",
                "lost": [],
                "gained": ["pepsi"],
                "was": [said | {"rule": "traps.bottle", "counts": False}],
                "becomes": [said | {"rule": "brands.pepsi", "counts": True, "brand": "pepsi", "start": 2, "end": 7}],
            },
            {
                "post": "x:102",
                "cause": "deleted",
                "lost": ["any drink", "tea"],
                "gained": [],
                "was": [said | {"rule": "en.tea", "counts": True, "category": "tea", "start": 0, "end": 3}],
                "becomes": None,
            },
        ],
        "more_posts": False,
        "cells": [
            {**cell, "category": "*", "brand": "", "old_n": 5, "new_n": 4, "lost": ["x:102"], "gained": []},
            {**cell, "category": "*", "brand": "pepsi", "old_n": 0, "new_n": 1, "lost": [], "gained": ["x:101"]},
            {**cell, "category": "tea", "brand": "", "old_n": 2, "new_n": 1, "lost": ["x:102"], "gained": []},
        ],
        "more_cells": False,
        "texts_failing": None,
    }


def aliases(web: Web) -> list[list[str | None]]:
    """The words that were counted then and now, of each post."""
    posts = web.get(f"{PATH}?texts=1")["posts"]
    return [[said["alias"] for side in ("was", "becomes") for said in post[side] or ()] for post in posts]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("compared")
def test_words_come_from_the_archive_and_never_those_of_a_deleted_post(web: Web, tmp_path: Path):
    archived(tmp_path)
    assert aliases(web) == [[None, "pepsi"], [None]]
    page = web.client.get(f"/{PATH}").text
    assert "<q>pepsi</q>" in page
    assert "<q>tea</q>" not in page


@pytest.mark.usefixtures("compared")
def test_a_line_that_could_not_be_read_when_it_came_is_quoted_until_its_post_is_deleted(web: Web, tmp_path: Path):
    """The key of the line names no post, that of the order that came later does."""
    value = json.dumps({"data": {"id": "101", "text": "a pepsi, please", "created_at": "2017-09-14T08:03:00.000Z"}})
    late = {"day": "none", "shape": "rejected.shape", "event_ms": None}
    archive(tmp_path / "archive", [row(0, key="x:?0badcafe", value=value.encode(), **late)])
    assert aliases(web) == [[None, "pepsi"], [None]]
    order = {"delete": {"status": {"id_str": "101"}}}
    archive(tmp_path / "archive", [row(1, key="x:101", value=json.dumps(order).encode(), shape="tombstone.delete")])
    assert aliases(web) == [[None, None], [None]]


@pytest.mark.usefixtures("compared")
def test_without_the_archive_the_report_is_whole_but_for_the_words(web: Web, monkeypatch: pytest.MonkeyPatch):
    def away(*_: object) -> None:
        raise UnavailableError("the archive is away")

    monkeypatch.setattr(Archive, "records", away)
    assert aliases(web) == [[None, None], [None]]
    assert web.get(f"{PATH}?texts=1")["texts_failing"] == "the archive is away"
    assert "Their words cannot be shown now: the archive is away." in web.client.get(f"/{PATH}").text


@pytest.mark.usefixtures("compared")
def test_posts_are_narrowed_by_cause_and_both_lists_cut_at_the_limit(web: Web):
    answer = web.get(f"{PATH}?cause=deleted")
    assert [post["post"] for post in answer["posts"]] == ["x:102"]  # type: ignore[attr-defined]
    cut = web.get(f"{PATH}?limit=2")
    assert (len(cut["posts"]), cut["more_posts"], len(cut["cells"]), cut["more_cells"]) == (2, False, 2, True)  # type: ignore[arg-type]
    assert web.get(f"{PATH}?limit=1")["more_posts"] is True


@pytest.mark.usefixtures("compared")
def test_csv_has_a_row_for_each_id_that_a_cell_loses_or_gains(web: Web):
    response = web.client.get(f"/api/v1/{PATH}?format=csv")
    assert response.mimetype == "text/csv"
    assert response.text == (
        "day,minute,category,brand,source,kind,lang,move,id\r\n"
        "2017-09-14,2017-09-14T08:03,*,,x,original,en,lost,x:102\r\n"
        "2017-09-14,2017-09-14T08:03,*,pepsi,x,original,en,gained,x:101\r\n"
        "2017-09-14,2017-09-14T08:03,tea,,x,original,en,lost,x:102\r\n"
    )


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_csv_has_every_cell_unless_a_limit_is_given(
    web: Web, compared: Store, monkeypatch: pytest.MonkeyPatch, in_memory: int
):
    """However many, from memory or from disk: the file has nothing that would say that there are more."""
    monkeypatch.setattr("webapp.download.IN_MEMORY", in_memory)
    report, _, moved = compared.changes["run-2"]
    minutes = [(f"2017-09-14T{at // 60:02}", at % 60, *TEA[2:]) for at in range(101)]
    compared.changes["run-2"] = (report, [Change(cell, 2, 1, ("102",), ()) for cell in minutes], moved)
    link = re.search(r'href="(/api/v1/difference/[^"]*format=csv[^"]*)"', web.client.get(f"/{PATH}?limit=2").text)[1]
    for path, cells in ((html.unescape(link), 101), (f"/api/v1/{PATH}?format=csv&limit=2", 2)):
        with web.client.get(path) as response:
            assert len(response.text.splitlines()) == 1 + cells
            assert int(response.headers["Content-Length"]) == len(response.data)
    with web.client.get(path, headers={"If-None-Match": response.headers["ETag"]}) as again:
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.usefixtures("compared")
def test_few_long_tables_are_sent_at_a_time(web: Web, monkeypatch: pytest.MonkeyPatch):
    """Each holds a thread of the server until it is read: slow readers must leave some for the others."""
    monkeypatch.setattr("webapp.download.IN_MEMORY", 0)
    path = f"/api/v1/{PATH}?format=csv"
    unread = [web.client.get(path) for _ in range(2)]
    refused = web.client.get(path)
    assert (refused.status_code, "2 long tables are being sent to others" in refused.text) == (503, True)
    unread.pop().close()
    with web.client.get(path) as response:
        assert response.status_code == 200
    unread.pop().close()


@pytest.mark.usefixtures("compared")
def test_csv_is_of_cells_which_have_no_cause(web: Web):
    assert "the CSV is of the cells" in web.refused(f"{PATH}?cause=deleted&format=csv")
    page = web.client.get(f"/{PATH}?cause=deleted").text
    link = html.unescape(re.search(r'href="(/api/v1/difference/[^"]*format=csv[^"]*)"', page)[1])
    assert len(web.client.get(link).text.splitlines()) == 4


def said(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.usefixtures("compared")
def test_the_page_shows_the_same_and_leads_to_each_cause_and_post(web: Web):
    page = web.client.get(f"/{PATH}").text
    for words in (
        "2017-09-14: what a new run changes",
        "not in force; against",
        "2 posts moved in 3 cells.",
        "against publication no. 1, run run-1",
        "1 brands with the same count",
        "any drink 5 4 -1",
        "tea 2 1 -1 40.0% 25.0%",
        "pepsi 0 1 +1 – 100.0%",
        "held by traps.bottle brands.pepsi meaning changed 1",
        "x:101 meaning changed – pepsi held back by traps.bottle brands.pepsi",
        "x:102 deleted any drink, tea – en.tea not known",
    ):
        assert words in said(page)
    assert '<a href="/difference/2017-09-14?run=run-2&amp;cause=deleted">deleted</a>' in page
    assert 'href="/why/x:101"' in page
    assert "x:101" not in web.client.get(f"/{PATH}?cause=deleted").text


@pytest.mark.usefixtures("compared")
def test_a_first_run_has_nothing_that_it_changes(web: Web):
    answer = web.get(f"{PATH}?run=run-1")
    assert (answer["against"], answer["in_force"], answer["moved"], answer["posts"]) == (None, True, 0, [])
    assert "The day was never published before this run" in web.client.get(f"/{PATH}?run=run-1").text


def test_the_days_table_leads_to_what_a_later_publication_changed(web: Web, store: Store):
    assert "/difference/" not in web.client.get("/?from=2017-09-14&to=2017-09-14").text
    store.log.append(Publication(DAY, 2, "run-2", AT, "ops", "new brands"))
    store.runs["run-2"] = store.runs["run-1"]
    web.view.look()
    assert 'href="/difference/2017-09-14?run=run-2"' in web.client.get("/?from=2017-09-14&to=2017-09-14").text


@pytest.mark.usefixtures("compared")
def test_a_run_that_a_rollback_put_in_force_again_has_the_report_of_its_first_time(web: Web, store: Store):
    """It says nothing of the number before it, so the days' table does not lead there."""
    store.runs["run-2"] = store.runs["run-1"]
    store.log += [Publication(DAY, 2, "run-2", AT, "ops", "new brands"), Publication(DAY, 3, "run-1", AT, "ops", "no")]
    page = web.client.get("/?from=2017-09-14&to=2017-09-14").text
    assert "/difference/" not in page
    assert "(no. 3)" in said(page)
    answer = web.get(f"{PATH}?run=run-1")
    assert (answer["in_force"], answer["seq"], answer["again"]) == (True, 3, True)
    page = said(web.client.get(f"/{PATH}?run=run-1").text)
    assert "put in force again as publication no. 3, the report is of its first; compared" in page
    answer = web.get(f"{PATH}?run=run-2")
    assert (answer["in_force"], answer["seq"], answer["again"]) == (False, None, False)
    assert "not in force; against publication no. 1" in said(web.client.get(f"/{PATH}?run=run-2").text)


def test_a_later_run_has_the_report_that_it_was_published_by(web: Web, compared: Store):
    compared.runs["run-2"] = compared.runs["run-1"]
    compared.log.append(Publication(DAY, 2, "run-2", AT, "ops", "new brands"))
    answer = web.get(PATH)
    assert (answer["in_force"], answer["seq"], answer["again"]) == (True, 2, False)
    assert "meaning m2 , in force; against" in said(web.client.get(f"/{PATH}").text)


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("2017-09-31", 400, "day: a day of the calendar as YYYY-MM-DD (UTC), not '2017-09-31'"),
        (
            "2017-09-14?cause=speed_could_not_answer",
            400,
            f"cause: one of {', '.join(NONE)}; not 'speed_could_not_answer'",
        ),
        ("2017-09-14?by=brand", 400, "by: not a parameter here; allowed are cause, format, limit, run, texts"),
        ("2017-09-14?texts=1&limit=1001", 400, "limit: at most 1000 with texts=1, not 1001"),
        (
            "2017-09-14?run=run-9",
            404,
            "no report says what run run-9 of 2017-09-14 would change; runs with one: run-2, run-1. Airflow's "
            "recompute_range makes them before it publishes, nightly_share does not",
        ),
        (
            "2017-09-15",
            404,
            "no report says what a run of 2017-09-15 would change; runs with one: none. Airflow's recompute_range "
            "makes them before it publishes, nightly_share does not",
        ),
    ],
)
@pytest.mark.usefixtures("compared")
def test_what_makes_no_sense_or_is_not_there_is_said_with_what_is(web: Web, path: str, status: int, message: str):
    response = web.client.get(f"/api/v1/difference/{path}")
    assert (response.status_code, response.get_json()) == (status, {"error": message})
    page = web.client.get(f"/difference/{path}")
    assert (page.status_code, page.mimetype) == (status, "text/html")


@pytest.mark.usefixtures("compared")
def test_while_the_store_is_away_the_answer_is_503(web: Web, store: Store):
    web.get("status")
    store.away = True
    assert web.client.get(f"/api/v1/difference/{date(2017, 9, 14)}").status_code == 503
