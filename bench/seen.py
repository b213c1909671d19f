"""When posts could first be read in Cassandra: a reader that asks for the cells of the running minutes all the time."""

import threading
import time
from collections.abc import Iterable
from types import TracebackType

from drinkstream.cells import MINUTE_MS, hour_of, unpack_integers
from drinkstream.store.read import Reader

EVERY_S = 0.05
MINUTES = 2
"""How many minutes it asks for each time: a post that takes longer is found by `rest`, at the end."""


class Watch:
    """Asks while its block runs; `seen` has by id the moment (s since 1970) at which an answer first held it.

    A moment is that of the answer's arrival, so it is never too early, and too late by `every` seconds at most.
    """

    def __init__(self, reader: Reader, epoch: str, minutes: int = MINUTES, every: float = EVERY_S) -> None:
        self.seen: dict[int, float] = {}
        self._reader = reader
        self._epoch = epoch
        self._minutes = minutes
        self._every = every
        self._blobs: dict[object, tuple[bytes, ...]] = {}
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._ended.wait(self._every):
                self.look(int(time.time() * 1000), self._minutes)
        except BaseException as failure:  # noqa: BLE001 - it is raised where the block ends
            self._failure = failure

    def look(self, now_ms: int, minutes: int) -> None:
        """Asks once for all posts that name a drink, of so many minutes up to that of `now_ms`."""
        for back in range(minutes):
            ms = now_ms - back * MINUTE_MS
            cells = list(self._reader.speed_minute(self._epoch, hour_of(ms), ms // MINUTE_MS % 60, ["*"]))
            at = time.time()
            for cell in cells:
                # the level of any drink holds every hit; an unchanged cell holds nothing new
                if cell.brand == "" and self._blobs.get(cell[:7]) != cell.blobs:
                    self._blobs[cell[:7]] = cell.blobs
                    self._note((number for blob in cell.blobs for number in unpack_integers(blob).tolist()), at)

    def rest(self, numbers: Iterable[int], since: float) -> int:
        """Asks, behind the block, for every minute since then; how many of `numbers` were never seen."""
        self.look(int(time.time() * 1000), int(time.time() - since) // 60 + 2)
        return len(set(numbers) - self.seen.keys())

    def _note(self, numbers: Iterable[int], at: float) -> None:
        for number in numbers:
            self.seen.setdefault(number, at)


def delays(appended: dict[int, int], seen: dict[int, float]) -> dict[int, float]:
    """Seconds from append time to being readable, by id, of the posts that were seen."""
    return {number: seen[number] - ms / 1000 for number, ms in appended.items() if number in seen}
