"""The cell: what both layers count, how a post falls into cells, and how a cell's ids are packed.

A post that names a drink falls into one cell for each of its levels. A sum never crosses levels, so every total is a
count of distinct posts.
"""

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

ANY = "*"
NO_BRAND = ""

SLOT_MS = 10 * 60 * 1000
"""Length of the speed layer's slot of append time, ms."""

HOUR_MS = 60 * 60 * 1000
MINUTE_MS = 60 * 1000

_INTEGERS, _TEXTS = 1, 2
_FEW = 64
_NO_IDS = struct.pack("<BI", _INTEGERS, 0)
_CUT_OFF = "a blob of ids is cut off or has bytes behind its end"


Integers = npt.NDArray[np.int64]


class Level(NamedTuple):
    """What a number counts: posts of `category` ('*' any, or of none) and `brand` ('' not asked for, '*' any)."""

    category: str
    brand: str


ANY_DRINK = Level(ANY, NO_BRAND)
"""Posts that name a drink of any category: the denominator of a category's share."""

ANY_BRAND = Level(ANY, ANY)
"""Posts that name any brand: the denominator of a brand's share."""


def levels(mentions: Iterable[tuple[str | None, str | None]]) -> tuple[Level, ...]:
    """The levels that a post with these (category, brand) mentions counts in, each once, in a fixed order.

    `('*','')` any category, `(c,'')` category c, `(c,b)` brand b with drink c, `('*',b)` brand b with or without a
    drink, `('*','*')` any brand. A mention without category and brand names nothing and raises ValueError.
    """
    found: set[Level] = set()
    for category, brand in mentions:
        if category is None and brand is None:
            raise ValueError("a mention needs a category, a brand or both")
        if category is not None:
            found.add(ANY_DRINK)
            found.add(Level(category, NO_BRAND))
            if brand is not None:
                found.add(Level(category, brand))
        if brand is not None:
            found.add(ANY_BRAND)
            found.add(Level(ANY, brand))
    return tuple(sorted(found))


def minute_of(event_ms: int) -> int:
    """Start of the minute that an instant lies in; both in ms since 1970 UTC."""
    return event_ms - event_ms % MINUTE_MS


def slot_of(append_ms: int) -> int:
    """Start of the speed layer's slot that an append time lies in; both in ms since 1970 UTC."""
    return append_ms - append_ms % SLOT_MS


def hour_of(ms: int) -> str:
    """'YYYY-MM-DDTHH' (UTC) of an instant in ms since 1970."""
    return _hour(ms - ms % HOUR_MS)


@lru_cache(maxsize=4096)
def _hour(ms: int) -> str:
    return str(np.datetime64(ms, "ms"))[:13]


def spread_of(source: str, post_id: str) -> int:
    """The CRC-32 of the UTF-8 bytes of `source:id`. A post's shard in a level is this, modulo the level's shards."""
    return crc32(f"{source}:{post_id}".encode())


def integer_of(post_id: str) -> int | None:
    """The id as a 64-bit integer, where it is the decimal text of one; else None."""
    if not (post_id.isascii() and post_id.isdigit() and len(post_id) <= 19):
        return None
    # '007' would come back as '7', and 2**63 and above does not fit
    number = int(post_id)
    return number if number < 2**63 and (post_id[0] != "0" or post_id == "0") else None


def pack(ids: Iterable[str]) -> bytes:
    """The blob of a set of ids: each once, sorted; the same set always gives the same bytes.

    Where every id is the decimal text of a 64-bit integer: 0x01, count (u32), the least id (i64), then the differences
    of neighbours as LEB128. Else: 0x02, count (u32), then each id's UTF-8 bytes behind their length (u32). All integers
    are little-endian.
    """
    distinct = set(ids)
    numbers = _integers(distinct)
    if numbers is not None and len(numbers) <= _FEW:
        return _pack_few(numbers)
    if numbers is None:
        encoded = [text.encode("utf-8", "surrogatepass") for text in sorted(distinct)]
        return struct.pack("<BI", _TEXTS, len(distinct)) + b"".join(struct.pack("<I", len(e)) + e for e in encoded)
    data, _ = _leb128(np.diff(np.array(numbers, np.int64)).astype(np.uint64))
    return _head(len(numbers), numbers[0]) + data


def pack_integers(ids: Integers, offsets: npt.NDArray[Any]) -> list[bytes]:
    """The blobs of many sets of integer ids at once: of ids[offsets[i]:offsets[i + 1]], as `pack` writes them.

    `ids`: int64 of shape (n,), none below 0, in any order; `offsets`: integers of shape (sets + 1,) from 0 to n that do
    not fall.
    """
    sets = len(offsets) - 1
    owner = np.repeat(np.arange(sets), np.diff(offsets))
    first = np.ones(len(ids), np.bool_)
    first[1:] = owner[1:] != owner[:-1]
    # most come in order
    if not (first[1:] | (ids[1:] > ids[:-1])).all():
        # the sets stay where they are
        ids = ids[np.lexsort((ids, owner))]
    deltas = np.diff(ids, prepend=np.int64(0)).astype(np.uint64)
    once = first | (deltas != 0)
    ids, owner, first, deltas = ids[once], owner[once], first[once], deltas[once]
    counts = np.bincount(owner, minlength=sets)
    # the first id of a set stands in its head, the differences of all sets one after the other
    data, widths = _leb128(deltas[~first])
    ends = np.concatenate(([0], np.cumsum(widths)))[np.cumsum(np.maximum(counts - 1, 0))]
    least = iter(ids[first].tolist())
    blobs, at = [], 0
    for count, end in zip(counts.tolist(), ends.tolist(), strict=True):
        blobs.append(_head(count, next(least)) + data[at:end] if count else _NO_IDS)
        at = end
    return blobs


