"""Who leads the speed layer: when a successor starts, when it takes over, and that nothing broken ever does."""

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drinkstream.errors import BadInputError, ConflictError, IntegrityError
from drinkstream.settings import Settings
from drinkstream.store.read import EpochRow
from streaming import succession
from streaming.editions import Edition
from streaming.offsets import KafkaOffsets
from streaming.succession import CLOSE_S, REFUSED_S, RESTS_S, TREE_LOOKS, Query, Succession

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def epoch(name: str, meaning: str, status: str, **processed: int) -> EpochRow:
    offsets = {name[1:]: offset for name, offset in processed.items()}
    return EpochRow(name, status, meaning, "c", NOW, {"0": 0}, {}, offsets, 600, frozenset())


class Process:
    """A query's process: it runs until it is ended, or dies with a code."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.stdin = io.StringIO()

    @property
    def returncode(self) -> int | None:
        return self.code

    def poll(self) -> int | None:
        return self.code


@dataclass
class Stage:
    """The tree, the store, Kafka and the clock; `happened` is what was started, ended and told, in order."""

    rows: list[EpochRow] = field(default_factory=list)
    meaning: str = "m1"
    broken: str | None = None
    kept: set[str] = field(default_factory=set)
    edits: int = 0
    clock: float = 1000.0
    happened: list[str] = field(default_factory=list)
    queries: list[Any] = field(default_factory=list)

    def epochs(self) -> list[EpochRow]:
        return self.rows

    def current_epoch(self) -> EpochRow | None:
        return next((row for row in self.rows if row.status == "current"), None)

    def epoch(self, epoch: str, **columns: Any) -> None:
        self.happened.append(f"{epoch} {columns['status']}")

    def keep(self, tree: Path, kept: Path) -> Edition:  # noqa: ARG002 - as editions.keep
        if self.broken is not None:
            raise BadInputError(self.broken)
        self.kept.add(self.meaning)
        return Edition(Path(self.meaning), self.meaning)

    def newest(self, kept: Path, meaning: str) -> Edition | None:  # noqa: ARG002 - as editions.newest
        return Edition(Path(meaning), meaning) if meaning in self.kept else None

    def start(self, settings: Settings, edition: Edition, *arguments: str) -> Query:  # noqa: ARG002 - as Query.start
        stage = self

        class Played(Query):
            def ask_to_stop(self) -> None:
                pass

            def stop(self) -> None:
                stage.happened.append(f"end {self.edition.meaning}")

        self.happened.append(" ".join(("start", edition.meaning, *arguments)))
        made: Any = Played(edition, Process())  # type: ignore[arg-type]
        self.queries.append(made)
        return made  # type: ignore[no-any-return]

    def edit(self, meaning: str = "", broken: str | None = None) -> None:
        self.edits += 1
        self.meaning, self.broken = meaning or self.meaning, broken


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage on which the succession plays."""
    made = Stage()
    end = KafkaOffsets("c", {("posts", 0): 0}, {("posts", 0): 120, ("posts", 1): 7})
    monkeypatch.setattr(succession, "keep", made.keep)
    monkeypatch.setattr(succession, "newest", made.newest)
    monkeypatch.setattr(succession, "prune", lambda kept, wanted: made.kept.intersection_update(wanted))  # noqa: ARG005
    monkeypatch.setattr(succession, "stamp", lambda tree: str(made.edits))  # noqa: ARG005
    monkeypatch.setattr(succession, "monotonic", lambda: made.clock)
    monkeypatch.setattr(succession, "look", lambda *_: end)
    return made


def begun(stage: Stage, tmp_path: Path) -> Succession:
    made = Succession(Settings(home=tmp_path), stage, stage, tmp_path, stage.start)  # type: ignore[arg-type]
    made.begin()
    return made


def looks(made: Succession, times: int = 2) -> None:
    """So many looks at the tree."""
    for _ in range(times * TREE_LOOKS):
        made.step()


def test_one_query_runs_while_the_meaning_stands(stage: Stage, tmp_path: Path):
    stage.rows, stage.kept = [epoch("e1", "m1", "current")], {"m1"}
    made = begun(stage, tmp_path)
    looks(made)
    assert stage.happened == ["start m1"]


