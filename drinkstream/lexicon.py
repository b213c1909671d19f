"""The taxonomy's phrases spelled out and indexed for look-up: what both the classifier and the prefilter search for."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, product
from typing import Final

from drinkstream.contexts import Found, prepared
from drinkstream.fold import fold, without_accents
from drinkstream.senses import Term, Trap
from drinkstream.taxonomy import Taxonomy
from drinkstream.tokens import NO_SPACES, phrases

Sense = Term | Trap


JOINED_FROM: Final = 7
"""A phrase of two words is also found written as one word from this length on: redbull, icedcoffee."""

JOINED_BELOW: Final = "\u0370"
"""Only Latin letters are: hashtags in other scripts part words by underscores, or their words stand without spaces."""

TELLING: Final = 4
"""Letters from which on a word may stand for the phrase that it is in, unless it is a common word."""

PARTERS: Final = (" ", "  ", "-", ". ", "'", "\u2019")
"""What may part the words of a phrase of which no word is telling: `un te`, `glass of port`, `tim's`."""


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


ANY: Final = "*"
"""Stands for any one token."""


def common_words(taxonomy: Taxonomy) -> frozenset[str]:
    """Words that stand in every other text: those of hashtags, and the small words of all languages."""
    return taxonomy.fillers.union(*taxonomy.languages.values())


def is_tight(form: tuple[str, ...], common: frozenset[str]) -> bool:
    """Whether `form` is a phrase without a telling word: its words count with one of `PARTERS` between them only.

    What stands for `ANY` may be parted from them as in other phrases. Wider gaps would have to be sought wherever one
    of these words stands, which is in every line.
    """
    return len(form) > 1 and all(word.isascii() and (len(word) < TELLING or word in common) for word in form)


Forms = dict[tuple[int, int], dict[tuple[str, ...], tuple[Trap, ...]]]
"""Traps by the anchor's place in the form, the form's length, and the form itself."""


@dataclass(slots=True)
class Snares:
    """The traps with one anchor: by the token after it, else by the one before it, else `alone`; `wild` hold `ANY`."""

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


class Node:
    """A place in the tree of the tokens of all forms: how they go on, and what the one that ends here may mean.

    `after`: by the next token, `wild` where that is `ANY`. `terms`: empty where no form ends. `tight`: the places of
    its words that one of `PARTERS` parts from the next, where it is one of `is_tight`. `snares`: of a form's first
    token, the traps with it as their anchor.
    """

    __slots__ = ("after", "snares", "terms", "tight", "wild")

    def __init__(self) -> None:
        self.after: dict[str, Node] = {}
        self.wild: Node | None = None
        self.terms: tuple[Term, ...] = ()
        self.tight: tuple[int, ...] = ()
        self.snares: Snares | None = None

    def grown(self, token: str) -> "Node":
        """The node after this one by `token`, made where it is not there."""
        if token != ANY:
            return self.after.setdefault(token, Node())
        if self.wild is None:
            self.wild = Node()
        return self.wild


@dataclass(slots=True)
class Lexicon:
    """All look-ups, made once from a taxonomy.

    `heads`: a tree of tokens for the forms of all terms, by their first one. `words`: all single words
    known, traps too. `parts`: strings sought anywhere in scripts without spaces, `part_sizes` their lengths, greatest
    first, by their first two characters. `endings`: last parts of compounds. `emoji`: by character.
    """

    heads: dict[str, Node] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)
    parts: dict[str, list[Sense]] = field(default_factory=dict)
    part_sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    endings: dict[str, list[Sense]] = field(default_factory=dict)
    emoji: dict[str, list[Term]] = field(default_factory=dict)
    contexts: dict[str, Found] = field(default_factory=dict)

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> "Lexicon":
        """The look-ups for `taxonomy`."""
        lexicon = cls(contexts={name: prepared(context) for name, context in taxonomy.contexts.items()})
        terms: dict[tuple[str, ...], list[Sense]] = defaultdict(list)
        traps: dict[tuple[str, ...], list[Sense]] = defaultdict(list)
        for term in taxonomy.terms:
            lexicon._add(term, terms)
        for trap in taxonomy.traps:
            lexicon._add(trap, traps)
        common = common_words(taxonomy)
        for form, senses in terms.items():
            node = lexicon.heads.setdefault(form[0], Node())
            for token in form[1:]:
                node = node.grown(token)
            node.terms = tuple(sense for sense in senses if isinstance(sense, Term))
            if is_tight(form, common):
                node.tight = tuple(at for at, pair in enumerate(pairwise(form)) if ANY not in pair)
        lexicon.words = {form[0] for form in (*terms, *traps) if len(form) == 1}
        for form, senses in traps.items():
            lexicon._lay(form, tuple(sense for sense in senses if isinstance(sense, Trap)))
        sizes: dict[str, set[int]] = defaultdict(set)
        for part in lexicon.parts:
            sizes[part[:2]].add(len(part))
        lexicon.part_sizes = {start: tuple(sorted(found, reverse=True)) for start, found in sizes.items()}
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
        places = [at for at, token in enumerate(form) if token in self.heads]
        if places:
            anchor = max(places, key=lambda at: len(form[at]))
            head = self.heads[form[anchor]]
            if head.snares is None:
                head.snares = Snares()
            head.snares.add(form, anchor, traps)


def _once(senses: list[Sense], sense: Sense) -> None:
    if sense not in senses:
        senses.append(sense)
