"""Spark's Python workers have classifier and prefilter from the process that they are forked from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psutil
import pyarrow as pa

from drinkstream.spark import wake_workers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_no_worker_makes_them_itself(spark: "SparkSession"):
    def made(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from drinkstream import hits

        for batch in batches:
            sizes = [[one.cache_info().misses] * len(batch) for one in (hits.classifier, hits._prefilter)]
            yield pa.RecordBatch.from_arrays(
                [pa.array(size, pa.int64()) for size in sizes], ["classifier", "prefilter"]
            )

    rows = spark.range(0, 4, 1, 2).mapInArrow(made, "classifier long, prefilter long").collect()
    assert [tuple(row) for row in rows] == [(1, 1)] * 4


def workers() -> list[psutil.Process]:
    """The Python workers of this process's Spark: forks of those that the JVM has started."""
    every = psutil.Process().children(recursive=True)
    java = [one for one in every if one.name() == "java"]
    return [worker for jvm in java for parent in jvm.children() for worker in parent.children()]


def test_woken_workers_are_those_that_later_tasks_get(spark: "SparkSession"):
    def which(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import os

        for batch in batches:
            yield pa.RecordBatch.from_pydict({"pid": [os.getpid()] * len(batch)})

    for child in (before := workers()):
        child.kill()
    psutil.wait_procs(before, timeout=30)
    wake_workers(spark)
    awake = {child.pid for child in workers()}
    tasks = spark.sparkContext.defaultParallelism
    assert len(awake) == tasks
    rows = spark.range(0, tasks, 1, tasks).mapInArrow(which, "pid long").collect()
    assert {row["pid"] for row in rows} <= awake