def test_an_edit_is_taken_once_it_stands_still(stage: Stage, tmp_path: Path):
    made = begun(stage, tmp_path)
    stage.edit("half")
    looks(made, 1)
    stage.edit("m2")
    looks(made, 1)
    assert stage.happened == ["start m1"]
    looks(made, 1)
    assert stage.happened == ["start m1", "start m2 --beside"]


def test_the_old_query_ends_before_the_new_one_is_told_what_it_must_have(stage: Stage, tmp_path: Path):
    made = begun(stage, tmp_path)
    stage.edit("m2")
    stage.rows = [epoch("e2", "m2", "building", p0=50), epoch("e1", "m1", "current", p0=100)]
    looks(made)
    successor = stage.queries[1]
    stage.clock += CLOSE_S + 1
    stage.rows = [epoch("e2", "m2", "building", p0=100), epoch("e1", "m1", "current", p0=110)]
    # it has what the old one had when it was last looked at, but that was too long ago
    made.step()
    made.step()
    assert stage.happened == ["start m1", "start m2 --beside"]
    stage.clock += 1
    stage.rows[0] = epoch("e2", "m2", "building", p0=112)
    made.step()
    made.step()
    assert stage.happened == ["start m1", "start m2 --beside", "end m1"]
    assert successor.process.stdin.getvalue() == '{"0": 120, "1": 7}\n'
    assert made.successor is None
    assert made.main is successor


def test_where_the_old_epoch_cannot_go_on_its_successor_goes_by_what_kafka_holds(stage: Stage, tmp_path: Path):
    made = begun(stage, tmp_path)
    stage.edit("m2")
    looks(made)
    stage.queries[0].process.code = 5
    made.step()
    assert stage.queries[1].process.stdin.getvalue() == '{"0": 120, "1": 7}\n'


def test_an_edit_that_is_taken_back_leaves_the_query_that_answers(stage: Stage, tmp_path: Path):
    made = begun(stage, tmp_path)
    stage.edit("m2")
    looks(made)
    stage.rows = [epoch("e2", "m2", "building", p0=1), epoch("e1", "m1", "current", p0=2)]
    stage.edit("m1")
    looks(made)
    assert stage.happened == ["start m1", "start m2 --beside", "end m2", "e2 retired"]
    assert made.successor is None


def test_a_second_edit_replaces_the_successor(stage: Stage, tmp_path: Path):
    made = begun(stage, tmp_path)
    stage.edit("m2")
    looks(made)
    stage.edit("m3")
    looks(made)
    assert stage.happened == ["start m1", "start m2 --beside", "end m2", "start m3 --beside"]


