"""What Spark's Python workers make of records: the posts that name a drink, each with the levels that it counts in."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from drinkstream.cells import integer_of, minute_of
from drinkstream.hits import LEVELS, candidates, placed
from drinkstream.post import REASONS, Post, Rejected, parse_keyed

POSTS = pa.schema(
    [
        ("append", pa.timestamp("us", "UTC")),
        ("minute", pa.int64()),
        ("source", pa.string()),
        ("kind", pa.string()),
        ("lang", pa.string()),
        ("number", pa.int64()),
        ("text", pa.string()),
        ("levels", LEVELS),
        ("tally", pa.string()),
        ("n", pa.int64()),
    ]
)
"""One row for each post that names a drink, `number` or `text` being its id; or, where `tally` is set, one of TALLIES
and how many of these an Arrow batch held."""

TALLIES = ("post", *(f"rejected.{reason}" for reason in REASONS))
"""What is counted of the records that were parsed: posts that name a drink, and rejections by reason."""


def roll_up(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Arrow batches of (key, value, append) -> Arrow batches of POSTS. Runs in Spark's Python workers."""
    for batch in batches:
        yield roll_up_batch(batch)


SAMPLE = 1000
NEARLY_ALL = 0.95


def to_parse(values: pa.Array) -> pa.Array:
    """The places of those lines (binary) that are worth parsing: of all that name a drink, and of few others.

    In a stream that is filtered already nearly all lines may name one, and a look at each would only cost time: where
    the first SAMPLE show that, all are parsed. The posts are the same; of lines that cannot be read more are counted.
    """
    if len(values) > SAMPLE and candidates(values.slice(0, SAMPLE)).mean() > NEARLY_ALL:
        return pa.array(range(len(values)), pa.int64())
    return pa.array(candidates(values).nonzero()[0])


def roll_up_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """One Arrow batch of (key, value, append) as POSTS."""
    kept = batch.take(to_parse(batch.column(1)))
    keys, values, appends = kept.column(0), kept.column(1), kept.column(2).cast(pa.int64())
    posts: list[tuple[Any, ...]] = []
    tally: Counter[str] = Counter()
    # few posts name what no other one names, so that each set of levels is turned into Arrow once
    known: dict[tuple[tuple[str, str, int], ...], int] = {}
    for key, value, append_us in zip(keys.to_pylist(), values.to_pylist(), appends.to_pylist(), strict=True):
        record = parse_keyed(value or b"", key, append_us // 1000)
        if isinstance(record, Rejected):
            tally[f"rejected.{record.reason}"] += 1
        elif isinstance(record, Post) and (levels := placed(record)):
            number = integer_of(record.id)
            text = record.id if number is None else None
            named = known.setdefault(levels, len(known))
            posts.append(
                (append_us, minute_of(record.event_ms), record.source, record.kind, record.lang, number, text, named)
            )
    if posts:
        tally["post"] = len(posts)
    counts = sorted(tally.items())
    columns: list[list[Any]] = [list(column) for column in zip(*posts, strict=True)] or [[] for _ in range(8)]
    *plain, named_by = [column + [None] * len(counts) for column in columns]
    rows = [pa.array(column, field.type) for column, field in zip(plain, POSTS, strict=False)]
    rows.append(pa.array(list(known), LEVELS).take(pa.array(named_by, pa.int32())))
    names = pa.array([None] * len(posts) + [name for name, _ in counts], pa.string())
    numbers = pa.array([None] * len(posts) + [count for _, count in counts], pa.int64())
    return pa.RecordBatch.from_arrays([*rows, names, numbers], schema=POSTS)
