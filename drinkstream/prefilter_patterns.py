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
from math import prod

from drinkstream.fold import fold, in_fonts, table
from drinkstream.lexicon import ANY, PARTERS, common_words, is_tight, spelled_out
from drinkstream.reading import SHORTEST_IN_TAG
from drinkstream.taxonomy import Taxonomy
from drinkstream.tokens import NO_SPACES

FREE_FROM = 6
"""Aliases of this many letters are sought inside longer words too: cheaper than a boundary, and seldom wrong."""

FREE_IF_PREFIXED = 4
"""The same for Arabic and Hebrew, unless an alias with one letter less ends the word."""

SHORT = 4
"""ASCII aliases of up to this many letters occur in every line, so their boundaries are part of the pattern."""

FEWEST = 3
"""Letters that two words of a tight phrase have at least; fewer stand everywhere: of `g n t`, all three are sought."""

MOST_SPELLINGS = 8
_CUT_TO = 4
_RIGHT = r"[^a-z0-9_]"
_TAG = r"#[a-z0-9_\\\x80-\xff]*"  # letters of all scripts, as they are or as escapes
# Each of one width: such patterns are literals to Hyperscan, while one with choices of several widths is an automaton.
# A backslash in brackets keeps it from looking for `\u`, which stands everywhere in escaped lines; dots are cheap.
_LEFTS = ("[^a-z_]", *(rf"\\{letter}" for letter in "bfnrt"), r"[\\]u...[a-f]")
_LEFTS_SQUEEZED = (*_LEFTS, r"[\\]u..[a-f]", r"[\\]u.[a-f]")
_AMPERSANDS = ("&", r"\\u0026")  # as it is, and as Go, Gson and .NET write it
# those of letters and of what may part a phrase, each after an ampersand
_ENTITIES = (
    "#[0-9x]{2,}",
    "[a-z]{1,2}(?:acute|grave|circ|uml|tilde|cedil|ring|slash|elig|caron|lig);",
    "(?:apos|rsquo);",
)
_GROUP = 64
_RUN = re.compile(r"([a-z])\1+")
_RUN_BYTES = re.compile(rb"([A-Za-z])\1+")
_PREFIXED = re.compile("[\u0590-\u06ff]")
_CASED = re.compile("[\u0370-\u052f]")
# with the dot of Indic scripts: some write both as one character
_LETTER = re.compile(".[\u093c\u09bc\u0a3c]?", re.DOTALL)
_KATAKANA = re.compile("[\u30a1-\u30ff]")


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
            self._put(literal, left, right, beside)

    def add_run(self, words: tuple[str, ...], beside: frozenset[bytes] | None) -> None:
        """Seek neighbouring words of a tight phrase with one of `PARTERS` between each two."""
        first, *others = words
        for parts in product(
            self.spelled(first), *(some for word in others for some in (_parters(), self.spelled(word)))
        ):
            self._put(b"".join(parts), True, True, beside)

    def put(self, string: str) -> None:
        """Seek exactly `string`, none of it ASCII, anywhere."""
        for literal in (string.encode(), "".join(map(escape, string)).encode()):
            self._put(literal, False, False, None)

    def _put(self, literal: bytes, left: bool, right: bool, beside: frozenset[bytes] | None) -> None:
        known = self.literals.get(literal)
        if known is None:
            self.literals[literal] = Check(len(literal), left, right, beside)
            return
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
    free = _shortest(_plainest(word) for word in words if _is_free(word, words))
    short = sorted(word for word in words if len(word) <= SHORT and word.isascii())
    tags = [word for word in short if len(word) >= SHORTEST_IN_TAG]
    for word in free | anywhere:
        search.add(word, left=False, right=False)
    for word in words:
        if not (len(word) <= SHORT and word.isascii()) and not _holds(word, free):
            search.add(word, left=True, right=True)
    for word in closing:
        search.add(word, left=False, right=True)
    common = common_words(taxonomy)
    for phrase, tight in phrases.items():
        if words.isdisjoint(phrase) and not any(_holds(token, free) for token in phrase):
            tags += _sought(search, phrase, tight, common)
    patterns = [one for word in short for one in _initials(word)]
    lefts = _LEFTS_SQUEEZED if squeezed else _LEFTS
    search.certain += [f"{left}{one}{_RIGHT}" for one in patterns for left in lefts]
    search.certain += _grouped(_TAG, [re.escape(word) for word in sorted(_shortest(tags))], "")
    return search


