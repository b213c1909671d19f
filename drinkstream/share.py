"""Shares and mixes from disjoint cell totals. Pure.

Every total handed in counts the posts of one (category, brand, source, kind, lang) in one period; totals of one level
are disjoint, so sums over them are counts of distinct posts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor
from typing import Literal

from drinkstream.cells import ANY, NO_BRAND, Level
from drinkstream.errors import BadInputError
from drinkstream.interval import LOW_BASE, Interval, difference, wilson

By = Literal["category", "brand"]

KINDS = ("original", "reply", "quote", "repost")


@dataclass(frozen=True, slots=True)
class Total:
    """`n` posts of one level, source, kind and language."""

    category: str
    brand: str
    source: str
    kind: str
    lang: str
    n: int


@dataclass(frozen=True, slots=True)
class Filter:
    """What a question is narrowed to; None: not narrowed. `kinds` are the kinds of posts that count."""

    category: str | None = None
    brand: str | None = None
    source: str | None = None
    lang: str | None = None
    kinds: frozenset[str] = frozenset(KINDS)

    @property
    def reposts(self) -> str:
        """Whether reposts count, in the word of the answer."""
        return "included" if "repost" in self.kinds else "excluded"

    def admits(self, total: Total) -> bool:
        """Whether a total counts under the filters on source, language and kind."""
        return (
            (self.source is None or total.source == self.source)
            and (self.lang is None or total.lang == self.lang)
            and total.kind in self.kinds
        )


@dataclass(frozen=True, slots=True)
class Share:
    """One row of an answer. share = n / denominator; mix = n / sum of n over all values; None where 0 / 0."""

    category: str | None
    brand: str | None
    n: int
    share: float | None
    mix: float | None


@dataclass(frozen=True, slots=True)
class Shares:
    """`total` is the denominator of every share: posts that name any drink, or any brand, or the narrowed level.

    `whole` is that of every mix: the sum of n over all values, those left out of `rows` among them.
    """

    total: int
    whole: int
    rows: tuple[Share, ...]

    @property
    def low_base(self) -> bool:
        """Whether the denominator is so low that the shares say little."""
        return self.total < LOW_BASE

    def interval(self, row: Share) -> Interval | None:
        """The 95 % interval of a row's share; None where it has none."""
        return wilson(_within(row.n, self.total), self.total)


@dataclass(frozen=True, slots=True)
class Change:
    """What a share gained (in parts of 1) against the period before, and the 95 % interval of that difference."""

    before: float
    change: float
    interval: Interval

    @property
    def within_noise(self) -> bool:
        """Whether the two shares may well be the same: what differs is no more than chance would make it."""
        return self.interval.holds_zero


def kinds(kind: str | None, reposts: str | None) -> frozenset[str]:
    """The kinds of posts that count: the given kind alone, else all but reposts unless `reposts` is 'include'."""
    if kind is not None:
        if kind not in KINDS:
            raise BadInputError(f"kind: one of {', '.join(KINDS)}, not {kind!r}")
        return frozenset([kind])
    if reposts not in (None, "include", "exclude"):
        raise BadInputError(f"reposts: include or exclude, not {reposts!r}")
    return frozenset(KINDS) if reposts == "include" else frozenset(KINDS) - {"repost"}


def denominator(by: By, question: Filter) -> Level:
    """The level that a share divides by: all drinks, all brands, or the other dimension where it is narrowed."""
    if by == "category":
        return Level(ANY, NO_BRAND if question.brand is None else question.brand)
    return Level(ANY, ANY) if question.category is None else Level(question.category, NO_BRAND)


def numerator(by: By, question: Filter, value: str) -> Level:
    """The level that counts `value` of the dimension `by` under the question's other dimension."""
    if by == "category":
        return Level(value, NO_BRAND if question.brand is None else question.brand)
    return Level(ANY if question.category is None else question.category, value)


def concerns(by: By, question: Filter, counted: Level) -> bool:
    """Whether a level is one that `shares` reads: the denominator, or the numerator of a value of the dimension."""
    value = counted.category if by == "category" else counted.brand
    named = value not in (ANY, NO_BRAND) and counted == numerator(by, question, value)
    return named or counted == denominator(by, question)


def shares(totals: Iterable[Total], by: By, question: Filter) -> Shares:
    """The share and mix of each category or brand, the largest first (equal ones by name).

    A filter on the dimension that `by` names only selects rows, after share and mix are computed; every other filter
    narrows numerator and denominator alike. Shares may sum above 1, since a post may name two drinks; mixes sum to 1.
    """
    return shares_of(_counts(totals, question), by, question)


def shares_of(counted: Mapping[Level, int], by: By, question: Filter) -> Shares:
    """The same of the posts of each level, which were narrowed to the question's source, language and kinds before."""
    total = counted.get(denominator(by, question), 0)
    values = {level.category if by == "category" else level.brand for level in counted} - {ANY, NO_BRAND}
    found = {value: counted.get(numerator(by, question, value), 0) for value in values}
    found = {value: n for value, n in found.items() if n}
    whole = sum(found.values())
    wanted = question.category if by == "category" else question.brand
    rows = [
        Share(
            category=value if by == "category" else question.category,
            brand=value if by == "brand" else question.brand,
            n=n,
            share=n / total if total else None,
            mix=n / whole if whole else None,
        )
        for value, n in sorted(found.items(), key=lambda item: (-item[1], item[0]))
        if wanted is None or value == wanted
    ]
    return Shares(total, whole, tuple(rows))


def changes(now: Shares, before: Shares) -> tuple[Change | None, ...]:
    """For each row of `now` how its share changed since `before`, where it may be missing; None where 0 / 0."""
    then = {(row.category, row.brand): row.n for row in before.rows}
    return tuple(_change(row.n, now.total, then.get((row.category, row.brand), 0), before.total) for row in now.rows)


def _change(n: int, total: int, n_before: int, total_before: int) -> Change | None:
    interval = difference(_within(n, total), total, _within(n_before, total_before), total_before)
    if interval is None:
        return None
    return Change(n_before / total_before, n / total - n_before / total_before, interval)


def _within(n: int, total: int) -> int:
    # live, a count may be read a moment after the denominator that it belongs to
    return min(n, total)


def count(totals: Iterable[Total], question: Filter) -> int:
    """How many posts the question is about: of its category and brand, or of any drink where neither is given."""
    return _counts(totals, question).get(level(question), 0)


def level(question: Filter) -> Level:
    """The level that a question is about: `('*','')` where it names neither category nor brand."""
    return Level(question.category or ANY, question.brand or NO_BRAND)


def _counts(totals: Iterable[Total], question: Filter) -> dict[Level, int]:
    counted: dict[Level, int] = defaultdict(int)
    for total in totals:
        if question.admits(total):
            counted[Level(total.category, total.brand)] += total.n
    return counted


def percentage(part: float) -> float:
    """A share in percent, rounded half up to one decimal."""
    # as webapp/static/tables.js has it: 1 of 16 must not read otherwise in a chart than in the table beside it
    return floor(part * 1000 + 0.5) / 10
