"""The archive's files, read where they lie (deltalake, pyarrow; no JVM): in parts that many processes may share."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem
from pyarrow.parquet import ColumnChunkMetaData, FileMetaData, ParquetFile

from drinkstream.archive import Archive
from drinkstream.errors import UnavailableError, first_line

PART_BYTES = 32 * 1024 * 1024
"""About how many bytes of files one task reads: the last of a few large tasks would leave the other cores idle."""

BATCH_ROWS = 20_000
BATCH_BYTES = 64 * 1024 * 1024
_BUFFER_BYTES = 1024 * 1024

RECORDS = pa.schema(
    [
        ("key", pa.string()),
        ("value", pa.binary()),
        ("stored", pa.string()),  # the archive's partition that the record lies in
        ("append_ms", pa.int64()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("cluster", pa.string()),
    ]
)
"""Archived records, as they are read here; `append_ms` is Kafka's append time, ms since 1970 UTC."""

_COLUMNS = {"stored": (), "append_ms": ("append_ts",)}


@dataclass(frozen=True, slots=True)
class Part:
    """What of one file that lies under `day` begins from byte `first` to before byte `until`."""

    day: str
    path: str
    first: int
    until: int


def parts(archive: Archive, days: Collection[str]) -> list[tuple[Part, ...]]:
    """All files under `days` in parts of about PART_BYTES, in lists of about as much: those that one task reads."""
    tasks: list[tuple[Part, ...]] = []
    gathered: list[Part] = []
    size = 0
    for file in sorted(archive.stored_files(), key=lambda file: (file["partition.day"], file["path"])):
        if file["partition.day"] not in days:
            continue
        # equal parts: a short rest would make a task that reads no more than where the row groups lie
        cuts = max(1, round(file["size_bytes"] / PART_BYTES))
        bounds = [file["size_bytes"] * cut // cuts for cut in range(cuts + 1)]
        for first, until in pairwise(bounds):
            if gathered and size + until - first > PART_BYTES:
                tasks.append(tuple(gathered))
                gathered, size = [], 0
            gathered.append(Part(file["partition.day"], file["path"], first, until))
            size += until - first
    return [*tasks, tuple(gathered)] if gathered else tasks


def read(
    uri: str,
    topic: str,
    parts: Iterable[Part],
    columns: Collection[str],
    rows: int = BATCH_ROWS,
    keys: Mapping[str, pa.Array] | None = None,
) -> Iterator[pa.RecordBatch]:
    """The records of `topic` in these parts, in batches of `rows` at most (some BATCH_BYTES), each of one day.

    `columns` are some of RECORDS. `keys`, for which `key` is among the columns: of each day only the records with these
    keys; each batch first hashes them. Raises UnavailableError where a file cannot be read.
    """
    files = PyFileSystem(DeltaStorageHandler(uri))
    schema = pa.schema([RECORDS.field(name) for name in columns])
    stored = {source for name in columns for source in _COLUMNS.get(name, (name,))} | {"topic"}
    for part in parts:
        if keys is not None and part.day not in keys:
            continue
        try:
            yield from _read(files, topic, part, sorted(stored), schema, rows, None if keys is None else keys[part.day])
        except (OSError, DeltaError, pa.ArrowException) as error:
            said = first_line(error)
            raise UnavailableError(f"{part.path} of the archive at {uri} could not be read: {said}") from error


def _read(
    files: PyFileSystem,
    topic: str,
    part: Part,
    stored: list[str],
    schema: pa.Schema,
    at_once: int,
    keys: pa.Array | None,
) -> Iterator[pa.RecordBatch]:
    with files.open_input_file(part.path) as opened:
        # read as a stream, so that no more than a page of each column is held
        file = ParquetFile(
            opened,
            read_dictionary=["cluster", "topic"],
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            coerce_int96_timestamp_unit="us",
        )
        for group in range(file.metadata.num_row_groups):
            if not part.first <= _begin(file.metadata, group) < part.until:
                continue
            about = file.metadata.row_group(group)
            columns = [about.column(number) for number in range(about.num_columns)]
            size = sum(one.total_uncompressed_size for one in columns if one.path_in_schema in stored)
            most = max(1, min(at_once, BATCH_BYTES * about.num_rows // max(1, size)))
            for batch in file.iter_batches(most, [group], stored, use_threads=False):
                mine = pc.equal(batch.column("topic").cast(pa.string()), topic)
                if keys is not None:
                    mine = pc.and_(mine, pc.is_in(batch.column("key").cast(pa.string()), keys))
                found = _as(batch, schema, part.day)
                # nearly always it is all of them: to filter copies their lines
                rows = found if pc.all(mine, skip_nulls=False, min_count=0).as_py() else found.filter(mine)
                if len(rows):
                    yield rows


def _begin(about: FileMetaData, group: int) -> int:
    """The first byte of a row group."""
    column: ColumnChunkMetaData = about.row_group(group).column(0)
    return int(column.dictionary_page_offset or column.data_page_offset)


def _as(batch: pa.RecordBatch, schema: pa.Schema, day: str) -> pa.RecordBatch:
    # who writes files anew, as an erasure does, may give texts another type, of which Arrow can do less
    columns = []
    for field in schema:
        if field.name == "stored":
            columns.append(pa.repeat(day, len(batch)))
        elif field.name == "append_ms":
            # down to the millisecond, as Kafka gave it
            us = batch.column("append_ts").cast(pa.timestamp("us", "UTC")).cast(pa.int64())
            columns.append(pc.divide(us, 1000))
        else:
            columns.append(batch.column(field.name).cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
