"""Archived days recomputed by another engine: the same files, parser, classifier and cells, the same rows written.

    python -m bench.peers.recompute ENGINE TOPIC DAY[,DAY...]     (settings of the environment)

Lines are read on the way in as a recompute's workers read them: the same quick look, and the whole parser for the few
that it leaves. The engine dedupes and sorts, and its rows are packed and written as a recompute does it. One process
takes one day after the other and holds one day at once; a core each has its own days. Says in JSON what it wrote: day,
cells, and a checksum over their rows.
Orders that name a post by the id of a later version, of which the bench sends none, are not applied.
"""

import json
import sys
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from drinkstream.archive import Archive
from drinkstream.archive_files import BATCH_ROWS, parts, read
from drinkstream.cells import HOUR_MS
from drinkstream.hits import candidates
from drinkstream.post import NO_DAY, REMOVING
from drinkstream.settings import Settings
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from jobs.ordinary import plain
from jobs.readings import READINGS, read_batch
from jobs.write_cells import ORDER, Written, summed, write_sorted

COLUMNS = ["key", "value", "stored", "append_ms", "partition", "offset"]
ROWS = pa.schema(
    [
        *(("minute", pa.int64()), ("shard", pa.int16())),
        *((name, pa.string()) for name in ("category", "brand", "source", "kind", "lang", "id")),
    ]
)
"""A row for each post and level that it counts in, as jobs/readings.py makes them."""

DUCKDB = f"""
WITH removed AS (
    SELECT DISTINCT source, id FROM readings
    WHERE what = 'tombstone' AND list_contains({list(REMOVING)}, detail)
), chosen AS (
    SELECT source, id, coalesce(
        arg_max(struct_pack(minute, kind, lang, levels), (append_ms, "partition", "offset")) FILTER (edited),
        arg_min(struct_pack(minute, kind, lang, levels), (append_ms, "partition", "offset"))
    ) AS version
    FROM readings
    WHERE what = 'post' AND day = $day AND (stored = '{NO_DAY}' OR stored = day)
    GROUP BY source, id
), levelled AS (
    SELECT source, id, version.minute, version.kind, version.lang, unnest(version.levels) AS level
    FROM chosen ANTI JOIN removed USING (source, id)
)
SELECT minute, level.shard AS shard, level.category AS category, level.brand AS brand, source, kind, lang, id
FROM levelled ORDER BY minute // {HOUR_MS}, {", ".join(ORDER)}
"""  # noqa: S608 - our own constants

CHDB = f"""
WITH removed AS (
    SELECT DISTINCT source, id FROM Python(readings)
    WHERE what = 'tombstone' AND detail IN {REMOVING}
), chosen AS (
    SELECT source, id,
        tuple(assumeNotNull(append_ms), assumeNotNull("partition"), assumeNotNull("offset")) AS place,
        tuple(assumeNotNull(minute), assumeNotNull(kind), assumeNotNull(lang), assumeNotNull(levels)) AS version,
        edited
    FROM Python(readings)
    WHERE what = 'post' AND day = '{{day}}' AND (stored = '{NO_DAY}' OR stored = day)
), kept AS (
    SELECT source, id, if(countIf(edited) > 0, argMaxIf(version, place, edited), argMin(version, place)) AS version
    FROM chosen GROUP BY source, id
)
SELECT version.1 AS minute, tupleElement(assumeNotNull(level), 'shard') AS shard,
    tupleElement(assumeNotNull(level), 'category') AS category, tupleElement(assumeNotNull(level), 'brand') AS brand,
    source, version.2 AS kind, version.3 AS lang, id
FROM kept LEFT ANTI JOIN removed USING (source, id) ARRAY JOIN version.4 AS level
ORDER BY intDiv(minute, {HOUR_MS}), {", ".join(ORDER)}
SETTINGS max_threads = 1, output_format_arrow_string_as_string = 1
"""  # noqa: S608


def batches(settings: Settings, topic: str, day: str) -> Iterator[pa.RecordBatch]:
    """Batches of READINGS of a day's records, and of those without a day."""
    archive = Archive(settings.archive)
    for part in parts(archive, [day, NO_DAY]):
        for batch in read(archive.uri, topic, part, COLUMNS):
            yield from readings(batch)


