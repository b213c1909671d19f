"""The view in memory: one thread reads the store, every request answers from one unchanging state of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from threading import Condition, Lock
from time import monotonic

from drinkstream.cells import ANY
from drinkstream.coverage import Minute
from drinkstream.errors import UnavailableError
from drinkstream.merge import Choice, Publication, Snapshot, restore, snapshot
from drinkstream.store.read import EpochRow, Run
from webapp.counts import EMPTY, Counts, Keys, join, of_cells, of_totals
from webapp.day import Day
from webapp.feeds import Feeds, Told
from webapp.given import Answers
from webapp.live import Live, Store, Tail, hours_of
from webapp.recent import Recent
from webapp.sums import Sums
from webapp.worker import Worker

FIRST_LOOK_S = 20.0
"""How long a request waits for the first look at the store."""

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
    def nbytes(self) -> int:
        """Bytes of memory that the counts take."""
        return self.day.nbytes


@dataclass(frozen=True, slots=True)
class State:
    """All that a request may know. Never changed once made, and handed to a request once.

    `now` is the snapshot in force, `runs` the counts of every run that it names; `read_at` is when the store was last
    read, `failing` why it could not be read since, None where it could; `days` have data; `pending` is by run, what
    the `feeds` told by day; `given` has the answers that it gave, and is gone with it;
    `standing` has the days of `now` that were asked about.
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

    def at(self, token: str | None, as_of: datetime | None) -> tuple[Snapshot, str]:
        """The snapshot that a request asks about, and its token. Raises BadInputError for a token of elsewhere."""
        if token is not None and token != self.token:
            return restore(token, self.log, {name: row.as_epoch for name, row in self.epochs.items()}), token
        if token is None and as_of is not None:
            then = snapshot(self.log, None, as_of)
            return then, then.token
        return self.now, self.token

    def in_force(self) -> dict[date, Run]:
        """The runs that the published days show now, where their rows are still there."""
        found = {day: self.runs[p.run_id].run for day, p in self.now.publications.items()}
        return {day: run for day, run in found.items() if run is not None}

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
        self, open_store: Callable[[], Store], categories: Sequence[str], refresh: float, clock: Callable[[], datetime]
    ) -> None:
        self.keys = Keys()
        self._open_store = open_store
        self._categories = (ANY, *categories)
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
        self._superseded: Recent[str, RunCounts] = Recent(CACHE_BYTES, lambda _, counts: counts.nbytes)
        self._feeds = Told()
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
        log = tuple(store.publications(store.published_months()))
        rows = store.epochs()
        current = next((row for row in rows if row.status == "current"), None)
        now = snapshot(log, current.as_epoch if current else None)
        live = self._follow(store, current, read_at.date())
        known = self._state.runs if self._state is not None else {}
        runs = {
            p.run_id: known.get(p.run_id) or self._run_counts(store, day, p.run_id)
            for day, p in now.publications.items()
        }
        standing: dict[date, Day] = {}
        if self._state is None or self._state.now != now:
            token = now.token
        else:
            now, token = self._state.now, self._state.token
            # a published day is answered by the same counts as long as the same run is in force
            standing = {
                day: known for day, known in self._state.standing.copy().items() if known.choice.run is not None
            }
        counted = {day for day, counts in live.days.items() if len(counts.n)} if live is not None else set()
        days = tuple(sorted(now.publications.keys() | counted))
        feeds = self._feeds.days(store, days, read_at)
        known_epochs = {row.epoch: row for row in rows}
        return State(log, known_epochs, live, runs, now, token, read_at, None, days, self.pending, feeds, standing)

    def _follow(self, store: Store, current: EpochRow | None, today: date) -> Live | None:
        if current is None:
            self._tail = None
            return None
        if self._tail is None or self._tail.epoch != current.epoch:
            self._tail = Tail(store, self.keys, current.epoch, self._categories)
        return self._tail.look(current, today)

    def _run_counts(self, store: Store, day: date, run_id: str) -> RunCounts:
        return RunCounts(store.run(day, run_id), of_totals(self.keys, store.day_totals(day, run_id)))

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
        """The counts of a day from the one layer that answers for it (None: none does), and their meaning version."""
        if choice.run is not None:
            known = self._known(state, choice, choice.run)
            if known.run is not None and known.run.status == "dropped":
                # its rows are gone: not known any more, which is not none
                return None, known.run.meaning
            return known.day, known.run.meaning if known.run is not None else None
        if choice.epoch is not None:
            meaning = state.epochs[choice.epoch].meaning
            if state.live is not None and state.live.epoch.epoch == choice.epoch:
                return state.live.days.get(choice.day, EMPTY), meaning
            return self._retired(choice.epoch, choice.day), meaning
        return None, None

    def run(self, state: State, choice: Choice) -> Run | None:
        """The row of the run that answers for a day; None where it is gone, or no run answers."""
        return self._known(state, choice, choice.run).run if choice.run is not None else None

    def minutes(self, state: State, choice: Choice) -> Counts | None:
        """The counts of a day's minutes from the one layer that answers for it; None where none does."""
        if choice.run is not None:
            run_id = choice.run
            if self.day(state, choice)[0] is None:
                return None
            return self._minutes.get(run_id, lambda: self._run_minutes(state, choice, run_id))
        if choice.epoch is not None:
            if state.live is not None and state.live.epoch.epoch == choice.epoch:
                hours = state.live.hours
                return join([hours[hour] for hour in hours_of(choice.day) if hour in hours])
            return self._retired(choice.epoch, choice.day)
        return None

    def feed_minutes(self, state: State, day: date) -> list[Minute]:
        """What the feeds told of each minute of a day. Raises UnavailableError where the store is needed and away."""
        return self._feeds.minutes(self.store(), day, state.feeds.get(day, ()))

    def _known(self, state: State, choice: Choice, run_id: str) -> RunCounts:
        return state.runs.get(run_id) or self._superseded.get(
            run_id, lambda: self._run_counts(self.store(), choice.day, run_id)
        )

    def _retired(self, epoch: str, day: date) -> Counts:
        return self._minutes.get(
            f"{epoch} {day}",
            lambda: of_cells(self.keys, self.store().speed_counts(epoch, hours_of(day), self._categories)),
        )

    def _run_minutes(self, state: State, choice: Choice, run_id: str) -> Counts:
        day, _ = self.day(state, choice)
        known = self.keys.all()
        categories = sorted({known[key].category for key in day.key.tolist()}) if day is not None else []
        return of_cells(self.keys, self.store().batch_counts(run_id, hours_of(choice.day), categories))
