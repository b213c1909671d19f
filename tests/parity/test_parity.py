"""One meaning: each literal case goes through plain Python, batch Spark and stream Spark, and gives the same cells."""

import json
import tomllib
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drinkstream.hits import mentions
from drinkstream.post import Post, parse_keyed
from tests.lib.archived import archive, row

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "cases.toml").read_text())["case"]
APPEND_MS = 1_505_400_000_000
MINUTE_MS = 1_505_386_800_000  # 2017-09-14T11:00:00Z
FIRST_ID = (MINUTE_MS - 1_288_834_974_657) << 22

Cells = dict[tuple[str, str, str], frozenset[str]]
"""(category, brand, lang) -> ids"""


def line(number: int, case: dict[str, Any]) -> tuple[bytes, bytes]:
    """A case as a record: its key and an X v2 line, half of them with non-ASCII characters escaped."""
    post_id = str(FIRST_ID + number)
    data = {"id": post_id, "text": case["text"], "edit_history_tweet_ids": [post_id]}
    if case.get("lang"):
        data["lang"] = case["lang"]
    return f"x:{post_id}".encode(), json.dumps({"data": data}, ensure_ascii=number % 2 == 0).encode()


def pairs(case: dict[str, Any]) -> set[tuple[str | None, str | None]]:
    return {(category or None, brand or None) for category, brand in case["expect"]}


def expected() -> Cells:
    """The cells that the cases' own labels make, by the five levels, written out here once more."""
    ids: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for number, case in enumerate(CASES):
        for category, brand in pairs(case):
            levels = {("*", ""), (category, "")} if category else set()
            levels |= {("*", "*"), ("*", brand)} if brand else set()
            levels |= {(category, brand)} if category and brand else set()
            for level in levels:
                ids[(*level, case.get("lang") or "und")].add(str(FIRST_ID + number))
    return {cell: frozenset(found) for cell, found in ids.items()}


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{n}-{CASES[n]['text'][:30]}")
def test_plain_python(number: int):
    key, value = line(number, CASES[number])
    post = parse_keyed(value, key.decode(), APPEND_MS)
    assert isinstance(post, Post)
    assert set(mentions(post)) == pairs(CASES[number])


def test_batch_spark(spark: "SparkSession", tmp_path: Path):
    from drinkstream.cells import unpack
    from jobs.lines import Lines
    from jobs.readings import level_rows, posts, readings, removed
    from jobs.write_cells import cells_of, ordered

    appended = datetime.fromtimestamp(APPEND_MS / 1000, UTC)
    made = [line(n, case) for n, case in enumerate(CASES)]
    records = [row(n, key=key.decode(), value=value, append_ts=appended) for n, (key, value) in enumerate(made)]
    lines = Lines(spark, archive(tmp_path / "archive", records), "posts", ["2017-09-14"])
    read = readings(lines)
    rows = ordered(level_rows(posts(lines, read, removed(read)))).toArrow()
    found = {
        (category, brand, lang): frozenset(unpack(ids))
        for (_, category), (_, brand, _, _, lang, _), ids in cells_of(rows.to_batches())
    }
    assert found == expected()


def test_stream_spark(spark: "SparkSession", tmp_path: Path):
    from drinkstream.settings import Settings
    from streaming.jvm_prefilter import sought
    from streaming.speed import cells, drink_posts
    from streaming.upserts import cell_rows

    rows = [line(n, case) for n, case in enumerate(CASES)]
    frame = spark.createDataFrame(
        [(key.decode(), bytearray(value)) for key, value in rows], "key string, value binary"
    ).selectExpr("key", "value", f"timestamp_millis({APPEND_MS}) AS append")
    frame.write.parquet(str(tmp_path / "records"))
    found: Cells = {}

    def keep(batch: "DataFrame", _: int) -> None:
        from drinkstream.cells import unpack

        for part in batch.toArrow().to_batches():
            for cell in cell_rows(part):
                found[cell.category, cell.brand, cell.lang] = frozenset(unpack(cell.ids))

    records = spark.readStream.schema(frame.schema).parquet(str(tmp_path / "records"))
    settings = Settings.load().model_copy(update={"home": tmp_path})
    query = (
        cells(drink_posts(sought(records, settings)), 600)
        .writeStream.outputMode("update")
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .foreachBatch(keep)
        .start()
    )
    assert query.awaitTermination(300)
    assert found == expected()
