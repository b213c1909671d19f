"""/api/v1/trend: the same counts by day, hour and minute, with holes as nulls."""

from datetime import UTC, datetime

from tests.web.conftest import AT, Clock, Store, Web, batch


def counts(answer: dict) -> dict[str, list]:
    return {one[answer["by"]]: one["n"] for one in answer["series"]}


def test_by_day_a_missing_day_is_null_and_never_zero(web: Web) -> None:
    answer = web.get("trend?from=2017-09-13&to=2017-09-16")
    days = answer.pop("days")
    assert [(day["day"], day["layer"], day["n"]) for day in days] == [
        ("2017-09-13", "speed", 0),
        ("2017-09-14", "batch", 3),
        ("2017-09-15", "speed", 2),
        ("2017-09-16", "missing", None),
    ]
    assert answer == {
        "from": "2017-09-13",
        "to": "2017-09-16",
        "unit": "posts",
        "reposts": "excluded",
        "by": "category",
        "grain": "day",
        "at": AT,
        "periods": ["2017-09-13", "2017-09-14", "2017-09-15", "2017-09-16"],
        "totals": [0, 3, 2, None],
        "covered": [None, None, None, None],
        "series": [
            {"category": "coffee", "brand": None, "n": [0, 2, 1, None], "share": [None, 2 / 3, 0.5, None]},
            {"category": "tea", "brand": None, "n": [0, 2, 0, None], "share": [None, 2 / 3, 0.0, None]},
            {"category": "water", "brand": None, "n": [0, 0, 1, None], "share": [None, 0.0, 0.5, None]},
        ],
        "freshness": {
            "until": "2017-09-15T12:34:55Z",
            "hours_behind": 0,
            "quiet_since": None,
            "reached": None,
            "stale_since": None,
        },
    }


def test_by_hour_what_has_not_begun_is_null(web: Web) -> None:
    """The present hour counts so far; the hours after it have no number yet."""
    answer = web.get("trend?from=2017-09-15&to=2017-09-15&grain=hour")
    assert answer["periods"][:2] + answer["periods"][-1:] == [
        "2017-09-15T00:00Z",
        "2017-09-15T01:00Z",
        "2017-09-15T23:00Z",
    ]
    assert answer["totals"] == [1] + [0] * 11 + [1] + [None] * 11
    assert counts(answer) == {
        "coffee": [1] + [0] * 12 + [None] * 11,
        "water": [0] * 12 + [1] + [None] * 11,
    }


def test_by_hour_a_published_day_is_whole(web: Web) -> None:
    answer = web.get("trend?from=2017-09-14&to=2017-09-14&grain=hour&by=brand")
    assert answer["totals"] == [0] * 8 + [1, 0, 0, 1] + [0] * 12
    assert counts(answer) == {"starbucks": [0] * 8 + [1, 0, 0, 1] + [0] * 12}


def test_by_minute(web: Web) -> None:
    answer = web.get("trend?from=2017-09-14&to=2017-09-14&grain=minute")
    found = [
        (period, n)
        for period, n in zip(answer["periods"], counts(answer)["tea"], strict=True)
        if n
    ]  # fmt: skip
    assert (len(answer["periods"]), found) == (1440, [("2017-09-14T08:01Z", 1), ("2017-09-14T09:30Z", 1)])


def test_the_last_minutes_end_with_the_present_one(web: Web) -> None:
    answer = web.get("trend?grain=minute&last=3")
    assert (answer["periods"], answer["totals"]) == (
        ["2017-09-15T12:32Z", "2017-09-15T12:33Z", "2017-09-15T12:34Z"],
        [0, 0, 1],
    )
    assert counts(answer) == {"coffee": [0, 0, 0], "water": [0, 0, 1]}


def test_the_last_minutes_reach_back_over_midnight(web: Web, clock: Clock) -> None:
    clock.now = datetime(2017, 9, 15, 0, 1, 30, tzinfo=UTC)
    answer = web.get("trend?grain=minute&last=3")
    assert answer["periods"] == ["2017-09-14T23:59Z", "2017-09-15T00:00Z", "2017-09-15T00:01Z"]
    assert answer["totals"] == [0, 0, 0]


def test_when_the_live_layer_falls_silent_its_minutes_are_a_hole(web: Web, clock: Clock) -> None:
    """No micro-batch for more than a minute: nobody knows whether there were posts."""
    web.get("trend")
    clock.now = datetime(2017, 9, 15, 12, 36, 5, tzinfo=UTC)
    answer = web.get("trend?grain=minute&last=3")
    assert (answer["totals"], answer["freshness"]["quiet_since"]) == ([1, None, None], "2017-09-15T12:34:55Z")


def test_minutes_of_a_published_day_are_read_once(web: Web, store: Store) -> None:
    web.get("trend?from=2017-09-14&to=2017-09-14&grain=hour")
    web.get("trend?from=2017-09-14&to=2017-09-14&grain=minute&category=tea")
    assert store.asked.count("batch_counts run-1") == 1


def test_the_sum_over_the_periods_is_the_share_s_count(web: Web) -> None:
    """Whatever the grain, and however it is narrowed."""
    for narrowed in ("", "&brand=starbucks", "&source=x", "&reposts=include", "&kind=reply", "&by=brand"):
        shares = web.get(f"share?from=2017-09-14&to=2017-09-15{narrowed}")
        expected = {row[shares["by"]]: row["n"] for row in shares["shares"]}
        for grain in ("day", "hour", "minute"):
            answer = web.get(f"trend?from=2017-09-14&to=2017-09-15&grain={grain}{narrowed}")
            assert {value: sum(filter(None, n)) for value, n in counts(answer).items()} == expected
            assert sum(filter(None, answer["totals"])) == shares["total"]


def test_a_trend_comes_as_csv(web: Web) -> None:
    response = web.client.get("/api/v1/trend?from=2017-09-14&to=2017-09-16&category=coffee&format=csv")
    assert response.text == (
        "period,category,brand,n,total,share,reposts,covered\r\n"
        "2017-09-14,coffee,,2,3,0.6666666666666666,excluded,\r\n"
        "2017-09-15,coffee,,1,2,0.5,excluded,\r\n"
        "2017-09-16,coffee,,,,,excluded,\r\n"
    )


def test_a_batch_of_yesterday_evening_is_seen_after_midnight(web: Web, store: Store, clock: Clock) -> None:
    """Micro-batches lie under the day they began on; the next day's are looked for beside them."""
    web.get("share")
    before = batch(8, datetime(2017, 9, 16, 0, 0, 1, tzinfo=UTC), "2017-09-15T00")
    store.ended.append(before)
    clock.now = datetime(2017, 9, 16, 0, 0, 2, tzinfo=UTC)
    store.asked.clear()
    web.view.look()
    assert [one for one in store.asked if one.startswith(("batches", "speed_counts"))] == [
        "batches e1 2017-09-14",
        "batches e1 2017-09-15",
        "batches e1 2017-09-16",
        "speed_counts e1 2017-09-15T00",
    ]
