"""Where the taxonomy's aliases and traps stand in a text, before anything is judged."""

import re
from bisect import bisect_right
from dataclasses import dataclass

from drinkstream.fold import Folded
from drinkstream.language import Languages
from drinkstream.lexicon import HERE, Lexicon, Node, Sense
from drinkstream.taxonomy import Taxonomy, Term, Trap
from drinkstream.tokens import NO_SPACES, TRIPLE, camel_words, spelled, squeezed, tokenize

LONGEST_TAG = 48
SHORTEST_IN_TAG = 3
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc-\u30ff]+")
_HANGUL = re.compile("[\uac00-\ud7a3]*")
_INDIC = re.compile("[\u0900-\u0dff]")
_ASTRAL = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_BREAK = re.compile(r"[!?\n;|…]|\w\w\w\.\s|\.\.")
MOST = 256
"""Matches of one kind sought in a text, and hashtags cut into words: more than a post has, and a bound on the time."""

GAP = 3
"""Characters that may part the words of a phrase."""


@dataclass(slots=True)
class Match:
    """What stands at [start, end) of the folded text, which is tokens [first, last); `senses` are its readings."""

    start: int
    end: int
    first: int
    last: int
    senses: list[Sense]


@dataclass(slots=True)
class Text:
    """A post's text in the forms that matching and judging look at.

    `at` are the tokens' positions and `spoken` the languages, each once it is needed.
    """

    original: str
    folded: Folded
    lang: str | None
    tokens: list[str]
    raw: list[str]
    parted: bool
    languages: Languages
    at: list[int] | None = None
    spoken: frozenset[str] | None = None

    def speaks(self, langs: frozenset[str]) -> bool:
        """Whether the text is in one of these languages."""
        if self.lang in langs:
            return True
        if self.spoken is None:
            self.spoken = self.languages.of(self.tokens, self.lang)
        return not langs.isdisjoint(self.spoken)

    def positions(self) -> list[int]:
        """Where each token starts in the folded text."""
        if self.at is None:
            at, position, find = [], 0, self.folded.text.find
            for token in self.raw:
                position = find(token, position)
                at.append(position)
                position += len(token)
            self.at = at
        return self.at

    def written(self, start: int, end: int) -> str:
        """The original characters of a span of the folded text."""
        first, last = self.folded.span(start, end)
        return self.original[first:last]


