"""The Spark edge: the session that every job uses."""

import atexit
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from drinkstream.errors import IntegrityError, UnavailableError
from drinkstream.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
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
    "spark.python.daemon.module": "drinkstream.spark_daemon",
    # over TCP what is sent in small pieces waits 40 ms for an acknowledgement that is held back
    "spark.python.unix.domain.socket.enabled": "true",
    # checkpoints lie on a local disk, where the default starts a process for each link that it looks for, a dozen in a
    # micro-batch
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
    ),
}

DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.parquet.compression.codec": "zstd",
}


PARALLEL = "-XX:+UseParallelGC"
"""For who shares few cores with the JVM: no room for a collector that works beside it."""


_COMPILERS_BEHIND = 10  # niceness above that of the work


def compilers_behind() -> list[str]:
    """Options with which a JVM that counts or archives as posts arrive compiles behind its work, not in place of it.

    It goes on compiling for minutes, by bursts of a third of a second.
    """
    # the flags take none below zero, which is for who runs the stack ahead of all else
    niceness = max(0, os.getpriority(os.PRIO_PROCESS, 0))
    return [
        # under this policy it sets the niceness of all its threads, so it is told which they came with
        "-XX:ThreadPriorityPolicy=1",
        *[f"-XX:JavaPriority{priority}_To_OSPriority={niceness}" for priority in range(1, 11)],
        f"-XX:CompilerThreadPriority={min(niceness + _COMPILERS_BEHIND, 19)}",
    ]


def java_options(settings: Settings, *options: str) -> str:
    """What a session's JVM is started with: `options`, and what every one of ours is.

    One that is out of memory ends, to be started again. What one leaves that is killed, `make up` clears.
    """
    return " ".join([*options, "-XX:+ExitOnOutOfMemoryError", f"-Djava.io.tmpdir={settings.scratch}"])


def session(
    settings: Settings,
    name: str,
    heap: int,
    conf: Mapping[str, str] | None = None,
    jars: Iterable[Path] = (),
    java: Iterable[str] = (),
) -> "SparkSession":
    """A Spark session of `heap` MiB on settings.spark_master with the connectors, and `jars`, on its class path.

    `java` are options of its JVM. In a process started by spark-submit that runs already, so heap, jars and options are
    spark-submit's there.
    """
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    paths = [*sorted((settings.jar_folder / "spark").glob("*.jar")), *(path for path in jars if path.is_file())]
    builder = SparkSession.builder.appName(name).master(settings.spark_master)
    settings.scratch.mkdir(parents=True, exist_ok=True)
    options = {
        **BASE,
        **DELTA,
        "spark.jars": ",".join(map(str, paths)),
        "spark.driver.memory": f"{heap}m",
        "spark.driver.extraJavaOptions": java_options(settings, *java),
        "spark.local.dir": str(settings.scratch),
        "spark.python.unix.domain.socket.dir": _sockets(),
        "spark.sql.warehouse.dir": str(settings.scratch / "warehouse"),
        **(conf or {}),
    }
    for key, value in options.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


@cache
def _sockets() -> str:
    """A folder of this process, into which no other user can look: who reaches a worker's socket is trusted."""
    # below the home, where the stack's programs keep all else that is temporary, the path may be too long for a socket
    folder = mkdtemp(prefix="drinkstream-", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def wake_workers(spark: "SparkSession") -> None:
    """Has as many Python workers as the session has tasks at a time, for which else the first tasks would wait."""
    tasks = spark.sparkContext.defaultParallelism
    spark.range(0, tasks, 1, tasks).mapInArrow(_same, "id long").collect()


def _same(batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
    yield from batches


@contextmanager
def causes() -> Iterator[None]:
    """Spark's actions within raise what one of their Python workers raised, where it was one of our errors.

    Such an error comes from a worker as text, at the end of its traceback, which would only bury it.
    """
    from pyspark.errors import PythonException

    try:
        yield
    except PythonException as error:
        for line in reversed(str(error).splitlines()):
            for kind in (UnavailableError, IntegrityError):
                name = f"{kind.__module__}.{kind.__qualname__}: "
                if line.startswith(name):
                    raise kind(line.removeprefix(name)) from None
        raise
