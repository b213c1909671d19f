"""Ordinary records: posts that name no drink, never edited, read as they were when they came. Nearly all are.

They count as rows of the archive, and a version of a post that names nothing keeps a later one that does from counting.
So `gathered` puts them together, a few rows for each batch, and `ordinary` finds those that matter again by their keys
alone, without their lines.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from drinkstream.archive_files import RECORDS
from drinkstream.hits import bytes_of
from drinkstream.plain_posts import plain_posts
from drinkstream.post import DAY_MS, NO_DAY
from drinkstream.wire_json import MAX_DEPTH
from jobs.lines import Lines

FEW = 1_000_000
"""Readings that are `alone` up to which their keys and places are handed to every worker: 70 MB."""

KEYS_AT_ONCE = 500_000
"""Keys that are looked up at once, since each look-up first hashes all that are sought."""

_PIECE = 256 * 1024
"""Bytes that are looked through at once: what is made of them stays in the processor's cache."""

MANY = pa.schema([("n", pa.int64()), ("last", pa.int64())])
"""How many records a row stands for, and the last of their offsets; `offset` is the first, `print` all prints XORed."""

_TOGETHER = ["what", "detail", "day", "stored", "cluster", "partition"]
_PLACE = ["cluster", "partition", "offset"]
_KEYED = RECORDS.remove(RECORDS.get_field_index("value"))


def plain(batch: pa.RecordBatch, lines: list[bytes | None], may_hit: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which records of one day are ordinary at a quick look: no other is taken for one, but not all of them are found.

    `lines` are the batch's values; `may_hit`: which of them may name a drink.
    """
    values, day = batch.column("value"), batch.column("stored")[0].as_py()
    if day == NO_DAY or not _utf8(values):
        return np.zeros(len(batch), np.bool_)
    looked = lines.copy()
    for at in np.flatnonzero(may_hit | (_brackets(values) > MAX_DEPTH)).tolist():
        looked[at] = None
    began = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000
    return plain_posts(looked, batch.column("key"), batch.column("append_ms").to_numpy(), began, began + DAY_MS)


def _utf8(values: pa.Array) -> bool:
    try:
        values.cast(pa.string())
    except pa.ArrowInvalid:
        return False
    return True


def _brackets(values: pa.Array) -> npt.NDArray[np.int64]:
    """How many `[` and `{` stand in each line."""
    text, offsets = bytes_of(values)
    every = np.frombuffer(text, np.uint8)
    firsts = range(0, len(every), _PIECE)
    # the two differ in one bit
    at = [np.flatnonzero((every[first : first + _PIECE] | 0x20) == ord("{")) + first for first in firsts]
    counts: npt.NDArray[np.int64] = np.diff(np.searchsorted(np.concatenate([*at, np.zeros(0, np.int64)]), offsets))
    return counts


def gathered(read: pa.RecordBatch, keys: pa.Array, plain: pa.RecordBatch) -> pa.RecordBatch:
    """A batch of readings with its ordinary ones put together with `plain`, and MANY behind its columns.

    `read` has the columns of READINGS and PRINTS (jobs/readings.py), `keys` are Kafka's; `plain` are ordinary records,
    of which (stored, cluster, partition, offset, print) is told. A row for several records has no `id`.
    """
    ordinary = _ordinary(read, keys)
    few = read.filter(pc.invert(ordinary))
    ones = pa.array(np.ones(len(few), np.int64))
    few = pa.RecordBatch.from_arrays(
        [*few.columns, ones, few.column("offset")], schema=pa.schema([*read.schema, *MANY])
    )
    names = [*_TOGETHER, "offset", "print"]
    known = {"what": pa.repeat("post", len(plain)), "detail": pa.repeat("", len(plain)), "day": plain.column("stored")}
    quick = pa.RecordBatch.from_arrays([known[n] if n in known else plain.column(n) for n in names], names)
    every = pa.Table.from_batches([quick, read.filter(ordinary).select(names)])
    together = every.group_by(_TOGETHER, use_threads=False)
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


def alone() -> Any:
    """Whether a row of readings stands for one record, and the ordinary ones are not to be found without it.

    They lie under their own day. So of what lies under none, as every keepalive of X does, only that counts which names
    a drink.
    """
    return ~several() & ((F.col("stored") != NO_DAY) | (F.size("levels") > 0))


def ordinary(lines: Lines, read: DataFrame, few: bool = False) -> DataFrame:
    """The ordinary records that are versions of a post which names a drink in another version, as rows of readings.

    `lines` are the records of which `read` are the readings; only their keys and places are looked at. `few`: whether
    it is known that at most FEW of the readings are `alone`.
    """
    # an ordinary record lies under its own day, and has its post's key; what names a drink may lie under `none`
    named = F.size("levels") > 0
    sought = F.when(named, F.col("day")).alias("day"), F.when(named, F.concat_ws(":", "source", "id")).alias("key")
    known = read.where(alone()).select("stored", *sought, *_PLACE)
    days = replace(lines, days=[day for day in lines.days if day != NO_DAY])
    if few:
        rest = _handed(days, known.toArrow())
    else:
        keys = known.where(F.col("key").isNotNull()).select(F.col("day").alias("stored"), "key")
        about = days.mapped(_KEYED.names, iter, _KEYED).join(keys, ["stored", "key"], "left_semi")
        rest = about.join(known.select(*_PLACE), _PLACE, "left_anti")
    return rest.select(
        F.lit("post").alias("what"),
        F.col("stored").alias("day"),
        F.substring_index("key", ":", 1).alias("source"),
        F.expr("substr(key, instr(key, ':') + 1)").alias("id"),
        F.lit(False).alias("edited"),
        "stored",
        "append_ms",
        "partition",
        "offset",
    )


def _handed(days: Lines, read: pa.Table) -> DataFrame:
    """The records that have a key of `read` under its day, and none of its places."""
    keys = {day: read.filter(pc.equal(read["day"], day))["key"].combine_chunks() for day in days.days}
    under = {day: read.filter(pc.equal(read["stored"], day)).select(_PLACE) for day in days.days}
    places = days.spark.sparkContext.broadcast(under)

    def others(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            known = places.value[batch.column("stored")[0].as_py()]
            # the join hashes all that it is given, and few of a day's places are near these
            near = known.filter(pc.is_in(known["offset"], batch.column("offset")))
            found = pa.Table.from_batches([batch]).join(near, _PLACE, join_type="left anti", use_threads=False)
            yield from found.select(_KEYED.names).to_batches()

    wanted = {day: some for day, some in keys.items() if len(some)}
    return days.mapped(_KEYED.names, others, _KEYED, KEYS_AT_ONCE, wanted)
