"""Archived days recomputed by another engine: the same files, parser, classifier and cells, the same rows written.

    python -m bench.peers.recompute ENGINE TOPIC DAY[,DAY...]     (settings of the environment)

The Python meaning runs over Arrow batches on the way in, the engine groups and dedupes. One process takes one day after
the other and holds one day at once; a core each has its own days. Says in JSON what it wrote: day, posts of each level.
Orders that name a post by the id of a later version, of which the bench sends none, are not applied.
"""

import json
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from drinkstream.archive import Archive
from drinkstream.archive_files import parts, read
from drinkstream.cells import MINUTE_MS, hour_of, pack
from drinkstream.hits import candidates
from drinkstream.post import NO_DAY, REMOVING
from drinkstream.settings import Settings
from drinkstream.store.session import connect
from drinkstream.store.write import CellRow, Writer
from jobs.readings import READINGS, read_batch

COLUMNS = ["key", "value", "stored", "append_ms", "partition", "offset"]
CELL = ["minute", "category", "brand", "source", "kind", "lang", "shard"]

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
SELECT minute, level.category, level.brand, source, kind, lang, level.shard, list(DISTINCT id) AS ids
FROM levelled GROUP BY ALL
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
SELECT version.1 AS minute, tupleElement(assumeNotNull(level), 'category') AS category,
    tupleElement(assumeNotNull(level), 'brand') AS brand, source, version.2 AS kind, version.3 AS lang,
    tupleElement(assumeNotNull(level), 'shard') AS shard, groupUniqArray(id) AS ids
FROM kept LEFT ANTI JOIN removed USING (source, id) ARRAY JOIN version.4 AS level
GROUP BY ALL SETTINGS max_threads = 1, output_format_arrow_string_as_string = 1
"""  # noqa: S608


def batches(settings: Settings, topic: str, day: str) -> Iterator[pa.RecordBatch]:
    """Batches of READINGS of a day's records, and of those without a day."""
    archive = Archive(settings.archive)
    for part in parts(archive, [day, NO_DAY]):
        for batch in read(archive.uri, topic, part, COLUMNS):
            yield read_batch(batch, candidates(batch.column("value")))


def duckdb(read: Iterator[pa.RecordBatch], day: str) -> pa.Table:
    """The cells of a day by DuckDB."""
    import duckdb as engine

    reader = pa.RecordBatchReader.from_batches(READINGS, read)
    with engine.connect(config={"threads": 1}) as connection:
        connection.register("stream", reader)
        connection.execute("CREATE TEMP TABLE readings AS SELECT * FROM stream")
        return connection.sql(DUCKDB, params={"day": day}).to_arrow_table()


def polars(read: Iterator[pa.RecordBatch], day: str) -> pa.Table:
    """The cells of a day by Polars."""
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
        .group_by(CELL)
        .agg(col("id").unique().alias("ids"))
        .collect()
        .to_arrow()
    )


def chdb(read: Iterator[pa.RecordBatch], day: str) -> pa.Table:
    """The cells of a day by chDB, which is ClickHouse."""
    import chdb as engine

    readings = pa.Table.from_batches(read, READINGS)  # noqa: F841 - the query names it
    return engine.query(CHDB.format(day=day), "ArrowTable")


ENGINES: dict[str, Callable[[Iterator[pa.RecordBatch], str], pa.Table]] = {
    "duckdb": duckdb,
    "polars": polars,
    "chdb": chdb,
}


def main(engine: str, topic: str, days: str) -> None:
    """Recomputes the days into runs named after engine and day."""
    settings = Settings.load()
    session = connect(settings, settings.writer_login())
    writer = Writer(session)
    for day in days.split(","):
        cells = ENGINES[engine](batches(settings, topic, day), day)
        counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        ordered = cells.sort_by([(name, "ascending") for name in CELL])
        rows = sorted((row(cell) for cell in ordered.to_pylist()), key=lambda one: one[:3])
        writer.batch_cells(f"{engine}-{day}", rows)
        for one in rows:
            counts[one.category, one.brand] += one.n
        checksum = sum(zlib.crc32(one.ids) for one in rows)
        told = [[*level, n] for level, n in sorted(counts.items())]
        print(json.dumps({"day": day, "counts": told, "cells": len(rows), "checksum": checksum}), flush=True)
    session.cluster.shutdown()


def row(cell: dict[str, Any]) -> CellRow:
    """A cell as a row of the store."""
    minute, ids = cell["minute"], cell["ids"]
    names = (cell["brand"], cell["source"], cell["kind"], cell["lang"])
    return CellRow(
        hour_of(minute), cell["category"], minute // MINUTE_MS % 60, *names, None, cell["shard"], len(ids), pack(ids)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
