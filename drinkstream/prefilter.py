"""Which raw lines may name a drink: one scan of all bytes at once. What it leaves out is certain to name none.

It sees aliases in UTF-8 and in JSON escapes, in any case, after an escaped line break, in hashtags and stretched
(cofffeee). It may let through what the classifier then holds back, never the other way round.
"""

import json
import re
from pathlib import Path
from threading import Lock
from typing import Any

import hyperscan
import numpy as np
import numpy.typing as npt

from drinkstream import prefilter_kept
from drinkstream.prefilter_compile import database_of
from drinkstream.prefilter_kept import Arrays
from drinkstream.prefilter_patterns import Check, Search, aliases, literals, other_spellings
from drinkstream.taxonomy import Taxonomy

LONGEST_TAG = 48 * 6
"""Bytes of a hashtag before an alias in it: as many characters as are read of one, all escapes."""

REACH = 120
"""Bytes around one word of a phrase within which the others stand: gaps of three characters, all escapes."""

AROUND = 4 * REACH
"""Bytes on either side of a run within which an alias that it belongs to stands, with all that its check looks at."""

_SEPARATOR = b'"\x00"'
_BACKSLASH = 0x5C
_HASH = 0x23
_LEFT_ESCAPE = re.compile(rb"(?:\\[bfnrt]|\\u([0-9a-fA-F]{1,4}))\Z")
_RIGHT_ESCAPE = re.compile(rb"\\u([0-9a-fA-F]{4})")
_WORD = np.array([code < 0x80 and (chr(code).isalnum() or code == 0x5F) for code in range(0x100)])
_IN_TAG = _WORD | (np.arange(0x100) >= 0x80) | (np.arange(0x100) == _BACKSLASH)
_LONG_BEFORE = _WORD | (np.arange(0x100) >= 0x80)  # a character of several bytes may end here, or an escape
_LONG_AFTER = (np.arange(0x100) >= 0x80) | (np.arange(0x100) == _BACKSLASH)
_WORD_2 = [chr(code).isalnum() or code == 0x5F for code in range(0x800)]

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
_compiled: dict[str, tuple["_Scanner", "_Scanner"]] = {}
_compiling = Lock()


class Prefilter:
    """Scans by one taxonomy. Compiled once in a process, whatever the number of instances; scans take turns.

    Where a `folder` is given, compiled once for all processes that name it: they find there what the first one made.
    """

    def __init__(self, taxonomy: Taxonomy, folder: Path | None = None) -> None:
        with _compiling:
            if taxonomy.version not in _compiled:
                _compiled[taxonomy.version] = _made(taxonomy, folder)
            self._whole, self._squeezed = _compiled[taxonomy.version]

    def candidates(self, data: Any, offsets: npt.NDArray[Any]) -> Bools:
        """Shape (n,): whether data[offsets[i]:offsets[i + 1]], a raw JSON line, may name a drink.

        `data` is contiguous and bytes-like, `offsets` integers of shape (n + 1,) that do not fall.
        """
        found = np.zeros(max(len(offsets) - 1, 0), np.bool_)
        if not len(found) or int(offsets[-1]) == int(offsets[0]):
            return found
        ends, stretched = self._whole.scan(data)
        found[_rows(ends, offsets)] = True
        rows = _rows(stretched, offsets)
        unknown = ~found[rows]
        if unknown.any():
            rows, firsts, lasts = _windows(stretched[unknown], rows[unknown], offsets)
            found[rows[self._stretched(data, firsts, lasts)]] = True
        return found

    def _stretched(self, data: Any, firsts: Places, lasts: Places) -> Bools:
        """Which of the pieces data[firsts[i]:lasts[i]] name an alias once runs of a letter are cut to one."""
        view = memoryview(data)
        pieces = [bytes(view[first:last]) for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)]
        lengths = np.array([len(piece) + len(_SEPARATOR) for piece in pieces], np.int64)
        joined = np.frombuffer(_SEPARATOR.join([*pieces, b""]), np.uint8)
        kept = _first_of_runs(joined)
        places = np.concatenate(([0], np.cumsum(kept)))
        starts = places[np.concatenate(([0], np.cumsum(lengths)))]
        ends, _ = self._squeezed.scan(joined[kept].tobytes())
        found = np.zeros(len(pieces), np.bool_)
        found[_rows(ends, starts)] = True
        return found


