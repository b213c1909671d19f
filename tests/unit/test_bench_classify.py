"""The rates of prefilter and classifier are kept with whether they found what is there, beside the other rows."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import classify
from bench.figures import Measured
from drinkstream.command import exit_code


class Prefilter:
    """Lets the first line of each batch through."""

    def __init__(self, _: object) -> None:
        pass

    def candidates(self, _: memoryview, offsets: Any) -> Any:
        return np.arange(len(offsets) - 1) == 0


@pytest.mark.parametrize(
    ("named", "wrong"), [(0, ()), (1, ()), (2, ("1 v2 lines that name a drink are not let through",))]
)
def test_a_line_that_names_a_drink_must_be_let_through(
    named: int, wrong: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "Prefilter", Prefilter)
    monkeypatch.setattr(classify, "raw_lines", lambda *_: iter([(b"{%d}" % n, n < named) for n in range(4)]))
    monkeypatch.setattr(classify, "_cpu_s", lambda _: 2.0)
    found = classify.prefilter_rates("v2 lines", 4, 1)
    assert (found.runs, found.wrong) == ((2.0,), wrong)
    assert found.beside == {"let_through": 0.25, "bytes_per_post": 3}


def test_the_figures_are_kept_beside_the_others_and_wrong_ones_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {
        "prefilter": Measured((5.0,), classify.UNIT, ("2 v2 lines",), {"let_through": 0.04}),
        "classifier": Measured((7.0,), classify.UNIT, (), {"compiled": True, "memory_mib": 150}),
    }
    monkeypatch.setattr(classify, "measured", lambda *_: rows)
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    file = tmp_path / "bench" / "latest.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"drain": {"value": 1}}))
    assert exit_code(classify.main, [], "classify") == 6
    assert "2 v2 lines" in capsys.readouterr().err
    kept = json.loads(file.read_text())
    assert kept["drain"] == {"value": 1}
    assert {name: kept[name]["correct"] for name in rows} == {"prefilter": False, "classifier": True}
