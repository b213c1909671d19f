"""A micro-batch's cells on their way into Cassandra: what each of Spark's tasks writes, in its own process.

Spark's Python workers live on from micro-batch to micro-batch, and so does the one session that each of them keeps.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from cassandra.cluster import Session

from drinkstream.cells import MINUTE_MS, hour_of, pack, size, unpack
from drinkstream.settings import Settings
from drinkstream.store.session import connect
from drinkstream.store.write import CellRow, Writer

Opened = Callable[[], AbstractContextManager[Writer]]
"""How a task comes by its writer, in its own process."""

WRITTEN = pa.schema([("hour", pa.string()), ("cells", pa.int64()), ("first", pa.int64())])
"""What one task wrote, by hour of the event time ('YYYY-MM-DDTHH'): how many rows, and the first minute of them."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What the tasks must know of their micro-batch; `known` are the hours that its epoch has touched before it."""

    epoch: str
    written_us: int
    started_at: datetime
    known: frozenset[str]


def upsert(batches: Iterable[pa.RecordBatch], begun: Begun, opened: Opened) -> Iterator[pa.RecordBatch]:
    """Arrow batches of cells -> one of WRITTEN, once Cassandra has acknowledged every row. Runs in Spark's workers.

    An hour that the epoch had not touched is stored before its first row; where two tasks store the same hour they
    store the same. Each Arrow batch is grouped by Cassandra's partitions by itself, so that a task never holds more
    than one; what two tasks write of a partition are different rows.
    """
    written: Counter[str] = Counter()
    first: dict[str, int] = {}
    with opened() as writer:
        for batch in batches:
            rows = sorted(cell_rows(batch), key=lambda row: row[:3])
            cells = Counter(row.hour for row in rows)
            if fresh := cells.keys() - begun.known - written.keys():
                writer.speed_hours(begun.epoch, sorted(fresh), begun.started_at)
            writer.speed_cells(begun.epoch, rows, begun.written_us)
            written += cells
            for row in rows:
                first[row.hour] = min(row.minute, first.get(row.hour, row.minute))
    columns = {"hour": list(written), "cells": list(written.values()), "first": [first[hour] for hour in written]}
    yield pa.RecordBatch.from_pydict(columns, schema=WRITTEN)


def cell_rows(batch: pa.RecordBatch) -> Iterator[CellRow]:
    """A batch of (slot, minute, source, category, brand, kind, lang, shard, packed, texts) as rows to write."""
    for slot, minute, source, category, brand, kind, lang, shard, packed, texts in zip(
        *[column.to_pylist() for column in batch.columns], strict=True
    ):
        ids = pack([*unpack(packed), *texts]) if texts else packed
        yield CellRow(
            hour_of(minute),
            category,
            minute // MINUTE_MS % 60,
            brand,
            source,
            kind,
            lang,
            slot,
            shard,
            size(ids),
            ids,
        )


_kept: dict[tuple[object, ...], tuple[Session, Writer]] = {}


@contextmanager
def kept(settings: Settings, login: tuple[str, str]) -> Iterator[Writer]:
    """This process's writer as (user, password): opened at first use and left open for the next.

    A process keeps one, that of the last settings. It is closed where its use fails, so that the next use opens a new
    one, and by the end of the process. Raises UnavailableError where no server answers.
    """
    where = (*settings.contact_points, settings.cassandra_port, settings.keyspace, *login)
    if where not in _kept:
        _close()
        session = connect(settings, login)
        _kept[where] = session, Writer(session)
    try:
        yield _kept[where][1]
    except BaseException:
        _close()
        raise


def _close() -> None:
    while _kept:
        _kept.popitem()[1][0].cluster.shutdown()
