"""What a micro-batch of cells becomes in Cassandra: whole rows, under timestamps that an older writer cannot beat."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from drinkstream.merge import days_between
from drinkstream.spark import causes
from drinkstream.store.read import Reader
from drinkstream.store.write import MicroBatch, Writer, now_us
from streaming.epochs import Life, offsets_of
from streaming.upserts import WRITTEN, Begun, Opened, upsert


class Sink:
    """Writes the micro-batches of one epoch. `processed` are the next offsets by partition that are safely written.

    Records of micro-batches go through `writer`, cells through what `opened` gives each of Spark's tasks.
    """

    def __init__(self, reader: Reader, writer: Writer, opened: Opened, life: Life, topic: str) -> None:
        self._writer = writer
        self._opened = opened
        self._life = life
        self._topic = topic
        self._last_us = 0
        self._days: dict[int, date] = {}
        # the last micro-batch, by its number, and where it ended; before the first, where the life begins
        self._until: tuple[int, Mapping[str, int]] = (-1, life.first_offsets)
        row = next((epoch for epoch in reader.epochs() if epoch.epoch == life.epoch), None)
        self.processed: Mapping[str, int] = row.processed if row is not None else {}
        self.touched: dict[str, datetime] = reader.touched(life.epoch)
        self.blind: frozenset[date] = row.blind_days if row is not None else frozenset()
        if row is not None:
            # the clock may have been set back since the last process wrote, even past midnight
            latest = max([datetime.now(UTC), *self.touched.values()]).date()
            days = days_between(row.started_at.date() - timedelta(days=1), latest + timedelta(days=1))
            self._last_us = reader.last_written_us(life.epoch, days)

    def write(self, frame: DataFrame, batch_id: int) -> None:
        """One micro-batch: its record first, then its rows, then that it ended. Called again after a crash."""
        offsets = self._offsets(batch_id)
        if all(start == until for start, until in offsets.values()):
            # Spark runs a batch without records to let go of old state: no cell changes by it, but it must be run,
            # since the state's next version is written as its rows are computed
            frame.count()
            return
        started_at = datetime.now(UTC)
        # above any timestamp of this epoch, so that a writer that was orphaned can never lower a newer value
        self._last_us = max(now_us(), self._last_us + 1)
        batch = MicroBatch(self._life.epoch, batch_id, self._last_us, started_at, offsets)
        self._days[batch_id] = started_at.date()
        self._writer.batch_started(batch)
        begun = Begun(self._life.epoch, batch.written_us, started_at, frozenset(self.touched))
        written = write_beside(frame, begun, self._opened)
        # a new one, since the watch may be walking through the old one
        self.touched = dict.fromkeys(written.first, started_at) | self.touched
        self._writer.batch_ended(batch, datetime.now(UTC), written.cells, written.first)
        self.processed = {partition: until for partition, (_, until) in offsets.items()}

    def measured(self, batch_id: int, hits: int, rejected: Mapping[str, int], span: tuple[Any, Any]) -> None:
        """Stores what was measured of a micro-batch beside its record (none where it ran in an earlier process)."""
        day = self._days.pop(batch_id, None)
        if day is not None:
            self._writer.batch_measured(self._life.epoch, day, batch_id, hits, rejected, span)

    def _offsets(self, batch_id: int) -> dict[str, tuple[int, int]]:
        last, start = self._until
        if last != batch_id - 1:
            start = offsets_of(self._log(batch_id - 1), self._topic)
        until = offsets_of(self._log(batch_id), self._topic)
        self._until = batch_id, until
        return {partition: (start.get(partition, 0), offset) for partition, offset in sorted(until.items())}

    def _log(self, batch_id: int) -> str:
        return (self._life.checkpoint / "offsets" / str(batch_id)).read_text()


@dataclass(slots=True)
class Written:
    """What all tasks of a micro-batch wrote: how many rows, and of each hour the first minute (0..59) that has some."""

    cells: int = 0
    first: dict[str, int] = field(default_factory=dict)


def write_beside(frame: DataFrame, begun: Begun, opened: Opened) -> Written:
    """What was written, once all is: by the tasks that end the aggregation, each what it holds.

    Raises UnavailableError where Cassandra did not take one of them.
    """
    task = partial(upsert, begun=begun, opened=opened)
    with causes():
        told = frame.mapInArrow(task, from_arrow_schema(WRITTEN))
        # not by collect, which opens a socket whose path the JVM keeps in mind until it ends
        rows = told._jdf.collectAsList()
    written = Written()
    for row in rows:
        hour, first = row.getString(0), row.getLong(2)
        written.cells += row.getLong(1)
        written.first[hour] = min(first, written.first.get(hour, first))
    return written


def rows_dropped(told: Iterable[Any]) -> int:
    """How many rows the watermark dropped, by what Spark told of its triggers."""
    return sum(operator.numRowsDroppedByWatermark for progress in told for operator in progress.stateOperators)


def store_measured(sink: Sink, told: Iterable[Any]) -> None:
    """Stores what Spark measured of micro-batches beside their records.

    `told` is the progress of each once; triggers without records are no micro-batches.
    """
    for progress in told:
        if not progress.numInputRows:
            continue
        tally = {k: v for k, v in progress.observedMetrics["tally"].asDict().items() if v}
        rejected = {k.removeprefix("rejected_"): v for k, v in tally.items() if k.startswith("rejected_")}
        span = _instant(tally.get("append_from")), _instant(tally.get("append_to"))
        sink.measured(progress.batchId, tally.get("post", 0), rejected, span)


def _instant(us: int | None) -> datetime | None:
    return datetime.fromtimestamp(us / 1_000_000, UTC) if us is not None else None
