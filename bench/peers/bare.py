"""The drain as a bare loop on confluent-kafka: the same prefilter, parser, classifier and cells, the same rows written.

    python -m bench.peers.bare EPOCH PART PARTS     (settings of the environment)

One process for each core, each with its own partitions; a post's copies share a partition, so the processes' rows are
shards of their cells that share no post. Cells stay in memory for ever and nothing is remembered of what was read: it
has no state to restore, no watermark, and no answer to a crash. Says in JSON what it has written: posts, moment (s).
"""

import json
import signal
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from drinkstream.cells import MINUTE_MS, hour_of, minute_of, pack, slot_of
from drinkstream.hits import candidates, placed
from drinkstream.post import Post, parse_keyed
from drinkstream.settings import Settings
from drinkstream.store.session import connect
from drinkstream.store.write import CellRow, Writer, now_us

MESSAGES = 10_000


class Cell(NamedTuple):
    """The key of a row."""

    slot: int
    minute: int
    source: str
    category: str
    brand: str
    kind: str
    lang: str
    shard: int


def consumer(settings: Settings) -> Consumer:
    """Large fetches, and no commits, since a drain begins at the beginning."""
    return Consumer(
        {
            "bootstrap.servers": settings.bootstrap,
            "group.id": "bare",
            "enable.auto.commit": False,
            "fetch.min.bytes": 1_000_000,
            "fetch.wait.max.ms": 100,
            "max.partition.fetch.bytes": 4_000_000,
            "queued.max.messages.kbytes": 131_072,
        }
    )


def main(epoch: str, part: str, parts: str) -> None:
    """Drains this process's partitions to the ends that they have when it starts."""
    settings = Settings.load()
    kafka = consumer(settings)
    topic = settings.posts_topic
    own = [n for n in kafka.list_topics(topic).topics[topic].partitions if n % int(parts) == int(part)]
    left = sum(kafka.get_watermark_offsets(TopicPartition(topic, n))[1] for n in own)
    kafka.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in own])
    session = connect(settings, settings.writer_login())
    writer = Writer(session)
    cells: defaultdict[Cell, set[str]] = defaultdict(set)
    changed: set[Cell] = set()
    posts = unwritten = 0
    # as many as a micro-batch of the speed query takes
    most = settings.speed_max_offsets // int(parts)
    while left:
        messages = kafka.consume(MESSAGES, 1.0)
        if fault := next((message.error() for message in messages if message.error()), None):
            raise KafkaException(fault)
        values = [message.value() for message in messages]
        for index in candidates(pa.array(values, pa.binary())).nonzero()[0].tolist():
            message = messages[index]
            append_ms = message.timestamp()[1]
            record = parse_keyed(values[index], message.key().decode(), append_ms)
            if isinstance(record, Post):
                slot, minute = slot_of(append_ms), minute_of(record.event_ms)
                for category, brand, shard in placed(record):
                    of_process = shard * int(parts) + int(part)
                    cell = Cell(slot, minute, record.source, category, brand, record.kind, record.lang, of_process)
                    cells[cell].add(record.id)
                    changed.add(cell)
        left -= len(messages)
        posts += len(messages)
        unwritten += len(messages)
        if unwritten >= most or not left:
            write(writer, epoch, cells, changed)
            changed.clear()
            unwritten = 0
            print(json.dumps({"posts": posts, "at": time.time(), "ended": not left}), flush=True)
    kafka.close()
    session.cluster.shutdown()
    # its processor time is looked at once all have ended
    signal.pause()


def write(writer: Writer, epoch: str, cells: dict[Cell, set[str]], changed: set[Cell]) -> None:
    """Whole rows of the cells that changed, and the hours that they lie in."""
    rows = sorted(
        (
            CellRow(
                hour_of(cell.minute),
                cell.category,
                cell.minute // MINUTE_MS % 60,
                cell.brand,
                cell.source,
                cell.kind,
                cell.lang,
                cell.slot,
                cell.shard,
                len(cells[cell]),
                pack(cells[cell]),
            )
            for cell in changed
        ),
        key=lambda row: row[:3],
    )
    writer.speed_hours(epoch, sorted({row.hour for row in rows}), datetime.now(UTC))
    writer.speed_cells(epoch, rows, now_us())


if __name__ == "__main__":
    main(*sys.argv[1:])
