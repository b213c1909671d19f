"""The codec of packed cells: what a part holds, where one ends, and what is refused."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.cells import pack
from drinkstream.packed import PART_BYTES, Key, Part, PartRow, counts, part_rows, parts, unpack

names = st.sampled_from(("", "*", "x", "starbucks", "añejo", "咖啡"))
keys: st.SearchStrategy[Key] = st.tuples(st.integers(0, 59), names, names, names, names, st.integers(0, 63))
ids = st.sets(st.integers(0, 2**63 - 1).map(str) | st.text(max_size=4), max_size=4)
cells = st.dictionaries(keys, ids.map(pack), max_size=8).map(lambda found: sorted(found.items()))


def heavy(numbers: list[int]) -> list[tuple[Key, bytes]]:
    """Cells, one a minute, with so many KiB of ids each."""
    return [((at, "", "x", "original", "en", 0), pack(["z" * 1024 * number])) for at, number in enumerate(numbers)]


def minutes(found: list[Part]) -> list[list[int]]:
    return [[count[0] for count in counts(part.cells)] for part in found]


def test_a_part_is_as_documented():
    found = list(parts([((7, "", "x", "reply", "en", 2), pack(["5", "300"]))]))
    cell, blob = (
        b"\x97" + b"\x07" + b"\xa0" + b"\xa1x" + b"\xa5reply" + b"\xa2en" + b"\x02" + b"\x02",
        pack(["300", "5"]),
    )
    assert found == [Part(b"\x91" + cell, b"\x91" + b"\xc4" + bytes([len(blob)]) + blob)]
    assert list(parts([])) == []


@given(cells)
def test_cells_come_back_with_their_numbers_of_ids(some: list[tuple[Key, bytes]]):
    back = [cell for part in parts(some) for cell in unpack(part)]
    assert [(count[:6], blob) for count, blob in back] == some
    assert [count[6] for count, _ in back] == [int.from_bytes(blob[1:5], "little") for _, blob in some]
    assert [count for part in parts(some) for count in counts(part.cells)] == [count for count, _ in back]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([100, 100, 100, 100], [[0, 1], [2, 3]]),
        ([255, 1, 255], [[0], [1], [2]]),
        ([1, 900, 1], [[0], [1], [2]]),
        ([900], [[0]]),
    ],
)
def test_a_part_ends_before_it_grows_too_large_and_a_large_cell_goes_alone(sizes: list[int], expected: list[list[int]]):
    assert minutes(list(parts(heavy(sizes)))) == expected


@given(st.lists(st.integers(0, 300), max_size=20))
def test_no_part_of_several_cells_is_larger_than_it_may_be_and_none_could_take_the_next(sizes: list[int]):
    """So the split is one of the cells alone, and the same from any of its beginnings."""
    some = heavy(sizes)
    found = list(parts(some))
    assert [minute for part in minutes(found) for minute in part] == list(range(len(sizes)))
    for part, following in zip(found, [*found[1:], None][: len(found)], strict=True):
        assert len(part.cells) + len(part.ids) <= PART_BYTES or len(counts(part.cells)) == 1
        if following is not None:
            after = next(unpack(following))
            assert len(part.cells) + len(part.ids) + len(after[1]) + 50 > PART_BYTES
            begun = counts(following.cells)[0][0]
            assert list(parts(some[begun:])) == found[found.index(following) :]


def test_cells_in_another_order_or_twice_are_refused():
    one, two = heavy([1, 1])
    for wrong in ([two, one], [one, one]):
        with pytest.raises(ValueError, match="in the order of their keys"):
            list(parts(wrong))


def test_rows_count_their_parts_in_each_hour_and_category():
    some = heavy([200, 200])
    places = [("2017-09-14T08", "*"), ("2017-09-14T08", "tea"), ("2017-09-14T09", "*")]
    rows = list(part_rows((place, *cell) for place in places for cell in some))
    first, second = parts(some)
    assert rows == [PartRow(*place, n, *part) for place in places for n, part in enumerate((first, second))]


@pytest.mark.parametrize("second", ["2017-09-14T08", "2017-09-14T07"])
def test_an_hour_that_comes_again_is_refused(second: str):
    """Its first part would be written over."""
    some = heavy([1])
    places = [("2017-09-14T08", "tea"), (second, "beer"), ("2017-09-14T08", "tea")]
    with pytest.raises(ValueError, match="in the order of hour and category"):
        list(part_rows((place, *cell) for place in places for cell in some))


@given(cells.filter(bool), st.data())
def test_a_blob_that_is_cut_off_or_goes_on_is_refused(some: list[tuple[Key, bytes]], data: st.DataObject):
    (part,) = parts(some)
    for name, blob in part._asdict().items():
        cut = blob[: data.draw(st.integers(0, len(blob) - 1))]
        for wrong in (cut, blob + b"\x00"):
            with pytest.raises(ValueError, match=f"not the {name} of a part"):
                unpack(part._replace(**{name: wrong}))
            if name == "cells":
                with pytest.raises(ValueError, match="not the cells of a part"):
                    counts(wrong)


@pytest.mark.parametrize(
    "foreign",
    [
        {"minute": 1},
        [1, 2],
        [[7, "", "x", "reply", "en", 2]],
        [[60, "", "x", "reply", "en", 0, 1]],
        [[7, "", "x", "reply", "en", 0, -1]],
        [[7, "", None, "reply", "en", 0, 1]],
    ],
)
def test_cells_of_another_form_are_refused(foreign: Any):
    with pytest.raises(ValueError, match="not the cells of a part"):
        counts(msgspec.msgpack.encode(foreign))


def test_blobs_of_other_cells_are_refused():
    (part,) = parts([((7, "", "x", "reply", "en", 2), pack(["5", "300"]))])
    for other in ([], [pack(["5"])], [pack(["5", "300"])] * 2):
        with pytest.raises(ValueError, match="not about the same cells"):
            unpack(part._replace(ids=msgspec.msgpack.encode(other)))
    for other in (["text"], [b"\x01"], 5):
        with pytest.raises(ValueError):
            unpack(part._replace(ids=msgspec.msgpack.encode(other)))
