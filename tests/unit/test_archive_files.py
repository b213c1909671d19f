"""The archive's files in parts: each record of a topic and day is in exactly one, whoever wrote the file."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from drinkstream import archive_files
from drinkstream.archive import Archive
from drinkstream.archive_files import RECORDS, Part, parts, read
from drinkstream.errors import UnavailableError
from tests.lib.archived import SCHEMA, archive, row

DAYS = ["2017-09-14", "none"]


def found(table: Archive, days: list[str], columns: list[str] = RECORDS.names) -> list[dict[str, object]]:
    rows = [
        one
        for task in parts(table, days)
        for batch in read(table.uri, "posts", task, columns)
        for one in batch.to_pylist()
    ]
    return sorted(rows, key=lambda one: one.get("offset", 0))


def test_each_record_of_the_days_and_the_topic_is_read_once_as_it_lies_there(tmp_path: Path):
    table = archive(
        tmp_path,
        [row(0), row(1, key=None, day="none", value=b"\xff"), row(2, topic="feed.status")],
        [row(3, day="2017-09-15"), row(4, partition=7, append_ts=datetime(2017, 9, 14, 12, 0, 0, 999_999, UTC))],
    )
    assert found(table, DAYS) == [
        {
            "key": "x:0",
            "value": b"{}",
            "stored": DAYS[0],
            "append_ms": 1505390400250,
            "partition": 0,
            "offset": 0,
            "cluster": "c1",
        },
        {
            "key": None,
            "value": b"\xff",
            "stored": "none",
            "append_ms": 1505390400250,
            "partition": 0,
            "offset": 1,
            "cluster": "c1",
        },
        {
            "key": "x:4",
            "value": b"{}",
            "stored": DAYS[0],
            "append_ms": 1505390400999,
            "partition": 7,
            "offset": 4,
            "cluster": "c1",
        },
    ]
    assert found(table, ["2017-09-15"], ["offset", "stored"]) == [{"offset": 3, "stored": "2017-09-15"}]
    assert found(table, ["2017-09-16"]) == []
    assert found(table.at_version(0), DAYS, ["offset"]) == [{"offset": 0}, {"offset": 1}]


@pytest.mark.parametrize("part_bytes", [500, 10_000, 10**9])
def test_a_large_file_is_shared_by_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int):
    monkeypatch.setattr(archive_files, "PART_BYTES", part_bytes)
    rows = [row(n, value=bytes([n % 256]) * 97) for n in range(500)]
    table = archive(tmp_path, rows)
    (file,) = tmp_path.glob("day=*/*.parquet")
    # as if Spark had written it: many row groups, times of 96 bits
    columns = pa.Table.from_pylist(rows, SCHEMA).drop_columns(["day"])
    pq.write_table(columns, file, row_group_size=37, use_deprecated_int96_timestamps=True)
    grown = _sized(table, file)
    tasks = parts(grown, DAYS)
    sizes = [part.until - part.first for task in tasks for part in task]
    assert sum(sizes) == file.stat().st_size
    assert len(tasks) == 1 if part_bytes == 10**9 else len(tasks) == len(sizes) > 1
    assert part_bytes == 10**9 or all(part_bytes * 2 / 3 <= size <= part_bytes * 3 / 2 for size in sizes)
    assert [(one["offset"], one["append_ms"], one["value"]) for one in found(grown, DAYS)] == [
        (n, 1505390400250, bytes([n % 256]) * 97) for n in range(500)
    ]


def test_files_are_cut_into_equal_parts_without_a_short_rest(monkeypatch: pytest.MonkeyPatch):
    class Files:
        def stored_files(self) -> list[dict[str, object]]:
            sizes = (149, 151, 249, 1000)
            return [{"path": f"{n}", "size_bytes": size, "partition.day": DAYS[0]} for n, size in enumerate(sizes)]

    monkeypatch.setattr(archive_files, "PART_BYTES", 100)
    cut = [(part.path, part.first, part.until) for task in parts(Files(), DAYS) for part in task]
    assert cut == [
        ("0", 0, 149),
        ("1", 0, 75),
        ("1", 75, 151),
        ("2", 0, 124),
        ("2", 124, 249),
        *(("3", 100 * n, 100 * (n + 1)) for n in range(10)),
    ]


def _sized(table: Archive, file: Path) -> Archive:
    """The archive, its log made to say how large the file is now."""
    (log,) = Path(table.uri, "_delta_log").glob("*0.json")
    actions = [json.loads(line) for line in log.read_text().splitlines()]
    for action in actions:
        if "add" in action:
            action["add"]["size"] = file.stat().st_size
    log.write_text("\n".join(map(json.dumps, actions)))
    return Archive(table.uri)


def test_files_that_an_erasure_wrote_are_read_like_others(tmp_path: Path):
    table = archive(tmp_path, [row(0), row(1, value=b"secret"), row(2, topic="feed.status"), row(3, key=None)])
    before = found(table, DAYS)
    DeltaTable(table.uri).update(updates={"value": "X'7b7d'"}, predicate="key = 'x:1'")
    types = {f.type for file in tmp_path.glob("day=*/*.parquet") for f in pq.read_schema(file)}
    assert pa.string_view() in types
    assert found(Archive(table.uri), DAYS) == [{**one, "value": b"{}"} for one in before]


def test_records_are_found_by_their_keys_of_each_day(tmp_path: Path):
    other = {**row(4), "day": "2017-09-15"}
    table = archive(tmp_path, [row(0), row(1), row(2, key=None), row(3, topic="feed.status"), other])
    DeltaTable(table.uri).update(updates={"value": "X'7b7d'"}, predicate="key = 'x:1'")
    keys = {"2017-09-14": pa.array(["x:1", "x:3", "x:4"]), "2017-09-16": pa.array(["x:4"])}
    tasks = parts(Archive(table.uri), ["2017-09-14", "2017-09-15", "none"])
    sought = [read(table.uri, "posts", task, ["key", "offset", "stored"], keys=keys) for task in tasks]
    rows = [one for batches in sought for batch in batches for one in batch.to_pylist()]
    assert rows == [{"key": "x:1", "offset": 1, "stored": "2017-09-14"}]


def test_small_files_are_gathered_into_few_tasks(tmp_path: Path):
    table = archive(tmp_path, *[[row(n)] for n in range(9)])
    (task,) = parts(table, DAYS)
    assert len(task) == 9
    assert [one["offset"] for one in found(table, DAYS)] == list(range(9))


def test_lines_of_any_length_make_batches_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archive_files, "BATCH_BYTES", 10_000)
    table = archive(tmp_path, [row(n, value=f"{n}".encode() * 1000) for n in range(50)])
    (task,) = parts(table, DAYS)
    sizes = [len(batch) for batch in read(table.uri, "posts", task, ["value"])]
    assert sum(sizes) == 50
    assert 1 < max(sizes) <= 10


def test_a_file_that_is_gone_is_named(tmp_path: Path):
    table = archive(tmp_path, [row(0)])
    (task,) = parts(table, DAYS)
    (part,) = task
    with pytest.raises(UnavailableError, match=r"day=2017-09-14/gone.parquet of the archive at .* could not be read"):
        list(read(table.uri, "posts", [Part(part.day, "day=2017-09-14/gone.parquet", 0, 9)], ["key"]))
