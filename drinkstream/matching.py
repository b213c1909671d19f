"""Where the taxonomy's aliases and traps stand in a text, before anything is judged."""

import re
from bisect import bisect_right
from typing import Final

from drinkstream.lexicon import ANY, PARTERS, Forms, Lexicon, Node, Sense, Snares
from drinkstream.reading import MOST, PICTURES, Text
from drinkstream.senses import Term, Trap
from drinkstream.taxonomy import Taxonomy

_KATAKANA: Final = re.compile("[\u30a1-\u30fa\u30fc-\u30ff]+")
_HANGUL: Final = re.compile("[\uac00-\ud7a3]*")
_INDIC: Final = re.compile("[\u0900-\u0dff]")
_BREAK: Final = re.compile(r"[!?\n;|…]|\w\w\w\.\s|\.\.")

TAIL: Final = 3
"""Letters by which the end of a compound is looked for first; no ending is shorter."""

GAP: Final = 3
"""Characters that may part the words of a phrase; those of a tight one are parted by one of `PARTERS`."""


class Match:
    """What stands at [start, end) of the folded text, which is tokens [first, last); `terms` is what it may mean."""

    __slots__ = ("end", "first", "last", "start", "terms")

    def __init__(self, start: int, end: int, first: int, last: int, terms: tuple[Term, ...]) -> None:
        self.start = start
        self.end = end
        self.first = first
        self.last = last
        self.terms = terms


class Caught:
    """A trap over [start, end) of the folded text, which is tokens [first, last)."""

    __slots__ = ("end", "first", "last", "start", "trap")

    def __init__(self, start: int, end: int, first: int, last: int, trap: Trap) -> None:
        self.start = start
        self.end = end
        self.first = first
        self.last = last
        self.trap = trap


Ending = tuple[str, tuple[Term, ...], tuple[Trap, ...]]
"""How a compound may end, the terms that it then may be and the traps that it then is."""


