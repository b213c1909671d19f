"""Answers as bytes, given again as long as they would come out the same: each state of the view has its own."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Any

from drinkstream.errors import DrinkStreamError

MOST_BYTES = 16 * 1024 * 1024
"""Memory for the answers of one state; the one asked for longest ago goes first."""

OFTEN = 3
"""A question asked so often of one state is answered by the next one before it is the state."""

MOST_AHEAD = 64
AHEAD_S = 0.2
"""Seconds that a new state may be kept waiting by such questions."""

_EACH_BYTES = 1000
"""About what an answer takes beside its body: its question, its headers, its lock."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer: what it says, with which headers; the same until (excluded) `until`."""

    body: bytes
    headers: tuple[tuple[str, str], ...]
    until: datetime

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it takes, about."""
        return len(self.body) + _EACH_BYTES


Ahead = Callable[[Any, datetime], Given]
"""The answer to one question by another state (of the view), at an instant."""


@dataclass(slots=True)
class _Place:
    """Where the answer of one question is put; who computes it holds the lock, and the others wait for it."""

    lock: Lock = field(default_factory=Lock)
    given: Given | None = None
    since: datetime | None = None
    counted: int = 0
    asked: int = 0
    ahead: "Ahead | None" = None

    def at(self, now: datetime) -> Given | None:
        """The answer, if it is right at this instant."""
        if self.given is None or self.since is None or not self.since <= now < self.given.until:
            return None
        return self.given


class Answers:
    """The answers that one state gave. Used by many threads; a question that many ask at once is computed once."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()
        self._nbytes = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of memory that all of them take, about."""
        return self._nbytes

    def known(self, question: Hashable, now: datetime) -> Given | None:
        """The answer that was given before, if it is right at `now`; never waits for one that is being made."""
        with self._lock:
            place = self._places.get(question)
            found = place.at(now) if place is not None else None
            if place is None or found is None:
                return None
            self._places.move_to_end(question)
            place.asked += 1
            return found

    def get(self, question: Hashable, now: datetime, make: Callable[[], Given], ahead: Ahead | None = None) -> Given:
        """The answer at `now`: the one given before where it is still the same, else what `make` returns.

        What `make` raises is not kept, and neither is an answer that is right at this instant only (`until` = `now`).
        `ahead` makes the same of another state, in any thread.
        """
        with self._lock:
            place = self._places.setdefault(question, _Place())
            self._places.move_to_end(question)
            place.asked += 1
            place.ahead = ahead
        found = None
        with place.lock:
            if (known := place.at(now)) is not None:
                return known
            try:
                found = make()
                place.given, place.since = found, now
            finally:
                self._count(question, place, found is not None and found.until > now)
        return found

    def often(self) -> list[tuple[Hashable, Ahead]]:
        """The questions that were asked often since this was called last, the latest first."""
        found = []
        with self._lock:
            for question, place in reversed(self._places.items()):
                if place.asked >= OFTEN and place.ahead is not None:
                    # one whose answer ends the thread that asks does not end the next one too
                    place.asked = 0
                    found.append((question, place.ahead))
        return found[:MOST_AHEAD]

    def answer_ahead(self, before: "Answers", state: Any, clock: Callable[[], datetime]) -> None:
        """Answers what the state before was often asked, so that nobody waits for it once `state` is the state."""
        end = monotonic() + AHEAD_S
        for question, ahead in before.often():
            if monotonic() > end:
                return
            now = clock()
            try:
                self.get(question, now, lambda ahead=ahead, now=now: ahead(state, now), ahead)  # type: ignore[misc]
            except DrinkStreamError:
                # whoever asks again is told why
                continue

    def _count(self, question: Hashable, place: _Place, lasts: bool) -> None:
        with self._lock:
            if self._places.get(question) is not place:
                return
            nbytes = place.given.nbytes if lasts and place.given is not None else 0
            self._nbytes += nbytes - place.counted
            place.counted = nbytes
            if not lasts:
                del self._places[question]
            while self._nbytes > self._most_bytes:
                _, dropped = self._places.popitem(last=False)
                self._nbytes -= dropped.counted
