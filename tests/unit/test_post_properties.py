"""What must hold of the parser for every line, also for those that nobody thought of."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drinkstream.post import Envelope, Notice, Post, Record, Rejected, Tombstone, day_of, envelopes, parse

NOW = 1_600_000_000_000
CLASSES = {Post: "post", Tombstone: "tombstone", Notice: "notice", Rejected: "rejected"}
# a busy machine is slow at drawing examples; that says nothing about the parser
thorough = settings(max_examples=200)
REASONS = {"encoding", "cut_off", "not_json", "shape", "id", "time", "too_deep"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
ids = st.one_of(
    st.integers(1, 2**63 + 9).map(str),
    st.integers(29_999_999_990, 30_000_000_010).map(str),
    st.integers(800_000_000_000_000_000, 1_300_000_000_000_000_000).map(str),
    st.integers(-5, 2**70),
    json_values,
)
texts = st.text(max_size=40) | st.sampled_from(["tea &amp; &#9749;", "RT @a: te…", "&#" + "1" * 5000])
times = st.sampled_from(
    [
        "2017-09-14T00:00:00.000Z",
        "Thu Sep 14 00:00:00 +0000 2017",
        "1970-01-01T00:00:00Z",
        "2099-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "Thu Xyz 99 00:00:00 +9999 0000",
    ]
)
languages = st.sampled_from(["en", "in", "und", "zh-cn", "a" * 40]) | st.text(max_size=6)
tags = st.fixed_dictionaries({"hashtags": st.lists(st.fixed_dictionaries({}, optional={"tag": texts, "text": texts}))})


def some(optional: dict[str, st.SearchStrategy[Any]], **always: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with all of `always` and any of `optional`, each of them now and then null or something else."""
    loose = {name: st.one_of(one, one, one, st.none(), json_values) for name, one in optional.items()}
    return st.deferred(lambda: st.fixed_dictionaries(always, optional=loose))  # deferred: its repr stays short


included = some({"note_tweet": some({"text": texts, "entities": tags}), "entities": tags}, id=ids, text=texts)
references = st.lists(
    some({"text": texts}, type=st.sampled_from(["retweeted", "quoted", "replied_to", "other"]), id=ids), max_size=3
)
tweets = some(
    {
        "created_at": times,
        "lang": languages,
        "edit_history_tweet_ids": st.lists(ids, max_size=3),
        "note_tweet": some({"text": texts, "entities": tags}),
        "referenced_tweets": references,
        "entities": tags,
        "geo": some({"place_id": texts}),
        "author_id": ids,
    },
    id=ids,
    text=texts,
)
statuses = some(
    {
        "id_str": ids,
        "full_text": texts,
        "created_at": times,
        "lang": languages,
        "extended_tweet": some({"full_text": texts, "entities": tags}),
        "retweeted_status": some({"text": texts, "extended_tweet": some({"full_text": texts})}),
        "quoted_status": included,
        "is_quote_status": st.booleans(),
        "in_reply_to_status_id": ids,
        "entities": tags,
        "place": some({"id": texts}),
        "edit_history": some({"initial_tweet_id": ids, "edit_tweet_ids": st.lists(ids, max_size=3)}),
        "data": json_values,
    },
    id=ids,
    text=texts,
)
targets = some({"id": ids, "id_str": ids, "up_to_status_id": ids, "withheld_in_countries": json_values})
events = st.dictionaries(
    st.sampled_from(["delete", "withheld", "scrub_geo", "tweet_edit", "user_delete", "drop"]),
    some({"tweet": targets, "user": targets, "up_to_tweet_id": ids, "withheld_in_countries": json_values}),
    max_size=2,
)
controls = st.one_of(
    st.fixed_dictionaries({"delete": st.fixed_dictionaries({"status": targets})}),
    st.dictionaries(
        st.sampled_from(["scrub_geo", "status_withheld", "user_withheld", "limit", "errors", "title", "meta", "event"]),
        targets | json_values,
        max_size=2,
    ),
    some({"created_at": times, "reason": texts}, id=ids, action=st.sampled_from(["delete", "scrub_geo", "other"])),
    st.fixed_dictionaries({"data": events}),
)
includes = some({"tweets": st.lists(included, max_size=3), "users": st.lists(some({}, id=ids), max_size=2)})
pages = some(
    {"includes": includes, "errors": json_values, "meta": json_values}, data=st.lists(tweets | json_values, max_size=4)
)
stream_lines = some({"includes": includes, "matching_rules": json_values}, data=tweets)
objects = st.one_of(stream_lines, stream_lines, statuses, statuses, tweets, controls, pages)


def dumped(found: Any, ascii_only: bool) -> bytes:
    return json.dumps(found, ensure_ascii=ascii_only).encode("utf-8", "replace")


lines = st.builds(dumped, objects, st.booleans())


def damaged(line: bytes, at: float, what: str, noise: bytes) -> bytes:
    """`line` with something done to it at the place `at` (a share of its length)."""
    i = int(at * len(line))
    match what:
        case "cut":
            return line[:i]
        case "overwrite":
            return line[:i] + noise + line[i + len(noise) :]
        case "insert":
            return line[:i] + noise + line[i:]
        case "drop":
            return line[:i] + line[i + max(1, len(noise)) :]
    return line + line[i:]


