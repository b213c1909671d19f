"""The Spark edge: the session that every job uses, and the meaning as functions over Arrow batches."""

import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from drinkstream.cells import levels, minute_of, shard_of
from drinkstream.classify import Classifier
from drinkstream.post import Post, Record, Rejected, parse
from drinkstream.prefilter import Prefilter
from drinkstream.settings import Settings
from drinkstream.taxonomy import load

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BASE = {
    # days and minutes are UTC whatever the machine's zone
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # the default of 200 shuffle partitions makes a small stateful micro-batch take seconds instead of tenths
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    # lines of 10 MB must not add up to an Arrow batch past 2 GiB
    "spark.sql.execution.arrow.maxRecordsPerBatch": "20000",
    "spark.sql.execution.arrow.maxBytesPerBatch": str(64 * 1024 * 1024),
    # the default parallelism of 10000 makes a Delta VACUUM run for a minute
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.python.worker.reuse": "true",
}

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.parquet.compression.codec": "zstd",
}


def session(settings: Settings, name: str, heap: int, conf: Mapping[str, str] | None = None) -> "SparkSession":
    """A Spark session of `heap` MiB on settings.spark_master with the connectors on its class path.

    In a process started by spark-submit the JVM runs already, so heap and jars are spark-submit's there.
    """
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    jars = sorted(str(path) for path in (settings.jar_folder / "spark").glob("*.jar"))
    builder = SparkSession.builder.appName(name).master(settings.spark_master)
    scratch = Path(settings.home) / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    options = {
        **BASE,
        **DELTA,
        "spark.jars": ",".join(jars),
        "spark.driver.memory": f"{heap}m",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        **(conf or {}),
    }
    for key, value in options.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


class Hit(NamedTuple):
    """One post in one level. Exactly one of `number` and `text` is its id: the first where it is a 64-bit integer."""

    append_us: int
    minute_ms: int
    source: str
    category: str
    brand: str
    kind: str
    lang: str
    shard: int
    number: int | None
    text: str | None


@cache
def _prefilter() -> Prefilter:
    # one compilation for each Python worker, which Spark reuses over micro-batches
    return Prefilter(load())


@cache
def _classifier() -> Classifier:
    return Classifier(load())


def read(value: bytes, key: bytes | str | None, append_ms: int) -> Record:
    """What a Kafka record is; its source stands in its key, without which no post can be counted."""
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
    source = text.split(":", 1)[0] if text and ":" in text else ""
    record = parse(value, source or "x", append_ms)
    return Rejected("key") if isinstance(record, Post) and not source else record


def mentions(post: Post) -> tuple[tuple[str | None, str | None], ...]:
    """The (category, brand) pairs that a post's text names."""
    decision = _classifier().decide(post.text, post.lang)
    return tuple((mention.category, mention.brand) for mention in decision.mentions)


def hits(post: Post, append_us: int) -> list[Hit]:
    """A post in each of its levels; an empty list where it names no drink and no brand."""
    found = levels(mentions(post))
    if not found:
        return []
    number = _number(post.id)
    shards = load().shards
    return [
        Hit(
            append_us,
            minute_of(post.event_ms),
            post.source,
            level.category,
            level.brand,
            post.kind,
            post.lang,
            shard_of(post.source, post.id, shards.get(level.category, 1)),
            number,
            post.id if number is None else None,
        )
        for level in found
    ]


def candidates(values: pa.Array) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which of these lines (binary, shape (n,)) may name a drink; False is certain."""
    offsets = np.frombuffer(values.buffers()[1], np.int32, len(values) + 1, 4 * values.offset)
    data = values.buffers()[2]
    if data is None:
        return np.zeros(len(values), np.bool_)
    base = int(offsets[0])
    return _prefilter().candidates(memoryview(data)[base : int(offsets[-1])], offsets - base)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    number = int(text)
    return number if number < 2**63 and str(number) == text else None
