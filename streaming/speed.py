"""The speed layer: Kafka -> cells in Cassandra, at once. One Structured Streaming query, read top to bottom.

    posts (key, value, append time)
      -> the prefilter's first scan of the bytes                            streaming/jvm_prefilter.py, in the JVM
      -> prefilter on bytes, parse, classify, roll up to levels            streaming/roll_up.py, in Python workers
      -> one row for each post and level
      -> watermark and ten-minute slots, both on the minute of Kafka's append time
      -> the set of ids of each cell, slot and shard, packed                streaming/id_sets.py, in the JVM
      -> upserts of whole rows, in Python workers                          streaming/upserts.py
      -> what came of the micro-batch                                      streaming/sink.py

Nothing is late: an old post, or a wrong clock in one, cannot drop another's, since only append time moves the
watermark.
"""

import json
import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import click
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.streaming.query import StreamingQuery
from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from drinkstream import meaning
from drinkstream.archive import Archive
from drinkstream.cells import SLOT_MS
from drinkstream.command import exit_code
from drinkstream.errors import ConflictError, IntegrityError, UnavailableError
from drinkstream.retention import expiring
from drinkstream.settings import Settings
from drinkstream.spark import PARALLEL, compilers_behind, session, wake_workers
from drinkstream.store.read import EpochRow, Reader
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.taxonomy_kept import installed
from streaming.beginning import first_offsets
from streaming.clock import Clock
from streaming.epochs import (
    Kafka,
    Life,
    become_current,
    caught_up,
    decide,
    mark_expiring,
    note_dropped,
    outlived,
    tell_dropped,
)
from streaming.id_sets import packed_ids
from streaming.jvm_classes import jar, require
from streaming.jvm_prefilter import sought
from streaming.offsets import CONSUMER, append_times, look, offsets_at
from streaming.progress import Told
from streaming.roll_up import POSTS, TALLIES, roll_up
from streaming.sink import Sink, rows_dropped, store_measured
from streaming.upserts import kept
from streaming.word import Word

CELL = ["minute", "source", "category", "brand", "kind", "lang", "shard"]

KAFKA_WAIT_S = 120.0

STOP_WAIT_S = 25.0
"""So long a query that was told to stop lets its micro-batch end. What is cut off is done again at the next start."""

STREAM_CONF = {
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # to find what has ended Spark looks through the whole state with each micro-batch: that of half an hour of 10,000
    # hits a second fits this cache, which each task has outside of the heap. Differences of ids gain nothing by
    # compression
    "spark.sql.streaming.stateStore.rocksdb.blockCacheSizeMB": "96",
    "spark.sql.streaming.stateStore.rocksdb.compression": "none",
    # else each row that is written is read once more
    "spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows": "false",
    # snapshots of the state of a minute, or thirty old versions to be deleted, would take a third of a second from a
    # single micro-batch
    "spark.sql.streaming.stateStore.maintenanceInterval": "15s",
    "spark.sql.streaming.ratioExtraSpaceAllowedInCheckpoint": "0.1",
    # as the default of this project (drinkstream/spark.py), and without a process for each file
    "spark.sql.streaming.checkpointFileManagerClass": "drinkstream.CheckpointFiles",
    # from its 128th cell on a task would sort all that follow. The ids of all cells that a micro-batch touches are on
    # the heap, earlier ones too, some ten bytes each; most are in a few large cells, which would be there anyway
    "spark.sql.objectHashAggregate.sortBased.fallbackThreshold": "16384",
    # progress is polled once a second; nothing may fall out of the list in between
    "spark.sql.streaming.numRecentProgressUpdates": "1000",
}


def java(settings: Settings) -> list[str]:
    """Options of the speed query's JVM."""
    return [
        PARALLEL,
        # a micro-batch's sets of ids outlive a young collection, but not the micro-batch: where they have no room among
        # the young they fill the old generation, which then is collected in whole, a quarter of a second each time
        f"-Xms{settings.speed_heap}m",
        "-XX:NewRatio=1",
        "-XX:SurvivorRatio=4",
        "-XX:-UseAdaptiveSizePolicy",
        # else classes fill their first room five times while the query starts, and all is collected each time
        "-XX:MetaspaceSize=256m",
        *compilers_behind(),
    ]


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
    require()
    settings = Settings.load()
    session_ = connect(settings, settings.writer_login())
    reader, writer = Reader(session_), Writer(session_)
    life = begin(settings, reader, writer, epoch, beside)
    spark = session(settings, f"speed-{life.epoch}", settings.speed_heap, STREAM_CONF, [jar()], java(settings))
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())
    sink = Sink(reader, writer, partial(kept, settings, settings.writer_login()), life, settings.posts_topic)
    try:
        with ThreadPoolExecutor(1) as beside_it:
            awake = beside_it.submit(wake_workers, spark)
            query = start(spark, settings, life, sink)
        try:
            awake.result()
            watch(query, Told(query), stopping, settings, reader, writer, life, sink, word)
        finally:
            query.stop()
    finally:
        spark.stop()
        session_.cluster.shutdown()


