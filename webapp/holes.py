"""Which days of an answer have no number, and why, as the page says it of all that share a reason."""

from collections import Counter

from drinkstream.merge import choose, instant
from webapp.basis import Basis, begun, counted
from webapp.day import Day


def holes(base: Basis) -> list[tuple[int, str]]:
    """How many days have no number, and what is to be said of them, in the order of the first of each."""
    return [(n, why) for why, n in Counter(_hole(base, day) for day in base.days if not counted(base, day)).items()]


def _hole(base: Basis, day: Day) -> str:
    if day.counts is not None:
        if not begun(base, day):
            return "have not begun"
        return "are not counted yet: the live layer has not come so far"
    if choose(day.choice.day, base.snapshot).layer != "missing":
        return "are missing: what answered for them is no longer kept"
    if base.as_of is not None:
        return f"were not published at {instant(base.as_of)}, and what was live then is not kept"
    return "are missing: no layer can answer for them"
