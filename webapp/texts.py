"""The texts of posts, looked up in the archive while a request waits, but never for long: the page goes on without."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from drinkstream.archive import Row
from drinkstream.errors import UnavailableError
from drinkstream.post import NO_DAY
from drinkstream.standing import Text, read, text_of

PATIENCE_S = 5.0
"""How long a request waits for the archive."""

MAX_TEXTS = 1000
"""Texts that one page shows at most."""

_AT_ONCE = 4

T = TypeVar("T")


class Records(Protocol):
    """What the web asks the archive; drinkstream.archive.Archive is one."""

    def records(self, keys: Iterable[str], *days: str) -> list[Row]: ...
    def days(self) -> dict[str, int]: ...
    def file_of(self, row: Row) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Found:
    """The text of each post by its key `source:id`; where the archive gave no answer, `failing` says why."""

    by_key: Mapping[str, Text] = field(default_factory=dict)
    failing: str | None = None


class Patience:
    """Asks the archive in threads of its own, a few questions at once."""

    def __init__(self, seconds: float = PATIENCE_S) -> None:
        self._seconds = seconds
        # it starts its threads with the first question, which comes after any fork
        self._pool = ThreadPoolExecutor(_AT_ONCE, "archive")

    def wait(self, ask: Callable[[], T]) -> T:
        """The answer. Raises UnavailableError where it takes too long; the late answer is dropped."""
        asked = self._pool.submit(ask)
        try:
            return asked.result(self._seconds)
        except Late:
            asked.cancel()
            raise UnavailableError(f"the archive did not answer within {self._seconds:g} seconds") from None


def look_up(archive: Records, patience: Patience, keys: Collection[str], days: Collection[str]) -> Found:
    """The texts of the posts `keys`, which were counted on event `days`: only these and the day `none` are read."""
    if not keys:
        return Found()
    try:
        rows = patience.wait(lambda: archive.records(keys, *sorted(days), NO_DAY))
    except UnavailableError as error:
        return Found(failing=str(error))
    by_key: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_key[row.key or ""].append(row)
    return Found({key: text_of(read(by_key[key])) for key in keys})
