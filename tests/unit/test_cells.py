"""Levels, minutes, shards, and the codec of ids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.cells import (
    Level,
    hour_of,
    levels,
    minute_of,
    pack,
    pack_integers,
    size,
    slot_of,
    spread_of,
    union,
    unpack,
    unpack_integers,
)

ids_of_integers = st.sets(st.integers(0, 2**63 - 1).map(str))
ids_of_text = st.sets(st.text(max_size=12))


def test_a_post_counts_once_in_each_level_however_often_it_names_a_thing():
    mentions = [("coffee", "starbucks"), ("coffee", None), ("coffee", "starbucks"), (None, "costa"), ("beer", None)]
    assert levels(mentions) == (
        Level("*", ""),
        Level("*", "*"),
        Level("*", "costa"),
        Level("*", "starbucks"),
        Level("beer", ""),
        Level("coffee", ""),
        Level("coffee", "starbucks"),
    )


def test_a_drink_without_brand_and_a_brand_without_drink():
    assert levels([("tea", None)]) == (Level("*", ""), Level("tea", ""))
    assert levels([(None, "costa")]) == (Level("*", "*"), Level("*", "costa"))
    assert levels([]) == ()


def test_a_mention_of_nothing_is_refused():
    with pytest.raises(ValueError, match="category, a brand or both"):
        levels([(None, None)])


def test_minutes_slots_and_hours_are_utc_and_start_at_or_before_the_instant():
    # 2017-09-14T23:59:59.999Z
    assert minute_of(1505433599999) == 1505433540000
    assert slot_of(1505433599999) == 1505433000000
    assert hour_of(1505433599999) == "2017-09-14T23"
    assert hour_of(-1) == "1969-12-31T23"


def test_a_shard_is_the_crc32_of_the_key():
    assert spread_of("x", "1") == 0xD1D43EB9


def test_the_blob_of_integers_is_as_documented():
    assert pack(["300", "5"]).hex() == "01" + "02000000" + "0500000000000000" + "a702"
    assert pack([]).hex() == "0100000000"
    assert pack(["9", "9"]).hex() == "01" + "01000000" + "0900000000000000"


def test_ids_that_are_no_plain_integers_are_kept_as_text():
    assert unpack(pack(["007", "7"])) == ("007", "7")
    assert pack(["b"]).hex() == "02" + "01000000" + "01000000" + "62"
    assert unpack(pack(["9223372036854775808"])) == ("9223372036854775808",)


@given(ids_of_integers)
def test_integers_come_back_in_order(ids: set[str]):
    assert unpack(pack(ids)) == tuple(sorted(ids, key=int))
    assert set(map(str, unpack_integers(pack(ids)).tolist())) == ids


@given(ids_of_text)
def test_texts_come_back(ids: set[str]):
    assert set(unpack(pack(ids))) == ids


@given(st.lists(ids_of_integers | ids_of_text, min_size=1, max_size=4))
def test_the_union_of_blobs_holds_the_ids_of_all(parts: list[set[str]]):
    assert union([pack(part) for part in parts]) == pack(set().union(*parts))


@given(ids_of_integers.filter(bool), st.data())
def test_a_blob_that_is_cut_off_is_refused(ids: set[str], data: st.DataObject):
    blob = pack(ids)
    with pytest.raises(ValueError):
        unpack(blob[: data.draw(st.integers(0, len(blob) - 1))])


def test_a_million_ids_take_little_space():
    ids = [str(10**18 + 4096 * n) for n in range(1_000_000)]
    blob = pack(ids)
    assert len(blob) <= 2 * len(ids) + 16
    assert len(unpack_integers(blob)) == 1_000_000


@given(st.one_of(ids_of_integers, ids_of_text))
def test_a_blob_s_size_is_known_without_unpacking_it(ids: set[str]):
    assert size(pack(ids)) == len(ids)


def test_the_size_of_a_blob_cut_off_in_its_head_is_not_guessed():
    with pytest.raises(ValueError, match="shorter than its head"):
        size(b"\x01\x02")


@given(st.lists(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 300), max_size=8), max_size=8))
def test_many_sets_are_packed_at_once_as_one_by_one(sets: list[list[int]]):
    """Whatever their order, and with ids that come twice."""
    flat = np.array([number for some in sets for number in some], np.int64)
    offsets = np.cumsum([0, *map(len, sets)])
    assert pack_integers(flat, offsets) == [pack(map(str, some)) for some in sets]
