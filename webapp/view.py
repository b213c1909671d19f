"""The view in memory: one thread reads the store, every request answers from one unchanging state of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from threading import Condition, Lock
from time import monotonic

from drinkstream.coverage import Minute
from drinkstream.errors import UnavailableError
from drinkstream.merge import Choice, Publication, Snapshot, absence, choose, hours_of, restore, snapshot
from drinkstream.store.read import EpochRow, Run
from drinkstream.taxonomy_kept import counted_in
from webapp.counts import EMPTY, Counts, Keys, join, of_cells, of_totals
from webapp.day import Day
from webapp.ended import Ended
from webapp.feeds import Feeds, Told
from webapp.given import Answers
from webapp.live import Live, Store, Tail
from webapp.log import Log
from webapp.recent import Recent
from webapp.sums import Sums
from webapp.worker import Worker

FIRST_LOOK_S = 8.0
"""How long a request waits for the first look at the store: well below a browser's patience (static/asking.js)."""

CACHE_BYTES = 128 * 1024 * 1024
"""Memory for counts by minute of published days and retired epochs, and as much for superseded runs, as asked about."""

STALE_AFTER = timedelta(seconds=15)
"""Numbers that were read longer ago than this are not called live."""

_REST = 2.0
_LONGEST_REST_S = 5.0


@dataclass(frozen=True, slots=True)
class RunCounts:
    """A run's row (None where it is gone) and its counts of the day."""

    run: Run | None
    day: Counts

    @property
    def whole(self) -> bool:
        """Whether its row says that all of its rows are there: one that is being dropped may have lost some."""
        return self.run is not None and self.run.status == "complete"


@dataclass(frozen=True, slots=True)
class State:
    """All that a request may know. Never changed once made, and handed to a request once.

    `now` is the snapshot in force, `runs` the counts of every run that it names; `read_at` is when the store was last
    read, `failing` why it could not be read since, None where it could; `days` have data; `pending` is by run, what
    the `feeds` told by day; `given` has the answers that it gave, and is gone with it; `itself` tells it from others;
    `standing` has the days of `now` that are published, and those that were asked about.
    """

    log: tuple[Publication, ...]
    epochs: Mapping[str, EpochRow]
    live: Live | None
    runs: Mapping[str, RunCounts]
    now: Snapshot
    token: str
    read_at: datetime
    failing: str | None = None
    days: tuple[date, ...] = ()
    pending: Mapping[str, int] = field(default_factory=dict)
    feeds: Feeds = field(default_factory=dict)
    standing: dict[date, Day] = field(default_factory=dict, repr=False, compare=False)
    given: Answers = field(default_factory=Answers, init=False, repr=False, compare=False)
    itself: object = field(default_factory=object, init=False, repr=False, compare=False)

    def at(self, token: str | None, as_of: datetime | None) -> tuple[Snapshot, str]:
        """The snapshot that a request asks about, and its token. Raises BadInputError for a token of elsewhere."""
        if token is not None and token != self.token:
            return restore(token, self.log, {name: row.as_epoch for name, row in self.epochs.items()}), token
        if token is None and as_of is not None:
            then = snapshot(self.log, None, as_of)
            return then, then.token
        return self.now, self.token

    def in_force(self) -> dict[date, Run]:
        """The runs that the published days show now, where they are complete."""
        found = {day: self.runs[p.run_id] for day, p in self.now.publications.items()}
        return {day: known.run for day, known in found.items() if known.run is not None and known.whole}

    def follows(self, epoch: str | None) -> bool:
        """Whether this epoch is the one that counts on; one that a token names may have ended."""
        return self.live is not None and self.live.epoch.epoch == epoch

    def stale_since(self, now: datetime) -> datetime | None:
        """When the store was last read, if that is too long ago for the numbers to be called live; else None."""
        return self.read_at if self.failing is not None or now - self.read_at > STALE_AFTER else None


def rest(looked: float, refresh: float) -> float:
    """Seconds until the next look after one that took `looked` seconds: `refresh`, or longer while looks take long.

    A look that takes long, while a replay touches every hour, so leaves most of the processor to the others; but the
    first one after a start reads everything, and must not keep what moved meanwhile from the page.
    """
    return max(refresh, min(_REST * looked, _LONGEST_REST_S))


