"""How a speed query ends: after its micro-batch, and with nothing of that unseen."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import Settings
from drinkstream.store.read import EpochRow
from streaming import clock, epochs, speed
from streaming.epochs import Life

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROW = EpochRow("e1", "current", "m1", "c", NOW, {"0": 0}, {"0": 0}, {"0": 9}, 600, frozenset())


@dataclass
class Query:
    """A running query that was told to stop; at each look one of `looks` becomes true, then it is idle.

    A look is what has ended since the one before: None for nothing, else how many rows the watermark dropped of a
    micro-batch. `unseen` is what ends while it is stopped.
    """

    looks: list[int | None]
    unseen: list[int] = field(default_factory=list)
    isActive: bool = True
    ended: list[int] = field(default_factory=list)
    batch: int = 0

    @property
    def status(self) -> dict[str, bool]:
        if not self.looks:
            return {"isTriggerActive": False}
        dropped = self.looks.pop(0)
        self.ended += [] if dropped is None else [dropped]
        return {"isTriggerActive": True}

    def exception(self) -> str:
        return "Cassandra is away\n=== Streaming Query ===\nthe plan"

    def stop(self) -> None:
        self.isActive = False
        self.ended += self.unseen

    def new(self) -> list[Any]:
        """What it told of its triggers."""
        told = []
        for dropped in self.ended:
            operator = SimpleNamespace(numRowsDroppedByWatermark=dropped)
            tally = {"tally": SimpleNamespace(asDict=dict)}
            told.append(
                SimpleNamespace(batchId=self.batch, numInputRows=5, stateOperators=[operator], observedMetrics=tally)
            )
            self.batch += 1
        self.ended = []
        return told


class Store:
    """Reader, writer and sink."""

    def __init__(self, away: bool = False) -> None:
        self.away = away
        self.said: list[str] = []
        self.measured_batches: list[int] = []
        self.processed, self.touched, self.blind = {"0": 9}, dict[str, datetime](), frozenset[Any]()

    def epochs(self) -> list[EpochRow]:
        return [ROW]

    def epoch(self, epoch: str, **columns: Any) -> None:
        self._answer()
        self.said.append(f"{epoch} {columns['status']}")

    def measured(self, batch: int, *_: Any) -> None:
        self._answer()
        self.measured_batches.append(batch)

    def _answer(self) -> None:
        if self.away:
            raise UnavailableError("Cassandra did not answer")


@pytest.fixture
def life(tmp_path: Path) -> Life:
    (tmp_path / "speed-e1").mkdir()
    return Life("e1", tmp_path / "speed-e1", 600, {"0": 0}, {"0": 0})


def told_to_stop(query: Query, life: Life, away: bool = False) -> Store:
    store: Any = Store(away)
    stopping = threading.Event()
    stopping.set()
    running: Any = query
    try:
        speed.watch(running, running, stopping, Settings(), store, store, life, store)
    except DrinkStreamError as error:
        store.said.append(str(error))
    return store  # type: ignore[no-any-return]


DROPPED = ["e1 dropped", "the watermark of 600 s dropped 3 rows of e1; a new epoch starts with twice the delay"]


def test_it_ends_once_it_is_idle(life: Life):
    query = Query([None, None, None])
    assert told_to_stop(query, life).said == []
    assert (query.looks, query.isActive) == ([], False)


def test_one_that_is_behind_ends_after_one_micro_batch(life: Life):
    query = Query([None, 0, 0, 0])
    store = told_to_stop(query, life)
    assert store.measured_batches == [0]
    assert (query.looks, query.isActive) == ([0, 0], False)


@pytest.mark.parametrize(
    "query", [Query([None, 3]), Query([], unseen=[0, 3])], ids=["in the last one", "while it is stopped"]
)
def test_rows_that_the_last_micro_batch_dropped_are_seen(query: Query, life: Life):
    assert told_to_stop(query, life).said == DROPPED


@pytest.mark.parametrize(
    "query",
    [Query([None, 3]), Query([], unseen=[0, 3]), Query([0], unseen=[3])],
    ids=["seen alone", "behind one to be measured", "in one that ended after the store went"],
)
def test_dropped_rows_are_told_of_by_the_next_start_where_the_store_is_away(query: Query, life: Life):
    assert told_to_stop(query, life, away=True).said == ["Cassandra did not answer"]
    store: Any = Store()
    epochs.tell_dropped(store, store, life.checkpoint.parent)
    assert store.said == ["e1 dropped"]


def test_an_epoch_that_dropped_nothing_is_not_told_of(life: Life):
    assert told_to_stop(Query([None, 0, 0]), life, away=True).said == ["Cassandra did not answer"]
    store: Any = Store()
    epochs.tell_dropped(store, store, life.checkpoint.parent)
    assert store.said == []


def test_a_micro_batch_that_does_not_end_is_cut_off(life: Life, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed, "STOP_WAIT_S", 0.3)
    query = Query([None] * 1000)
    assert told_to_stop(query, life).said == []
    assert not query.isActive
    assert len(query.looks) > 900


def test_one_that_fails_while_it_ends_is_no_end_in_order(life: Life):
    assert told_to_stop(Query([], isActive=False), life).said == ["the speed query ended: Cassandra is away"]


def test_it_ends_where_the_clock_was_set_back(life: Life, monkeypatch: pytest.MonkeyPatch):
    """Spark would wait by the clock for its next micro-batch, and it is the supervisor who starts it again."""
    hours = iter([12, 11])
    monkeypatch.setattr(clock, "time", lambda: next(hours) * 3600)
    monkeypatch.setattr(clock, "monotonic", lambda: 0)
    query: Any = Query([])
    store: Any = Store()
    stopping: Any = SimpleNamespace(wait=lambda timeout: False)  # noqa: ARG005
    with pytest.raises(UnavailableError, match="the clock was set back by 3600 s"):
        speed.watch(query, query, stopping, Settings(), store, store, life, store)
    assert not query.isActive
