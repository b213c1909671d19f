"""Medians, spreads, percentiles and verdicts; and which kept rows still stand."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.figures import Asked, Measured, differences, percentile, rounded, table
from bench.kept import Kept, code
from bench.rows import cost


def test_a_row_is_the_median_of_its_runs_with_the_least_and_the_greatest():
    peer = Measured((80.0,), "posts/s", ("beer/: 3 instead of 4",))
    row = Measured((130_001.4, 90_000.0, 120_000.0), "posts/s", (), {"bytes_per_post": 433}, {"other": peer})
    assert row.entry() == {
        "value": 120_000,
        "unit": "posts/s",
        "spread": [90_000, 130_001],
        "runs": [130_001, 90_000, 120_000],
        "correct": True,
        "bytes_per_post": 433,
        "peers": {
            "other": {
                "value": 80.0,
                "unit": "posts/s",
                "spread": [80.0, 80.0],
                "runs": [80.0],
                "correct": False,
                "wrong": ["beer/: 3 instead of 4"],
                "peers": {},
            }
        },
    }
    assert row.faults == ("other: beer/: 3 instead of 4",)


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.01, 1.0), (0.5, 50.0), (0.501, 51.0), (0.99, 99.0), (1.0, 100.0)]
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(share: float, expected: float):
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_a_percentile_of_few_values_is_one_of_them_and_of_none_a_mistake():
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([1.0, 2.0, 3.0], 0.99) == 3.0
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (9.2587, 9.259), (0.00123456, 0.001235), (146_649.7, 146_650)])
def test_a_figure_is_kept_with_four_digits_or_whole(value: float, expected: float):
    assert rounded(value) == expected


@pytest.mark.parametrize(
    ("asked", "value", "verdict"),
    [
        (Asked(100, 200), 99.9, "below"),
        (Asked(100, 200), 100, "must"),
        (Asked(100, 200), 200, "aim"),
        (Asked(10, 6, most=True), 10.1, "below"),
        (Asked(10, 6, most=True), 10, "must"),
        (Asked(10, 6, most=True), 6, "aim"),
        (Asked(), 5, "-"),
    ],
)
def test_a_figure_is_held_against_what_is_asked_for(asked: Asked, value: float, verdict: str):
    assert asked.verdict(value) == verdict


def test_every_count_that_is_wrong_is_named():
    expected = {("beer", ""): 4, ("tea", ""): 2}
    assert differences(expected, {("beer", ""): 3, ("tea", ""): 2, ("wine", ""): 1}) == (
        "beer/: 3 instead of 4",
        "wine/: 1 instead of 0",
    )
    assert differences(expected, dict(expected)) == ()


def test_the_table_shows_what_is_reached_and_what_is_wrong():
    row = Measured(
        (150_000.0,), "posts/s", ("beer/: 3 instead of 4",), peers={"other": Measured((90_000.0,), "posts/s")}
    )
    text = table({"drain": row.entry()}, {"drain": Asked(143_199, 286_398)})
    lines = [line.split() for line in text.splitlines()]
    assert lines[1] == "drain 150,000 150,000 - 150,000 143,199 286,398 must WRONG posts/s".split()
    assert lines[2] == "other 90,000 90,000 - 90,000 - - - right posts/s".split()


def test_what_is_asked_of_figures_beside_a_value_is_kept_and_shown_with_whether_it_is_reached():
    asked = Asked(1.5, 1.0, most=True, beside={"cores": Asked(None, 0.5, most=True), "hits_per_s": Asked(10, 20)})
    entry = Measured((1.1,), "s", beside={"cores": 0.82, "hits_per_s": 10}).entry()
    assert asked.entry(entry) == {
        **{"must": 1.5, "aim": 1.0, "reached": "must"},
        "cores": {"must": None, "aim": 0.5, "reached": "below"},
        "hits_per_s": {"must": 10, "aim": 20, "reached": "must"},
    }
    lines = [line.split() for line in table({"freshness": entry}, {"freshness": asked}).splitlines()]
    assert lines[2:] == ["cores 0.82 - 0.5 below".split(), "hits_per_s 10 10 20 must".split()]


def test_a_row_stands_while_code_sizes_and_machine_are_the_same(tmp_path: Path):
    file = tmp_path / "bench" / "latest.json"
    marks = {"code": "c1", "settings": {"posts": 5}, "machine": {"cores": 2}}
    kept = Kept(file)
    assert not kept.stands("drain", marks)
    kept.put("drain", {**Measured((1.0,), "posts/s").entry(), **marks})
    again = Kept(file)
    assert again.stands("drain", marks)
    assert again.get("drain")["value"] == 1.0
    for changed in ({"code": "c2"}, {"settings": {"posts": 6}}, {"machine": {"cores": 4}}):
        assert not again.stands("drain", {**marks, **changed})
    assert not again.stands("cost", marks)


def test_a_row_with_wrong_counts_never_stands(tmp_path: Path):
    kept = Kept(tmp_path / "latest.json")
    kept.put("drain", Measured((1.0,), "posts/s", ("beer/: 3 instead of 4",)).entry())
    assert not kept.stands("drain", {})


def test_a_row_with_wrong_counts_of_a_peer_never_stands(tmp_path: Path):
    kept = Kept(tmp_path / "latest.json")
    wrong = Measured((1.0,), "posts/s", ("beer/: 3 instead of 4",))
    right = Measured((1.0,), "posts/s")
    kept.put("drain", Measured((1.0,), "posts/s", peers={"some": right, "other": wrong}).entry())
    assert not kept.stands("drain", {})
    kept.put("drain", Measured((1.0,), "posts/s", peers={"some": right, "other": right}).entry())
    assert kept.stands("drain", {})


def drained(core_us: float, *wrong: str, peer_us: float = 0.0) -> dict[str, Any]:
    """A kept drain, with one peer where that has a figure."""
    beside = {"core_us_runs": [core_us, core_us]}
    peers = {"other": Measured((1.0,), "posts/s", beside={"core_us_runs": [peer_us]})} if peer_us else {}
    return Measured((1.0, 1.0), "posts/s", wrong, beside, peers).entry()


def test_the_cost_of_wrong_counts_is_wrong_in_either_drain():
    right, wrong = drained(5.0), drained(40.0, "beer/: 3 instead of 4")
    assert cost(None, None, {"drain": right, "drain_all_hits": right}).entry()["correct"]  # type: ignore[arg-type]
    for kept in ({"drain": wrong, "drain_all_hits": right}, {"drain": right, "drain_all_hits": wrong}):
        entry = cost(None, None, kept).entry()  # type: ignore[arg-type]
        assert (entry["correct"], entry["wrong"]) == (False, ["beer/: 3 instead of 4"])


def test_the_cost_of_peers_stands_beside_ours_in_both_drains():
    kept = {"drain": drained(5.0, peer_us=3.0), "drain_all_hits": drained(40.0, peer_us=20.0)}
    entry = cost(None, None, kept).entry()  # type: ignore[arg-type]
    hits = entry["also"]["every post names a drink"]
    assert (entry["value"], entry["peers"]["other"]["value"]) == (5.0, 3.0)
    assert (hits["value"], hits["must"], hits["aim"], hits["peers"]["other"]["value"]) == (40.0, 45, 25, 20.0)


def test_a_row_leaves_the_others_as_they_are(tmp_path: Path):
    file = tmp_path / "latest.json"
    Kept(file).put("drain", {"value": 1})
    Kept(file).put("cost", {"value": 2})
    assert json.loads(file.read_text()) == {"drain": {"value": 1}, "cost": {"value": 2}}


def test_a_change_of_the_code_is_another_code(tmp_path: Path):
    (tmp_path / "drinkstream").mkdir()
    (tmp_path / "requirements.lock").write_text("")
    module = tmp_path / "drinkstream" / "cells.py"
    module.write_text("a = 1\n")
    before = code(tmp_path)
    (tmp_path / "drinkstream" / "notes.txt").write_text("no code")
    assert code(tmp_path) == before
    module.write_text("a = 2\n")
    assert code(tmp_path) != before


def test_a_figure_beside_another_is_kept_with_it_and_its_wrong_counts_are_told_of_both():
    other = Measured((3.0, 1.0, 2.0), "posts/s", ("beer: 1 instead of 2",))
    both = Measured((9.0,), "posts/s", ("tea: 0 instead of 1",), {"posts": 7}).beside_it("others", other)
    assert both.faults == ("tea: 0 instead of 1", "beer: 1 instead of 2")
    entry = both.entry()
    assert (entry["value"], entry["posts"], entry["correct"]) == (9.0, 7, False)
    assert (entry["also"]["others"]["value"], entry["also"]["others"]["correct"]) == (2.0, False)
    assert list(both.beside_it("more", other).entry()["also"]) == ["others", "more"]