damaged_lines = st.builds(
    damaged,
    lines,
    st.floats(0, 1),
    st.sampled_from(["cut", "overwrite", "insert", "drop", "repeat"]),
    st.binary(max_size=6) | st.sampled_from([b"\\ud800", b"{", b'"', b"NaN", b"null,", b"9" * 40, b"\x00", b"\\"]),
)


def check_agreement(line: bytes, source: str = "x") -> None:
    """Collect and every later layer find the same in `line`, and none of it is a fault of ours."""
    sent = envelopes(line, source, NOW)
    assert sent
    for one in sent:
        found = parse(one.value, source, NOW)
        shape, _, detail = one.shape.partition(".")
        assert shape == CLASSES[type(found)]
        match found:
            case Post():
                assert (found.id, found.event_ms) == (one.id, one.event_ms)
                assert day_of(found.event_ms) == day_of(one.event_ms or 0)
                "".join([found.text, found.lang, found.place or "", *found.hashtags]).encode()
            case Tombstone():
                assert (found.id, found.action) == (one.id, detail)
                "".join(found.countries).encode()
            case Notice():
                assert (one.id, one.event_ms, found.kind) == (None, None, detail)
            case Rejected():
                assert (one.event_ms, found.reason) == (None, detail)
                assert found.reason in REASONS
                assert one.id is None or found.reason == "time"
        if not is_page(one.value):  # it may be one, if a page held pages
            again = envelopes(one.value, source, NOW)
            assert [e.value for e in again] == [one.value]  # a replay of what was archived changes nothing
    if not is_page(line):
        assert [e.value for e in sent] == [line]


def is_page(line: bytes) -> bool:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and isinstance(found.get("data"), list)


@thorough
@given(st.binary(max_size=200))
def test_any_bytes_are_something(line: bytes) -> None:
    """Noise is rejected with a reason, by both functions alike, and never as a fault of ours."""
    check_agreement(line)


@thorough
@given(lines)
def test_any_line_is_something(line: bytes) -> None:
    """Whatever stands in the known fields, both functions agree on class, id and time."""
    check_agreement(line)


@thorough
@given(damaged_lines)
def test_any_damaged_line_is_something(line: bytes) -> None:
    """A line that was cut, overwritten, repeated in part or spoilt in one byte."""
    check_agreement(line)


@thorough
@given(lines, st.data())
def test_a_line_cut_short_is_called_so(line: bytes, data: st.DataObject) -> None:
    """Every true beginning of an object, to the byte, is `cut_off`: an operator looks at the connection, not at X."""
    end = data.draw(st.integers(1, len(line) - 1))
    assert parse(line[:end], "x", NOW) == Rejected("cut_off")


def patient(line: bytes) -> Record:
    """What the second decoder makes of `line`: half a pair in a field that nobody reads keeps the first one off."""
    return parse(b'{"unread":"\\ud800",' + line[1:], "x", NOW)


@thorough
@given(st.one_of(stream_lines, statuses, tweets, controls), st.booleans())
def test_both_decoders_read_the_same(found: dict[str, Any], ascii_only: bool) -> None:
    """Which decoder stands a line is a matter of speed, never of meaning."""
    line = dumped(found or {"a": 1}, ascii_only)
    assert patient(line) == parse(line, "x", NOW)


@thorough
@given(pages, st.booleans())
def test_a_page_leaves_one_record_for_each_member(page: dict[str, Any], ascii_only: bool) -> None:
    """Members in their order, each an object of its own, then at most one notice; never less than one record."""
    if "text" in page:
        return
    sent = [json.loads(e.value) for e in envelopes(dumped(page, ascii_only), "x", NOW)]
    told = {name: page[name] for name in ("errors", "meta") if page.get(name) is not None}
    assert [one["data"] for one in sent[: len(page["data"])]] == page["data"]
    assert sent[len(page["data"]) :] == ([told] if told else [] if page["data"] else [page])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"x" * 10_000_000, Rejected("not_json")),
        (b"[" * 10_000_000, Rejected("too_deep")),
        (b"[]" * 5_000_000, Rejected("not_json")),
        (b'{"text":"' + b'\\"' * 5_000_000, Rejected("cut_off")),
        (b'{"a":"' + b"[\\" * 5_000_000, Rejected("not_json")),
        (b'{"id":' + b"1" * 10_000_000 + b"}", Rejected("shape")),
        (b'{"id":20,"text":"' + b"&#1" * 3_000_000 + b'"}', Rejected("time")),
        (b"\xe2\x98\x95" * 3_000_000 + b"\xe2", Rejected("encoding")),
        (b" " * 10_000_000, Notice("x", "keepalive")),
        (b"\x00" * 10_000_000, Rejected("encoding")),
    ],
    ids=["letters", "open", "pairs", "quotes", "backslashes", "digits", "entities", "cups", "spaces", "zeros"],
)
def test_ten_megabytes_cost_seconds_not_minutes(line: bytes, expected: Record) -> None:
    """No line makes the parser's time grow with the square of its length."""
    before = time.process_time()
    assert parse(line, "x", NOW) == expected
    assert [type(e) for e in envelopes(line, "x", NOW)] == [Envelope]
    assert time.process_time() - before < 10
