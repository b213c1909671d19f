"""Answers about no live day outlive the states: they are given again as long as they would come out the same."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from drinkstream.coverage import LATE, Minute
from drinkstream.merge import Publication
from tests.web.conftest import DAY, NOW, Clock, Store, Web, batch, post
from tests.web.test_given_again import TICK, anew, said
from webapp import answers
from webapp.basis import Basis
from webapp.given import Given
from webapp.published import Published, rests_on
from webapp.query import SHARE, Asked
from webapp.serving import answered_at, serving

BEFORE = date(2017, 9, 13)
SETTLED = (
    "/api/v1/share?from=2017-09-14&to=2017-09-14",
    "/api/v1/share?from=2017-09-13&to=2017-09-14&by=brand&reposts=include",
    "/api/v1/days?from=2017-09-12&to=2017-09-14",
    "/api/v1/trend?from=2017-09-13&to=2017-09-14&grain=hour&format=csv",
)
"""About published days, or such that nothing answers for."""

MOVING = (
    "/api/v1/share",
    "/api/v1/share?from=2017-09-14&to=2017-09-15",
    "/api/v1/trend?last=60",
    "/api/v1/share?as_of=2017-09-15T12:00:00Z",
)


@pytest.fixture
def store(store: Store) -> Store:
    """Two published days beside the live one; of the day before them nothing is known, since the epoch is blind."""
    store.runs["run-0"] = post("2017-09-13T08:00", "90", "x", "original", "en", ("tea", None))
    store.log.insert(0, Publication(BEFORE, 1, "run-0", datetime(2017, 9, 14, 2, 30, tzinfo=UTC), "nightly_share", ""))
    blind = store.rows[0].blind_days | {date(2017, 9, 11), date(2017, 9, 12)}
    store.rows[0] = replace(store.rows[0], blind_days=blind)
    store.feeds = [
        Minute("x", datetime(2017, 9, 14, 23, 59, tzinfo=UTC), "cluster/feed.status/0/0", 45_000, 10, 0, 0, 0)
    ]
    return store


@pytest.fixture
def made(web: Web, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The days of every share that is worked out."""
    web.get("status")  # the first look
    found: list[str] = []
    share = answers.share

    def counted(asked: Asked, base: Basis) -> dict[str, object]:
        found.append(f"{base.days[0].choice.day} to {base.days[-1].choice.day}")
        return share(asked, base)

    monkeypatch.setattr(answers, "share", counted)
    return found


def drink(store: Store) -> None:
    """One more live post, in a micro-batch of its own."""
    number = 100 + len(store.ended)
    store.lives["e1"] += post("2017-09-15T12:34", f"3{number}", "x", "original", "en", ("tea", None))
    ended = datetime(2017, 9, 15, 12, 34, 56, number, tzinfo=UTC)
    store.ended.append(batch(number, ended, "2017-09-15T12"))


def drinks(web: Web) -> int:
    """The posts of the live day."""
    return web.get("share?from=2017-09-15&to=2017-09-15")["total"]


def test_another_post_changes_no_published_day(web: Web, store: Store, made: list[str]) -> None:
    """So nothing about it is worked out anew, and a browser that has it is told so."""
    first = [said(web, path) for path in SETTLED[:2]]
    assert made == ["2017-09-14 to 2017-09-14", "2017-09-13 to 2017-09-14"]
    for _ in range(3):
        drink(store)
        web.view.look()
        assert [said(web, path) for path in SETTLED[:2]] == first
        named = {"If-None-Match": first[0][2]["ETag"]}
        assert said(web, SETTLED[0], named)[0] == 304
    assert len(made) == 2
    assert web.get("share?from=2017-09-14&to=2017-09-15")["total"] == 3 + 2 + 3
    assert len(made) == 3


def test_a_run_that_stays_after_all_is_seen_though_no_publication_changed(web: Web, store: Store) -> None:
    """Maintenance was about to drop it when it came into force, and makes it complete again."""
    path = SETTLED[0].removeprefix("/api/v1/")
    store.runs["run-2"], store.status = store.runs["run-1"], {"run-2": "dropping"}
    store.log.append(Publication(DAY, 2, "run-2", NOW, "someone", "back to it"))
    assert web.get(path)["total"] is None
    store.status = {}
    web.view.look()
    assert web.get(path)["total"] == 3


def publish(store: Store, clock: Clock, number: int) -> None:
    """Another run of the published day comes into force; or an earlier one does again."""
    run = f"run-{1 + number % 3}"
    more = post("2017-09-14T12:00", str(400 + number), "x", "original", "en", ("wine", None))
    store.runs.setdefault(run, store.runs["run-1"] + more)
    store.log.append(Publication(DAY, len(store.log), run, clock.now, "someone", f"try {number}"))


