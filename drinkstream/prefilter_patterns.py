"""The byte patterns of the prefilter: every alias as it may stand in raw JSON, and spellings that need a closer look.

Patterns are Hyperscan's, case-insensitive for ASCII, without its UTF-8 mode, since lines may hold any bytes.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache

from drinkstream.fold import fold, in_fonts, table
from drinkstream.lexicon import spelled_out
from drinkstream.taxonomy import Taxonomy
from drinkstream.tokens import NO_SPACES

FREE_FROM = 6
"""Aliases of this many letters are sought inside longer words too: cheaper than a boundary, and seldom wrong."""

LEFT = r"(?:[^a-z_]|\\[bfnrt]|\\u[0-9a-f]{3}[a-f])"
_LEFT_SQUEEZED = r"(?:[^a-z_]|\\[bfnrt]|\\u[0-9a-f]{1,4})"
RIGHT = r"[^a-z0-9_]"
# up to three characters part the words of a phrase: six bytes a unit where all are escapes, or an entity each
_GAP = r"[^a-z0-9_].{0,36}"
_GROUP = 64  # Hyperscan compiles an alternation much faster than as many patterns
_RUN = re.compile(r"([a-z])\1+")


def squeeze(form: str) -> str:
    """`form` with every run of one ASCII letter cut to one."""
    return _RUN.sub(r"\1", form)


def alias_patterns(taxonomy: Taxonomy, squeezed: bool) -> list[str]:
    """Patterns that together match any line whose text names an alias; `squeezed`: as lines with runs cut to one."""
    words, phrases, anywhere, closing = _forms(taxonomy, squeezed)
    free = _shortest(word for word in words if len(word) >= FREE_FROM)
    bounded = sorted(word for word in words if len(word) < FREE_FROM)
    found = [encoded for word in sorted(free | anywhere) for encoded in encode(word)]
    short = sorted(encoded for word in bounded for encoded in encode(word))
    # one by one they scan five times faster, in groups they compile faster, and few lines come to the second scan
    found += _grouped(_LEFT_SQUEEZED, short, RIGHT) if squeezed else [f"{LEFT}{one}{RIGHT}" for one in short]
    found += _grouped("", sorted(encoded for word in closing for encoded in encode(word)), RIGHT)
    known = words | anywhere
    for phrase in sorted(phrases):
        if known.isdisjoint(phrase) and not any(part in token for token in phrase for part in free):
            found += [_GAP.join(tokens) for tokens in _styles(phrase)]
            words.add("".join(phrase))
    tags = sorted(word for word in words if len(word) < FREE_FROM and word.isascii())
    return list(dict.fromkeys(found + _grouped("#[a-z0-9_]*", tags, "")))


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


def _styles(phrase: tuple[str, ...]) -> set[tuple[str, ...]]:
    """`phrase` in each style of `encode`."""
    most = max(len(encode(token)) for token in phrase)
    return {tuple(encode(token)[min(style, len(encode(token)) - 1)] for token in phrase) for style in range(most)}


@cache
def encode(form: str) -> tuple[str, ...]:
    """`form` as patterns of JSON bytes: as UTF-8 and, unless it is ASCII, as escapes; upper case included."""
    if form.isascii():
        initial = (f"(?:\\xc4\\xb0|\\\\u0130){re.escape(form[1:])}",) if form[0] == "i" else ()
        return (re.escape(form), *initial)
    return ("".join(map(_raw, form)), "".join(map(_escaped, form)))


def _raw(char: str) -> str:
    return re.escape(char) if char.isascii() else _either(hexed(other.encode()) for other in spellings(char))


def _escaped(char: str) -> str:
    return re.escape(char) if char.isascii() else _either(escape(other) for other in spellings(char))


def _either(choices: Iterable[str]) -> str:
    listed = sorted(set(choices))
    return listed[0] if len(listed) == 1 else f"(?:{'|'.join(listed)})"


def hexed(data: bytes) -> str:
    """Bytes as a pattern."""
    return "".join(f"\\x{byte:02x}" for byte in data)


def escape(char: str) -> str:
    """A character as a pattern of its JSON escape, a surrogate pair where it is one."""
    units = char.encode("utf-16-be")
    return "".join(f"\\\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


@cache
def _spellings() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for code in (*range(0x80, 0x600), *range(0x600, 0x700), *range(0x1E00, 0x2000)):
        char = chr(code)
        if char.isalpha() and not in_fonts(code) and len(form := fold(char).text) == 1:
            found[form].add(char)
    return {form: frozenset(chars) for form, chars in found.items()}


def spellings(char: str) -> frozenset[str]:
    """Every character that folds to `char`, fonts apart."""
    return _spellings().get(char, frozenset(char)) | {char}


def other_spellings(taxonomy: Taxonomy) -> list[str]:
    """Patterns of rare spellings that folding undoes; a line with one of them is looked at whatever it says."""
    words, phrases, anywhere, closing = _forms(taxonomy, squeezed=False)
    letters = {char for word in (*words, *anywhere, *closing, *(t for p in phrases for t in p)) for char in word}
    fonts = [chr(code) for code, form in table().items() if in_fonts(code) and (form.lower() in letters or form == "#")]
    wide_w = [char for char in fonts if unicodedata.normalize("NFKC", char) in "wW" and "\uff01" <= char <= "\uff5a"]
    marked = [char for char in letters if not char.isascii() and char.isalpha() and "\u00e0" <= char < "\u0900"]
    return [
        *_classes(char for char in fonts if char not in wide_w),
        # a wide w alone is laughter in Japanese
        *(f"(?:{one}[a-vx-z]|[a-vx-z]{one})" for char in wide_w for one in (hexed(char.encode()), escape(char))),
        r"\\u00(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])|\\u0023|\\u003[0-9]",  # ASCII written as an escape
        r"&#[0-9x]{2,}|&[a-z]{1,2}(?:acute|grave|circ|uml|tilde|cedil|ring|slash|elig|caron);|&szlig;",
        r"[a-z][\xcc\xcd][\x80-\xbf]|[a-z]\\u03[0-6]",  # letter and accent apart
        r"[\x80-\xbf]\xcc[\x80-\xbf]|\\u[0-9a-f]{4}\\u03[0-6]",
        r"\xe3\x82[\x99\x9a]|\\u309[9a]|\xe3..\xef\xbe[\x9e\x9f]|\\u30[0-9a-f]{2}\\uff9[ef]",
        r"\xe1[\x84-\x87]|\\u11",  # Hangul letter by letter
        r"\xd9\x80|\\u0640",  # Arabic stretching stroke
        r"\xef\xac[\x80-\x86]|\\ufb0[0-6]",  # ligatures
        r"[a-z0-9\x80-\xbf](?:\xc4\xb0|\\u0130)",  # dotted capital I within a word
        *(f"(?:{style}){{3}}" for char in sorted(marked) for style in (_raw(char), _escaped(char))),
        *(f"(?:{style}){{3}}" for style in (_raw("ー"), _escaped("ー"))),
    ]


def _classes(chars: Iterable[str]) -> Iterator[str]:
    """Patterns for any of `chars`, gathered by their first bytes."""
    raw: dict[str, set[str]] = defaultdict(set)
    escaped: dict[str, set[str]] = defaultdict(set)
    for char in chars:
        data, written = char.encode(), escape(char)
        raw[hexed(data[:-1])].add(hexed(data[-1:]))
        escaped[written[:-1]].add(written[-1])
    for first, last in sorted(raw.items()):
        yield f"{first}[{''.join(sorted(last))}]"
    for first, last in sorted(escaped.items()):
        yield f"{first}[{''.join(sorted(last))}]"
