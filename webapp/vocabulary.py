"""The names of categories, brands and sources that a question may use."""

from dataclasses import dataclass
from functools import lru_cache

from drinkstream.taxonomy import load
from webapp.counts import Keys
from webapp.query import SOURCES, Vocabulary


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the taxonomy, to which those in the numbers are added: an older taxonomy may have had others."""

    categories: tuple[str, ...]
    brands: tuple[str, ...]

    @classmethod
    def load(cls) -> "Names":
        """Those of the taxonomy that is installed. Raises BadInputError where it is not as it must be."""
        taxonomy = load()
        return cls(taxonomy.categories, taxonomy.brands)

    def known(self, keys: Keys) -> Vocabulary:
        """Every name that the taxonomy or a number has."""
        return _known(self, keys, len(keys.all()))


@lru_cache(maxsize=4)
def _known(names: Names, keys: Keys, met: int) -> Vocabulary:
    # a key that was met stays what it is, and each question of each reader would go through thousands of them
    first = keys.all()[:met]
    return Vocabulary(
        _more(names.categories, {key.category for key in first}),
        _more(names.brands, {key.brand for key in first}),
        _more(SOURCES, {key.source for key in first}),
    )


def _more(names: tuple[str, ...], met: set[str]) -> tuple[str, ...]:
    return (*names, *sorted(met - set(names) - {"", "*"}))