def test_what_does_not_load_is_refused_and_what_runs_goes_on(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    made = begun(stage, tmp_path)
    stage.edit(broken="en.toml, line 7: no such category")
    looks(made, 4)
    assert capsys.readouterr().out.splitlines() == [
        "REFUSED, meaning m1 goes on; again in 300 s, or on a change: en.toml, line 7: no such category"
    ]
    assert stage.happened == ["start m1"]
    stage.edit("m2")
    looks(made)
    assert stage.happened == ["start m1", "start m2 --beside"]


def test_what_was_refused_is_read_again_every_five_minutes_though_nothing_changed(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Its load may have been killed for want of memory, or have timed out; the log says each time that it was tried."""
    stage.rows, stage.kept = [epoch("e1", "m1", "current")], {"m1"}
    stage.edit("m2", broken="exit code -9")
    made = begun(stage, tmp_path)
    capsys.readouterr()
    for _ in range(2):
        stage.clock += REFUSED_S - 1
        looks(made)
        assert capsys.readouterr().out == ""
        stage.clock += 1
        looks(made, 3)
        assert capsys.readouterr().out.count("REFUSED") == 1
    stage.broken = None
    stage.clock += REFUSED_S
    looks(made, 3)
    assert stage.happened == ["start m1", "start m2 --beside"]
    stage.clock += REFUSED_S
    looks(made, 3)
    assert stage.happened == ["start m1", "start m2 --beside"]


def test_started_on_what_does_not_load_the_last_good_edition_runs(stage: Stage, tmp_path: Path):
    stage.rows, stage.kept = [epoch("e1", "m1", "current")], {"m1"}
    stage.edit(broken="no")
    looks(begun(stage, tmp_path))
    assert stage.happened == ["start m1"]


def test_without_any_good_edition_what_does_not_load_ends_the_start(stage: Stage, tmp_path: Path):
    stage.edit(broken="en.toml, line 7: no such category")
    with pytest.raises(BadInputError, match="line 7"):
        begun(stage, tmp_path)


def test_started_with_another_meaning_the_old_epoch_answers_until_the_new_one_can(stage: Stage, tmp_path: Path):
    stage.rows = [epoch("e2", "m0", "building"), epoch("e1", "m1", "current")]
    stage.kept, stage.meaning = {"m1", "m0"}, "m2"
    begun(stage, tmp_path)
    # what no query will go on with is retired, and not kept
    assert stage.happened == ["e2 retired", "start m1 --epoch e1", "start m2 --beside"]
    assert stage.kept == {"m1", "m2"}


def test_without_the_old_edition_the_new_meaning_starts_alone(stage: Stage, tmp_path: Path):
    stage.rows, stage.meaning = [epoch("e1", "m1", "current")], "m2"
    begun(stage, tmp_path)
    assert stage.happened == ["start m2"]


def test_a_successor_that_dies_is_started_again_after_a_rest_that_grows(stage: Stage, tmp_path: Path):
    made = begun(stage, tmp_path)
    stage.edit("m2")
    looks(made)
    for rest in RESTS_S[:2]:
        stage.queries[-1].process.code = 1
        made.step()
        stage.clock += rest - 1
        made.step()
        known = len(stage.queries)
        stage.clock += 1
        made.step()
        assert len(stage.queries) == known + 1
    assert stage.happened == ["start m1", *["start m2 --beside", "end m2"] * 2, "start m2 --beside"]


def test_where_the_old_query_dies_both_are_started_again_and_no_number_waits_for_the_new_one(
    stage: Stage, tmp_path: Path
):
    made = begun(stage, tmp_path)
    stage.edit("m2")
    looks(made)
    stage.queries[0].process.code = 3
    with pytest.raises(IntegrityError, match="exit code 3"):
        made.step()
    assert stage.queries[1].process.stdin.getvalue() == ""


def test_a_successor_whose_epoch_was_retired_under_it_is_not_waited_for(stage: Stage, tmp_path: Path):
    """An edit taken back right after the handover: its epoch is living still, and retired a moment later."""
    made = begun(stage, tmp_path)
    stage.edit("m2")
    stage.rows = [epoch("e2", "m2", "building", p0=1), epoch("e1", "m1", "current", p0=2)]
    looks(made)
    made.step()
    stage.rows = [epoch("e2", "m2", "retired"), epoch("e1", "m1", "current", p0=2)]
    with pytest.raises(ConflictError, match="m2 was retired"):
        made.step()


def test_the_death_of_the_query_that_answers_ends_the_program(stage: Stage, tmp_path: Path):
    made = begun(stage, tmp_path)
    stage.queries[0].process.code = 6
    with pytest.raises(IntegrityError, match="exit code 6"):
        made.step()


def test_epochs_that_no_query_goes_on_with_leave_no_checkpoint_behind(stage: Stage, tmp_path: Path):
    """Nor stay to be built: of each meaning only the newest goes on, and what answers goes on answering."""
    stage.meaning, stage.kept = "m2", {"m1"}
    stage.rows = [
        epoch("e8", "m2", "building"),
        epoch("e7", "m2", "dropped"),
        epoch("e6", "m2", "building"),
        epoch("e5", "m1", "current"),
        epoch("e4", "m1", "building"),
        epoch("e3", "m1", "dropped"),
        epoch("e2", "m0", "dropped"),
        epoch("e1", "m1", "retired"),
    ]
    for row in stage.rows:
        (tmp_path / "checkpoints" / f"speed-{row.epoch}" / "offsets").mkdir(parents=True)
    begun(stage, tmp_path)
    assert stage.happened == ["e6 retired", "e4 retired", "start m1 --epoch e5", "start m2 --beside"]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["speed-e5", "speed-e8"]


def test_the_epoch_that_answers_keeps_its_checkpoint_where_another_is_built_in_its_place(stage: Stage, tmp_path: Path):
    """It is retired once the other answers."""
    stage.rows, stage.kept = [epoch("e2", "m1", "building"), epoch("e1", "m1", "current")], {"m1"}
    for row in stage.rows:
        (tmp_path / "checkpoints" / f"speed-{row.epoch}").mkdir(parents=True)
    begun(stage, tmp_path)
    assert stage.happened == ["start m1"]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["speed-e1", "speed-e2"]
