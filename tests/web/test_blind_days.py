"""Days that the live epoch cannot answer for: the web process neither reads their hours nor keeps them."""

from datetime import UTC, date, datetime

import pytest

from tests.web.conftest import BLIND, DAY, LIVE, Clock, Store, Web, batch, epoch, post

MIDDAY = datetime(2017, 9, 16, 12, tzinfo=UTC)


@pytest.fixture
def store(store: Store) -> Store:
    """The epoch has cells of the day that it cannot answer for, too: of some hours that were touched since."""
    store.lives["e1"] += post("2017-09-16T07:00", "401", "x", "original", "en", ("tea", None))
    return store


def read(store: Store) -> set[str]:
    """The hours of the live epoch that were read."""
    return {hour for one in store.asked if one.startswith("speed_counts") for hour in one.split()[2:]}


def kept(web: Web) -> tuple[set[date], set[str]]:
    """The live days and hours in memory."""
    live = web.view.state().live
    assert live is not None
    return set(live.days), set(live.hours)


def data(web: Web) -> object:
    return web.get("status")["data"]


def test_after_a_start_only_the_hours_that_it_answers_for_are_read(web: Web, store: Store) -> None:
    """An epoch that is months old has touched thousands of hours; the first look would read them all."""
    web.get("share")
    assert read(store) == {"2017-09-15T00", "2017-09-15T12"}
    assert kept(web) == ({LIVE}, read(store))
    assert data(web) == [{"from": "2017-09-14", "to": "2017-09-15"}]


def test_a_micro_batch_that_touches_such_a_day_has_only_its_other_hours_read(web: Web, store: Store) -> None:
    web.get("share")
    store.asked.clear()
    ended = datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC)
    store.ended.append(batch(8, ended, "2017-09-15T12", "2017-09-16T07"))
    web.view.look()
    assert read(store) == {"2017-09-15T12"}
    live = web.get("status")["live"]
    assert isinstance(live, dict)
    assert (live["last_batch"]["id"], live["hours_behind"], live["until"]) == (8, 0, "2017-09-15T12:34:56Z")


def test_a_day_that_it_can_answer_for_no_longer_is_let_go_of(web: Web, store: Store, clock: Clock) -> None:
    """As its rows near their end; what was not read of it yet is not read any more."""
    before = web.get(f"share?from={LIVE}&to={LIVE}")
    assert (before["total"], kept(web)[0]) == (2, {LIVE})
    store.away_for = "speed_counts"
    clock.now = MIDDAY
    store.ended.append(batch(8, datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC), "2017-09-15T12"))
    assert web.view.look() is False
    store.away_for = None
    store.rows = [epoch("e1", "current", frozenset([LIVE, BLIND]))]
    store.asked.clear()
    web.view.look()
    assert (kept(web), read(store)) == ((set(), set()), set())
    assert data(web) == [{"from": str(DAY), "to": str(DAY)}]
    for question in ("", f"&at={before['at']}"):
        (day,) = web.get(f"share?from={LIVE}&to={LIVE}{question}")["days"]
        assert (day["layer"], day["n"]) == ("missing", None)
        assert web.get(f"trend?grain=hour&from={LIVE}&to={LIVE}{question}")["totals"] == [None] * 24
        assert web.get(f"posts?from={LIVE}&to={LIVE}{question}")["ids"] == []
