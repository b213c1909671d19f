"""The command: what was measured is not measured again, what a row needs comes first, a wrong count fails the run."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as bench
from bench.figures import Asked, Measured
from bench.rows import Row
from drinkstream.command import exit_code


class Rows:
    """Two rows that count how often they are measured; `second` needs `first`."""

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.wrong: tuple[str, ...] = ()

    def rows(self) -> dict[str, Row]:
        def first(*_: Any) -> Measured:
            self.measured.append("first")
            return Measured((5.0,), "posts/s", self.wrong)

        def second(_: Any, __: Any, kept: Any) -> Measured:
            self.measured.append("second")
            return Measured((kept["first"]["value"] * 2,), "posts/s")

        return {
            "first": Row("a row", Asked(4, 6), first, ("posts",)),
            "second": Row("another", Asked(), second, (), needs=("first",)),
        }


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Rows]:
    made = Rows()
    monkeypatch.setattr(bench, "ROWS", made.rows())
    # the command's own choices are those of the rows that there are
    monkeypatch.setattr(bench.main.params[0], "type", bench.click.Choice(["first", "second"]))
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    cores = os.sched_getaffinity(0)
    yield made
    os.sched_setaffinity(0, cores)


def call(*arguments: str) -> int:
    return exit_code(bench.main, ["--cores", "1", *arguments], "bench")


def test_a_row_is_measured_once_and_again_only_when_asked_to_or_in_another_size(rows: Rows):
    assert call("first") == 0
    assert call("first") == 0
    assert rows.measured == ["first"]
    assert call("--posts", "7", "first") == 0
    assert call("--posts", "7", "--anew", "first") == 0
    assert rows.measured == ["first"] * 3


def test_what_a_row_needs_is_measured_before_it_and_only_if_it_was_not(rows: Rows, tmp_path: Path):
    assert call("second") == 0
    assert rows.measured == ["first", "second"]
    assert call("--anew", "second") == 0
    assert rows.measured == ["first", "second", "second"]
    kept = json.loads((tmp_path / "bench" / "latest.json").read_text())
    assert (kept["first"]["value"], kept["second"]["value"]) == (5.0, 10.0)
    assert kept["first"]["settings"] == {"posts": 20_000_000}
    assert {"machine", "versions", "code", "at", "unit", "spread", "runs", "correct", "peers"} <= kept["first"].keys()


def test_a_row_that_needs_another_is_measured_again_once_that_one_was(rows: Rows, tmp_path: Path):
    assert call("second") == 0
    assert call("--anew", "first") == 0
    assert call("second") == 0
    assert rows.measured == ["first", "second", "first", "second"]
    assert call("second") == 0
    assert rows.measured == ["first", "second", "first", "second"]
    assert call("--posts", "7", "second") == 0
    assert rows.measured[4:] == ["first", "second"]
    kept = json.loads((tmp_path / "bench" / "latest.json").read_text())
    assert kept["second"]["needs"] == {"first": {"at": kept["first"]["at"], "settings": {"posts": 7}}}


def test_a_wrong_count_fails_the_run_says_what_is_wrong_and_is_measured_again(
    rows: Rows, capsys: pytest.CaptureFixture[str]
):
    rows.wrong = ("beer/: 3 instead of 4",)
    assert call() == 6
    said = capsys.readouterr()
    assert "first: beer/: 3 instead of 4" in said.err
    assert "WRONG" in said.out
    assert rows.measured == ["first", "second"]
    rows.wrong = ()
    assert call() == 0
    # with it what was taken from it
    assert rows.measured == ["first", "second", "first", "second"]


def test_the_versions_of_peers_are_kept_where_they_are_measured(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bench, "ROWS", {"first": replace(rows.rows()["first"], peers=True)})
    monkeypatch.setattr(bench.environment, "versions", lambda: {"duckdb": "2.0"})
    for arguments, expected in ((("first",), {"duckdb": "2.0"}), (("--no-peers", "first"), None)):
        assert call(*arguments) == 0
        kept = json.loads((tmp_path / "bench" / "latest.json").read_text())["first"]
        assert kept.get("peer_versions") == expected


def test_small_sizes_are_kept_apart_from_the_figures(rows: Rows, tmp_path: Path):
    assert call("--small", "first") == 0
    assert [path.name for path in (tmp_path / "bench").glob("*.json")] == ["small.json"]
    assert rows.measured == ["first"]


def test_a_row_that_there_is_not_and_more_cores_than_there_are_are_refused(
    rows: Rows, capsys: pytest.CaptureFixture[str]
):
    assert call("third") == 2
    assert exit_code(bench.main, ["--cores", "4096", "first"], "bench") == 2
    assert "take --cores" in capsys.readouterr().err
    assert rows.measured == []


def test_the_list_measures_nothing(rows: Rows, capsys: pytest.CaptureFixture[str]):
    assert call("--list") == 0
    assert "another" in capsys.readouterr().out
    assert rows.measured == []
