"""What a recompute has read: how many records of each kind, from where, what was rejected, and a day's fingerprint."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from drinkstream.post import NO_DAY
from jobs.ordinary import alone

SAMPLES = 20


class Read(NamedTuple):
    """What was read of one Kafka partition: records, their first and last offsets, their prints XORed, tombstones."""

    rows: int
    first: int
    last: int
    checksum: int
    tombstones: int

    def __or__(self, other: "Read") -> "Read":
        """Of other records of the same partition too."""
        first, last = min(self.first, other.first), max(self.last, other.last)
        checksum, tombstones = self.checksum ^ other.checksum, self.tombstones + other.tombstones
        return Read(self.rows + other.rows, first, last, checksum, tombstones)


class Counted(NamedTuple):
    """Records by (what, day), day '' for what is no post; what was read, by (stored, cluster, partition).

    And how many readings are `alone` (jobs/ordinary.py), and how many name several ids.
    """

    records: dict[tuple[str, str], int]
    read: dict[tuple[str, str, int], Read]
    alone: int
    edited: int

    def of(self, what: str) -> int:
        """How many records are of one kind."""
        return sum(n for (kind, _), n in self.records.items() if kind == what)


def counted(read: DataFrame) -> Counted:
    """How many records of each kind and place there are, in one pass."""
    rows = (
        read.groupBy("what", F.coalesce("day", F.lit("")).alias("day"), "stored", "cluster", "partition")
        .agg(
            F.sum("n").alias("n"),
            F.min("offset").alias("first"),
            F.max("last").alias("last"),
            F.bit_xor("print").alias("checksum"),
            F.count_if(alone()).alias("alone"),
            F.count_if(F.size("others") > 0).alias("edited"),
        )
        .collect()
    )
    records: defaultdict[tuple[str, str], int] = defaultdict(int)
    places: dict[tuple[str, str, int], Read] = {}
    for row in rows:
        records[row["what"], row["day"]] += row["n"]
        place = row["stored"], row["cluster"], row["partition"]
        tombstones = row["n"] if row["what"] == "tombstone" else 0
        mine = Read(row["n"], row["first"], row["last"], row["checksum"] & (2**64 - 1), tombstones)
        places[place] = places[place] | mine if place in places else mine
    single, edited = (sum(row[name] for row in rows) for name in ("alone", "edited"))
    return Counted(dict(records), places, single, edited)


def rejections(read: DataFrame) -> dict[tuple[str, str], tuple[int, list[str]]]:
    """Rejected records by (archive partition, reason): how many, and the places of the first as 'partition:offset'."""
    rejected = read.where(F.col("what") == "rejected").select(
        "stored", F.col("detail").alias("reason"), F.struct("partition", "offset").alias("place")
    )
    # there may be millions: only the first are gathered
    at = F.row_number().over(Window.partitionBy("stored", "reason").orderBy("place"))
    first = rejected.withColumn("first", F.when(at <= SAMPLES, F.col("place")))
    rows = first.groupBy("stored", "reason").agg(
        F.count(F.lit(1)).alias("n"), F.sort_array(F.collect_list("first")).alias("places")
    )
    return {
        (row["stored"], row["reason"]): (
            row["n"],
            [f"{place['partition']}:{place['offset']}" for place in row["places"]],
        )
        for row in rows.collect()
    }


def fingerprints(counts: Counted, names: Sequence[str], outside: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """What each day's run was computed from: rows, offset ranges, tombstones and a checksum over places and bytes.

    Two runs with equal fingerprints and meaning have equal rows, whatever was read with them. The records without a day
    belong to every day; `outside` are checksums by day of the tombstones that lie under other days.
    """
    prints = {}
    for name in names:
        mine = {place: read for place, read in sorted(counts.read.items()) if place[0] in (name, NO_DAY)}
        checksum = outside.get(name, 0)
        for read in mine.values():
            checksum ^= read.checksum
        prints[name] = {
            "rows": sum(read.rows for read in mine.values()),
            "offsets": {"/".join(map(str, place)): [read.first, read.last] for place, read in mine.items()},
            "tombstones": sum(read.tombstones for read in mine.values()),
            "checksum": f"{checksum:016x}",
        }
    return prints
