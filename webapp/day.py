"""One day of an answer."""

from dataclasses import dataclass, field
from typing import Any

from drinkstream.merge import Choice, Publication, instant
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
    said: dict[str, Any] = field(init=False, repr=False, compare=False)
    """The day as an answer has it, but for what question and feeds make of it: worked out once, to be copied."""

    def __post_init__(self) -> None:
        said = {
            "day": str(self.choice.day),
            "layer": self.choice.layer,
            "run": self.choice.run,
            "epoch": self.choice.epoch,
            "meaning": self.meaning,
            "published_at": instant(self.publication.at) if self.publication is not None else None,
            "n": None,
            "pending": None,
            "coverage": None,
            "reason": self.reason,
        }
        object.__setattr__(self, "said", said)
