"""A run's rows may go only when nobody can be answered from it any more."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.merge import Publication, snapshot
from drinkstream.retention import Candidate, expiring, kept_for

DAY = date(2017, 9, 14)
NOW = datetime(2017, 12, 31, 12, tzinfo=UTC)
KEPT = timedelta(days=30)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def published(seq: int, run_id: str, days_ago: float) -> Publication:
    return Publication(DAY, seq, run_id, ago(days_ago))


OLD = Candidate("a", 0, ago(91), complete=True, audit_failed=False)
LOG = [published(1, "a", 90), published(2, "b", 60)]


def kept(run: Candidate, log: list[Publication]) -> str | None:
    return kept_for(run, log, NOW, KEPT)


def test_a_run_that_was_superseded_before_the_retention_may_go():
    assert kept(OLD, LOG) is None


def test_a_run_in_force_stays_however_old_it_is():
    assert kept(replace(OLD, run_id="b"), LOG) == "in force"
    # a rollback names it again
    assert kept(OLD, [*LOG, published(3, "a", 50)]) == "in force"


@pytest.mark.parametrize(("superseded", "why"), [(31, None), (29, "it was in force within")])
def test_a_run_stays_for_as_long_as_as_of_can_ask_about_it(superseded: float, why: str | None):
    log = [published(1, "a", 90), published(2, "b", superseded)]
    assert (kept(OLD, log) or "").startswith(why or "")
    assert (kept(OLD, log) is None) is (why is None)
    # though its own publication is older, a rollback to it was in force until later
    again = [published(1, "a", 90), published(2, "b", 80), published(3, "a", 70), published(4, "b", superseded)]
    assert (kept(OLD, again) is None) is (why is None)


def test_a_run_that_may_still_be_published_stays():
    waiting = Candidate("c", 2, ago(50), complete=True, audit_failed=False)
    assert kept(waiting, LOG) == "it may await its audit, an approval or its publication"
    assert kept(Candidate("first", 0, ago(50), complete=True, audit_failed=False), []) is not None
    # its seq was taken by another, so it can never be published
    assert kept(waiting, [*LOG, published(3, "d", 40)]) is None


def test_a_run_that_failed_its_audit_may_go_at_once():
    assert kept(Candidate("c", 2, ago(0.1), complete=True, audit_failed=True), LOG) is None


@pytest.mark.parametrize(("age", "why"), [(1.9, "its attempt may still run"), (2.1, None)])
def test_an_unfinished_run_may_go_once_no_attempt_can_be_writing_it(age: float, why: str | None):
    assert kept(Candidate("c", 2, ago(age), complete=False, audit_failed=False), LOG) == why


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 90)), min_size=1, max_size=6),
    st.floats(0, 30),
)
def test_no_run_that_as_of_shows_is_ever_dropped(history: list[tuple[str, float]], back: float):
    """Whatever the log: the run in force at any moment of the retention stays."""
    moments = sorted((days for _, days in history), reverse=True)
    log = [published(n, run, days) for n, ((run, _), days) in enumerate(zip(history, moments, strict=True), 1)]
    for run in "abc":
        may_go = kept(Candidate(run, 0, ago(91), complete=True, audit_failed=False), log) is None
        shown = snapshot(log, None, ago(back)).publications.get(DAY)
        assert not (may_go and shown is not None and shown.run_id == run)


def test_days_whose_first_rows_are_about_to_expire_are_no_longer_answered_for():
    touched = {"2017-09-14T08": ago(34), "2017-09-14T09": NOW, "2017-09-15T00": NOW - timedelta(days=33, hours=23)}
    assert expiring(touched, NOW, timedelta(days=35)) == frozenset([date(2017, 9, 14)])
