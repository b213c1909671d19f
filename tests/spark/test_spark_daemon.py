"""What Spark's Python workers have from the process that they are forked from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psutil
import pyarrow as pa

from drinkstream.spark import wake_workers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_no_worker_makes_classifier_or_prefilter_itself(spark: "SparkSession"):
    def made(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from drinkstream import hits

        for batch in batches:
            sizes = [[one.cache_info().misses] * len(batch) for one in (hits.classifier, hits._prefilter)]
            yield pa.RecordBatch.from_arrays(
                [pa.array(size, pa.int64()) for size in sizes], ["classifier", "prefilter"]
            )

    rows = spark.range(0, 4, 1, 2).mapInArrow(made, "classifier long, prefilter long").collect()
    assert [tuple(row) for row in rows] == [(1, 1)] * 4


def test_what_a_worker_has_loaded_is_not_walked_through_behind_each_task(spark: "SparkSession"):
    def looked_at(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import gc

        import cassandra.cluster  # noqa: F401

        loaded = [len(gc.get_objects()), gc.get_freeze_count()]
        for batch in batches:
            yield pa.RecordBatch.from_arrays([pa.array([one] * len(batch), pa.int64()) for one in loaded], ["n", "f"])

    def once() -> list[tuple[int, int]]:
        rows = spark.range(0, 2, 1, 2).mapInArrow(looked_at, "n long, f long").collect()
        return [(row["n"], row["f"]) for row in rows]

    for _ in range(3):
        once()
    told = once()
    assert all(walked < 30_000 < kept for walked, kept in told), told
    # and a task leaves nothing behind, in whichever worker it runs
    for _ in range(5):
        once()
    assert max(kept for _, kept in once()) < max(kept for _, kept in told) + 500


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
