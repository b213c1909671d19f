"""The four things that a line can be, and what a collector sends of it. Import them from `drinkstream.post`."""

from typing import Literal

import msgspec

REASONS = ("cut_off", "encoding", "id", "internal", "key", "not_json", "shape", "time", "too_deep", "too_large")
"""Every reason that a record can be rejected for; `key`: a post whose Kafka key does not say its source."""

EVERYWHERE = frozenset({"XX", "XY"})
"""Country codes of a withholding in all countries; any other hides only the text."""

REMOVING = ("delete", "withheld.everywhere", "erase")
"""Details of the orders that leave a post out of the batch layer's numbers."""

PostKind = Literal["repost", "quote", "reply", "original"]
Action = Literal["delete", "scrub_geo", "withheld", "erase"]

ERASED = b'{"erased":{}}'
"""What stands in the archive in place of an erased record's value: an order to leave out the post of its key."""


class Post(msgspec.Struct, frozen=True, gc=False):
    """One delivered version of a post."""

    source: str  # the network that owns the id
    id: str  # first id of its edit history: all versions of a post share it
    version: str  # the id as delivered
    event_ms: int  # when the post was made, milliseconds since 1970 UTC
    lang: str  # BCP 47, one spelling; "und" where the network does not say
    kind: PostKind
    text: str  # long form, HTML entities resolved; a repost's is the reposted post's where the line carries it
    hashtags: tuple[str, ...]  # as written, without "#", of the same post as `text`
    place: str | None  # the network's id of the place
    edited: bool  # this version is a later one of its history
    others: tuple[str, ...] = ()  # ids besides `id` that the line names as the post's: its own version's, its history's


class Tombstone(msgspec.Struct, frozen=True, gc=False):
    """An order about one earlier post: it was deleted, lost its place, or is withheld in `countries` (upper case).

    `erase` comes from no network: it stands where a record of the post was erased from the archive.
    """

    source: str
    id: str
    action: Action
    countries: tuple[str, ...]


class Notice(msgspec.Struct, frozen=True, gc=False):
    """A message that is neither a post nor about one post: limit, disconnect, keepalive, page, user ..."""

    source: str
    kind: str


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A line that cannot be read, and why: see `docs/wire-shapes.md` for the reasons."""

    reason: str


Record = Post | Tombstone | Notice | Rejected


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """One record as it goes to Kafka: `shape` is `<class>.<detail>`, `event_ms` is None where it must not be sent."""

    value: bytes
    id: str | None
    shape: str
    event_ms: int | None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a wire module made of one line, before its time is judged: `id` and `event_ms` are those of the envelope."""

    record: Record
    shape: str
    id: str | None = None
    event_ms: int | None = None


def detail_of(tombstone: Tombstone) -> str:
    """What a tombstone orders: its action, of which a withholding in all countries is one of its own."""
    everywhere = tombstone.action == "withheld" and not EVERYWHERE.isdisjoint(tombstone.countries)
    return "withheld.everywhere" if everywhere else tombstone.action


def rejected(reason: str) -> Reading:
    """The reading of a line that is rejected for `reason`."""
    return Reading(Rejected(reason), "rejected." + reason)


def notice(source: str, kind: str) -> Reading:
    """The reading of a line that is a notice of `kind`."""
    return Reading(Notice(source, kind), "notice." + kind)
