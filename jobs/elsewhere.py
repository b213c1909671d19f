"""Orders about a day's posts that lie under other days: they name, by its id, a version written after midnight."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from drinkstream.archive import Archive, Row
from drinkstream.edits import day_in
from drinkstream.post import NO_DAY
from drinkstream.standing import removes
from jobs.readings import other_ids


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The posts, as (source, id), that orders under other days remove, and by day a checksum over those orders."""

    posts: frozenset[tuple[str, str]] = frozenset()
    checksums: Mapping[str, int] = field(default_factory=dict)


def elsewhere(archive: Archive, topic: str, read: DataFrame, days: Sequence[str], edited: int) -> Elsewhere:
    """What orders under other days say of the posts of `days`, of which `read` are the readings.

    `edited` is how many readings name more than one id. The answer does not depend on which days are read together: a
    day's checksum is over all orders outside of it.
    """
    if edited == 0:
        return Elsewhere()
    outside = F.col("day").isin(*days) & (F.col("other_day") != F.col("day")) & (F.col("other_day") != NO_DAY)
    named: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in other_ids(read).where(outside).distinct().collect():
        named[f"{row['source']}:{row['other_id']}"].append((row["day"], row["source"], row["id"]))
    posts, checksums = set(), dict.fromkeys(days, 0)
    under = {day_in(key) for key in named}
    for order in archive.orders(named, *sorted(under)) if named else ():
        if order.topic == topic and removes(order.record()):
            for day, source, post_id in named[order.key or ""]:
                posts.add((source, post_id))
                checksums[day] ^= _print(order)
    return Elsewhere(frozenset(posts), checksums)


def _print(order: Row) -> int:
    place = f"{order.cluster}/{order.topic}/{order.partition}/{order.offset}/"
    return int.from_bytes(hashlib.sha256(place.encode() + (order.value or b"")).digest()[:8], "big")
