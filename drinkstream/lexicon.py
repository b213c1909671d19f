"""The taxonomy's phrases spelled out and indexed for look-up: what both the classifier and the prefilter search for."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple, Protocol

from drinkstream.fold import Folded, fold, without_accents
from drinkstream.taxonomy import Context, Taxonomy, Term, Trap
from drinkstream.tokens import NO_SPACES, phrases

Sense = Term | Trap


Node = dict[str, Any]
HERE = ""
"""The key of a form's terms in the tree of tokens; no token is empty."""

JOINED_FROM = 7
"""A phrase of two words is also found written as one word from this length on: redbull, icedcoffee."""

JOINED_BELOW = "\u0370"
"""Only Latin letters are: hashtags in other scripts part words by underscores, or their words stand without spaces."""


def spelled_out(sense: Sense) -> Iterator[tuple[str, ...]]:
    """Every form of a term or trap, folded, as tokens; may repeat itself.

    Prefixes go before the first word and suffixes after the last one, of phrases that end in `~` or, where none does,
    of all.
    """
    beginnings, endings = (sense.prefixes, sense.suffixes) if isinstance(sense, Term) else (("",), ("",))
    marked = any("~" in spec for spec in sense.words)
    plain = not isinstance(sense, Term) or sense.accents == "optional"
    for spec in sense.words:
        for phrase in phrases(spec):
            stem = phrase[-1].rstrip("~")
            bare = marked and phrase[-1] == stem
            for beginning, ending in product(*((("",), ("",)) if bare else (beginnings, endings))):
                tokens = [*phrase[:-1], stem + ending]
                tokens[0] = beginning + tokens[0]
                yield from _variants(tuple(fold(token).text for token in tokens), plain)


def _variants(form: tuple[str, ...], plain: bool) -> Iterator[tuple[str, ...]]:
    yield form
    bare = tuple(without_accents(token) for token in form)
    if plain and bare != form:
        yield bare
    for tokens in (form, bare) if plain else (form,):
        joined = "".join(tokens)
        if len(tokens) == 2 and "*" not in tokens and len(joined) >= JOINED_FROM and max(joined) < JOINED_BELOW:
            yield (joined,)


FAR = 100
"""Tokens within which the phrases of a context stand that looks at the whole post."""

BARE_FROM = 4
"""A context's words are also sought without accents from this length on."""


class Read(Protocol):
    """What a context looks at in a text."""

    tokens: list[str]
    folded: Folded
    parted: bool

    def words(self) -> frozenset[str]:
        """The different tokens."""


@dataclass(slots=True)
class Found:
    """A context ready for use: `near` and `stems` single words, n-grams by their length, substrings."""

    name: str
    within: int
    near: frozenset[str]
    stems: tuple[str, ...]
    near_grams: dict[int, frozenset[tuple[str, ...]]]
    before: dict[int, frozenset[tuple[str, ...]]]
    after: dict[int, frozenset[tuple[str, ...]]]
    parts: tuple[str, ...]

    def holds(self, text: "Read", first: int, last: int) -> bool:
        """Whether the context is there for an alias that is tokens [first, last) of a text."""
        tokens = text.tokens
        for size, grams in self.before.items():
            if first >= size and tuple(tokens[first - size : first]) in grams:
                return True
        for size, grams in self.after.items():
            if tuple(tokens[last : last + size]) in grams:
                return True
        if (self.near or self.stems or self.near_grams) and self._stands_near(text, first, last):
            return True
        return text.parted and any(part in text.folded.text for part in self.parts)

    def _stands_near(self, text: "Read", first: int, last: int) -> bool:
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
        return any(
            tuple(side[at : at + size]) in grams
            for size, grams in self.near_grams.items()
            for side in (left, right)
            for at in range(len(side) - size + 1)
        )


@dataclass(slots=True)
class Signs:
    """What a text must hold for one of several contexts to be there: a quick no for most.

    `words` anywhere, or a word of `before` right before the alias, or one of `after` right after it.
    """

    words: frozenset[str]
    stems: tuple[str, ...]
    before: frozenset[str]
    after: frozenset[str]
    parts: bool

    @classmethod
    def of(cls, contexts: Iterable[Found]) -> "Signs":
        """The signs of these contexts."""
        words: set[str] = set()
        before: set[str] = set()
        after: set[str] = set()
        stems: list[str] = []
        parts = False
        for found in contexts:
            words |= found.near | {gram[0] for grams in found.near_grams.values() for gram in grams}
            before |= {gram[-1] for grams in found.before.values() for gram in grams}
            after |= {gram[0] for grams in found.after.values() for gram in grams}
            stems += found.stems
            parts |= bool(found.parts)
        return cls(frozenset(words), tuple(stems), frozenset(before), frozenset(after), parts)


def _context(context: Context) -> Found:
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


def _by_length(forms: Iterable[tuple[str, ...]]) -> dict[int, frozenset[tuple[str, ...]]]:
    found: dict[int, set[tuple[str, ...]]] = defaultdict(set)
    for form in forms:
        found[len(form)].add(form)
    return {size: frozenset(some) for size, some in found.items()}


