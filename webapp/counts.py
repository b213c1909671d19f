"""Counts in columns: what the web keeps in memory, at a dozen bytes for each cell of a minute."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray

from drinkstream.cells import Level
from drinkstream.share import By, Filter, Total, denominator, level, numerator
from drinkstream.store.read import CellCount

_NONE = -1


class Key(NamedTuple):
    """What a count counts, but for its time."""

    category: str
    brand: str
    source: str
    kind: str
    lang: str


Codes = dict[Hashable, int]
"""Numbers of names or levels, given in the order in which they were met and never changed."""


@dataclass(frozen=True, slots=True)
class KeyTable:
    """Keys in columns, by key number: the code of each one's level, source, kind and language.

    What is asked of all keys is so asked of a few arrays. Codes that are newer than the columns stand in none.
    """

    levels: Codes
    names: Codes
    level: NDArray[np.int32]
    source: NDArray[np.int32]
    kind: NDArray[np.int32]
    lang: NDArray[np.int32]

    def admitted(self, question: Filter) -> NDArray[np.bool_]:
        """Which keys count under the filters on source, language and kind, as Filter.admits has it."""
        found = _any_of(self.kind, [self.names.get(kind, _NONE) for kind in question.kinds])
        if question.source is not None:
            found &= self.source == self.names.get(question.source, _NONE)
        if question.lang is not None:
            found &= self.lang == self.names.get(question.lang, _NONE)
        return found

    def of_level(self, wanted: Level) -> NDArray[np.bool_]:
        """Which keys are of a level."""
        found: NDArray[np.bool_] = self.level == self.levels.get(wanted, _NONE)
        return found


class Keys:
    """Every key met so far, numbered from 0. A number, once given, keeps its key. Safe to share between threads."""

    def __init__(self) -> None:
        self._numbers: dict[Key, int] = {}
        self._keys: list[Key] = []
        self._lock = Lock()
        none = np.zeros(0, np.int32)
        self._table = KeyTable({}, {}, none, none, none, none)

    def number(self, key: Key) -> int:
        """The number of a key, given to it now if it is new."""
        known = self._numbers.get(key)
        if known is not None:
            return known
        with self._lock:
            if key not in self._numbers:
                self._keys.append(key)
                self._numbers[key] = len(self._keys) - 1
            return self._numbers[key]

    def all(self) -> Sequence[Key]:
        """The keys in the order of their numbers. It may grow while it is read, never change."""
        return self._keys

    def table(self) -> KeyTable:
        """All keys met so far, in columns."""
        with self._lock:
            known = self._table
            if new := self._keys[len(known.level) :]:

                def longer(column: NDArray[np.int32], codes: Codes, values: Iterable[Hashable]) -> NDArray[np.int32]:
                    more = [codes.setdefault(value, len(codes)) for value in values]
                    return np.concatenate([column, np.array(more, np.int32)])

                self._table = KeyTable(
                    known.levels,
                    known.names,
                    longer(known.level, known.levels, [Level(key.category, key.brand) for key in new]),
                    longer(known.source, known.names, [key.source for key in new]),
                    longer(known.kind, known.names, [key.kind for key in new]),
                    longer(known.lang, known.names, [key.lang for key in new]),
                )
            return self._table


@dataclass(frozen=True, slots=True)
class Counts:
    """`n[i]` posts of key number `key[i]` in minute `minute[i]` (0..1439) of one day; one row for each (minute, key).

    The counts of a whole day have 0 for the minute. Never changed once made, so threads share them.
    """

    minute: NDArray[np.int16]
    key: NDArray[np.int32]
    n: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the columns take."""
        return self.minute.nbytes + self.key.nbytes + self.n.nbytes

    def between(self, start: int, end: int) -> "Counts":
        """The rows of the minutes from `start` to before `end`."""
        if start <= 0 and end >= 1440:
            return self
        kept = (self.minute >= start) & (self.minute < end)
        return Counts(self.minute[kept], self.key[kept], self.n[kept])


def _counts(rows: list[tuple[int, int, int]]) -> Counts:
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Counts(table[:, 0].astype(np.int16), table[:, 1].astype(np.int32), table[:, 2].copy())


EMPTY = _counts([])


