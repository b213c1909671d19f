"""The speed layer: Kafka -> cells in Cassandra, at once. One Structured Streaming query, read top to bottom.

    posts (key, value, append time)
      -> the prefilter's first scan of the bytes                            streaming/jvm_prefilter.py, in the JVM
      -> prefilter on bytes, parse, classify, roll up to levels            drinkstream/, in Python workers
      -> one row for each post and level
      -> watermark and ten-minute slots, both on Kafka's append time
      -> the set of ids of each cell, slot and shard
      -> upserts of whole rows                                             streaming/sink.py

Nothing is late: an old post, or a wrong clock in one, cannot drop another's, since only append time moves the
watermark.
"""

import json
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import click
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from drinkstream import meaning
from drinkstream.archive import Archive
from drinkstream.command import exit_code
from drinkstream.errors import ConflictError, IntegrityError
from drinkstream.hits import candidates, hits
from drinkstream.post import REASONS, Post, Rejected, parse_keyed
from drinkstream.settings import Settings
from drinkstream.spark import session
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from streaming.beginning import first_offsets
from streaming.epochs import Kafka, Life, become_current, caught_up, decide, expiring, mark_expiring
from streaming.jvm_prefilter import jar, sought
from streaming.offsets import append_times, look, offsets_at
from streaming.sink import Progress, Sink
from streaming.word import Word

LEVEL_ROWS = pa.schema(
    [
        ("append", pa.timestamp("us", "UTC")),
        ("minute", pa.int64()),
        ("source", pa.string()),
        ("category", pa.string()),
        ("brand", pa.string()),
        ("kind", pa.string()),
        ("lang", pa.string()),
        ("shard", pa.int16()),
        ("number", pa.int64()),
        ("text", pa.string()),
        ("tally", pa.string()),
        ("n", pa.int64()),
    ]
)
"""One row for each post and level; or, where `tally` is set, a count of what an Arrow batch held (post, rejected.*)."""

CELL = ["minute", "source", "category", "brand", "kind", "lang", "shard"]

KAFKA_WAIT_S = 120.0

STREAM_CONF = {
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # two cores have no room for a collector that works beside the query; its pauses are far below a micro-batch
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC -XX:+ExitOnOutOfMemoryError",
    # progress is polled once a second; nothing may fall out of the list in between
    "spark.sql.streaming.numRecentProgressUpdates": "1000",
}


def main(argv: list[str] | None = None) -> int:
    """Runs the speed query until it is told to stop; returns the exit code of what ended it."""
    return exit_code(run, argv, "speed")


@click.command()
@click.option("--epoch", help="Go on with this epoch, and with no other.")
@click.option("--beside", is_flag=True, help="Another epoch answers: what to catch up with comes by standard input.")
@click.option("--led", is_flag=True, help="End with the end of standard input.")
def run(epoch: str | None, beside: bool, led: bool) -> None:
    """Count posts as they arrive."""
    stopping = threading.Event()
    word = Word(sys.stdin, stopping) if led or beside else None
    settings = Settings.load()
    session_ = connect(settings, settings.writer_login())
    reader, writer = Reader(session_), Writer(session_)
    life = begin(settings, reader, writer, epoch, beside)
    spark = session(settings, f"speed-{life.epoch}", settings.speed_heap, STREAM_CONF, [jar()])
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())
    sink = Sink(spark, reader, writer, life, settings.posts_topic)
    query = start(spark, settings, life, sink)
    try:
        watch(query, stopping, settings, reader, writer, life, sink, word)
    finally:
        query.stop()
        spark.stop()
        session_.cluster.shutdown()


