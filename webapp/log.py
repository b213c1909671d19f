"""The log of publications, in memory: only the months that got one are read again."""

from collections.abc import Mapping
from itertools import chain

from drinkstream.merge import Publication
from webapp.live import Store


class Log:
    """Reads what was appended. Used by one thread; what it hands out is safe to share."""

    def __init__(self) -> None:
        self._months: Mapping[str, tuple[Publication, ...]] = {}

    def look(self, store: Store) -> tuple[Publication, ...]:
        """All publications, in the order of day and seq. Raises UnavailableError where the store does not answer."""
        self._months = {
            month: known if len(known := self._months.get(month, ())) == n else tuple(store.publications([month]))
            for month, n in sorted(store.publication_counts().items())
        }
        return tuple(chain.from_iterable(self._months.values()))
