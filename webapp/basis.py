"""What one request answers from: one snapshot of one state, and the layer that answers for each day."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from drinkstream.coverage import LATE, Covered
from drinkstream.merge import Choice, Snapshot, days_between
from drinkstream.share import Filter
from webapp.counts import Counts, beneath
from webapp.day import Day
from webapp.live import QUIET
from webapp.query import Asked
from webapp.texts import Found
from webapp.view import STALE_AFTER, State, View


@dataclass(frozen=True, slots=True)
class Basis:
    """What one request answers from: one snapshot of a state, its token, and the days asked for.

    `narrowed` is what the question is narrowed to, `feeds` what was told of these days by the sources asked about;
    `texts` looks up the texts of posts. `unread` are the days of which something could not be read while the answer was
    made: another moment may have it.
    """

    view: View
    state: State
    snapshot: Snapshot
    as_of: datetime | None
    now: datetime
    token: str
    days: tuple[Day, ...]
    narrowed: Filter
    feeds: Mapping[date, Sequence[Covered]]
    texts: Callable[[Collection[str], Collection[str]], Found]
    unread: set[date] = field(default_factory=set)

    @property
    def live(self) -> bool:
        """Whether any of its numbers may still move."""
        return any(map(self.state.follows, {day.choice.epoch for day in self.days}))

    @property
    def counts(self) -> Counts:
        """The counts of all days that have some, by key."""
        return self.view.sums.whole(self.days)

    @property
    def answerable(self) -> bool:
        """Whether any day could be answered for."""
        return any(counted(self, day) for day in self.days)


def counted(base: Basis, day: Day) -> bool:
    """Whether what a day has is a count. One that is not published and begins where nobody has looked yet has none."""
    return day.counts is not None and looked_at(base, day, day.counts)


def looked_at(base: Basis, day: Day, counts: Counts, start: int = 0) -> bool:
    """Whether these counts of a day, from its minute `start` on, tell how many posts there were.

    A post whose clock is ahead stays in sight, with all that it is a part of.
    """
    if day.choice.layer == "batch" or midnight(day.choice.day) + timedelta(minutes=start) <= horizon(base):
        return True
    return bool(len(counts.n)) and bool(beneath(base.view.keys, base.narrowed)[counts.key].any())


def all_counted(base: Basis, days: Sequence[Day]) -> bool:
    """Whether every one of these days is counted; a published one is, or it would be missing."""
    return all(counted(base, day) for day in [day for day in days if day.choice.run is None])


def begun(base: Basis, day: Day) -> bool:
    """Whether a day has begun, wherever anybody has looked."""
    return midnight(day.choice.day) <= base.now


def midnight(day: date) -> datetime:
    """The instant at which a day begins (UTC)."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def basis(
    view: View, asked: Asked, state: State, now: datetime, texts: Callable[[Collection[str], Collection[str]], Found]
) -> Basis:
    """Takes one snapshot of the state for a question. Raises BadInputError for a token that leads nowhere."""
    snapshot, token = state.at(asked.at, asked.as_of)
    wanted, narrowed = asked.days, asked.narrowed
    days = days_of(view, state, snapshot, asked.as_of, wanted)
    feeds = {day: _told(state, day, narrowed.source) for day in wanted}
    return Basis(view, state, snapshot, asked.as_of, now, token, days, narrowed, feeds, texts)


def _told(state: State, day: date, source: str | None) -> Sequence[Covered]:
    told = state.feeds.get(day, ())
    return told if source is None else [one for one in told if one.source == source]


def days_of(
    view: View, state: State, snapshot: Snapshot, as_of: datetime | None, wanted: Sequence[date]
) -> tuple[Day, ...]:
    """Days as a snapshot of the state answers for them."""
    if snapshot is not state.now:
        return tuple(view.answered(state, snapshot, as_of, day) for day in wanted)
    standing = state.standing
    for day in wanted:
        if day not in standing:
            standing[day] = view.answered(state, snapshot, as_of, day)
    return tuple([standing[day] for day in wanted])


def days_before(base: Basis, days: int) -> tuple[Day, ...]:
    """The period of as many days right before that of the answer; none where any day of either is missing."""
    first = base.days[0].choice.day
    if days >= first.toordinal() or not all_counted(base, base.days):
        return ()
    wanted = days_between(first - timedelta(days=days), first - timedelta(days=1))
    found = days_of(base.view, base.state, base.snapshot, base.as_of, wanted)
    return found if all_counted(base, found) else ()


def incomparable(now: Sequence[Day], before: Sequence[Day]) -> str | None:
    """Why no change from one period to the other can be told; None where one meaning version counted all of both.

    What other rules move is no sample's chance, so that no interval would hold it.
    """
    rules = {day.meaning for day in (*now, *before)}
    if None in rules:
        return "by which rules it was counted is not known any more"
    return "counted by other rules" if len(rules) > 1 else None


def quiet_since(base: Basis) -> datetime | None:
    """When the live layer last gave a sign, if that is too long ago for a stream that runs; else None.

    So is one as far ahead: it is of before the clock was set back.
    """
    live = base.state.live
    return live.last_sign if live is not None and abs(base.now - live.last_sign) > QUIET else None


def horizon(base: Basis) -> datetime:
    """Up to when "no post" of a day that is not published means that there was none.

    After it nobody has looked yet, or the store or the live layer fell silent, or works off what came before, or the
    epoch that answers had ended.
    """
    epoch = next((day.choice.epoch for day in base.days if day.choice.epoch is not None), None)
    if epoch is not None and not base.state.follows(epoch):
        return base.view.ended.until(base.state.epochs[epoch])
    live = base.state.live
    told = base.state.stale_since(base.now), quiet_since(base), live.reached if live is not None else None
    return min([base.now, *(at for at in told if at is not None)])


def hours_with_cells(base: Basis, choice: Choice, hours: list[str]) -> list[str]:
    """Of these hours those to look into for ids: live, an hour that has none is known."""
    live = base.state.live
    if live is not None and base.state.follows(choice.epoch):
        return [hour for hour in hours if hour in live.hours]
    return hours


def same_until(base: Basis) -> datetime:
    """Up to which instant (excluded) the same question, asked of the same state, is answered as at `base.now`.

    Of the clock an answer takes the minute (and so the day), and whether some instants lie too far off: the last look
    at the store, the end of the last micro-batch, the last minute that a feed told of.
    """
    if base.unread:
        return base.now
    return min(at for at in _turns(base) if at >= base.now)


def same_until_published(base: Basis) -> datetime:
    """The same of an answer about published days that ended a while ago: only the day is left, and what feeds told."""
    tomorrow = midnight(base.now.date()) + timedelta(days=1)
    return min(at for at in (tomorrow, *_turns_of_feeds(base)) if at >= base.now)


def _turns(base: Basis) -> Iterator[datetime]:
    yield base.now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    yield base.state.read_at + STALE_AFTER
    if base.state.live is not None:
        yield base.state.live.last_sign - QUIET
        yield base.state.live.last_sign + QUIET
    yield from _turns_of_feeds(base)


def _turns_of_feeds(base: Basis) -> Iterator[datetime]:
    return (one.until + LATE for feeds in base.feeds.values() for one in feeds)