def readings(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """One batch of COLUMNS, of one day, as READINGS: each record once, the ordinary ones in a batch of their own.

    Of those only the post, its day, its place and that it has no levels are told; all else is None. They are not put
    together, since an engine has no second look at the archive by which it would find one among a post's versions.
    """
    may_hit = candidates(batch.column("value"))
    quick = plain(batch, batch.column("value").to_pylist(), may_hit)
    yield _named(batch.filter(pa.array(quick)))
    yield read_batch(batch.filter(pa.array(~quick)), may_hit[~quick])


def _named(ordinary: pa.RecordBatch) -> pa.RecordBatch:
    """Ordinary records as READINGS, without a look at their lines."""
    n = len(ordinary)
    key = pc.split_pattern(ordinary.column("key"), ":", max_splits=1)
    known = {
        "what": pa.repeat("post", n),
        "detail": pa.repeat("", n),
        "day": ordinary.column("stored"),
        "source": pc.list_element(key, 0),
        "id": pc.list_element(key, 1),
        "edited": pa.repeat(False, n),
        "levels": pa.array([[]] * n, READINGS.field("levels").type),
        **{name: ordinary.column(name) for name in ("stored", "append_ms", "partition", "offset")},
    }
    columns = [known[field.name] if field.name in known else pa.nulls(n, field.type) for field in READINGS]
    return pa.RecordBatch.from_arrays(columns, schema=READINGS)


def duckdb(read: Iterator[pa.RecordBatch], day: str) -> pa.Table:
    """The rows of a day by DuckDB."""
    import duckdb as engine

    reader = pa.RecordBatchReader.from_batches(READINGS, read)
    with engine.connect(config={"threads": 1}) as connection:
        connection.register("stream", reader)
        connection.execute("CREATE TEMP TABLE readings AS SELECT * FROM stream")
        return connection.sql(DUCKDB, params={"day": day}).to_arrow_table()


def polars(read: Iterator[pa.RecordBatch], day: str) -> pa.Table:
    """The rows of a day by Polars."""
    import polars as engine

    frame = engine.from_arrow(pa.Table.from_batches(read, READINGS))
    assert isinstance(frame, engine.DataFrame)
    col = engine.col
    version = engine.struct("minute", "kind", "lang", "levels")
    removed = frame.lazy().filter(col("what") == "tombstone", col("detail").is_in(list(REMOVING)))
    return (
        frame.lazy()
        .filter(col("what") == "post", col("day") == day, (col("stored") == NO_DAY) | (col("stored") == col("day")))
        .sort("append_ms", "partition", "offset")
        .group_by("source", "id")
        .agg(version.filter(col("edited")).last().alias("last_edit"), version.first().alias("first"))
        .select("source", "id", engine.coalesce("last_edit", "first").alias("version"))
        .join(removed, on=["source", "id"], how="anti")
        .unnest("version")
        .explode("levels")
        .drop_nulls("levels")
        .unnest("levels")
        .sort(col("minute") // HOUR_MS, *ORDER)
        .select(ROWS.names)
        .collect()
        .to_arrow(compat_level=engine.CompatLevel.oldest())
    )


def chdb(read: Iterator[pa.RecordBatch], day: str) -> pa.Table:
    """The rows of a day by chDB, which is ClickHouse."""
    import chdb as engine

    readings = pa.Table.from_batches(read, READINGS)  # noqa: F841 - the query names it
    return engine.query(CHDB.format(day=day), "ArrowTable")


ENGINES: dict[str, Callable[[Iterator[pa.RecordBatch], str], pa.Table]] = {
    "duckdb": duckdb,
    "polars": polars,
    "chdb": chdb,
}


def run_id(engine: str, day: str) -> str:
    """The run that an engine writes a day into."""
    return f"{engine}-{day}"


def main(engine: str, topic: str, days: str) -> None:
    """Recomputes the days, each into a run of its own."""
    settings = Settings.load()
    session = connect(settings, settings.writer_login())
    writer = Writer(session)
    for day in days.split(","):
        rows = ENGINES[engine](batches(settings, topic, day), day).cast(ROWS)
        run = run_id(engine, day)
        told = write_sorted(writer, rows.to_batches(max_chunksize=BATCH_ROWS), {day: run})
        written = summed(told.to_pylist()).get(run, Written())
        print(json.dumps({"day": day, "cells": written.cells, "checksum": written.checksum}), flush=True)
    session.cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
