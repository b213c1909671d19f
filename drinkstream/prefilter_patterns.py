"""What the prefilter searches for in raw JSON: every alias as bytes, and rare spellings that call for a closer look.

Lines may hold text in UTF-8 or in escapes. Patterns are Hyperscan's, case-insensitive for ASCII and without its UTF-8
mode, since lines may hold any bytes. Literals scan and compile fast; boundaries are checked where one is found.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product

from drinkstream.fold import fold, in_fonts, table
from drinkstream.lexicon import spelled_out
from drinkstream.reading import SHORTEST_IN_TAG
from drinkstream.taxonomy import Taxonomy
from drinkstream.tokens import NO_SPACES

FREE_FROM = 6
"""Aliases of this many letters are sought inside longer words too: cheaper than a boundary, and seldom wrong."""

SHORT = 4
"""ASCII aliases of up to this many letters occur in every line, so their boundaries are part of the pattern."""

MOST_SPELLINGS = 8
_CUT_TO = 4
_LEFT = r"(?:[^a-z_]|\\[bfnrt]|\\u[0-9a-f]{3}[a-f])"
_LEFT_SQUEEZED = r"(?:[^a-z_]|\\[bfnrt]|\\u[0-9a-f]{1,3}[a-f])"
_RIGHT = r"[^a-z0-9_]"
# three characters at most, as bytes, as escapes, or one of them as an entity
_GAP = r"(?:[^a-z0-9_]{1,12}|[^a-z0-9_]?&[a-z]{2,5};[^a-z0-9_]?|[^a-z0-9_].{0,8}\\u[0-9a-f]{4}[^a-z0-9_]{0,8})"
_TELLING = 5  # letters from which on a word may stand for the phrase that it is in
_GROUP = 64
_RUN = re.compile(r"([a-z])\1+")
_RUN_BYTES = re.compile(rb"([A-Za-z])\1+")
_CASED = re.compile("[\u0370-\u052f]")


@dataclass(slots=True)
class Check:
    """What must hold where a literal was found: no letter before or after it, one of `beside` within reach (if any)."""

    size: int
    left: bool
    right: bool
    beside: frozenset[bytes] | None = None


@dataclass(slots=True)
class Search:
    """`certain`: patterns that make a line a candidate. `literals`: strings that do so if their check holds."""

    certain: list[str] = field(default_factory=list)
    literals: dict[bytes, Check] = field(default_factory=dict)
    squeezed: bool = False

    def add(self, word: str, left: bool, right: bool, beside: frozenset[bytes] | None = None) -> None:
        """Seek `word` in all its spellings."""
        if sum(1 for _ in _spelled(word, MOST_SPELLINGS + 1)) > MOST_SPELLINGS:
            word, right = word[:_CUT_TO], False
        for literal in self.spelled(word):
            known = self.literals.get(literal)
            if known is None:
                self.literals[literal] = Check(len(literal), left, right, beside)
                continue
            known.left &= left
            known.right &= right
            known.beside = None if known.beside is None or beside is None else known.beside | beside

    def spelled(self, word: str) -> frozenset[bytes]:
        """`literals` of `word`, their own runs cut too where lines are: an escape may hold one."""
        return frozenset(_RUN_BYTES.sub(rb"\1", one) for one in literals(word)) if self.squeezed else literals(word)


def squeeze(form: str) -> str:
    """`form` with every run of one ASCII letter cut to one."""
    return _RUN.sub(r"\1", form)


def aliases(taxonomy: Taxonomy, squeezed: bool) -> Search:
    """The search for all aliases; `squeezed`: in lines whose runs of a letter were cut to one."""
    words, phrases, anywhere, closing = _forms(taxonomy, squeezed)
    search = Search(squeezed=squeezed)
    free = _shortest(word for word in words if len(word) >= FREE_FROM)
    short = sorted(word for word in words if len(word) <= SHORT and word.isascii())
    tags = [word for word in short if len(word) >= SHORTEST_IN_TAG]
    for word in free | anywhere:
        search.add(word, left=False, right=False)
    for word in words:
        if len(word) < FREE_FROM and not (len(word) <= SHORT and word.isascii()):
            search.add(word, left=True, right=True)
    for word in closing:
        search.add(word, left=False, right=True)
    left = _LEFT_SQUEEZED if squeezed else _LEFT
    # small words stand in every other line
    common = taxonomy.fillers | {word for listed in taxonomy.languages.values() for word in listed}
    for phrase in phrases:
        if words.isdisjoint(phrase) and not any(part in token for token in phrase for part in free):
            tags += _sought(search, phrase, left, common)
    patterns = [one for word in short for one in _initials(word)]
    # one by one they scan five times faster, in groups they compile faster, and few lines come to the second scan
    search.certain += _grouped(left, patterns, _RIGHT) if squeezed else [f"{left}{one}{_RIGHT}" for one in patterns]
    search.certain += _grouped("#[a-z0-9_]*", [re.escape(word) for word in sorted(_shortest(tags))], "")
    return search


def _sought(search: Search, phrase: tuple[str, ...], left: str, common: frozenset[str]) -> list[str]:
    """Add a phrase by its longest word and a part of another beside it; what is to be sought in hashtags comes back."""
    anchor = max(phrase, key=lambda token: (token not in common, len(token), token))
    joined = ["".join(phrase)] if "".join(phrase).isascii() else []
    if all(token.isascii() for token in phrase) and (len(anchor) < _TELLING or anchor in common):
        search.certain.append(left + _GAP.join(re.escape(token) for token in phrase) + _RIGHT)
        return joined
    other = max((token for token in phrase if token is not anchor), key=lambda token: (len(token), token))
    search.add(anchor, left=True, right=True, beside=search.spelled(other[:_CUT_TO]))
    return joined if len(joined) == 1 and len(anchor) <= SHORT else []


def _grouped(left: str, choices: list[str], right: str) -> list[str]:
    parts = [choices[at : at + _GROUP] for at in range(0, len(choices), _GROUP)]
    return [f"{left}(?:{'|'.join(part)}){right}" for part in parts]


def _forms(taxonomy: Taxonomy, squeezed: bool) -> tuple[set[str], set[tuple[str, ...]], set[str], set[str]]:
    """Single words, phrases, strings sought anywhere, and endings of compounds."""
    words: set[str] = set()
    phrases: set[tuple[str, ...]] = set()
    anywhere: set[str] = set()
    closing: set[str] = set()
    for term in taxonomy.terms:
        if term.emoji:
            anywhere.update(char.rstrip("\ufe0f") for char in term.words)
            continue
        for form in spelled_out(term):
            tokens = tuple(squeeze(part) if squeezed else part for part in form if part != "*")
            if NO_SPACES.search("".join(tokens)):
                # the words of such a phrase may stand with or without a space
                anywhere.update(("".join(tokens), " ".join(tokens)))
            elif term.ending:
                closing.add(tokens[0])
            elif len(tokens) > 1:
                phrases.add(tokens)
            else:
                words.add(tokens[0])
    return words, phrases, _shortest(anywhere), closing


def _shortest(words: Iterable[str]) -> set[str]:
    """Those of `words` that contain no other of them."""
    kept: set[str] = set()
    for word in sorted(set(words), key=len):
        if not any(word[first:last] in kept for first in range(len(word)) for last in range(first + 1, len(word) + 1)):
            kept.add(word)
    return kept


def _initials(word: str) -> Iterator[str]:
    yield _plain(word)
    if word[0] == "i":
        yield rf"(?:\xc4\xb0|\\u0130){_plain(word[1:])}"


def _plain(word: str) -> str:
    return re.escape(word).replace(r"\&", "&(?:amp;)?")


@cache
def literals(word: str) -> frozenset[bytes]:
    """`word` as JSON bytes, ASCII in lower case: as UTF-8 and as escapes, in upper case too."""
    found = set()
    for spelling in _spelled(word, 100_000):
        found.add(spelling.encode())
        found.add("".join(char if char.isascii() else escape(char) for char in spelling).encode())
    return frozenset(found)


def _spelled(word: str, most: int) -> Iterator[str]:
    """Up to `most` spellings of `word` that fold to it, apart from the case of ASCII letters.

    Of Cyrillic and Greek these are small letters, a capital first letter, and capitals: `other_spellings` sees others.
    """
    count = 0
    for style in _styles(word):
        for chars in product(*style):
            yield "".join(chars)
            count += 1
            if count >= most:
                return


def _styles(word: str) -> Iterator[list[list[str]]]:
    choices = [sorted(spellings(char)) for char in word]
    if word[:1] == "i":
        choices[0] = ["i", "İ"]
    if not _CASED.search(word):
        yield choices
        return
    small = [[char for char in some if not char.isupper()] for some in choices]
    large = [[char for char in some if not char.islower()] or some for some in choices]
    yield small
    yield [large[0], *small[1:]]
    yield large


def escape(char: str) -> str:
    """The JSON escape of a character, a surrogate pair where it is one."""
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


@cache
def _spellings() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for code in (*range(0x80, 0x700), *range(0x1E00, 0x2000)):
        char = chr(code)
        if char.isalpha() and not in_fonts(code) and len(form := fold(char).text) == 1 and not form.isascii():
            found[form].add(char)
    return {form: frozenset(chars) for form, chars in found.items()}


def spellings(char: str) -> frozenset[str]:
    """Every character that folds to `char`; fonts and the case of ASCII letters apart."""
    return _spellings().get(char, frozenset()) | {char}


def other_spellings(taxonomy: Taxonomy) -> Search:
    """The search for spellings that folding undoes and `aliases` does not list; they make any line a candidate."""
    words, phrases, anywhere, closing = _forms(taxonomy, squeezed=False)
    letters = {char for word in (*words, *anywhere, *closing, *(t for p in phrases for t in p)) for char in word}
    # signs in such fonts only part words; those that an alias holds stand beside letters of it
    letters = {"#"} | {char for char in letters if char.isalpha()}
    fonts = [chr(code) for code, form in table().items() if in_fonts(code) and form.lower() in letters]
    wide_w = [char for char in fonts if unicodedata.normalize("NFKC", char) in "wW" and "\uff01" <= char <= "\uff5a"]
    marked = [char for char in letters if not char.isascii() and char.isalpha() and _is_of_an_alphabet(char)]
    search = Search(
        [
            *_classes(char for char in fonts if char not in wide_w and not "\uff66" <= char <= "\uff9d"),
            # narrow katakana, but not the single ones that faces are made of
            r"\xef(?:\xbd[\xa6-\xbf]|\xbe[\x80-\x9d])(?:\xef(?:\xbd[\xa6-\xbf]|\xbe[\x80-\x9f])|\xe3[\x82\x83])",
            r"\xe3[\x82\x83][\x80-\xbf]\xef(?:\xbd[\xa6-\xbf]|\xbe[\x80-\x9f])",
            r"\\uff(?:6[6-9a-f]|[78][0-9a-f]|9[0-9a-d])\\u(?:ff[6-9]|30[a-f])|\\u30[a-f][0-9a-f]\\uff[6-9]",
            # a wide w alone is laughter in Japanese
            *(f"(?:{one}[a-vx-z]|[a-vx-z]{one})" for char in wide_w for one in (_hexed(char), re.escape(escape(char)))),
            r"\\u00(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])|\\u0023|\\u003[0-9]",  # ASCII written as an escape
            r"&#[0-9x]{2,}",  # entities for letters
            r"&[a-z]{1,2}(?:acute|grave|circ|uml|tilde|cedil|ring|slash|elig|caron|lig);",
            r"[a-z][\xcc\xcd][\x80-\xbf]|[a-z]\\u03[0-6]",  # letter and accent apart
            r"[\x80-\xbf]\xcc[\x80-\xbf]|\\u[0-9a-f]{4}\\u03[0-6]",
            r"\xe3\x82[\x99\x9a]|\\u309[9a]|\xe3..\xef\xbe[\x9e\x9f]|\\u30[0-9a-f]{2}\\uff9[ef]",
            r"\xe1[\x84-\x87]|\\u11",  # Hangul letter by letter
            r"\xd9\x80|\\u0640",  # Arabic stretching stroke
            r"\xef\xac[\x80-\x86]|\\ufb0[0-6]",  # ligatures
            r"[a-z0-9\x80-\xbf](?:\xc4\xb0|\\u0130)",  # dotted capital I within a word
            *_mixed_case(),
        ]
    )
    for char in (*sorted(marked), "ー"):
        for run in product(sorted(spellings(char)), repeat=3):
            for literal in ("".join(run).encode(), "".join(map(escape, run)).encode()):
                search.literals[literal] = Check(len(literal), left=False, right=False)
    return search


def _is_of_an_alphabet(char: str) -> bool:
    return char < "\u0900" or "\u1e00" <= char < "\u2000"


def _mixed_case() -> Iterator[str]:
    """Small before capital, and two capitals before a small letter, in Cyrillic and Greek."""
    for small, large in (
        (r"(?:\xd0[\xb0-\xbf]|\xd1[\x80-\x9f]|\xd2\x91)", r"(?:\xd0[\x80-\xaf]|\xd2\x90)"),
        (r"(?:\xce[\xac-\xbf]|\xcf[\x80-\x8e])", r"\xce[\x86-\xab]"),
        (r"\\u04(?:[3-5][0-9a-f]|91)", r"\\u04(?:[0-2][0-9a-f]|90)"),
        (r"\\u03(?:a[c-f]|[bc][0-9a-f])", r"\\u03(?:8[6-9a-f]|9[0-9a-f]|a[0-9ab])"),
    ):
        yield small + large
        yield large + large + small


def _hexed(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode())


def _classes(chars: Iterable[str]) -> Iterator[str]:
    """Patterns for any of `chars`, gathered by their first bytes."""
    raw: dict[str, set[str]] = defaultdict(set)
    escaped: dict[str, set[str]] = defaultdict(set)
    for char in chars:
        data, written = _hexed(char), escape(char)
        raw[data[:-4]].add(data[-4:])
        escaped[re.escape(written[:-1])].add(written[-1])
    for gathered in (raw, escaped):
        for first, last in sorted(gathered.items()):
            yield f"{first}[{''.join(sorted(last))}]"
