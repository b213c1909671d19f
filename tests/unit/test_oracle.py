"""The oracle on cases small enough to be worked out by hand, and its independence of the program.

The parser is held against it here too: both were written from the design, in different ways, and must read alike.
"""

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drinkstream import post as program
from tests.lib import oracle
from tests.lib.oracle import Cell, Record

LIB = Path(oracle.__file__).parent
NOW = 1_600_000_000_000
DAY = "2017-09-14"
FIRST, SECOND, THIRD = "908130000000000000", "908130005000000000", "908130500000000000"
# 00:47:18.896, 00:47:20.088 and 00:49:18.105 of that day

PHRASES = {
    "flat white please": {("coffee", None)},
    "a latte from starbucks": {("coffee", "starbucks"), (None, "starbucks")},
    "starbucks gift card": {(None, "starbucks")},
    "beer then tea": {("beer", None), ("tea", None)},
    "good morning": set(),
}


def record(text: str, version: str = FIRST, *, at: int = 0, append_ms: int = NOW, **fields: Any) -> Record:
    """A v2 line at offset `at` of partition 0."""
    data = {"id": version, "text": text, "lang": "en", **fields}
    return Record(json.dumps({"data": data}).encode(), "x", append_ms, 0, at)


def control(at: int = 9, **line: Any) -> Record:
    return Record(json.dumps(line).encode(), "x", NOW, 0, at)


def cell(category: str, brand: str = "", minute: str = "00:47", kind: str = "original", lang: str = "en") -> Cell:
    return (DAY, minute, "x", category, brand, kind, lang)


