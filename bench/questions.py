"""Questions about shares as the page's API takes them, and what each must be answered by what was written and sent.

The answers are worked out here from the totals that were written, without the product's code.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from bench.topic import Counts

Totals = dict[tuple[str, str, str, str, str], int]
"""Posts by (category, brand, source, kind, lang): '*' for any, '' for no brand."""

ANY = "*"
REPOST = "repost"
DENOMINATOR = "of all"
"""What the number that shares are of is called among the values of a dimension."""


@dataclass(frozen=True, slots=True)
class Question:
    """Shares by `by` (category or brand) of the days `first` to `last`, both included; None: not narrowed."""

    first: date
    last: date
    by: str = "category"
    category: str | None = None
    brand: str | None = None
    kind: str | None = None
    lang: str | None = None
    reposts: bool = False

    @property
    def path(self) -> str:
        """Its address on the web."""
        narrowed = {name: getattr(self, name) for name in ("category", "brand", "kind", "lang")}
        given = {"from": self.first, "to": self.last, "by": self.by, "reposts": "include" if self.reposts else None}
        return "/api/v1/share?" + urlencode({n: v for n, v in {**given, **narrowed}.items() if v is not None})

    def counts(self, kind: str, lang: str) -> bool:
        """Whether posts of this kind and language count."""
        of_kind = kind == self.kind if self.kind is not None else self.reposts or kind != REPOST
        return of_kind and self.lang in (None, lang)


@dataclass(frozen=True, slots=True)
class Published:
    """Published days from `first` to before `until`, each with the same totals."""

    first: date
    until: date
    totals: Totals

    def days_of(self, question: Question) -> int:
        """How many of them a question is about."""
        last = min(question.last.toordinal() + 1, self.until.toordinal())
        return max(0, last - max(question.first, self.first).toordinal())


def expected(question: Question, published: Published, live: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Posts by value of the question's dimension, those with none left out, and the DENOMINATOR.

    `live` are the posts of each level that count beside the published ones, none of them a repost.
    """
    levels: Counts = defaultdict(int, live)
    days = published.days_of(question)
    for (category, brand, _, kind, lang), n in published.totals.items():
        if question.counts(kind, lang):
            levels[category, brand] += n * days
    if question.by == "category":
        below = (ANY, question.brand or "")
        values = {c: (c, question.brand or "") for c, _ in levels if c != ANY and question.category in (None, c)}
    else:
        below = (question.category, "") if question.category is not None else (ANY, ANY)
        over = question.category or ANY
        values = {b: (over, b) for _, b in levels if b not in ("", ANY) and question.brand in (None, b)}
    found = {value: levels.get(level, 0) for value, level in values.items()}
    return {value: n for value, n in found.items() if n} | {DENOMINATOR: levels.get(below, 0)}


def shown(question: Question, answer: Mapping[str, Any]) -> dict[str, int]:
    """The same numbers as the web's answer has them."""
    rows = {row[question.by]: row["n"] for row in answer["shares"]}
    return rows | {DENOMINATOR: answer["total"] or 0}
