"""The store in memory decides as Cassandra does who wins, what is gone and what became of a lost answer."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from cassandra import ConsistencyLevel, OperationTimedOut

from drinkstream.settings import Settings
from stack.cassandra import SCHEMA, statements
from tests.lib.cassandra_in_memory import Session, Store

AT = datetime(2026, 5, 1, tzinfo=UTC)
HOURS = "INSERT INTO speed_hours_v1 (epoch, hour, touched) VALUES (?, ?, ?) USING TIMESTAMP ?"
READ_HOURS = "SELECT hour, touched FROM speed_hours_v1 WHERE epoch = ?"
PUBLISH = "INSERT INTO publications_v1 (month, day, seq, run_id, at) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS"
LOG = "SELECT run_id FROM publications_v1 WHERE month = ?"


class Clock:
    """The servers' clock, µs."""

    us = 1_000_000

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    """A clock that a test moves."""
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    """The product's tables, empty; rows of speed cells live for a day."""
    return Store(statements(SCHEMA, Settings(speed_ttl_days=1)), clock)


def ask(session: Session, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of an answer as tuples."""
    return [tuple(row) for row in session.execute(session.prepare(query), values)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_newer_write_of_a_column_wins_in_whichever_order_they_come(store: Store, order: tuple[int, int]):
    session = store.session()
    writes = [("e", "h", AT.replace(year=2030), 7), ("e", "h", AT, 8)]
    for which in order:
        ask(session, HOURS, *writes[which])
    assert ask(session, READ_HOURS, "e") == [("h", AT.replace(tzinfo=None))]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_writes_with_one_timestamp_the_greater_value_wins_and_a_deletion_over_any(
    store: Store, order: tuple[int, int]
):
    session = store.session()
    for first, second, wins in ((AT, AT.replace(year=2030), AT.replace(year=2030)), (AT, None, None)):
        writes = [("e", str(wins), first, 7), ("e", str(wins), second, 7)]
        for which in order:
            ask(session, HOURS, *writes[which])
    found = dict(ask(session, READ_HOURS, "e"))
    assert found == {"None": None, str(AT.replace(year=2030)): datetime(2030, 5, 1)}  # noqa: DTZ001  as the driver


def test_an_update_alone_makes_a_row_that_is_gone_with_its_last_column(store: Store, clock: Clock):
    session = store.session()
    update = "UPDATE speed_batches_v1 SET rows_in = ? WHERE epoch = ? AND day = ? AND batch_id = ?"
    ask(session, update, 5, "e", date(2026, 5, 1), 1)
    clock.us += 3600 * 1_000_000
    ask(session, update.replace("rows_in", "hits"), 2, "e", date(2026, 5, 1), 1)
    read = "SELECT batch_id, rows_in, hits FROM speed_batches_v1 WHERE epoch = ? AND day = ?"
    assert ask(session, read, "e", date(2026, 5, 1)) == [(1, 5, 2)]
    clock.us += 23 * 3600 * 1_000_000
    assert ask(session, read, "e", date(2026, 5, 1)) == [(1, None, 2)]
    clock.us += 3600 * 1_000_000
    assert ask(session, read, "e", date(2026, 5, 1)) == []


@pytest.mark.parametrize(
    ("fault", "at_once", "at_serial"), [("lost", [], []), ("happened", [("r",)], [("r",)]), ("in doubt", [], [("r",)])]
)
def test_a_conditional_write_whose_answer_is_lost(store: Store, fault: str, at_once: list[Any], at_serial: list[Any]):
    session = store.session()
    store.fault = fault
    with pytest.raises(OperationTimedOut):
        ask(session, PUBLISH, "2026-05", date(2026, 5, 1), 1, "r", AT)
    assert ask(session, LOG, "2026-05") == at_once
    bound = session.prepare(LOG).bind(("2026-05",))
    bound.consistency_level = ConsistencyLevel.SERIAL
    assert [tuple(row) for row in session.execute(bound)] == at_serial


def test_a_row_is_inserted_once_where_it_must_not_exist(store: Store):
    session = store.session()
    first, second = (
        session.execute(session.prepare(PUBLISH), ("2026-05", date(2026, 5, 1), 1, run, AT)) for run in ("r1", "r2")
    )
    assert (first.one().applied, second.one().applied) == (True, False)
    assert ask(session, LOG, "2026-05") == [("r1",)]


def test_rows_are_counted(store: Store):
    session = store.session()
    for seq in (1, 2):
        ask(session, PUBLISH, "2026-05", date(2026, 5, 1), seq, "r", AT)
    counted = "SELECT COUNT(*) FROM publications_v1 WHERE month = ?"
    assert [ask(session, counted, month) for month in ("2026-05", "2026-06")] == [[(2,)], [(0,)]]


@pytest.mark.parametrize(
    "query",
    ["SELECT hour, colour FROM speed_hours_v1 WHERE epoch = ?", "DELETE FROM speed_hours_v1 WHERE epoch = ?"],
)
def test_what_it_does_not_know_fails(store: Store, query: str):
    session = store.session()
    ask(session, HOURS, "e", "h", AT, 7)
    with pytest.raises((AssertionError, KeyError)):
        ask(session, query, "e")
