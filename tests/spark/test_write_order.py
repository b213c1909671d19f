"""The order in which Spark hands rows to the writer is the one that packing asks for, whatever the names are."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark import TaskContext

from drinkstream.cells import unpack
from drinkstream.packed import part_rows
from jobs.write_cells import cells_of, ordered

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NOON_MS = 1_505_390_400_000  # 2017-09-14T12:00:00Z
FRAME = "minute long, category string, brand string, source string, kind string, lang string, shard short, id string"
NAMES = ("", "*", "Nescafe", "nescafé", "咖啡", "\uffee", "\U0001f37a")
"""Their order by UTF-16 is another one than by code points."""


def test_the_cells_of_an_hour_and_category_come_together_and_in_order(spark: "SparkSession"):
    chance = random.Random(5)
    rows: set[tuple[Any, ...]] = set()
    for number in range(3000):
        minute = NOON_MS + chance.randrange(180) * 60_000
        category, brand, kind = (chance.choice(NAMES) for _ in range(3))
        rows.add((minute, category, brand, "x", kind, chance.choice(NAMES), chance.randrange(2), str(number)))
    cells: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for minute, category, brand, source, kind, lang, shard, post_id in rows:
        hour, at = divmod((minute - NOON_MS) // 60_000, 60)
        cells[(f"2017-09-14T{12 + hour}", category), (at, brand, source, kind, lang, shard)].add(post_id)
    mixed = sorted(rows, key=lambda _: chance.random())

    def told(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        found = list(cells_of(batches))
        # refuses a place that comes again and a key that does not lie behind the one before it
        packed = sum(1 for _ in part_rows(found))
        yield pa.RecordBatch.from_pylist(
            [
                {"task": TaskContext().partitionId(), "packed": packed, "cell": repr(cell), "ids": list(unpack(ids))}
                for *cell, ids in found
            ],
            pa.schema(
                [("task", pa.int32()), ("packed", pa.int64()), ("cell", pa.string()), ("ids", pa.list_(pa.string()))]
            ),
        )

    frame = spark.createDataFrame(mixed, FRAME).repartition(3)
    back = ordered(frame).mapInArrow(told, "task int, packed long, cell string, ids array<string>").collect()
    assert sorted((row["cell"], set(row["ids"])) for row in back) == sorted(
        (repr(list(cell)), ids) for cell, ids in cells.items()
    )
    assert {row["task"] for row in back} == {0, 1}
    # a row in the store for each hour and category, so none has cells in both tasks
    assert sum({row["task"]: row["packed"] for row in back}.values()) == len({place for place, _ in cells})
