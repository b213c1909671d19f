"""/api/v1/share: counts, shares and mixes, each with its denominator."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from drinkstream.interval import wilson
from drinkstream.merge import Publication
from tests.web.conftest import AT, DAY, Store, Web, batch, post
from tests.web.conftest import LIVE as LIVE_DAY

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
LIVE = {
    "day": "2017-09-15",
    "layer": "speed",
    "run": None,
    "epoch": "e1",
    "meaning": "m1",
    "published_at": None,
    "n": 2,
    "pending": None,
    "coverage": None,
    "reason": None,
}
MISSING = {
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
}
UNCHANGED = {"change": None, "change_interval": None, "within_noise": None}
CERTAINTY = {"low_base": True, "confidence": 0.95, "before": None}
UNCOVERED = {"share": None, "received": None, "limits": None, "undelivered": None, "gaps": None}
SETTLED = {"until": None, "hours_behind": None, "quiet_since": None, "reached": None, "stale_since": None}


def certain(n: int, total: int) -> list[float]:
    return list(wilson(n, total))


def rows(answer: dict) -> list[tuple]:
    return [(row["category"], row["brand"], row["n"], row["share"], row["mix"]) for row in answer["shares"]]


def test_a_range_over_all_three_layers(web: Web) -> None:
    """Each day from its one layer; a missing one has no number and adds none to the total."""
    assert web.get("share?from=2017-09-14&to=2017-09-16") == {
        "from": "2017-09-14",
        "to": "2017-09-16",
        "unit": "posts",
        "reposts": "excluded",
        "by": "category",
        "total": 5,
        "mix_total": 6,
        **CERTAINTY,
        "coverage": {**UNCOVERED, "unknown_days": 3},
        "at": AT,
        "days": [PUBLISHED, LIVE, MISSING],
        "shares": [
            {
                "category": "coffee",
                "brand": None,
                "n": 3,
                "share": 0.6,
                "interval": certain(3, 5),
                "mix": 0.5,
                **UNCHANGED,
            },
            {
                "category": "tea",
                "brand": None,
                "n": 2,
                "share": 0.4,
                "interval": certain(2, 5),
                "mix": 2 / 6,
                **UNCHANGED,
            },
            {
                "category": "water",
                "brand": None,
                "n": 1,
                "share": 0.2,
                "interval": certain(1, 5),
                "mix": 1 / 6,
                **UNCHANGED,
            },
        ],
        "freshness": {
            "until": "2017-09-15T12:34:55Z",
            "hours_behind": 0,
            "quiet_since": None,
            "reached": None,
            "stale_since": None,
        },
    }


def test_by_brand_divides_by_the_posts_that_name_any_brand(web: Web) -> None:
    """A chain named as a place counts for the brand, though it names no drink."""
    answer = web.get("share?from=2017-09-14&to=2017-09-14&by=brand")
    assert answer == {
        "from": "2017-09-14",
        "to": "2017-09-14",
        "unit": "posts",
        "reposts": "excluded",
        "by": "brand",
        "total": 2,
        "mix_total": 2,
        **CERTAINTY,
        "coverage": {**UNCOVERED, "unknown_days": 1},
        "at": AT,
        "days": [{**PUBLISHED, "n": 2}],
        "shares": [
            {
                "category": None,
                "brand": "starbucks",
                "n": 2,
                "share": 1.0,
                "interval": certain(2, 2),
                "mix": 1.0,
                **UNCHANGED,
            }
        ],
        "freshness": SETTLED,
    }


def test_reposts_count_only_when_asked_for(web: Web) -> None:
    answer = web.get("share?from=2017-09-14&to=2017-09-14&reposts=include")
    assert (answer["reposts"], answer["total"]) == ("included", 4)
    assert rows(answer) == [
        ("coffee", None, 2, 0.5, 0.4),
        ("tea", None, 2, 0.5, 0.4),
        ("beer", None, 1, 0.25, 0.2),
    ]


def test_a_given_kind_overrides_reposts(web: Web) -> None:
    answer = web.get("share?from=2017-09-14&to=2017-09-14&kind=repost&reposts=exclude")
    assert (answer["reposts"], answer["total"], rows(answer)) == ("included", 1, [("beer", None, 1, 1.0, 1.0)])


def test_a_filter_on_the_dimension_itself_only_selects_rows(web: Web) -> None:
    """Share and mix stay what they are beside all the others."""
    answer = web.get("share?from=2017-09-14&to=2017-09-14&category=tea")
    assert (answer["total"], answer["mix_total"], rows(answer)) == (3, 4, [("tea", None, 2, 2 / 3, 0.5)])
    none = web.get("share?from=2017-09-14&to=2017-09-14&category=milk")
    assert (none["total"], none["mix_total"], rows(none)) == (3, 4, [])


def test_a_filter_on_the_other_dimension_narrows_both_sides(web: Web) -> None:
    """Of the posts that name Starbucks, how many name which drink with it; of coffee, how many name which brand."""
    of_starbucks = web.get("share?from=2017-09-14&to=2017-09-14&brand=starbucks")
    assert (of_starbucks["total"], rows(of_starbucks)) == (2, [("coffee", "starbucks", 1, 0.5, 1.0)])
    of_coffee = web.get("share?from=2017-09-14&to=2017-09-14&by=brand&category=coffee")
    assert (of_coffee["total"], rows(of_coffee)) == (2, [("coffee", "starbucks", 1, 0.5, 1.0)])


def test_source_and_language_narrow_both_sides(web: Web) -> None:
    by_source = web.get("share?from=2017-09-14&to=2017-09-15&source=demo")
    assert (by_source["total"], rows(by_source)) == (2, [("tea", None, 1, 0.5, 0.5), ("water", None, 1, 0.5, 0.5)])
    by_lang = web.get("share?from=2017-09-14&to=2017-09-15&lang=pt")
    assert (by_lang["total"], rows(by_lang)) == (1, [("water", None, 1, 1.0, 1.0)])


def test_where_no_day_can_be_answered_the_total_is_unknown(web: Web) -> None:
    """Null, not zero: nobody knows."""
    answer = web.get("share?from=2017-09-16&to=2017-09-16")
    assert answer["total"] is None
    assert answer["mix_total"] is None
    assert (answer["days"], answer["shares"], answer["freshness"]) == ([MISSING], [], SETTLED)


def test_a_live_day_without_posts_is_zero(web: Web) -> None:
    """The epoch can answer for it, and says that there were none."""
    answer = web.get("share?from=2017-09-13&to=2017-09-13")
    assert (answer["total"], answer["days"][0]["layer"], answer["days"][0]["n"]) == (0, "speed", 0)


def test_without_a_range_the_last_thirty_days_with_data_are_meant(web: Web) -> None:
    answer = web.get("share")
    assert (answer["from"], answer["to"], len(answer["days"]), answer["total"]) == ("2017-08-17", "2017-09-15", 30, 5)


def test_a_token_asks_about_the_same_state_again(web: Web, store: Store) -> None:
    """A publication after it changes the answer of now, not that of the token."""
    before = web.get("share?from=2017-09-14&to=2017-09-14")
    second = Publication(DAY, 2, "run-2", datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC), "ops", "a late file")
    store.log.append(second)
    store.runs["run-2"] = post("2017-09-14T08:01", "101", "x", "original", "en", ("coffee", "starbucks"))
    web.view.look()
    after = web.get("share?from=2017-09-14&to=2017-09-14")
    assert (after["total"], after["days"][0]["run"], rows(after)) == (1, "run-2", [("coffee", None, 1, 1.0, 1.0)])
    assert web.get(f"share?from=2017-09-14&to=2017-09-14&at={before['at']}") == before


def test_a_token_from_before_a_publication_is_answered_by_the_epoch(web: Web, store: Store) -> None:
    before = web.get("share?from=2017-09-15&to=2017-09-15")
    store.log.append(Publication(LIVE_DAY, 1, "run-9", datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC)))
    store.runs["run-9"] = []
    web.view.look()
    assert web.get("share?from=2017-09-15&to=2017-09-15")["total"] == 0
    assert web.get(f"share?from=2017-09-15&to=2017-09-15&at={before['at']}") == before


def test_an_answer_comes_as_csv(web: Web) -> None:
    response = web.client.get("/api/v1/share?from=2017-09-14&to=2017-09-14&format=csv")
    assert response.mimetype == "text/csv"
    assert response.headers["X-At"] == AT
    low, high = certain(2, 3)
    assert response.text == (
        "from,to,category,brand,n,total,share,mix,reposts,low,high,low_base,change,change_low,change_high,within_noise,covered\r\n"
        f"2017-09-14,2017-09-14,coffee,,2,3,0.6666666666666666,0.5,excluded,{low},{high},yes,,,,,\r\n"
        f"2017-09-14,2017-09-14,tea,,2,3,0.6666666666666666,0.5,excluded,{low},{high},yes,,,,,\r\n"
    )


def test_an_unchanged_answer_is_not_sent_again(web: Web) -> None:
    first = web.client.get("/api/v1/share?from=2017-09-14&to=2017-09-14")
    again = web.client.get(
        "/api/v1/share?from=2017-09-14&to=2017-09-14", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


def test_new_live_posts_show_after_the_next_look(web: Web, store: Store) -> None:
    assert web.get("share?from=2017-09-15&to=2017-09-15")["total"] == 2
    store.lives["e1"] += post("2017-09-15T12:34", "203", "x", "original", "en", ("beer", None))
    ended = batch(8, datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC), "2017-09-15T12")
    store.ended.append(replace(ended, ended_at=None))
    web.view.look()
    assert web.get("share?from=2017-09-15&to=2017-09-15")["total"] == 2
    store.ended[-1] = ended
    web.view.look()
    answer = web.get("share?from=2017-09-15&to=2017-09-15")
    assert (answer["total"], answer["freshness"]["until"]) == (3, "2017-09-15T12:34:56Z")


def test_numbers_of_an_epoch_that_is_not_current_do_not_count(web: Web, store: Store) -> None:
    store.rows[0] = replace(store.rows[0], status="building")
    web.view.look()
    answer = web.get("share?from=2017-09-14&to=2017-09-15")
    assert [day["layer"] for day in answer["days"]] == ["batch", "missing"]
    assert answer["freshness"] == SETTLED


@pytest.mark.parametrize("route", ["share", "trend", "days", "status", "posts"])
def test_the_calendars_last_day_is_a_day(web: Web, route: str) -> None:
    """Nothing answers for it, and no instant is behind it."""
    web.get(f"{route}?from=9999-12-30&to=9999-12-31")
    assert web.client.get("/?from=9999-12-31&to=9999-12-31").status_code == 200


@pytest.mark.parametrize(("asked", "meant"), [("EN", "en"), ("in", "id"), ("PT", "pt"), ("UND", "und")])
def test_a_language_is_known_by_every_spelling_of_its_tag(web: Web, asked: str, meant: str) -> None:
    """Posts have one spelling of each; another would find none of them."""
    path = "share?from=2017-09-14&to=2017-09-15&lang="
    assert web.get(path + asked) == web.get(path + meant)
    assert (web.get(path + asked)["total"] > 0) == (meant != "und")