def _sought(search: Search, phrase: tuple[str, ...], tight: bool, common: frozenset[str]) -> list[str]:
    """Add a phrase by its most telling words and a part of another beside them; to be sought in hashtags comes back."""
    whole = max("".join(phrase).split(ANY), key=len)
    joined = [whole] if whole.isascii() else []

    def telling(words: tuple[str, ...]) -> tuple[int, int]:
        return sum(len(word) for word in words if word not in common), sum(map(len, words))

    def runs(size: int) -> list[tuple[str, ...]]:
        some = (phrase[at : at + size] for at in range(len(phrase) - size + 1))
        return [run for run in some if ANY not in run]

    if tight and (pairs := runs(2)):
        run = max(pairs, key=telling)
        if sum(map(len, run)) < FEWEST and (triples := runs(3)):
            run = max(triples, key=telling)
        rest = [word for word in phrase if word not in (ANY, *run)]
        search.add_run(run, beside=search.spelled(max(rest, key=len)[:_CUT_TO]) if rest else None)
        return joined
    words = [word for word in phrase if word != ANY]
    anchor = max(words, key=lambda word: (word not in common, len(word), word))
    other = max((word for word in words if word is not anchor), key=lambda word: (len(word), word), default=None)
    search.add(anchor, left=True, right=True, beside=search.spelled(other[:_CUT_TO]) if other else None)
    return joined if len(anchor) <= SHORT else []


@cache
def _parters() -> tuple[bytes, ...]:
    """`PARTERS` as JSON bytes: as they are, and as the escapes that some programs write."""
    return tuple(by.encode() for by in PARTERS) + tuple(escape(by).encode() for by in PARTERS if by[0] not in " .-")


def _grouped(left: str, choices: list[str], right: str) -> list[str]:
    parts = [choices[at : at + _GROUP] for at in range(0, len(choices), _GROUP)]
    return [f"{left}(?:{'|'.join(part)}){right}" for part in parts]


def _forms(taxonomy: Taxonomy, squeezed: bool) -> tuple[set[str], dict[tuple[str, ...], bool], set[str], set[str]]:
    """Single words, phrases and whether they are tight, strings sought anywhere, and endings of compounds."""
    common = common_words(taxonomy)
    words: set[str] = set()
    phrases: dict[tuple[str, ...], bool] = {}
    anywhere: set[str] = set()
    closing: set[str] = set()
    for term in taxonomy.terms:
        if term.emoji:
            anywhere.update(char.rstrip("\ufe0f") for char in term.words)
            continue
        for form in spelled_out(term):
            tokens = tuple(squeeze(part) if squeezed else part for part in form)
            if NO_SPACES.search("".join(tokens)):
                tokens = tuple(part for part in tokens if part != ANY)
                # the words of such a phrase may stand with or without a space
                anywhere.update(("".join(tokens), " ".join(tokens)))
            elif term.ending:
                closing.add(tokens[0])
            elif len(tokens) > 1:
                phrases[tokens] = phrases.get(tokens, True) and is_tight(form, common)
            else:
                words.add(tokens[0])
    return words, phrases, _shortest(anywhere), closing


def _shortest(words: Iterable[str]) -> set[str]:
    """Those of `words` that contain no other of them."""
    kept: set[str] = set()
    for word in sorted(set(words), key=len):
        if not _holds(word, kept):
            kept.add(word)
    return kept


def _holds(word: str, parts: set[str]) -> bool:
    """Whether one of `parts` stands in `word`."""
    return any(word[first:last] in parts for first in range(len(word)) for last in range(first + 1, len(word) + 1))


def _is_free(word: str, words: set[str]) -> bool:
    """Whether `word` is sought inside longer words too; Arabic and Hebrew write small ones before it."""
    if len(word) >= FREE_FROM or not _PREFIXED.search(word):
        return len(word) >= FREE_FROM
    return len(word) >= FREE_IF_PREFIXED and word[1 - FREE_IF_PREFIXED :] not in words


def _plainest(word: str) -> str:
    """The part of a free word that has the fewest spellings, but not all ASCII; of several the longest."""
    if word.isascii():
        return word
    size = len(word)
    parts = [word[first:last] for first in range(size - FREE_FROM + 1) for last in range(first + FREE_FROM, size + 1)]
    rare = [part for part in parts if not part.isascii()] or [word]
    return min(rare, key=lambda part: (prod(len(spellings(char)) for char in part), -len(part)))


