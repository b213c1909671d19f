"""The cells of runs, written from Spark's workers: sorted rows of posts and levels in, packed rows of the store out.

rows    (minute, category, brand, source, kind, lang, shard, id)    one for each post and level (jobs/readings.py)
cells   ((hour, category), key, blob of ids)                        neighbouring rows with one key, `cells_of`
parts   (hour, category, part, cells, ids)                          many cells in one row, drinkstream/packed.py

An hour's cells of a category lie in one task and in order, so that nothing has to be grouped. A worker holds no more
than a batch of rows, the cells of a part, and the packed ids of the cell that it has not seen the end of.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from drinkstream.cells import HOUR_MS, MINUTE_MS, Integers, hour_of, pack, pack_integers, size, union
from drinkstream.packed import Key, PartRow, Place, part_rows
from drinkstream.settings import Settings
from drinkstream.store.session import connect
from drinkstream.store.write import Writer

ORDER = ("category", "minute", "brand", "source", "kind", "lang", "shard")
"""What the rows of an hour are sorted by, and all that a cell is told by."""

Cell = tuple[Place, Key, bytes]

NAMES = ("category", "brand", "source", "kind", "lang")

Named = tuple[str, str, str, str, str]
"""What posts of a day are summed by, its NAMES."""

TOTAL = pa.struct([*((name, pa.string()) for name in NAMES), ("n", pa.int64())])

WRITTEN = pa.schema(
    [
        ("run_id", pa.string()),
        ("totals", pa.list_(TOTAL)),
        ("cells", pa.int64()),
        ("checksum", pa.int64()),
    ]
)
"""What one task wrote of a run: posts by level, source, kind and language, cells, and a checksum over its rows."""


@dataclass(slots=True)
class Written:
    """What was written of a run: totals by NAMES, how many cells, and a checksum over its rows in the store."""

    totals: dict[Named, int] = field(default_factory=lambda: defaultdict(int))
    cells: int = 0
    checksum: int = 0


def write(rows: DataFrame, runs: Mapping[str, str], settings: Settings) -> dict[str, Written]:
    """Writes the cells of `rows` into the runs of their days, from Spark's workers; returns what was written by run."""
    login = settings.writer_login()

    def write_all(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # the session is opened in the worker, since it must not cross a fork
        cassandra = connect(settings, login)
        try:
            yield write_sorted(Writer(cassandra), batches, runs)
        finally:
            cassandra.cluster.shutdown()

    told = ordered(rows).mapInArrow(write_all, from_arrow_schema(WRITTEN)).collect()
    return summed(row.asDict(recursive=True) for row in told)


def ordered(rows: DataFrame) -> DataFrame:
    """The rows of an hour and category in one partition, those of a cell one behind the other, all in ORDER."""
    hour = (F.col("minute") / HOUR_MS).cast("long")
    return rows.repartition(hour, "category").sortWithinPartitions(hour, *ORDER)


def write_sorted(writer: Writer, batches: Iterable[pa.RecordBatch], runs: Mapping[str, str]) -> pa.RecordBatch:
    """Writes the cells of one task's `ordered` rows; returns what was written as WRITTEN."""
    written: defaultdict[str, Written] = defaultdict(Written)

    def counted() -> Iterator[Cell]:
        for cell in cells_of(batches):
            (hour, category), (_, brand, source, kind, lang, _), ids = cell
            of_run = written[runs[hour[:10]]]
            of_run.totals[category, brand, source, kind, lang] += size(ids)
            of_run.cells += 1
            yield cell

    def checked(run_id: str, rows: Iterable[PartRow]) -> Iterator[PartRow]:
        for row in rows:
            place = repr(row[:3]).encode()
            # added up, so that it does not matter which task writes what
            written[run_id].checksum += zlib.crc32(row.ids, zlib.crc32(row.cells, zlib.crc32(place)))
            yield row

    for day, rows in groupby(part_rows(counted()), key=lambda row: row.hour[:10]):
        writer.batch_cells(runs[day], checked(runs[day], rows))
    told = [
        {
            "run_id": run_id,
            "totals": [dict(zip(TOTAL.names, (*named, n), strict=True)) for named, n in sorted(one.totals.items())],
            "cells": one.cells,
            "checksum": one.checksum,
        }
        for run_id, one in sorted(written.items())
    ]
    return pa.RecordBatch.from_pylist(told, WRITTEN)


def summed(told: Iterable[Mapping[str, Any]]) -> dict[str, Written]:
    """What the tasks wrote, as rows of WRITTEN, by run."""
    written: defaultdict[str, Written] = defaultdict(Written)
    for row in told:
        of_run = written[row["run_id"]]
        for total in row["totals"]:
            category, brand, source, kind, lang, n = (total[name] for name in TOTAL.names)
            of_run.totals[category, brand, source, kind, lang] += n
        of_run.cells += row["cells"]
        of_run.checksum += row["checksum"]
    return dict(written)


def cells_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Cell]:
    """The cells of sorted rows, each once, wherever the rows are cut into batches."""
    return chain.from_iterable(_whole(batches))


