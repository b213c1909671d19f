"""What the archived records of a post make of it: which version the batch layer takes, which text may be shown. Pure.

The same rules as the recompute's, which applies them to all posts of a day at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from drinkstream.archive import Row
from drinkstream.edits import day_in, named, other_keys, targets
from drinkstream.post import (
    NO_DAY,
    REMOVING,
    Post,
    Record,
    Rejected,
    Tombstone,
    day_of,
    detail_of,
    post_of,
    unread,
)

NOT_ARCHIVED = "no record of it is in the archive: it is not archived yet"
ERASED_FOR_GOOD = "it was removed from the archive for good"


@dataclass(frozen=True, slots=True)
class Version:
    """One archived record and what it is read as."""

    row: Row
    record: Record

    @property
    def own(self) -> bool:
        """Whether the record is about the post that its key names. Another program may have sent one that is not.

        A key that names none, since the line could not be read when it came, leaves it to the line.
        """
        about = post_of(self.record)
        return about is not None and (self.row.key == about or unread(self.row.key))

    def of(self, day: str) -> bool:
        """Whether a recompute of `day` reads it: it lies under that day, or under the one of no day.

        An order also where its id belongs: a recompute looks there for those about the posts of its day.
        """
        if self.row.day in (day, NO_DAY):
            return True
        return isinstance(self.record, Tombstone) and self.row.day == day_in(f"{self.record.source}:{self.record.id}")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a recompute of `day` makes of a post: the version that it counts (None: it leaves the post out), and why."""

    day: str
    version: Version | None
    why: str


@dataclass(frozen=True, slots=True)
class Text:
    """A post's text, or why there is none.

    `state`: shown, withheld (by an order), erased (from the archive), or absent (not to be had).
    """

    state: Literal["shown", "withheld", "erased", "absent"]
    text: str | None
    why: str | None


def read(rows: Iterable[Row]) -> tuple[Version, ...]:
    """The records in the order of arrival (append time, partition, offset), each read by the one parser."""
    ordered = sorted(rows, key=lambda row: (row.append_ms, row.partition, row.offset))
    return tuple(Version(row, row.record()) for row in ordered)


def by_post(rows: Iterable[Row]) -> dict[str, tuple[Version, ...]]:
    """The versions of, and orders about, each post by `source:id`, in the order of arrival.

    It goes by what a line says where its key says otherwise, as the recompute does: a line that could not be read when
    it came has a key that names no post. What is about no post stands under its key, if it has one. An order that names
    a later version by its own id stands with the post, and under that id.
    """
    found: dict[str, list[Version]] = defaultdict(list)
    versions = read(rows)
    known = named(version.record for version in versions)
    for version in versions:
        if isinstance(version.record, Tombstone):
            names = targets(version.record, known)
        else:
            name = post_of(version.record) or version.row.key
            names = frozenset() if name is None else frozenset([name])
        for one in names:
            found[one].append(version)
    return {name: tuple(versions) for name, versions in found.items()}


def taken(versions: Sequence[Version]) -> tuple[Taken, ...]:
    """For each event day of a post's versions, which one the batch layer takes, by day.

    The last one marked as an edit if there is one, else the first; none where a delete or a withholding in all
    countries is among the records, whichever came first, that has the post's key or names an id which a version has.
    """
    about = [v for v in versions if v.own]
    days = sorted({day_of(v.record.event_ms) for v in about if isinstance(v.record, Post)})
    return tuple(_taken(day, about) for day in days)


def text_of(versions: Sequence[Version]) -> Text:
    """The text that may be shown of a post, given all its archived records: that of the version that is taken."""
    if not versions:
        return Text("absent", None, NOT_ARCHIVED)
    orders = [v.record for v in versions if v.own and isinstance(v.record, Tombstone)]
    if any(found.action == "erase" for found in orders):
        return Text("erased", None, ERASED_FOR_GOOD)
    hiding = [found for found in orders if found.action != "scrub_geo"]
    if hiding:
        return Text("withheld", None, " and ".join(dict.fromkeys(order(found) for found in hiding)))
    for choice in taken(versions):
        if choice.version is not None and isinstance(choice.version.record, Post):
            return Text("shown", choice.version.record.text, None)
    return Text("absent", None, _unread(versions))


def removes(record: Record) -> bool:
    """Whether a record is an order that leaves its post out of the batch layer's numbers."""
    return isinstance(record, Tombstone) and detail_of(record) in REMOVING


def order(tombstone: Tombstone) -> str:
    """An order in words."""
    if tombstone.action == "delete":
        return "deleted"
    if tombstone.action == "erase":
        return "erased"
    if tombstone.action == "scrub_geo":
        return "its place is to be forgotten"
    if removes(tombstone):
        return "withheld everywhere"
    return f"withheld in {', '.join(tombstone.countries)}" if tombstone.countries else "withheld"


def _taken(day: str, versions: Sequence[Version]) -> Taken:
    posts = [(v, v.record) for v in versions if v.of(day) and isinstance(v.record, Post)]
    posts = [(v, post) for v, post in posts if day_of(post.event_ms) == day]
    keys = {f"{v.record.source}:{v.record.id}" for v in versions if isinstance(v.record, Post)}
    keys.update(*(other_keys(post) for _, post in posts))
    orders = [v.record for v in versions if v.of(day) and isinstance(v.record, Tombstone) and removes(v.record)]
    orders = [found for found in orders if post_of(found) in keys]
    if orders:
        return Taken(day, None, " and ".join(dict.fromkeys(order(found) for found in orders)))
    if not posts:
        return Taken(day, None, "its record lies under another day, which a recompute of this one does not read")
    edits = [v for v, post in posts if post.edited]
    if edits:
        which = "the only edit" if len(edits) == 1 else f"the last of {len(edits)} edits"
        return Taken(day, edits[-1], f"{which} among {_deliveries(len(posts))}")
    if len(posts) == 1:
        return Taken(day, posts[0][0], "the only version")
    return Taken(day, posts[0][0], f"the first of {_deliveries(len(posts))}, none of which is marked as an edit")


def _deliveries(n: int) -> str:
    return f"{n} deliveries" if n > 1 else "one delivery"


def _unread(versions: Sequence[Version]) -> str:
    reasons = [v.record.reason for v in versions if isinstance(v.record, Rejected)]
    if reasons:
        return f"its record could not be read: {', '.join(dict.fromkeys(reasons))}"
    return "no post is among its archived records"
