"""What the demo's made-up authors say, and when: the phrase bank, and the rhythm of day and week."""

import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

PHRASES = Path(__file__).with_name("demo_phrases.toml")
NAMING_A_DRINK = 0.30  # share of posts, over a whole week
MOST_NAMING_A_DRINK = 0.6  # at any hour
WEEK_HOURS = 168

# how much is said in each hour of the day (UTC), and of each category by hour and weekday; only proportions matter
ACTIVITY = (7, 6, 5, 4, 4, 5, 7, 9, 11, 12, 12, 12, 13, 13, 13, 13, 13, 14, 15, 16, 16, 14, 12, 9)
MORNING = (1, 1, 1, 2, 4, 9, 14, 15, 13, 11, 8, 6, 6, 7, 7, 6, 4, 3, 2, 2, 1, 1, 1, 1)
AFTERNOON = (2, 1, 1, 1, 2, 3, 5, 6, 7, 7, 8, 9, 9, 8, 9, 11, 12, 10, 7, 6, 5, 5, 4, 3)
MEALS = (2, 1, 1, 1, 2, 4, 6, 7, 6, 6, 8, 11, 12, 10, 7, 6, 7, 9, 11, 11, 8, 6, 4, 3)
EVENING = (6, 4, 2, 1, 1, 1, 1, 1, 1, 2, 3, 4, 4, 4, 5, 7, 11, 15, 18, 19, 18, 15, 12, 9)
NIGHT = (12, 11, 9, 6, 4, 4, 5, 5, 4, 4, 4, 4, 5, 5, 6, 6, 6, 6, 7, 8, 10, 12, 13, 13)
EVEN_WEEK = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
WORK_WEEK = (1.3, 1.15, 1.1, 1.1, 1.05, 0.7, 0.6)
WEEKEND = (0.5, 0.5, 0.6, 0.8, 1.8, 1.8, 1.0)
DRINKS = {  # category: (weight, by hour, Monday to Sunday)
    "coffee": (24, MORNING, WORK_WEEK),
    "tea": (14, AFTERNOON, EVEN_WEEK),
    "beer": (14, EVENING, WEEKEND),
    "wine": (9, EVENING, WEEKEND),
    "spirits": (8, EVENING, WEEKEND),
    "soda": (9, MEALS, EVEN_WEEK),
    "juice": (6, MORNING, EVEN_WEEK),
    "water": (7, AFTERNOON, EVEN_WEEK),
    "energy": (5, NIGHT, WORK_WEEK),
    "milk": (4, MEALS, EVEN_WEEK),
}
OTHERS = {"brand": 4, "trap": 16, "talk": 80}  # what the posts that name no drink are about


@dataclass(frozen=True, slots=True)
class Phrase:
    """Something that an author says, with X's language code and its mentions as (category or "", brand or "")."""

    lang: str
    text: str
    names: tuple[tuple[str, str], ...]
    trap: bool

    @property
    def group(self) -> str:
        """The category that it names first, or `brand`, `trap`, `talk`."""
        if self.names:
            return self.names[0][0] or "brand"
        return "trap" if self.trap else "talk"


@lru_cache(maxsize=1)
def phrases() -> tuple[Phrase, ...]:
    """The whole phrase bank, in the order of its file."""
    bank = tomllib.loads(PHRASES.read_text(encoding="utf-8"))["phrase"]
    return tuple(Phrase(p["lang"], p["text"], tuple((c, b) for c, b in p["names"]), p.get("trap", False)) for p in bank)


@lru_cache(maxsize=1)
def by_group() -> dict[str, tuple[Phrase, ...]]:
    """The phrases of each group."""
    groups = [*DRINKS, *OTHERS]
    return {group: tuple(p for p in phrases() if p.group == group) for group in groups}


@lru_cache(maxsize=1)
def small_talk() -> dict[str, tuple[str, ...]]:
    """By language: texts that name nothing and are no trap either."""
    talk = by_group()["talk"]
    return {p.lang: tuple(q.text for q in talk if q.lang == p.lang) for p in talk}


def activity(week_hour: int) -> float:
    """How much is said in this hour of the week (0 = Monday 00:00 UTC), 1.0 being the mean."""
    return ACTIVITY[week_hour % 24] * 24 / sum(ACTIVITY)


@lru_cache(maxsize=WEEK_HOURS)
def _odds(week_hour: int) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The groups and their cumulated odds in this hour of the week; the last one is 1.0."""
    drinks = {category: _drink(category, week_hour) for category in DRINKS}
    naming = min(MOST_NAMING_A_DRINK, NAMING_A_DRINK * sum(drinks.values()) / _mean_of_drinks())
    share = naming / sum(drinks.values())
    odds = {group: weight * share for group, weight in drinks.items()}
    odds |= {group: weight * (1 - naming) / sum(OTHERS.values()) for group, weight in OTHERS.items()}
    return tuple(odds), tuple(accumulate(odds.values()))


def _drink(category: str, week_hour: int) -> float:
    weight, hours, days = DRINKS[category]
    return weight * hours[week_hour % 24] / sum(hours) * days[week_hour // 24] / sum(days)


@lru_cache(maxsize=1)
def _mean_of_drinks() -> float:
    """The mean of all categories' odds, each hour of the week as heavy as what is said in it."""
    said = [activity(h) for h in range(WEEK_HOURS)]
    drinks = [sum(_drink(c, h) for c in DRINKS) for h in range(WEEK_HOURS)]
    return sum(s * d for s, d in zip(said, drinks, strict=True)) / sum(said)


def phrase_at(week_hour: int, first: float, second: float) -> Phrase:
    """What is said in this hour of the week; `first` and `second` are random numbers in [0, 1)."""
    groups, odds = _odds(week_hour)
    said = by_group()[groups[min(bisect_right(odds, first), len(groups) - 1)]]
    return said[int(second * len(said))]