def begin(settings: Settings, reader: Reader, writer: Writer, only: str | None = None, beside: bool = False) -> Life:
    """The life to lead; where it is a new one its row is stored before anything else.

    `only` is the one epoch to go on with. Raises ConflictError where that one cannot.
    """
    seen = look(settings.bootstrap, (settings.posts_topic,), KAFKA_WAIT_S)
    kafka = Kafka(seen.cluster, _by_partition(seen.begin), _by_partition(seen.end))
    now = datetime.now(UTC)
    version = meaning.version()
    life, why = decide(reader.epochs(), version, kafka, settings.checkpoints, settings.speed_watermark, now)
    if only is not None and (why is not None or life.epoch != only):
        raise ConflictError(f"epoch {only} cannot go on: {why or f'{life.epoch} is the newest of its meaning'}")
    if beside:
        life = replace(life, catch_up=None)
    if why is None:
        print(f"epoch {life.epoch} goes on", flush=True)
        return life
    print(f"epoch {life.epoch} starts: {why}", flush=True)
    first = first_offsets(
        seen,
        settings.posts_topic,
        Archive(settings.archive),
        {entry.day for entry in reader.publications(reader.published_months())},
        partial(append_times, settings.bootstrap),
        partial(offsets_at, settings.bootstrap),
    )
    life = replace(life, first_offsets=first)
    writer.epoch(
        life.epoch,
        cluster=kafka.cluster,
        meaning=version,
        status="building",
        started_at=now,
        first_offsets=life.first_offsets,
        catch_up=life.catch_up or {},
        watermark_s=life.watermark_s,
        blind_days=blind_days(settings, kafka.cluster, first),
        why=why,
    )
    return life


def blind_days(settings: Settings, cluster: str, first: Mapping[str, int]) -> frozenset[date]:
    """The days that an epoch that begins at `first` cannot answer for: those with a record before it."""
    archive = Archive(settings.archive)
    if not any(first.values()) and not archive.exists():
        return frozenset()
    return archive.days_before(settings.posts_topic, cluster, {int(p): offset for p, offset in first.items()})


def start(spark: SparkSession, settings: Settings, life: Life, sink: Sink) -> StreamingQuery:
    """The query, started: the diagram above."""
    records = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.bootstrap)
        .option("subscribe", settings.posts_topic)
        .option("startingOffsets", json.dumps({settings.posts_topic: dict(life.first_offsets)}))
        .option("maxOffsetsPerTrigger", settings.speed_max_offsets)
        .option("failOnDataLoss", "true")
        # one long poll suffices for a second's records; the default of 512 ms x retries hides a dead broker
        .option("fetchOffset.numRetries", "10")
        .load()
        # (key, value, append time)
        .select(F.col("key").cast("string"), "value", F.col("timestamp").alias("append"))
    )
    return (
        cells(level_rows(sought(records, settings)), life.watermark_s)
        .writeStream.outputMode("update")
        .queryName("speed")
        .option("checkpointLocation", str(life.checkpoint))
        .trigger(processingTime=f"{int(settings.speed_trigger * 1000)} milliseconds")
        .foreachBatch(sink.write)
        .start()
    )


def level_rows(records: DataFrame) -> DataFrame:
    """(key, value, append) -> one row for each post and level. What else was in the records is observed as `tally`."""
    # one task for each core: eight small ones would cost more in starting than in work
    tasks = int(records.sparkSession.conf.get("spark.sql.shuffle.partitions") or 2)
    rows = records.coalesce(tasks).mapInArrow(roll_up, _spark_schema())
    # tallies are summed beside the data, by Spark's own observation, and end here
    return rows.observe("tally", *[_tally(name) for name in TALLIES]).where(F.col("tally").isNull())


def cells(rows: DataFrame, watermark_s: int) -> DataFrame:
    """(cell, slot, shard) -> the set of its ids, as integers and as texts. `rows` are level rows without tallies."""
    return (
        rows.withWatermark("append", f"{watermark_s} seconds")
        .groupBy(F.window("append", "10 minutes").alias("slot"), *CELL)
        .agg(F.collect_set("number").alias("numbers"), F.collect_set("text").alias("texts"))
        .select(F.unix_millis("slot.start").alias("slot"), *CELL, "numbers", "texts")
    )


