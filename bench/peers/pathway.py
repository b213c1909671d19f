"""The drain in Pathway: its Kafka connector, its tables, two worker processes that share the partitions.

    python -m bench.peers.pathway EPOCH     (settings of the environment)

The product's prefilter, parser and classifier take the lines of a batch at once, as a function of Pathway's; each
(cell, id) counts once, and each cell is the tuple of its ids. What changed is written when a batch is through, as whole
rows, by the first worker. Says in JSON what it has written: posts, moment (s).
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from drinkstream.cells import MINUTE_MS, hour_of, minute_of, pack
from drinkstream.hits import candidates, placed
from drinkstream.post import Post, parse_keyed
from drinkstream.settings import Settings
from drinkstream.store.session import connect
from drinkstream.store.write import CellRow, Writer, now_us

LINES = 10_000
COMMIT_MS = 2_000
PORT = 39_500

Pair = tuple[tuple[int, str, str, str, str, str], int]
"""A cell (minute, category, brand, source, kind, lang), and a post's id."""

COUNTED = (0, "", "", "", "", "")
"""In place of a cell: its only "id" is how many lines were read."""


def pairs(values: list[bytes]) -> list[list[Pair]]:
    """Of each line the cells that its post counts in, with its id."""
    found: list[list[Pair]] = [[] for _ in values]
    now_ms = int(time.time() * 1000)
    for index in candidates(pa.array(values, pa.binary())).nonzero()[0].tolist():
        # the connector has no key without all of a record's metadata as JSON, which would cost more than the parser
        record = parse_keyed(values[index], "x:", now_ms)
        if isinstance(record, Post):
            found[index] = [
                ((minute_of(record.event_ms), *level, record.source, record.kind, record.lang), int(record.id))
                for *level, _ in placed(record)
            ]
    return found


class Sink:
    """Writes what changed in a batch, and how many posts it brought."""

    def __init__(self, settings: Settings, epoch: str) -> None:
        self._writer = Writer(connect(settings, settings.writer_login()))
        self._epoch = epoch
        self._changed: dict[tuple[Any, ...], tuple[int, ...]] = {}

    def on_change(self, key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:  # noqa: ARG002
        """A cell as it is now."""
        if is_addition:
            self._changed[row["cell"]] = row["posts"]

    def on_time_end(self, _: int) -> None:
        """The batch is through."""
        counted = self._changed.pop(COUNTED, None)
        rows = sorted(
            (
                CellRow(
                    *(hour_of(minute), category, minute // MINUTE_MS % 60, brand, source, kind, lang, 0, 0),
                    n=len(posts),
                    ids=pack(map(str, posts)),
                )
                for (minute, category, brand, source, kind, lang), posts in self._changed.items()
            ),
            key=lambda row: row[:3],
        )
        self._writer.speed_hours(self._epoch, sorted({row.hour for row in rows}), datetime.now(UTC))
        self._writer.speed_cells(self._epoch, rows, now_us())
        self._changed.clear()
        if counted:
            print(json.dumps({"posts": counted[0], "at": time.time(), "ended": True}), flush=True)


def main(epoch: str) -> None:
    """Drains the topic, and goes on waiting for more."""
    settings = Settings.load()
    first = "PATHWAY_PROCESS_ID" not in os.environ
    if first:
        # what `pathway spawn` does, but that it ends its workers when it is ended
        os.environ |= {
            "PATHWAY_PROCESSES": "2",
            "PATHWAY_THREADS": "1",
            "PATHWAY_FIRST_PORT": str(PORT),
            "PATHWAY_RUN_ID": str(uuid.uuid4()),
            "PATHWAY_PROCESS_ID": "0",
        }
        second = subprocess.Popen(
            [sys.executable, "-m", "bench.peers.pathway", epoch], env=os.environ | {"PATHWAY_PROCESS_ID": "1"}
        )
        signal.signal(signal.SIGTERM, lambda *_: (second.terminate(), os._exit(0)))
    run(settings, epoch)


def run(settings: Settings, epoch: str) -> None:
    """One worker."""
    import pathway as pw

    records = pw.io.kafka.read(
        {
            "bootstrap.servers": settings.bootstrap,
            "group.id": epoch,
            "auto.offset.reset": "earliest",
            "fetch.min.bytes": "1000000",
            "fetch.wait.max.ms": "100",
            "max.partition.fetch.bytes": "4000000",
        },
        topic=settings.posts_topic,
        format="raw",
        autocommit_duration_ms=COMMIT_MS,
        max_backlog_size=settings.speed_max_offsets,
    )
    # (cell, post) of each line that names a drink
    found = records.select(pair=pw.udf(pairs, max_batch_size=LINES, deterministic=True)(pw.this.data)).flatten(
        pw.this.pair
    )
    named = found.select(cell=pw.this.pair[0], post=pw.this.pair[1])
    once = named.groupby(pw.this.cell, pw.this.post).reduce(pw.this.cell, pw.this.post)
    cells = once.groupby(pw.this.cell).reduce(pw.this.cell, posts=pw.reducers.sorted_tuple(pw.this.post))
    read = records.reduce(n=pw.reducers.count()).select(cell=COUNTED, posts=pw.make_tuple(pw.this.n))
    sink = Sink(settings, epoch)
    pw.io.subscribe(cells.concat_reindex(read), on_change=sink.on_change, on_time_end=sink.on_time_end)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
