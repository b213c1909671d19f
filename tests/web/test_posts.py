"""/api/v1/posts: the ids behind a number, page by page; as many as the number says."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from drinkstream.merge import Publication
from tests.web.conftest import AT, DAY, Clock, Store, Web, batch, epoch, post

UNSEEN = "not counted yet: it has not begun, or the live layer has not come so far"
PUBLISHED = {
    "day": "2017-09-14",
    "layer": "batch",
    "run": "run-1",
    "epoch": None,
    "meaning": "m1",
    "published_at": "2017-09-15T02:30:00Z",
    "n": 3,
    "pending": None,
    "coverage": None,
    "reason": None,
}


def test_the_ids_behind_a_number(web: Web) -> None:
    assert web.get("posts?from=2017-09-14&to=2017-09-14") == {
        "from": "2017-09-14",
        "to": "2017-09-14",
        "unit": "posts",
        "reposts": "excluded",
        "total": 3,
        "at": AT,
        "ids": ["x:101", "x:102", "demo:103"],
        "next": None,
        "days": [PUBLISHED],
        "freshness": {"until": None, "hours_behind": None, "quiet_since": None, "reached": None, "stale_since": None},
    }


@pytest.mark.parametrize(
    ("narrowed", "ids"),
    [
        ("category=coffee", ["x:101", "x:102", "x:201"]),
        ("brand=starbucks", ["x:101", "x:105"]),
        ("brand=*", ["x:101", "x:105", "demo:202"]),
        ("category=coffee&brand=starbucks", ["x:101"]),
        ("source=demo", ["demo:103", "demo:202"]),
        ("lang=pt", ["demo:202"]),
        ("kind=repost", ["x:104"]),
        ("reposts=include&category=beer", ["x:104"]),
        ("category=beer", []),
        ("period=2017-09-14T08", ["x:101", "x:102"]),
        ("period=2017-09-15T12:34", ["demo:202"]),
        ("period=2017-09-15T12:33", []),
    ],
)
def test_narrowed_alike_the_list_and_its_total(web: Web, narrowed: str, ids: list[str]) -> None:
    answer = web.get(f"posts?from=2017-09-14&to=2017-09-15&{narrowed}")
    assert (answer["ids"], answer["total"], answer["next"]) == (ids, len(ids), None)


def test_pages_follow_each_other_without_loss_or_repeat(web: Web) -> None:
    """However short the pages are, and by either name of the cursor."""
    for name in ("after", "next"):
        pages, cursor = [], ""
        while cursor is not None:
            answer = web.get(
                f"posts?from=2017-09-14&to=2017-09-15&limit=2&reposts=include{cursor and f'&{name}={cursor}'}"
            )
            assert answer["total"] == 6
            pages.append(answer["ids"])
            cursor = answer["next"]
        assert pages == [["x:101", "x:102"], ["demo:103", "x:104"], ["x:201", "demo:202"]]


def test_integer_ids_come_by_their_value(web: Web, store: Store) -> None:
    store.lives["e1"] = [
        cell
        for post_id in ("1000", "999", "at://b", "at://a")
        for cell in post("2017-09-15T10:00", post_id, "x", "original", "en", ("tea", None))
    ]
    assert web.get("posts?from=2017-09-15&to=2017-09-15")["ids"] == ["x:999", "x:1000", "x:at://a", "x:at://b"]


def test_a_list_goes_on_in_the_state_in_which_it_began(web: Web, store: Store) -> None:
    """A publication between two pages does not mix two runs in one list."""
    first = web.get("posts?from=2017-09-14&to=2017-09-14&limit=2")
    store.log.append(Publication(DAY, 2, "run-2", datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC)))
    store.runs["run-2"] = post("2017-09-14T23:00", "999", "x", "original", "en", ("tea", None))
    web.view.look()
    second = web.get(f"posts?from=2017-09-14&to=2017-09-14&limit=2&after={first['next']}")
    assert (first["ids"] + second["ids"], second["total"]) == (["x:101", "x:102", "demo:103"], 3)
    assert web.get("posts?from=2017-09-14&to=2017-09-14")["ids"] == ["x:999"]


def test_a_missing_day_lists_nothing_and_has_no_total(web: Web) -> None:
    answer = web.get("posts?from=2017-09-16&to=2017-09-16")
    assert (answer["total"], answer["ids"], answer["days"][0]["layer"]) == (None, [], "missing")


@pytest.mark.parametrize("silent", [0, 90])
def test_every_period_of_a_live_day_has_the_total_of_the_trend(
    web: Web, store: Store, clock: Clock, silent: int
) -> None:
    """Null where it has not begun, or the live layer fell silent before it; also of a post whose clock is ahead."""
    store.lives["e1"] += post("2017-09-15T21:07", "203", "x", "original", "en", ("tea", None))
    web.get("status")
    clock.now += timedelta(seconds=silent)
    for grain, periods, length in (("hour", 24, 13), ("minute", 1440, 16)):
        trend = web.get(f"trend?from=2017-09-15&to=2017-09-15&grain={grain}")
        looked = [at for at in range(periods) if grain == "hour" or at // 60 in (12, 13, 21)]
        answers = [web.get(f"posts?period={trend['periods'][at][:length]}") for at in looked]
        assert [answer["total"] for answer in answers] == [trend["totals"][at] for at in looked]
        assert [answer["days"][0]["n"] for answer in answers] == [answer["total"] for answer in answers]
        assert {answer["days"][0]["reason"] for answer in answers if answer["total"] is None} == {UNSEEN}
        assert {answer["days"][0]["reason"] for answer in answers if answer["total"] is not None} == {None}
        at = trend["periods"].index("2017-09-15T21:07Z" if grain == "minute" else "2017-09-15T21:00Z")
        drinks = {one["category"]: one["n"][at] for one in trend["series"]}
        assert (drinks["tea"], drinks["coffee"]) == (1, 0)
        for drink, n in drinks.items():
            assert web.get(f"posts?category={drink}&period={trend['periods'][at][:length]}")["total"] == n
    page = web.client.get("/posts?period=2017-09-15T23").text
    assert "This period cannot be answered for: it is missing, not empty." in page
    assert f"2017-09-15: {UNSEEN}" in page


def test_a_long_range_comes_in_short_pages(web: Web, store: Store) -> None:
    """A page looks into 62 days at most, and says where to go on."""
    for number in range(70):
        day = datetime(2016, 1, 1, tzinfo=UTC).date().replace(month=1 + number // 28, day=1 + number % 28)
        store.log.append(Publication(day, 1, f"old-{number}", datetime(2016, 6, 1, tzinfo=UTC)))
        store.runs[f"old-{number}"] = post(f"{day}T00:00", str(number), "x", "original", "en", ("tea", None))
    web.view.look()
    first = web.get("posts?from=2016-01-01&to=2016-03-31&limit=1000&category=tea")
    second = web.get(f"posts?from=2016-01-01&to=2016-03-31&limit=1000&category=tea&after={first['next']}")
    assert (first["total"], second["next"]) == (70, None)
    assert first["ids"] + second["ids"] == [f"x:{number}" for number in range(70)]


def test_ids_come_as_csv_with_the_next_page_in_a_header(web: Web) -> None:
    response = web.client.get("/api/v1/posts?from=2017-09-14&to=2017-09-14&limit=2&format=csv")
    assert response.text == "id\r\nx:101\r\nx:102\r\n"
    on = web.client.get(f"/api/v1/posts?from=2017-09-14&to=2017-09-14&format=csv&after={response.headers['X-Next']}")
    assert (on.text, "X-Next" in on.headers) == ("id\r\ndemo:103\r\n", False)


def test_every_count_of_a_share_opens_as_many_ids(web: Web) -> None:
    for by in ("category", "brand"):
        for row in web.get(f"share?from=2017-09-14&to=2017-09-15&by={by}")["shares"]:
            level = "&".join(f"{name}={row[name]}" for name in ("category", "brand") if row[name])
            answer = web.get(f"posts?from=2017-09-14&to=2017-09-15&{level}")
            assert len(answer["ids"]) == answer["total"] == row["n"]


def test_a_list_without_days_goes_on_about_the_days_that_it_began_with(web: Web, store: Store, clock: Clock) -> None:
    """At midnight the newest day that has data is another one, and so is the first of thirty."""
    first = web.get("posts?limit=2&reposts=include")
    clock.now = datetime(2017, 9, 17, 0, 1, tzinfo=UTC)
    store.rows = [epoch("e1", "current")]
    store.lives["e1"] += post("2017-09-17T00:00", "301", "x", "original", "en", ("tea", None))
    store.ended.append(replace(batch(8, clock.now, "2017-09-17T00"), started_at=clock.now))
    web.view.look()
    second = web.get(f"posts?limit=2&reposts=include&after={first['next']}")
    assert (first["ids"], second["ids"]) == (["x:101", "x:102"], ["demo:103", "x:104"])
    assert (second["from"], second["to"], second["total"]) == (first["from"], first["to"], first["total"])
    told = web.refused(f"posts?from=2017-09-14&to=2017-09-14&after={first['next']}")
    assert told == f"after: it goes on from an answer about {first['from']} to {first['to']}: leave from and to out"


@pytest.mark.parametrize("question", ["from=2017-09-13&to=2017-09-15&period=2017-09-14T08", "from=2017-09-14"])
def test_a_page_is_followed_by_the_same_question_with_its_cursor(web: Web, question: str) -> None:
    first = web.get(f"posts?{question}&limit=1")
    assert web.get(f"posts?{question}&limit=1&after={first['next']}")["ids"] == ["x:102"]
    page = html.unescape(web.client.get(f"/posts?{question}&limit=1&after={first['next']}").text)
    begin = dict(parse_qsl(re.search(r'class="button" href="/posts[?]([^"]+)">First page', page)[1]))
    assert (begin["from"], begin["to"]) == (first["from"], first["to"])


def test_the_way_back_leads_to_the_question(web: Web, store: Store) -> None:
    """In the same words; of the present state to the present, of an earlier one to that."""
    asked = "from=2017-09-14&to=2017-09-14&source=x&lang=en&reposts=include&category=coffee"

    def back() -> dict[str, str]:
        page = web.client.get(f"/posts?{asked}&at={AT}").text
        return dict(parse_qsl(html.unescape(re.search(r'aria-label="Breadcrumb"><a href="/[?]([^"]+)"', page)[1])))

    assert back() == dict(parse_qsl(asked))
    store.log.append(Publication(DAY, 2, "run-2", datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC)))
    store.runs["run-2"] = []
    web.view.look()
    assert back() == dict(parse_qsl(f"{asked}&at={AT}"))
    any_brand = web.client.get("/posts?from=2017-09-14&to=2017-09-14&brand=*").text
    assert "brand" not in re.search(r'aria-label="Breadcrumb"><a href="([^"]+)"', any_brand)[1]
