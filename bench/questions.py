"""Questions about shares as the page's API takes them, and what each must be answered by what was written and sent.

The answers are worked out here from the totals that were written, without the product's code. Which questions are
asked, and how often each, is drawn with a seed: the same for the same days.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from bench.topic import Counts

Totals = dict[tuple[str, str, str, str, str], int]
"""Posts by (category, brand, source, kind, lang): '*' for any, '' for no brand."""

ANY = "*"
REPOST = "repost"
KINDS = ("original", "reply", "quote", REPOST)
LANGS = ("ar", "de", "en", "es", "fr", "id", "ja", "ko", "pt", "ru", "th", "tr")
BRANDS = (("beer", "guinness"), ("coffee", "starbucks"), ("soda", "pepsi"))
LENGTHS = (1, 7, 30, 90, 365)
"""Published days that a question is about, besides the longest range of the row."""

QUESTIONS = 300
CONDITIONAL = 0.5
"""The share of requests that name the ETag of the last answer, as the dashboard's script has the browser do."""

APART = 2
"""Days between the ends of ranges that are asked for once: what precedes a day is then none of them."""

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


def mixed(published: Published, longest: int, categories: Sequence[str]) -> list[Question]:
    """QUESTIONS different ones, the most asked first: those that narrow nothing and reach up to today, then others.

    The others narrow one thing at least; half of them reach up to today, the rest end on some published day. Each has
    as many published days before it as it is long, which its answer compares itself with.
    """
    random_ = random.Random(longest)
    lengths = [length for length in LENGTHS if length < longest] + [longest]
    today, last = published.until, published.until - timedelta(days=1)
    found = dict.fromkeys(
        Question(today - timedelta(days=length), today, by) for length in lengths for by in ("category", "brand")
    )
    while len(found) < QUESTIONS:
        length = random_.choice(lengths)
        spare = (published.until - published.first).days - 2 * length
        ended = last - timedelta(days=random_.randint(0, spare))
        end, start = (today, today) if random_.random() < 0.5 else (ended, ended + timedelta(days=1))
        asked = Question(start - timedelta(days=length), end, random_.choice(("category", "brand")))
        found[narrowed(random_, asked, categories)] = None
    return list(found)


def narrowed(random_: random.Random, question: Question, categories: Sequence[str]) -> Question:
    """The same question about some posts only: one or more of category, brand, kind and language, and with reposts."""
    while True:
        found = replace(
            question,
            category=random_.choice(categories) if random_.random() < 0.4 else None,
            brand=random_.choice(BRANDS)[1] if random_.random() < 0.15 else None,
            kind=random_.choice(KINDS) if random_.random() < 0.2 else None,
            lang=random_.choice(LANGS) if random_.random() < 0.3 else None,
        )
        if found != question:
            # a kind says by itself whether reposts count
            return replace(found, reposts=found.kind is None and random_.random() < 0.2)


def drawn(questions: Sequence[Question], requests: int) -> list[tuple[str, bool]]:
    """So many requests: an address, and whether it names the last answer's ETag.

    The n-th question is asked 1/n as often as the first, as addresses of the web are (Zipf's law).
    """
    random_ = random.Random(requests)
    paths = [question.path for question in questions]
    weights = [1 / rank for rank in range(1, len(paths) + 1)]
    return [(path, random_.random() < CONDITIONAL) for path in random_.choices(paths, weights, k=requests)]


def unasked(published: Published, length: int, place: int, categories: Sequence[str]) -> Iterator[Question]:
    """Questions about `length` published days, each about other days than all before, from the `place`-th of them on.

    No answer, and no sum over its days, is kept from one of the others.
    """
    random_ = random.Random(f"{length}/{place}")
    while True:
        end = published.until - timedelta(days=1 + place * APART)
        asked = Question(end - timedelta(days=length - 1), end, ("category", "brand")[place % 2])
        yield narrowed(random_, asked, categories)
        place += 1