class View:
    """Keeps the state fresh. Make it before a fork, `start` it after."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        refresh: float,
        clock: Callable[[], datetime],
        ttl: timedelta,
    ) -> None:
        self.keys = Keys()
        self._open_store = open_store
        self._refresh = refresh
        self._clock = clock
        self._store: Store | None = None
        self._tail: Tail | None = None
        self._state: State | None = None
        self._why = "it was not asked yet"
        self._looking = Lock()
        self._changed = Condition()
        self._worker = Worker("view", self._step)
        self.start, self.stop = self._worker.start, self._worker.stop
        self.pending: Mapping[str, int] = {}
        self._minutes: Recent[str, Counts] = Recent(CACHE_BYTES, lambda _, counts: counts.nbytes)
        self._superseded: Recent[str, Counts] = Recent(CACHE_BYTES, lambda _, counts: counts.nbytes)
        self.ended = Ended(self.store, clock, ttl)
        self._feeds = Told()
        self._log = Log()
        self.sums = Sums()
        self.settled: Callable[[], None] = lambda: None
        """Called once, by the thread, when the store was read for the first time."""

    # -- the thread --------------------------------------------------------------------------------------------------

    def _step(self) -> float:
        began = monotonic()
        answered = self.look()
        return rest(monotonic() - began, self._refresh) if answered else self._refresh

    def look(self) -> bool:
        """Read what changed in the store, and make it the state; where it does not answer, say so in the state.

        Returns whether it answered.
        """
        with self._looking:
            try:
                if self._store is None:
                    self._store = self._open_store()
                state: State | None = self._read(self._store)
            except UnavailableError as error:
                self._why = str(error)
                state = None if self._state is None else replace(self._state, failing=self._why)
            if state is not None and self._state is None:
                self.settled()
            elif state is not None and self._state is not None:
                state.given.answer_ahead(self._state.given, state, self._clock)
            with self._changed:
                self._state = state
                self._changed.notify_all()
            return state is not None and state.failing is None

    def _read(self, store: Store) -> State:
        read_at = self._clock()
        log = self._log.look(store)
        rows = store.epochs()
        current = next((row for row in rows if row.status == "current"), None)
        now = snapshot(log, current.as_epoch if current else None)
        live = self._follow(store, current, read_at.date())
        known = self._state.runs if self._state is not None else {}
        # one that came into force while maintenance was about to drop it is complete again a little later
        runs = {
            p.run_id: known[p.run_id]
            if p.run_id in known and known[p.run_id].whole
            else self._run_counts(store, day, p.run_id)
            for day, p in now.publications.items()
        }
        standing: dict[date, Day] = {}
        if self._state is None or self._state.now != now:
            token = now.token
        else:
            now, token = self._state.now, self._state.token
            # a published day is answered by the same counts as long as the same run is in force, and complete
            standing = {
                day: known
                for day, known in self._state.standing.copy().items()
                if known.choice.run is not None and runs[known.choice.run].whole
            }
        counted = {day for day, counts in live.days.items() if len(counts.n)} if live is not None else set()
        days = tuple(sorted(now.publications.keys() | counted))
        feeds = self._feeds.days(store, days, read_at)
        known_epochs = {row.epoch: row for row in rows}
        state = State(log, known_epochs, live, runs, now, token, read_at, None, days, self.pending, feeds, standing)
        for day in now.publications.keys() - standing.keys():
            # put together here once, and not for the first who asks about a year
            standing[day] = self.answered(state, now, None, day)
        return state

    def _follow(self, store: Store, current: EpochRow | None, today: date) -> Live | None:
        if current is None:
            self._tail = None
            return None
        if self._tail is None or self._tail.epoch != current.epoch:
            self._tail = Tail(store, self.keys, current.epoch, counted_in(store.taxonomy(current.meaning)))
        return self._tail.look(current, today)

    def _run_counts(self, store: Store, day: date, run_id: str) -> RunCounts:
        totals = of_totals(self.keys, store.day_totals(day, run_id))
        # its row comes last: a run is marked before any of its rows goes, so those of one without a mark were whole
        return RunCounts(store.run(day, run_id), totals)

    # -- requests ----------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """The state as last read. Raises UnavailableError where the store could not be read yet."""
        with self._changed:
            if self._changed.wait_for(lambda: self._state is not None, FIRST_LOOK_S) and self._state is not None:
                return self._state
        raise UnavailableError(f"no numbers yet: {self._why}")

    def peek(self) -> State | None:
        """The state as last read, without waiting; None where there is none yet."""
        return self._state

    @property
    def why(self) -> str:
        """Why the store could not be read, when last tried."""
        return self._why

    def store(self) -> Store:
        """The store, for what is not kept in memory. Raises UnavailableError where it was never reached."""
        if self._store is None:
            raise UnavailableError(self._why)
        return self._store

    def day(self, state: State, choice: Choice) -> tuple[Counts | None, str | None]:
        """The counts of a day from the one layer that answers for it (None: none does), and their meaning version.

        Of a run that is not in force the row is read each time: maintenance may be dropping it. Raises
        UnavailableError where the store is needed and away.
        """
        if choice.run is not None:
            known = state.runs.get(choice.run) or self._superseded_run(choice.day, choice.run)
            if known.run is not None and not known.whole:
                # its rows are gone, or going: not known any more, which is not none
                return None, known.run.meaning
            return known.day, known.run.meaning if known.run is not None else None
        if choice.epoch is not None:
            meaning = state.epochs[choice.epoch].meaning
            if state.live is not None and state.follows(choice.epoch):
                return state.live.days.get(choice.day, EMPTY), meaning
            if not self.ended.answers(state.epochs[choice.epoch], choice.day):
                return None, meaning
            return self._retired(state.epochs[choice.epoch], choice.day), meaning
        return None, None

    def answered(self, state: State, at: Snapshot, as_of: datetime | None, wanted: date) -> Day:
        """One day as a snapshot of the state answers for it. Raises as `day` does."""
        choice = choose(wanted, at)
        publication = at.publications.get(wanted)
        counts, meaning = self.day(state, choice)
        if choice.run is not None and (counts is None or (meaning is None and not len(counts.n))):
            # neither the run's row nor its totals are there any more: zero would be a low number
            gone = f"run {choice.run} was in force, and is no longer kept"
            return Day(Choice(wanted, "missing"), publication, None, None, gone)
        if choice.epoch is not None and counts is None:
            gone = f"epoch {choice.epoch} answered, and cannot answer for it any more"
            return Day(Choice(wanted, "missing"), publication, None, None, gone)
        if counts is None:
            return Day(choice, publication, None, None, absence(wanted, at, state.log, as_of))
        return Day(choice, publication, counts, meaning)

    def run(self, state: State, choice: Choice) -> Run | None:
        """The row of the run that answers for a day; None where it is gone, or no run answers."""
        if choice.run is None:
            return None
        return (state.runs.get(choice.run) or self._superseded_run(choice.day, choice.run)).run

    def minutes(self, state: State, day: Day) -> Counts | None:
        """The counts of a day's minutes from the one layer that answers for it; None where none does.

        The request has asked `day` for it: a run that was complete then keeps its rows for longer than a request takes.
        """
        choice = day.choice
        if day.counts is None:
            return None
        if choice.run is not None:
            run_id, categories = choice.run, self._categories_of(day.counts)
            return self._minutes.get(
                run_id,
                lambda: of_cells(self.keys, self.store().batch_counts(run_id, hours_of(choice.day), categories)),
            )
        if choice.epoch is not None:
            if state.live is not None and state.follows(choice.epoch):
                hours = state.live.hours
                return join([hours[hour] for hour in hours_of(choice.day) if hour in hours])
            return self._retired(state.epochs[choice.epoch], choice.day)
        return None

    def feed_minutes(self, state: State, day: date) -> list[Minute]:
        """What the feeds told of each minute of a day. Raises UnavailableError where the store is needed and away."""
        return self._feeds.minutes(self.store(), day, state.feeds.get(day, ()))

    def _superseded_run(self, day: date, run_id: str) -> RunCounts:
        store = self.store()
        totals = self._superseded.get(run_id, lambda: of_totals(self.keys, store.day_totals(day, run_id)))
        known = RunCounts(store.run(day, run_id), totals)
        if not known.whole:
            self._superseded.forget(run_id)
            self._minutes.forget(run_id)
        return known

    def _retired(self, row: EpochRow, day: date) -> Counts:
        def read() -> Counts:
            store = self.store()
            categories = counted_in(store.taxonomy(row.meaning))
            return of_cells(self.keys, store.speed_counts(row.epoch, hours_of(day), categories))

        return self._minutes.get(f"{row.epoch} {day}", read)

    def _categories_of(self, counts: Counts) -> list[str]:
        known = self.keys.all()
        return sorted({known[key].category for key in counts.key.tolist()})
