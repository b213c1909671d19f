"""Whether an alias counts where it stands: its language, the words around it, how it is written."""

from collections.abc import Mapping
from typing import Final

from drinkstream.contexts import Found, Signs
from drinkstream.decision import Held, Mention
from drinkstream.matching import Match
from drinkstream.reading import Text
from drinkstream.senses import Term

_CUT: Final = ("…", "..")
_WHOLE_WHEN_CUT: Final = 6
"""An alias right before the mark of a cut-off repost counts from this length on: `tea…` may have been `team`."""


class Judge:
    """Judges single aliases by the contexts of one taxonomy."""

    def __init__(self, contexts: Mapping[str, Found]) -> None:
        self._contexts = contexts
        self._signs: dict[tuple[str, ...], Signs] = {}

    def verdict(self, term: Term, match: Match, text: Text) -> Mention | Held:
        """The mention that `match` is when read as `term`, or why it is none."""
        alias = text.written(match.start, match.end)
        if reason := self._objection(term, match, text, alias):
            return Held(alias, f"{term.rule}:{reason}")
        rule, category = term.rule, term.category
        if term.drink_when:
            context = self.first(term.drink_when, match.first, match.last, text)
            if context is None or self.first(term.only_brand, match.first, match.last, text) is not None:
                category = None
            else:
                rule = f"{rule}+{context}"
        elif (context := self.first(term.only_brand, match.first, match.last, text)) is not None:
            rule, category = f"{rule}+{context}", None
        start, end = text.folded.span(match.start, match.end)
        return Mention(category, term.brand, alias, start, end, rule)

    def _objection(self, term: Term, match: Match, text: Text, alias: str) -> str | None:
        if term.case != "any" and not (alias.isupper() if term.case == "upper" else alias.islower()):
            return f"not-{term.case}-case"
        if term.names and _is_name(match, text, alias):
            return "name"
        if _is_cut(match, text, alias):
            return "cut-off"
        if text.lang in term.not_langs:
            return "language"
        if term.langs and not text.speaks(term.langs) and not self.first(term.abroad, match.first, match.last, text):
            return "language"
        if term.need and not self.first(term.need, match.first, match.last, text):
            return f"needs-{'-or-'.join(term.need)}"
        return self.first(term.unless, match.first, match.last, text)

    def first(self, names: tuple[str, ...], first: int, last: int, text: Text) -> str | None:
        """The first of these contexts that is there for tokens [first, last)."""
        if not names:
            return None
        signs = self._signs.get(names)
        if signs is None:
            signs = self._signs[names] = Signs([self._contexts[name] for name in names])
        possible = signs.possible(text, first, last)
        if not possible:
            return None
        for number, name in enumerate(names):
            if possible >> number & 1 and self._contexts[name].holds(text, first, last):
                return name
        return None


def _is_name(match: Match, text: Text, alias: str) -> bool:
    """Whether a capitalised alias stands beside another capitalised word in a text that is not all capitals."""
    if not alias[:1].isupper() or text.original.isupper():
        return False
    at, raw = text.positions(min(match.last + 1, len(text.raw))), text.raw
    beside = []
    for index, edge in ((match.first - 1, match.start - 1), (match.last, match.end + 1)):
        if 0 <= index < len(raw):
            first, last = at[index], at[index] + len(raw[index])
            if edge in (last, first):
                beside.append(text.written(first, last))
    return any(word[:1].isupper() and word[1:].islower() and not text.languages.knows(word.lower()) for word in beside)


def _is_cut(match: Match, text: Text, alias: str) -> bool:
    folded = text.folded.text
    if len(alias) >= _WHOLE_WHEN_CUT or not folded.startswith(_CUT, match.end) or not folded.startswith("rt @"):
        return False
    return len(folded) - match.end <= 30 and alias[-1:].isalpha()
