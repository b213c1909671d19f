"""What becomes of a publication whose one write is answered, lost or too late, and what a repetition does."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Literal

import pytest
from cassandra import OperationTimedOut

from drinkstream.errors import AuditError, ConflictError, UnavailableError
from drinkstream.merge import Publication
from drinkstream.store.read import Run
from jobs.publish import publish

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
        assert all(entry.seq != other.seq for other in self.entries)
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
    with pytest.raises(AuditError, match="has not passed its audit: nothing was published"):
        log.say(Run(DAY, "mine", "attempt", "", "m", status, NOON, NOON, audit={"at": "", "failed": failed}))
    assert log.runs_by_seq == ["before"]