def test_the_oracle_shares_nothing_with_the_program() -> None:
    """Neither in the imports of its two files, nor in what is loaded when they are."""
    for name in ("oracle.py", "oracle_wire.py"):
        tree = ast.parse((LIB / name).read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        others = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
        assert others == ({"tests.lib.oracle_wire"} if name == "oracle.py" else set())
    script = "import sys, tests.lib.oracle; print([m for m in sys.modules if 'drinkstream' in m])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=LIB.parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_levels_of_one_post() -> None:
    """Each once, however often the thing is named; a brand without a drink counts under no drink."""
    assert oracle.speed([record("a latte from starbucks")], PHRASES.get) == {
        cell("*"): {FIRST},
        cell("coffee"): {FIRST},
        cell("coffee", "starbucks"): {FIRST},
        cell("*", "starbucks"): {FIRST},
        cell("*", "*"): {FIRST},
    }
    assert oracle.speed([record("starbucks gift card")], PHRASES.get) == {
        cell("*", "starbucks"): {FIRST},
        cell("*", "*"): {FIRST},
    }
    assert oracle.speed([record("good morning"), record("no phrase of ours")], PHRASES.get) == {}


def test_two_drinks_are_one_post_with_a_drink() -> None:
    assert oracle.batch([record("beer then tea")], PHRASES.get) == {
        cell("*"): {FIRST},
        cell("beer"): {FIRST},
        cell("tea"): {FIRST},
    }


def test_duplicates_raise_nothing() -> None:
    twice = [record("flat white please", at=1), record("flat white please", at=2)]
    assert oracle.speed(twice, PHRASES.get) == {cell("*"): {FIRST}, cell("coffee"): {FIRST}}
    assert oracle.batch(twice, PHRASES.get) == {cell("*"): {FIRST}, cell("coffee"): {FIRST}}


def test_versions_that_differ_stand_in_both_cells_live_and_in_one_when_published() -> None:
    """An edit keeps the first id and its minute. The batch takes the last edit, not whatever came last."""
    history = [FIRST, SECOND, THIRD]
    records = [
        record("flat white please", FIRST, at=1, edit_history_tweet_ids=[FIRST]),
        record("beer then tea", THIRD, at=3, edit_history_tweet_ids=history),
        record("good morning", SECOND, at=2, edit_history_tweet_ids=history[:2]),
        record("starbucks gift card", FIRST, at=4, edit_history_tweet_ids=[FIRST]),
    ]
    live = {name: {FIRST} for name in (cell("*"), cell("coffee"), cell("beer"), cell("tea"))}
    assert oracle.speed(records, PHRASES.get) == live | {cell("*", "starbucks"): {FIRST}, cell("*", "*"): {FIRST}}
    assert oracle.batch(records, PHRASES.get) == {cell("*"): {FIRST}, cell("beer"): {FIRST}, cell("tea"): {FIRST}}


def test_without_an_edit_the_first_delivered_version_counts() -> None:
    """By append time, then partition, then offset, in whatever order the records are read."""
    early = record("flat white please", at=7, append_ms=NOW - 1)
    late = record("beer then tea", at=1, append_ms=NOW)
    published = {cell("*"): {FIRST}, cell("coffee"): {FIRST}}
    assert oracle.batch([late, early], PHRASES.get) == published
    same_time = [Record(early.value, "x", NOW, 0, 5), Record(late.value, "x", NOW, 1, 2)]
    assert oracle.batch(same_time, PHRASES.get) == published


def test_a_delete_may_name_any_version_that_an_archived_one_tells_of() -> None:
    """Also one that never came; what no version tells of is another post."""
    told = record("flat white please", FIRST, at=1, edit_history_tweet_ids=[FIRST, SECOND])
    gone, other = (control(delete={"status": {"id_str": one}}) for one in (SECOND, THIRD))
    assert oracle.batch([told, gone], PHRASES.get) == oracle.batch([gone, told], PHRASES.get) == {}
    assert oracle.batch([told, other], PHRASES.get) == {cell("*"): {FIRST}, cell("coffee"): {FIRST}}


def test_deleted_posts_leave_the_published_numbers_only() -> None:
    """A delete, or a withholding everywhere, whichever came first; nothing else moves a number."""
    posts = [record("flat white please", FIRST), record("flat white please", SECOND), record("beer then tea", THIRD)]
    orders = [
        control(delete={"status": {"id": int(FIRST), "id_str": FIRST}}),
        control(data={"withheld": {"tweet": {"id": SECOND}, "withheld_in_countries": ["XY"]}}),
        control(status_withheld={"id": int(THIRD), "withheld_in_countries": ["DE"]}),
        control(scrub_geo={"user_id": 1, "up_to_status_id": int(THIRD)}),
        control(user_delete={"id": 1}),
    ]
    left = {name: {THIRD} for name in (cell("*", minute="00:49"), cell("beer", minute="00:49"))}
    left[cell("tea", minute="00:49")] = {THIRD}
    assert oracle.batch(posts + orders, PHRASES.get) == left
    assert oracle.batch(orders + posts, PHRASES.get) == left
    assert oracle.speed(posts + orders, PHRASES.get) == oracle.speed(posts, PHRASES.get)


def test_a_delete_of_another_network_does_not_count() -> None:
    other = Record(json.dumps({"delete": {"status": {"id_str": FIRST}}}).encode(), "demo", NOW)
    assert oracle.batch([record("beer then tea"), other], PHRASES.get) == oracle.speed(
        [record("beer then tea")], PHRASES.get
    )


def test_classes_account_for_every_record() -> None:
    records = [
        record("beer then tea"),
        control(delete={"status": {"id_str": FIRST}}),
        control(limit={"track": 1}),
        Record(b"", "x", NOW),
        Record(b'{"data":', "x", NOW),
        Record(b"\xff", "x", NOW),
        Record(b"Bad gateway", "x", NOW),
        Record(b'{"a":1}', "x", NOW),
        record("tea", "abc"),
        record("tea", "9223372036854775807"),
        record("tea", "20", created_at="1970-01-01T00:00:00.000Z"),
        Record(b"[" * 300, "x", NOW),
    ]
    assert oracle.classes(records) == {
        "post": 1,
        "tombstone": 1,
        "notice": 2,
        "rejected.cut_off": 1,
        "rejected.encoding": 1,
        "rejected.not_json": 1,
        "rejected.shape": 1,
        "rejected.id": 1,
        "rejected.time": 2,
        "rejected.too_deep": 1,
    }


def test_shares_have_their_denominators() -> None:
    """By category of posts with a drink, by brand of posts with a brand; reposts only on request."""
    ids = [str(int(FIRST) + n) for n in range(8)]
    reposted = {"referenced_tweets": [{"type": "retweeted", "id": "1"}]}
    records = [
        record("flat white please", ids[0]),
        record("a latte from starbucks", ids[1]),
        record("beer then tea", ids[2]),
        record("starbucks gift card", ids[3]),
        record("flat white please", ids[4], **reposted),
        record("good morning", ids[5]),
    ]
    cells = oracle.batch(records, PHRASES.get)
    coffee, beer, tea = (2, 2 / 3, 2 / 4), (1, 1 / 3, 1 / 4), (1, 1 / 3, 1 / 4)
    assert oracle.share(cells, "category") == (3, {"coffee": coffee, "beer": beer, "tea": tea})
    assert oracle.share(cells, "category", category="beer") == (3, {"beer": beer})
    assert oracle.share(cells, "brand") == (2, {"starbucks": (2, 1.0, 1.0)})
    assert oracle.share(cells, "brand", category="coffee") == (2, {"starbucks": (1, 0.5, 1.0)})
    assert oracle.share(cells, "category", brand="starbucks") == (2, {"coffee": (1, 0.5, 1.0)})
    assert oracle.share(cells, "category", kinds=["repost"]) == (1, {"coffee": (1, 1.0, 1.0)})
    assert oracle.share(cells, "category", kinds=["reply"]) == (0, {})
    assert oracle.only(cells, day=DAY, source="demo") == {}
    assert oracle.count(oracle.only(cells, day=DAY), "*", "", ["original", "repost"]) == 4


# ------------------------------------------------------------------------------------- held against the program

thorough = settings(max_examples=200)
texts = st.sampled_from([*PHRASES, "a &amp; b", "☕ \U0001f375"]) | st.text(max_size=20)
LIMITS = ["20", "29999999999", "30000000000", str(2**63 - 1), str(2**63), "0", "abc"]
ids = st.sampled_from([FIRST, SECOND, THIRD, *LIMITS])
times = st.sampled_from(
    ["2017-09-14T00:00:00.000Z", "Thu Sep 14 00:00:00 +0000 2017", "2005-12-31T23:59:59.999Z", "soon", None]
)
tags = st.sampled_from(["en", "in", "iw", "tl", "msa", "zh-cn", "pt", "qst", "qme", "zxx", "art", "und", "", None])
referred = st.fixed_dictionaries({"id": ids, "text": texts}, optional={"note_tweet": st.just({"text": "long form"})})
tweets = st.fixed_dictionaries(
    {"id": ids, "text": texts},
    optional={
        "created_at": times,
        "lang": tags,
        "edit_history_tweet_ids": st.lists(ids, max_size=3),
        "note_tweet": st.fixed_dictionaries({}, optional={"text": texts}),
        "referenced_tweets": st.lists(
            st.fixed_dictionaries({"type": st.sampled_from(["retweeted", "quoted", "replied_to"]), "id": ids}),
            max_size=3,
            unique_by=lambda reference: reference["type"],
        ),
    },
)
includes_tweets = st.lists(referred, max_size=3, unique_by=lambda t: t["id"])
lines_v2 = st.fixed_dictionaries(
    {"data": tweets},
    optional={"includes": st.fixed_dictionaries({"tweets": includes_tweets})},
)
reposted = st.fixed_dictionaries(
    {"text": texts}, optional={"full_text": texts, "extended_tweet": st.fixed_dictionaries({"full_text": texts})}
)
lines_v1 = st.fixed_dictionaries(
    {"id": st.just(1), "id_str": ids, "text": texts},
    optional={
        "full_text": texts,
        "created_at": times,
        "lang": tags,
        "in_reply_to_status_id": st.none() | st.just(5),
        "is_quote_status": st.booleans(),
        "retweeted_status": st.none() | reposted,
        "quoted_status": st.none() | reposted,
        "extended_tweet": st.none() | st.fixed_dictionaries({"full_text": texts}),
        "edit_history": st.none()
        | st.fixed_dictionaries({"initial_tweet_id": ids}, optional={"edit_tweet_ids": st.lists(ids, max_size=3)}),
    },
)
countries = st.lists(st.sampled_from(["DE", "xy", "XX"]), max_size=2)
orders = st.one_of(
    st.builds(lambda i: {"delete": {"status": {"id_str": i}}}, ids),
    st.builds(lambda i, c: {"status_withheld": {"id": i, "withheld_in_countries": c}}, ids, countries),
    st.builds(lambda i: {"scrub_geo": {"user_id": 1, "up_to_status_id_str": i}}, ids),
    st.builds(lambda i: {"data": {"delete": {"tweet": {"id": i}}}}, ids),
    st.builds(lambda i, c: {"data": {"withheld": {"tweet": {"id": i}, "withheld_in_countries": c}}}, ids, countries),
    st.builds(
        lambda i, a, t, r: {"id": i, "action": a, "created_at": t, "reason": r},
        ids,
        st.sampled_from(["delete", "other"]),
        times,
        st.sampled_from(["deleted", "scrub_geo"]),
    ),
    st.sampled_from(
        [
            {"limit": {"track": 1}},
            {"data": {"user_delete": {"user": {"id": "1"}}}},
            {"data": {"tweet_edit": {"tweet": {"id": "1"}}}},
            {"data": []},
            {"data": [{"id": FIRST, "text": "tea"}]},
            {"errors": [{}]},
            {"meta": {"result_count": 0}},
            {"a": 1},
        ]
    ),
)


def as_oracle(found: program.Record) -> oracle.Read:
    """What the program found, in the oracle's words."""
    match found:
        case program.Post():
            plain = found.id, found.version, found.event_ms, found.kind, found.lang, found.text
            return oracle.Read("post", *plain, others=frozenset(found.others))
        case program.Tombstone():
            everywhere = found.action == "withheld" and bool({"XX", "XY"} & set(found.countries))
            return oracle.Read("tombstone", found.id, deletes=found.action == "delete" or everywhere)
        case program.Notice():
            return oracle.Read("notice")
        case program.Rejected():
            return oracle.Read("rejected." + found.reason)


def check(value: bytes) -> None:
    expected = oracle.read(Record(value, "x", NOW))
    if expected.what == "tombstone":  # the program's has no time of its own
        expected = oracle.Read("tombstone", expected.id, deletes=expected.deletes)
    assert as_oracle(program.parse(value, "x", NOW)) == expected


@thorough
@given(st.one_of(lines_v2, lines_v1, tweets, orders), st.booleans())
def test_the_parser_reads_what_the_oracle_reads(line: dict[str, Any], ascii_only: bool) -> None:
    """Every shape, with ids, times, tags and histories at their limits."""
    check(json.dumps(line, ensure_ascii=ascii_only).encode("utf-8", "replace"))


@thorough
@given(st.one_of(lines_v2, lines_v1, orders), st.booleans(), st.floats(0, 1), st.binary(max_size=2))
def test_the_parser_names_a_broken_line_as_the_oracle_does(
    line: dict[str, Any], ascii_only: bool, at: float, noise: bytes
) -> None:
    """Cut, or with noise where it was cut."""
    whole = json.dumps(line, ensure_ascii=ascii_only).encode("utf-8", "replace")
    check(whole[: int(at * len(whole))] + noise)


@thorough
@given(st.lists(st.one_of(tweets, st.none()), max_size=3), st.lists(referred, max_size=3), st.booleans())
def test_a_page_means_what_the_oracle_says(members: list[Any], included: list[Any], has_meta: bool) -> None:
    """Each split member, with only what it refers to, reads like the oracle's, which keeps the whole of `includes`."""
    page: dict[str, Any] = {"data": members, "includes": {"tweets": list({t["id"]: t for t in included}.values())}}
    if has_meta:
        page["meta"] = {"result_count": len(members)}
    line = json.dumps(page).encode()
    sent = [as_oracle(program.parse(one.value, "x", NOW)) for one in program.envelopes(line, "x", NOW)]
    assert sent == [oracle.read(Record(value, "x", NOW)) for value in oracle.split(line)]


@pytest.mark.parametrize("source", ["x", "demo", "bluesky"])
def test_sources_are_known_alike(source: str) -> None:
    value = record("beer then tea").value
    assert oracle.classes([Record(value, source, NOW)]) == Counter([as_oracle(program.parse(value, source, NOW)).what])