def size(blob: bytes) -> int:
    """How many ids a blob of `pack` holds. Raises ValueError where it is cut off before it says so."""
    if len(blob) < 5:
        raise ValueError("not a blob of ids: it is shorter than its head")
    return int.from_bytes(blob[1:5], "little")


def unpack(blob: bytes) -> tuple[str, ...]:
    """The ids in a blob of `pack`, integers in the order of their values, else in the order of their text.

    Raises ValueError where the blob is not one of ours or is cut off.
    """
    if len(blob) < 5:
        raise ValueError("not a blob of ids: it is shorter than its head")
    form, count = struct.unpack_from("<BI", blob)
    if form == _INTEGERS:
        return tuple(map(str, unpack_integers(blob).tolist()))
    if form != _TEXTS:
        raise ValueError(f"not a blob of ids: unknown form {form}")
    texts, at = [], 5
    for _ in range(count):
        if len(blob) < at + 4:
            raise ValueError(_CUT_OFF)
        (size,) = struct.unpack_from("<I", blob, at)
        at += 4 + size
        texts.append(blob[at - size : at].decode("utf-8", "surrogatepass"))
    if at != len(blob):
        raise ValueError(_CUT_OFF)
    return tuple(texts)


def unpack_integers(blob: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """The ids in a blob of integers, as int64 of shape (count,), ascending. Raises ValueError for any other blob."""
    if len(blob) < 5 or blob[0] != _INTEGERS:
        raise ValueError("not a blob of integer ids")
    (count,) = struct.unpack_from("<I", blob, 1)
    if count == 0:
        return np.empty(0, np.int64)
    if len(blob) < 13:
        raise ValueError(_CUT_OFF)
    (first,) = struct.unpack_from("<q", blob, 5)
    raw = np.frombuffer(blob, np.uint8, offset=13)
    ends = np.flatnonzero(raw < 0x80)
    if len(ends) != count - 1 or (len(raw) and raw[-1] >= 0x80):
        raise ValueError(_CUT_OFF)
    if count == 1:
        return np.array([first], np.int64)
    starts = np.concatenate(([0], ends[:-1] + 1))
    shift = (np.arange(len(raw)) - np.repeat(starts, ends - starts + 1)).astype(np.uint64) * np.uint64(7)
    deltas = np.add.reduceat((raw & 0x7F).astype(np.uint64) << shift, starts)
    # unsigned sums wrap as two's complement does, so differences past 2**63 come back right
    return (np.concatenate(([np.uint64(0)], np.cumsum(deltas))) + np.int64(first).astype(np.uint64)).astype(np.int64)


def union(blobs: Sequence[bytes]) -> bytes:
    """The blob of the union of the sets of ids in `blobs`."""
    if len(blobs) == 1:
        return blobs[0]
    if blobs and all(blob[:1] == _NO_IDS[:1] for blob in blobs):
        ids = np.concatenate([unpack_integers(blob) for blob in blobs])
        return pack_integers(ids, np.array([0, len(ids)]))[0]
    return pack(post_id for blob in blobs for post_id in unpack(blob))


def _head(count: int, least: int) -> bytes:
    return struct.pack("<BIq", _INTEGERS, count, least)


def _pack_few(numbers: list[int]) -> bytes:
    # most cells of a minute hold a handful of ids, for which numpy's fixed cost would dominate
    if not numbers:
        return _NO_IDS
    blob = bytearray(_head(len(numbers), numbers[0]))
    for before, number in pairwise(numbers):
        delta = number - before
        while delta > 0x7F:
            blob.append(delta & 0x7F | 0x80)
            delta >>= 7
        blob.append(delta)
    return bytes(blob)


def _integers(ids: set[str]) -> list[int] | None:
    numbers = []
    for text in ids:
        number = integer_of(text)
        if number is None:
            return None
        numbers.append(number)
    return sorted(numbers)


def _leb128(values: npt.NDArray[np.uint64]) -> tuple[bytes, npt.NDArray[np.int64]]:
    """The LEB128 bytes of all values, one after the other, and how many each takes."""
    widths = np.ones(len(values), np.int64)
    for bits in range(7, int(values.max(initial=0)).bit_length(), 7):
        widths += values >= np.uint64(1 << bits)
    starts = np.cumsum(widths) - widths
    data = np.zeros(int(widths.sum()), np.uint8)
    for at in range(int(widths.max(initial=0))):
        some = widths > at
        more = np.where(widths[some] > at + 1, np.uint64(0x80), np.uint64(0))
        data[starts[some] + at] = (values[some] >> np.uint64(7 * at)) & np.uint64(0x7F) | more
    return data.tobytes(), widths
