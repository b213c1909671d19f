"""The merged answer is the truth, after every step of random schedules; and each mutation of its rules is noticed.

What the schedules are made of: tests/lib/merge_machine.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import jobs.publish
import webapp.answers
from drinkstream.cells import ANY
from drinkstream.merge import Choice, Publication
from drinkstream.store import write
from drinkstream.store.read import CellCount, Reader, Run
from drinkstream.store.write import CellRow, MicroBatch, Writer
from tests.lib.merge_machine import MergeMachine
from webapp.counts import Counts, add
from webapp.view import State, View

TestMerge = MergeMachine.TestCase
TestMerge.settings = settings(max_examples=60, stateful_step_count=50, derandomize=True)

Change = Callable[[pytest.MonkeyPatch], None]


def sum_of_both_layers(change: pytest.MonkeyPatch) -> None:
    """A published day shows its run's numbers and the speed layer's on top."""
    day = View.day

    def summed(view: View, state: State, choice: Choice) -> tuple[Counts | None, str | None]:
        counts, meaning = day(view, state, choice)
        live = state.live.days.get(choice.day) if state.live is not None else None
        return (add([counts, live]) if choice.run and counts and live else counts), meaning

    change.setattr(View, "day", summed)


def slots_added(change: pytest.MonkeyPatch) -> None:
    """A cell's slots are added up instead of united."""

    def added(
        reader: Reader, epoch: str, hours: list[str], categories: list[str], since: Mapping[str, int] | None = None
    ) -> list[CellCount]:
        query = (
            "SELECT hour, category, minute, brand, source, kind, lang, shard, slot, n "
            "FROM speed_cells_v1 WHERE epoch = ? AND hour = ? AND category = ?"
        )
        sums: dict[tuple[str, int, str, str, str, str, str], int] = {}
        for row in reader._many(query, [(epoch, hour, category) for hour in hours for category in categories]):
            if row.minute < (since or {}).get(row.hour, 0):
                continue
            cell = (row.hour, row.minute, row.category, row.brand, row.source, row.kind, row.lang)
            sums[cell] = sums.get(cell, 0) + row.n
        return [CellCount(*cell, n) for cell, n in sums.items()]

    change.setattr(Reader, "speed_counts", added)


def sum_across_levels(change: pytest.MonkeyPatch) -> None:
    """A category's number is summed over its brands too, whose posts it holds already."""
    matching = webapp.answers.matching

    def across(keys, question):
        found = matching(keys, question)
        for number, key in enumerate(keys.all()[: len(found)]):
            found[number] |= key.category == (question.category or ANY)
        return found

    change.setattr(webapp.answers, "matching", across)


def older_writer_wins(change: pytest.MonkeyPatch) -> None:
    """Rows of speed cells carry the moment at which each is sent, so that what comes late wins."""
    speed_cells = Writer.speed_cells

    def late(writer: Writer, epoch: str, rows: list[CellRow], _written_us: int) -> int:
        return sum(speed_cells(writer, epoch, [row], write.now_us()) for row in rows)

    change.setattr(Writer, "speed_cells", late)


def touched_too_late(change: pytest.MonkeyPatch) -> None:
    """A micro-batch tells of its hours that only their last minutes were touched."""
    batch_ended = Writer.batch_ended

    def late(writer: Writer, batch: MicroBatch, ended_at: datetime, cells: int, hours: Mapping[str, int]) -> None:
        batch_ended(writer, batch, ended_at, cells, {hour: minute + 1 for hour, minute in hours.items()})

    change.setattr(Writer, "batch_ended", late)


def unpublished_run_read(change: pytest.MonkeyPatch) -> None:
    """A published day is answered by its newest run, whether that is published or not."""
    publications = Reader.publications

    def newest(reader: Reader, months: list[str], serial: bool = False) -> list[Publication]:
        log = publications(reader, months, serial)
        return log if serial else [replace(p, run_id=reader.runs(p.day)[0].run_id) for p in log]

    change.setattr(Reader, "publications", newest)


def published_before_the_audit(change: pytest.MonkeyPatch) -> None:
    """A run is published without asking whether it is whole and passed its audit."""
    publish = jobs.publish.publish

    def unasked(reader: Reader, writer: Writer, attempted: Run, who: str, why: str) -> str:
        return publish(reader, writer, replace(attempted, status="complete", audit={"failed": []}), who, why)

    change.setattr(jobs.publish, "publish", unasked)


def only(*rules: str) -> type[MergeMachine]:
    """The machine with these rules alone, so that what they lead to is met soon."""
    others = [name for name, member in vars(MergeMachine).items() if hasattr(member, RULE) and name not in rules]
    return type("Only", (MergeMachine,), dict.fromkeys(others))


RULE = "hypothesis_stateful_rule"

LIVE = ("lines_come", "catch_up")


@pytest.mark.parametrize(
    ("mutation", "rules", "what"),
    [
        (sum_of_both_layers, (*LIVE, "nightly"), r"'layer': 'batch'.* is none of"),
        (slots_added, (*LIVE, "pass_time"), "n is not the number of ids"),
        (sum_across_levels, LIVE, "'layer': 'speed'.* is none of"),
        (touched_too_late, LIVE, r"'layer': 'speed'.* is none of"),
        (older_writer_wins, (*LIVE, "cut_off", "orphan_ends"), "from speed: .* is not from"),
        (unpublished_run_read, ("lines_come", "nightly", "recompute"), "from batch: .* is not from"),
        (published_before_the_audit, ("lines_come", "recompute", "publish"), "had not passed its audit"),
    ],
)
def test_a_mutation_of_the_rules_is_noticed(
    mutation: Change, rules: tuple[str, ...], what: str, monkeypatch: pytest.MonkeyPatch
):
    mutation(monkeypatch)
    few = settings(TestMerge.settings, max_examples=300, phases=[Phase.generate], report_multiple_bugs=False)
    with pytest.raises(AssertionError, match=what):
        run_state_machine_as_test(only(*rules), settings=few)
