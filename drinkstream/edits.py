"""Which posts an order is about: the one whose key it has, and any that has a version with the id that it names. Pure.

A post that was edited has one key, the id of its first version, and later versions with ids of their own. Each archived
version names those that it knows of, also ones that never came. By any of these ids a network may order something.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from drinkstream.post import NO_DAY, Post, Record, Tombstone, day_of
from drinkstream.wire_values import event_time, post_id

TIMED = ("x", "demo")
"""Sources whose ids are X's: decimal numbers, which from a certain one on carry their time."""

Named = Mapping[str, frozenset[str]]
"""By the key (`source:id`) that the id of a later version makes, the posts that it is one of."""


def time_in_id(source: str, found: str) -> int | None:
    """Milliseconds since 1970 UTC, where the id carries its time."""
    return event_time(found, None) if source in TIMED and post_id(found) is not None else None


def day_in(key: str) -> str:
    """The event day that the id of a key carries, under which an order with this key lies; NO_DAY for none."""
    source, _, found = key.partition(":")
    carried = time_in_id(source, found)
    return NO_DAY if carried is None else day_of(carried)


def other_keys(record: Record) -> tuple[str, ...]:
    """The keys that an order may have which names the post on a line by another id than its first."""
    return tuple(f"{record.source}:{one}" for one in record.others) if isinstance(record, Post) else ()


def named(records: Iterable[Record]) -> Named:
    """Whose version has which id, as far as these records say."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if isinstance(record, Post):
            for key in other_keys(record):
                found[key].add(f"{record.source}:{record.id}")
    return {key: frozenset(posts) for key, posts in found.items()}


def targets(order: Tombstone, known: Named) -> frozenset[str]:
    """The posts (`source:id`) that an order is about."""
    key = f"{order.source}:{order.id}"
    return known.get(key, frozenset()) | {key}
