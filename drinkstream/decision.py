"""The words in which a classification answers. Import them from `drinkstream.classify`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing named, at text[start:end]. A brand named without its drink has no category."""

    category: str | None
    brand: str | None
    alias: str
    start: int
    end: int
    rule: str


@dataclass(frozen=True, slots=True)
class Held:
    """An alias that was seen but does not count, and the rule that held it back."""

    alias: str
    rule: str


@dataclass(frozen=True, slots=True)
class Decision:
    """All that a text names, in its order, and what was held back."""

    mentions: tuple[Mention, ...]
    held: tuple[Held, ...]


NOTHING = Decision((), ())
