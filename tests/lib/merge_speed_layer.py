"""The speed layer, run step by step in memory: the product's own code, with plain Python where Spark groups.

What stands in for Spark: the offset log, the commits and the state of a checkpoint, and grouping in update mode with a
watermark (tests/spark, tests/parity and tests/integration hold the real ones).
"""

import shutil
from collections import defaultdict
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from drinkstream.cells import MINUTE_MS, SLOT_MS, pack, slot_of
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer
from streaming import speed
from streaming.epochs import Life
from streaming.roll_up import roll_up_batch
from streaming.sink import Sink
from tests.lib.merge_world import PARTITIONS, TOPIC, Stored, World
from tests.lib.stepped import Stepped

State = dict[tuple[Any, ...], frozenset[Any]]
"""(slot, *cell, shard) -> ids, each as (number, text)."""

GROUPED = pa.schema(
    [
        ("slot", pa.int64()),
        *[pa.field(name, {"minute": pa.int64(), "shard": pa.int16()}.get(name, pa.string())) for name in speed.CELL],
        ("packed", pa.binary()),
        ("texts", pa.list_(pa.string())),
    ]
)


@dataclass
class Checkpoint:
    """Spark's: what each batch takes (the next offsets after it), how many are committed, the state before each."""

    start: dict[int, int]
    planned: list[dict[int, int]] = field(default_factory=list)
    states: list[tuple[State, int]] = field(default_factory=lambda: [({}, 0)])

    @property
    def next(self) -> int:
        """The number of the batch to run: the one planned and not committed, or a new one."""
        return len(self.states) - 1

    def from_offset(self, partition: int) -> int:
        """Where the batch to run begins."""
        return (self.planned[self.next - 1] if self.next else self.start)[partition]

    def offsets(self, batch: int) -> str:
        """Entry `batch` of the offset log, as Spark writes it."""
        until = ", ".join(f'"{p}": {offset}' for p, offset in self.planned[batch].items())
        return f'v1\n{{}}\n{{"{TOPIC}": {{{until}}}}}'


class LoggedSink(Sink):
    """The sink, with the offset log read from a checkpoint in memory instead of from disk."""

    checkpoint: Checkpoint

    def _log(self, batch_id: int) -> str:
        return self.checkpoint.offsets(batch_id)


@dataclass(frozen=True)
class JavaRow:
    """What the sink uses of a row in the JVM."""

    values: tuple[Any, ...]

    def getString(self, at: int) -> str:
        """Its text at a place."""
        return str(self.values[at])

    def getLong(self, at: int) -> int:
        """Its number at a place."""
        return int(self.values[at])


@dataclass
class Frame:
    """What the sink uses of a DataFrame. Two tasks hold its rows, the second runs behind the first."""

    table: pa.Table

    def count(self) -> int:
        """How many rows there are."""
        return len(self.table)

    @property
    def _jdf(self) -> Any:
        return SimpleNamespace(collectAsList=lambda: [JavaRow(tuple(row.values())) for row in self.table.to_pylist()])

    def mapInArrow(self, task: Any, _: Any) -> "Frame":
        """What `task` makes of each part."""
        parts = [self.table.take(pa.array(range(at, len(self.table), 2), pa.int64())) for at in (0, 1)]
        return Frame(pa.Table.from_batches([made for part in parts for made in task(iter(part.to_batches()))]))


@dataclass
class Batch:
    """One micro-batch under way: its number, the records that it takes, and what Spark will have kept after it."""

    number: int
    records: list[Stored]
    until: dict[int, int]
    after: tuple[State, int]
    dropped: int
    work: Stepped


