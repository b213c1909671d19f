"""What a text says about drinks: each alias that counts, and each that was held back, with the rule that decided.

A text is folded and cut into tokens, aliases and traps are looked up, and each alias is judged by the post's language
and the words around it. The time is linear in the length of the text.
"""

import re
from bisect import bisect_left, bisect_right
from typing import Final

from drinkstream.decision import NOTHING, Decision, Held, Mention
from drinkstream.fold import fold
from drinkstream.judge import Judge
from drinkstream.language import primary
from drinkstream.lexicon import Lexicon
from drinkstream.matching import Caught, Match, Matcher
from drinkstream.reading import Reader, Text
from drinkstream.senses import OWN_PREFIXES, Term, Trap
from drinkstream.taxonomy import Taxonomy

__all__ = ["Classifier", "Decision", "Held", "Mention"]

MOST: Final = 64
"""Matches judged in one text at most, so that a text of repeats costs no more than a long one."""

MENU_REACH: Final = 6
"""Tokens between a chain and a drink of its menu that is then the chain's."""

NAMED_REACH: Final = 2
"""Tokens between a product, or a chain that stands for its drink, and the word for another drink that is then its."""

_SENTENCE_END: Final = re.compile(r"[^.][.!?](?=\s)|[\n。！？]")

LONGEST_TRAP: Final = 80
"""Characters before an alias within which a trap that covers it starts."""


class _Spot:
    __slots__ = ("first", "last", "mention", "term")

    def __init__(self, mention: Mention, term: Term, first: int, last: int) -> None:
        self.mention = mention
        self.term = term
        self.first = first
        self.last = last


class Classifier:
    """Decides texts by one taxonomy. Safe to share: it keeps nothing between texts."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        lexicon = Lexicon.of(taxonomy)
        self._reader = Reader(taxonomy, lexicon)
        self._matcher = Matcher(taxonomy, lexicon)
        self._judge = Judge(lexicon.contexts)

    def decide(self, text: str, lang: str | None) -> Decision:
        """What `text` mentions; `lang` is the post's BCP 47 tag, None or "und" where unknown. Takes any str."""
        read = self._reader.read(text, fold(text), primary(lang))
        matches, caught = self._matcher.matches(read)
        if not matches:
            return NOTHING
        spots, held = self._judged(matches, caught, read)
        if not spots and not held:
            return NOTHING
        mentions = _joined(spots, text) if len(spots) > 1 else [spot.mention for spot in spots]
        if len(mentions) > 1:
            mentions.sort(key=lambda mention: (mention.start, mention.end))
        return Decision(tuple(mentions), tuple(dict.fromkeys(held)) if held else ())

    def _judged(self, candidates: list[Match], caught: list[Caught], read: Text) -> tuple[list[_Spot], list[Held]]:
        """Each alias judged, longest first, so that `root beer` settles what its `beer` may mean."""
        held_by = [one for one in caught if self._is_set(one, read)] if caught else caught
        traps = _Traps(held_by) if held_by else None
        if len(candidates) > 1:
            candidates.sort(key=_longest_first)
        spots: list[_Spot] = []
        held: list[Held] = []
        settled: list[Match] = []
        for match in candidates[:MOST]:
            if settled and _ends_in_one_of(settled, match):
                continue
            judged, more = self._verdicts(match, traps, read, spots)
            spots += judged
            held += more
            if judged or not all(_leaves_shorter(one) for one in more):
                settled.append(match)
        return spots, held

    def _is_set(self, caught: Caught, read: Text) -> bool:
        trap = caught.trap
        return (not trap.langs or read.speaks(trap.langs)) and not self._judge.first(
            trap.unless, caught.first, caught.last, read
        )

    def _verdicts(
        self, match: Match, traps: "_Traps | None", read: Text, spots: list[_Spot]
    ) -> tuple[list[_Spot], list[Held]]:
        judged: list[_Spot] = []
        held: list[Held] = []
        for term in match.terms:
            if term.emoji and any(spot.mention.category == term.category for spot in (*spots, *judged)):
                continue
            if judged and term.category == judged[0].term.category and term.brand == judged[0].term.brand:
                continue
            if traps is not None and (trap := traps.around(match, term)):
                held.append(Held(read.written(match.start, match.end), trap.rule))
                continue
            verdict = self._judge.verdict(term, match, read)
            if isinstance(verdict, Held):
                held.append(verdict)
            elif not judged or term.brand or judged[0].term.brand:
                judged.append(_Spot(verdict, term, match.first, match.last))
        return judged, ([] if judged else held)


def _longest_first(match: Match) -> tuple[bool, int, int]:
    """Words before pictures, long before short, in the order of the text."""
    return (match.last == match.first, match.start - match.end, match.start)


def _leaves_shorter(held: Held) -> bool:
    """Whether an alias was held back for a reason that says nothing of a shorter one in it."""
    reason = held.rule.partition(":")[2]
    return reason in ("language", "name") or reason.startswith(OWN_PREFIXES)


def _ends_in_one_of(settled: list[Match], match: Match) -> bool:
    """Whether the first or the last character of `match` is one of a longer alias."""
    first, last = match.start, match.end - 1
    return any(one.start <= first < one.end or one.start <= last < one.end for one in settled)


class _Traps:
    """The traps of a text, by where they start."""

    def __init__(self, caught: list[Caught]) -> None:
        self._caught = sorted(caught, key=lambda one: one.start)
        self._starts = [one.start for one in self._caught]

    def around(self, match: Match, term: Term) -> Trap | None:
        """The first trap that covers `match` and holds what `term` stands for."""
        first = bisect_left(self._starts, match.start - LONGEST_TRAP)
        for one in self._caught[first : bisect_right(self._starts, match.start)]:
            if match.end <= one.end and (not one.trap.holds or term.category in one.trap.holds):
                return one.trap
        return None


def _joined(spots: list[_Spot], text: str) -> list[Mention]:
    """The mentions, a drink and the brand it is of made one: the brand's span with the drink's category."""
    brands = [spot for spot in spots if spot.term.brand]
    if not brands:
        return [spot.mention for spot in spots]
    drinks = [spot for spot in spots if not spot.term.brand]
    taken: set[int] = set()
    mentions = []
    for spot in brands:
        mention = spot.mention
        own = [drink for drink in drinks if _is_of(drink, spot, text)]
        if own:
            nearest = min(own, key=lambda drink: _apart(drink, spot))
            category = nearest.mention.category
            taken.update(id(drink) for drink in own if drink.mention.category == category)
            if category != mention.category:
                rule = f"{spot.term.rule}+{nearest.mention.rule}"
                mention = mention._replace(category=category, rule=rule)
        mentions.append(mention)
    return mentions + [drink.mention for drink in drinks if id(drink) not in taken]


def _is_of(drink: _Spot, brand: _Spot, text: str) -> bool:
    """Whether a drink is one of the brand beside it, in the same sentence."""
    category, term = drink.mention.category, brand.term
    if category != term.category and category not in term.menu:
        return False
    # a chain that stands for its drink already takes another one only where both are named together
    far = bool(term.menu) and brand.mention.category in (None, category)
    if _apart(drink, brand) > (MENU_REACH if far else NAMED_REACH):
        return False
    first, last = sorted((drink.mention, brand.mention), key=lambda mention: mention.start)
    return _SENTENCE_END.search(text, max(first.end - 1, 0), last.start) is None


def _apart(one: _Spot, other: _Spot) -> int:
    return max(one.first - other.last, other.first - one.last, 0)