class Matcher:
    """Finds matches by the look-ups of one taxonomy."""

    def __init__(self, taxonomy: Taxonomy, lexicon: Lexicon) -> None:
        self._heads = lexicon.heads
        self._words = lexicon.words
        self._parts = lexicon.parts
        self._part_sizes = lexicon.part_sizes
        self._particles = frozenset(("", *(part for part in taxonomy.particles if not part.endswith("~"))))
        self._going_on = tuple(part[:-1] for part in taxonomy.particles if part.endswith("~"))
        self._endings: dict[str, list[Ending]] = {}
        for ending, senses in lexicon.endings.items():
            terms = tuple(sense for sense in senses if isinstance(sense, Term))
            traps = tuple(sense for sense in senses if isinstance(sense, Trap))
            self._endings.setdefault(ending[-TAIL:], []).append((ending, terms, traps))
        self._emoji = lexicon.emoji

    def matches(self, text: Text) -> tuple[list[Match], list[Caught]]:
        """Every alias of the text and every trap around one, overlaps included."""
        tokens, heads = text.tokens, self._heads
        found: list[Match] = []
        caught: list[Caught] = []
        for first, token in enumerate(tokens):
            head = heads.get(token)
            if head is None:
                continue
            after = tokens[first + 1] if first + 1 < len(tokens) else ""
            if after in head.after or head.wild is not None:
                self._phrases(text, head, first, first + 1, found)
            elif head.terms:
                at = text.positions(first + 1)[first]
                found.append(Match(at, at + len(text.raw[first]), first, first + 1, head.terms))
            snares = head.snares
            if snares is not None:
                sets = [snares.alone] if snares.alone else []
                if after in snares.after:
                    sets.append(snares.after[after])
                if first and tokens[first - 1] in snares.before:
                    sets.append(snares.before[tokens[first - 1]])
                if sets or snares.wild:
                    self._traps(text, first, snares, sets, caught)
            if len(found) > MOST or len(caught) > MOST:
                break
        if text.parted:
            self._substrings(text, found, caught)
        self._compounds(text, found, caught)
        if text.pictures:
            self._pictures(text, found)
        return found, caught

    def _phrases(self, text: Text, node: Node, first: int, last: int, found: list[Match]) -> None:
        """The forms that begin with tokens [first, last), which lead to `node`."""
        tokens = text.tokens
        while True:
            if node.terms and (last == first + 1 or self._together(text, first, last, node.tight)):
                at = text.positions(last)
                found.append(Match(at[first], at[last - 1] + len(text.raw[last - 1]), first, last, node.terms))
            if last == len(tokens):
                return
            if node.wild is not None:
                self._phrases(text, node.wild, first, last + 1, found)
            after = node.after.get(tokens[last])
            if after is None:
                return
            node, last = after, last + 1

    def _traps(self, text: Text, at: int, snares: Snares, sets: list[Forms], caught: list[Caught]) -> None:
        tokens, size = text.tokens, len(text.tokens)
        laid = []
        for forms in sets:
            for (offset, length), known in forms.items():
                traps = known.get(tuple(tokens[at - offset : at - offset + length])) if at >= offset else None
                if traps is not None:
                    laid.append((at - offset, at - offset + length, traps))
        for form, offset, traps in snares.wild:
            first, last = at - offset, at - offset + len(form)
            if first >= 0 and last <= size and _fits(form, tokens, first):
                laid.append((first, last, traps))
        for first, last, traps in laid:
            if self._close(text, first, last):
                places = text.positions(last)
                end = places[last - 1] + len(text.raw[last - 1])
                caught += [Caught(places[first], end, first, last, trap) for trap in traps]

    def _together(self, text: Text, first: int, last: int, tight: tuple[int, ...]) -> bool:
        if not self._close(text, first, last):
            return False
        at, raw, folded = text.positions(last), text.raw, text.folded.text
        for index in tight:
            word, after = raw[first + index], raw[first + index + 1]
            gap = folded[at[first + index] + len(word) : at[first + index + 1]]
            # without a gap in a hashtag; the prefilter seeks them joined where they are ASCII
            if gap not in PARTERS and (gap or not (word.isascii() and after.isascii())):
                return False
        return True

    def _close(self, text: Text, first: int, last: int) -> bool:
        at, raw, folded = text.positions(last), text.raw, text.folded.text
        for index in range(first, last - 1):
            end = at[index] + len(raw[index])
            gap = at[index + 1] - end
            if gap > GAP or (gap > 1 and _BREAK.search(folded, max(0, end - 3), at[index + 1])):
                return False
            if gap == 1 and folded[end] in "\n!?;|":
                return False
        return True

    def _substrings(self, text: Text, found: list[Match], caught: list[Caught]) -> None:
        folded, sizes = text.folded.text, self._part_sizes
        start = taken = 0
        last = len(folded)
        while start < last and taken < MOST:
            some = sizes.get(folded[start : start + 2], ())
            alone = sizes.get(folded[start], ()) if start + 1 < last else ()
            if not some and not alone:
                start += 1
                continue
            end = self._part(text, start, some, found, caught) or self._part(text, start, alone, found, caught)
            taken += end is not None
            start = end or start + 1

    def _part(
        self, text: Text, start: int, sizes: tuple[int, ...], found: list[Match], caught: list[Caught]
    ) -> int | None:
        """Takes the longest string at `start` that is a word of its own, and returns its end; None where none is."""
        folded = text.folded.text
        for size in sizes:
            end = start + size
            known = self._parts.get(folded[start:end]) if end <= len(folded) else None
            if known is None:
                continue
            # a longer string that is no word of its own may begin with a shorter one that is
            senses = [sense for sense in known if self._bounded(sense, folded, start, end)]
            if senses:
                first = max(bisect_right(text.positions(), start) - 1, 0)
                terms = tuple(sense for sense in senses if isinstance(sense, Term))
                if terms:
                    found.append(Match(start, end, first, first + 1, terms))
                caught += [Caught(start, end, first, first + 1, one) for one in senses if isinstance(one, Trap)]
                return end
        return None

    def _bounded(self, sense: Sense, folded: str, start: int, end: int) -> bool:
        """Whether an alias is a word of its own by the rules of its script."""
        if isinstance(sense, Trap) or sense.inside:
            return True
        before = folded[start - 1] if start else " "
        after = folded[end] if end < len(folded) else " "
        word = folded[start:end]
        if _KATAKANA.fullmatch(word):
            return (sense.ending or not _KATAKANA.match(before)) and not _KATAKANA.match(after)
        if "\uac00" <= word[0] <= "\ud7a3":
            if "\uac00" <= before <= "\ud7a3" and not sense.ending:
                return False
            rest = _HANGUL.match(folded, end, end + 8)
            return rest is not None and (
                rest.group() in self._particles or bool(self._going_on and rest.group().startswith(self._going_on))
            )
        if _INDIC.match(word):
            # టీ20, 20-over cricket, is no tea
            return not _INDIC.match(before) and not _INDIC.match(after) and not after.isdecimal()
        return True

    def _compounds(self, text: Text, found: list[Match], caught: list[Caught]) -> None:
        for index, token in enumerate(text.tokens):
            endings = self._endings.get(token[-TAIL:]) if len(token) > TAIL + 1 else None
            # handles and links end in what they like
            if endings is None or token in self._words or not token.isalnum():
                continue
            for ending, terms, traps in endings:
                if token.endswith(ending) and len(token) > len(ending) + 1:
                    start = text.positions(index + 1)[index]
                    end = start + len(text.raw[index])
                    if terms:
                        found.append(Match(start, end, index, index + 1, terms))
                    caught += [Caught(start, end, index, index + 1, trap) for trap in traps]

    def _pictures(self, text: Text, found: list[Match]) -> None:
        for hit in PICTURES.finditer(text.folded.text):
            terms = self._emoji.get(hit.group())
            if terms:
                first = bisect_right(text.positions(), hit.start())
                found.append(Match(hit.start(), hit.end(), first, first, tuple(terms)))
                if len(found) > MOST:
                    break


def _fits(form: tuple[str, ...], tokens: list[str], first: int) -> bool:
    return all(form[index] in (tokens[first + index], ANY) for index in range(len(form)))