ANY = "*"
"""Stands for any one token."""

Forms = dict[tuple[int, int], dict[tuple[str, ...], tuple[Trap, ...]]]
"""Traps by the anchor's place in the form, the form's length, and the form itself."""


@dataclass(slots=True)
class Snares:
    """The traps with one anchor, by the token after it, else by the one before it, else `alone`; `wild` have an `ANY`."""

    after: dict[str, Forms] = field(default_factory=dict)
    before: dict[str, Forms] = field(default_factory=dict)
    alone: Forms = field(default_factory=dict)
    wild: list[tuple[tuple[str, ...], int, tuple[Trap, ...]]] = field(default_factory=list)

    def add(self, form: tuple[str, ...], offset: int, traps: tuple[Trap, ...]) -> None:
        """Lay a form whose anchor is its token at `offset`."""
        if ANY in form:
            self.wild.append((form, offset, traps))
            return
        if offset + 1 < len(form):
            forms = self.after.setdefault(form[offset + 1], {})
        else:
            forms = self.before.setdefault(form[offset - 1], {}) if offset else self.alone
        forms.setdefault((offset, len(form)), {})[form] = traps


@dataclass(slots=True)
class Lexicon:
    """All look-ups, made once from a taxonomy.

    `heads`: a tree of tokens, at whose nodes `HERE` are the terms that the form that ends there may mean. `aliases`: the
    first tokens of those forms. `snares`: the traps by an alias's first token in them. `words`: all single words known,
    traps too. `parts`: strings sought anywhere in scripts without spaces. `endings`: last parts of compounds. `emoji`: by
    character.
    """

    heads: Node = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    snares: dict[str, Snares] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    parts: dict[str, list[Sense]] = field(default_factory=dict)
    part_pattern: re.Pattern[str] | None = None
    endings: dict[str, list[Sense]] = field(default_factory=dict)
    emoji: dict[str, list[Term]] = field(default_factory=dict)
    contexts: dict[str, Found] = field(default_factory=dict)

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> "Lexicon":
        """The look-ups for `taxonomy`."""
        lexicon = cls(contexts={name: _context(context) for name, context in taxonomy.contexts.items()})
        terms: dict[tuple[str, ...], list[Sense]] = defaultdict(list)
        traps: dict[tuple[str, ...], list[Sense]] = defaultdict(list)
        for term in taxonomy.terms:
            lexicon._add(term, terms)
        for trap in taxonomy.traps:
            lexicon._add(trap, traps)
        for form, senses in terms.items():
            node = lexicon.heads
            for token in form:
                node = node.setdefault(token, {})
            node[HERE] = tuple(senses)
        lexicon.aliases = {form[0] for form in terms}
        lexicon.words = {form[0] for form in (*terms, *traps) if len(form) == 1}
        for form, senses in traps.items():
            lexicon._lay(form, tuple(sense for sense in senses if isinstance(sense, Trap)))
        if lexicon.parts:
            lexicon.part_pattern = re.compile(trie_pattern(lexicon.parts))
        return lexicon

    def _add(self, sense: Sense, forms: dict[tuple[str, ...], list[Sense]]) -> None:
        if isinstance(sense, Term) and sense.emoji:
            for char in sense.words:
                self.emoji.setdefault(char.rstrip("\ufe0f"), []).append(sense)
            return
        for form in spelled_out(sense):
            joined = "".join(form)
            if NO_SPACES.search(joined):
                for part in {joined, " ".join(form)}:
                    _once(self.parts.setdefault(part, []), sense)
            elif sense.ending:
                _once(self.endings.setdefault(form[0], []), sense)
                if isinstance(sense, Trap):
                    _once(forms[form], sense)
            else:
                _once(forms[form], sense)

    def _lay(self, form: tuple[str, ...], traps: tuple[Trap, ...]) -> None:
        """Index a form of traps; one without an alias in it holds nothing back and is left out."""
        places = [at for at, token in enumerate(form) if token in self.aliases]
        if places:
            anchor = max(places, key=lambda at: len(form[at]))
            self.snares.setdefault(form[anchor], Snares()).add(form, anchor, traps)


def _once(senses: list[Sense], sense: Sense) -> None:
    if sense not in senses:
        senses.append(sense)


def trie_pattern(words: Iterable[str]) -> str:
    """A regular expression for any of `words`, the longest that fits first, that looks at each character once."""
    root: dict[str, dict] = {}  # type: ignore[type-arg]
    for word in words:
        node = root
        for char in word:
            node = node.setdefault(char, {})
        node[""] = {}
    return _branch(root)


def _branch(node: dict[str, dict]) -> str:  # type: ignore[type-arg]
    choices = [re.escape(char) + _branch(after) for char, after in sorted(node.items()) if char]
    if not choices:
        return ""
    pattern = choices[0] if len(choices) == 1 and "" not in node else f"(?:{'|'.join(choices)})"
    return pattern + "?" if "" in node else pattern
