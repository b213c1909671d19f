"""Answers about no live day, given again by every state in which their days are as they were.

While posts arrive the view has another state each second; what a published day says changes with none of them. So an
answer that rests on nothing else is kept beside the states, with a mark of what it rests on, and each state is asked
for the same mark before it gives it.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from threading import Lock

from drinkstream.coverage import LATE, Covered
from drinkstream.merge import days_between
from webapp.basis import Basis, days_of, same_until_published
from webapp.given import MOST_BYTES, Given
from webapp.view import RunCounts, State


@dataclass(frozen=True, slots=True)
class Mark:
    """What an answer rests on, beside its question and the clock.

    The publications in force, the newest day that has data (where a question without days ends), and of each of its
    days the run, how many records are pending, and what the feeds told.
    """

    token: str
    newest: date | None
    runs: tuple[RunCounts | None, ...]
    pending: tuple[int | None, ...]
    feeds: tuple[tuple[Covered, ...], ...]

    def is_that_of(self, other: "Mark") -> bool:
        """Whether both stand for the same answer."""
        return (
            self.token == other.token
            and len(self.runs) == len(other.runs)
            # what a run counted is read once; where it was read again, its row may say something else
            and all(one is another for one, another in zip(self.runs, other.runs, strict=True))
            and (self.newest, self.pending, self.feeds) == (other.newest, other.pending, other.feeds)
        )


def mark(state: State, days: Sequence[date]) -> Mark:
    """What an answer about these days rests on in a state, if none of them is live."""
    publications = [state.now.publications.get(day) for day in days]
    return Mark(
        state.token,
        state.days[-1] if state.days else None,
        tuple([None if p is None else state.runs[p.run_id] for p in publications]),
        tuple([None if p is None else state.pending.get(p.run_id) for p in publications]),
        tuple([state.feeds.get(day, ()) for day in days]),
    )


def rests_on(base: Basis) -> tuple[date, ...] | None:
    """The days that a base answers from, those before it that it may be compared with included.

    None where something else may move it: a day that is live, feeds that may still tell of the last one's end, a store
    that is stale. Or where it is about another state than the present one.
    """
    first, last = base.days[0].choice.day, base.days[-1].choice.day
    if last == date.max:  # no instant is behind its end
        return None
    ended = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1) + LATE
    if base.unread or base.snapshot is not base.state.now or base.state.stale_since(base.now) or base.now < ended:
        return None
    before = min(len(base.days), first.toordinal() - 1)
    days = days_between(first - timedelta(days=before), last)
    # a day that nothing answers for is missing until a publication or another epoch comes, and so another token
    found = days_of(base.view, base.state, base.snapshot, base.as_of, days)
    return None if any(day.choice.epoch is not None for day in found) else days


@dataclass(slots=True)
class _Kept:
    given: Given
    since: datetime
    days: tuple[date, ...]
    mark: Mark
    seen: object
    """What tells the state apart that was asked for its mark last: the state itself would be kept with all it holds."""


class Published:
    """The answers that were kept; of more than `most_bytes` that one goes which was asked for longest ago.

    Used by many threads.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._nbytes = 0
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the answers take, about."""
        return self._nbytes

    def known(self, question: Hashable, state: State, now: datetime) -> Given | None:
        """The answer that was given before, if this state would give the same at `now`."""
        kept = self._kept.get(question)
        if kept is None or not kept.since <= now < kept.given.until or state.stale_since(now) is not None:
            return None
        if kept.seen is not state.itself:
            if not kept.mark.is_that_of(mark(state, kept.days)):
                return None
            kept.seen = state.itself
        with self._lock:
            if question in self._kept:
                self._kept.move_to_end(question)
        return kept.given

    def keep(self, question: Hashable, given: Given, base: Basis) -> None:
        """Keeps an answer that rests on no live day; any other is left alone."""
        days = rests_on(base)
        if days is None:
            return
        lasting = Given(given.body, given.headers, same_until_published(base))
        with self._lock:
            before = self._kept.pop(question, None)
            self._nbytes += lasting.nbytes - (before.given.nbytes if before is not None else 0)
            self._kept[question] = _Kept(lasting, base.now, days, mark(base.state, days), base.state.itself)
            while self._nbytes > self._most_bytes and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._nbytes -= dropped.given.nbytes
