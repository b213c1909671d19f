"""Ordinary records: posts that name no drink, never edited, read as they were when they came. Nearly all are.

They count as rows of the archive, and a version of a post that names nothing keeps a later one that does from counting.
So `gathered` puts them together, a few rows for each batch, and `ordinary` finds those that matter again by their keys
alone, without their lines.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from drinkstream.post import NO_DAY

FEW = 500_000
"""Readings that name a drink up to which their posts are handed to every task: some 60 MB."""

MANY = pa.schema([("n", pa.int64()), ("last", pa.int64())])
"""How many records a row stands for, and the last of their offsets; `offset` is the first, `print` all prints XORed."""

_TOGETHER = ["what", "detail", "day", "stored", "cluster", "partition"]


def gathered(read: pa.RecordBatch, keys: pa.Array) -> pa.RecordBatch:
    """A batch of readings with its ordinary ones put together, and MANY behind its columns; `keys` are Kafka's.

    `read` has the columns of READINGS and PRINTS (jobs/readings.py). A row for several records has no `id`.
    """
    ordinary = _ordinary(read, keys)
    few = read.filter(pc.invert(ordinary))
    ones = pa.array(np.ones(len(few), np.int64))
    few = pa.RecordBatch.from_arrays(
        [*few.columns, ones, few.column("offset")], schema=pa.schema([*read.schema, *MANY])
    )
    together = pa.Table.from_batches([read.filter(ordinary)]).group_by(_TOGETHER, use_threads=False)
    many = together.aggregate([("offset", "min"), ("offset", "max"), ("print", "list"), ("offset", "count")])
    prints = [np.bitwise_xor.reduce(one.values.to_numpy()) for one in many["print_list"]]
    columns: dict[str, Any] = {name: many[name].combine_chunks() for name in _TOGETHER} | {
        "edited": pa.array([False] * len(many)),
        "offset": many["offset_min"].combine_chunks(),
        "print": pa.array(prints, pa.int64()),
        "n": many["offset_count"].combine_chunks(),
        "last": many["offset_max"].combine_chunks(),
    }
    arrays = [columns.get(field.name, pa.nulls(len(many), field.type)) for field in few.schema]
    rows = pa.Table.from_batches([few, pa.RecordBatch.from_arrays(arrays, schema=few.schema)]).combine_chunks()
    return rows.to_batches()[0] if len(rows) else few


def _ordinary(read: pa.RecordBatch, keys: pa.Array) -> pa.Array:
    name = pc.binary_join_element_wise(read.column("source"), read.column("id"), ":")
    tests = [
        pc.equal(pc.list_value_length(read.column("levels")), 0),
        pc.invert(read.column("edited")),
        pc.is_null(read.column("others")),
        pc.equal(read.column("day"), read.column("stored")),
        pc.equal(name, keys),
    ]
    found = pc.equal(read.column("what"), "post")
    for test in tests:
        found = pc.and_(found, pc.fill_null(test, False))
    return found


def several() -> Any:
    """Whether a row of readings stands for ordinary records."""
    return (F.col("what") == "post") & F.col("id").isNull()


def ordinary(records: DataFrame, read: DataFrame, naming: int | None = None) -> DataFrame:
    """The ordinary records that are versions of a post which names a drink in another version, as rows of readings.

    `records` are those that were read; only their keys and places are looked at. `naming` is how many readings name a
    drink, where that is known.
    """
    key = F.concat_ws(":", "source", "id").alias("key")
    named = read.where(F.size("levels") > 0).select(key, "source", "id").distinct()
    if naming is not None and naming <= FEW:
        named = F.broadcast(named)
    place = ["cluster", "partition", "offset"]
    about = records.where(F.col("stored") != NO_DAY).select("key", "stored", "append_ms", *place).join(named, "key")
    rest = about.join(read.where(~several()).select(*place), place, "left_anti")
    return rest.select(
        F.lit("post").alias("what"),
        F.col("stored").alias("day"),
        "source",
        "id",
        F.lit(False).alias("edited"),
        "stored",
        "append_ms",
        "partition",
        "offset",
    )
