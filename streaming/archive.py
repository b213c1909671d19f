"""The archive query: every record of Kafka's topics, as it came, into one Delta table, exactly once.

Started by the supervisor as a program of its own, so that a fault in counting never stops archiving. It stops loudly at
any fault; started again, it goes on after the last record that the table holds. What decides where it goes on is the
table and the ledger beside it; Spark's checkpoint is used as long as it agrees with them, else a new one is begun.
"""

import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

import psutil

from drinkstream.archive import Archive
from drinkstream.errors import ConflictError, DrinkStreamError, IntegrityError
from drinkstream.positions import Gap, Ledger, Positions, Span, furthest
from drinkstream.settings import Settings
from streaming.offsets import KafkaOffsets, look

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.listener import StreamingQueryProgress
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
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
}

# One small commit in half a minute: the client compiler and the serial collector do it with half the CPU
JVM = {"spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}

KAFKA_WAIT = 120.0
ORPHAN_WAIT = 60.0
STOP_WAIT = 25.0


@dataclass(frozen=True, slots=True)
class Start:
    """Where the query goes on: `offsets` are needed (and given) only for a checkpoint folder that is new."""

    checkpoint: Path
    offsets: Positions | None


def main(argv: list[str] | None = None) -> int:
    """Archive until SIGTERM or SIGINT, then end after the running batch; the exit code is the error's (errors.py)."""
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    log.setLevel(logging.INFO)
    if argv:
        print(f"streaming.archive takes no arguments, got {' '.join(argv)}: everything is a setting", file=sys.stderr)
        return 2
    stop = Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    try:
        run(Settings.load(), stop)
    except DrinkStreamError as error:
        log.error("%s: %s", type(error).__name__, error)
        return error.exit_code
    return 0


def run(settings: Settings, stop: Event) -> None:
    """Archive until `stop` is set. Raises what stops it: nothing is caught in order to go on."""
    topics = (settings.posts_topic, settings.status_topic)
    with only_one(settings.checkpoints) as mark:
        kafka = look(settings.bootstrap, topics, KAFKA_WAIT)
        spark = _session(settings)
        try:
            mark(int(spark._jvm.java.lang.ProcessHandle.current().pid()))  # type: ignore[union-attr]
            create(spark, settings.archive)
            archive, ledger = Archive(settings.archive), Ledger.beside(settings.archive)
            ledger.advance(kafka.cluster, archive.table_id(), archive.positions(kafka.cluster))
            start = resume(kafka, ledger, settings.checkpoints / "archive" / kafka.cluster)
            query = begin(records(source(spark, settings, start), kafka.cluster), settings, start)
            watch(query, stop, lambda reached: ledger.advance(kafka.cluster, archive.table_id(), reached))
        finally:
            spark.stop()


def resume(kafka: KafkaOffsets, ledger: Ledger, folder: Path) -> Start:
    """Decide where to go on, and record a gap for each partition that Kafka has trimmed beyond the archive's position.

    `folder` holds this cluster's checkpoints, one numbered folder for each life. The newest is used if it agrees with
    the ledger: what it committed is archived, and nothing is archived that it did not plan. Otherwise the next one is
    begun at the archive's positions. Raises IntegrityError where Kafka ends before the archive's position.
    """
    reached = furthest(dict.fromkeys(kafka.end, 0), ledger.positions(kafka.cluster))
    gaps = []
    for place, held in kafka.begin.items():
        if reached[place] > kafka.end[place]:
            raise IntegrityError(
                f"{place[0]}/{place[1]} ends at offset {kafka.end[place]} but {reached[place]} are archived: the topic "
                "was made anew or lost records. Give Kafka a new cluster id, or move the archive and its ledger away"
            )
        if held > reached[place]:
            gaps.append(Span(kafka.cluster, *place, reached[place], held))
    for span in gaps:
        ledger.record(Gap(span, datetime.now(UTC).isoformat(timespec="milliseconds")))
        log.error("GAP: Kafka no longer holds %s (%d records): recorded, going on after it", span, span.size)
    reached = furthest(reached, kafka.begin)
    numbers = sorted(int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit())
    newest = numbers[-1] if numbers else 0
    if newest and not gaps and agrees(folder / str(newest), reached):
        return Start(folder / str(newest), None)
    return Start(folder / str(newest + 1), {place: reached[place] for place in kafka.end})


def agrees(checkpoint: Path, reached: Mapping[tuple[str, int], int]) -> bool:
    """Whether a query on `checkpoint` would go on exactly at `reached`.

    A batch that the table already holds under this checkpoint's name is skipped by Delta without an error, whatever it
    reads; so a checkpoint that lost its last batches would lose the records planned into them again.
    """
    planned, committed = _newest(checkpoint / "offsets"), _newest(checkpoint / "commits")
    if planned is None or committed is None or not (checkpoint / "metadata").is_file():
        return False
    ends, starts = (_offsets(checkpoint / "offsets" / str(batch)) for batch in (planned, committed))
    if ends is None or starts is None:
        return False
    places = {*ends, *starts, *reached}
    return all(starts.get(place, 0) <= reached.get(place, 0) <= ends.get(place, 0) for place in places)


def source(spark: "SparkSession", settings: Settings, start: Start) -> "DataFrame":
    """Kafka's records of both topics, from `start`: key, value, topic, partition, offset, timestamp, headers."""
    reader = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", settings.bootstrap)
        .option("subscribe", f"{settings.posts_topic},{settings.status_topic}")
        .option("includeHeaders", "true")
        .option("failOnDataLoss", "true")
        .option("maxOffsetsPerTrigger", settings.archive_max_offsets)
    )
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
        # the first of that name; a map of all headers would fail on a name given twice
        return f"make_valid_utf8(CAST(get(filter(headers, h -> h.key = '{name}'), 0).value AS STRING))"

    return (
        kafka.withColumn("event_ms", f.expr(f"try_cast({header('event_ms')} AS BIGINT)"))
        .select(
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
        .coalesce(1)  # one file for each commit and day
    )


def create(spark: "SparkSession", uri: str) -> None:
    """Create the table with its properties where there is none."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in COLUMNS.items())
    properties = ", ".join(f"'{name}' = '{value}'" for name, value in PROPERTIES.items())
    layout = f"USING DELTA PARTITIONED BY (day) TBLPROPERTIES ({properties})"
    spark.sql(f"CREATE TABLE IF NOT EXISTS delta.`{uri}` ({columns}) {layout}")


def begin(rows: "DataFrame", settings: Settings, start: Start) -> "StreamingQuery":
    """Start the query into the archive's table."""
    log.info("checkpoint=%s start=%s", start.checkpoint, "going on" if start.offsets is None else start.offsets)
    return (
        rows.writeStream.format("delta")
        .queryName("archive")
        .outputMode("append")
        .partitionBy("day")
        .option("checkpointLocation", str(start.checkpoint))
        .trigger(processingTime=f"{settings.archive_trigger} seconds")
        .start(settings.archive)
    )


def watch(query: "StreamingQuery", stop: Event, advance: Callable[[Positions], None]) -> None:
    """Report each committed batch to `advance` and to the log, until `stop` is set; then let the running batch end.

    Raises the query's own exception if it fails.
    """
    last = -1
    deadline = None
    while deadline is None or monotonic() < deadline:
        query.awaitTermination(1)
        for batch in _since(query, last):
            advance(_positions(json.loads(batch.sources[0].endOffset)))
            last = batch.batchId
            log.info("batch=%d rows=%d ms=%d", last, batch.numInputRows, batch.batchDuration)
        if stop.is_set():
            if not query.status["isTriggerActive"]:
                break
            deadline = deadline or monotonic() + STOP_WAIT
    # a batch that is cut off here is done again at the next start
    query.stop()


@contextmanager
def only_one(folder: Path) -> Iterator[Callable[[int], None]]:
    """Hold the right to write the archive; the value given marks the process id of the JVM that does the writing.

    A JVM outlives a killed Python driver by a moment: its end is waited for. Raises ConflictError if another archive
    query runs, or that JVM does not end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "archive.lock"
    with path.open("a+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ConflictError(f"another archive query holds {path}: stop that one first") from None
        lock.seek(0)
        if previous := lock.read().split():
            _await_end(int(previous[0]), float(previous[1]))

        def mark(pid: int) -> None:
            lock.truncate(0)
            lock.write(f"{pid} {psutil.Process(pid).create_time()}")
            lock.flush()

        yield mark


def _await_end(pid: int, created: float) -> None:
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created) < 1:
            log.info("waiting for the earlier query's JVM, process %d, to end", pid)
            process.wait(ORPHAN_WAIT)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        raise ConflictError(f"process {pid} still writes the archive for an earlier query: end it first") from None


def _since(query: "StreamingQuery", batch: int) -> "list[StreamingQueryProgress]":
    """What the query says of each batch after `batch` that took any records, oldest first."""
    newest = query.lastProgress
    if newest is None or newest.batchId <= batch:
        return []
    return [progress for progress in query.recentProgress if progress.batchId > batch and progress.numInputRows > 0]


def _newest(folder: Path) -> int | None:
    return max((int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()), default=None)


def _offsets(path: Path) -> Positions | None:
    """The Kafka offsets in a file of Spark's offset log (version line, batch metadata, one line for each source)."""
    lines = path.read_text().splitlines() if path.is_file() else []
    if len(lines) != 3 or lines[0] != "v1":
        return None
    return _positions(json.loads(lines[2]))


def _positions(offsets: Mapping[str, Mapping[str, int]]) -> Positions:
    return {(topic, int(p)): offset for topic, partitions in offsets.items() for p, offset in partitions.items()}


def _session(settings: Settings) -> "SparkSession":
    import os

    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.appName("archive").master("local[2]")
    conf = {
        **JVM,
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.jars": ",".join(sorted(str(p) for p in (settings.jar_folder / "spark").glob("*.jar"))),
        "spark.driver.memory": f"{settings.archive_heap}m",
    }
    for name, value in conf.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
