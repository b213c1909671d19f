"""The prefilter's first scan in the JVM lets through all that Python would take, and little else."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from drinkstream.hits import candidates
from drinkstream.settings import Settings
from streaming import jvm_prefilter
from streaming.jvm_prefilter import sought
from tests.lib.labelled import labelled
from tests.lib.prefilter import shared

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TALK = ["nothing to see here", "the meeting was long", "Wir fahren morgen nach Hause", "お元気ですか", "مرحبا"]


def lines() -> list[bytes | None]:
    """Every labelled post as its line may come, in UTF-8 and in escapes, then talk, and what is no line."""
    texts = [post.text for post in labelled()] + TALK * 20
    made: list[bytes | None] = []
    for n, text in enumerate(texts):
        made.append(json.dumps({"data": {"id": str(n), "text": text}}, ensure_ascii=False).encode())
        made.append(json.dumps({"id": n, "text": text, "user": {"name": "n"}}).replace("/", "\\/").encode())
    return [*made, None, b"", b"coffee", b"\xff\xfe", b'{"text":"' + b"la " * 300_000 + b'coffee"}', b"{" * 70_000]


def passed(spark: "SparkSession", settings: Settings, values: list[bytes | None]) -> list[bool]:
    """By line, whether it goes to Python."""
    rows = [(n, None if value is None else bytearray(value)) for n, value in enumerate(values)]
    frame = spark.createDataFrame(rows, "n long, value binary").repartition(4)
    numbers = {row["n"] for row in sought(frame, settings).select("n").collect()}
    return [n in numbers for n in range(len(values))]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load().model_copy(update={"home": shared(tmp_path)})


def test_no_candidate_is_lost(spark: "SparkSession", settings: Settings, capfd: pytest.CaptureFixture[str]):
    values = lines()
    wanted = candidates(pa.array(values, pa.binary())).tolist()
    found = passed(spark, settings, values)
    assert capfd.readouterr().out == "", "it must run in the JVM here"
    assert [values[n] for n in range(len(values)) if wanted[n] and not found[n]] == []
    assert sum(wanted) > 1500
    # half of the labelled posts name no drink, and of those and of talk most stay out
    assert found.count(False) > 0.5 * wanted.count(False)
    assert not any(found[-46:-6])


def test_without_hyperscan_all_lines_go_to_python(
    spark: "SparkSession", settings: Settings, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """It says so, where its database cannot be read there."""
    monkeypatch.setattr(jvm_prefilter, "database", lambda *_: b"of another version")
    assert passed(spark, settings, [b"{}", b"coffee"]) == [True, True]
    assert "prefilter: not in the JVM, Hyperscan does not run there" in capfd.readouterr().out
