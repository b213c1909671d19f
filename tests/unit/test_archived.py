"""Has the archive come as far as Kafka was? The comparison, and the line that carries the first look."""

import json
from pathlib import Path

import pytest

from drinkstream.errors import BadInputError
from drinkstream.positions import Gap, Ledger, Refusal, Span
from streaming.archived import Behind, Ends, behind, main, parse


def test_every_partition_counts_and_only_those_that_are_behind_are_named():
    until = Ends("c1", {"0": 10, "1": 20, "2": 0, "10": 7})
    reached = {("posts", 0): 10, ("posts", 1): 19, ("other", 10): 99}
    assert behind(until, "posts", reached) == (Behind(1, 19, 20), Behind(10, 0, 7))


def test_an_archive_that_went_on_since_is_not_behind():
    assert behind(Ends("c1", {"0": 10}), "posts", {("posts", 0): 4711}) == ()


def test_the_first_look_is_read_back():
    assert parse('{"cluster": "c1", "ends": {"0": 812, "1": 790}}') == Ends("c1", {"0": 812, "1": 790})


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", "null", '{"cluster": "c", "ends": {"x": 1}}', '{"cluster": "c", "ends": 3}']
)
def test_any_other_line_is_refused(line: str):
    with pytest.raises(BadInputError) as refused:
        parse(line)
    assert str(refused.value) == f"{line!r} is not a line that `streaming.archived ends` printed"


def test_an_archive_that_takes_nothing_more_in_has_not_come_as_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Its positions lie beyond Kafka's end, which looks as if all were archived."""
    monkeypatch.setenv("DRINKSTREAM_ARCHIVE_URI", str(tmp_path / "archive"))
    ledger = Ledger.beside(str(tmp_path / "archive"))
    ledger.advance("c1", "t", {("posts", 0): 100})
    ledger.refuse(Refusal("c1", "posts", 0, 50, 100, "2017-09-14T15:00:00Z"))
    assert main(["behind", '{"cluster": "c1", "ends": {"0": 60}}']) == 6
    assert "posts/0 ended at offset 50 but 100 are archived" in capsys.readouterr().err
    assert main(["behind", '{"cluster": "c2", "ends": {"0": 0}}']) == 0


def test_the_ledger_beside_the_archive_is_asked_and_a_recorded_gap_is_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Positions of another cluster say nothing about this one."""
    monkeypatch.setenv("DRINKSTREAM_ARCHIVE_URI", str(tmp_path / "archive"))
    ledger = Ledger.beside(str(tmp_path / "archive"))
    ledger.advance("c1", "t1", {("posts", 0): 9, ("posts", 1): 5, ("feed.status", 2): 50})
    ledger.advance("c0", "t1", {("posts", 2): 1000})
    ledger.record(Gap(Span("c1", "posts", 1, 5, 20), "2026-03-01T08:00:00.000+00:00"))
    assert main(["behind", '{"cluster": "c1", "ends": {"0": 10, "1": 20, "2": 3}}']) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"partition": 0, "reached": 9, "end": 10},
        {"partition": 2, "reached": 0, "end": 3},
    ]
