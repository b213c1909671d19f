"""How well decisions agree with the labelled posts: counts of right, wrong and missed, and what follows from them.

Every figure is defined in docs/accuracy.md. Nothing here knows the classifier: found and true names come in as sets.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.lib.labelled import Labelled

NO_LANGUAGE = "none"
"""Stands for an absent language and for `und`."""

_SAME_AS = {"": NO_LANGUAGE, "und": NO_LANGUAGE, "in": "id", "ms": "id", "iw": "he"}


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled post beside what was found in it."""

    post: Labelled
    categories: frozenset[str]
    brands: frozenset[str]


@dataclass(frozen=True, slots=True)
class Score:
    """Names that are right, that are wrong (found, not true) and that are missed (true, not found)."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def true(self) -> int:
        """Names that are true."""
        return self.right + self.missed

    @property
    def precision(self) -> float | None:
        """Of what was found, the share that is right; None where nothing was found."""
        return _share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> float | None:
        """Of what is true, the share that was found; None where nothing is true."""
        return _share(self.right, self.true)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; None where nothing is true and nothing was found."""
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)


@dataclass(frozen=True, slots=True)
class Fires:
    """Of so many posts without a drink, those in which one was found."""

    fired: int = 0
    posts: int = 0

    @property
    def rate(self) -> float | None:
        """Their share; None without posts."""
        return _share(self.fired, self.posts)


def brand_key(name: str) -> str:
    """A brand's name without what spellings differ in: `Peet's` and `peets` are one brand, as `7-up` and `7up`."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def language(post: Labelled) -> str:
    """The language under which a post is reported: its tag's first part, older tags under today's, Malay with `id`."""
    tag = post.lang.split("-")[0].lower()
    return _SAME_AS.get(tag, tag)


def categories(judged: Iterable[Judged]) -> Score:
    """The score whose unit is (post, category)."""
    return sum((_score(one.post.categories, one.categories) for one in judged), Score())


def brands(judged: Iterable[Judged]) -> Score:
    """The score whose unit is (post, brand), with or without a category beside it."""
    return sum((_score(_keys(one.post.brands), _keys(one.brands)) for one in judged), Score())


def by_category(judged: Iterable[Judged]) -> dict[str, Score]:
    """The score of each category that is true or found somewhere, by its name."""
    scores: defaultdict[str, Score] = defaultdict(Score)
    for one in judged:
        for name in one.post.categories | one.categories:
            scores[name] += _score(one.post.categories & {name}, one.categories & {name})
    return dict(sorted(scores.items()))


def by(key: Callable[[Labelled], str], judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    """The posts by what `key` says of each, the keys in their order."""
    groups = defaultdict(list)
    for one in judged:
        groups[key(one.post)].append(one)
    return dict(sorted(groups.items()))


def outside_english(judged: Iterable[Judged]) -> list[Judged]:
    """The posts that are tagged with a language, and not with English."""
    return [one for one in judged if language(one.post) not in ("en", NO_LANGUAGE)]


def false_fires(judged: Iterable[Judged]) -> Fires:
    """Of the posts that name no category, those in which one was found. A brand alone is no fire."""
    without = [one for one in judged if not one.post.categories]
    return Fires(sum(bool(one.categories) for one in without), len(without))


def wrong(one: Judged) -> bool:
    """Whether anything about a post is not as its label says."""
    return one.categories != one.post.categories or _keys(one.brands) != _keys(one.post.brands)


def _keys(names: frozenset[str]) -> frozenset[str]:
    return frozenset(map(brand_key, names))


def _score(true: frozenset[str], found: frozenset[str]) -> Score:
    return Score(len(true & found), len(found - true), len(true - found))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
