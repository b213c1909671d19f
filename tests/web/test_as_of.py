"""`as_of`: the answer as it was published then, over two publications of a day and a rollback of the second."""

from datetime import UTC, datetime

import pytest

from drinkstream.merge import Publication
from tests.web.conftest import DAY, Store, Web, post

RANGE = "from=2017-09-14&to=2017-09-15"
FIRST = {"n": 3, "run": "run-1", "published_at": "2017-09-15T02:30:00Z", "reason": None}
SECOND = {"n": 1, "run": "run-2", "published_at": "2017-09-15T08:00:00.250Z", "reason": None}
BACK = {"n": 3, "run": "run-1", "published_at": "2017-09-15T10:00:00Z", "reason": None}


@pytest.fixture
def web(web: Web, store: Store) -> Web:
    """The application once the day was published again, and rolled back."""
    store.log += [
        Publication(DAY, 2, "run-2", datetime(2017, 9, 15, 8, 0, 0, 250_000, tzinfo=UTC), "ops", "a late file"),
        Publication(DAY, 3, "run-1", datetime(2017, 9, 15, 10, tzinfo=UTC), "ops", "rollback"),
    ]
    store.runs["run-2"] = post("2017-09-14T08:01", "999", "x", "original", "en", ("milk", None))
    return web


def not_yet(as_of: str) -> dict[str, object]:
    reason = f"not published by {as_of}, first published at 2017-09-15T02:30:00Z"
    return {"n": None, "run": None, "published_at": None, "reason": reason}


CASES = [
    ("2017-09-14T00:00:00Z", not_yet("2017-09-14T00:00:00Z"), None, None),
    ("2017-09-15T02:29:59.999Z", not_yet("2017-09-15T02:29:59.999Z"), None, None),
    ("2017-09-15T02:30:00Z", FIRST, ["coffee", "tea"], ["x:101", "x:102", "demo:103"]),
    ("2017-09-15T04:30:00%2B02:00", FIRST, ["coffee", "tea"], ["x:101", "x:102", "demo:103"]),
    ("2017-09-15T08:00:00.249Z", FIRST, ["coffee", "tea"], ["x:101", "x:102", "demo:103"]),
    (SECOND["published_at"], SECOND, ["milk"], ["x:999"]),
    ("2017-09-15T09:59:59Z", SECOND, ["milk"], ["x:999"]),
    ("2017-09-15T10:00:00Z", BACK, ["coffee", "tea"], ["x:101", "x:102", "demo:103"]),
    ("2017-09-15T12:34:56Z", BACK, ["coffee", "tea"], ["x:101", "x:102", "demo:103"]),
]


@pytest.mark.parametrize(("as_of", "day", "drinks", "ids"), CASES)
def test_share_trend_and_posts_answer_as_published_then(
    web: Web, as_of: str, day: dict[str, object], drinks: list[str] | None, ids: list[str] | None
) -> None:
    """Before its first publication a day is missing and says so; the live layer of then is not kept."""
    question = f"{RANGE}&as_of={as_of}"
    share, trend, posts = web.get(f"share?{question}"), web.get(f"trend?{question}"), web.get(f"posts?{question}")
    for answer in (share, trend, posts):
        first, second = answer["days"]
        assert {name: first[name] for name in day} == day
        assert (second["layer"], second["n"], second["reason"].endswith(", nor since")) == ("missing", None, True)
    assert [row["category"] for row in share["shares"]] == (drinks or [])
    assert [one["category"] for one in trend["series"]] == (drinks or [])
    assert (share["total"], trend["totals"], posts["total"]) == (day["n"], [day["n"], None], day["n"])
    assert posts["ids"] == (ids or [])
    hours = web.get(f"trend?from=2017-09-14&to=2017-09-14&grain=hour&as_of={as_of}")["totals"]
    assert (None if hours[8] is None else sum(hours)) == day["n"]


def test_a_rollback_answers_as_before_to_the_byte(web: Web) -> None:
    """But for the publication that put it in force."""

    def body(path: str) -> str:
        answer = web.get(path)
        return str({**answer, "at": None, "days": [{**day, "published_at": None} for day in answer["days"]]})

    for route in ("share", "trend", "posts"):
        question = f"{route}?from=2017-09-14&to=2017-09-14"
        assert body(f"{question}&as_of=2017-09-15T03:00:00Z") == body(question)
        assert body(f"{question}&as_of=2017-09-15T09:00:00Z") != body(question)


def test_a_list_begun_as_of_then_goes_on_as_of_then(web: Web) -> None:
    first = web.get("posts?from=2017-09-14&to=2017-09-14&limit=2&as_of=2017-09-15T03:00:00Z")
    second = web.get(f"posts?from=2017-09-14&to=2017-09-14&limit=2&after={first['next']}")
    assert first["ids"] + second["ids"] == ["x:101", "x:102", "demo:103"]


def test_a_run_that_is_no_longer_kept_is_a_hole_and_not_a_zero(web: Web, store: Store) -> None:
    store.gone.add("run-2")
    store.runs["run-2"] = []
    for route in ("share", "trend", "posts"):
        (day,) = web.get(f"{route}?from=2017-09-14&to=2017-09-14&as_of=2017-09-15T09:00:00Z")["days"]
        assert (day["layer"], day["n"]) == ("missing", None)
        assert day["reason"] == "run run-2 was in force, and is no longer kept"


def test_the_pages_say_as_of_when(web: Web) -> None:
    early = "as_of=2017-09-15T02:00:00Z"
    page = web.client.get(f"/?{RANGE}&{early}").text
    assert "2 of 2 days were not published at 2017-09-15T02:00:00Z, and what was live then is not kept" in page
    assert "not published by 2017-09-15T02:00:00Z, first published at 2017-09-15T02:30:00Z" in page
    listed = web.client.get(f"/posts?{RANGE}&{early}").text
    assert "As published at 2017-09-15T02:00:00Z." in listed
    assert "2017-09-15: not published by 2017-09-15T02:00:00Z, nor since" in listed
