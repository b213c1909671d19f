"""What the classifier decided, as plain values; and answers in words, for a reader at a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from drinkstream.cells import ANY, ANY_BRAND, ANY_DRINK, Level
from drinkstream.decision import Decision
from drinkstream.explain import Explainer, installed


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


def spoken(answer: Mapping[str, Any], explainer: Explainer) -> Iterator[str]:
    """A line for each mention and each alias held back, of an answer of `plain`, with what its rule says.

    Of an alias that is None only the rule's name is told.
    """
    for m in answer["mentions"]:
        what = " with ".join(part for part in (m["category"], m["brand"]) if part)
        if m["alias"] is None:
            yield f"counts as {what}, by rule {m['rule']}"
            continue
        because = explainer.counts(m["rule"])
        where = f"{m['alias']!r} at {m['start']}-{m['end']}"
        yield f"counts as {what}: {where}, by rule {m['rule']}" + (f" ({because})" if because else "")
    for held in answer["held"]:
        if held["alias"] is None:
            yield f"held back: an alias, by rule {held['rule']}"
        else:
            yield f"held back: {held['alias']!r}, by rule {held['rule']}: {explainer.held(held['rule'])}"
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


def told(answer: Mapping[str, Any]) -> Iterator[str]:
    """The lines of an answer of why.py."""
    yield f"{answer['post']}:"
    if answer["state"] == "shown":
        yield f"  says {answer['text']!r}"
    else:
        yield f"  text {answer['state']}: {answer['why']}"
    for number, record in enumerate(answer["records"], 1):
        place = f"{record['topic']}/{record['partition']} offset {record['offset']}"
        yield f"  record {number}: {place}, arrived {record['arrived']}"
        yield f"    in {record['file'] or 'no file any more'}"
        yield f"    {record['says']}"
        if record["mentions"] is not None:
            yield from (f"    {line}" for line in spoken(record, installed()))
        if record["levels"]:
            yield f"    counts for {', '.join(level['name'] for level in record['levels'])}"
    for day in answer["days"]:
        which = f"takes record {day['record']}, " if day["record"] is not None else "leaves it out: "
        yield f"  a recompute of {day['day']} {which}{day['why']}"
    for run in answer["runs"]:
        yield f"  run {run['run']}, in force for {run['day']} (meaning {run['meaning'] or 'unknown'}): {run['says']}"
    if answer["epoch"] is not None:
        epoch = answer["epoch"]
        yield f"  live count {epoch['epoch']} (meaning {epoch['meaning']}): {epoch['says']}"
    for choice in answer["answered"]:
        yield f"  {choice['day']} is answered by {choice['run'] or choice['epoch'] or 'no layer: it is missing'}"
    yield f"  explained by the rules of meaning {answer['meaning']}"
