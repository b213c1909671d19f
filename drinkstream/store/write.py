"""Writing the store: absolute values under keys that the input determines, in bounded batches of one partition each."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from threading import BoundedSemaphore
from typing import Any, NamedTuple

from cassandra import OperationTimedOut, WriteTimeout
from cassandra.cluster import Session
from cassandra.query import BatchStatement, BatchType

from drinkstream.cells import pack
from drinkstream.coverage import Covered, Minute
from drinkstream.errors import UnavailableError
from drinkstream.merge import Publication, hours_of
from drinkstream.packed import PartRow
from drinkstream.reconcile import Attributed, Reconciliation
from drinkstream.store.differences import DifferenceWriter
from drinkstream.store.reachable import reachable
from drinkstream.store.rows import stored_hours

BATCH_BYTES = 512 * 1024
BATCH_ROWS = 100
_ROW_BYTES = 100
_IN_FLIGHT = 8


class CellRow(NamedTuple):
    """One row of speed cells: `n` ids packed in `ids`."""

    hour: str
    category: str
    minute: int
    brand: str
    source: str
    kind: str
    lang: str
    slot: int
    shard: int
    n: int
    ids: bytes


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What is known of a micro-batch before its first row is written. offsets: [from, until] by partition."""

    epoch: str
    batch_id: int
    written_us: int
    started_at: datetime
    offsets: Mapping[str, tuple[int, int]]

    @property
    def rows_in(self) -> int:
        """Records that the micro-batch takes from Kafka."""
        return sum(until - start for start, until in self.offsets.values())


