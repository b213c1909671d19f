"""Text in one spelling for look-ups, each character of it traced back to the text as written."""

import re
import unicodedata
from functools import cache
from typing import Final

SPECIAL = {
    # lower() makes two characters of it
    "İ": "i",
    "ё": "е",
    "Ё": "е",
    # Arabic: hamza forms, the two letters that end feminine words, and Persian's yeh and kaf are typed for each other
    "أ": "ا",
    "إ": "ا",
    "آ": "ا",
    "ٱ": "ا",
    "ة": "ه",
    "ى": "ي",
    "ی": "ي",
    "ک": "ك",
    # lower() turns a Greek sigma into its final form by position
    "Σ": "σ",
    "ς": "σ",
}
"""Letters that count as another one, beyond NFKC and lower case."""

STROKE = "\u0640"
VOWELS = "\u064b-\u0652"
MARKS = f"\u0300-\u036f{STROKE}{VOWELS}\u0653-\u0655\u3099\u309a\uff9e\uff9f"
DOTTED = "\u0958-\u095f\u09dc\u09dd\u09df\u0a33\u0a36\u0a59-\u0a5b\u0a5e"
"""Letters of Indic scripts that NFKC takes their dot from."""
_RING, _AM = "\u0e4d", "\u0e33"
# at most eight marks: reordering them takes time that grows with the square of their number
_COMPOSED: Final = re.compile(
    f"[^{MARKS}][{MARKS}]{{1,8}}|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\ufb00-\ufb06{DOTTED}]"
    f"|{STROKE}|(?<=[{STROKE}{VOWELS}])[{VOWELS}]|{_RING}[\u0e48-\u0e4b]?\u0e32"
)
_ARABIC: Final = re.compile("[\u0620-\u06ff]")
_LEFT_OUT: Final = re.compile(f"[{STROKE}{VOWELS}]")  # in Arabic few write them
_FONTS = (
    # letters dressed up, and forms of letters that only old encodings knew; signs such as º or ½ stay as they are
    (0x017F, 0x0180),
    (0x02B0, 0x02B9),
    (0x1D2C, 0x1D6B),
    (0x2071, 0x2072),
    (0x207F, 0x2080),
    (0x2090, 0x209D),
    (0x2102, 0x214A),
    (0x24B6, 0x24EA),
    (0x2F00, 0x2FD6),
    (0xF900, 0xFB00),
    (0xFB50, 0xFEFD),
    (0xFF01, 0xFFDD),
    (0x1D400, 0x1D800),
    (0x1F130, 0x1F14A),
)

_UNUSUAL: Final = re.compile(
    f"[{MARKS}\u1100-\u1112\ufb00-\ufb06{DOTTED}{_RING}{''.join(SPECIAL)}"
    f"{''.join(f'{chr(first)}-{chr(last - 1)}' for first, last in _FONTS)}]"
)
"""What `_COMPOSED` needs to match or `table` may turn into another letter; without it lower() is all of folding."""


class Folded:
    """A folded text. `starts[i]` and `ends[i]` are where its character i stands in the original; None: at i, i + 1."""

    __slots__ = ("ends", "starts", "text")

    def __init__(self, text: str, starts: list[int] | None = None, ends: list[int] | None = None) -> None:
        self.text = text
        self.starts = starts
        self.ends = ends

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span in the original of the non-empty folded span [start, end)."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def fold(text: str) -> Folded:
    """`text` in NFKC (where that is about letters) and lower case, with `SPECIAL` applied. Takes any str."""
    if text.isascii() or _UNUSUAL.search(text) is None:
        return Folded(text.lower())
    if _COMPOSED.search(text) is not None:
        return _traced(text)
    return Folded(text.translate(table()).lower())


def in_fonts(code: int) -> bool:
    """Whether a code point lies among the letters in fonts of their own."""
    return any(first <= code < last for first, last in _FONTS)


@cache
def table() -> dict[int, str]:
    """What single characters turn into before lower case, one for one: those in fonts of their own and `SPECIAL`."""
    found = {ord(char): to for char, to in SPECIAL.items()}
    for first, last in _FONTS:
        for code in range(first, last):
            form = unicodedata.normalize("NFKC", chr(code))
            if form != chr(code) and len(form) == 1 and (form.isalpha() or form in "#@$"):
                found[code] = SPECIAL.get(form, form)
    return found


def _traced(text: str) -> Folded:
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    done = 0
    known: dict[str, str] = {}
    translation = table()
    for match in _COMPOSED.finditer(text):
        first, last = match.span()
        if done < first:
            pieces.append(text[done:first].translate(translation).lower())
            starts.extend(range(done, first))
            ends.extend(range(done + 1, first + 1))
        cluster = match.group()
        form = known.get(cluster)
        if form is None:
            form = known[cluster] = _composed(cluster).translate(translation).lower()
        pieces.append(form)
        starts.extend([first] * len(form))
        ends.extend([last] * len(form))
        done = last
    pieces.append(text[done:].translate(translation).lower())
    starts.extend(range(done, len(text)))
    ends.extend(range(done + 1, len(text) + 1))
    return Folded("".join(pieces), starts, ends)


def _composed(cluster: str) -> str:
    if cluster[0] == _RING:  # Thai's am, which NFKC parts in two and others type in any order
        return cluster[1:-1] + _AM
    form = unicodedata.normalize("NFKC", cluster)
    # after other letters the signs part words, as any sign does: none is written there, and the prefilter seeks none
    return _LEFT_OUT.sub("", form) if _ARABIC.match(cluster) else form.replace(STROKE, "")


def without_accents(folded: str) -> str:
    """`folded` with Latin and Greek letters stripped of their accents, as people in a hurry write it."""
    if folded.isascii():
        return folded
    plain = []
    for char in folded:
        base = unicodedata.normalize("NFD", char)[0]
        plain.append(base if base.isalpha() and (base.isascii() or "\u0370" <= base < "\u0400") else char)
    return (
        "".join(plain)
        .replace("ß", "ss")
        .replace("ø", "o")
        .replace("ł", "l")
        .replace("ı", "i")
        .replace("đ", "d")
        .replace("æ", "ae")
    )
