"""The ledger beside the archive's table: positions that never go back, and gaps."""

import json
from pathlib import Path

import pytest

from drinkstream.errors import BadInputError, IntegrityError
from drinkstream.positions import Gap, Ledger, Span, furthest


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger.beside(str(tmp_path / "archive"))


def test_nothing_is_known_before_the_first_start(ledger: Ledger) -> None:
    """No file is no position, no gap and no table."""
    assert (ledger.positions("c1"), ledger.gaps(), ledger.table()) == ({}, (), None)


def test_positions_are_kept_by_cluster_and_only_go_forward(ledger: Ledger) -> None:
    """A lower offset, as the table shows it after its newest rows were erased, changes nothing."""
    ledger.advance("c1", "t", {("posts", 0): 10, ("posts", 1): 5})
    ledger.advance("c1", "t", {("posts", 0): 7, ("posts", 2): 1})
    ledger.advance("c2", "t", {("posts", 0): 3})
    assert ledger.positions("c1") == {("posts", 0): 10, ("posts", 1): 5, ("posts", 2): 1}
    assert ledger.positions("c2") == {("posts", 0): 3}


def test_the_files_can_be_read_by_a_person(ledger: Ledger) -> None:
    """One JSON file each, beside the table's folder."""
    ledger.advance("c1", "t", {("posts", 0): 10})
    ledger.record(Gap(Span("c1", "posts", 0, 10, 30), "2017-09-14T12:00:00.000+00:00"))
    assert ledger.positions_file.name == "archive.positions.json"
    assert json.loads(ledger.positions_file.read_text()) == {"table": "t", "positions": {"c1": {"posts": {"0": 10}}}}
    assert ledger.gaps_file.name == "archive.gaps.json"
    assert json.loads(ledger.gaps_file.read_text()) == [
        {
            "cluster": "c1",
            "topic": "posts",
            "partition": 0,
            "from": 10,
            "until": 30,
            "when": "2017-09-14T12:00:00.000+00:00",
        }
    ]


def test_a_position_is_behind_every_gap_of_its_partition(ledger: Ledger) -> None:
    """The gap is recorded first; a crash right after it must not record it again."""
    ledger.advance("c1", "t", {("posts", 0): 10})
    ledger.record(Gap(Span("c1", "posts", 0, 10, 30), "2017-09-14T12:00:00.000+00:00"))
    ledger.record(Gap(Span("c1", "posts", 1, 0, 4), "2017-09-14T12:00:00.000+00:00"))
    assert ledger.positions("c1") == {("posts", 0): 30, ("posts", 1): 4}
    assert ledger.positions("c2") == {}


def test_a_gap_that_the_position_has_not_come_to_is_not_behind_it(ledger: Ledger) -> None:
    """Of a table that was put back: what lies before the gap is to be fetched again. Gaps may follow one another."""
    for start, until in ((40, 50), (30, 40), (12, 30)):
        ledger.record(Gap(Span("c1", "posts", 0, start, until), "2017-09-14T12:00:00.000+00:00"))
    ledger.advance("c1", "t", {("posts", 0): 11})
    assert ledger.positions("c1") == {("posts", 0): 11}
    ledger.advance("c1", "t", {("posts", 0): 12})
    assert ledger.positions("c1") == {("posts", 0): 50}


def test_the_ledger_of_another_table_is_refused(ledger: Ledger) -> None:
    """A table made anew beside old positions would silently lack what lies before them."""
    ledger.advance("c1", "t", {("posts", 0): 10})
    with pytest.raises(IntegrityError, match="belongs to another table"):
        ledger.advance("c1", "u", {("posts", 0): 10})


def test_a_damaged_file_is_an_error_and_not_an_empty_one(ledger: Ledger) -> None:
    """Going on from nothing would archive everything again."""
    ledger.positions_file.write_text('{"table": "t", "posit')
    with pytest.raises(IntegrityError, match="is damaged"):
        ledger.positions("c1")


def test_only_a_local_table_can_have_a_ledger() -> None:
    """The address of the table says where its ledger lies."""
    assert Ledger.beside("file:///data/archive/").gaps_file == Path("/data/archive.gaps.json")
    with pytest.raises(BadInputError, match="beside a local table only"):
        Ledger.beside("s3a://bucket/archive")


def test_furthest_takes_the_highest_offset_of_each_partition() -> None:
    """A partition that only one of them names is kept."""
    assert furthest({("a", 0): 1, ("a", 1): 5}, {("a", 0): 2, ("b", 0): 0}) == {("a", 0): 2, ("a", 1): 5, ("b", 0): 0}


def test_a_span_names_its_first_and_last_offset() -> None:
    """`until` is one past the end, which a person must not have to know."""
    assert str(Span("c", "posts", 3, 10, 12)) == "posts/3 offsets 10 to 11"
    assert Span("c", "posts", 3, 10, 12).size == 2
