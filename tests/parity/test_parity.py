"""One meaning: each literal case goes through plain Python, batch Spark and stream Spark, and gives the same cells."""

import json
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drinkstream.hits import mentions
from drinkstream.post import Post, parse_keyed
from tests.lib.archived import archive
from tests.lib.prefilter import shared

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CASES: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "cases.toml").read_text())["case"]
APPEND_MS = 1_505_400_000_000
MINUTE_MS = 1_505_386_800_000  # 2017-09-14T11:00:00Z
FIRST_ID = (MINUTE_MS - 1_288_834_974_657) << 22

Cells = dict[tuple[str, str, str], frozenset[str]]
"""(category, brand, lang) -> ids"""


def line(number: int, case: dict[str, Any]) -> tuple[bytes, bytes]:
    """A case as a record: its key (its own, or of its id) and an X v2 line, every other one without escapes."""
    post_id = str(FIRST_ID + number)
    data = {"id": post_id, "text": case["text"], "edit_history_tweet_ids": [post_id]}
    if case.get("lang"):
        data["lang"] = case["lang"]
    key = case.get("key", f"x:{post_id}").encode("latin-1")
    return key, json.dumps({"data": data}, ensure_ascii=number % 2 == 0).encode()


def records(spark: "SparkSession") -> "DataFrame":
    """The cases as Spark's Kafka source gives their records, a topic of one partition."""
    headers = [("source", b"x"), ("shape", b"post.x.v2"), ("event_ms", b"%d" % MINUTE_MS)]
    rows = [(*map(bytearray, line(n, case)), n, headers) for n, case in enumerate(CASES)]
    schema = "key binary, value binary, offset long, headers array<struct<key: string, value: binary>>"
    return spark.createDataFrame(rows, schema).selectExpr(
        "*", "'posts' AS topic", "0 AS partition", f"timestamp_millis({APPEND_MS}) AS timestamp"
    )


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
    post = parse_keyed(value, key.decode(errors="replace"), APPEND_MS)
    assert isinstance(post, Post)
    assert set(mentions(post)) == pairs(CASES[number])


def test_batch_spark(spark: "SparkSession", tmp_path: Path):
    from drinkstream.cells import unpack
    from jobs.lines import Lines
    from jobs.readings import level_rows, posts, readings, removed
    from jobs.write_cells import cells_of, ordered
    from streaming import archive as archiving

    rows = archiving.records(records(spark), "c1").toArrow().to_pylist()
    lines = Lines(spark, archive(tmp_path / "archive", rows), "posts", ["2017-09-14"])
    read = readings(lines)
    levels = ordered(level_rows(posts(lines, read, removed(read)))).toArrow()
    found = {
        (category, brand, lang): frozenset(unpack(ids))
        for (_, category), (_, brand, _, _, lang, _), ids in cells_of(levels.to_batches())
    }
    assert found == expected()


def test_stream_spark(spark: "SparkSession", tmp_path: Path):
    from drinkstream.settings import Settings
    from streaming.jvm_prefilter import sought
    from streaming.speed import cells, drink_posts, keyed
    from streaming.upserts import cell_rows

    frame = records(spark)
    frame.write.parquet(str(tmp_path / "records"))
    found: Cells = {}

    def keep(batch: "DataFrame", _: int) -> None:
        from drinkstream.cells import unpack

        for part in batch.toArrow().to_batches():
            for cell in cell_rows(part):
                found[cell.category, cell.brand, cell.lang] = frozenset(unpack(cell.ids))

    arriving = spark.readStream.schema(frame.schema).parquet(str(tmp_path / "records"))
    settings = Settings.load().model_copy(update={"home": shared(tmp_path)})
    query = (
        cells(drink_posts(sought(keyed(arriving), settings)), 600)
        .writeStream.outputMode("update")
        .option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .foreachBatch(keep)
        .start()
    )
    assert query.awaitTermination(300)
    assert found == expected()