class Writer(DifferenceWriter):
    """All statements that a program writes. Not shared between processes: open it after any fork."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._prepared: dict[str, Any] = {}

    # -- cells --------------------------------------------------------------------------------------------------------

    def speed_cells(self, epoch: str, rows: Iterable[CellRow], written_us: int) -> int:
        """Writes rows of speed cells with `written_us` as their timestamp, so that an older writer never wins.

        Returns how many rows were written; when it returns, all of them were acknowledged.
        """
        insert = self._prepare(
            "INSERT INTO speed_cells_v1 "
            "(epoch, hour, category, minute, brand, source, kind, lang, slot, shard, n, ids) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
        )
        flight = _Flight(self._session)
        written = 0
        for bunch in bunches(rows):
            batch = BatchStatement(batch_type=BatchType.UNLOGGED)
            for row in bunch:
                batch.add(insert, (epoch, *row[:7], row.slot, row.shard, row.n, row.ids, written_us))
            flight.send(batch)
            written += len(bunch)
        flight.land()
        return written

    def batch_cells(self, run_id: str, rows: Iterable[PartRow]) -> None:
        """Writes rows of a run's cells. Nothing reads them before the run is published.

        A row is about as large as a batch of rows may be, so each goes alone.
        """
        self._send(
            "INSERT INTO batch_cells_v2 (run_id, hour, category, part, cells, ids) VALUES (?, ?, ?, ?, ?, ?)",
            ((run_id, *row) for row in rows),
        )

    # -- the speed layer's own records --------------------------------------------------------------------------------

    def batch_started(self, batch: MicroBatch) -> None:
        """Stores a micro-batch before its first row, under the timestamp of its rows, as `batch_ended` does."""
        self._run(
            "INSERT INTO speed_batches_v1 (epoch, day, batch_id, written_us, started_at, offsets, rows_in) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
            batch.epoch,
            batch.started_at.date(),
            batch.batch_id,
            batch.written_us,
            batch.started_at,
            json.dumps(batch.offsets),
            batch.rows_in,
            batch.written_us,
        )

    def batch_ended(self, batch: MicroBatch, ended_at: datetime, cells: int, hours: Mapping[str, int]) -> None:
        """Stores that all rows of a micro-batch are written, and which hours they touched, each from which minute on.

        An orphan that ends late so cannot take back how far its epoch has got.
        """
        self._run(
            "UPDATE speed_batches_v1 USING TIMESTAMP ? SET ended_at = ?, cells = ?, hours = ? "
            "WHERE epoch = ? AND day = ? AND batch_id = ?",
            batch.written_us,
            ended_at,
            cells,
            stored_hours(hours),
            batch.epoch,
            batch.started_at.date(),
            batch.batch_id,
        )
        position = {partition: until for partition, (_, until) in batch.offsets.items()}
        self._run(
            "UPDATE epochs_v1 USING TIMESTAMP ? SET processed = ? WHERE stream = 'posts' AND epoch = ?",
            batch.written_us,
            json.dumps(position),
            batch.epoch,
        )

    def batch_measured(
        self, epoch: str, day: date, batch_id: int, hits: int, rejected: Mapping[str, int], span: tuple[Any, Any]
    ) -> None:
        """Stores what the query measured of a micro-batch once it ended: hits, rejected by reason, append-time span."""
        self._run(
            "UPDATE speed_batches_v1 SET hits = ?, rejected = ?, append_from = ?, append_to = ? "
            "WHERE epoch = ? AND day = ? AND batch_id = ?",
            hits,
            json.dumps(rejected),
            *span,
            epoch,
            day,
            batch_id,
        )

    def speed_hours(self, epoch: str, hours: Iterable[str], touched: datetime) -> None:
        """Stores the hours that an epoch touches for the first time."""
        insert = "INSERT INTO speed_hours_v1 (epoch, hour, touched) VALUES (?, ?, ?)"
        self._send(insert, ((epoch, hour, touched) for hour in hours))

    def epoch(self, epoch: str, **columns: Any) -> None:
        """Writes columns of an epoch's row; mappings are stored as JSON."""
        self._insert("epochs_v1", {"stream": "posts", "epoch": epoch, **columns})

    # -- what the feeds say -------------------------------------------------------------------------------------------

    def coverage_minutes(self, minutes: Iterable[Minute]) -> None:
        """Writes what status lines say of minutes. A line written again writes the same row."""
        insert = self._prepare(
            "INSERT INTO coverage_minutes_v1 "
            "(day, source, minute, place, connected_ms, received, limits, undelivered, gaps) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        flight = _Flight(self._session)
        for one in minutes:
            counts = one.connected_ms, one.received, one.limits, one.undelivered, one.gaps
            flight.send(insert.bind((one.day, one.source, one.minute, one.place, *counts)))
        flight.land()

    def coverage_day(self, one: Covered) -> None:
        """Writes a source's day, in place of what was written for it before."""
        columns = {name: getattr(one, name) for name in Covered.__slots__}
        self._insert("coverage_days_v1", {"month": str(one.day)[:7], **columns})

    # -- runs and publications ----------------------------------------------------------------------------------------

    def run(self, day: date, run_id: str, **columns: Any) -> None:
        """Writes columns of a run's row; mappings are stored as JSON."""
        self._insert("runs_v1", {"day": day, "run_id": run_id, **columns})

    def run_of_attempt(self, attempt: str, day: date, run_id: str) -> None:
        """Stores which attempt a run belongs to."""
        self._run("INSERT INTO runs_by_attempt_v1 (attempt, day, run_id) VALUES (?, ?, ?)", attempt, day, run_id)

    def day_totals(self, day: date, run_id: str, totals: Mapping[tuple[str, str, str, str, str], int]) -> None:
        """Writes a run's totals by (category, brand, source, kind, lang)."""
        insert = self._prepare(
            "INSERT INTO day_totals_v1 (month, day, run_id, category, brand, source, kind, lang, n) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        flight = _Flight(self._session)
        items = sorted(totals.items())
        for at in range(0, len(items), BATCH_ROWS):
            batch = BatchStatement(batch_type=BatchType.UNLOGGED)
            for key, n in items[at : at + BATCH_ROWS]:
                batch.add(insert, (str(day)[:7], day, run_id, *key, n))
            flight.send(batch)
        flight.land()

    def rejections(self, run_id: str, reasons: Mapping[str, tuple[int, Sequence[str]]]) -> None:
        """Writes a run's rejected records: by reason how many, and some of their places."""
        for reason, (n, samples) in sorted(reasons.items()):
            self._run(
                "INSERT INTO rejections_v1 (run_id, reason, n, samples) VALUES (?, ?, ?, ?)",
                run_id,
                reason,
                n,
                list(samples),
            )

    def reconciliation(self, found: Reconciliation, parts: Iterable[Attributed]) -> None:
        """Writes what came of comparing a run, in place of what was written for it before; the summary comes last."""
        name = found.day, found.run_id
        self._run("DELETE FROM reconciled_days_v1 WHERE day = ? AND run_id = ?", *name)
        self._run("DELETE FROM reconciliations_v1 WHERE day = ? AND run_id = ?", *name)
        self._send(
            "INSERT INTO reconciliations_v1 (day, run_id, hour, minute, category, brand, source, kind, lang, cause, "
            "batch_n, speed_n, only_batch, only_speed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    *(*name, *part.cell, str(part.cause), part.batch_n, part.speed_n),
                    *(pack(part.only_batch), pack(part.only_speed)),
                )
                for part in parts
            ),
        )
        self._insert("reconciled_days_v1", {column: getattr(found, column) for column in Reconciliation.__slots__})

    def drop_run(self, day: date, run_id: str, categories: Iterable[str]) -> None:
        """Deletes a run's cells (of these categories, '*' being one), totals and what was noted of it.

        The run's own row stays, as 'dropped', written last: a call that ended early is repeated.
        """
        delete = self._prepare("DELETE FROM batch_cells_v2 WHERE run_id = ? AND hour = ? AND category = ?")
        flight = _Flight(self._session)
        for category in categories:
            for hour in hours_of(day):
                flight.send(delete.bind((run_id, hour, category)))
        flight.land()
        self._run("DELETE FROM rejections_v1 WHERE run_id = ?", run_id)
        self._run("DELETE FROM reconciled_days_v1 WHERE day = ? AND run_id = ?", day, run_id)
        self._run("DELETE FROM reconciliations_v1 WHERE day = ? AND run_id = ?", day, run_id)
        self.drop_difference(day, run_id)
        self._run("DELETE FROM day_totals_v1 WHERE month = ? AND day = ? AND run_id = ?", str(day)[:7], day, run_id)
        self.run(day, run_id, status="dropped")

    def publish(self, publication: Publication) -> bool:
        """Appends to the log of publications; False where another publication took this seq first.

        A conditional write whose answer was lost (cassandra's OperationTimedOut, WriteTimeout) may have happened: the
        caller reads the log again before it decides.
        """
        append = self._prepare(
            "INSERT INTO publications_v1 (month, day, seq, run_id, at, who, why) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS"
        )
        one = publication
        entry = (str(one.day)[:7], one.day, one.seq, one.run_id, one.at, one.who, one.why)
        with reachable(OperationTimedOut, WriteTimeout):
            return bool(self._session.execute(append, entry).one().applied)

    # -- how ----------------------------------------------------------------------------------------------------------

    def _insert(self, table: str, columns: Mapping[str, Any]) -> None:
        values = [json.dumps(v, sort_keys=True) if isinstance(v, Mapping) else v for v in columns.values()]
        # the names are those of our own tables and columns; every value is bound
        query = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        self._run(query, *values)

    def _send(self, query: str, rows: Iterable[tuple[Any, ...]]) -> None:
        flight, insert = _Flight(self._session), self._prepare(query)
        for row in rows:
            flight.send(insert.bind(row))
        flight.land()

    def _run(self, query: str, *values: Any) -> None:
        with reachable():
            self._session.execute(self._prepare(query), values)

    def _prepare(self, query: str) -> Any:
        if query not in self._prepared:
            with reachable():
                statement = self._session.prepare(query)
            statement.is_idempotent = "IF NOT EXISTS" not in query
            self._prepared[query] = statement
        return self._prepared[query]