def _initials(word: str) -> Iterator[str]:
    """Patterns of one width each for a word that may begin with a dotted capital I, or hold an ampersand (`a&w`)."""
    firsts = ("i", r"\xc4\xb0", r"\\u0130") if word[0] == "i" else (re.escape(word[0]),)
    written = [sign + rest for sign in _AMPERSANDS for rest in ("", "amp;")] if "&" in word else [""]
    for first, ampersand in product(firsts, written):
        yield first + re.escape(word[1:]).replace(r"\&", ampersand)


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
    choices = [sorted(spellings(letter)) for letter in _LETTER.findall(word)]
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
    for code in (*range(0x80, 0x700), *range(0x900, 0xB00), *range(0x1E00, 0x2000)):
        char = chr(code)
        if char.isalpha() and not in_fonts(code) and _LETTER.fullmatch(form := fold(char).text) and not form.isascii():
            found[form].add(char)
    return {form: frozenset(chars) for form, chars in found.items()}


def spellings(char: str) -> frozenset[str]:
    """Every character that folds to `char`, a letter with or without its dot; fonts and the case of ASCII apart."""
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
            *map("".join, product(_AMPERSANDS, _ENTITIES)),
            r"[a-z][\xcc\xcd][\x80-\xbf]|[a-z]\\u03[0-6]",  # letter and accent apart
            r"[\x80-\xbf]\xcc[\x80-\xbf]|\\u[0-9a-f]{4}\\u03[0-6]",
            r"\xe3\x82[\x99\x9a]|\\u309[9a]|\xe3..\xef\xbe[\x9e\x9f]|\\u30[0-9a-f]{2}\\uff9[ef]",
            r"\xe1[\x84-\x87]|\\u11",  # Hangul letter by letter
            r"\xd9\x80|\\u0640",  # Arabic stretching stroke
            r"\xd9[\x8b-\x95][\xd8-\xdb]|\\u06(?:4[b-f]|5[0-5])\\u06",  # Arabic vowel signs within a word
            r"\xe0\xb9\x8d|\\u0e4d",  # Thai's am in two
            r"\xef\xac[\x80-\x86]|\\ufb0[0-6]",  # ligatures
            r"[a-z0-9\x80-\xbf](?:\xc4\xb0|\\u0130)",  # dotted capital I within a word
        ]
    )
    single = {*words, *anywhere, *closing, *(token for phrase in phrases for token in phrase)}
    for string in (*_mixed_case(single), *_lone_kana(single)):
        search.put(string)
    for char in (*sorted(marked), "ー"):
        small, large = ([one for one in spellings(char) if one.isupper() == upper] for upper in (False, True))
        for some in ((small, small, small), (large, large, large), (large, large, small), (large, small, small)):
            for run in product(*some):
                search.put("".join(run))
        for pair in product(small, large):
            search.put("".join(pair))
    return search


def _is_of_an_alphabet(char: str) -> bool:
    return char < "\u0900" or "\u1e00" <= char < "\u2000"


def _mixed_case(words: Iterable[str]) -> Iterator[str]:
    """Parts of Cyrillic and Greek words in no listed style: small before capital, two capitals before small."""
    cased = [[spellings(char) for char in word] for word in words if _CASED.search(word)]
    parts = {tuple(word[at : at + size]) for word in cased for size in (2, 3) for at in range(len(word) - size + 1)}
    for part in parts:
        *before, last = part
        if len(part) == 2:
            yield from map("".join, product(filter(str.islower, before[0]), filter(str.isupper, last)))
        else:
            large = (filter(str.isupper, some) for some in before)
            yield from map("".join, product(*large, filter(str.islower, last)))


def _lone_kana(words: Iterable[str]) -> Iterator[str]:
    """Narrow katakana of words beside what is none, in words where no other kana shows that they are narrow."""
    narrow = {form: chr(code) for code, form in table().items() if 0xFF66 <= code <= 0xFF9D}
    for word in words:
        for kana in _KATAKANA.finditer(word):
            at = kana.start()
            beside = word[max(0, at - 1) : at + 2]
            if kana.group() in narrow and len(beside) > 1 and sum("\u3080" <= char <= "\u30ff" for char in beside) == 1:
                yield (word[at - 1] + narrow[kana.group()]) if at else narrow[kana.group()] + word[at + 1]


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