def wait(store: Store, number: int) -> None:
    """Records came for the published day since its run."""
    store.waiting = {"2017-09-14": number}


def tell(store: Store, number: int) -> None:
    """A line of the feed comes late, and tells of the published day."""
    at = datetime(2017, 9, 14, 12, number % 60, tzinfo=UTC)
    store.feeds.append(Minute("x", at, f"cluster/feed.status/0/{len(store.feeds)}", 60_000, number, 0, 0, 0))


def drop(store: Store, number: int) -> None:
    """Maintenance is about to drop a run, which may come into force nevertheless; or it has found that it must not."""
    store.status = {f"run-{1 + number % 3}": "dropping"} if number % 2 else {}


def leave(store: Store, number: int) -> None:
    """The store goes away, or comes back."""
    store.away = bool(number % 2)


EVENTS: dict[str, Callable[[Store, Clock, int], None]] = {
    "a post": lambda store, *_: drink(store),
    "a publication": publish,
    "pending records": lambda store, _, number: wait(store, number),
    "a late line": lambda store, _, number: tell(store, number),
    "a run being dropped": lambda store, _, number: drop(store, number),
    "the store": lambda store, _, number: leave(store, number),
    "nothing": lambda *_: None,
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    path=st.sampled_from(SETTLED + MOVING),
    events=st.lists(
        st.tuples(st.sampled_from(sorted(EVENTS)), st.integers(0, 9), st.integers(0, 40_000)), min_size=1, max_size=6
    ),
)
def test_whatever_happens_it_is_what_would_be_made(
    web: Web, store: Store, clock: Clock, path: str, events: list[tuple[str, int, int]]
) -> None:
    """Asked before and after every look, in whatever order things happen."""
    store.away, store.status, clock.now = False, {}, NOW
    web.view.look()  # what came while the store was away at the end of another example
    for event, number, passed in events:
        said(web, path)
        before = drinks(web)
        clock.now += timedelta(seconds=passed)
        EVENTS[event](store, clock, number)
        if not store.away:
            web.pending.look()
        web.view.look()
        assert said(web, path) == anew(web, path), event
        if event == "a post" and not store.away:
            assert drinks(web) == before + 1


def asked(web: Web, now: datetime, **given: str) -> Basis:
    """What a question is answered from at an instant."""
    return answered_at(serving(web.client.application), web.view.state(), now, SHARE, MultiDict(given))[1]


@pytest.mark.parametrize(
    ("first", "last", "now", "days"),
    [
        ("2017-09-14", "2017-09-14", NOW, ["2017-09-13", "2017-09-14"]),
        # the day before both is missing, and stays it
        ("2017-09-13", "2017-09-14", NOW, ["2017-09-11", "2017-09-12", "2017-09-13", "2017-09-14"]),
        ("2017-09-14", "2017-09-15", NOW, None),
        ("2017-09-15", "2017-09-15", NOW, None),
        # a line about the last minute of the day may still be on its way
        ("2017-09-14", "2017-09-14", datetime(2017, 9, 15, tzinfo=UTC) + LATE - TICK, None),
        ("2017-09-14", "2017-09-14", datetime(2017, 9, 15, tzinfo=UTC) + LATE, ["2017-09-13", "2017-09-14"]),
    ],
)
def test_an_answer_rests_on_its_days_and_those_that_it_is_compared_with(
    web: Web, clock: Clock, first: str, last: str, now: datetime, days: list[str] | None
) -> None:
    clock.now = now
    web.get("status")
    found = rests_on(asked(web, now, **{"from": first, "to": last}))
    assert (None if found is None else [str(day) for day in found]) == days


def test_one_that_is_about_another_state_or_a_stale_store_is_not_kept(web: Web, store: Store, clock: Clock) -> None:
    web.get("status")
    days = {"from": "2017-09-14", "to": "2017-09-14"}
    assert rests_on(asked(web, NOW, **days, as_of="2017-09-15T12:00:00Z")) is None
    assert rests_on(asked(web, NOW + timedelta(seconds=15, microseconds=1), **days)) is None
    store.away = True
    web.view.look()
    assert rests_on(asked(web, NOW, **days)) is None
    assert clock.now == NOW


def test_memory_is_bounded_and_what_was_asked_for_longest_ago_goes_first(web: Web) -> None:
    web.get("status")
    base = asked(web, NOW, **{"from": "2017-09-14", "to": "2017-09-14"})
    kept = Published(10_000)
    for number in range(100):
        kept.keep(number, Given(b"x" * 1000, (), NOW), base)
        assert kept.known(0, base.state, NOW) is not None
        assert kept.nbytes <= 10_000
    assert kept.known(99, base.state, NOW) is not None and kept.known(50, base.state, NOW) is None
    kept.keep(99, Given(b"y", (), NOW), base)
    assert kept.known(99, base.state, NOW).body == b"y"  # type: ignore[union-attr]