def begin(settings: Settings, reader: Reader, writer: Writer, only: str | None = None, beside: bool = False) -> Life:
    """The life to lead; where it is a new one its row is stored before anything else.

    `only` is the one epoch to go on with. Raises ConflictError where that one cannot.
    """
    version = meaning.version()
    writer.taxonomy(version, installed())  # what the live numbers of this version are read and explained by
    tell_dropped(reader, writer, settings.checkpoints)
    epochs = reader.epochs()
    # asked after what was processed is known: an end before that is one that fell
    seen = look(settings.bootstrap, (settings.posts_topic,), KAFKA_WAIT_S)
    kafka = Kafka(seen.cluster, settings.posts_topic, _by_partition(seen.begin), _by_partition(seen.end))
    now = datetime.now(UTC)
    life, why = decide(epochs, version, kafka, settings.checkpoints, settings.speed_watermark, now)
    if only is not None and (why is not None or life.epoch != only):
        raise ConflictError(f"epoch {only} cannot go on: {why or f'{life.epoch} is the newest of its meaning'}")
    if beside:
        life = replace(life, catch_up=None)
    lost = _touched_days(reader, outlived(epochs, version, kafka, settings.checkpoints))
    if why is None:
        blind = next(row.blind_days for row in epochs if row.epoch == life.epoch)
        if not (missing := lost - _published(reader)) <= blind:
            writer.epoch(life.epoch, blind_days=blind | missing)
        print(f"epoch {life.epoch} goes on", flush=True)
        return life
    print(f"epoch {life.epoch} starts: {why}", flush=True)
    first = first_offsets(
        seen,
        settings.posts_topic,
        Archive(settings.archive),
        _published(reader),
        partial(append_times, settings.bootstrap),
        partial(offsets_at, settings.bootstrap),
    )
    here = [row for row in epochs if row.cluster == kafka.cluster]
    lost |= _inherited(reader, here, now, timedelta(days=settings.speed_ttl_days))
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
        blind_days=blind_days(settings, kafka.cluster, first) | (lost - _published(reader)),
        why=why,
    )
    return life


def _touched_days(reader: Reader, epochs: Iterable[str]) -> frozenset[date]:
    return frozenset(date.fromisoformat(hour[:10]) for epoch in epochs for hour in reader.touched(epoch))


def _inherited(reader: Reader, epochs: Iterable[EpochRow], now: datetime, ttl: timedelta) -> frozenset[date]:
    """The days that epochs could not count, as Kafka had lost something of them: no later one of the cluster can.

    Days of which only their rows expire it can.
    """
    blind = [row for row in epochs if row.blind_days]
    return frozenset[date]().union(*(row.blind_days - expiring(reader.touched(row.epoch), now, ttl) for row in blind))


def _published(reader: Reader) -> frozenset[date]:
    return frozenset(entry.day for entry in reader.publications(reader.published_months()))


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
        .options(**CONSUMER)
        .option("subscribe", settings.posts_topic)
        .option("startingOffsets", json.dumps({settings.posts_topic: dict(life.first_offsets)}))
        .option("maxOffsetsPerTrigger", settings.speed_max_offsets)
        .option("failOnDataLoss", "true")
        # one long poll suffices for a second's records; the default of 512 ms x retries hides a dead broker
        .option("fetchOffset.numRetries", "10")
        .load()
    )
    return (
        cells(drink_posts(sought(keyed(records), settings)), life.watermark_s)
        .writeStream.outputMode("update")
        .queryName("speed")
        .option("checkpointLocation", str(life.checkpoint))
        .trigger(processingTime=f"{int(settings.speed_trigger * 1000)} milliseconds")
        .foreachBatch(sink.write)
        .start()
    )


def keyed(records: DataFrame) -> DataFrame:
    """Kafka's records -> (key, value, append time), the key as text in every case."""
    # as in the archive: a key that is not UTF-8 keeps its bytes' place as U+FFFD, where Python could not read it at all
    key = F.make_valid_utf8(F.col("key").cast("string")).alias("key")
    return records.select(key, "value", F.col("timestamp").alias("append"))


