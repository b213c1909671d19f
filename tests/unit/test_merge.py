"""Which layer answers for a day, and the token that asks about the same state again."""

import base64
import json
import zlib
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.errors import BadInputError
from drinkstream.merge import Choice, Epoch, Publication, Snapshot, absence, choose, days_between, restore, snapshot

DAY, NEXT, BLIND = date(2017, 9, 14), date(2017, 9, 15), date(2017, 9, 16)
FIRST = Publication(DAY, 1, "run-1", datetime(2017, 9, 15, 3, tzinfo=UTC))
SECOND = Publication(DAY, 2, "run-2", datetime(2017, 9, 16, 3, tzinfo=UTC))
EPOCH = Epoch("e1", "m1", frozenset([BLIND]))


def test_a_published_day_is_answered_by_its_run_alone():
    state = snapshot([SECOND, FIRST], EPOCH)
    assert choose(DAY, state) == Choice(DAY, "batch", run="run-2")


def test_any_other_day_is_answered_by_the_epoch_if_it_can_and_is_else_missing():
    state = snapshot([FIRST], EPOCH)
    assert choose(NEXT, state) == Choice(NEXT, "speed", epoch="e1")
    assert choose(BLIND, state) == Choice(BLIND, "missing")
    assert choose(NEXT, snapshot([FIRST], None)) == Choice(NEXT, "missing")


def test_a_published_day_is_answered_though_the_epoch_is_blind_for_it():
    published = Publication(BLIND, 1, "run-3", FIRST.at)
    assert choose(BLIND, snapshot([published], EPOCH)) == Choice(BLIND, "batch", run="run-3")


def test_as_of_sees_what_was_published_then_and_no_live_numbers():
    state = snapshot([FIRST, SECOND], EPOCH, as_of=datetime(2017, 9, 15, 12, tzinfo=UTC))
    assert choose(DAY, state) == Choice(DAY, "batch", run="run-1")
    assert choose(NEXT, state) == Choice(NEXT, "missing")


def test_why_a_day_is_missing_is_said():
    now = snapshot([FIRST, SECOND], EPOCH)
    assert absence(BLIND, now, [FIRST, SECOND]) == "not published, and the live layer cannot answer for it"
    assert absence(NEXT, snapshot([], None), []) == "not published, and no live layer answers"
    early = datetime(2017, 9, 15, 2, 59, 59, 999_000, tzinfo=UTC)
    state = snapshot([SECOND, FIRST], EPOCH, early)
    assert absence(DAY, state, [SECOND, FIRST], early) == (
        "not published by 2017-09-15T02:59:59.999Z, first published at 2017-09-15T03:00:00Z"
    )
    assert absence(NEXT, state, [SECOND, FIRST], early) == "not published by 2017-09-15T02:59:59.999Z, nor since"


def test_a_rollback_is_a_new_entry_that_names_an_old_run():
    back = Publication(DAY, 3, "run-1", datetime(2017, 9, 17, tzinfo=UTC))
    assert choose(DAY, snapshot([FIRST, SECOND, back], None)).run == "run-1"


def test_a_token_brings_back_the_state_it_was_taken_from():
    then = snapshot([FIRST], EPOCH)
    assert restore(then.token, [FIRST, SECOND], {"e1": EPOCH, "e2": Epoch("e2", "m2")}) == then
    assert restore(Snapshot().token, [FIRST], {}) == Snapshot()


@pytest.mark.parametrize("token", ["", "x", "AAAA", "eJwrSS0uAQAEXQHB", "é", snapshot([SECOND], None).token])
def test_a_token_that_is_not_ours_or_names_what_is_gone_is_refused(token: str):
    with pytest.raises(BadInputError, match=r"^at: "):
        restore(token, [FIRST], {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
)


def token_of(state: str) -> str:
    return base64.urlsafe_b64encode(zlib.compress(state.encode(), 9)).decode().rstrip("=")


@pytest.mark.parametrize(
    "state", ["[[],1,[]]", "[{},1,[]]", "[1,1,[]]", "[true,1,[]]", "[" * 100_000, '{"a":' * 100_000]
)
def test_a_token_that_holds_something_else_is_refused(state: str):
    with pytest.raises(BadInputError, match=r"^at: not a token of an earlier answer"):
        restore(token_of(state), [FIRST], {"e1": EPOCH})


@given(st.lists(JSON, min_size=3, max_size=3) | JSON)
def test_whatever_json_a_token_holds_it_leads_to_a_state_or_is_refused(state: object):
    try:
        found = restore(token_of(json.dumps(state)), [FIRST], {"e1": EPOCH})
    except BadInputError:
        return
    assert set(found.publications.values()) <= {FIRST}
    assert found.epoch in (None, EPOCH)


def test_a_token_of_a_forgotten_epoch_is_refused():
    with pytest.raises(BadInputError, match="no longer kept"):
        restore(snapshot([], EPOCH).token, [], {})


def test_days_between_holds_both_ends():
    assert days_between(DAY, BLIND) == (DAY, NEXT, BLIND)
    assert days_between(NEXT, DAY) == ()