class _Scanner:
    """One database and the checks of its literals, as `_compile` gives them."""

    def __init__(self, compiled: Arrays) -> None:
        self._database = hyperscan.loadb(compiled["database"].tobytes(), mode=hyperscan.HS_MODE_BLOCK)
        self._database.scratch = hyperscan.Scratch(self._database)
        self._sizes, self._lefts, self._rights = (compiled[name] for name in ("sizes", "lefts", "rights"))
        self._first_run = len(self._sizes)
        self._first_certain = int(compiled["first_certain"])
        sets = [frozenset(one.encode().lower() for one in some) for some in json.loads(compiled["sets"].tobytes())]
        self._has_beside = compiled["besides"] >= 0
        self._besides = [frozenset() if number < 0 else sets[number] for number in compiled["besides"].tolist()]
        self._lock = Lock()

    def scan(self, data: Any) -> tuple[Places, Places]:
        """Where aliases end whose checks hold, and where runs of three equal letters do."""
        numbers: list[int] = []
        ends: list[int] = []

        def seen(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            numbers.append(number)
            ends.append(end)

        with self._lock:
            self._database.scan(data, match_event_handler=seen)
        which, where = np.array(numbers, np.int64), np.array(ends, np.int64)
        certain = where[which >= self._first_certain]
        stretched = where[(which >= self._first_run) & (which < self._first_certain)]
        checked = which < self._first_run
        return np.concatenate((certain, self._checked(data, which[checked], where[checked]))), stretched

    def _checked(self, data: Any, numbers: Places, ends: Places) -> Places:
        if not len(ends):
            return ends
        view = np.frombuffer(data, np.uint8)
        starts = ends - self._sizes[numbers]
        before, after = view[starts - 1], view[np.minimum(ends, len(view) - 1)]
        lefts, rights = self._lefts[numbers] & (starts > 0), self._rights[numbers] & (ends < len(view))
        # what ASCII stands beside settles most, all at once
        inside = (lefts & _WORD[before] & ~_escape_before(view, starts)) | (rights & _WORD[after])
        unsure = ~inside & ((lefts & _LONG_BEFORE[before]) | (rights & _LONG_AFTER[after]))
        for at in np.flatnonzero(unsure):
            number, start, end = int(numbers[at]), int(starts[at]), int(ends[at])
            inside[at] = (self._lefts[number] and _word_before(view, start)) or (
                self._rights[number] and _word_after(view, end)
            )
        # the words of a hashtag need no boundary
        keep = ~inside
        keep[inside] = _in_tag(view, starts[inside])
        for at in np.flatnonzero(keep & self._has_beside[numbers]):
            keep[at] = self._stands_beside(view, int(numbers[at]), int(starts[at]), int(ends[at]))
        held: Places = ends[keep]
        return held

    def _stands_beside(self, view: Bytes, number: int, start: int, end: int) -> bool:
        around = view[max(0, start - REACH) : end + REACH].tobytes().lower()
        return any(one in around for one in self._besides[number])


def _compile(searches: list[Search], stretched: bool) -> Arrays:
    """A database and the checks of its first patterns, which are literals; runs follow, where `stretched`, then others.

    `database`: serialised. `sizes` (bytes), `lefts`, `rights`, `besides` (a number in `sets`, or -1): shape (checks,).
    `sets`: JSON. `first_certain`: the first pattern that needs no check.
    """
    certain = [pattern.encode("latin-1") for search in searches for pattern in search.certain]
    # www and a stop begin a link, unless a letter stands before them
    wide = (b"www[^.]", b"[a-z]www")
    runs = [*(b"%c{3}" % letter for letter in b"abcdefghijklmnopqrstuvxyz"), *wide] if stretched else []
    free: list[bytes] = []
    checked: list[bytes] = []
    checks: list[Check] = []
    for search in searches:
        for literal, check in search.literals.items():
            if check.left or check.right or check.beside is not None:
                checked.append(re.escape(literal))
                checks.append(check)
            else:
                free.append(re.escape(literal))
    sets = {some: number for number, some in enumerate(dict.fromkeys(c.beside for c in checks if c.beside is not None))}
    return {
        "database": np.frombuffer(database_of([*checked, *runs, *certain, *free]), np.uint8),
        "sizes": np.array([check.size for check in checks], np.int64),
        "lefts": np.array([check.left for check in checks], np.bool_),
        "rights": np.array([check.right for check in checks], np.bool_),
        "besides": np.array([-1 if check.beside is None else sets[check.beside] for check in checks], np.int32),
        "sets": np.frombuffer(json.dumps([sorted(map(bytes.decode, some)) for some in sets]).encode(), np.uint8),
        "first_certain": np.array(len(checked) + len(runs)),
    }


def database(taxonomy: Taxonomy, folder: Path | None = None) -> bytes:
    """The serialised Hyperscan database of the first scan: a line in which none of it matches is no candidate."""
    return _parts(taxonomy, folder)["whole.database"].tobytes()


def _made(taxonomy: Taxonomy, folder: Path | None) -> tuple[_Scanner, _Scanner]:
    parts = _parts(taxonomy, folder)
    whole, squeezed = (
        {name.partition(".")[2]: part for name, part in parts.items() if name.startswith(which)}
        for which in ("whole.", "squeezed.")
    )
    return _Scanner(whole), _Scanner(squeezed)


def _parts(taxonomy: Taxonomy, folder: Path | None) -> Arrays:
    path = None if folder is None else prefilter_kept.path_of(folder, taxonomy.version)
    parts = prefilter_kept.read(path) if path is not None else None
    if parts is None:
        parts = _compiled_anew(taxonomy)
        if path is not None:
            prefilter_kept.write(path, parts)
    return parts


def _compiled_anew(taxonomy: Taxonomy) -> Arrays:
    whole = _compile([aliases(taxonomy, squeezed=False), other_spellings(taxonomy)], stretched=True)
    squeezed = _compile([aliases(taxonomy, squeezed=True)], stretched=False)
    literals.cache_clear()
    return {f"whole.{name}": part for name, part in whole.items()} | {
        f"squeezed.{name}": part for name, part in squeezed.items()
    }


def _escape_before(view: Bytes, starts: Places) -> Bools:
    """Whether a backslash stands where an escape right before `starts` would have it."""
    found = np.zeros(len(starts), np.bool_)
    for back in (2, 3, 4, 5, 6):
        found |= view[np.maximum(starts - back, 0)] == _BACKSLASH
    return found


def _in_tag(view: Bytes, starts: Places) -> Bools:
    """Whether nothing but letters, digits and `_`, or their escapes, stands between a `#` and each of `starts`."""
    found = np.zeros(len(starts), np.bool_)
    rows = np.arange(len(starts))
    for back in range(1, LONGEST_TAG + 1):
        rows = rows[starts[rows] >= back]
        last = view[starts[rows] - back]
        found[rows[last == _HASH]] = True
        rows = rows[_IN_TAG[last]]
        if not len(rows):
            break
    return found


def _word_before(view: Bytes, start: int) -> bool:
    """Whether the character before `start` is one of a word; False where that is not certain."""
    if start == 0:
        return False
    last = int(view[start - 1])
    if last >= 0x80:
        lead = int(view[start - 2]) if start > 1 else 0
        return 0xC2 <= lead < 0xE0 and _WORD_2[(lead & 0x1F) << 6 | last & 0x3F]
    if not _WORD[last]:
        return False
    escape = _LEFT_ESCAPE.search(view[max(0, start - 6) : start].tobytes())
    if escape is None:
        return True
    digits = escape.group(1)
    return digits is not None and len(digits) == 4 and _is_word(int(digits, 16))


def _word_after(view: Bytes, end: int) -> bool:
    """Whether the character at `end` is one of a word; False where that is not certain."""
    if end >= len(view):
        return False
    first = int(view[end])
    if first == _BACKSLASH:
        escape = _RIGHT_ESCAPE.match(view[end : end + 6].tobytes())
        return escape is not None and _is_word(int(escape.group(1), 16))
    if 0xC2 <= first < 0xE0 and end + 1 < len(view):
        return _WORD_2[(first & 0x1F) << 6 | int(view[end + 1]) & 0x3F]
    return first < 0x80 and bool(_WORD[first])


def _is_word(code: int) -> bool:
    return code < len(_WORD_2) and _WORD_2[code]


def _rows(ends: Places, offsets: npt.NDArray[Any]) -> Places:
    rows = np.searchsorted(offsets, ends - 1, side="right") - 1
    return np.clip(rows, 0, len(offsets) - 2)


def _windows(ends: Places, rows: Places, offsets: npt.NDArray[Any]) -> tuple[Places, Places, Places]:
    """What stands within `AROUND` bytes of runs that end at `ends` (sorted), overlaps joined: (rows, firsts, lasts)."""
    firsts = np.maximum(ends - AROUND, offsets[rows])
    lasts = np.minimum(ends + AROUND, offsets[rows + 1])
    opens = np.ones(len(ends), np.bool_)
    opens[1:] = (rows[1:] != rows[:-1]) | (firsts[1:] > lasts[:-1])
    return rows[opens], firsts[opens], lasts[np.append(opens[1:], True)]


def _first_of_runs(data: Bytes) -> Bools:
    """Which bytes stay when each run of one ASCII letter is cut to one; a letter after an escape starts a run."""
    lower = data | 0x20
    letter = (lower >= ord("a")) & (lower <= ord("z"))
    kept = np.ones(len(data), np.bool_)
    kept[1:] = ~(letter[1:] & (lower[1:] == lower[:-1]))
    kept[2:] |= data[:-2] == _BACKSLASH
    return kept
