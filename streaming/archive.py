"""The archive query: every record of Kafka's topics, as it came, into one Delta table, exactly once.

Started by the supervisor as a program of its own, so that a fault in counting never stops archiving. It stops loudly at
any fault; started again, it goes on after the last record that the table holds. What decides where it goes on is the
table and the ledger beside it; Spark's checkpoint is used as long as it agrees with them, else a new one is begun.

A record of a post on the erasure list keeps its place and loses its value before it is written. When the list grows
the query ends after the running batch and begins again with the new list; what that batch let in is erased in between.
"""

import json
import logging
import signal
import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

from drinkstream.archive import ERASED_SHAPE, Archive
from drinkstream.archive_change import configure, erase
from drinkstream.erasures import Erasures
from drinkstream.errors import DrinkStreamError, IntegrityError
from drinkstream.positions import Ledger, Positions
from drinkstream.post import ERASED
from drinkstream.settings import Settings
from drinkstream.spark import PARALLEL, compilers_behind, session
from streaming.clock import Clock
from streaming.offsets import CONSUMER, look, positions_of
from streaming.only_one import only_one
from streaming.progress import Told
from streaming.resume import Start, resume, take_stock

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

log = logging.getLogger("archive")

COLUMNS = {
    "day": "STRING",
    "cluster": "STRING",
    "topic": "STRING",
    "partition": "INT",
    "offset": "BIGINT",
    "append_ts": "TIMESTAMP",
    "key": "STRING",
    "source": "STRING",
    "shape": "STRING",
    "event_ms": "BIGINT",
    "value": "BINARY",
}

PROPERTIES = {
    # what look-ups and positions prune files by; never the value, whose text must not reach the table's log
    "delta.dataSkippingStatsColumns": "topic,partition,offset,append_ts,key,event_ms",
    # readers without a JVM cannot read them, and erasure must remove the bytes
    "delta.enableDeletionVectors": "false",
    "delta.checkpointInterval": "100",
    # not shorter than the next, which Spark refuses
    "delta.logRetentionDuration": "interval 2 days",
    # how long the log names a file that was replaced: an erasure deletes what it names, and drop_orphans, after a day,
    # what it no longer does
    "delta.deletedFileRetentionDuration": "interval 2 days",
}

WRITING = {
    # a task writes the files of seven days beside one another, and where there is an eighth sorts what is left by day:
    # by default it sorts all of its records first
    "spark.sql.maxConcurrentOutputFileWriters": "8",
    # what they hold together of records that are not written yet: by default nearly the whole heap
    "spark.hadoop.parquet.memory.pool.ratio": "0.5",
    # no two are alike, so a dictionary of them is made in vain
    "spark.hadoop.parquet.enable.dictionary#key": "false",
    "spark.hadoop.parquet.enable.dictionary#value": "false",
    # after so many rows a writer looks how much it holds, to end a page or a group of rows: by default after a hundred,
    # and after ten thousand where the first were small, each of which may be a line of 12 MB
    "spark.hadoop.parquet.page.size.row.check.min": "2",
    "spark.hadoop.parquet.page.size.row.check.max": "2",
}

WRITERS = 2
"""Tasks that write a batch, a file of each day each, on however many cores: readers open every file."""

KAFKA_WAIT = 120.0
LOOK_S = 1
"""Between two looks at how much there is to archive."""

FRESH = timedelta(days=1)
"""A batch that began before an order was listed has ended long before this; older orders have been seen to."""

STOP_WAIT = 25.0


def main(argv: list[str] | None = None) -> int:
    """Archive until SIGTERM or SIGINT, then end after the running batch; the exit code is the error's (errors.py)."""
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    log.setLevel(logging.INFO)
    if argv:
        print(f"streaming.archive takes no arguments, got {' '.join(argv)}: everything is a setting", file=sys.stderr)
        return 2
    try:
        run(Settings.load())
    except DrinkStreamError as error:
        log.error("%s: %s", type(error).__name__, error)
        return error.exit_code
    return 0


