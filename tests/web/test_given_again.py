"""An answer that is given again is the answer that would be made: over routes, filters, instants and states."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drinkstream.coverage import LATE, Minute
from drinkstream.errors import UnavailableError
from drinkstream.merge import Publication
from tests.web.conftest import DAY, NOW, Clock, Store, Web, batch, post
from webapp.given import Answers, Given
from webapp.published import Published

RANGE = "from=2017-09-14&to=2017-09-16"
PATHS = (
    "/api/v1/share",
    "/api/v1/share?by=brand",
    f"/api/v1/share?{RANGE}",
    f"/api/v1/share?{RANGE}&by=brand&category=coffee",
    f"/api/v1/share?{RANGE}&reposts=include&source=x&lang=en",
    f"/api/v1/share?{RANGE}&kind=quote&format=csv",
    "/api/v1/share?as_of=2017-09-15T12:00:00Z",
    "/api/v1/share?brand=starbucks",
    "/api/v1/days",
    f"/api/v1/days?{RANGE}&category=tea",
    f"/api/v1/days?{RANGE}&format=csv",
    f"/api/v1/trend?{RANGE}",
    "/api/v1/trend?grain=hour",
    "/api/v1/trend?grain=minute&from=2017-09-15&to=2017-09-15&by=brand",
    "/api/v1/trend?last=60",
    "/api/v1/trend?last=60&format=csv",
    "/api/v1/share?from=2017-09-14&to=2017-09-14",
    "/api/v1/days?from=2017-09-13&to=2017-09-14",
    "/api/v1/trend?grain=hour&from=2017-09-14&to=2017-09-14",
    "/api/v1/status",
    "/numbers",
    f"/numbers?{RANGE}&category=coffee",
)

UNTIL = datetime(2017, 9, 15, 12, 33, tzinfo=UTC)
"""The end of the last minute that a feed tells of here."""

TURNS = {
    "the live layer's sign is no longer ahead": datetime(2017, 9, 15, 12, 33, 55, tzinfo=UTC),
    "the next minute": datetime(2017, 9, 15, 12, 35, tzinfo=UTC),
    "the store is called stale": NOW + timedelta(seconds=15),
    "the live layer is called quiet": datetime(2017, 9, 15, 12, 35, 55, tzinfo=UTC),
    "the feed's next minute is called lost": UNTIL + LATE,
    "the next day": datetime(2017, 9, 16, tzinfo=UTC),
}
"""The instants at which an answer changes though the state does not."""

AT_ONCE = ("the next day", "the live layer's sign is no longer ahead")
"""Those that an answer at the very instant has taken."""

TICK = timedelta(microseconds=1)


@pytest.mark.parametrize("path", PATHS)
def test_the_short_way_leads_to_the_same_response(web: Web, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers too; and it is taken by a GET only, which may name the answer that the browser has."""
    first = web.client.get(path)
    again = web.client.get(path)
    assert (again.status, again.data) == (first.status, first.data)
    assert sorted(name.lower() for name, _ in again.headers) == sorted(name.lower() for name, _ in first.headers)
    assert said(web, path) == anew(web, path)
    head = web.client.head(path)
    assert (head.data, head.headers.get("Content-Length")) == (b"", first.headers["Content-Length"])
    etag = first.headers["ETag"]
    names = (etag, f"W/{etag}", "*", f'"another", {etag}', '"another"', "none")
    short = [said(web, path, {"If-None-Match": name}) for name in names]
    assert [status for status, _, _ in short] == [304, 304, 304, 304, 200, 200]
    taken: list[bool] = []
    monkeypatch.setattr(Published, "known", lambda *_: None)
    monkeypatch.setattr(Answers, "known", lambda *_: taken.append(True))
    assert [said(web, path, {"If-None-Match": name}) for name in names] == short
    assert len(taken) == len(names)
    taken.clear()
    web.client.get(path, headers={"If-None-Match": etag, "If-Modified-Since": "Fri, 15 Sep 2017 12:00:00 GMT"})
    web.client.head(path)
    web.client.post(path)
    assert taken == []


@pytest.fixture
def fed(store: Store, web: Web) -> Web:
    """The application, with a feed that told of the live day."""
    store.feeds = [
        Minute("x", at, f"cluster/feed.status/0/{number}", 45_000, 10, 0, 0, 0)
        for number, at in enumerate((datetime(2017, 9, 15, 0, 5, tzinfo=UTC), UNTIL - timedelta(minutes=1)))
    ]
    # the thread looks once, at NOW, before this is answered
    web.get("share")
    return web


def said(web: Web, path: str, named: dict[str, str] | None = None) -> tuple[int, bytes, dict[str, str]]:
    """What the web answers to a GET with these headers."""
    response = web.client.get(path, headers=named)
    headers = {name: value for name, value in response.headers.items() if name != "Date"}
    return response.status_code, response.data, headers


