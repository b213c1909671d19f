"""The words in which a classification answers. Import them from `drinkstream.classify`."""

from typing import Final, NamedTuple


class Mention(NamedTuple):
    """One thing named, at text[start:end]. A brand named without its drink has no category."""

    category: str | None
    brand: str | None
    alias: str
    start: int
    end: int
    rule: str


class Held(NamedTuple):
    """An alias that was seen but does not count, and the rule that held it back."""

    alias: str
    rule: str


class Decision(NamedTuple):
    """All that a text names, in its order, and what was held back."""

    mentions: tuple[Mention, ...]
    held: tuple[Held, ...]


NOTHING: Final = Decision((), ())
