"""What becomes of a publication whose one write is answered, lost or too late, and what a repetition does."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

import pytest
from cassandra import OperationTimedOut

from drinkstream.errors import AuditError, ConflictError, UnavailableError
from drinkstream.merge import Publication
from drinkstream.store.read import Run
from jobs.publish import publish, publish_each

DAY = date(2017, 9, 14)
NOON = datetime(2017, 9, 15, 12, tzinfo=UTC)
MINE = Run(
    *(DAY, "mine", "attempt", "", "m", "complete", NOON, NOON), fingerprint={"seq": 1}, audit={"at": "", "failed": []}
)


@dataclass
class Log:
    """A log of publications, as reader and as writer; `answer` is what becomes of the next write."""

    answer: Literal["written", "written, but lost", "lost", "too late"] = "written"
    entries: list[Publication] = field(default_factory=lambda: [Publication(DAY, 1, "before", NOON)])

    def publications(self, months: Iterable[str], serial: bool = False) -> list[Publication]:
        assert (list(months), serial) == (["2017-09"], True)
        return [Publication(date(2017, 9, 13), 2, "other", NOON), *self.entries]

    def publish(self, entry: Publication) -> bool:
        assert all((entry.day, entry.seq) != (other.day, other.seq) for other in self.entries)
        if self.answer == "too late":
            self.entries.append(Publication(DAY, entry.seq, "theirs", NOON))
            return False
        if self.answer != "lost":
            self.entries.append(replace(entry))
        if self.answer != "written":
            raise OperationTimedOut
        return True

    def say(self, run: Run = MINE) -> str:
        """Publishes a run with this log on both sides."""
        return publish(self, self, run, "ops", "nightly")  # type: ignore[arg-type]

    @property
    def runs_by_seq(self) -> list[str]:
        return [entry.run_id for entry in self.entries]


def test_a_run_comes_after_the_publication_that_its_recompute_saw_and_once():
    log = Log()
    assert log.say() == "day=2017-09-14 seq=2 run=mine: published"
    assert log.say() == "day=2017-09-14 seq=2 run=mine: was published already"
    assert log.runs_by_seq == ["before", "mine"]
    assert (log.entries[-1].who, log.entries[-1].why) == ("ops", "nightly")


def test_one_that_was_followed_by_another_says_which_is_in_force():
    """A task that is cleared after a rollback: it is green, and somebody else's run answers."""
    log = Log()
    log.say()
    log.entries.append(Publication(DAY, 3, "before", NOON, "ops", "too few"))
    assert log.say() == (
        "day=2017-09-14 seq=2 run=mine: was published already; seq 3, run before, is in force since (ops: too few), "
        "and stays so: rollback_share lets an earlier run answer"
    )
    assert log.runs_by_seq == ["before", "mine", "before"]


def test_what_the_audit_left_to_a_person_is_published_only_by_one_and_the_log_says_so():
    """Whoever reads the log later learns that the number was not like the others, and who let it pass."""
    log = Log()
    asks = replace(MINE, audit={"at": "", "failed": [], "asks": ["batch counts 400 posts, the speed layer 1000"]})
    with pytest.raises(
        AuditError,
        match="2017-09-14: run mine was not published, since nobody approved that batch counts 400 posts, the speed",
    ):
        log.say(asks)
    assert log.runs_by_seq == ["before"]
    assert publish(log, log, asks, "ops", "a hole", "ann") == "day=2017-09-14 seq=2 run=mine: published"  # type: ignore[arg-type]
    assert log.entries[-1].why == "a hole (approved by ann: batch counts 400 posts, the speed layer 1000)"


def test_the_log_of_publications_names_who_approved():
    log = Log()
    publish(log, log, MINE, "ops", "new brands", "ann")  # type: ignore[arg-type]
    assert log.entries[-1].why == "new brands (approved by ann)"


def test_an_answer_that_was_lost_is_read_from_the_log():
    log = Log("written, but lost")
    assert log.say() == "day=2017-09-14 seq=2 run=mine: was published already"
    assert log.runs_by_seq == ["before", "mine"]


def test_a_write_that_did_not_arrive_is_repeated_by_airflow():
    """It is no conflict, which would end the task for good though nobody else published."""
    log = Log("lost")
    with pytest.raises(
        UnavailableError, match="2017-09-14: seq 2 could not be written, and nothing changed: repeat it"
    ):
        log.say()
    assert log.runs_by_seq == ["before"]
    log.answer = "written"
    assert log.say() == "day=2017-09-14 seq=2 run=mine: published"


def test_a_publication_in_the_same_moment_wins():
    log = Log("too late")
    for _ in range(2):
        with pytest.raises(ConflictError, match="2017-09-14: run theirs took seq 2; look at it"):
            log.say()
    assert log.runs_by_seq == ["before", "theirs"]


@pytest.mark.parametrize(("status", "failed"), [("writing", []), ("complete", ["a gate"])])
def test_what_is_not_whole_or_failed_its_audit_is_not_published(status: str, failed: list[str]):
    log = Log()
    with pytest.raises(AuditError, match="2017-09-14: run mine has not passed its audit, and was not published"):
        log.say(replace(MINE, status=status, audit={"at": "", "failed": failed}))
    assert log.runs_by_seq == ["before"]


def of(run: Run, day: int, **changes: Any) -> Run:
    return replace(run, day=date(2017, 9, day), run_id=f"mine-{day}", fingerprint={"seq": 0}, **changes)


def each(log: Log, *runs: Run) -> None:
    publish_each(log, log, runs, "ops", "nightly")  # type: ignore[arg-type]


def test_a_run_that_was_overtaken_and_dropped_while_it_waited_is_a_conflict_and_the_others_are_published(
    capsys: pytest.CaptureFixture[str],
):
    """Maintenance drops such a run in the night in which another is published: what is wrong is still the other."""
    log = Log(entries=[Publication(date(2017, 9, 20), 1, "theirs", NOON)])
    with pytest.raises(ConflictError) as conflict:
        each(log, of(MINE, 19), of(MINE, 20, status="dropped"), of(MINE, 21))
    assert str(conflict.value).startswith("2017-09-20: run theirs took seq 1; look at it")
    assert [(str(entry.day), entry.run_id) for entry in log.entries[1:]] == [
        ("2017-09-19", "mine-19"),
        ("2017-09-21", "mine-21"),
    ]
    assert capsys.readouterr().out.count(": published\n") == 2


def test_each_day_that_was_left_out_is_named_and_a_conflict_gives_the_exit_code():
    log = Log(entries=[Publication(date(2017, 9, 20), 1, "theirs", NOON)])
    failed = of(MINE, 18, audit={"at": "", "failed": ["a gate"]})
    with pytest.raises(AuditError, match="2017-09-18: run mine-18 has not passed its audit"):
        each(log, failed, of(MINE, 19))
    assert log.runs_by_seq == ["theirs", "mine-19"]
    with pytest.raises(ConflictError, match=r"2017-09-18: run mine-18 has not .*; 2017-09-20: run theirs took seq 1"):
        each(log, failed, of(MINE, 20))


def test_a_run_that_was_published_and_dropped_since_was_published_already():
    log = Log()
    log.say()
    assert log.say(replace(MINE, status="dropped")) == "day=2017-09-14 seq=2 run=mine: was published already"
