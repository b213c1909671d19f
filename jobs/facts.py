"""What the archive knows of the posts that one layer lacks: their versions as the installed code reads them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from datetime import date
from itertools import islice

from drinkstream.archive import Archive, Row
from drinkstream.cells import levels
from drinkstream.hits import mentions
from drinkstream.post import NO_DAY, Post, Rejected, Tombstone, day_of, parse_keyed
from drinkstream.reconcile import Known, Place, PostName, Version, cells_of
from drinkstream.standing import removes

KEYS_A_QUERY = 5000
"""Keys that one question to the archive names: each question reads the day's files once."""


def gather(
    archive: Archive,
    topic: str,
    day: date,
    names: Collection[PostName],
    rejected: Collection[tuple[int, int]],
    read: MutableMapping[Place, Post] | None = None,
) -> Mapping[PostName, Known]:
    """What the archive holds of these posts under `day` and under no day, which is where a run of the day looks.

    `rejected`: places (partition, offset) of records that the run rejected. A post without records is not in it. `read`
    takes what each version was read as, for those who need more than its cells.
    """
    versions: dict[PostName, list[Version]] = defaultdict(list)
    removed: dict[PostName, list[Place]] = defaultdict(list)
    erased: set[PostName] = set()
    for row in _rows(archive, day, names):
        if row.topic != topic or row.key is None:
            continue
        source, _, post_id = row.key.partition(":")
        place = Place(row.cluster, row.topic, row.partition, row.offset)
        then = (row.shape or "").startswith("rejected.") or (row.partition, row.offset) in rejected
        match parse_keyed(row.value or b"", row.key, row.append_ms):
            case Post() as post:
                if day_of(post.event_ms) == str(day):
                    cells = cells_of(post, levels(mentions(post)))
                    version = Version(place, row.append_ms, post.edited, cells, rejected_then=then)
                    if read is not None:
                        read[place] = post
                    versions[post.source, post.id].append(version)
            case Tombstone() as order:
                if removes(order):
                    removed[order.source, order.id].append(place)
                if order.action == "erase":
                    erased.add((order.source, order.id))
            case Rejected():
                versions[source, post_id].append(Version(place, row.append_ms, readable=False, rejected_then=then))
    return {
        name: Known(tuple(versions[name]), tuple(removed[name]), name in erased)
        for name in versions.keys() | removed.keys()
    }


def _rows(archive: Archive, day: date, names: Collection[PostName]) -> Iterator[Row]:
    # all versions of a post, and the orders about it, have its key
    left = iter(sorted(f"{source}:{post_id}" for source, post_id in names))
    while keys := list(islice(left, KEYS_A_QUERY)):
        for stored in (str(day), NO_DAY):
            yield from archive.records(keys, stored)
