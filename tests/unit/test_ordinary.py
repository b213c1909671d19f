"""Ordinary records are put together, all else keeps a row of its own, and nothing that is summed changes."""

import json
from functools import reduce
from operator import xor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, ValidationError, convert, structs

from drinkstream import wire_x_fields, wire_x_plain
from drinkstream.archive_files import RECORDS
from drinkstream.post import Post, day_of, parse_keyed
from drinkstream.wire_values import FIRST_TIMED_ID
from drinkstream.wire_x_plain import NO_TIME, event_times
from jobs.ordinary import plain
from jobs.readings import prints, read_batch, read_lines
from tests.lib.planted import COFFEE, DAY, post_id, tweet

SILENT = "never mind"
APPEND_MS = 1_505_400_000_000


def batch(rows: list[tuple[str | None, bytes, str, int]], first: int = 0) -> pa.RecordBatch:
    """Records of (key, value, stored, partition) as a recompute reads them."""
    made = [
        (key, value, stored, APPEND_MS, partition, n, "c")
        for n, (key, value, stored, partition) in enumerate(rows, first)
    ]
    columns = list(zip(*made, strict=True)) or [()] * len(RECORDS)
    return pa.record_batch([pa.array(c, field.type) for c, field in zip(columns, RECORDS, strict=True)], schema=RECORDS)


def of(rows: list[tuple[str | None, bytes, str, int]], first: int = 0) -> tuple[list[dict], list[dict]]:
    """The readings of these records, each by itself and put together."""
    records = batch(rows, first)
    printed = records.append_column("print", prints(records, records["value"].to_pylist()))
    every = read_batch(printed, np.ones(len(rows), np.bool_))
    # a batch is of one day
    days = [records.filter(pc.equal(records["stored"], day)) for day in dict.fromkeys(row[2] for row in rows)]
    return every.to_pylist(), [found for day in days for found in read_lines(day).to_pylist()]


def silent(number: int, stored: str = str(DAY), partition: int = 0) -> tuple[str | None, bytes, str, int]:
    return f"x:{post_id(number)}", tweet(post_id(number), SILENT), stored, partition


def test_posts_that_name_nothing_become_one_row_for_each_partition():
    every, few = of([silent(n, partition=n % 2) for n in range(10)], first=100)
    assert [(row["partition"], row["n"], row["offset"], row["last"]) for row in few] == [
        (0, 5, 100, 108),
        (1, 5, 101, 109),
    ]
    for row in few:
        assert row["print"] == reduce(xor, (one["print"] for one in every if one["partition"] == row["partition"]))
        assert (row["what"], row["day"], row["stored"], row["cluster"]) == ("post", str(DAY), str(DAY), "c")
        assert row["id"] is row["levels"] is row["others"] is None


@pytest.mark.parametrize(
    "odd",
    [
        (f"x:{post_id(1)}", tweet(post_id(1), COFFEE), str(DAY), 0),
        (f"x:{post_id(1)}", tweet(post_id(2), SILENT, first=post_id(1)), str(DAY), 0),
        (f"x:{post_id(2)}", tweet(post_id(1), SILENT), str(DAY), 0),
        ("x:?0011aabb", tweet(post_id(1), SILENT), str(DAY), 0),
        (f"demo:{post_id(2)}", tweet(post_id(1), SILENT), str(DAY), 0),
        (None, tweet(post_id(1), SILENT), str(DAY), 0),
        silent(1, "none"),
        silent(1, "2001-01-01"),
        (f"x:{post_id(1)}", b"{", str(DAY), 0),
        (f"x:{post_id(1)}", b"", str(DAY), 0),
        (f"x:{post_id(1)}", b'{"delete": {"status": {"id": 1}}}', str(DAY), 0),
    ],
    ids=lambda odd: f"{odd[0]} {odd[1][-20:]!r} {odd[2]}",
)
def test_what_is_not_ordinary_keeps_a_row_of_its_own(odd: tuple[str | None, bytes, str, int]):
    every, few = of([silent(7), odd, silent(8)])
    assert len(few) == 2
    (alone,) = (found for found in few if found["n"] == 1)
    assert alone == {**every[1], "n": 1, "last": 1}
    (both,) = (found for found in few if found["n"] == 2)
    assert (both["offset"], both["last"], both["id"]) == (0, 2, None)


def test_a_batch_of_nothing_ordinary():
    (coffee,) = of([(f"x:{post_id(1)}", tweet(post_id(1), COFFEE), str(DAY), 0)])[1]
    assert (coffee["id"], coffee["n"]) == (post_id(1), 1)


def test_a_record_has_one_print_wherever_it_lies_and_no_other_has_it():
    rows = [silent(n % 3, partition=n % 2) for n in range(12)]
    together, apart = batch(rows), [batch([one], n) for n, one in enumerate(rows)]
    made = prints(together, together["value"].to_pylist()).to_pylist()
    assert made == [prints(one, one["value"].to_pylist())[0].as_py() for one in apart]
    # places differ even where the lines are the same
    assert len(set(made)) == 12
    other = prints(apart[0], [b"{}"]).to_pylist()
    assert other != made[:1]


