"""What an alias may mean and when: terms, the traps that hold them back, and the contexts that both ask for."""

from dataclasses import dataclass
from typing import Final

OWN_REASONS: Final = frozenset(("name", "language", "cut-off"))
"""Reasons by which an alias is held back that are no context's name, beside those that begin with `OWN_PREFIXES`."""

OWN_PREFIXES: Final = ("not-", "needs-")


@dataclass(frozen=True, slots=True)
class Context:
    """Words that must, or must not, stand by an alias. `within`: the reach of `near` in tokens (0: the whole post)."""

    name: str
    near: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    within: int = 6


@dataclass(frozen=True, slots=True)
class Term:
    """Aliases with one meaning and the conditions under which they have it.

    With a brand, `category` is its drink: named at once where `drink_when` is empty and none of `only_brand` holds,
    else where one of `drink_when` holds. `menu`: the categories that it sells; a drink named beside the brand is its.
    """

    rule: str
    words: tuple[str, ...]
    category: str | None = None
    brand: str | None = None
    menu: tuple[str, ...] = ()
    drink_when: tuple[str, ...] = ()
    only_brand: tuple[str, ...] = ()
    langs: frozenset[str] = frozenset()
    not_langs: frozenset[str] = frozenset()
    abroad: tuple[str, ...] = ("drinking",)
    need: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ("",)
    suffixes: tuple[str, ...] = ("",)
    accents: str = "optional"
    case: str = "any"
    names: bool = False
    inside: bool = False
    ending: bool = False
    emoji: bool = False


@dataclass(frozen=True, slots=True)
class Trap:
    """Phrases (names, idioms) inside which an alias of one of `holds` (empty: of any category) does not count.

    `unless`: contexts in which it counts all the same. `ending`: the words close longer ones (schwein: Wildschwein).
    """

    rule: str
    words: tuple[str, ...]
    holds: tuple[str, ...] = ()
    langs: frozenset[str] = frozenset()
    unless: tuple[str, ...] = ()
    ending: bool = False
