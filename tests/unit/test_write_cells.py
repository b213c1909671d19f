"""From sorted rows to the rows of a run, and back by the real reader: however the rows are cut into batches."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.cells import HOUR_MS, integer_of, pack, unpack_integers
from drinkstream.settings import Settings
from drinkstream.store.read import CellCount, CellIds, Reader
from drinkstream.store.write import Writer
from jobs.write_cells import ORDER, WRITTEN, Written, cells_of, integers, summed, write_sorted
from stack.cassandra import SCHEMA, statements
from tests.lib.cassandra_in_memory import Store

NOON_MS = 1_505_390_400_000  # 2017-09-14T12:00:00Z
RUNS = {"2017-09-14": "run-14", "2017-09-15": "run-15"}
ROWS = pa.schema(
    [
        ("minute", pa.int64()),
        ("category", pa.string()),
        ("brand", pa.string()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("lang", pa.string()),
        ("shard", pa.int16()),
        ("id", pa.string()),
    ]
)

Row = tuple[Any, ...]

plain_ids = st.integers(0, 30).map(str) | st.integers(2**62, 2**63 - 1).map(str)
odd_ids = plain_ids | st.sampled_from(("007", "3k2a", "9223372036854775808", ""))
cell = st.tuples(
    st.sampled_from([0, 1, 59, 60, 11 * 60 + 59, 12 * 60]).map(lambda minute: NOON_MS + minute * 60_000),
    st.sampled_from(("*", "tea")),
    st.sampled_from(("", "*")),
    st.sampled_from(("x", "demo")),
    st.sampled_from(("original", "repost")),
    st.sampled_from(("en", "und")),
    st.sampled_from((0, 1)),
)


def rows_of(ids: st.SearchStrategy[str]) -> st.SearchStrategy[list[Row]]:
    """Rows as Spark sorts them, a post of a cell once."""
    return st.sets(st.tuples(cell, ids), max_size=40).map(
        lambda rows: sorted(((*c, one) for c, one in rows), key=lambda r: (r[0] // HOUR_MS, r[1], r[0], *r[2:]))
    )


def batches(rows: list[Row], *cuts: int) -> Iterator[pa.RecordBatch]:
    for start, end in pairwise([0, *sorted(cuts), len(rows)]):
        columns = list(zip(*rows[start:end], strict=True)) or [()] * len(ROWS)
        yield pa.RecordBatch.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, ROWS, strict=True)], schema=ROWS
        )


def sets_of(rows: list[Row]) -> dict[Row, set[str]]:
    """The ids by minute, category, brand, source, kind, lang and shard."""
    found: dict[Row, set[str]] = defaultdict(set)
    for *cell_, post_id in rows:
        found[tuple(cell_)].add(post_id)
    return found


def store() -> Store:
    ticks = iter(range(1, 10**6))
    return Store(statements(SCHEMA, Settings()), lambda: next(ticks))


def written(found: Store, rows: list[Row], *cuts: int) -> dict[str, Written]:
    told = write_sorted(Writer(found.session()), batches(rows, *cuts), RUNS)
    assert told.schema == WRITTEN
    return summed(told.to_pylist())


def place(minute: int) -> tuple[str, int]:
    """The hour and the minute in it."""
    text = str(np.datetime64(minute, "ms"))
    return text[:13], int(text[14:16])


@given(rows_of(odd_ids), st.data())
def test_what_the_reader_says_of_a_run_is_what_the_rows_say(rows: list[Row], data: st.DataObject):
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=5))
    tables = store()
    totals = written(tables, rows, *cuts)
    reader = Reader(tables.session())
    for day, run_id in RUNS.items():
        mine = {cell_: ids for cell_, ids in sets_of(rows).items() if place(cell_[0])[0].startswith(day)}
        hours = [f"{day}T{hour:02}" for hour in range(24)]
        blobs: dict[Row, list[bytes]] = defaultdict(list)
        numbers: dict[Row, int] = defaultdict(int)
        summed_: dict[Row, int] = defaultdict(int)
        for (minute, category, *rest, _), ids in sorted(mine.items()):
            cell_ = (*place(minute), category, *rest)
            blobs[cell_].append(pack(ids))
            numbers[cell_] += len(ids)
            summed_[category, *rest] += len(ids)
        assert sorted(reader.batch_counts(run_id, hours, ["*", "tea"])) == sorted(
            CellCount(*cell_, n) for cell_, n in numbers.items()
        )
        for category in ("*", "tea"):
            for brand in (None, "", "*"):
                assert list(reader.batch_ids(run_id, hours, category, brand)) == [
                    CellIds(*cell_, tuple(found))
                    for cell_, found in sorted(blobs.items())
                    if cell_[2] == category and brand in (None, cell_[3])
                ]
        for minute in (0, 1, 59):
            assert list(reader.batch_minute(run_id, hours[12], minute, ["*", "tea"])) == [
                CellIds(*cell_, tuple(found))
                for category in ("*", "tea")
                for cell_, found in sorted(blobs.items())
                if cell_[:3] == (hours[12], minute, category)
            ]
        told = totals.get(run_id, Written())
        assert (told.totals, told.cells) == (summed_, len(mine))


@given(rows_of(plain_ids), st.data())
def test_the_rows_of_a_run_and_their_checksum_do_not_depend_on_batches_or_tasks(rows: list[Row], data: st.DataObject):
    whole = store()
    once = written(whole, rows)
    cut = store()
    hours = sorted({place(one[0])[0] for one in rows})
    first = data.draw(st.sampled_from(["", *hours]))
    tasks = [[one for one in rows if (place(one[0])[0] < first) is early] for early in (True, False)]
    writer = Writer(cut.session())
    told = [
        row
        for task in tasks
        for row in write_sorted(
            writer, batches(task, *data.draw(st.lists(st.integers(0, len(task)), max_size=3))), RUNS
        ).to_pylist()
    ]
    assert summed(told) == once
    assert values(cut) == values(whole)


def values(found: Store) -> dict[Any, Any]:
    """What the table of batch cells holds, without the times of its writes."""
    return {
        (partition, key): {name: value.data for name, value in row.items()}
        for partition, rows in found.rows["batch_cells_v2"].items()
        for key, row in rows.items()
    }


def test_a_changed_id_changes_the_checksum():
    one = [(NOON_MS, "*", "", "x", "original", "en", 0, post_id) for post_id in ("1", "2")]
    other = [*one[:1], (*one[1][:-1], "3")]
    checksums = [written(store(), rows)["run-14"].checksum for rows in (one, other)]
    assert checksums[0] != checksums[1]


def test_an_id_that_came_twice_is_in_a_cell_once():
    rows = [(NOON_MS, "*", "", "x", "original", "en", 0, post_id) for post_id in ("1", "1", "2", "2")]
    assert [ids for *_, ids in cells_of(batches(rows, 1, 3))] == [pack(["1", "2"])]


def test_a_million_ids_of_one_cell_pass_and_its_neighbours_stay_apart():
    first = 10**18
    rows = 1_000_000
    (same,) = batches([(NOON_MS, "*", "", "x", "original", "en", 0, "")])

    def all_batches() -> Iterator[pa.RecordBatch]:
        before, *_ = batches([(NOON_MS, "*", "", "demo", "original", "en", 0, "5")])
        yield before
        for start in range(first, first + rows, 20_000):
            ids = pa.array(np.arange(start, start + 20_000)[::-1]).cast(pa.string())
            columns = same.take(pa.array(np.zeros(20_000, np.int64))).columns[:-1]
            yield pa.RecordBatch.from_arrays([*columns, ids], schema=ROWS)
        after, *_ = batches([(NOON_MS, "*", "", "x", "repost", "en", 0, "6")])
        yield after

    few, million, last = cells_of(all_batches())
    assert np.array_equal(unpack_integers(million[2]), np.arange(first, first + rows))
    assert (few[1][2], few[2]) == ("demo", pack(["5"]))
    assert (last[1][3], last[2]) == ("repost", pack(["6"]))


@given(st.lists(odd_ids | st.text(max_size=3) | st.integers(-5, 2**64).map(str)))
def test_ids_are_integers_where_the_codec_of_ids_takes_each_for_one(ids: list[str]):
    numbers = [integer_of(post_id) for post_id in ids]
    found = integers(pa.array(ids, pa.string()))
    assert (found.tolist() if found is not None else None) == (None if None in numbers else numbers)


@pytest.mark.parametrize("post_id", ["9223372036854775807", "0", "1\n", "١", "+1", "9223372036854775808", "00"])
def test_the_border_of_the_integers(post_id: str):
    number = integer_of(post_id)
    found = integers(pa.array([post_id]))
    assert (found.tolist() if found is not None else [None]) == [number]


def test_rows_are_told_apart_by_all_that_names_a_cell():
    assert {*ORDER, "id"} == set(ROWS.names)