ID = post_id(1)
KEYS = st.sampled_from([f"x:{ID}", f"demo:{ID}", f"x:0{ID}", f"bluesky:{ID}", ID, "x:", "", None])
WORDS = st.sampled_from(
    [
        *(ID, f"0{ID}", post_id(2), int(ID), "7", 7, "", None, [], {}, [ID], [post_id(2)], [ID, post_id(2)], [int(ID)]),
        *("text", "\\ud83d", "a\nb", "2017-09-14T00:00:00Z", "2017-09-15T00:00:00Z", {"text": "t"}, {"text": 5}, True),
        [{"type": "retweeted", "id": "5", "text": "again"}],
    ]
)
NAMES = ("id", "text", *sorted({one.name for one in structs.fields(wire_x_fields.Tweet)} - {"id", "text"}), "odd")
TWEETS = st.fixed_dictionaries(
    {"id": st.just(ID), "text": st.just(SILENT)}, optional=dict.fromkeys(NAMES[2:], WORDS)
) | st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=5)
LINES = st.fixed_dictionaries(
    {"data": TWEETS | WORDS},
    optional=dict.fromkeys(
        ("text", "id_str", "includes", "errors", "delete", "matching_rules", "retweeted_status"), WORDS
    ),
)


def test_the_quick_look_minds_the_type_of_each_field_that_the_parser_minds():
    typed = {one.name: one.type for one in structs.fields(wire_x_fields.Tweet) if one.type is not Any}
    minded = {one.name: one.type for one in structs.fields(wire_x_plain.Tweet)}
    assert {name: minded.get(name) for name in typed} == typed
    # beside a post only what the parser reads alike, or does not read at all
    read = {one.name: one.type for one in structs.fields(wire_x_fields.Line)}
    beside = {one.name: one.type for one in structs.fields(wire_x_plain.Line) if one.name != "data"}
    assert {name: kind for name, kind in beside.items() if kind is not Raw} == {"includes": read["includes"]}
    assert read.keys() & {name for name, kind in beside.items() if kind is Raw} == set()
    with pytest.raises(ValidationError, match="unknown field"):
        convert({"data": {}, "odd": 1}, wire_x_plain.Line)


@given(line=LINES, key=KEYS, stored=st.sampled_from([str(DAY), "none", "2017-09-15"]), data=st.data())
def test_the_quick_look_never_says_more_than_the_parser(line: dict, key: str | None, stored: str, data: st.DataObject):
    value = json.dumps(line, ensure_ascii=data.draw(st.booleans())).encode()
    if data.draw(st.booleans()):
        # a byte lost, changed or added
        at = data.draw(st.integers(0, len(value)))
        value = value[:at] + data.draw(st.sampled_from([b"", b"\xff", b"[", b'"', b" "])) + value[at + 1 :]
    one = batch([(key, value, stored, 0)])
    if plain(one, [value], np.zeros(1, np.bool_))[0]:
        record = parse_keyed(value, key, APPEND_MS)
        assert isinstance(record, Post)
        assert (f"{record.source}:{record.id}", day_of(record.event_ms)) == (key, stored)
        assert (record.edited, record.others) == (False, ())


@pytest.mark.parametrize(
    "name",
    [
        "1",
        "29999999999",
        "30000000000",
        str(2**63 - 1),
        str(2**63),
        str(2**64),
        "9" * 20,
        "030000000000",
        "",
        "\u0663" * 12,
    ],
)
def test_the_quick_look_reads_ids_and_their_times_as_the_parser_does(name: str):
    value = tweet(name, SILENT, first=name)
    (found,) = event_times([value], pa.array([name])).tolist()
    record = parse_keyed(value, f"x:{name}", 2**60)
    # ids that carry no time are left to the parser
    timed = isinstance(record, Post) and int(name) >= FIRST_TIMED_ID
    assert found == (record.event_ms if timed else NO_TIME)


@pytest.mark.parametrize("deep", [199, 200, 201, 5000])
def test_the_quick_look_leaves_deep_lines_and_broken_text_to_the_parser(deep: int):
    value = tweet(ID, SILENT).replace(b'"lang"', b'"odd": ' + b"[" * deep + b"]" * deep + b', "lang"', 1)
    assert b'"odd"' in value
    lines = [tweet(ID, SILENT), value]
    one = batch([(f"x:{ID}", line, str(DAY), 0) for line in lines])
    assert plain(one, lines, np.zeros(2, np.bool_)).tolist() == [True, deep < 199]
    lines = [tweet(ID, SILENT), b"\xff"]
    one = batch([(f"x:{ID}", line, str(DAY), 0) for line in lines])
    assert plain(one, lines, np.zeros(2, np.bool_)).tolist() == [False, False]


def test_the_quick_look_takes_nearly_all_posts():
    rows = [silent(n) for n in range(50)]
    assert plain(batch(rows), [value for _, value, *_ in rows], np.zeros(50, np.bool_)).all()
