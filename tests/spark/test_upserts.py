"""The sink on Spark: what it does in its workers, and what is read of it when they cannot write."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from drinkstream.cells import MINUTE_MS, pack
from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from streaming.sink import Written, write_beside
from streaming.upserts import Begun, kept
from tests.lib.servers import free_ports

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

BEGUN = Begun("e", 7, datetime(2017, 9, 14, 10, tzinfo=UTC), frozenset(["2017-09-14T09"]))
MINUTE = 1_505_376_000_000  # 2017-09-14T08:00:00Z
HOUR = 3_600_000
SAME = ("original", "en", 0)
CELLS = (
    "slot long, minute long, source string, category string, brand string, kind string, lang string, shard short, "
    "packed binary, texts array<string>"
)


@pytest.fixture
def frame(spark: "SparkSession") -> "DataFrame":
    """Cells of two hours in two tasks, each task with a part of each hour."""
    rows = [
        (0, MINUTE + hour * HOUR + (n + 7) * MINUTE_MS, "x", "tea", f"b{n}", *SAME, bytearray(pack([str(n + 1)])), [])
        for hour in (0, 1)
        for n in range(50)
    ]
    return spark.createDataFrame(rows, CELLS).repartition(2)


def test_the_tasks_write_beside_one_another_and_the_driver_is_told_what(frame: "DataFrame", tmp_path: Path):
    written = write_beside(frame, BEGUN, partial(noted, tmp_path))
    assert written == Written(100, {"2017-09-14T08": 7, "2017-09-14T09": 7})
    notes = [note.read_text().splitlines() for note in tmp_path.iterdir()]
    assert len(notes) == 2
    # only the hour that the epoch had not touched, in each task before its rows
    assert all(note[0] == "hours 2017-09-14T08" and note.count("hours 2017-09-14T08") == 1 for note in notes)
    cells = [line for note in notes for line in note[1:]]
    assert sorted(cells) == sorted(f"cell 2017-09-14T0{hour} b{n}" for hour in (8, 9) for n in range(50))
    # one Cassandra partition after the other
    assert all([line[:20] for line in note[1:]] == sorted(line[:20] for line in note[1:]) for note in notes)


def test_where_cassandra_is_away_its_reason_is_all_that_is_raised(frame: "DataFrame", tmp_path: Path):
    away = Settings(home=tmp_path, cassandra_port=free_ports(1)[0])
    with pytest.raises(UnavailableError) as raised:
        write_beside(frame, BEGUN, partial(kept, away, ("writer", "secret")))
    said = str(raised.value)
    assert said.startswith(f"Cassandra does not answer on 127.0.0.1 port {away.cassandra_port}")
    assert said.endswith("`make status` shows whether it runs")
    assert "secret" not in said


@contextmanager
def noted(folder: Path) -> Iterator[Any]:
    """A writer that notes in a file of its own what it is to write."""
    from uuid import uuid4

    lines: list[str] = []
    yield SimpleNamespace(
        speed_hours=lambda _, hours, __: lines.extend(f"hours {hour}" for hour in hours),
        speed_cells=lambda _, rows, __: lines.extend(f"cell {row.hour} {row.brand}" for row in rows),
    )
    (folder / uuid4().hex).write_text("\n".join(lines))
