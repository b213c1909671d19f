"""A classification as plain values, and in words for a reader."""

from collections.abc import Iterator, Mapping
from typing import Any

from drinkstream.cells import ANY, ANY_BRAND, ANY_DRINK, Level
from drinkstream.decision import Decision


def plain(decision: Decision) -> dict[str, list[dict[str, Any]]]:
    """`mentions` with category, brand, alias, start, end and rule, and what was `held` back with alias and rule."""
    return {
        "mentions": [
            {
                "category": m.category,
                "brand": m.brand,
                "alias": m.alias,
                "start": m.start,
                "end": m.end,
                "rule": m.rule,
            }
            for m in decision.mentions
        ],
        "held": [{"alias": held.alias, "rule": held.rule} for held in decision.held],
    }


def spoken(answer: Mapping[str, Any]) -> Iterator[str]:
    """A line for each mention and each alias held back, of an answer of `plain`; an alias that is None is not said."""
    for m in answer["mentions"]:
        what = " with ".join(part for part in (m["category"], m["brand"]) if part)
        where = f": {m['alias']!r} at {m['start']}-{m['end']}" if m["alias"] is not None else ""
        yield f"counts as {what}{where}, by rule {m['rule']}"
    for held in answer["held"]:
        yield f"held back: {'an alias' if held['alias'] is None else repr(held['alias'])}, by rule {held['rule']}"
    if not answer["mentions"] and not answer["held"]:
        yield "names no drink"


def named(level: Level) -> str:
    """What a level counts, as a reader would say it."""
    if level == ANY_DRINK:
        return "any drink"
    if level == ANY_BRAND:
        return "any brand"
    if level.category == ANY:
        return level.brand
    return f"{level.category} with {level.brand}" if level.brand else level.category
