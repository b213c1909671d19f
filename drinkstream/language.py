"""Which languages a text is in, by its tag and by the small words that only a few languages have."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from drinkstream.fold import fold, without_accents

ENOUGH: Final = 2
"""Different words of one language that a text with the tag of another must have to be read in it too."""

DEFAULT: Final = "en"
"""What a text is read in that has no tag and no word of any language."""

_LOOKED_AT: Final = 200  # tokens
_NO_LANGUAGE: Final = frozenset(("", "und", "zxx", "mis", "mul", "qme", "qht", "qam", "qct", "qst", "art"))
_SAME_AS: Final = {"in": "id", "ms": "id", "zsm": "id", "iw": "he", "ji": "yi", "nb": "no", "nn": "no", "fil": "tl"}


@lru_cache(maxsize=512)
def primary(tag: str | None) -> str | None:
    """The language of a BCP 47 tag, in one spelling of each; None where the tag names none."""
    if not tag:
        return None
    part = tag.replace("_", "-").split("-", 1)[0].lower()
    return None if part in _NO_LANGUAGE else _SAME_AS.get(part, part)


class Languages:
    """Tells languages by the words of one taxonomy ([language.XX])."""

    def __init__(self, words: Mapping[str, tuple[str, ...]]) -> None:
        known: dict[str, set[str]] = defaultdict(set)
        for language, listed in words.items():
            for word in listed:
                form = fold(word).text
                known[form].add(language)
                known[without_accents(form)].add(language)
        self._known = {word: tuple(sorted(languages)) for word, languages in known.items()}

    def knows(self, word: str) -> bool:
        """Whether a folded word is a small word of any language."""
        return word in self._known

    def of(self, tokens: list[str], lang: str | None) -> frozenset[str]:
        """The languages in which a text with these tokens and this (primary) tag is read; never empty.

        Its tag's, and those of which it has the most words: more than of its tag's, and `ENOUGH`.
        """
        known = self._known
        hits: Counter[str] = Counter()
        for token in dict.fromkeys(tokens[:_LOOKED_AT]):
            hits.update(known.get(token, ()))
        most = max(hits.values(), default=0)
        if lang is None:
            return frozenset(one for one, count in hits.items() if count == most) or frozenset((DEFAULT,))
        if most < ENOUGH or most <= hits[lang]:
            return frozenset((lang,))
        return frozenset(one for one, count in hits.items() if count == most) | {lang}