def run(settings: Settings) -> None:
    """Archive until a signal asks to stop. Raises what else stops it: nothing is caught in order to go on."""
    stop = Event()
    topics = (settings.posts_topic, settings.status_topic)
    with only_one(settings.checkpoints) as mark:
        look(settings.bootstrap, topics, KAFKA_WAIT)  # Spark is not started for a Kafka that is away
        spark = session(settings, "archive", settings.archive_heap, WRITING, java=[PARALLEL, *compilers_behind()])
        try:
            mark(int(spark._jvm.java.lang.ProcessHandle.current().pid()))  # type: ignore[union-attr]
            create(spark, Archive(settings.archive), Ledger.beside(settings.archive))
            for name in (signal.SIGTERM, signal.SIGINT):  # until here they may end the process at once
                signal.signal(name, lambda *_: stop.set())
            while not stop.is_set():
                life(spark, settings, stop)
        finally:
            spark.stop()


def life(spark: "SparkSession", settings: Settings, stop: Event) -> None:
    """One life of the query into the table, which is there: until `stop` is set, the erasure list grew or `watch` ends.

    Before it begins, what the life before still let in of the posts on the list is erased.
    """
    archive, ledger = Archive(settings.archive), Ledger.beside(settings.archive)
    erasures = Erasures.beside(settings.archive)
    more, now = erasures.growth(), datetime.now(UTC)
    orders = erasures.orders()
    fresh = [order.key for order in orders if datetime.fromisoformat(order.when) > now - FRESH]
    if slipped := erase(settings.archive, fresh, now).places:
        log.info("erased=%d: they came while the erasure list grew", len(slipped))
    topics = (settings.posts_topic, settings.status_topic)
    take_stock(archive, ledger, look(settings.bootstrap, topics, KAFKA_WAIT).cluster)
    # asked after what is archived is known: an end before that is one that fell
    kafka = look(settings.bootstrap, topics, KAFKA_WAIT)
    start = resume(kafka, ledger, settings.checkpoints / "archive" / kafka.cluster)
    rows = erased(records(source(spark, settings, start), kafka.cluster), [order.key for order in orders])
    query = begin(rows, settings, start)
    watch(
        query,
        lambda: stop.is_set() or more(),
        lambda reached: ledger.advance(kafka.cluster, archive.table_id(), reached, archive.commit()),
    )


def source(spark: "SparkSession", settings: Settings, start: Start) -> "DataFrame":
    """Kafka's records of both topics, from `start`: key, value, topic, partition, offset, timestamp, headers."""
    reader = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.bootstrap)
        .options(**CONSUMER)
        .option("subscribe", f"{settings.posts_topic},{settings.status_topic}")
        .option("includeHeaders", "true")
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", settings.archive_max_offsets)
    )
    if settings.archive_trigger > LOOK_S:
        # so many wait for no commit's time: else a backlog would be archived at this number in each time, and what is
        # replayed faster than that would leave Kafka unarchived
        reader = reader.option("minOffsetsPerTrigger", settings.archive_max_offsets)
        reader = reader.option("maxTriggerDelay", f"{settings.archive_trigger}s")
    if start.offsets is not None:
        topics: dict[str, dict[str, int]] = {}
        for (topic, partition), offset in start.offsets.items():
            topics.setdefault(topic, {})[str(partition)] = offset
        reader = reader.option("startingOffsets", json.dumps(topics))
    return reader.load()


def records(kafka: "DataFrame", cluster: str) -> "DataFrame":
    """The archive's rows: one for each Kafka record, whatever it holds; the day is that of the header `event_ms`."""
    from pyspark.sql import functions as f

    def header(name: str) -> str:
        # the first of that name, none behind the array's end; a map of all headers would fail on a name given twice,
        # and a function over each header, as filter takes one, is interpreted: half of all that a record then costs
        at = f"CAST(array_position(headers.key, '{name}') AS INT) - 1"
        return f"make_valid_utf8(CAST(get(headers.value, {at}) AS STRING))"

    return kafka.withColumn("event_ms", f.expr(f"try_cast({header('event_ms')} AS BIGINT)")).select(
        # beyond the year 9999 there is no day to name
        f.expr(
            "CASE WHEN event_ms BETWEEN 0 AND 253402300799999 "
            "THEN date_format(timestamp_millis(event_ms), 'yyyy-MM-dd') ELSE 'none' END AS day"
        ),
        f.lit(cluster).alias("cluster"),
        "topic",
        "partition",
        "offset",
        f.col("timestamp").alias("append_ts"),
        # text columns must be text for every reader; a key that is not keeps its bytes' place as U+FFFD
        f.expr("make_valid_utf8(CAST(key AS STRING)) AS key"),
        f.expr(f"{header('source')} AS source"),
        f.expr(f"{header('shape')} AS shape"),
        "event_ms",
        "value",
    )