def of_totals(keys: Keys, totals: Iterable[Total]) -> Counts:
    """The counts of a day's totals."""
    return _counts([(0, keys.number(Key(t.category, t.brand, t.source, t.kind, t.lang)), t.n) for t in totals])


def of_cells(keys: Keys, cells: Iterable[CellCount]) -> Counts:
    """The counts of cells that all lie in one day."""
    return _counts(
        [
            (
                int(cell.hour[11:13]) * 60 + cell.minute,
                keys.number(Key(cell.category, cell.brand, cell.source, cell.kind, cell.lang)),
                cell.n,
            )
            for cell in cells
        ]
    )


def join(parts: Sequence[Counts]) -> Counts:
    """The rows of several counts that share no row: of the hours of a day, say."""
    if not parts:
        return EMPTY
    return Counts(
        np.concatenate([part.minute for part in parts]),
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.n for part in parts]),
    )


def of_day(minutes: Counts) -> Counts:
    """The counts of a day, from those of its minutes."""
    return _by_key(minutes.key, minutes.n)


def add(parts: Sequence[Counts]) -> Counts:
    """The sum of the counts of several days, by key."""
    whole = join(parts)
    return _by_key(whole.key, whole.n)


def _by_key(key: NDArray[np.int32], n: NDArray[np.int64]) -> Counts:
    # sums in float64 are exact up to 2**53
    summed = np.bincount(key, weights=n).astype(np.int64)
    found = np.flatnonzero(summed)
    return Counts(np.zeros(len(found), np.int16), found.astype(np.int32), summed[found])


def levels(keys: Keys, counts: Counts, question: Filter) -> dict[Level, int]:
    """The posts of each level that has some, under the question's source, language and kinds."""
    table = keys.table()
    taken = table.admitted(question)[counts.key]
    summed = np.bincount(table.level[counts.key[taken]], counts.n[taken], len(table.levels)).astype(np.int64).tolist()
    # more may have been met meanwhile, which none of these counts is of
    return {cast(Level, name): n for name, n in zip(table.levels.copy(), summed, strict=False) if n}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of an answer each key number counts in (-1: in none), and whether it counts in the denominator."""

    values: tuple[str, ...]
    column: NDArray[np.int32]
    whole: NDArray[np.bool_]

    def table(
        self, counts: Counts, rows: NDArray[np.int64], height: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Counts by (row, value), shape (height, len(values)), and denominators by row, shape (height,).

        `rows[i]`, in 0..height-1, is the row that the i-th count belongs to.
        """
        column = self.column[counts.key]
        taken = column != _NONE
        width = len(self.values)
        place = rows[taken] * width + column[taken]
        cells = np.bincount(place, counts.n[taken], height * width).astype(np.int64).reshape(height, width)
        taken = self.whole[counts.key]
        wholes = np.bincount(rows[taken], counts.n[taken], height).astype(np.int64)
        return cells, wholes


def columns(keys: Keys, by: By, question: Filter, values: Sequence[str]) -> Columns:
    """Where each key counts when a question is answered by the values of a dimension."""
    table = keys.table()
    admitted = table.admitted(question)
    # by the code of a level; the last for levels that no key has
    of_level = np.full(len(table.levels) + 1, _NONE, np.int32)
    for place, value in enumerate(values):
        of_level[table.levels.get(numerator(by, question, value), _NONE)] = place
    of_level[_NONE] = _NONE
    column = np.where(admitted, of_level[table.level], _NONE).astype(np.int32)
    return Columns(tuple(values), column, admitted & table.of_level(denominator(by, question)))


def matching(keys: Keys, question: Filter) -> NDArray[np.bool_]:
    """Which keys count the posts that the question is about, by key number."""
    table = keys.table()
    return table.admitted(question) & table.of_level(level(question))


def beneath(keys: Keys, question: Filter) -> NDArray[np.bool_]:
    """Which keys count in a denominator that a share of the question's posts has, by key number."""
    table = keys.table()
    of_level = _any_of(table.level, [table.levels.get(denominator(by, question), _NONE) for by in get_args(By)])
    return table.admitted(question) & of_level


def _any_of(column: NDArray[np.int32], codes: Sequence[int]) -> NDArray[np.bool_]:
    # for so few codes numpy's isin takes several times as long
    found = np.zeros(len(column), np.bool_)
    for code in codes:
        found |= column == code
    return found
