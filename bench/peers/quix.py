"""The drain as an application of Quix Streams: records into a batching sink, which writes whole cells at each commit.

    python -m bench.peers.quix EPOCH PART PARTS     (settings of the environment)

One process for each core, in one consumer group. Quix Streams hands over record by record; its sink gets all of a
partition since the last commit, so there the product's prefilter, parser and classifier take many at once. The table is
the state: a process that goes on where another one stopped reads there which posts are counted, and each process writes
shards of its own. Says in JSON what it has written: posts, moment (s).
"""

import json
import signal
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime

import pyarrow as pa
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

from bench.peers.bare import Cell, write
from drinkstream.cells import MINUTE_MS, minute_of
from drinkstream.hits import candidates, placed
from drinkstream.post import Post, parse_keyed
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.taxonomy import load

COMMIT_S = 2.0
LIVES = 2**14


class Cells(BatchingSink):
    """The cells of the partitions that this process has; written whole where they changed, before a commit."""

    def __init__(self, settings: Settings, epoch: str, shard: int) -> None:
        super().__init__()
        session = connect(settings, settings.writer_login())
        self._reader, self._writer = Reader(session), Writer(session)
        self._epoch = epoch
        self._shard = shard
        self._cells: defaultdict[Cell, set[str]] = defaultdict(set)
        self._elsewhere: defaultdict[Cell, set[str]] = defaultdict(set)
        self._changed: set[Cell] = set()
        self._next: dict[int, int] = {}
        self._posts = 0

    def setup(self) -> None:
        """Nothing: the session is open."""

    def write(self, batch: SinkBatch) -> None:
        """What one partition brought since the last commit."""
        if batch.start_offset != self._next.get(batch.partition, 0):
            self._read_elsewhere()
        items = list(batch)
        values = [item.value for item in items]
        for index in candidates(pa.array(values, pa.binary())).nonzero()[0].tolist():
            item = items[index]
            record = parse_keyed(item.value, item.key.decode(), item.timestamp)
            if isinstance(record, Post):
                minute = minute_of(record.event_ms)
                for category, brand, _ in placed(record):
                    cell = Cell(0, minute, record.source, category, brand, record.kind, record.lang, self._shard)
                    if record.id not in self._elsewhere.get(cell, ()):
                        self._cells[cell].add(record.id)
                        self._changed.add(cell)
        self._next[batch.partition] = items[-1].offset + 1
        self._posts += len(items)

    def flush(self) -> None:
        """All of it into cells, and those that changed into the table."""
        before = self._posts
        super().flush()
        if self._changed:
            write(self._writer, self._epoch, self._cells, self._changed)
            self._changed.clear()
        if self._posts > before:
            print(json.dumps({"posts": self._posts, "at": time.time(), "ended": True}), flush=True)

    def _read_elsewhere(self) -> None:
        """What the table holds, since others counted the posts of a partition up to where this one takes it over."""
        self._elsewhere.clear()
        hours = sorted(self._reader.speed_hours(self._epoch))
        for category in ("*", *load().categories):
            for held in self._reader.speed_ids(self._epoch, hours, category, None):
                minute = _hour_ms(held.hour) + held.minute * MINUTE_MS
                cell = Cell(0, minute, held.source, category, held.brand, held.kind, held.lang, self._shard)
                self._elsewhere[cell] |= set(held.ids) - self._cells.get(cell, set())


def main(epoch: str, part: str, parts: str) -> None:
    """Drains its share of the partitions, and goes on waiting for more."""
    settings = Settings.load()
    # a row is written by one life of one process only, since no other knows all of it
    shard = int(time.time()) % LIVES * int(parts) + int(part)
    most = settings.speed_max_offsets // int(parts)
    app = Application(
        broker_address=settings.bootstrap,
        consumer_group=epoch,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        commit_interval=COMMIT_S,
        commit_every=most,
        loglevel="WARNING",
        state_dir=settings.home / settings.keyspace / f"quix.{part}",
        consumer_extra_config={
            "fetch.min.bytes": 1_000_000,
            "fetch.wait.max.ms": 100,
            "max.partition.fetch.bytes": 4_000_000,
            "queued.max.messages.kbytes": 131_072,
        },
    )
    topic = app.topic(settings.posts_topic, key_deserializer="bytes", value_deserializer="bytes")
    app.dataframe(topic).sink(Cells(settings, epoch, shard))
    app.run()


def _hour_ms(hour: str) -> int:
    return int(datetime.strptime(hour, "%Y-%m-%dT%H").replace(tzinfo=UTC).timestamp()) * 1000


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    main(*sys.argv[1:])
