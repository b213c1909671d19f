"""What a running query tells of its triggers, each once."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from streaming.progress import Told
from tests.lib.programs import until

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming.query import StreamingQuery


@pytest.fixture
def query(spark: "SparkSession") -> Iterator["StreamingQuery"]:
    rows = spark.readStream.format("rate").option("rowsPerSecond", 50).load()
    running = rows.writeStream.format("noop").trigger(processingTime="100 milliseconds").start()
    yield running
    running.stop()


def test_each_trigger_is_told_once_and_in_order(query: "StreamingQuery"):
    told, seen = Told(query), []

    def five() -> bool:
        seen.extend(told.new())
        return len({one.batchId for one in seen if one.numInputRows}) >= 5

    until(five)
    query.stop()
    seen += told.new()
    assert [one.json for one in seen] == [one.json for one in query.recentProgress]
    assert told.new() == []


class Trigger:
    """One that Spark keeps, and how often it was turned into Python."""

    def __init__(self, like: Any, batch: int, time: str) -> None:
        self._told = {**like, "batchId": batch, "timestamp": time}
        self.turned = 0

    def batchId(self) -> int:
        return int(self._told["batchId"])

    def timestamp(self) -> str:
        return str(self._told["timestamp"])

    def json(self) -> str:
        self.turned += 1
        return json.dumps(self._told)


def test_what_was_told_is_not_turned_into_python_again_even_without_records(query: "StreamingQuery"):
    until(lambda: query.lastProgress)
    like = json.loads(query.lastProgress.json)
    # one without records has the number of the next
    kept = [Trigger(like, 0, "a"), Trigger(like, 1, "b"), Trigger(like, 1, "c")]
    told = Told(cast("Any", SimpleNamespace(_jsq=SimpleNamespace(recentProgress=lambda: kept))))
    assert [(one.batchId, one.timestamp) for one in told.new()] == [(0, "a"), (1, "b"), (1, "c")]
    kept += [Trigger(like, 1, "d"), Trigger(like, 2, "e")]
    assert [(one.batchId, one.timestamp) for one in told.new()] == [(1, "d"), (2, "e")]
    assert told.new() == []
    assert [one.turned for one in kept] == [1] * 5
    # all that was looked at before has been forgotten
    kept[:] = [Trigger(like, 9, "f")]
    assert [one.batchId for one in told.new()] == [9]