def drink_posts(records: DataFrame) -> DataFrame:
    """(key, value, append) -> POSTS, those that name a drink. What else was in the records is observed as `tally`."""
    # one task for each core: eight small ones would cost more in starting than in work
    tasks = int(records.sparkSession.conf.get("spark.sql.shuffle.partitions") or 2)
    schema = from_arrow_schema(POSTS, prefer_timestamp_ntz=False)
    rows = records.coalesce(tasks).mapInArrow(roll_up, schema)
    appended = F.unix_micros("append")
    span = F.min(appended).alias("append_from"), F.max(appended).alias("append_to")
    # tallies are summed beside the data, by Spark's own observation, and end here
    return rows.observe("tally", *[_tally(name) for name in TALLIES], *span).where(F.col("tally").isNull())


def cells(posts: DataFrame, watermark_s: int) -> DataFrame:
    """(cell, slot, shard) -> its ids: the integers packed, the others as texts. `posts` are POSTS without tallies."""
    levels = (
        # of whole minutes: Spark writes the watermark into code that each of its values has compiled anew
        posts.withColumn("append", F.date_trunc("minute", "append"))
        .withWatermark("append", f"{watermark_s} seconds")
        # a post travels once and is in each of its levels from here on
        .select("append", "minute", "source", "kind", "lang", "number", "text", F.explode("levels").alias("level"))
        .select("*", "level.*")
    )
    return (
        levels.groupBy(F.window("append", f"{SLOT_MS} milliseconds").alias("slot"), *CELL)
        .agg(packed_ids(posts.sparkSession, "number").alias("packed"), F.collect_set("text").alias("texts"))
        .select(F.unix_millis("slot.start").alias("slot"), *CELL, "packed", "texts")
    )


def watch(
    query: StreamingQuery,
    told: Told,
    stopping: threading.Event,
    settings: Settings,
    reader: Reader,
    writer: Writer,
    life: Life,
    sink: Sink,
    word: Word | None = None,
) -> None:
    """Follows a running query: stores what it measured, makes its epoch current, ends it when that is asked.

    Its last micro-batch is measured too. Raises IntegrityError where rows were dropped, or the query ended by itself,
    and UnavailableError where it would stand still.
    """
    clock = Clock()

    def look() -> list[Any]:
        """What has ended since the last time; that rows were dropped is noted before anything that may fail."""
        ended = told.new()
        if dropped := rows_dropped(ended):
            note_dropped(writer, life)
            raise IntegrityError(
                f"the watermark of {life.watermark_s} s dropped {dropped} rows of {life.epoch}; a new epoch starts "
                "with twice the delay"
            )
        return ended

    def measure() -> bool:
        """Whether a micro-batch has ended since the last time."""
        ended = look()
        store_measured(sink, ended)
        return any(one.numInputRows for one in ended)

    current = False
    catch_up = life.catch_up
    ttl = timedelta(days=settings.speed_ttl_days)
    try:
        while not stopping.wait(timeout=0.5):
            measure()
            _require_active(query)
            _require_time(clock)
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
        # a query that is behind is never idle: there the end of one micro-batch is waited for
        let_end = Retrying(stop=stop_after_delay(STOP_WAIT_S), wait=wait_fixed(0.1), retry=retry_if_not_result(bool))
        with suppress(RetryError):
            let_end(lambda: measure() or not query.status["isTriggerActive"])
        _require_active(query)
    finally:
        # whatever ends it, what its last micro-batch dropped is not to go unseen
        query.stop()
        ended = look()
    store_measured(sink, ended)


def _require_active(query: StreamingQuery) -> None:
    if not query.isActive:
        # behind the cause Spark lists its plan, in which nobody would find it
        failure = str(query.exception()).partition("=== Streaming Query ===")[0].strip()
        raise IntegrityError(f"the speed query ended: {failure}")


def _require_time(clock: Clock) -> None:
    if back := clock.set_back():
        raise UnavailableError(
            f"the clock was set back by {back:.0f} s, and the query would wait for its next micro-batch as long: it is "
            "started again"
        )


def _by_partition(offsets: Mapping[tuple[str, int], int]) -> dict[str, int]:
    return {str(partition): offset for (_, partition), offset in sorted(offsets.items())}


def _tally(name: str) -> Any:
    return F.sum(F.when(F.col("tally") == name, F.col("n"))).alias(name.replace(".", "_"))


if __name__ == "__main__":
    sys.exit(main())
