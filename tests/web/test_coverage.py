"""How much the feeds were connected, beside every number; not known where no feed told anything."""

from datetime import UTC, datetime, timedelta

import pytest

from drinkstream.coverage import Minute
from tests.web.conftest import NOW, Clock, Store, Web
from tests.web.test_page import text

ALL = "from=2017-09-13&to=2017-09-15"
MIDNIGHT = datetime(2017, 9, 14, tzinfo=UTC)


def minutes(first: datetime, n: int, source: str = "x", connected_ms: int = 60_000, gaps: int = 0) -> list[Minute]:
    """One line for each of so many minutes."""
    return [
        Minute(source, first + timedelta(minutes=at), f"c/s/0/{source}{first:%d%H%M}{at}", connected_ms, 10, 0, 2, gaps)
        for at in range(n)
    ]


@pytest.fixture
def store(store: Store) -> Store:
    """The published day connected from six on but for its last hour, the live day but for half of this hour."""
    store.feeds = [
        *minutes(MIDNIGHT + timedelta(hours=6), 17 * 60),
        *minutes(MIDNIGHT + timedelta(days=1), 12 * 60),
        *minutes(MIDNIGHT + timedelta(days=1, hours=12), 34, connected_ms=30_000, gaps=1),
    ]
    return store


def test_each_day_of_every_answer_says_how_much_of_it_was_covered(web: Web) -> None:
    """Share of its seconds so far, what came, what limits kept back, what gaps were told; null where nobody knows."""
    expected = [
        None,
        {
            "share": 17 / 24,
            "connected_s": 61_200.0,
            "of_s": 86_400.0,
            "received": 10_200,
            "limits": 0,
            "undelivered": 2040,
            "gaps": 0,
            "sources": ["x"],
        },
        {
            "share": (720 + 17) / (720 + 34),
            "connected_s": 44_220.0,
            "of_s": 45_240.0,
            "received": 7540,
            "limits": 0,
            "undelivered": 1508,
            "gaps": 34,
            "sources": ["x"],
        },
    ]
    for route in ("share", "trend", "posts", "days"):
        assert [day["coverage"] for day in web.get(f"{route}?{ALL}")["days"]] == expected, route
    assert web.get(f"share?{ALL}")["coverage"] == {
        "share": (61_200 + 44_220) / (86_400 + 45_240),
        "received": 17_740,
        "limits": 0,
        "undelivered": 3548,
        "gaps": 34,
        "unknown_days": 1,
    }
    lines = web.client.get(f"/api/v1/days?{ALL}&format=csv").text.splitlines()
    assert [line.rsplit(",", 4)[1:] for line in lines[1:]] == [
        ["", "", "", ""],
        [str(17 / 24), "10200", "2040", "0"],
        [str(737 / 754), "7540", "1508", "34"],
    ]


def test_only_the_source_asked_about_is_meant(web: Web, store: Store) -> None:
    """Without one all sources that told anything could have been connected."""
    store.feeds += minutes(MIDNIGHT, 1440, "demo")
    shares = {
        source: web.get(f"share?from=2017-09-14&to=2017-09-14{source}")["days"][0]["coverage"]["share"]
        for source in ("", "&source=x", "&source=demo")
    }
    assert shares == {"": (17 + 24) / 48, "&source=x": 17 / 24, "&source=demo": 1.0}
    assert web.get("share?from=2017-09-14&to=2017-09-14&source=mastodon")["days"][0]["coverage"] is None


def test_a_trend_says_it_of_each_period(web: Web) -> None:
    """Of hours and minutes too; a minute whose line is still to come is not known."""
    assert web.get(f"trend?{ALL}")["covered"] == [None, 17 / 24, 737 / 754]
    by_hour = web.get("trend?from=2017-09-14&to=2017-09-14&grain=hour")["covered"]
    assert by_hour == [0.0] * 6 + [1.0] * 17 + [0.0]
    last = web.get("trend?grain=minute&last=38")
    assert (last["periods"][0], last["covered"]) == ("2017-09-15T11:57Z", [1.0] * 3 + [0.5] * 34 + [None])


def test_minutes_are_read_again_only_when_a_day_has_new_ones(web: Web, store: Store, clock: Clock) -> None:
    question = "trend?grain=minute&last=2"
    assert web.get(question)["covered"] == [0.5, None]
    web.get(question)
    assert store.asked.count("coverage_minutes 2017-09-15") == 1
    clock.now = NOW + timedelta(seconds=60)
    store.feeds += minutes(MIDNIGHT + timedelta(days=1, hours=12, minutes=34), 1)
    web.view.look()
    assert web.get(question)["covered"] == [1.0, None]
    assert store.asked.count("coverage_minutes 2017-09-15") == 2


def test_a_collector_that_fell_silent_is_not_connected(web: Web, clock: Clock) -> None:
    clock.now = NOW + timedelta(minutes=10)
    web.view.look()
    assert web.get("trend?grain=minute&last=5")["covered"] == [0.0] * 4 + [None]
    assert web.get("days?from=2017-09-15&to=2017-09-15")["days"][0]["coverage"]["of_s"] == 45_840.0


def test_while_the_store_is_away_minutes_not_read_yet_are_not_known(web: Web, store: Store) -> None:
    """The numbers go on coming from memory."""
    web.get("days")
    store.away = True
    answer = web.get("trend?grain=minute&last=3")
    assert (answer["covered"], answer["totals"]) == ([None, None, None], [0, 0, 1])


def test_the_page_says_it_beside_the_days(web: Web) -> None:
    page = text(web.client.get(f"/?{ALL}").text)
    assert "feeds connected 80.1% of the time, not known of 1 day" in page
    assert "2017-09-13 live 0 – unknown –" in page
    assert "2017-09-14 batch 3 – 70.8% 2017-09-15 02:30:00 UTC" in page
    assert "coverage not known" in text(web.client.get("/?from=2017-09-13&to=2017-09-13").text)