class Matcher:
    """Finds matches by the look-ups of one taxonomy."""

    def __init__(self, taxonomy: Taxonomy, lexicon: Lexicon) -> None:
        self._heads: Node = lexicon.heads
        self._aliases = lexicon.aliases
        self._parts = lexicon.parts
        self._part_pattern = lexicon.part_pattern
        self._particles = frozenset(("", *(part for part in taxonomy.particles if not part.endswith("~"))))
        self._going_on = tuple(part[:-1] for part in taxonomy.particles if part.endswith("~"))
        self._vocabulary = frozenset(lexicon.aliases | taxonomy.fillers)
        self._short = frozenset(word for word in lexicon.aliases - taxonomy.fillers if len(word) < SHORTEST_IN_TAG)
        self._endings = lexicon.endings
        self._ends = tuple(lexicon.endings)
        self._emoji = lexicon.emoji
        self._languages = Languages(taxonomy.languages)

    def read(self, original: str, folded: Folded, lang: str | None) -> Text:
        """`original` as tokens, hashtags cut into their words and elongations undone where that gives an alias."""
        raw = tokenize(folded.text)
        parted = not original.isascii() and NO_SPACES.search(folded.text) is not None
        text = Text(original, folded, lang, raw, raw, parted, self._languages)
        if "#" in raw:
            self._cut_tags(text)
        if TRIPLE.search(folded.text):
            text.tokens = [self._settled(token) for token in text.raw]
        return text

    def matches(self, text: Text) -> list[Match]:
        """Every alias and trap of the text, overlaps included; empty where no alias is."""
        tokens, heads = text.tokens, self._heads
        aliases = self._aliases
        found: list[Match] = []
        if not aliases.isdisjoint(tokens):
            for first, token in enumerate(tokens):
                if token in heads:
                    self._words(text, first, found)
                    if len(found) > MOST:
                        break
        if text.parted:
            self._substrings(text, found)
        if self._ends:
            self._compounds(text, found)
        if not text.original.isascii() and _ASTRAL.search(text.original):
            self._pictures(text, found)
        return found

    def _cut_tags(self, text: Text) -> None:
        raw: list[str] = []
        positions = text.positions()
        skip = False
        if text.raw.count("#") > MOST:
            return
        for index, token in enumerate(text.raw):
            if skip:
                skip = False
                continue
            raw.append(token)
            if token != "#" or index + 1 == len(text.raw) or positions[index + 1] != positions[index] + 1:
                continue
            skip = True
            body = text.raw[index + 1]
            raw.extend(self._tag_words(text, body, positions[index + 1]))
        text.raw = text.tokens = raw
        text.at = None

    def _tag_words(self, text: Text, body: str, start: int) -> list[str]:
        if body in self._aliases or len(body) > LONGEST_TAG or not body.isascii():
            return [body]
        words = [word.lower() for word in camel_words(text.written(start, start + len(body)))]
        if len(words) < 2:
            words = spelled(body, self._vocabulary)
        if len(words) < 2 or "".join(words) != body.replace("_", ""):
            return [body]
        # an alias of two letters is too often a syllable here
        return [body] if any(len(word) < SHORTEST_IN_TAG and word in self._short for word in words) else words

    def _settled(self, token: str) -> str:
        if token in self._heads or not TRIPLE.search(token):
            return token
        return next((form for form in squeezed(token) if form in self._aliases), token)

    def _words(self, text: Text, first: int, found: list[Match]) -> None:
        tokens, size = text.tokens, len(text.tokens)
        ways: list[tuple[Node, int]] = [(self._heads[tokens[first]], first + 1)]
        while ways:
            node, last = ways.pop()
            senses = node.get(HERE)
            if senses is not None and (last == first + 1 or self._close(text, first, last)):
                at = text.positions()
                found.append(Match(at[first], at[last - 1] + len(text.raw[last - 1]), first, last, senses))
            if last < size and len(node) > (senses is not None):
                after = node.get(tokens[last])
                if after is not None:
                    ways.append((after, last + 1))
                after = node.get("*")
                if after is not None:
                    ways.append((after, last + 1))

    def _close(self, text: Text, first: int, last: int) -> bool:
        at, raw, folded = text.positions(), text.raw, text.folded.text
        for index in range(first, last - 1):
            end = at[index] + len(raw[index])
            gap = at[index + 1] - end
            if gap > GAP or (gap > 1 and _BREAK.search(folded, max(0, end - 3), at[index + 1])):
                return False
            if gap == 1 and folded[end] in "\n!?;|":
                return False
        return True

    def _substrings(self, text: Text, found: list[Match]) -> None:
        if self._part_pattern is None:
            return
        folded = text.folded.text
        at = tried = 0
        while tried < MOST and (hit := self._part_pattern.search(folded, at)) is not None:
            tried += 1
            start, end = hit.span()
            senses: list[Sense] = []
            while end > start:
                # a longer string that is no word of its own may begin with a shorter one that is
                known = self._parts.get(folded[start:end], ())
                senses = [sense for sense in known if self._bounded(sense, folded, start, end)]
                if senses:
                    break
                end -= 1
            if senses:
                first = bisect_right(text.positions(), start) - 1
                found.append(Match(start, end, max(first, 0), max(first, 0) + 1, senses))
            at = end if senses else start + 1

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
            return not _INDIC.match(before) and not _INDIC.match(after)
        return True

    def _compounds(self, text: Text, found: list[Match]) -> None:
        for index, token in enumerate(text.tokens):
            if not token.endswith(self._ends) or token in self._heads:
                continue
            for ending, senses in self._endings.items():
                if token.endswith(ending) and len(token) > len(ending) + 1:
                    start = text.positions()[index]
                    found.append(Match(start, start + len(text.raw[index]), index, index + 1, senses))

    def _pictures(self, text: Text, found: list[Match]) -> None:
        for hit in _ASTRAL.finditer(text.folded.text):
            terms = self._emoji.get(hit.group())
            if terms:
                first = bisect_right(text.positions(), hit.start())
                found.append(Match(hit.start(), hit.end(), first, first, list(terms)))
                if len(found) > MOST:
                    break


def traps_of(match: Match) -> list[Trap]:
    """The traps among the readings of a match."""
    return [sense for sense in match.senses if isinstance(sense, Trap)]


def terms_of(match: Match) -> list[Term]:
    """The terms among the readings of a match."""
    return [sense for sense in match.senses if isinstance(sense, Term)]
