"""The labelled posts: written by hand, their truth read off the counting rules and never off the classifier.

One JSON object a line in `tests/labelled/*.jsonl`:

    text    as a person would have posted it, HTML entities resolved
    lang    what the feed says the language is (BCP 47 or `und`); absent or wrong here and there, as in real posts
    group   `drink` (names a category), `trap` (looks like it, and does not), `everyday` (anything else)
    names   [[category or null, brand or null], ...]; a brand without a category is a chain that is not its drink
    trap    traps only: the kind, e.g. `idiom`
    pair    shared by two posts that differ in one word and in truth
    note    why, where the rules leave room

A third of the posts is held out: looked at as figures, never as texts while the classifier is worked on.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "labelled"

HELD_OUT_OF = 3
"""One post in so many is held out."""

Names = frozenset[tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A post and its truth; `lang` is empty where the feed gives none."""

    text: str
    lang: str
    group: str
    names: Names
    trap: str = ""
    pair: str = ""
    note: str = ""

    @property
    def categories(self) -> frozenset[str]:
        """The categories that the post names."""
        return frozenset(category for category, _ in self.names if category)

    @property
    def brands(self) -> frozenset[str]:
        """The brands that the post names, with or without their drink."""
        return frozenset(brand for _, brand in self.names if brand)

    @property
    def held_out(self) -> bool:
        """Whether it belongs to the third that is held out: by the CRC-32 of its pair or text, so never by choice."""
        return zlib.crc32((self.pair or self.text).encode()) % HELD_OUT_OF == 0


def read_labelled(line: str) -> Labelled:
    """The post of one line. Raises TypeError for a field that is unknown, KeyError for one that is missing."""
    fields = json.loads(line)
    names = frozenset((category, brand) for category, brand in fields.pop("names"))
    return Labelled(**{"lang": "", **fields}, names=names)


def labelled(folder: Path = FOLDER) -> tuple[Labelled, ...]:
    """Every labelled post, file by file in the order of their names."""
    return tuple(
        read_labelled(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line
    )
