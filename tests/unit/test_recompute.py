"""When a recompute's run is complete: what was written of it stands in the store as it was counted."""

from datetime import UTC, date, datetime
from itertools import count

import pytest

from drinkstream.errors import IntegrityError
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer
from jobs.recompute import complete
from jobs.write_cells import Written
from stack.cassandra import SCHEMA, statements
from tests.lib.cassandra_in_memory import Store

DAY = date(2017, 9, 14)
TEA, ANY = ("tea", "", "x", "original", "en"), ("*", "", "x", "original", "en")


@pytest.mark.parametrize("other", [{ANY: 3}, {ANY: 3, TEA: 1}])
def test_a_run_whose_totals_read_back_differ_stays_incomplete(
    monkeypatch: pytest.MonkeyPatch, other: dict[tuple[str, ...], int]
) -> None:
    """A total that was lost, or another number in its place; written anew as they were counted it is complete."""
    ticks = count(1)
    session = Store(statements(SCHEMA, Settings()), lambda: next(ticks)).session()
    reader, writer = Reader(session), Writer(session)
    writer.run(DAY, "run-1", status="writing", started_at=datetime(2017, 9, 15, 2, tzinfo=UTC))

    def completed() -> None:
        complete(reader, writer, DAY, "run-1", Written({ANY: 3, TEA: 2}, cells=2), {"rows": 5}, {})

    with monkeypatch.context() as patch:
        write = writer.day_totals
        patch.setattr(writer, "day_totals", lambda day, run_id, _: write(day, run_id, other))
        with pytest.raises(IntegrityError, match="totals of run run-1 read back differ from those written: it stays"):
            completed()
    run = reader.run(DAY, "run-1")
    assert run is not None
    assert (run.status, run.completed_at) == ("writing", None)
    completed()
    run = reader.run(DAY, "run-1")
    assert run is not None
    assert (run.status, run.totals) == ("complete", {"drinks": 3, "cells": 2, "records": 5})
