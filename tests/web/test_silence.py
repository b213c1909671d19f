"""Where nobody has counted yet there are holes and no zeros: behind a micro-batch that never ended, in a backlog."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.web.conftest import NOW, Clock, Store, Web, batch, epoch, post

LAST_THREE = "trend?grain=minute&last=3"
SINCE = "2017-09-15T12:34:50Z"


def minutes(web: Web) -> tuple[list[int | None], str | None, str | None]:
    """The denominators of the last three minutes, and since when it is quiet, or how far it has come."""
    answer = web.get(LAST_THREE)
    return answer["totals"], answer["freshness"]["quiet_since"], answer["freshness"]["reached"]


def test_behind_a_micro_batch_that_never_ended_the_layer_is_quiet(web: Web, store: Store, clock: Clock) -> None:
    """Also for a web that started after it: it began, and nobody knows of more."""
    store.ended = [batch(7, None)]
    clock.now = NOW + timedelta(seconds=90)
    assert minutes(web) == ([1, None, None], SINCE, None)
    assert "live layer quiet since" in web.client.get("/").text
    store.ended = [batch(7, clock.now, "2017-09-15T12")]
    web.view.look()
    assert minutes(web)[1] is None


def test_an_epoch_that_never_began_a_micro_batch_is_quiet_since_its_start(web: Web, store: Store) -> None:
    store.ended = []
    assert web.get("status")["live"]["quiet_since"] == "2017-09-15T00:00:00Z"


def test_a_sign_ahead_of_a_clock_that_was_set_back_is_none(web: Web, store: Store, clock: Clock) -> None:
    """It is not known whether anything moved since, until a micro-batch ends by the clock as it is."""
    clock.now = NOW - timedelta(minutes=50)
    assert minutes(web)[1] == "2017-09-15T12:34:55Z"
    assert "live layer quiet since" in web.client.get("/").text
    store.ended.append(replace(batch(8, clock.now), started_at=clock.now - timedelta(seconds=1)))
    web.view.look()
    assert minutes(web)[1] is None


def test_while_a_backlog_is_worked_off_what_is_not_reached_is_a_hole(web: Web, store: Store, clock: Clock) -> None:
    """From the first micro-batch behind a silence on, of which nothing is measured at first, until it has caught up."""
    assert minutes(web) == ([0, 0, 1], None, None)

    def ends(number: int, reached: datetime | None) -> tuple[list[int | None], str | None, str | None]:
        """The minutes, once a micro-batch that began just now has ended, and has come so far."""
        began = clock.now - timedelta(seconds=2)
        hits = None if reached is None else 3
        done = replace(batch(number, clock.now, "2017-09-15T12"), started_at=began, append_to=reached, hits=hits)
        store.ended = [one for one in store.ended if one.batch_id != number] + [done]
        web.view.look()
        return minutes(web)

    clock.now = NOW + timedelta(minutes=10)
    assert ends(8, None) == ([None, None, None], None, "2017-09-15T12:34:55Z")
    assert "works off a backlog" not in web.client.get("/").text  # which nobody knows yet
    assert ends(8, NOW + timedelta(minutes=7)) == ([None, None, None], None, "2017-09-15T12:41:56Z")
    assert "has come to 2017-09-15 12:41:56 UTC" in web.client.get("/").text
    clock.now += timedelta(seconds=5)
    assert ends(9, clock.now - timedelta(seconds=62 + 2)) == ([0, None, None], None, "2017-09-15T12:43:57Z")
    clock.now += timedelta(seconds=5)
    # it is not known yet how far it came: no further than the one before, at least
    assert ends(10, None) == ([0, None, None], None, "2017-09-15T12:43:57Z")
    assert ends(10, clock.now - timedelta(seconds=3)) == ([0, 0, 0], None, None)
    clock.now += timedelta(minutes=5)
    assert ends(11, None)[2] is not None
    store.ended[-1] = replace(store.ended[-1], hits=0)  # of what came, nothing named a drink
    web.view.look()
    assert minutes(web) == ([0, 0, 0], None, None)


@pytest.mark.parametrize("last", ["2017-09-17", "2017-09-18"])
def test_a_day_that_nobody_has_come_to_is_no_zero(web: Web, store: Store, clock: Clock, last: str) -> None:
    """It lies wholly within the silence, or has not begun: of a trend's day as of a share's."""
    store.rows = [epoch("e1", "current")]
    clock.now = datetime(2017, 9, 17, 12, tzinfo=UTC)
    web.view.look()
    share = web.get(f"share?from=2017-09-15&to={last}")
    told = [(day["layer"], day["n"], day["reason"] is None) for day in share["days"]]
    assert told[:2] == [("speed", 2, True), ("speed", None, False)]
    assert {n for _, n, _ in told[1:]} == {None}
    assert share["total"] == 2
    assert web.get(f"trend?from=2017-09-15&to={last}")["totals"] == [2, *[None] * (len(told) - 1)]
    alone = web.get(f"share?from=2017-09-16&to={last}")
    assert (alone["total"], alone["before"]) == (None, None)
    assert web.get(f"status?from=2017-09-15&to={last}")["days"] == {"batch": 0, "speed": 1, "missing": len(told) - 1}
    page = web.client.get(f"/?from=2017-09-15&to={last}").text
    assert "2017-09-16: not counted yet" in page
    begun = f"2 of {len(told)} days are not counted yet: the live layer has not come so far"
    ahead = "; 1 of 4 days have not begun" if last == "2017-09-18" else ""
    assert f"{begun}{ahead}, and nothing is counted in their place." in page
    reasons = [day["reason"] for day in share["days"]][3:]
    assert reasons == (["not begun"] if last == "2017-09-18" else [])
    assert ("2017-09-18: not begun" in page) == bool(ahead)
    assert "2<small> missing</small>" in page
    assert ("1<small> not begun</small>" in page, "2 missing, 1 not begun" in page) == (bool(ahead), bool(ahead))
    layers = re.findall(r'<span class="key (\w+)"></span> ([^<]+)</td>', page)
    assert layers == [("speed", "live"), *[("missing", "–")] * (len(told) - 1)]


def test_a_live_day_that_was_looked_at_is_a_zero(web: Web, store: Store, clock: Clock) -> None:
    store.rows = [epoch("e1", "current")]
    clock.now = datetime(2017, 9, 16, 0, 0, 30, tzinfo=UTC)
    store.ended.append(replace(batch(8, clock.now), started_at=clock.now - timedelta(seconds=1)))
    web.view.look()
    assert web.get("share?from=2017-09-16&to=2017-09-16")["days"][0]["n"] == 0
    assert date(2017, 9, 16) not in web.view.state().days


@pytest.mark.parametrize(
    ("narrowed", "by", "total", "n"),
    [
        ("", "category", 1, 1),
        ("", "brand", 0, 1),
        ("&category=tea", "category", 1, 0),
        ("&category=tea", "brand", 0, 0),
        ("&lang=fr", "category", None, None),
        ("&source=demo", "brand", None, None),
        ("&brand=starbucks", "category", None, None),
    ],
)
def test_a_post_of_tomorrow_is_a_count_in_all_answers_or_in_none(
    web: Web, store: Store, clock: Clock, narrowed: str, by: str, total: int | None, n: int | None
) -> None:
    """It is in sight where a share of what is asked for may divide by it; else nobody has looked at that day yet."""
    store.rows = [epoch("e1", "current")]
    store.lives["e1"] += post("2017-09-16T00:10", "203", "x", "original", "en", ("coffee", None))
    clock.now = datetime(2017, 9, 15, 23, 50, tzinfo=UTC)
    question = f"from=2017-09-16&to=2017-09-16{narrowed}"
    share = web.get(f"share?{question}&by={by}")
    assert (share["total"], share["days"][0]["n"], share["low_base"]) == (total, total, None if total is None else True)
    for grain, first in (("day", 0), ("hour", 0), ("minute", 10)):
        trend = web.get(f"trend?{question}&by={by}&grain={grain}")
        assert (trend["totals"][first], trend["days"][0]["n"]) == (total, total)
        assert {*trend["totals"][:first], *trend["totals"][first + 1 :]} <= {None}
    for path in ("posts", "days"):
        answer = web.get(f"{path}?{question}")
        assert (answer["total"], answer["days"][0]["n"]) == (n, n)
    for period in ("2017-09-16T00", "2017-09-16T00:10"):
        assert web.get(f"posts?period={period}{narrowed}")["total"] == n
    status = web.get(f"status?{question}")
    assert (status["total"], status["days"]["speed"]) == (n, 0 if n is None else 1)