def erased(rows: "DataFrame", keys: Collection[str]) -> "DataFrame":
    """`rows`, those with one of `keys` with an order to leave the post out in place of their value and shape."""
    if not keys:
        return rows
    from pyspark.sql import functions as f

    listed = rows.sparkSession.createDataFrame([(key,) for key in keys], "erased STRING")
    found = rows.join(f.broadcast(listed), rows["key"] == f.col("erased"), "left")
    hit = f.col("erased").isNotNull()
    emptied = {
        "value": f.when(hit, f.lit(ERASED)).otherwise(f.col("value")),
        "shape": f.when(hit, f.lit(ERASED_SHAPE)).otherwise(f.col("shape")),
    }
    return found.withColumns(emptied).select(*rows.columns)


def create(spark: "SparkSession", archive: Archive, ledger: Ledger) -> None:
    """Create the table where there is none yet, else give it the properties that it lacks.

    Raises IntegrityError where there was one, ConflictError where others change it all the time.
    """
    if archive.exists():
        if changed := configure(archive.uri, PROPERTIES):
            log.info("properties=%s", ",".join(changed))
        return
    if ledger.table() is not None:
        raise IntegrityError(
            f"the archive's table at {archive.uri} is gone, but {ledger.positions_file} knows it: restore it, or "
            "move the file away to archive all that Kafka still holds again"
        )
    columns = ", ".join(f"`{name}` {kind}" for name, kind in COLUMNS.items())
    properties = ", ".join(f"'{name}' = '{value}'" for name, value in PROPERTIES.items())
    layout = f"USING DELTA PARTITIONED BY (day) TBLPROPERTIES ({properties})"
    spark.sql(f"CREATE TABLE delta.`{archive.uri}` ({columns}) {layout}")


def begin(rows: "DataFrame", settings: Settings, start: Start) -> "StreamingQuery":
    """Start the query into the archive's table: with each commit each of WRITERS tasks writes one file of each day."""
    log.info("checkpoint=%s start=%s", start.checkpoint, "going on" if start.offsets is None else start.offsets)
    cores = rows.sparkSession.sparkContext.defaultParallelism
    return (
        rows.coalesce(min(cores, WRITERS))
        .writeStream.format("delta")
        .queryName("archive")
        .outputMode("append")
        .partitionBy("day")
        .option("checkpointLocation", str(start.checkpoint))
        .trigger(processingTime=f"{min(settings.archive_trigger, LOOK_S)} seconds")
        .start(settings.archive)
    )


def watch(query: "StreamingQuery", ended: Callable[[], bool], advance: Callable[[Positions], None]) -> None:
    """Report each committed batch to `advance` and to the log, until it has `ended`; then let the running batch end.

    It ends too where the clock was set back. Raises the query's own exception if it fails.
    """
    told, clock = Told(query), Clock()
    deadline = None
    while deadline is None or monotonic() < deadline:
        query.awaitTermination(1)
        for batch in told.new():
            if batch.numInputRows > 0:
                advance(positions_of(batch.sources[0].endOffset))
                log.info("batch=%d rows=%d ms=%d", batch.batchId, batch.numInputRows, batch.batchDuration)
        if clock.set_back() or ended():
            if not query.status["isTriggerActive"]:
                break
            deadline = deadline or monotonic() + STOP_WAIT
    if back := clock.set_back():
        log.warning("the clock was set back by %.0f s: the query begins anew, since it would wait for as long", back)
    # a batch that is cut off here is done again at the next start
    query.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
