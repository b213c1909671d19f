"""Whether the words that an alias needs, or that forbid it, stand around it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from drinkstream.fold import Folded, fold, without_accents
from drinkstream.senses import Context
from drinkstream.tokens import phrases

FAR: Final = 100
"""Tokens within which the phrases of a context stand that looks at the whole post."""

BARE_FROM: Final = 4
"""A context's words are also sought without accents from this length on."""


Grams = list[tuple[int, frozenset[tuple[str, ...]]]]
"""Phrases by their number of words."""


class Read(Protocol):
    """What a context looks at in a text."""

    tokens: list[str]
    folded: Folded
    parted: bool

    def words(self) -> frozenset[str]:
        """The different tokens."""

    def holds_any(self, name: str, parts: tuple[str, ...]) -> bool:
        """Whether the folded text has one of these strings, the same ones for a name."""


@dataclass(slots=True)
class Found:
    """A context ready for use: `near` and `stems` single words, n-grams, substrings."""

    name: str
    within: int
    near: frozenset[str]
    stems: tuple[str, ...]
    near_grams: Grams
    before: Grams
    after: Grams
    parts: tuple[str, ...]

    def holds(self, text: Read, first: int, last: int) -> bool:
        """Whether the context is there for an alias that is tokens [first, last) of a text."""
        tokens = text.tokens
        for size, grams in self.before:
            if first >= size and tuple(tokens[first - size : first]) in grams:
                return True
        for size, grams in self.after:
            if tuple(tokens[last : last + size]) in grams:
                return True
        if (self.near or self.stems or self.near_grams) and self._stands_near(text, first, last):
            return True
        return text.parted and text.holds_any(self.name, self.parts)

    def _stands_near(self, text: Read, first: int, last: int) -> bool:
        tokens = text.tokens
        if not self.within:
            own = tokens[first:last]
            shared = self.near & text.words()
            if any(word not in own or tokens.count(word) > own.count(word) for word in shared):
                return True
            if not self.stems and not self.near_grams:
                return False
            left, right = tokens[max(0, first - FAR) : first], tokens[last : last + FAR]
        else:
            left, right = tokens[max(0, first - self.within) : first], tokens[last : last + self.within]
            if not self.near.isdisjoint(left) or not self.near.isdisjoint(right):
                return True
        if self.stems and any(token.startswith(self.stems) for token in (*left, *right)):
            return True
        for size, grams in self.near_grams:
            for side in (left, right):
                for at in range(len(side) - size + 1):
                    if tuple(side[at : at + size]) in grams:
                        return True
        return False


STEM: Final = 2
"""Letters by which a stem is looked for first; no stem is shorter."""


class Signs:
    """What a text must hold for each of several contexts to be there: most are ruled out by a look or two.

    A set of contexts is an int, bit i the i-th of them. `near`: those with this word; `before` and `after`: those with
    a phrase that ends right before the alias, or begins right after it, with this word.
    """

    def __init__(self, contexts: Sequence[Found]) -> None:
        self.near: dict[str, int] = {}
        self.before: dict[str, int] = {}
        self.after: dict[str, int] = {}
        self.stemmed = self.parted = 0
        stems: list[str] = []
        for number, found in enumerate(contexts):
            bit = 1 << number
            for word in found.near | {gram[0] for _, grams in found.near_grams for gram in grams}:
                self.near[word] = self.near.get(word, 0) | bit
            for word in {gram[-1] for _, grams in found.before for gram in grams}:
                self.before[word] = self.before.get(word, 0) | bit
            for word in {gram[0] for _, grams in found.after for gram in grams}:
                self.after[word] = self.after.get(word, 0) | bit
            if found.stems:
                self.stemmed |= bit
                stems += found.stems
            if found.parts:
                self.parted |= bit
        self._words = frozenset(self.near)
        self._stems = tuple(stems)
        self._starts = frozenset(stem[:STEM] for stem in stems)

    def possible(self, text: Read, first: int, last: int) -> int:
        """The contexts that may be there for an alias that is tokens [first, last) of a text; the others are not."""
        tokens, known = text.tokens, text.words()
        found = self.before.get(tokens[first - 1], 0) if first else 0
        if last < len(tokens):
            found |= self.after.get(tokens[last], 0)
        if not self._words.isdisjoint(known):
            for word in self._words & known:
                found |= self.near[word]
        if text.parted:
            found |= self.parted
        if self.stemmed and any(word[:STEM] in self._starts and word.startswith(self._stems) for word in known):
            found |= self.stemmed
        return found


def prepared(context: Context) -> Found:
    """A context of the taxonomy, ready for use."""
    singles, stems, grams = set(), set(), []
    for form in _forms(context.near):
        if len(form) > 1:
            grams.append(form)
        elif form[0].endswith("*"):
            stems.add(form[0][:-1])
        else:
            singles.add(form[0])
    return Found(
        context.name,
        context.within,
        frozenset(singles),
        tuple(sorted(stems)),
        _by_length(grams),
        _by_length(_forms(context.before)),
        _by_length(_forms(context.after)),
        tuple(fold(part).text for part in context.parts),
    )


def _forms(specs: Iterable[str]) -> Iterator[tuple[str, ...]]:
    for spec in specs:
        for phrase in phrases(spec):
            form = tuple(fold(token).text for token in phrase)
            yield form
            # short ones become other words: thé, iç
            yield tuple(without_accents(token) if len(token) >= BARE_FROM else token for token in form)


def _by_length(forms: Iterable[tuple[str, ...]]) -> Grams:
    found: dict[int, set[tuple[str, ...]]] = defaultdict(set)
    for form in forms:
        found[len(form)].add(form)
    return [(size, frozenset(some)) for size, some in found.items()]
