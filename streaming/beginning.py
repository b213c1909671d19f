"""Where a new epoch begins to read: early enough for every day that it has to answer for, and no earlier.

Kafka keeps days, and most of them are published, which is final. So a new epoch reads from the earliest append time of
an unpublished day that Kafka still holds whole, or of the first record not yet archived if that is earlier.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import date

from drinkstream.archive import Archive
from drinkstream.positions import Positions
from streaming.offsets import KafkaOffsets

Times = Callable[[Positions], Mapping[tuple[str, int], int]]
"""The append time (ms since 1970) of the record at each of some positions, of those that are told in time."""

At = Callable[[Collection[tuple[str, int]], int], Positions]
"""By partition the first offset with an append time at or after an instant (ms since 1970); the end where none has."""

_NEVER_MS = 253_402_300_799_999  # the year 9999


def first_offsets(
    seen: KafkaOffsets, topic: str, archive: Archive, published: Collection[date], times: Times, at: At
) -> dict[str, int]:
    """The first offset to read of each partition of `topic`, every partition from the same append time.

    `seen` is what Kafka holds of `topic`. Where the archive is not there yet, or Kafka does not tell a time, these are
    the earliest that Kafka holds.
    """
    begin = {place: offset for place, offset in seen.begin.items() if place[0] == topic}
    earliest = {str(partition): offset for (_, partition), offset in sorted(begin.items())}
    if not archive.exists():
        return earliest
    gone = archive.days_before(topic, seen.cluster, {partition: offset for (_, partition), offset in begin.items()})
    final = {*map(str, gone), *map(str, published)}
    # how far it reaches is asked first: what it takes in between is then read as not archived, and not left out
    reached = archive.positions(seen.cluster)
    firsts = [ms for day, ms in archive.first_appends(topic, seen.cluster).items() if day not in final]
    # beyond Kafka's end it is of records that Kafka lost; the end is asked for behind it, since both go on meanwhile
    ends = at(list(begin), _NEVER_MS)
    reached = {place: offset for place, offset in reached.items() if offset <= ends.get(place, 0)}
    new = {place: max(reached.get(place, 0), offset) for place, offset in begin.items()}
    new = {place: offset for place, offset in new.items() if offset < seen.end[place]}
    told = times(new)
    if len(told) < len(new):
        return earliest
    if not (instants := [*firsts, *told.values()]):
        return {str(partition): seen.end[topic, partition] for _, partition in sorted(begin)}
    found = at(list(begin), min(instants))
    return {str(place[1]): max(found[place], offset) for place, offset in sorted(begin.items())}
