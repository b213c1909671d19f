"""The texts of posts, looked up in the archive while a request waits, but never for long: the page goes on without."""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field
from typing import TypeVar

from drinkstream.archive import Row
from drinkstream.errors import UnavailableError
from drinkstream.lookup import Records
from drinkstream.post import NO_DAY
from drinkstream.standing import Text, by_post, text_of

PATIENCE_S = 5.0
"""How long a request waits for the archive."""

MAX_TEXTS = 1000
"""Texts that one page shows at most."""

_AT_ONCE = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """The text of each post by its key `source:id`; where the archive gave no answer, `failing` says why."""

    by_key: Mapping[str, Text] = field(default_factory=dict)
    failing: str | None = None


class Patiently:
    """An archive that is waited for, but not for long. Asked in threads of its own, a few questions at once."""

    def __init__(self, archive: Records, seconds: float = PATIENCE_S) -> None:
        self._archive = archive
        self._seconds = seconds
        # it starts its threads with the first question, which comes after any fork
        self._pool = ThreadPoolExecutor(_AT_ONCE, "archive")

    def records(self, keys: Iterable[str], *days: str) -> list[Row]:
        """As the archive's own. Raises UnavailableError where it takes too long, as all of these do."""
        return self._wait(lambda: self._archive.records(keys, *days))

    def days(self) -> dict[str, int]:
        """As the archive's own."""
        return self._wait(self._archive.days)

    def files_of(self, rows: Iterable[Row]) -> dict[Row, str]:
        """As the archive's own."""
        return self._wait(lambda: self._archive.files_of(rows))

    def at(self, topic: str, places: Iterable[tuple[int, int]], *days: str) -> list[Row]:
        """As the archive's own."""
        return self._wait(lambda: self._archive.at(topic, places, *days))

    def _wait(self, ask: Callable[[], T]) -> T:
        asked = self._pool.submit(ask)
        try:
            return asked.result(self._seconds)
        except Late:
            asked.cancel()  # one that has begun goes on, and its late answer is dropped
            raise UnavailableError(f"the archive did not answer within {self._seconds:g} seconds") from None


def look_up(archive: Records, keys: Collection[str], days: Collection[str]) -> Found:
    """The texts of the posts `keys`, which were counted on event `days`: only these and the day `none` are read."""
    if not keys:
        return Found()
    try:
        rows = archive.records(keys, *sorted(days), NO_DAY)
    except UnavailableError as error:
        return Found(failing=str(error))
    versions = by_post(rows)
    return Found({key: text_of(versions.get(key, ())) for key in keys})
