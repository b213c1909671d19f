"""One day of an answer."""

from dataclasses import dataclass

from drinkstream.merge import Choice, Publication
from webapp.counts import Counts


@dataclass(frozen=True, slots=True)
class Day:
    """The layer that was chosen for a day, its counts and their meaning version.

    A missing day has no counts, and the reason in words.
    """

    choice: Choice
    publication: Publication | None
    counts: Counts | None
    meaning: str | None
    reason: str | None = None
