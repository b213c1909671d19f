"""How a life of the archive query ends: after its batch, and where it would stand still."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from streaming import archive, clock


class Query:
    """A query that does nothing; at each look the wall clock says the next of `hours`, and then no other."""

    def __init__(self, *hours: int) -> None:
        self.hours = list(hours)
        self.status = {"isTriggerActive": False}
        self._jsq = SimpleNamespace(recentProgress=list)
        self.stopped = False

    def awaitTermination(self, _: float) -> None:
        assert len(self.hours) > 1, "it goes on"
        self.hours.pop(0)

    def stop(self) -> None:
        self.stopped = True


def watched(query: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Watches it, until it ends by itself."""
    monkeypatch.setattr(clock, "time", lambda: query.hours[0] * 3600)
    monkeypatch.setattr(clock, "monotonic", lambda: 0)
    archive.watch(query, lambda: False, lambda _: None)


def test_it_ends_where_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Spark would wait by the clock for its next batch."""
    query = Query(12, 12, 11, 11)
    with caplog.at_level(logging.WARNING, "archive"):
        watched(query, monkeypatch)
    assert (query.hours, query.stopped) == ([11, 11], True)
    assert caplog.messages == [
        "the clock was set back by 3600 s: the query begins anew, since it would wait for as long"
    ]


def test_it_goes_on_where_the_clock_was_set_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark begins its next batch at once."""
    with pytest.raises(AssertionError, match="it goes on"):
        watched(Query(12, 13, 13), monkeypatch)