def _whole(batches: Iterable[pa.RecordBatch]) -> Iterator[list[Cell]]:
    # the last cell of a batch may go on in the next: it waits, as the blobs of its ids so far
    key: tuple[Place, Key] | None = None
    blobs: list[bytes] = []
    for batch in batches:
        cells = _cells_in(batch)
        if cells and cells[0][:2] == key:
            blobs.append(cells.pop(0)[2])
        if cells:
            if key is not None:
                yield [(*key, union(blobs))]
            place, last, blob = cells.pop()
            key, blobs = (place, last), [blob]
            yield cells
    if key is not None:
        yield [(*key, union(blobs))]


def _cells_in(batch: pa.RecordBatch) -> list[Cell]:
    """The cells of the rows of one batch; the first and the last may have more rows in its neighbours."""
    if batch.num_rows == 0:
        return []
    starts = _starts(batch)
    first = batch.take(pa.array(starts))
    minutes = first.column("minute").to_numpy()
    hours, which = np.unique(minutes // HOUR_MS, return_inverse=True)
    names = [hour_of(hour * HOUR_MS) for hour in hours.tolist()]
    places = zip([names[n] for n in which.tolist()], first.column("category").to_pylist(), strict=True)
    rest = (first.column(name).to_pylist() for name in ORDER[2:])
    keys = zip((minutes // MINUTE_MS % 60).tolist(), *rest, strict=True)
    return list(zip(places, keys, _blobs(batch.column("id"), np.append(starts, batch.num_rows)), strict=True))


def _starts(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """The rows of a batch that begin a cell: the first, and each that differs from the one before it."""
    begins = np.zeros(batch.num_rows, np.bool_)
    begins[0] = True
    for name in ORDER:
        column = batch.column(name)
        differs = pc.not_equal(column.slice(1), column.slice(0, batch.num_rows - 1))
        begins[1:] |= differs.to_numpy(zero_copy_only=False)
    return begins.nonzero()[0]


def _blobs(ids: pa.Array, offsets: npt.NDArray[np.int64]) -> list[bytes]:
    """The blobs of ids[offsets[i]:offsets[i + 1]]."""
    numbers = integers(ids)
    if numbers is not None:
        return pack_integers(numbers, offsets)
    texts = ids.to_pylist()
    return [pack(texts[start:end]) for start, end in pairwise(offsets.tolist())]


def integers(ids: pa.Array) -> Integers | None:
    """Ids as int64, where `cells.integer_of` reads each as one; else None."""
    decimal = pc.match_substring_regex(ids, "^(0|[1-9][0-9]{0,18})$")
    # texts of one length are in the order of their numbers
    fits = pc.or_(pc.less(pc.binary_length(ids), 19), pc.less_equal(ids, str(2**63 - 1)))
    if not pc.all(pc.and_(decimal, fits), min_count=0).as_py():
        return None
    found: Integers = ids.cast(pa.int64()).to_numpy()
    return found
