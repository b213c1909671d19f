"""What the archive knows of the posts that one layer lacks: their versions as the installed code reads them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, MutableMapping
from datetime import date
from itertools import islice

from drinkstream.archive import Archive, Row
from drinkstream.cells import levels
from drinkstream.edits import other_keys
from drinkstream.hits import mentions
from drinkstream.post import NO_DAY, Post, Rejected, Tombstone, day_of, post_of
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
    versions: dict[str, list[Version]] = defaultdict(list)
    naming: dict[str, dict[str, list[Place]]] = defaultdict(lambda: defaultdict(list))
    orders: dict[str, list[Place]] = defaultdict(list)
    erased: set[str] = set()
    for row in _rows(archive, day, names):
        if row.topic != topic or row.key is None:
            continue
        place = Place(row.cluster, row.topic, row.partition, row.offset)
        then = (row.shape or "").startswith("rejected.") or (row.partition, row.offset) in rejected
        record = row.record()
        name = post_of(record) or row.key
        match record:
            case Post() as post:
                if day_of(post.event_ms) == str(day):
                    cells = cells_of(post, levels(mentions(post)))
                    version = Version(place, row.append_ms, post.edited, cells, rejected_then=then)
                    if read is not None:
                        read[place] = post
                    versions[name].append(version)
                    for other in other_keys(post):
                        naming[name][other].append(place)
            case Tombstone() as order:
                if removes(order):
                    orders[name].append(place)
                if order.action == "erase":
                    erased.add(name)
            case Rejected():
                versions[name].append(Version(place, row.append_ms, readable=False, rejected_then=then))
    found = {}
    for source, post_id in names:
        name = f"{source}:{post_id}"
        by_id = tuple((place, tuple(by)) for other, by in naming[name].items() for place in orders[other])
        known = Known(tuple(versions[name]), tuple(orders[name]), name in erased, by_id)
        if known != Known():
            found[source, post_id] = known
    return found


def _rows(archive: Archive, day: date, names: Collection[PostName]) -> Iterator[Row]:
    # all versions of a post, and the orders about it, have its key, or name an id that a version has
    left = iter(sorted(f"{source}:{post_id}" for source, post_id in names))
    while keys := list(islice(left, KEYS_A_QUERY)):
        yield from archive.records(keys, str(day), NO_DAY)
