"""The cells of an hour and a category, packed: two blobs where there were as many rows as cells.

A part holds cells in the order of their keys (minute, brand, source, kind, lang, shard), each once, as MessagePack:

cells   an array of [minute, brand, source, kind, lang, shard, n]: minute 0..59 of the hour, n the number of ids
ids     an array of binaries, the cells' blobs of cells.py's codec, in the same order

Counts need `cells` alone. Which cells a part holds depends on nothing but the cells: the same give the same parts.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any, NamedTuple

import msgspec

from drinkstream.cells import size

PART_BYTES = 256 * 1024
"""A part ends before the cell with which it would pass this; a cell that is larger by itself has one of its own."""

Place = tuple[str, str]
"""Where cells lie together: (hour as 'YYYY-MM-DDTHH', category)."""

Key = tuple[int, str, str, str, str, int]
"""A cell within its hour and category: (minute, brand, source, kind, lang, shard)."""

Count = tuple[int, str, str, str, str, int, int]
"""A cell's key with the number of its ids behind it."""

_HEADS = 20  # of the two arrays' members, and their numbers

_encode = msgspec.msgpack.encode
_Minute = Annotated[int, msgspec.Meta(ge=0, le=59)]
_Number = Annotated[int, msgspec.Meta(ge=0)]
_CELLS: Any = msgspec.msgpack.Decoder(list[tuple[_Minute, str, str, str, str, _Number, _Number]])
_IDS: Any = msgspec.msgpack.Decoder(list[bytes])


class Part(NamedTuple):
    """Some cells of an hour and a category: the blobs that the module's docstring describes."""

    cells: bytes
    ids: bytes


class PartRow(NamedTuple):
    """One row of batch cells: a part of those of an hour and category, and which; parts count from 0."""

    hour: str
    category: str
    part: int
    cells: bytes
    ids: bytes


def part_rows(cells: Iterable[tuple[Place, Key, bytes]]) -> Iterator[PartRow]:
    """A run's cells packed into rows: each a place, a key there and a blob of ids, in the order of place and key.

    Raises ValueError where they come in another order: a place that comes again would lose what it had.
    """
    before = ("", "")
    for place, found in groupby(cells, key=itemgetter(0)):
        if place <= before:
            raise ValueError(f"cells must come in the order of hour and category: {place} came behind {before}")
        before = hour, category = place
        for number, part in enumerate(parts((key, blob) for _, key, blob in found)):
            yield PartRow(hour, category, number, *part)


def parts(cells: Iterable[tuple[Key, bytes]]) -> Iterator[Part]:
    """The parts of an hour's cells of a category, given as keys in their order and blobs of ids.

    Raises ValueError where a key does not lie behind the one before it.
    """
    listed: list[Count] = []
    blobs: list[bytes] = []
    held = 0
    before: Key | None = None
    for key, blob in cells:
        if before is not None and key <= before:
            raise ValueError(f"cells must come in the order of their keys, each once: {key} came behind {before}")
        before = key
        _, brand, source, kind, lang, _ = key
        more = len(blob) + len(brand) + len(source) + len(kind) + len(lang) + _HEADS
        if blobs and held + more > PART_BYTES:
            yield Part(_encode(listed), _encode(blobs))
            listed, blobs, held = [], [], 0
        listed.append((*key, size(blob)))
        blobs.append(blob)
        held += more
    if blobs:
        yield Part(_encode(listed), _encode(blobs))


def counts(cells: bytes) -> list[Count]:
    """The cells of a part, each with its number of ids. Raises ValueError where the blob is cut off or foreign."""
    try:
        found: list[Count] = _CELLS.decode(cells)
    except ValueError as error:
        raise ValueError(f"not the cells of a part: {error}") from error
    return found


def unpack(part: Part) -> Iterator[tuple[Count, bytes]]:
    """The cells of a part with their blobs of ids.

    Raises ValueError where a blob is cut off, is not one of ours, or does not belong to the other.
    """
    found = counts(part.cells)
    try:
        blobs: list[bytes] = _IDS.decode(part.ids)
    except ValueError as error:
        raise ValueError(f"not the ids of a part: {error}") from error
    if [count[6] for count in found] != [size(blob) for blob in blobs]:
        raise ValueError("the two blobs of a part are not about the same cells")
    return zip(found, blobs, strict=True)
