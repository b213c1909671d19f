"""Which run a day goes back to, and that a repetition, a lost answer or a race never flips it twice."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

import pytest
from cassandra import OperationTimedOut

from drinkstream.errors import BadInputError, ConflictError, UnavailableError
from drinkstream.merge import Publication
from drinkstream.store.read import Run
from jobs.rollback import main, rollback

DAY = date(2017, 9, 14)
NOON = datetime(2017, 9, 15, 12, tzinfo=UTC)


def published(seq: int, run_id: str, why: str = "nightly") -> Publication:
    return Publication(DAY, seq, run_id, NOON, "airflow", why)


def run(run_id: str, status: str = "complete", **audit: Any) -> Run:
    return Run(DAY, run_id, "attempt", "", "m", status, NOON, NOON, audit=audit or {"failed": []})


@dataclass
class Log:
    """A log of publications, as reader and as writer; `answer` is what becomes of the next write."""

    entries: list[Publication] = field(default_factory=lambda: [published(1, "a"), published(2, "b")])
    known: list[Run] = field(default_factory=lambda: [run("b"), run("a")])
    answer: Literal["written", "written, but lost", "lost", "too late"] = "written"

    def publications(self, months: Iterable[str], serial: bool = False) -> list[Publication]:
        assert (list(months), serial) == (["2017-09"], True)
        return [Publication(date(2017, 9, 13), 7, "other", NOON), *self.entries]

    def runs(self, day: date) -> list[Run]:
        assert day == DAY
        return self.known

    def publish(self, entry: Publication) -> bool:
        assert all(entry.seq != other.seq for other in self.entries)
        if self.answer == "too late":
            self.entries.append(published(entry.seq, "c", "somebody else"))
            return False
        if self.answer != "lost":
            self.entries.append(entry)
        if self.answer != "written":
            raise OperationTimedOut
        return True

    def back(self, to: str = "", why: str = "bad") -> str:
        """Rolls back with this log on both sides."""
        return rollback(self, self, DAY, to, "ops", why)  # type: ignore[arg-type]

    @property
    def runs_by_seq(self) -> list[str]:
        return [entry.run_id for entry in self.entries]


def test_a_day_goes_back_to_what_was_in_force_before():
    log = Log()
    assert log.back() == "day=2017-09-14 seq=3 run=a: rolled back from seq 2, run b"
    newest = log.entries[-1]
    assert (newest.seq, newest.run_id, newest.who, newest.why) == (3, "a", "ops", "bad")


@pytest.mark.parametrize("to", ["a", "1"])
def test_a_run_may_be_named_by_its_id_or_by_a_seq(to: str):
    log = Log([published(1, "a"), published(2, "b"), published(3, "c")], [run("c"), run("b"), run("a")])
    assert log.back(to) == "day=2017-09-14 seq=4 run=a: rolled back from seq 3, run c"


def test_a_publication_of_the_same_run_is_no_way_back():
    log = Log([published(1, "a"), published(2, "b"), published(3, "b")])
    log.back()
    assert log.runs_by_seq == ["a", "b", "b", "a"]


def test_a_run_that_maintenance_dropped_is_no_way_back():
    """The one before it is; named, it is refused with what there is to do, and no list offers it again."""
    log = Log(
        [published(1, "a"), published(2, "b"), published(3, "c"), published(4, "d")],
        [run("d"), run("c", "dropped"), run("b"), run("a", "dropping")],
    )
    for to, name in (("c", "c"), ("3", "c"), ("1", "a")):
        with pytest.raises(BadInputError) as refused:
            log.back(to)
        assert str(refused.value) == (
            f"run {name} of 2017-09-14 answers nothing any more: its rows were dropped, as of every run that was "
            "replaced longer ago than DRINKSTREAM_AS_OF_DAYS; recompute the day instead. Still there is 2 = b, 4 = d"
        )
    assert log.back() == "day=2017-09-14 seq=5 run=b: rolled back from seq 4, run d"


def test_where_all_earlier_runs_were_dropped_it_is_said():
    log = Log(known=[run("b"), run("a", "dropped")])
    with pytest.raises(BadInputError, match=r"run a of 2017-09-14 .* were dropped, .* Still there is 2 = b"):
        log.back()


def test_a_repetition_for_the_same_reason_changes_nothing_and_another_reason_goes_on():
    log = Log()
    log.back()
    assert log.back() == "day=2017-09-14 seq=3 run=a: was rolled back already"
    assert log.back("a") == "day=2017-09-14 seq=3 run=a: was rolled back already"
    assert log.runs_by_seq == ["a", "b", "a"]
    log.back(why="b was right")
    assert log.runs_by_seq == ["a", "b", "a", "b"]


def test_a_repetition_after_somebody_published_says_so():
    log = Log()
    log.back()
    log.entries.append(published(4, "c"))
    with pytest.raises(ConflictError, match=r"done as seq 3, and then airflow published seq 4 \(nightly\)"):
        log.back()
    assert log.runs_by_seq == ["a", "b", "a", "c"]


def test_the_run_in_force_stays_as_it_is():
    log = Log()
    assert log.back("b") == "day=2017-09-14 seq=2 run=b: is in force already"
    assert log.runs_by_seq == ["a", "b"]


def test_an_answer_that_was_lost_is_read_from_the_log():
    log = Log(answer="written, but lost")
    assert "rolled back from seq 2" in log.back()
    assert log.runs_by_seq == ["a", "b", "a"]


def test_a_write_that_did_not_arrive_may_be_repeated():
    log = Log(answer="lost")
    with pytest.raises(UnavailableError, match="seq 3 could not be written, and nothing changed"):
        log.back()
    log.answer = "written"
    assert "seq=3 run=a" in log.back()


def test_a_publication_in_the_same_moment_wins():
    log = Log(answer="too late")
    with pytest.raises(ConflictError, match=r"run c took seq 3 \(airflow: somebody else\)"):
        log.back()
    assert log.runs_by_seq == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("log", "to", "words"),
    [
        (Log([], []), "", "2017-09-14 was never published, so there is nothing to go back to: no run of it exists"),
        (Log([], [run("a")]), "", "nothing to go back to: 1 runs exist, none was ever published"),
        (Log([published(1, "a")]), "", "2017-09-14 has no publication before run a: there is nothing to go back to"),
        (Log(), "z", "2017-09-14 has no run or seq z (any more); published were 1 = a, 2 = b"),
        (Log(), "3", "2017-09-14 has no run or seq 3 (any more); published were 1 = a, 2 = b"),
        (Log(known=[run("b")]), "", "2017-09-14 has no run or seq a (any more); published were 1 = a, 2 = b"),
        (Log(known=[run("a", "writing")]), "", "run a of 2017-09-14 is not complete or did not pass its audit"),
        (Log(known=[run("a", failed=["x"])]), "a", "run a of 2017-09-14 is not complete or did not pass its audit"),
        (Log(known=[run("dry")]), "dry", "run dry of 2017-09-14 was never in force; published were 1 = a, 2 = b"),
    ],
)
def test_what_cannot_be_gone_back_to_is_refused_and_the_message_says_what_exists(log: Log, to: str, words: str):
    before = list(log.entries)
    with pytest.raises(BadInputError) as refused:
        log.back(to)
    assert words in str(refused.value)
    assert log.entries == before


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--day", "14.9.2017", "--why", "bad"], "'14.9.2017' does not match the format '%Y-%m-%d'"),
        (["--day", "2017-09-14", "--why", " \n"], "--why is empty: say why"),
    ],
)
def test_arguments_that_make_no_sense_are_bad_input(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]):
    assert main(argv) == 2
    assert words in capsys.readouterr().err
