"""Reading the store: one partition for each question, absolute numbers, slots united."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from drinkstream import packed
from drinkstream.cells import size, union, unpack
from drinkstream.coverage import Covered, Minute
from drinkstream.merge import Publication
from drinkstream.reconcile import Attributed, Cause, Reconciliation
from drinkstream.share import Total
from drinkstream.store.differences import DifferenceReader
from drinkstream.store.reachable import reachable
from drinkstream.store.rows import (
    Batch,
    CellCount,
    CellIds,
    CellKey,
    EpochRow,
    Rejection,
    Run,
    first_minutes,
    rejection,
)

__all__ = ["Batch", "CellCount", "CellIds", "EpochRow", "Reader", "Rejection", "Run", "rejection"]

_CONCURRENCY = 64
_FEW_MINUTES = 12
_PARTS = 16
_SPEED_MINUTE = (
    "SELECT hour, category, minute, brand, source, kind, lang, shard, ids "
    "FROM speed_cells_v1 WHERE epoch = ? AND hour = ? AND category = ? AND minute = ?"
)

_WHOLE: Mapping[str, int] = MappingProxyType({})

Blobs = dict[CellKey, dict[int, list[bytes]]]
"""Blobs of ids by cell and shard."""


class Reader(DifferenceReader):
    """All questions that a program asks the store. Safe to share between threads, never across a fork."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._prepared: dict[str, Any] = {}

    # -- the state ---------------------------------------------------------------------------------------------------

    def publications(self, months: Iterable[str], serial: bool = False) -> list[Publication]:
        """The log of publications of these months ('YYYY-MM'), in the order of day and seq.

        `serial` reads through the conditional writes under way, so that one that timed out is seen if it happened.
        """
        query = "SELECT day, seq, run_id, at, who, why FROM publications_v1 WHERE month = ?"
        return [
            Publication(row.day.date(), row.seq, row.run_id, _utc(row.at), row.who or "", row.why or "")
            for month in months
            for row in (self._serial(query, month) if serial else self._rows(query, month))
        ]

    def published_months(self) -> list[str]:
        """Every month that has a publication, in order."""
        return sorted(row.month for row in self._rows("SELECT DISTINCT month FROM publications_v1"))

    def publication_counts(self) -> dict[str, int]:
        """How many publications each month has. They are only ever appended, so the same number is the same log."""
        months = self.published_months()
        counted = self._many("SELECT COUNT(*) FROM publications_v1 WHERE month = ?", [(month,) for month in months])
        return {month: row.count for month, row in zip(months, counted, strict=True)}

    def epochs(self, stream: str = "posts") -> list[EpochRow]:
        """Every life of the speed query, the newest first."""
        query = "SELECT * FROM epochs_v1 WHERE stream = ?"
        return [
            EpochRow(
                row.epoch,
                row.status,
                row.meaning,
                row.cluster,
                _utc(row.started_at),
                _json(row.first_offsets),
                _json(row.catch_up),
                _json(row.processed),
                row.watermark_s,
                frozenset(day.date() for day in row.blind_days or ()),
                row.why or "",
                _utc(row.retired_at) if row.retired_at else None,
            )
            for row in self._rows(query, stream)
        ]

    def current_epoch(self, stream: str = "posts") -> EpochRow | None:
        """The epoch that answers for days that are not published, if there is one."""
        return next((epoch for epoch in self.epochs(stream) if epoch.status == "current"), None)

    def runs(self, day: date) -> list[Run]:
        """Every attempt at a day, the newest first."""
        return [_run(row) for row in self._rows("SELECT * FROM runs_v1 WHERE day = ?", day)]

    def run(self, day: date, run_id: str) -> Run | None:
        """One attempt at a day."""
        rows = self._rows("SELECT * FROM runs_v1 WHERE day = ? AND run_id = ?", day, run_id)
        return next((_run(row) for row in rows), None)

    def runs_of_attempt(self, attempt: str) -> list[Run]:
        """The runs that one attempt wrote, by day."""
        query = "SELECT day, run_id FROM runs_by_attempt_v1 WHERE attempt = ?"
        found = [self.run(row.day.date(), row.run_id) for row in self._rows(query, attempt)]
        return [run for run in found if run is not None]

    def batches(self, epoch: str, day: date, after: int = -1) -> list[Batch]:
        """The micro-batches that an epoch ran on a UTC day, with an id above `after`, in order."""
        query = (
            "SELECT batch_id, started_at, ended_at, append_to, rows_in, hits, hours, offsets "
            "FROM speed_batches_v1 WHERE epoch = ? AND day = ? AND batch_id > ?"
        )
        return [
            Batch(
                row.batch_id,
                _utc(row.started_at),
                _utc(row.ended_at) if row.ended_at else None,
                _utc(row.append_to) if row.append_to else None,
                row.rows_in or 0,
                row.hits,
                first_minutes(row.hours or ()),
                _json(row.offsets),
            )
            for row in self._rows(query, epoch, day, after)
            # each column ends its life by itself: what was written last outlives the rest of its row
            if row.started_at is not None
        ]

    def last_batch(self, epoch: str, day: date) -> int | None:
        """The id of the last micro-batch that an epoch started on a UTC day."""
        query = "SELECT batch_id FROM speed_batches_v1 WHERE epoch = ? AND day = ? ORDER BY batch_id DESC LIMIT 1"
        return next((row.batch_id for row in self._rows(query, epoch, day)), None)

    def last_written_us(self, epoch: str, days: Iterable[date]) -> int:
        """The newest timestamp that an epoch's micro-batches of these UTC days gave their rows, µs; 0 without any."""
        query = "SELECT written_us FROM speed_batches_v1 WHERE epoch = ? AND day = ? ORDER BY batch_id DESC LIMIT 1"
        return max((row.written_us or 0 for row in self._many(query, [(epoch, day) for day in days])), default=0)

    def rejected_places(self, run_id: str) -> frozenset[tuple[int, int]]:
        """Places (partition, offset) of records that a run rejected: the first few for each reason."""
        return frozenset(place for found in self.rejections(run_id) for place in found.places)

    def rejections(self, run_id: str) -> list[Rejection]:
        """The records that a run rejected, by reason."""
        return [
            rejection(row.reason, row.n, tuple(_place(sample) for sample in row.samples or ()))
            for row in self._rows("SELECT reason, n, samples FROM rejections_v1 WHERE run_id = ?", run_id)
        ]

    def reconciliations(self, day: date) -> list[Reconciliation]:
        """What came of comparing each run of a day that was compared, the newest run first."""
        return [
            Reconciliation(
                row.day.date(),
                row.run_id,
                _utc(row.at),
                row.epoch,
                row.batch_meaning,
                row.speed_meaning,
                row.answered,
                row.cells,
                row.only_batch,
                row.only_speed,
                _json(row.causes),
            )
            for row in self._rows("SELECT * FROM reconciled_days_v1 WHERE day = ?", day)
        ]

    def reconciled_cells(self, day: date, run_id: str) -> Iterator[Attributed]:
        """The cells of a run that differed from the speed layer's, by cause, in the order of category, hour, minute."""
        for row in self._rows("SELECT * FROM reconciliations_v1 WHERE day = ? AND run_id = ?", day, run_id):
            yield Attributed(
                (row.hour, row.minute, row.category, row.brand, row.source, row.kind, row.lang),
                Cause(row.cause),
                row.batch_n,
                row.speed_n,
                unpack(row.only_batch),
                unpack(row.only_speed),
            )

    def coverage_minutes(self, day: date) -> list[Minute]:
        """What the feeds said of each minute of a day, by source and minute."""
        query = (
            "SELECT source, minute, place, connected_ms, received, limits, undelivered, gaps "
            "FROM coverage_minutes_v1 WHERE day = ?"
        )
        return [Minute(row.source, _utc(row.minute), *row[2:]) for row in self._rows(query, day)]

    def coverage_days(self, months: Iterable[str]) -> list[Covered]:
        """The same by day of these months ('YYYY-MM') and source, summed, in their order."""
        query = (
            "SELECT day, source, connected_ms, received, limits, undelivered, gaps, until "
            "FROM coverage_days_v1 WHERE month = ?"
        )
        rows = (row for month in months for row in self._rows(query, month))
        return [
            Covered(
                row.day.date(),
                row.source,
                row.connected_ms,
                row.received,
                row.limits,
                row.undelivered,
                row.gaps,
                _utc(row.until),
            )
            for row in rows
        ]

    # -- the numbers -------------------------------------------------------------------------------------------------

    def day_totals(self, day: date, run_id: str) -> list[Total]:
        """A run's totals of a day, by level, source, kind and language; their period is the day."""
        query = (
            "SELECT category, brand, source, kind, lang, n "
            "FROM day_totals_v1 WHERE month = ? AND day = ? AND run_id = ?"
        )
        return [
            Total(row.category, row.brand, row.source, row.kind, row.lang, row.n)
            for row in self._rows(query, str(day)[:7], day, run_id)
        ]

    def batch_counts(self, run_id: str, hours: Sequence[str], categories: Sequence[str]) -> list[CellCount]:
        """The counts of a run's cells in these hours; `categories` as in the levels ('*' is one)."""
        query = "SELECT hour, category, cells FROM batch_cells_v2 WHERE run_id = ? AND hour = ? AND category = ?"
        summed: dict[CellKey, int] = defaultdict(int)
        for row in self._many(query, [(run_id, hour, category) for hour in hours for category in categories]):
            for minute, brand, source, kind, lang, _, n in packed.counts(row.cells):
                summed[row.hour, minute, row.category, brand, source, kind, lang] += n
        return [CellCount(*cell, n) for cell, n in summed.items()]

    def batch_ids(self, run_id: str, hours: Sequence[str], category: str, brand: str | None) -> Iterator[CellIds]:
        """The ids of a run's cells of one level in these hours (`brand` None: of all brands)."""
        places = [(run_id, hour, category) for hour in hours]
        yield from self._packed(places, lambda _, of_cell: brand in (None, of_cell))

    def speed_hours(self, epoch: str) -> frozenset[str]:
        """Every hour that an epoch has cells for."""
        return frozenset(self.touched(epoch))

    def touched(self, epoch: str) -> dict[str, datetime]:
        """When an epoch first wrote into each hour that it has cells for."""
        query = "SELECT hour, touched FROM speed_hours_v1 WHERE epoch = ?"
        return {row.hour: _utc(row.touched) for row in self._rows(query, epoch)}

    def speed_counts(
        self, epoch: str, hours: Sequence[str], categories: Sequence[str], since: Mapping[str, int] = _WHOLE
    ) -> list[CellCount]:
        """The counts of an epoch's cells in these hours: the size of the union of each cell's slots.

        Of an hour that `since` has, the minutes (0..59) from that one on.
        """
        query = (
            "SELECT hour, category, minute, brand, source, kind, lang, shard, slot, n "
            "FROM speed_cells_v1 WHERE epoch = ? AND hour = ? AND category = ? AND minute > ?"
        )
        counts: dict[CellKey, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        places = [(epoch, hour, category, since.get(hour, 0) - 1) for hour in hours for category in categories]
        for row in self._many(query, places):
            counts[_cell(row)][row.shard].append(row.n)
        # ids are needed only where a cell has more than one slot: there n alone cannot tell what the slots share
        torn: dict[tuple[str, str], set[int]] = defaultdict(set)
        for cell, shards in counts.items():
            if any(len(ns) > 1 for ns in shards.values()):
                torn[cell[0], cell[2]].add(cell[1])
        united = {
            ids[:7]: sum(size(blob) for blob in ids.blobs)
            for (hour, category), minutes in torn.items()
            for ids in self._torn(epoch, hour, category, minutes)
        }
        return [
            CellCount(*cell, united.get(cell, sum(ns[0] for ns in shards.values()))) for cell, shards in counts.items()
        ]

    def speed_ids(self, epoch: str, hours: Sequence[str], category: str, brand: str | None) -> Iterator[CellIds]:
        """The ids of an epoch's cells of one level in these hours (`brand` None: of all brands), slots united."""
        query = (
            "SELECT hour, category, minute, brand, source, kind, lang, shard, ids "
            "FROM speed_cells_v1 WHERE epoch = ? AND hour = ? AND category = ?"
        )
        yield from self._ids(query, [(epoch, hour, category) for hour in hours], brand)

    def batch_minute(self, run_id: str, hour: str, minute: int, categories: Iterable[str]) -> Iterator[CellIds]:
        """All of a run's cells of one minute; `categories` as in the levels ('*' is one)."""
        places = [(run_id, hour, category) for category in categories]
        yield from self._packed(places, lambda of_cell, _: minute == of_cell)

    def speed_minute(self, epoch: str, hour: str, minute: int, categories: Iterable[str]) -> Iterator[CellIds]:
        """All of an epoch's cells of one minute, slots united; `categories` as in the levels ('*' is one)."""
        yield from self._ids(_SPEED_MINUTE, [(epoch, hour, category, minute) for category in categories], None)

    def _torn(self, epoch: str, hour: str, category: str, minutes: set[int]) -> Iterator[CellIds]:
        if len(minutes) > _FEW_MINUTES:
            return self.speed_ids(epoch, [hour], category, None)
        # a live hour is read every second, and has a cell in two slots only where its slots meet
        return self._ids(_SPEED_MINUTE, [(epoch, hour, category, minute) for minute in sorted(minutes)], None)

    # -- how -----------------------------------------------------------------------------------------------------------

    def _ids(self, query: str, keys: Sequence[tuple[Any, ...]], brand: str | None) -> Iterator[CellIds]:
        blobs: Blobs = defaultdict(lambda: defaultdict(list))
        for row in self._many(query, keys):
            if brand is None or row.brand == brand:
                blobs[_cell(row)][row.shard].append(row.ids)
        yield from _united(blobs)

    def _packed(self, places: Sequence[tuple[str, str, str]], wanted: Callable[[int, str], bool]) -> Iterator[CellIds]:
        # the cells of a run at (run, hour, category) whose minute and brand are wanted
        query = "SELECT hour, category, cells, ids FROM batch_cells_v2 WHERE run_id = ? AND hour = ? AND category = ?"
        blobs: Blobs = defaultdict(lambda: defaultdict(list))
        for row in self._many(query, places, _PARTS):
            for (minute, brand, source, kind, lang, shard, _), ids in packed.unpack(packed.Part(row.cells, row.ids)):
                if wanted(minute, brand):
                    blobs[row.hour, minute, row.category, brand, source, kind, lang][shard].append(ids)
        yield from _united(blobs)

    def _rows(self, query: str, *values: Any) -> Iterator[Any]:
        with reachable():
            yield from self._session.execute(self._prepare(query), values)

    def _serial(self, query: str, *values: Any) -> Iterator[Any]:
        bound = self._prepare(query).bind(values)
        bound.consistency_level = ConsistencyLevel.SERIAL
        with reachable():
            yield from self._session.execute(bound)

    def _many(self, query: str, keys: Sequence[tuple[Any, ...]], page: int | None = None) -> Iterator[Any]:
        # `page`: rows that are read at once, where the driver's default of 5000 would be too many bytes
        if not keys:
            return
        statement = self._prepare(query)
        if page is not None:
            statement.fetch_size = page
        with reachable():
            results = execute_concurrent_with_args(self._session, statement, keys, concurrency=_CONCURRENCY)
            for _, rows in results:
                yield from rows

    def _prepare(self, query: str) -> Any:
        if query not in self._prepared:
            with reachable():
                self._prepared[query] = self._session.prepare(query)
        return self._prepared[query]


def _united(blobs: Blobs) -> Iterator[CellIds]:
    for cell, shards in sorted(blobs.items()):
        yield CellIds(*cell, tuple(union(shards[shard]) for shard in sorted(shards)))


def _cell(row: Any) -> CellKey:
    return (row.hour, row.minute, row.category, row.brand, row.source, row.kind, row.lang)


def _run(row: Any) -> Run:
    return Run(
        row.day.date(),
        row.run_id,
        row.attempt,
        row.asked_by,
        row.meaning,
        row.status,
        _utc(row.started_at),
        _utc(row.completed_at) if row.completed_at else None,
        row.archive_version,
        _json(row.position),
        _json(row.fingerprint),
        _json(row.totals),
        _json(row.rejected),
        _json(row.audit),
    )


def _json(text: str | None) -> Any:
    return json.loads(text) if text else {}


def _utc(instant: datetime) -> datetime:
    # the driver hands out naive datetimes that are UTC
    return instant.replace(tzinfo=UTC)


def _place(sample: str) -> tuple[int, int]:
    partition, offset = sample.split(":")
    return int(partition), int(offset)
