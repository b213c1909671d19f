"""Folded text as tokens, and the small notation in which the taxonomy writes phrases."""

import re
from collections.abc import Iterator
from itertools import product
from typing import Final

TOKEN: Final = re.compile(
    r"\w++(?![@.&:-])"  # a word that can be no part of what follows
    r"|(?:https?://|www\.)\S+"  # links name no drink, whatever their letters
    r"|\w*@[\w.]+"  # handles, and mail addresses
    r"|\$[a-z_]\w*"  # cashtags; "$5" is a price
    r"|(?<![\w.-])\w[\w-]{0,39}\.(?:com|net|org|gov|edu|io|ly|tv|me|co|uk|de|fr|es|it|nl|ru|br|jp)(?!\w)(?:/\S*)?"
    r"|(?<!\w)[a-z]&[a-z](?!\w)"  # G&T, R&B
    r"|\w+|#|…|\.\.+"
)
"""What a token is. Links, handles, cashtags and domains are one token each, which no alias equals."""

NO_SPACES: Final = re.compile(
    "[\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
)
"""A letter of a script whose words are not parted by spaces, take particles, or hold marks that are no letters."""

_PARTED: Final = NO_SPACES.pattern
_MEETS: Final = re.compile(f"[a-z\u00df-\u024f]{_PARTED}|{_PARTED}[a-z\u00df-\u024f]")
_SCRIPTS: Final = re.compile(f"{_PARTED}+|(?:(?!{_PARTED})\\w)+")
# a stop and one of the last parts of domains that are words, too, with which sentences begin
_STOP_AND_WORD: Final = r"\.(?:it|me|es|de|io)"
_NEXT_SENTENCE: Final = re.compile(rf"{_STOP_AND_WORD}(?!\w)")
_ENDS_IN_WORD: Final = re.compile(rf"(\w[\w-]*){_STOP_AND_WORD}")

TRIPLE: Final = re.compile(r"([^\W\d_])\1\1")
_RUN: Final = re.compile(r"([^\W\d_])\1{2,}")
_CAMEL: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_MOST_RUNS = 4


_PLAIN_TOKEN: Final = re.compile(TOKEN.pattern, re.ASCII)


def tokenize(folded: str) -> list[str]:
    """The tokens of a folded text, in order; a hashtag is `#` and its body."""
    found = (_PLAIN_TOKEN if folded.isascii() else TOKEN).findall
    tokens: list[str] = []
    # no token holds a space, and most of what stands between two is one word: half the time of a search through all
    for piece in folded.split():
        if piece.isalnum():
            tokens.append(piece)
        else:
            tokens += found(piece)
    return tokens


def meets_latin(folded: str) -> bool:
    """Whether a Latin letter stands beside one of `NO_SPACES`."""
    return _MEETS.search(folded) is not None


def by_script(tokens: list[str]) -> list[str]:
    """`tokens`, each word cut where Latin letters and those of `NO_SPACES` meet: starbucksで."""
    cut: list[str] = []
    for token in tokens:
        if _MEETS.search(token) is not None and token.replace("_", "a").isalnum():
            cut += _SCRIPTS.findall(token)
        else:
            cut.append(token)
    return cut


def may_miss_space(folded: str) -> bool:
    """Whether a small word that is a domain's last part, too, stands right after a full stop."""
    return _NEXT_SENTENCE.search(folded) is not None


def before_stop(token: str) -> int:
    """How much of what looks like a domain stands before its last part, where that is a small word; 0 elsewhere."""
    found = _ENDS_IN_WORD.fullmatch(token)
    return len(found.group(1)) if found is not None else 0


def may_stretch(folded: str) -> bool:
    """Whether a letter stands three times in a row."""
    before, run = -1, 1
    for at in range(len(folded)):
        code = ord(folded[at])  # compiled, no string is made of it
        if code != before:
            before, run = code, 1
            continue
        run += 1
        if run > 2 and folded[at].isalnum() and not folded[at].isdecimal():
            return True
    return False


def squeezed(token: str) -> list[str]:
    """`token` with each run of three or more equal letters cut to one or two, all combinations: cofffeee -> coffee."""
    parts: list[tuple[str, ...]] = []
    done = 0
    for match in _RUN.finditer(token):
        if len(parts) >= 2 * _MOST_RUNS:
            return []
        parts.append((token[done : match.start()],))
        parts.append((match.group(1) * 2, match.group(1)))
        done = match.end()
    parts.append((token[done:],))
    return ["".join(choice) for choice in product(*parts)]


def camel_words(body: str) -> list[str]:
    """The words of a hashtag's body as written, by capitals, digits and underscores: ILoveBeer -> I, Love, Beer."""
    return _CAMEL.findall(body)


def spelled(body: str, words: frozenset[str], longest: int = 16) -> list[str]:
    """`body` cut into `words` without a rest, the fewest of them; [] where that cannot be done."""
    size = len(body)
    best: list[list[str] | None] = [[], *([None] * size)]
    for end in range(1, size + 1):
        for start in range(max(0, end - longest), end):
            before = best[start]
            if before is None or body[start:end] not in words:
                continue
            current = best[end]
            if current is None or len(before) + 1 < len(current):
                best[end] = [*before, body[start:end]]
    return best[size] or []


def phrases(spec: str) -> Iterator[tuple[str, ...]]:
    """Every phrase that `spec` stands for, as tuples of tokens.

    Tokens are parted by spaces; `a|b` is one of several, of which `a_b` is one of two tokens, `a?` may be missing (of
    `a|b?` both), `*` is any one token. Raises ValueError where nothing would be left to look for.
    """
    slots: list[tuple[str, ...]] = []
    for slot in spec.split():
        optional = slot.endswith("?") and len(slot) > 1
        choices = tuple((slot[:-1] if optional else slot).split("|"))
        if "" in choices:
            raise ValueError("an empty choice beside |")
        if len(slot) > 1 and any("?" in choice for choice in choices):
            raise ValueError("a ? that is not the last of its slot")
        slots.append((*choices, "") if optional else choices)
    found = False
    for choice in product(*slots):
        phrase = tuple(token for part in choice for token in part.split("_") if token)
        if any(token != "*" for token in phrase):
            found = True
            yield phrase
    if not found:
        raise ValueError("no word in it")
