"""The names of categories, brands and sources that a question may use."""

from dataclasses import dataclass

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
        met = list(keys.all())
        return Vocabulary(
            _more(self.categories, {key.category for key in met}),
            _more(self.brands, {key.brand for key in met}),
            _more(SOURCES, {key.source for key in met}),
        )


def _more(names: tuple[str, ...], met: set[str]) -> tuple[str, ...]:
    return (*names, *sorted(met - set(names) - {"", "*"}))
