"""An archive written without a JVM: the table that the archive query writes, by columns that are spelled out here."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from drinkstream.archive import Archive

SCHEMA = pa.schema(
    [
        ("day", pa.string()),
        ("cluster", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("append_ts", pa.timestamp("us", "UTC")),
        ("key", pa.string()),
        ("source", pa.string()),
        ("shape", pa.string()),
        ("event_ms", pa.int64()),
        ("value", pa.binary()),
    ]
)
NOON_MS = 1505390400000  # 2017-09-14T12:00:00Z


def row(offset: int, **changed: object) -> dict[str, object]:
    """A row of the table as the archive query writes it."""
    return {
        "day": "2017-09-14",
        "cluster": "c1",
        "topic": "posts",
        "partition": 0,
        "offset": offset,
        "append_ts": datetime(2017, 9, 14, 12, 0, 0, 250_000, UTC),
        "key": f"x:{offset}",
        "source": "x",
        "shape": "post.x.v2",
        "event_ms": NOON_MS,
        "value": b"{}",
        **changed,
    }


def archive(folder: Path, *commits: Iterable[dict[str, object]]) -> Archive:
    """A table in `folder` with one version for each of `commits`."""
    for rows in commits:
        table = pa.Table.from_pylist(list(rows), SCHEMA)
        write_deltalake(str(folder), table, mode="append", partition_by=["day"])
    return Archive(str(folder))
