"""What a run of a day counts, computed again from the archive in plain Python, without Spark: by the one meaning.

rows         archived records under the day and under no day, before the run's position     archive.under
candidates   the few whose bytes may name a drink, by the same scan as every layer's        hits.candidates
versions     all records about the posts of those, read by the one parser                   archive.records
cells        those of the version that the batch layer takes of each post                   standing.taken
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Protocol, TypeVar

import pyarrow as pa

from drinkstream.archive import Row
from drinkstream.cells import levels
from drinkstream.hits import candidates, mentions
from drinkstream.post import NO_DAY, Post, post_of
from drinkstream.reconcile import CellName, cells_of
from drinkstream.standing import Version, by_post, taken

ROWS_A_SCAN = 10_000
KEYS_A_QUERY = 5000

T = TypeVar("T")
Place = tuple[str, str, int, int]
Position = Mapping[str, int]
"""Next offset by `cluster/topic/partition`: what a run had read of the archive."""


class Rows(Protocol):
    """What is asked of the archive; drinkstream.archive.Archive is one."""

    def under(self, topic: str, *days: str) -> Iterator[Row]: ...
    def records(self, keys: Iterable[str], *days: str) -> list[Row]: ...


def recount(archive: Rows, topic: str, day: str, position: Position) -> dict[CellName, frozenset[str]]:
    """The ids of each cell of `day` (`YYYY-MM-DD`, UTC), of the records of `topic` before `position`.

    Raises UnavailableError where the archive cannot be read.
    """
    found: dict[CellName, set[str]] = defaultdict(set)
    for versions in _versions(archive, topic, day, position):
        for choice in taken(versions):
            if choice.day == day and choice.version is not None and isinstance(choice.version.record, Post):
                post = choice.version.record
                for cell in cells_of(post, levels(mentions(post))):
                    found[cell].add(post.id)
    return {cell: frozenset(ids) for cell, ids in found.items()}


def before(row: Row, position: Position) -> bool:
    """Whether a run with this position had read the record."""
    return row.offset < position.get(f"{row.cluster}/{row.topic}/{row.partition}", 0)


def about(rows: Iterable[Row]) -> dict[str, tuple[Version, ...]]:
    """As `by_post`, and every version counts as its post's own: the recompute does not look at the key again."""
    return {
        name: tuple(Version(replace(v.row, key=post_of(v.record) or name), v.record) for v in versions)
        for name, versions in by_post(rows).items()
    }


def _versions(archive: Rows, topic: str, day: str, position: Position) -> Iterator[tuple[Version, ...]]:
    rows: dict[Place, Row] = {}
    for part in in_parts((row for row in archive.under(topic, day, NO_DAY) if before(row, position)), ROWS_A_SCAN):
        may_hit = candidates(pa.array([row.value or b"" for row in part], pa.binary()))
        rows |= {_place(row): row for row, may in zip(part, may_hit.tolist(), strict=True) if may}
    named = about(rows.values())
    for names in in_parts(sorted(named), KEYS_A_QUERY):
        # what was edited away, and the orders, name no drink and lie under the same keys
        mine = {_place(row): row for row in archive.records(names, day, NO_DAY) if _counts(row, topic, position)}
        mine |= {_place(version.row): rows[_place(version.row)] for name in names for version in named[name]}
        of = about(mine.values())
        yield from (of[name] for name in names)


def _counts(row: Row, topic: str, position: Position) -> bool:
    return row.topic == topic and before(row, position)


def _place(row: Row) -> Place:
    return row.cluster, row.topic, row.partition, row.offset


def in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last one shorter."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part
