"""A token of an epoch that has ended: its numbers while all of them are kept, holes behind its end, at last a hole."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.web.conftest import NOW, Clock, Store, Web, batch, epoch, post

TEN = datetime(2017, 9, 15, 10, tzinfo=UTC)
ONE_DAY = "from=2017-09-15&to=2017-09-15"
LIMIT = datetime(2017, 10, 19, tzinfo=UTC)
"""34 days after the first hour of e1 was first written: its rows live for 35."""


@pytest.fixture
def at(web: Web, store: Store, clock: Clock) -> str:
    """The token of an answer at 09:59; at 10:00 another epoch took over, and counts on. It is 12:34:56."""
    clock.now = TEN - timedelta(minutes=1)
    store.lives["e1"] = [
        *post("2017-09-15T00:05", "201", "x", "original", "en", ("coffee", None)),
        *post("2017-09-15T08:10", "202", "demo", "quote", "pt", ("water", "perrier")),
    ]
    last_batch(store, clock.now)
    before = web.get(f"share?{ONE_DAY}")
    assert (before["total"], before["days"][0]["epoch"], before["freshness"]["until"]) == (
        2,
        "e1",
        "2017-09-15T09:59:00Z",
    )
    store.lives["e2"] = post("2017-09-15T11:00", "301", "x", "original", "en", ("milk", None))
    store.rows = [epoch("e2", "current"), epoch("e1", "retired", retired_at=TEN)]
    clock.now = NOW
    web.view.look()
    return before["at"]


def last_batch(store: Store, when: datetime) -> None:
    """The only micro-batch of which there is a record began and ended at this instant."""
    store.ended = [replace(batch(7, when), started_at=when)]


def numbers(web: Web, at: str) -> tuple[object, ...]:
    """Layer and number of the day by share, its numbers by day and by hour, the ids behind them."""
    share = web.get(f"share?{ONE_DAY}&at={at}")
    by_day, by_hour = (web.get(f"trend?grain={grain}&{ONE_DAY}&at={at}")["totals"] for grain in ("day", "hour"))
    listed = web.get(f"posts?{ONE_DAY}&at={at}")
    assert (listed["total"], listed["days"]) == (share["total"], share["days"])
    return share["days"][0]["layer"], share["total"], by_day, by_hour, listed["ids"]


def hours(*known: int) -> list[int | None]:
    """24 hours, of which the first are known."""
    return [*known, *[None] * (24 - len(known))]


UNTIL_TEN = "speed", 2, [2], hours(1, 0, 0, 0, 0, 0, 0, 0, 1, 0), ["x:201", "demo:202"]
MISSING = "missing", None, [None], hours(), []


def test_behind_its_end_there_are_holes_and_nothing_is_called_live(web: Web, at: str) -> None:
    """Though the epoch that counts now has got further."""
    assert numbers(web, at) == UNTIL_TEN
    assert web.get(f"share?{ONE_DAY}&at={at}")["freshness"] == {
        "until": None,
        "hours_behind": None,
        "quiet_since": None,
        "reached": None,
        "stale_since": None,
    }
    assert web.get(f"share?{ONE_DAY}")["freshness"]["until"] == "2017-09-15T09:59:00Z"


@pytest.mark.parametrize(
    ("ended", "seen"),
    [
        (datetime(2017, 9, 15, 6, 30, tzinfo=UTC), hours(1, 0, 0, 0, 0, 0, 0, None, 1)),
        (datetime(2017, 9, 15, 10, 0, 1, tzinfo=UTC), hours(1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0)),
    ],
)
def test_it_ends_where_it_counted_last_and_not_after_it_was_retired(
    web: Web, store: Store, at: str, ended: datetime, seen: list[int | None]
) -> None:
    """Its process may have been gone for hours when another took its place. A post whose clock is ahead stays."""
    last_batch(store, ended)
    assert web.get(f"trend?grain=hour&{ONE_DAY}&at={at}")["totals"] == seen


def test_a_day_that_it_never_saw_is_missing(web: Web, at: str) -> None:
    (day,) = web.get(f"share?from=2017-09-17&to=2017-09-17&at={at}")["days"]
    assert (day["layer"], day["n"], day["reason"]) == (
        "missing",
        None,
        "epoch e1 answered, and cannot answer for it any more",
    )


@pytest.mark.parametrize("asked_before", [True, False])
def test_before_the_first_of_its_rows_expires_the_day_is_missing(
    web: Web, store: Store, clock: Clock, at: str, asked_before: bool
) -> None:
    """Rows expire one by one, so that a day would count less and less; whatever the process had read before."""
    clock.now = LIMIT - timedelta(microseconds=1)
    web.view.look()
    if asked_before:
        assert numbers(web, at) == UNTIL_TEN
    clock.now = LIMIT
    assert numbers(web, at) == MISSING
    clock.now = LIMIT + timedelta(days=2)
    store.lives["e1"] = [cell for cell in store.lives["e1"] if cell.hour != "2017-09-15T00"]
    web.view.look()
    assert numbers(web, at) == MISSING


def test_an_epoch_that_lost_rows_answers_no_more(web: Web, store: Store, at: str) -> None:
    """Its watermark dropped some, and nobody knows of which days."""
    store.rows = [epoch("e2", "current"), epoch("e1", "dropped")]
    web.view.look()
    assert numbers(web, at) == MISSING


def test_what_is_known_of_its_end_is_read_once(web: Web, store: Store, at: str) -> None:
    numbers(web, at)
    assert [one for one in store.asked if one.startswith("touched")] == ["touched e1"]


def test_published_days_of_its_token_need_nothing_of_it(web: Web, store: Store, at: str) -> None:
    store.away = True
    assert web.get(f"days?from=2017-09-14&to=2017-09-14&at={at}")["total"] == 3
