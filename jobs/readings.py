"""From archived records to what a run counts: DataFrame -> DataFrame, nothing is read or written here.

lines     the archived records of the days                           `Lines`, jobs/lines.py
readings  what each record is, posts with the levels they count in   `readings`, ordinary ones put together
posts     one version of each post that stays                        `posts`
levels    one row for each post and level that it counts in          `level_rows`
"""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from xxhash import xxh3_64_intdigest

from drinkstream.archive_files import RECORDS
from drinkstream.cells import minute_of
from drinkstream.edits import day_in, other_keys
from drinkstream.hits import LEVELS, candidates, placed
from drinkstream.post import (
    NO_DAY,
    REMOVING,
    Notice,
    Post,
    Record,
    Rejected,
    Tombstone,
    day_of,
    detail_of,
    parse_keyed,
)
from jobs.lines import Lines
from jobs.ordinary import MANY, gathered, ordinary, plain, several

OTHER = pa.struct([("id", pa.string()), ("day", pa.string())])
"""An id that a later version of a post has, and the day under which an order lies that names it."""

READINGS = pa.schema(
    [
        ("what", pa.string()),  # post, tombstone, notice or rejected
        ("detail", pa.string()),  # a rejected record's reason, a tombstone's action
        ("day", pa.string()),  # the event day of a post; None for all else
        ("source", pa.string()),
        ("id", pa.string()),
        ("edited", pa.bool_()),
        ("minute", pa.int64()),
        ("kind", pa.string()),
        ("lang", pa.string()),
        ("levels", LEVELS),
        ("others", pa.list_(OTHER)),  # ids besides `id` by which a line names its post, one that was edited
        ("stored", pa.string()),  # the archive's partition that the record lies in
        ("append_ms", pa.int64()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
    ]
)

PRINTS = pa.schema([("cluster", pa.string()), ("print", pa.int64())])
"""What is told of each record beside its reading: a hash of its place and bytes."""

ORDER = ("append_ms", "partition", "offset")

_NOTHING = (None,) * 5


def readings(lines: Lines) -> DataFrame:
    """What each record is: one row for each, but for the ordinary ones, of which a row stands for many.

    `n` sums to the number of records.
    """
    return lines.mapped(RECORDS.names, _read_lines, pa.unify_schemas([READINGS, PRINTS, MANY]))


def _read_lines(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield read_lines(batch)


def read_lines(batch: pa.RecordBatch) -> pa.RecordBatch:
    """One batch of RECORDS (drinkstream/archive_files.py), of one day, as READINGS, PRINTS and MANY."""
    lines = batch.column("value").to_pylist()
    printed = batch.append_column(PRINTS.field("print"), prints(batch, lines))
    may_hit = candidates(batch.column("value"))
    quick = plain(batch, lines, may_hit)
    rest = printed.filter(pa.array(~quick))
    few = printed.select(["stored", "cluster", "partition", "offset", "print"]).filter(pa.array(quick))
    return gathered(read_batch(rest, may_hit[~quick]), rest.column("key"), few)


def prints(batch: pa.RecordBatch, lines: list[bytes | None]) -> pa.Array:
    """A hash of each record's place and bytes: XXH3 of its line, the seed XXH3 of `cluster/partition` plus the offset.

    `lines` are the batch's values.
    """
    clusters = batch.column("cluster").dictionary_encode()
    places = clusters.indices.to_numpy().astype(np.int64) << 32 | batch.column("partition").to_numpy()
    known, of = np.unique(places, return_inverse=True)
    names = [f"{clusters.dictionary[place >> 32]}/{place & 0xFFFFFFFF}".encode() for place in known.tolist()]
    seeds = np.array([xxh3_64_intdigest(name) for name in names], np.uint64)[of]
    seeds += batch.column("offset").to_numpy().astype(np.uint64)
    hashed = [xxh3_64_intdigest(line or b"", seed) for line, seed in zip(lines, seeds.tolist(), strict=True)]
    return pa.array(np.array(hashed, np.uint64).view(np.int64))


def posts(lines: Lines, read: DataFrame, gone: DataFrame | None, few: bool = False) -> DataFrame:
    """One version of each post that names a drink but those `gone` (see `removed`): (day, source, id, minute, ...).

    Of several versions the last by (append time, partition, offset) among those marked as edits counts if there is
    one, else the first by the same order; where that one names nothing, its `levels` are empty. `read` are the readings
    of `lines`; `few` as in `ordinary`; where nothing is `gone` it may be None.
    """
    version = F.struct("minute", "kind", "lang", "levels")
    order = F.struct(*ORDER)
    versions = _versions(read).unionByName(ordinary(lines, read, few), allowMissingColumns=True)
    chosen = (
        # nearly all have one version, so that nothing is gained by grouping in each task first; ids come first since
        # Spark sorts by eight bytes of the first column as long as they differ
        versions.repartition("id", "source", "day")
        .groupBy("id", "source", "day")
        .agg(
            F.min_by(version, order).alias("first"),
            F.max_by(version, F.when(F.col("edited"), order)).alias("last_edit"),
        )
        .select("day", "source", "id", F.coalesce("last_edit", "first").alias("version"))
        .select("day", "source", "id", "version.*")
    )
    return chosen if gone is None else chosen.join(gone, ["source", "id"], "left_anti")


def removed(read: DataFrame, edited: int | None = None, elsewhere: Collection[tuple[str, str]] = ()) -> DataFrame:
    """The posts that a tombstone removes, as (source, id), each once: by its key, or by an id that a version has.

    `edited` is how many readings name more than one id, where that is known. `elsewhere`: posts that tombstones remove
    which lie under other days (jobs/elsewhere.py).
    """
    removing = (F.col("what") == "tombstone") & F.col("detail").isin(*REMOVING)
    orders = read.where(removing).select("source", "id").distinct()
    if edited == 0:
        return orders
    by_id = orders.withColumnRenamed("id", "other_id")
    gone = orders.union(other_ids(read).join(by_id, ["source", "other_id"], "left_semi").select("source", "id"))
    if elsewhere:
        gone = gone.union(read.sparkSession.createDataFrame(sorted(elsewhere), "source string, id string"))
    return gone.distinct()


def other_ids(read: DataFrame) -> DataFrame:
    """What else the posts that were edited are called: (day, source, id, other_id, other_day), of the few that were."""
    return (
        _versions(read)
        .where(F.size("others") > 0)
        .select("day", "source", "id", F.explode("others").alias("other"))
        .select("day", "source", "id", F.col("other.id").alias("other_id"), F.col("other.day").alias("other_day"))
    )


def _versions(read: DataFrame) -> DataFrame:
    # a record lies in the partition of its day, or, without a header that says it, in the one of no day
    placed = (F.col("stored") == NO_DAY) | (F.col("stored") == F.col("day"))
    return read.where((F.col("what") == "post") & ~several() & placed)


def level_rows(kept: DataFrame) -> DataFrame:
    """A row for each post and level that it counts in: (minute, category, brand, source, kind, lang, shard, id).

    `kept` has each post once. The ids of the rows that are otherwise equal are a cell's, `minute` its start in ms.
    """
    rows = kept.select("minute", "source", "kind", "lang", "id", F.explode("levels").alias("level"))
    return rows.select("minute", "level.category", "level.brand", "source", "kind", "lang", "level.shard", "id")


def read_batch(batch: pa.RecordBatch, may_hit: npt.NDArray[np.bool_] | None = None) -> pa.RecordBatch:
    """One Arrow batch of (key, value, stored, append_ms, partition, offset) as READINGS, row by row.

    `may_hit`: which lines may name a drink, where that is known. Columns behind these six are passed on.
    """
    keys, values, appends = batch.column(0), batch.column(1), batch.column(3)
    if may_hit is None:
        may_hit = candidates(values)
    rows = [
        _row(parse_keyed(value or b"", key, append_ms), hit)
        for key, value, append_ms, hit in zip(
            keys.to_pylist(), values.to_pylist(), appends.to_pylist(), may_hit.tolist(), strict=True
        )
    ]
    columns: list[Any] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(11)]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, READINGS, strict=False)]
    schema = pa.schema([*READINGS, *list(batch.schema)[6:]])
    return pa.RecordBatch.from_arrays([*arrays, *batch.columns[2:]], schema=schema)


def _row(record: Record, may_hit: bool) -> tuple[Any, ...]:
    match record:
        case Post():
            levels = placed(record) if may_hit else ()
            others = [(key.partition(":")[2], day_in(key)) for key in other_keys(record)] if record.others else None
            day = day_of(record.event_ms)
            minute = minute_of(record.event_ms)
            kind, lang = record.kind, record.lang
            return ("post", "", day, record.source, record.id, record.edited, minute, kind, lang, levels, others)
        case Tombstone():
            return ("tombstone", detail_of(record), None, record.source, record.id, False, *_NOTHING)
        case Notice():
            return ("notice", record.kind, None, record.source, None, False, *_NOTHING)
        case Rejected():
            return ("rejected", record.reason, None, None, None, False, *_NOTHING)