def bunches(rows: Iterable[CellRow]) -> Iterator[list[CellRow]]:
    """Rows in bunches of one partition, at most BATCH_ROWS rows and BATCH_BYTES; a larger row goes alone.

    Rows must come grouped by (hour, category).
    """
    for _, partition in groupby(rows, key=lambda row: (row.hour, row.category)):
        bunch: list[CellRow] = []
        size = 0
        for row in partition:
            row_size = _ROW_BYTES + len(row.ids)
            if bunch and (len(bunch) >= BATCH_ROWS or size + row_size > BATCH_BYTES):
                yield bunch
                bunch, size = [], 0
            bunch.append(row)
            size += row_size
        yield bunch


def now_us() -> int:
    """The wall clock in microseconds since 1970, as Cassandra's write timestamps count."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)


class _Flight:
    """Statements under way: at most `_IN_FLIGHT`, the first failure is raised."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._room = BoundedSemaphore(_IN_FLIGHT)
        self._failures: list[BaseException] = []

    def send(self, statement: Any) -> None:
        self._room.acquire()
        self._raise()
        future = self._session.execute_async(statement)
        future.add_callbacks(lambda _: self._room.release(), self._failed)

    def land(self) -> None:
        for _ in range(_IN_FLIGHT):
            self._room.acquire()
        self._raise()

    def _failed(self, error: BaseException) -> None:
        self._failures.append(error)
        self._room.release()

    def _raise(self) -> None:
        if self._failures:
            raise UnavailableError(f"Cassandra did not take a write: {self._failures[0]}") from self._failures[0]
