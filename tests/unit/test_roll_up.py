"""What a worker makes of an Arrow batch: each post once with its levels, and what else it held, by number."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from jobs.readings import read_batch
from streaming import roll_up
from streaming.roll_up import roll_up_batch

APPEND = datetime(2017, 9, 14, 12, 30, tzinfo=UTC)
NOON_MS = 1_505_390_400_000
TEXTS = {
    "a cup of coffee please": [("*", ""), ("coffee", "")],
    "drinking a can of pepsi": [("*", ""), ("*", "*"), ("*", "pepsi"), ("soda", ""), ("soda", "pepsi")],
}


def post_id(n: int) -> int:
    return (NOON_MS + n - 1_288_834_974_657) << 22


def batch(values: list[bytes | None]) -> pa.RecordBatch:
    columns = [[f"x:{post_id(n)}" for n in range(len(values))], values, [APPEND] * len(values)]
    types = (pa.string(), pa.binary(), pa.timestamp("us", "UTC"))
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, ["key", "value", "append"])


def line(n: int, text: str) -> bytes:
    return b'{"data":{"id":"%d","text":"%s","lang":"en"}}' % (post_id(n), text.encode())


def levels(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(level["category"], level["brand"]) for level in row["levels"]]


def test_a_post_is_one_row_with_all_its_levels_and_a_line_that_is_none_is_counted():
    coffee, pepsi = TEXTS
    broken = line(3, coffee)[:-5]
    rows = roll_up_batch(
        batch([line(0, coffee), line(1, "nothing to see"), line(2, pepsi), broken, line(4, coffee)])
    ).to_pylist()
    posts, tallies = rows[:3], rows[3:]
    assert [(row["number"], row["text"], levels(row)) for row in posts] == [
        (post_id(n), None, TEXTS[text]) for n, text in ((0, coffee), (2, pepsi), (4, coffee))
    ]
    assert {row["append"] for row in posts} == {APPEND}
    assert {(row["minute"], row["source"], row["kind"], row["lang"]) for row in posts} == {
        (NOON_MS, "x", "original", "en")
    }
    assert [(row["tally"], row["n"], row["levels"]) for row in tallies] == [
        ("post", 3, None),
        ("rejected.cut_off", 1, None),
    ]


def test_an_empty_batch_and_one_without_a_drink_give_no_row():
    assert roll_up_batch(batch([])).to_pylist() == []
    assert roll_up_batch(batch([line(0, "nothing to see")])).to_pylist() == []


def test_where_nearly_all_lines_name_a_drink_the_prefilter_is_not_asked_about_each(monkeypatch: pytest.MonkeyPatch):
    """The posts are the same; a broken line that names none is read, and so counted, too."""
    coffee, pepsi = TEXTS
    values = [line(n, (coffee, pepsi)[n % 2]) for n in range(2 * roll_up.SAMPLE)]
    values[-10:] = [line(n, "nothing to see") for n in range(len(values) - 10, len(values) - 1)] + [b'{"data":']
    asked: list[int] = []
    candidates = roll_up.candidates

    def counted(lines: pa.Array) -> Any:
        asked.append(len(lines))
        return candidates(lines)

    monkeypatch.setattr(roll_up, "candidates", counted)
    quick = roll_up_batch(batch(values)).to_pylist()
    assert asked == [roll_up.SAMPLE]
    monkeypatch.setattr(roll_up, "NEARLY_ALL", 1.0)
    whole = roll_up_batch(batch(values)).to_pylist()
    assert asked[1:] == [roll_up.SAMPLE, len(values)]
    n = len(values) - 10
    assert [row["number"] for row in quick[:n]] == [post_id(at) for at in range(n)]
    assert quick[:n] == whole[:n]
    assert [(row["tally"], row["n"]) for row in quick[n:]] == [("post", n), ("rejected.cut_off", 1)]
    assert [(row["tally"], row["n"]) for row in whole[n:]] == [("post", n)]


def test_a_record_without_a_value_is_no_post_and_ends_nothing():
    """Anybody may send one: it is read as a line without anything in it, by the recompute, too."""
    coffee, _ = TEXTS
    held = batch([line(0, coffee), None])
    assert [row["number"] for row in roll_up_batch(held).to_pylist()] == [post_id(0), None]
    # where nearly all lines name a drink, each is parsed
    many = batch([line(n, coffee) for n in range(2 * roll_up.SAMPLE)] + [None])
    assert [(row["tally"], row["n"]) for row in roll_up_batch(many).to_pylist()[-1:]] == [("post", 2 * roll_up.SAMPLE)]

    archived = pa.RecordBatch.from_arrays(
        [
            held.column(0),
            held.column(1),
            pa.array([1, 1], pa.int64()),
            pa.array([NOON_MS] * 2, pa.int64()),
            pa.array([0, 0], pa.int32()),
            pa.array([0, 1], pa.int64()),
        ],
        ["key", "value", "stored", "append_ms", "partition", "offset"],
    )
    assert [row["what"] for row in read_batch(archived).to_pylist()] == ["post", "notice"]