TALLIES = ("post", *(f"rejected.{reason}" for reason in REASONS))
"""What is counted of the records that passed the prefilter: posts that name a drink, and rejections by reason."""


def roll_up(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Arrow batches of (key, value, append) -> Arrow batches of LEVEL_ROWS. Runs in Spark's Python workers."""
    for batch in batches:
        yield roll_up_batch(batch)


def roll_up_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """One Arrow batch of (key, value, append) as LEVEL_ROWS."""
    kept = batch.take(pa.array(candidates(batch.column(1)).nonzero()[0]))
    keys, values, appends = kept.column(0), kept.column(1), kept.column(2).cast(pa.int64())
    found = []
    tally: dict[str, int] = {}
    for key, value, append_us in zip(keys.to_pylist(), values.to_pylist(), appends.to_pylist(), strict=True):
        record = parse_keyed(value, key, append_us // 1000)
        if isinstance(record, Rejected):
            name = f"rejected.{record.reason}"
            tally[name] = tally.get(name, 0) + 1
        elif isinstance(record, Post):
            levels = hits(record, append_us)
            found.extend(levels)
            tally["post"] = tally.get("post", 0) + bool(levels)
    columns: list[list[Any]] = [list(column) for column in zip(*found, strict=True)] or [[] for _ in range(10)]
    n = len(found)
    counts = sorted(tally.items())
    rows = [
        pa.array(column + [None] * len(counts), field.type) for column, field in zip(columns, LEVEL_ROWS, strict=False)
    ]
    names = pa.array([None] * n + [name for name, _ in counts], pa.string())
    numbers = pa.array([None] * n + [count for _, count in counts], pa.int64())
    return pa.RecordBatch.from_arrays([*rows, names, numbers], schema=LEVEL_ROWS)


def watch(
    query: StreamingQuery,
    stopping: threading.Event,
    settings: Settings,
    reader: Reader,
    writer: Writer,
    life: Life,
    sink: Sink,
    word: Word | None = None,
) -> None:
    """Follows a running query: stores what it measured, makes its epoch current, stops it when rows were dropped."""
    progress = Progress(sink)
    current = False
    catch_up = life.catch_up
    ttl = timedelta(days=settings.speed_ttl_days)
    while not stopping.wait(timeout=0.5):
        if dropped := progress.store(query.recentProgress):
            writer.epoch(life.epoch, status="dropped")
            raise IntegrityError(
                f"the watermark of {life.watermark_s} s dropped {dropped} rows of {life.epoch}; a new epoch starts "
                "with twice the delay"
            )
        if not query.isActive:
            failure = query.exception()
            raise IntegrityError(f"the speed query ended: {failure}")
        if catch_up is None and word is not None and word.catch_up is not None:
            catch_up = word.catch_up
            writer.epoch(life.epoch, catch_up=catch_up)
        if not current and catch_up is not None and caught_up(sink.processed, life.first_offsets, catch_up):
            if become_current(reader, writer, life.epoch):
                print(f"epoch {life.epoch} answers from now on", flush=True)
            current = True
        now = datetime.now(UTC)
        if not current:
            mark_expiring(reader, writer, life.epoch, now, ttl)
        if blind := expiring(sink.touched, now, ttl) - sink.blind:
            sink.blind |= blind
            writer.epoch(life.epoch, blind_days=sink.blind)


def _by_partition(offsets: Mapping[tuple[str, int], int]) -> dict[str, int]:
    return {str(partition): offset for (_, partition), offset in sorted(offsets.items())}


def _tally(name: str) -> Any:
    return F.sum(F.when(F.col("tally") == name, F.col("n"))).alias(name.replace(".", "_"))


def _spark_schema() -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(LEVEL_ROWS, prefer_timestamp_ntz=False)


if __name__ == "__main__":
    sys.exit(main())
