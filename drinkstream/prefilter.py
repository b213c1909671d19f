"""Which raw lines may name a drink: one scan of all bytes at once. What it leaves out is certain to name none.

It sees aliases in UTF-8 and in JSON escapes, in any case, after an escaped line break, in hashtags and stretched
(cofffeee). It may let through what the classifier then holds back, never the other way round.
"""

from functools import lru_cache
from threading import Lock
from typing import Any

import hyperscan
import numpy as np
import numpy.typing as npt

from drinkstream.prefilter_patterns import alias_patterns, other_spellings
from drinkstream.taxonomy import Taxonomy

_STRETCHED = 1
_BACKSLASH = 0x5C
_SEPARATOR = b'"\x00"'

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


class Prefilter:
    """Scans by one taxonomy. Compiled once in a process, whatever the number of instances; scans take turns."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._whole, self._squeezed, self._lock = _compiled(taxonomy.version, _Given(taxonomy))

    def candidates(self, data: Any, offsets: npt.NDArray[Any]) -> Bools:
        """Shape (n,): whether data[offsets[i]:offsets[i + 1]], a raw JSON line, may name a drink.

        `data` is contiguous and bytes-like, `offsets` integers of shape (n + 1,) that do not fall.
        """
        count = len(offsets) - 1
        found = np.zeros(count, np.bool_)
        if count < 1 or int(offsets[-1]) == int(offsets[0]):
            return found
        ends, stretched = _scan(self._whole, data, self._lock)
        found[_rows(ends, offsets)] = True
        again = np.unique(_rows(stretched, offsets))
        again = again[~found[again]]
        if len(again):
            found[again[self._stretched(data, offsets, again)]] = True
        return found

    def _stretched(self, data: Any, offsets: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Bools:
        """Shape (len(rows),): which of these rows name an alias once runs of a letter are cut to one."""
        view = memoryview(data)
        pieces = [bytes(view[int(offsets[row]) : int(offsets[row + 1])]) for row in rows]
        lengths = np.array([len(piece) + len(_SEPARATOR) for piece in pieces], np.int64)
        joined = np.frombuffer(_SEPARATOR.join([*pieces, b""]), np.uint8)
        kept = _first_of_runs(joined)
        places = np.concatenate(([0], np.cumsum(kept)))
        starts = places[np.concatenate(([0], np.cumsum(lengths)))]
        ends, _ = _scan(self._squeezed, joined[kept].tobytes(), self._lock)
        found = np.zeros(len(rows), np.bool_)
        found[_rows(ends, starts)] = True
        return found


class _Given:
    """A taxonomy that all of one version are equal to, as a key for the cache."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Given) and other.taxonomy.version == self.taxonomy.version

    def __hash__(self) -> int:
        return hash(self.taxonomy.version)


@lru_cache(maxsize=2)
def _compiled(version: str, given: _Given) -> tuple[Any, Any, Lock]:
    del version
    aliases = [*alias_patterns(given.taxonomy, squeezed=False), *other_spellings(given.taxonomy)]
    runs = [f"{letter}{{3}}" for letter in "abcdefghijklmnopqrstuvxyz"] + ["www[^.]"]
    whole = _database([(pattern, 0) for pattern in aliases] + [(pattern, _STRETCHED) for pattern in runs])
    squeezed = _database([(pattern, 0) for pattern in alias_patterns(given.taxonomy, squeezed=True)])
    return whole, squeezed, Lock()


def _database(patterns: list[tuple[str, int]]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[pattern.encode("latin-1") for pattern, _ in patterns],
        ids=[number for _, number in patterns],
        elements=len(patterns),
        flags=hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_DOTALL,
    )
    return database


def _scan(database: Any, data: Any, lock: Lock) -> tuple[list[int], list[int]]:
    """Where matches end: those of aliases, and those of stretched letters."""
    found: tuple[list[int], list[int]] = ([], [])
    adders = (found[0].append, found[1].append)

    def seen(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
        adders[number](end)

    with lock:
        database.scan(data, match_event_handler=seen)
    return found


def _rows(ends: list[int], offsets: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if not ends:
        return np.zeros(0, np.int64)
    rows = np.searchsorted(offsets, np.array(ends, np.int64) - 1, side="right") - 1
    return np.clip(rows, 0, len(offsets) - 2)


def _first_of_runs(data: Bytes) -> Bools:
    """Which bytes stay when each run of one ASCII letter is cut to one; a letter after an escape starts a run."""
    lower = data | 0x20
    letter = (lower >= ord("a")) & (lower <= ord("z"))
    kept = np.ones(len(data), np.bool_)
    kept[1:] = ~(letter[1:] & (lower[1:] == lower[:-1]))
    kept[2:] |= data[:-2] == _BACKSLASH
    return kept