def anew(web: Web, path: str) -> tuple[int, bytes, dict[str, str]]:
    """What it answers where nothing that was given before is looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Answers, "known", lambda *_: None)
        patch.setattr(Published, "known", lambda *_: None)
        patch.setattr(Answers, "get", lambda _, question, now, make, ahead: make())  # noqa: ARG005
        return said(web, path)


@pytest.mark.parametrize("path", PATHS)
def test_what_is_given_again_is_what_would_be_made(fed: Web, clock: Clock, path: str) -> None:
    """At once, and right before, at and right after each instant at which the clock alone changes an answer."""
    first = said(fed, path)
    assert first[0] == 200
    assert said(fed, path) == first == anew(fed, path)
    for turn in sorted(TURNS.values()):
        for now in (turn - TICK, turn, turn + TICK):
            clock.now = now
            assert said(fed, path) == anew(fed, path), now


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    path=st.sampled_from(PATHS),
    seconds=st.lists(st.one_of(st.integers(0, 200), st.floats(0, 43_200)), min_size=2, max_size=6),
)
def test_at_whatever_instants_it_is_asked(fed: Web, clock: Clock, path: str, seconds: list[float]) -> None:
    """In any order: a clock may be set back."""
    for passed in seconds:
        clock.now = NOW + timedelta(seconds=passed)
        assert said(fed, path) == anew(fed, path)


@pytest.mark.parametrize(("path", "turn"), [("/api/v1/share", turn) for turn in TURNS if turn != "the next minute"])
def test_the_instants_are_those_at_which_answers_change(fed: Web, clock: Clock, path: str, turn: str) -> None:
    """So the tests above would see an answer that is kept too long."""
    clock.now = TURNS[turn] - (TICK if turn in AT_ONCE else timedelta())
    before = said(fed, path)
    clock.now += TICK
    assert said(fed, path) != before


def test_a_new_state_is_seen_at_once(web: Web, store: Store) -> None:
    paths = ("share?from=2017-09-15&to=2017-09-15", "days?from=2017-09-15&to=2017-09-15", "trend?last=60")
    before = [web.get(path) for path in paths]
    store.lives["e1"] += post("2017-09-15T12:34", "203", "x", "original", "en", ("tea", None))
    store.ended.append(batch(8, datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC), "2017-09-15T12"))
    assert [web.get(path) for path in paths] == before
    web.view.look()
    after = [web.get(path) for path in paths]
    assert (before[0]["total"], after[0]["total"]) == (2, 3)
    assert (before[1]["total"], after[1]["total"]) == (2, 3)
    assert after[2]["totals"][-1] == before[2]["totals"][-1] + 1


def test_a_publication_and_its_rollback_are_seen_at_once(web: Web, store: Store) -> None:
    """Sums of published days are kept by their runs, so another run is another sum, and the first is right again."""
    totals = [web.get(f"share?{RANGE}")["total"]]
    store.runs["run-2"] = store.runs["run-1"] + post("2017-09-14T12:00", "106", "x", "original", "en", ("tea", None))
    for seq, run in ((2, "run-2"), (3, "run-1")):
        store.log.append(Publication(DAY, seq, run, NOW, "someone", "tried"))
        web.view.look()
        totals.append(web.get(f"share?{RANGE}")["total"])
    assert totals == [5, 6, 5]


def test_that_the_store_is_away_is_said_though_nothing_else_changed(web: Web, store: Store, clock: Clock) -> None:
    """At the next look that fails, and by the passing of time where no look ever ends."""
    assert web.get("share")["freshness"]["stale_since"] is None
    clock.now = NOW + timedelta(seconds=16)
    assert web.get("share")["freshness"]["stale_since"] == "2017-09-15T12:34:56Z"
    clock.now = NOW + timedelta(seconds=1)
    assert web.get("share")["freshness"]["stale_since"] is None
    store.away = True
    web.view.look()
    assert web.get("share")["freshness"]["stale_since"] == "2017-09-15T12:34:56Z"


def test_an_answer_with_something_unread_is_not_given_again(fed: Web, store: Store) -> None:
    store.away_for = "coverage_minutes"
    assert set(fed.get("trend?last=3")["covered"]) == {None}
    store.away_for = None
    assert fed.get("trend?last=3")["covered"] == [0.75, None, None]


def test_a_browser_that_has_the_answer_is_told_so_until_it_changes(web: Web, store: Store) -> None:
    first = web.client.get("/api/v1/share")
    named = {"If-None-Match": first.headers["ETag"]}
    same = web.client.get("/api/v1/share", headers=named)
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    store.lives["e1"] += post("2017-09-15T12:34", "203", "x", "original", "en", ("tea", None))
    store.ended.append(batch(8, datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC), "2017-09-15T12"))
    web.view.look()
    assert web.client.get("/api/v1/share", headers=named).status_code == 200


def given_of(size: int, until: datetime = NOW + timedelta(minutes=1)) -> Given:
    return Given(b"x" * size, (), until)


def refuse() -> Given:
    raise AssertionError("it was made again")


def test_memory_is_bounded_and_what_was_asked_for_longest_ago_goes_first() -> None:
    answers = Answers(10_000)
    for number in range(100):
        answers.get(number, NOW, lambda: given_of(1000))
        answers.get(0, NOW, lambda: given_of(1000))
        assert answers.nbytes <= 10_000
    assert answers.nbytes == 5 * given_of(1000).nbytes
    for number in (0, 99, 98, 97, 96):
        answers.get(number, NOW, refuse)
    answers.get("too large", NOW, lambda: given_of(20_000))
    assert answers.nbytes == 0


def test_a_state_takes_its_answers_with_it(web: Web) -> None:
    web.get("share")
    before = web.view.state().given
    web.view.look()
    assert (before.nbytes > 0, web.view.state().given.nbytes) == (True, 0)


def test_what_many_ask_at_once_is_made_once() -> None:
    answers, began, go_on = Answers(), Event(), Event()
    made: list[int] = []
    got: list[Given] = []

    def make() -> Given:
        made.append(1)
        began.set()
        assert go_on.wait(30)
        return given_of(10)

    threads = [Thread(target=lambda: got.append(answers.get("q", NOW, make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert began.wait(30)
    # another question does not wait for it
    assert answers.get("other", NOW, lambda: given_of(20)) == given_of(20)
    go_on.set()
    for thread in threads:
        thread.join()
    assert (len(made), got) == (1, [given_of(10)] * 8)


def test_what_is_often_asked_is_answered_by_the_next_state_before_anyone_asks(web: Web, store: Store) -> None:
    often, seldom = f"/api/v1/share?{RANGE}", "/api/v1/days"
    for path in (often, often, often, seldom):
        said(web, path)
    store.lives["e1"] += post("2017-09-15T12:34", "203", "x", "original", "en", ("tea", None))
    store.ended.append(batch(8, datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC), "2017-09-15T12"))
    web.view.look()
    given_before = web.view.state().given.nbytes
    answer = said(web, often)
    assert answer == anew(web, often)
    assert b'"total":6' in answer[1]
    assert 0 < given_before == web.view.state().given.nbytes
    said(web, seldom)
    assert web.view.state().given.nbytes > given_before


def test_what_the_next_state_cannot_answer_is_left_to_those_who_ask_again() -> None:
    before, after, asked = Answers(), Answers(), []

    def ahead(state: object, now: datetime) -> Given:
        asked.append((state, now))
        raise UnavailableError("the store is away")

    for _ in range(3):
        before.get("away", NOW, lambda: given_of(10), ahead)
        before.get("here", NOW, lambda: given_of(10), lambda _, now: given_of(20))  # noqa: ARG005
    after.answer_ahead(before, "state", lambda: NOW)
    assert asked == [("state", NOW)]
    assert after.get("here", NOW, refuse) == given_of(20)
    assert after.nbytes == given_of(20).nbytes


def test_a_new_state_is_not_kept_waiting_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.given.AHEAD_S", -1.0)
    before, after = Answers(), Answers()
    for _ in range(3):
        before.get("q", NOW, lambda: given_of(10), lambda *_: refuse())
    after.answer_ahead(before, "state", lambda: NOW)
    assert after.nbytes == 0


def test_a_question_that_ends_the_thread_does_not_end_the_next_one_too() -> None:
    before, after = Answers(), Answers()

    def broken(state: object, now: datetime) -> Given:
        raise ZeroDivisionError(f"{state} at {now}")

    for _ in range(3):
        before.get("q", NOW, lambda: given_of(10), broken)
    with pytest.raises(ZeroDivisionError):
        after.answer_ahead(before, "state", lambda: NOW)
    after.answer_ahead(before, "state", lambda: NOW)
    assert after.nbytes == 0


def _fails() -> Given:
    raise ValueError("no")


@pytest.mark.parametrize("make", [_fails, lambda: given_of(10, NOW)])
def test_neither_an_error_nor_what_is_right_for_an_instant_is_kept(make: Callable[[], Given]) -> None:
    answers = Answers()
    if make is _fails:
        with pytest.raises(ValueError, match="no"):
            answers.get("q", NOW, make)
    else:
        answers.get("q", NOW, make)
    assert answers.nbytes == 0
    assert answers.get("q", NOW, lambda: given_of(20)) == given_of(20)
