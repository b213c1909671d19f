"""Ordinary records are put together, all else keeps a row of its own, and nothing that is summed changes."""

import random
from functools import reduce
from operator import xor

import pyarrow as pa
import pytest

from jobs.ordinary import gathered
from jobs.readings import read_batch
from tests.lib.planted import COFFEE, DAY, post_id, tweet

SILENT = "never mind"
NAMES = ["key", "value", "stored", "append_ms", "partition", "offset", "cluster", "print"]


def batch(rows: list[tuple[str | None, bytes, str, int]], first: int = 0) -> pa.RecordBatch:
    """Records of (key, value, stored, partition) as a recompute reads them."""
    made = [
        (key, value, stored, 1_505_400_000_000, partition, n, "c", random.Random(n).randrange(-(2**63), 2**63))
        for n, (key, value, stored, partition) in enumerate(rows, first)
    ]
    types = (pa.string(), pa.binary(), pa.string(), pa.int64(), pa.int32(), pa.int64(), pa.string(), pa.int64())
    columns = list(zip(*made, strict=True)) or [()] * len(NAMES)
    return pa.record_batch([pa.array(c, t) for c, t in zip(columns, types, strict=True)], NAMES)


def of(rows: list[tuple[str | None, bytes, str, int]], first: int = 0) -> tuple[list[dict], list[dict]]:
    """The readings of these records, each by itself and gathered."""
    records = batch(rows, first)
    read = read_batch(records)
    return read.to_pylist(), gathered(read, records.column("key")).to_pylist()


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
    assert few[0] == {**every[1], "n": 1, "last": 1}
    assert (few[1]["n"], few[1]["offset"], few[1]["last"], few[1]["id"]) == (2, 0, 2, None)


def test_a_batch_of_nothing_ordinary_and_an_empty_one():
    (coffee,) = of([(f"x:{post_id(1)}", tweet(post_id(1), COFFEE), str(DAY), 0)])[1]
    assert (coffee["id"], coffee["n"]) == (post_id(1), 1)
    assert of([])[1] == []