class SpeedLayer:
    """The speed query, from its start until it ends; `begin`, `Sink` and `watch` are the product's."""

    def __init__(self, world: World, checkpoints: dict[str, Checkpoint]) -> None:
        self._world = world
        self._checkpoints = checkpoints
        self._work: Stepped | None = None
        self._session = world.store.session(self._gate)
        self._reader, self._writer = Reader(self._session), Writer(self._session)
        self._progress: list[Any] = []
        self.life: Life = speed.begin(world.settings, self._reader, self._writer)
        opened = partial(nullcontext, self._writer)
        self._sink = LoggedSink(self._reader, self._writer, opened, self.life, TOPIC)

    def start_query(self) -> None:
        """Spark starts the query: on its checkpoint, or without one where its life begins."""
        if self.life.epoch not in self._checkpoints:
            first = {int(p): offset for p, offset in self.life.first_offsets.items()}
            self._checkpoints[self.life.epoch] = Checkpoint(first)
            (self.life.checkpoint / "offsets").mkdir(parents=True)
            (self.life.checkpoint / "metadata").write_text("{}")

    def lose_checkpoint(self) -> None:
        """The checkpoint's folder is gone."""
        del self._checkpoints[self.life.epoch]
        shutil.rmtree(self.life.checkpoint)

    def plan(self, most: Mapping[int, int], order: int) -> Batch:
        """The next micro-batch, ready to write: the one that was planned before, else at most so many records."""
        kept = self._checkpoints[self.life.epoch]
        number = kept.next
        start = {p: kept.from_offset(p) for p in PARTITIONS}
        if number == len(kept.planned):
            end = self._world.end()
            kept.planned.append({p: min(end[p], start[p] + most[p]) for p in PARTITIONS})
            (self.life.checkpoint / "offsets" / str(number)).write_text(kept.offsets(number))
        until = kept.planned[number]
        records = [row for p in PARTITIONS for row in self._world.kafka.logs[p][start[p] : until[p]]]
        table, after, dropped = group(records, *kept.states[number], self.life.watermark_s * 1000)
        self._sink.checkpoint = kept
        self._session.order.seed(order)
        frame: Any = Frame(table)
        self._work = Stepped(lambda: self._sink.write(frame, number))
        return Batch(number, records, until, after, dropped, self._work)

    def commit(self, batch: Batch) -> None:
        """Spark's last step of a micro-batch whose rows are all written."""
        self._checkpoints[self.life.epoch].states.append(batch.after)
        self._progress.append(
            SimpleNamespace(
                batchId=batch.number,
                numInputRows=len(batch.records),
                stateOperators=[SimpleNamespace(numRowsDroppedByWatermark=batch.dropped)],
                observedMetrics={"tally": SimpleNamespace(asDict=dict)},
            )
        )

    def watch(self, writes: int | None = None) -> bool:
        """One look of the watch over the running query, killed after so many writes; whether it got to its end.

        Raises IntegrityError where rows had been dropped. One that is to be killed has measured all before.
        """
        query: Any = SimpleNamespace(isActive=True, status={"isTriggerActive": False}, stop=lambda: None)
        told: Any = SimpleNamespace(new=lambda: self._progress if writes is None else [])
        looks = iter([False, True])
        stopping: Any = SimpleNamespace(wait=lambda timeout: next(looks))  # noqa: ARG005
        work = self._work = Stepped(
            lambda: speed.watch(
                query, told, stopping, self._world.settings, self._reader, self._writer, self.life, self._sink
            )
        )
        ended = work.advance(writes)
        work.kill()
        return ended

    def _gate(self) -> None:
        # an orphan's last piece of work stays its own, whatever runs in its place
        if self._work is not None:
            self._work.gate()


def group(records: list[Stored], state: State, newest: int, delay: int) -> tuple[pa.Table, tuple[State, int], int]:
    """Spark's grouping in update mode: the groups that changed, the state after it, and the rows dropped as late."""
    found: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
    dropped = 0
    for record in records:
        for row in level_rows(record):
            if slot_of(record.append_ms) + SLOT_MS <= newest - delay:
                dropped += 1
            else:
                found[slot_of(record.append_ms), *row[:7]].add(row[7:])
    changed = {key: frozenset(ids) | state.get(key, frozenset()) for key, ids in found.items()}
    rows = [
        dict(
            zip(["slot", *speed.CELL], key, strict=True),
            packed=pack(str(number) for number, _ in ids if number is not None),
            texts=[text for _, text in ids if text is not None],
        )
        for key, ids in changed.items()
    ]
    appended = [record.append_ms for record in records if level_rows(record)]
    after = max([newest, *(ms - ms % MINUTE_MS for ms in appended)])
    return pa.Table.from_pylist(rows, GROUPED), (state | changed, after), dropped


@cache
def level_rows(record: Stored) -> tuple[tuple[Any, ...], ...]:
    """A record's (minute, source, category, brand, kind, lang, shard, number, text), from the product's own worker."""
    columns = [[record.key], [record.value], [record.append]]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(c, t) for c, t in zip(columns, (pa.string(), pa.binary(), pa.timestamp("us", "UTC")), strict=True)],
        names=["key", "value", "append"],
    )
    names = [*speed.CELL, "number", "text"]
    posts = [row for row in roll_up_batch(batch).to_pylist() if row["tally"] is None]
    return tuple(tuple((post | level)[name] for name in names) for post in posts for level in post["levels"])
