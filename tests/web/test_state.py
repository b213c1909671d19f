"""/api/v1/days and /status, health, and what happens while the store is away."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from drinkstream.merge import Publication
from tests.web.conftest import AT, DAY, NOW, Clock, Store, Web, batch, epoch, post
from webapp.view import rest

FRESH = {"until": "2017-09-15T12:34:55Z", "hours_behind": 0, "quiet_since": None, "reached": None, "stale_since": None}


def test_the_days_with_their_publications(web: Web) -> None:
    assert web.get("days?from=2017-09-14&to=2017-09-16&category=coffee") == {
        "from": "2017-09-14",
        "to": "2017-09-16",
        "unit": "posts",
        "reposts": "excluded",
        "total": 3,
        "at": AT,
        "days": [
            {
                "day": "2017-09-14",
                "layer": "batch",
                "run": "run-1",
                "epoch": None,
                "meaning": "m1",
                "published_at": "2017-09-15T02:30:00Z",
                "n": 2,
                "pending": None,
                "coverage": None,
                "reason": None,
                "seq": 1,
                "by": "nightly_share",
                "why": "scheduled",
            },
            {
                "day": "2017-09-15",
                "layer": "speed",
                "run": None,
                "epoch": "e1",
                "meaning": "m1",
                "published_at": None,
                "n": 1,
                "pending": None,
                "coverage": None,
                "reason": None,
                "seq": None,
                "by": None,
                "why": None,
            },
            {
                "day": "2017-09-16",
                "layer": "missing",
                "run": None,
                "epoch": None,
                "meaning": None,
                "published_at": None,
                "n": None,
                "pending": None,
                "coverage": None,
                "reason": "not published, and the live layer cannot answer for it",
                "seq": None,
                "by": None,
                "why": None,
            },
        ],
        "freshness": FRESH,
    }


def test_what_came_since_a_run_is_pending(web: Web, store: Store) -> None:
    """Unknown until it was counted, and again once the archive cannot be read; a live day has none."""

    def pending() -> list[int | None]:
        web.view.look()
        return [day["pending"] for day in web.get("days?from=2017-09-14&to=2017-09-15")["days"]]

    assert pending() == [None, None]
    web.pending.look()
    assert pending() == [4, None]
    store.away_for = "pending"
    web.pending.look()
    assert pending() == [None, None]


def test_text_that_looks_like_a_formula_stays_text_in_a_spreadsheet(web: Web, store: Store) -> None:
    store.log.append(Publication(DAY, 2, "run-1", datetime(2017, 9, 15, 9, tzinfo=UTC), "@ops", '=HYPERLINK("x","y")'))
    response = web.client.get("/api/v1/days?from=2017-09-14&to=2017-09-14&format=csv")
    assert response.text == (
        "day,layer,n,pending,run,epoch,meaning,seq,published_at,by,why,reason,covered,received,undelivered,gaps\r\n"
        '2017-09-14,batch,3,,run-1,,m1,2,2017-09-15T09:00:00Z,\'@ops,"\'=HYPERLINK(""x"",""y"")",,,,,\r\n'
    )


def test_the_status(web: Web) -> None:
    assert web.get("status?from=2017-09-14&to=2017-09-16") == {
        "from": "2017-09-14",
        "to": "2017-09-16",
        "unit": "posts",
        "reposts": "excluded",
        "total": 5,
        "at": AT,
        "now": "2017-09-15T12:34:56Z",
        "read_at": "2017-09-15T12:34:56Z",
        "stale_since": None,
        "failing": None,
        "days": {"batch": 1, "speed": 1, "missing": 1},
        "published": {
            "days": 1,
            "first": "2017-09-14",
            "last": "2017-09-14",
            "last_published_at": "2017-09-15T02:30:00Z",
        },
        "data": [{"from": "2017-09-14", "to": "2017-09-15"}],
        "live": {
            "epoch": "e1",
            "meaning": "m1",
            "started_at": "2017-09-15T00:00:00Z",
            "until": "2017-09-15T12:34:55Z",
            "quiet_since": None,
            "reached": None,
            "hours_behind": 0,
            "last_batch": {
                "id": 7,
                "started_at": "2017-09-15T12:34:50Z",
                "ended_at": "2017-09-15T12:34:55Z",
                "rows_in": 10,
                "hits": 2,
            },
        },
        "freshness": FRESH,
    }


def test_the_status_of_a_new_installation(web: Web, store: Store) -> None:
    """Nothing published, no epoch: the present day is missing, and that is all."""
    store.log, store.rows = [], []
    answer = web.get("status?format=json")
    assert (answer["total"], answer["live"], answer["data"], answer["published"]) == (
        None,
        None,
        [],
        {"days": 0, "first": None, "last": None, "last_published_at": None},
    )
    assert web.client.get("/").status_code == 200


def test_the_status_comes_as_csv(web: Web) -> None:
    lines = web.client.get("/api/v1/status?from=2017-09-14&to=2017-09-14&format=csv").text.splitlines()
    assert lines[:6] == ["name,value", "from,2017-09-14", "to,2017-09-14", "unit,posts", "reposts,excluded", "total,3"]
    assert "live.last_batch.rows_in,10" in lines


def test_healthy_and_ready(web: Web) -> None:
    for prefix in ("", "/api/v1"):
        assert web.client.get(f"{prefix}/healthz").get_json() == {"status": "ok"}
        web.get("share")
        ready = web.client.get(f"{prefix}/readyz")
        assert (ready.status_code, ready.get_json()) == (200, {"status": "ready", "stale_since": None, "reason": None})


def test_while_the_store_is_away_the_answers_stay_and_say_since_when(web: Web, store: Store, clock: Clock) -> None:
    before = web.get("share?from=2017-09-14&to=2017-09-15")
    store.away = True
    clock.now = NOW + timedelta(seconds=3)
    web.view.look()
    stale = web.get("share?from=2017-09-14&to=2017-09-15")
    assert stale["freshness"] == {**FRESH, "stale_since": "2017-09-15T12:34:56Z"}
    assert {**stale, "freshness": None} == {**before, "freshness": None}
    ready = web.client.get("/readyz")
    assert (ready.status_code, ready.get_json()) == (
        503,
        {"status": "stale", "stale_since": "2017-09-15T12:34:56Z", "reason": "the store is away"},
    )
    assert "The store does not answer. These numbers are as of 2017-09-15 12:34:56 UTC" in web.client.get("/").text
    unread = web.client.get("/api/v1/posts?from=2017-09-14&to=2017-09-14")
    assert (unread.status_code, unread.get_json()) == (503, {"error": "the store is away"})


def test_it_recovers_by_itself_once_the_store_is_back(web: Web, store: Store, clock: Clock) -> None:
    """What happened meanwhile is there after the next look."""
    web.get("share")
    store.away = True
    web.view.look()
    store.away = False
    store.lives["e1"] += post("2017-09-15T12:35", "203", "x", "original", "en", ("beer", None))
    store.ended.append(batch(8, datetime(2017, 9, 15, 12, 35, 1, tzinfo=UTC), "2017-09-15T12"))
    clock.now = datetime(2017, 9, 15, 12, 35, 2, tzinfo=UTC)
    web.view.look()
    answer = web.get("share?from=2017-09-15&to=2017-09-15")
    assert (answer["total"], answer["freshness"]) == (3, {**FRESH, "until": "2017-09-15T12:35:01Z"})
    assert web.client.get("/readyz").status_code == 200


def test_a_look_that_fails_half_way_is_made_up_for(web: Web, store: Store) -> None:
    """The hours that a micro-batch touched stay on the list until they were read."""
    web.get("share")
    store.lives["e1"] += post("2017-09-15T12:34", "203", "x", "original", "en", ("beer", None))
    store.ended.append(batch(8, datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC), "2017-09-15T12"))
    store.away_for = "speed_counts"
    assert web.view.look() is False
    store.away_for = None
    assert web.view.look() is True
    assert web.get("share?from=2017-09-15&to=2017-09-15")["total"] == 3


def test_only_a_month_that_got_a_publication_is_read_again(web: Web, store: Store) -> None:
    """The log is only ever appended to; a look that changes nothing reads none of it."""
    web.get("share")
    store.asked.clear()
    web.view.look()
    assert "publications" not in store.asked
    store.runs["run-0"] = post("2017-08-31T08:00", "901", "x", "original", "en", ("tea", None))
    at = datetime(2017, 9, 15, 12, 30, tzinfo=UTC)
    store.log.append(Publication(date(2017, 8, 31), 1, "run-0", at))
    web.view.look()
    assert store.asked.count("publications") == 1
    days = web.get("days?from=2017-08-31&to=2017-09-14")["days"]
    assert [day["run"] for day in (days[0], days[-1])] == ["run-0", "run-1"]


def test_a_look_at_the_log_that_fails_half_way_is_made_up_for(web: Web, store: Store) -> None:
    web.get("share")
    at = datetime(2017, 9, 15, 12, 30, tzinfo=UTC)
    store.runs["run-0"] = post("2017-08-31T08:00", "901", "x", "original", "en", ("tea", None))
    store.log.append(Publication(date(2017, 8, 31), 1, "run-0", at))
    store.away_for = "publications"
    assert web.view.look() is False
    store.away_for = None
    web.view.look()
    assert web.get("days?from=2017-08-31&to=2017-08-31")["days"][0]["run"] == "run-0"


def test_a_batch_that_a_clock_which_was_set_back_put_under_the_day_before_is_seen(
    web: Web, store: Store, clock: Clock
) -> None:
    web.get("share")
    midnight = datetime(2017, 9, 16, tzinfo=UTC)
    for number, began, minute in ((8, midnight, 40), (9, midnight - timedelta(seconds=1), 41)):
        ident = str(500 + number)
        store.lives["e1"] += post(f"2017-09-15T12:{minute}", ident, "x", "original", "en", ("beer", None))
        store.ended.append(replace(batch(number, began, f"2017-09-15T12:{minute}"), started_at=began))
        clock.now = began
        web.view.look()
    assert web.get("share?from=2017-09-15&to=2017-09-15")["total"] == 4


def test_of_an_hour_only_the_minutes_that_were_touched_are_read_again(web: Web, store: Store) -> None:
    """What lies before them stands as it was read; a look that fails leaves the earliest minute to the next one."""
    web.get("share")
    ended = datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC)
    store.lives["e1"] += post("2017-09-15T12:20", "203", "x", "original", "en", ("beer", None))
    store.lives["e1"] += post("2017-09-15T12:30", "204", "x", "original", "en", ("beer", None))
    store.ended.append(batch(8, ended, "2017-09-15T12:30"))
    web.view.look()
    assert web.get("share?from=2017-09-15&to=2017-09-15")["total"] == 3
    store.away_for = "speed_counts"
    store.ended.append(batch(9, ended, "2017-09-15T12:20"))
    assert web.view.look() is False
    store.away_for = None
    store.ended.append(batch(10, ended, "2017-09-15T12:31"))
    web.view.look()
    assert web.get("share?from=2017-09-15&to=2017-09-15")["total"] == 4
    answer = web.get("trend?from=2017-09-15&to=2017-09-15&grain=minute")
    found = {period[11:16]: n for period, n in zip(answer["periods"], answer["totals"], strict=True) if n}
    assert found == {"00:05": 1, "12:20": 1, "12:30": 1, "12:34": 1}


@pytest.mark.parametrize(("looked", "seconds"), [(0.1, 1.0), (2.0, 4.0), (27.0, 5.0)])
def test_after_a_long_look_the_next_one_is_not_far_off(looked: float, seconds: float) -> None:
    """Long looks are further apart, so that they leave the processor to others, but never by more than five seconds."""
    assert rest(looked, refresh=1.0) == seconds


def test_a_second_epoch_takes_over_whole(web: Web, store: Store) -> None:
    """The answer turns from the old epoch's numbers to the new one's; the old ones stay readable by their token."""
    before = web.get("share?from=2017-09-15&to=2017-09-15")
    store.lives["e2"] = post("2017-09-15T10:00", "301", "x", "original", "en", ("milk", None))
    store.rows = [epoch("e2", "current"), epoch("e1", "retired")]
    web.view.look()
    after = web.get("share?from=2017-09-15&to=2017-09-15")
    assert (after["days"][0]["epoch"], after["total"], after["shares"][0]["category"]) == ("e2", 1, "milk")
    again = web.get(f"share?from=2017-09-15&to=2017-09-15&at={before['at']}")
    assert {**again, "freshness": None} == {**before, "freshness": None}


def test_every_answer_carries_its_security_headers(web: Web) -> None:
    for path in ("/", "/api/v1/share", "/static/style.css", "/nothing"):
        with web.client.get(path) as response:
            assert response.headers["Content-Security-Policy"].startswith("default-src 'self';")
            assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_is_asked_before_the_first_request(store: Store, web: Web) -> None:
    """Neither import nor create_app reaches for the store, so the process may fork first."""
    assert web.view.peek() is None
    assert store.asked == []


def test_published_days_stand_before_anybody_asks_and_are_carried_on(web: Web) -> None:
    web.view.look()
    before = web.view.state().standing
    web.view.look()
    after = web.view.state().standing
    assert list(before) == list(after) == [DAY]
    assert after[DAY] is before[DAY]
    assert web.get(f"share?from={DAY}&to={DAY}")["days"][0]["run"] == "run-1"
    assert web.view.state().standing[DAY] is before[DAY]
