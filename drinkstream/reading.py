"""A post's text as tokens: folded, hashtags cut into their words, stretched words undone."""

import re
from itertools import pairwise
from typing import Final

from drinkstream.fold import Folded
from drinkstream.language import Languages
from drinkstream.lexicon import Lexicon
from drinkstream.taxonomy import Taxonomy
from drinkstream.tokens import (
    NO_SPACES,
    TRIPLE,
    before_stop,
    by_script,
    camel_words,
    may_miss_space,
    may_stretch,
    meets_latin,
    spelled,
    squeezed,
    tokenize,
)

LONGEST_TAG: Final = 48
SHORTEST_IN_TAG: Final = 3
MOST: Final = 128
"""Hashtags cut in a text, and matches of one kind sought in it: more than a post has, and a bound on the time."""

PICTURES: Final = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")


class Text:
    """A post's text in the forms that matching and judging look at.

    `at` are the positions of the first tokens, `spoken` the languages, `known` the different tokens and `parts` which
    sets of strings have one in the text, each as far as it was needed.
    """

    __slots__ = (
        *("at", "folded", "known", "lang", "languages", "original", "parted", "parts", "pictures", "raw", "spoken"),
        "tokens",
    )

    def __init__(
        self,
        original: str,
        folded: Folded,
        lang: str | None,
        tokens: list[str],
        parted: bool,
        pictures: bool,
        languages: Languages,
    ) -> None:
        self.original = original
        self.folded = folded
        self.lang = lang
        self.tokens = self.raw = tokens
        self.parted = parted
        self.pictures = pictures
        self.languages = languages
        self.at: list[int] = []
        self.spoken: frozenset[str] | None = None
        self.known: frozenset[str] | None = None
        self.parts: dict[str, bool] = {}

    def words(self) -> frozenset[str]:
        """The different tokens."""
        if self.known is None:
            self.known = frozenset(self.tokens)
        return self.known

    def holds_any(self, name: str, parts: tuple[str, ...]) -> bool:
        """Whether the folded text has one of these strings, the same ones for a name."""
        found = self.parts.get(name)
        if found is None:
            folded = self.folded.text
            found = self.parts[name] = any(part in folded for part in parts)
        return found

    def speaks(self, langs: frozenset[str]) -> bool:
        """Whether the text is in one of these languages."""
        if self.lang in langs:
            return True
        if self.spoken is None:
            self.spoken = self.languages.of(self.tokens, self.lang)
        return not langs.isdisjoint(self.spoken)

    def positions(self, before: int | None = None) -> list[int]:
        """Where each token starts in the folded text; those before `before` at least."""
        at, raw = self.at, self.raw
        end = len(raw) if before is None else before
        known = len(at)
        if known < end:
            folded = self.folded.text
            position = at[known - 1] + len(raw[known - 1]) if known else 0
            for index in range(known, end):
                position = folded.find(raw[index], position)
                at.append(position)
                position += len(raw[index])
        return at

    def written(self, start: int, end: int) -> str:
        """The original characters of a span of the folded text."""
        first, last = self.folded.span(start, end)
        return self.original[first:last]


class Reader:
    """Reads texts by the words of one taxonomy."""

    def __init__(self, taxonomy: Taxonomy, lexicon: Lexicon) -> None:
        self._aliases = lexicon.heads
        self._words = lexicon.words
        self._vocabulary = taxonomy.fillers.union(lexicon.heads)
        self._short = frozenset(word for word in lexicon.heads.keys() - taxonomy.fillers if len(word) < SHORTEST_IN_TAG)
        self._languages = Languages(taxonomy.languages)

    def read(self, original: str, folded: Folded, lang: str | None) -> Text:
        """`original` as tokens, hashtags cut into their words and elongations undone where that gives an alias."""
        raw = tokenize(folded.text)
        plain = folded.text.isascii()
        parted = not plain and NO_SPACES.search(folded.text) is not None
        pictures = not plain and PICTURES.search(folded.text) is not None
        if parted and meets_latin(folded.text):
            raw = by_script(raw)
        text = Text(original, folded, lang, raw, parted, pictures, self._languages)
        if may_miss_space(folded.text):
            _part_sentences(text)
        if "#" in raw:
            self._cut_tags(text)
        if may_stretch(folded.text):
            settled = {token: self._settled(token) for token in dict.fromkeys(text.raw)}
            text.tokens = [settled[token] for token in text.raw]
        return text

    def _cut_tags(self, text: Text) -> None:
        raw: list[str] = []
        positions = text.positions()
        if text.raw.count("#") > MOST:
            return
        for index, token in enumerate(text.raw):
            if _is_body(text.raw, positions, index):
                if index > 1 and self._goes_on(text, positions, index - 2):
                    raw.pop()
                raw.extend(self._tag_words(text, token, positions[index]))
            else:
                raw.append(token)
        text.raw = text.tokens = raw
        text.at = []

    def _goes_on(self, text: Text, positions: list[int], before: int) -> bool:
        """Whether the tag behind token `before` is a word of its sentence (spill the #tea), not the next of many."""
        end = positions[before] + len(text.raw[before])
        return (
            positions[before + 1] == end + 1
            and text.folded.text[end] == " "
            and not _is_body(text.raw, positions, before)
        )

    def _tag_words(self, text: Text, body: str, start: int) -> list[str]:
        if body in self._aliases or len(body) > LONGEST_TAG:
            return [body]
        if not body.isascii():
            whole = NO_SPACES.search(body) or not body.replace("_", "").isalnum()
            return [body] if whole else self._long_enough(body, _parted(body, text, start))
        words = [word.lower() for word in camel_words(text.written(start, start + len(body)))]
        if len(words) < 2:
            words = spelled(body, self._vocabulary)
        if len(words) < 2 or "".join(words) != body.replace("_", ""):
            return [body]
        return self._long_enough(body, words)

    def _long_enough(self, body: str, words: list[str]) -> list[str]:
        # an alias of two letters is too often a syllable here
        return [body] if any(len(word) < SHORTEST_IN_TAG and word in self._short for word in words) else words

    def _settled(self, token: str) -> str:
        if token in self._words or not TRIPLE.search(token):
            return token
        return next((form for form in squeezed(token) if form in self._aliases), token)


def _is_body(raw: list[str], positions: list[int], index: int) -> bool:
    """Whether a token is the body of a hashtag: right behind its `#`."""
    return index > 0 and raw[index - 1] == "#" and positions[index] == positions[index - 1] + 1


def _parted(body: str, text: Text, start: int) -> list[str]:
    """The words of a tag's body that is not ASCII, by its underscores and capitals."""
    written = text.written(start, start + len(body))
    # where folding made one character of several, no capital is where it stands in the body
    end = len(body) if len(written) == len(body) else 0
    cuts = [at for at in range(1, end) if written[at].isupper() and written[at - 1].islower()]
    pieces = [body[first:last] for first, last in pairwise((0, *cuts, len(body)))]
    return [word for piece in pieces for word in piece.split("_") if word] or [body]


def _part_sentences(text: Text) -> None:
    """Cut what looks like a domain but ends as a sentence begins, with a capital and no space: a beer.It was cold."""
    positions = text.positions()
    raw: list[str] = []
    for index, token in enumerate(text.raw):
        size = before_stop(token)
        start = positions[index]
        if size and text.written(start + size + 1, start + len(token)).istitle():
            raw += (*tokenize(token[:size]), token[size + 1 :])
        else:
            raw.append(token)
    text.raw = text.tokens = raw
    text.at = []
