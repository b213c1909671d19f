"""Which raw lines may name a drink: one scan of all bytes at once. What it leaves out is certain to name none.

A line that holds anything but plain ASCII (a byte above 0x7f, a `\\u` escape, a character entity) is let through:
accents, other scripts, fonts and emoji all lie there. In the others ASCII aliases are sought, in any case, after an
escaped line break, in hashtags and stretched (cofffeee). It may let through what the classifier then holds back, never
the other way round.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from threading import Lock
from typing import Any

import hyperscan
import numpy as np
import numpy.typing as npt

from drinkstream.lexicon import spelled_out
from drinkstream.taxonomy import Taxonomy, load

FREE_FROM = 6
"""Aliases of this many letters are sought inside longer words too: cheaper than a boundary, and seldom wrong."""

_LEFT = r"(?:[^a-z_]|\\[bfnrt])"
_RIGHT = r"[^a-z0-9_]"
# &amp; &lt; and &gt; are X's own; any other entity may be a letter
_BEYOND_ASCII = (r"\\u", r"&#", r"&[a-z]{4}")
_HIGH = 0x80
_TELLING = 5
_GROUP = 64  # Hyperscan compiles an alternation much faster than as many patterns
_RUN = re.compile(r"([a-z])\1+")
# www. of an address is no stretched word
_RUNS = (*(f"{letter}{{3}}" for letter in "abcdefghijklmnopqrstuvxyz"), "www[^.]")
# two words of a phrase stand at most three characters apart, each of which may be an entity of X's own
_GAP = r"[^a-z0-9_].{0,18}"
# too common to tell a phrase by: of everyday talk, and the names of X's fields
_COMMON = frozenset("created doing drink drinks having history includes matching referenced rules tweet tweets".split())

Bools = npt.NDArray[np.bool_]


class Prefilter:
    """Scans by one taxonomy, compiled once in a process; scans of one process take turns."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._whole, self._runs, self._squeezed, self._lock = _compiled() if taxonomy is load() else _compile(taxonomy)

    def candidates(self, data: Any, offsets: npt.NDArray[Any]) -> Bools:
        """Shape (n,): whether data[offsets[i]:offsets[i + 1]], a raw JSON line, may name a drink.

        `data` is contiguous and bytes-like, `offsets` integers of shape (n + 1,) that do not fall.
        """
        count = len(offsets) - 1
        if count < 1 or int(offsets[-1]) == int(offsets[0]):
            return np.zeros(max(count, 0), np.bool_)
        high: npt.NDArray[np.int64] = np.concatenate(([0], np.cumsum(np.frombuffer(data, np.uint8) >= _HIGH)))
        found: Bools = self._rows(self._whole, data, offsets) | (high[offsets[1:]] > high[offsets[:-1]])
        rest = np.flatnonzero(self._rows(self._runs, data, offsets) & ~found)
        # a run of a letter is cut to one in the alias and in the line alike, so that cofffeee is coffee
        pieces = [
            _RUN_BYTES.sub(rb"\1", bytes(data[int(offsets[row]) : int(offsets[row + 1])]).lower()) for row in rest
        ]
        pieces = [piece + b"\n" for piece in pieces]
        places = np.cumsum([0, *map(len, pieces)])
        if len(pieces):
            found[rest[self._rows(self._squeezed, b"".join(pieces), places)]] = True
        return found

    def _rows(self, database: Any, data: Any, offsets: npt.NDArray[Any]) -> Bools:
        ends: list[int] = []
        with self._lock:
            database.scan(data, match_event_handler=lambda _id, _from, end, _flags, _context: ends.append(end))
        found = np.zeros(len(offsets) - 1, np.bool_)
        if ends:
            rows = np.searchsorted(offsets, np.array(ends, np.int64) - 1, side="right") - 1
            found[np.clip(rows, 0, len(found) - 1)] = True
        return found


_RUN_BYTES = re.compile(rb"([a-z])\1+")


@cache
def _compiled() -> tuple[Any, Any, Any, Lock]:
    return _compile(load())


def _compile(taxonomy: Taxonomy) -> tuple[Any, Any, Any, Lock]:
    forms = [form for term in taxonomy.terms if not term.emoji for form in spelled_out(term)]
    plain = [tuple(part for part in form if part != "*") for form in forms if "".join(form).isascii()]
    squeezed = [tuple(_RUN.sub(r"\1", part) for part in form) for form in plain]
    whole = _database([*_BEYOND_ASCII, *patterns(plain)])
    return whole, _database(_RUNS), _database(patterns(squeezed)), Lock()


def patterns(forms: Iterable[tuple[str, ...]]) -> list[str]:
    """Patterns that together match every line with one of these forms, each a tuple of ASCII words."""
    some = set(forms)
    words = {form[0] for form in some if len(form) == 1}
    # a phrase is sought by its longest word alone, where that tells it: gaps would make the compilation take minutes
    phrases = [form for form in sorted(some) if words.isdisjoint(form)]
    telling = {form: [part for part in form if len(part) >= _TELLING and part not in _COMMON] for form in phrases}
    words |= {max(parts, key=len) for parts in telling.values() if parts}
    free = _shortest(word for word in words if len(word) >= FREE_FROM)
    bounded = sorted(word for word in words if len(word) < FREE_FROM)
    tags = sorted({"".join(form) for form in some} | words)
    return [
        *_grouped("", sorted(free), ""),
        *_grouped(_LEFT, bounded, _RIGHT),
        *(_LEFT + _GAP.join(map(re.escape, form)) + _RIGHT for form, parts in telling.items() if not parts),
        *_grouped("#[a-z0-9_]*", [tag for tag in tags if not any(part in tag for part in free)], ""),
    ]


def _grouped(left: str, choices: list[str], right: str) -> list[str]:
    parts = [choices[at : at + _GROUP] for at in range(0, len(choices), _GROUP)]
    return [f"{left}(?:{'|'.join(map(re.escape, part))}){right}" for part in parts]


def _shortest(words: Iterable[str]) -> set[str]:
    """Those of `words` that contain no other of them."""
    kept: set[str] = set()
    for word in sorted(set(words), key=len):
        if not any(word[first:last] in kept for first in range(len(word)) for last in range(first + 1, len(word) + 1)):
            kept.add(word)
    return kept


def _database(expressions: Sequence[str]) -> Any:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[expression.encode("ascii") for expression in expressions],
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_DOTALL,
    )
    return database
