"""The sets of ids that Spark's JVM makes and packs are those that cells.py packs, byte for byte."""

import random
from typing import TYPE_CHECKING

from drinkstream.cells import pack
from streaming.id_sets import packed_ids

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LARGEST = 2**63 - 1


def groups() -> list[list[int | None]]:
    """Ids of many groups, as they may come: none, one, the least and the greatest, near and far, again and again."""
    random_ = random.Random(7)
    made: list[list[int | None]] = [[], [None], [0], [LARGEST], [0, LARGEST], [LARGEST, None, 0, LARGEST], [5] * 9]
    # neighbours at each width of a difference, and one beside it
    made += [[3, 3 + (1 << bits) + beside] for bits in range(62) for beside in (-1, 0, 1)]
    for size in (7, 8, 9, 100, 100_000):
        for most in (size // 2, size * 100, LARGEST):
            ids: list[int | None] = [random_.randrange(most + 1) for _ in range(size)]
            made += [ids, [*ids, *sorted(filter(None, ids)), None]]
    return made


def test_they_are_those_of_the_codec(spark: "SparkSession"):
    """From several tasks each, so that what goes over the shuffle is merged: the state goes the same way."""
    wanted = groups()
    rows = [(number, one) for number, ids in enumerate(wanted) for one in [None, *ids]]
    random.Random(8).shuffle(rows)
    frame = spark.createDataFrame(rows, "number int, id long").repartition(3)
    found = frame.groupBy("number").agg(packed_ids(spark, "id").alias("packed")).collect()
    assert {row["number"]: bytes(row["packed"]) for row in found} == {
        number: pack(str(one) for one in ids if one is not None) for number, ids in enumerate(wanted)
    }
