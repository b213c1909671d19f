"""Which of many raw lines hold one of some parts: as they stand, or as whole words."""

import re
from collections.abc import Callable, Collection

import pyarrow as pa
import pyarrow.compute as pc

WORD = re.compile(rb"\w+")
"""A word of a line, as an id is one: letters, digits and _."""

FEW = 8
"""Up to so many parts are sought as they stand, more as whole words."""

Holds = Callable[[pa.Array], list[bool | None]]
"""Lines (large_binary) -> for each whether it holds one of the parts; None where there is no line."""


def holding(parts: Collection[bytes]) -> Holds:
    """What tells whether lines hold one of `parts`, of which there is at least one."""
    return _as_they_stand(sorted(parts)) if len(parts) <= FEW else _as_words(frozenset(parts))


def _as_they_stand(parts: list[bytes]) -> Holds:
    def holds(lines: pa.Array) -> list[bool | None]:
        found = pc.match_substring(lines, parts[0])
        for part in parts[1:]:
            found = pc.or_(found, pc.match_substring(lines, part))
        hits: list[bool | None] = found.to_pylist()
        return hits

    return holds


def _as_words(parts: frozenset[bytes]) -> Holds:
    # one pass whatever their number
    return lambda lines: [
        None if line is None else not parts.isdisjoint(WORD.findall(line)) for line in lines.to_pylist()
    ]
