"""The truth about the posts of the demo, by the labels written by hand beside each phrase, and of the tests' own posts.

It imports nothing of the program: only the phrase bank's file is shared, which is data.
"""

import tomllib
from functools import cache
from pathlib import Path

BANK = Path(__file__).resolve().parents[2] / "streaming" / "sources" / "demo_phrases.toml"

Mentions = set[tuple[str | None, str | None]]  # (category or none, brand or none)


@cache
def _labels() -> tuple[tuple[str, frozenset[tuple[str | None, str | None]]], ...]:
    bank = tomllib.loads(BANK.read_text(encoding="utf-8"))["phrase"]
    return tuple((p["text"], frozenset((c or None, b or None) for c, b in p["names"])) for p in bank)


def label(text: str) -> Mentions | None:
    """What a demo post with this text (HTML entities resolved, long form) mentions; None where it is no demo text."""
    said = [names for phrase, names in _labels() if phrase in text]
    return set().union(*said) if said else None


TEXTS: dict[str, Mentions] = {
    "I really need a cup of coffee right now": {("coffee", None)},
    "having a cold beer after work": {("beer", None)},
    "a glass of red wine and then a cup of green tea": {("wine", None), ("tea", None)},
    "drinking a can of pepsi": {("soda", "pepsi")},
    "nothing to see here, move along": set(),
}
"""What the posts of the integration tests say, and what each names, by hand."""
