"""Whatever is asked of a Cassandra that does not answer, or is written to it, says so as an error of ours."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from cassandra import OperationTimedOut, Unavailable, WriteTimeout
from cassandra.cluster import NoHostAvailable

from drinkstream.errors import UnavailableError
from drinkstream.merge import Publication
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer

DAY = date(2017, 9, 14)
AT = datetime(2017, 9, 15, tzinfo=UTC)
ENTRY = Publication(DAY, 1, "run-1", AT, "ops", "why")


class Session:
    """Fails with `error`: at every statement, or only once one that was prepared is run."""

    def __init__(self, error: Exception, *, prepares: bool) -> None:
        self.error = error
        self.prepares = prepares

    def prepare(self, query: str) -> "Statement":
        if not self.prepares:
            raise self.error
        return Statement(query)

    def execute(self, *_: Any, **__: Any) -> Any:
        raise self.error


class Statement:
    def __init__(self, query: str) -> None:
        self.query_string = query

    def bind(self, _: Any) -> "Statement":
        return self


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "a question": lambda s: Reader(s).runs(DAY),
    "a question behind writes under way": lambda s: Reader(s).publications(["2017-09"], serial=True),
    "a row": lambda s: Writer(s).run(DAY, "run-1", status="complete"),
    "an epoch": lambda s: Writer(s).epoch("e1", status="current"),
    "a publication": lambda s: Writer(s).publish(ENTRY),
}


@pytest.mark.parametrize("prepares", [True, False])
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("error", [NoHostAvailable("nobody", {}), Unavailable("too few")])
def test_what_does_not_reach_cassandra_is_unavailable(error: Exception, question: str, prepares: bool):
    with pytest.raises(UnavailableError, match=r"Cassandra did not answer: .*`make status`"):
        QUESTIONS[question](Session(error, prepares=prepares))


@pytest.mark.parametrize("lost", [OperationTimedOut(), WriteTimeout("late", write_type=0)])
def test_a_publication_whose_answer_was_lost_is_for_the_caller_to_look_for(lost: Exception):
    with pytest.raises(type(lost)):
        Writer(Session(lost, prepares=True)).publish(ENTRY)  # type: ignore[arg-type]
    with pytest.raises(UnavailableError):
        Writer(Session(lost, prepares=True)).run(DAY, "run-1", status="complete")  # type: ignore[arg-type]
