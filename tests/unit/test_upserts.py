"""What a task of Spark writes of a micro-batch, in which order, and the connection that its process keeps."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from drinkstream.cells import MINUTE_MS, pack
from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.rows import first_minutes, stored_hours
from drinkstream.store.write import Writer
from stack.cassandra import SCHEMA, statements
from streaming import upserts
from streaming.upserts import Begun, kept, upsert
from tests.lib.cassandra_in_memory import Store

AT = datetime(2017, 9, 14, 10, tzinfo=UTC)
MINUTE = 1_505_376_000_000  # 2017-09-14T08:00:00Z
HOUR = 3_600_000
CELLS = pa.schema(
    [
        ("slot", pa.int64()),
        ("minute", pa.int64()),
        *[(name, pa.string()) for name in ("source", "category", "brand", "kind", "lang")],
        ("shard", pa.int16()),
        ("packed", pa.binary()),
        ("texts", pa.list_(pa.string())),
    ]
)


def cells(*rows: tuple[int, str, list[int], list[str]]) -> pa.RecordBatch:
    """An Arrow batch of cells, each by (minute, category, integer ids, other ids)."""
    made = [
        (0, minute, "x", category, "", "original", "en", 0, pack(map(str, numbers)), texts)
        for minute, category, numbers, texts in rows
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(list(c), f.type) for c, f in zip(zip(*made, strict=True), CELLS, strict=True)], schema=CELLS
    )


FIRST = cells((MINUTE + HOUR, "tea", [3, 1], []), (MINUTE, "beer", [7], ["abc"]), (MINUTE + HOUR, "*", [3, 1], []))
SECOND = cells((MINUTE, "wine", [9], []), (MINUTE + 2 * HOUR, "wine", [4], []))
WRITTEN = {
    ("2017-09-14T09", 0, "tea"): ("1", "3"),
    ("2017-09-14T09", 0, "*"): ("1", "3"),
    ("2017-09-14T08", 0, "beer"): ("7", "abc"),
    ("2017-09-14T08", 0, "wine"): ("9",),
    ("2017-09-14T10", 0, "wine"): ("4",),
}


@pytest.fixture
def store() -> Store:
    return Store(statements(SCHEMA, Settings(speed_ttl_days=1)), lambda: 1_000_000)


def begun(*known: str) -> Begun:
    return Begun("e", 7, AT, frozenset(known))


def read(store: Store) -> dict[tuple[str, int, str], tuple[str, ...]]:
    """Every cell of the epoch: (hour, minute, category) -> ids."""
    reader = Reader(store.session())
    hours = [f"2017-09-14T{hour:02d}" for hour in range(24)]
    return {
        (cell.hour, cell.minute, category): tuple(cell.ids)
        for category in ("*", "beer", "tea", "wine")
        for cell in reader.speed_ids("e", hours, category, None)
    }


def test_a_task_writes_every_row_and_tells_how_many_by_hour(store: Store):
    opened = partial(nullcontext, Writer(store.session()))
    (told,) = upsert([FIRST, SECOND], begun("2017-09-14T08"), opened)
    assert read(store) == WRITTEN
    assert {row["hour"]: (row["cells"], row["first"]) for row in told.to_pylist()} == {
        "2017-09-14T08": (2, 0),
        "2017-09-14T09": (2, 0),
        "2017-09-14T10": (1, 0),
    }
    assert Reader(store.session()).touched("e") == {"2017-09-14T09": AT, "2017-09-14T10": AT}


def test_a_task_tells_the_first_minute_that_it_wrote_into_of_each_hour(store: Store):
    """Of all its Arrow batches and categories; what reads behind it leaves earlier minutes alone."""

    def at(minute: int, category: str = "tea") -> pa.RecordBatch:
        return cells((MINUTE + minute * MINUTE_MS, category, [minute + 1], []))

    opened = partial(nullcontext, Writer(store.session()))
    (told,) = upsert([at(17), at(9, "wine"), at(60 + 5), at(12, "beer"), at(60 + 41)], begun(), opened)
    assert {row["hour"]: row["first"] for row in told.to_pylist()} == {"2017-09-14T08": 9, "2017-09-14T09": 5}


def test_the_hours_of_a_micro_batch_are_stored_so_that_an_older_web_process_can_read_them():
    first = {"2017-09-14T08": 9, "2017-09-14T09": 0}
    stored = stored_hours(first)
    assert first.keys() <= stored
    assert first_minutes(stored) == first
    # as an older release stored them
    assert first_minutes({"2017-09-14T08"}) == {"2017-09-14T08": 0}


def test_a_task_without_cells_tells_nothing(store: Store):
    (told,) = upsert([], begun(), partial(nullcontext, Writer(store.session())))
    assert told.to_pylist() == []


@pytest.mark.parametrize("writes", range(8))
def test_wherever_a_task_dies_no_row_is_in_an_hour_that_the_epoch_does_not_know(store: Store, writes: int):
    """Else nobody would read it, nor see it expire. What an earlier attempt touched keeps its time."""
    left = iter(range(writes))

    def gate() -> None:
        if next(left, None) is None:
            raise ConnectionError("killed")

    with pytest.raises((ConnectionError, UnavailableError)):
        list(upsert([FIRST, SECOND], begun(), partial(nullcontext, Writer(store.session(gate)))))
    assert {hour for hour, _, _ in read(store)} <= Reader(store.session()).speed_hours("e")
    # the micro-batch runs once more, later, in a process that has read which hours are known
    known = Reader(store.session()).touched("e")
    again = Begun("e", 8, AT.replace(hour=11), frozenset(known))
    list(upsert([FIRST, SECOND], again, partial(nullcontext, Writer(store.session()))))
    assert read(store) == WRITTEN
    assert known.items() <= Reader(store.session()).touched("e").items()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The connections that were opened, in order: [keyspace, whether it is closed]."""
    opened: list[list[Any]] = []

    def connect(settings: Settings, _: tuple[str, str]) -> Any:
        entry = [settings.keyspace, False]
        opened.append(entry)
        return SimpleNamespace(cluster=SimpleNamespace(shutdown=lambda: entry.__setitem__(1, True)))

    monkeypatch.setattr(upserts, "connect", connect)
    yield opened
    upserts._close()


LOGIN = ("writer", "secret")


def test_a_process_connects_once_for_all_its_micro_batches(connections: list[Any]):
    with kept(Settings(keyspace="k1"), LOGIN) as first:
        pass
    with kept(Settings(keyspace="k1"), LOGIN) as second:
        assert second is first
    assert connections == [["k1", False]]


def test_another_place_or_login_closes_the_connection_before_it(connections: list[Any]):
    for settings, login in (Settings(keyspace="k1"), LOGIN), (Settings(keyspace="k2"), LOGIN):
        with kept(settings, login):
            pass
    with kept(Settings(keyspace="k2"), ("writer", "other")):
        assert connections == [["k1", True], ["k2", True], ["k2", False]]


def test_a_connection_whose_use_fails_is_closed_and_the_next_use_opens_another(connections: list[Any]):
    with pytest.raises(UnavailableError, match="did not take a write"), kept(Settings(keyspace="k1"), LOGIN):
        raise UnavailableError("Cassandra did not take a write")
    assert connections == [["k1", True]]
    with kept(Settings(keyspace="k1"), LOGIN):
        assert connections == [["k1", True], ["k1", False]]
