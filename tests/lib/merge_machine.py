"""Random schedules of everything that can happen to a number; after each step every answer is held against the truth.

merge_speed_side.py and merge_batch_side.py let the product's code do what is drawn here, merge_world.py and
the two layers are what it runs in, merge_truth.py says what must be shown and merge_answers.py asks.
"""

from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from drinkstream.coverage import Covered
from drinkstream.store.write import Writer
from tests.lib.cassandra_in_memory import FAULTS
from tests.lib.merge_answers import Asking
from tests.lib.merge_batch_side import Attempt, BatchSide
from tests.lib.merge_lines import ACTIONS, LEVELS, TEXTS, Written, write
from tests.lib.merge_speed_side import SpeedSide
from tests.lib.merge_truth import Truth
from tests.lib.merge_world import PARTITIONS, TTL_DAYS, World

OLD = (date(2011, 3, 2),)
DAYS = (date(2026, 5, 1), date(2026, 5, 2), date(2026, 5, 3))
HOURS = (0, 23)
ALL = (99, 99)

Line = tuple[str, int, date, int, str]
"""What happens, to which post, and for a new one its day, hour and text."""

EVENTS = ["post", "post", "post", "reply", "again", "again", "edit", "edit", "unborn", *ACTIONS]


def some_lines(seed: int) -> list[Line]:
    """One to six lines. Drawn from one number, since Hypothesis gives steps with many draws little room."""
    chance = Random(seed)
    return [
        (
            chance.choice(EVENTS),
            chance.randrange(8),
            chance.choice([*DAYS, DAYS[1], DAYS[1], *OLD]),
            chance.choice(HOURS),
            chance.choice(sorted(TEXTS)),
        )
        for _ in range(chance.randint(1, 6))
    ]


seeds = st.integers(0, 2**32 - 1)
lines = seeds.map(some_lines)
which = st.integers(0, 20)
cuts = st.integers(0, 12)


class MergeMachine(RuleBasedStateMachine):
    """What can happen, each a rule. The first is a running speed layer, the last is that nothing goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        for day in (*OLD, *DAYS):
            # a feed was there: a day without a post is counted, too
            feed = Covered(day, "x", 86_400_000, 0, 0, 0, 0, datetime(2026, 5, 4, tzinfo=UTC))
            Writer(self.world.store.session()).coverage_day(feed)
        self.truth = Truth(TEXTS.get, timedelta(days=TTL_DAYS))
        self.speed = SpeedSide(self.world, self.truth)
        self.batch = BatchSide(self.world, self.truth)
        self.asking = Asking(self.world, self.truth, (OLD, DAYS), HOURS)
        self.posts: list[Written] = []
        self.stack = ExitStack()
        self.world.put_in_place(self.stack, self.batch.layer.chunk)

    @initialize()
    def begin(self):
        self.speed.start()
        self.speed.watch()

    # -- what comes in -------------------------------------------------------------------------------------------------

    @rule(lines=lines)
    def lines_come(self, lines: list[Line]):
        for line in lines:
            self.speed.send(self._line(*line))

    def _line(self, event: str, post: int, day: date, hour: int, text: str) -> bytes:
        if event in ("post", "reply", "unborn") or not self.posts:
            self.posts.append(write(day, hour, len(self.posts), text, event == "reply"))
            # one that is deleted first may be delivered later, as one that comes again
            return self.posts[-1].order("delete") if event == "unborn" else self.posts[-1].line()
        about = self.posts[-1 - post % len(self.posts)]
        if event in ACTIONS:
            return about.order(event)
        return about.line(text, 1 + post % 3) if event == "edit" else about.line()

    # -- the speed layer -----------------------------------------------------------------------------------------------

    @rule(most=st.tuples(st.integers(0, 4), st.integers(0, 4)), fate=st.sampled_from(["watched", "unwatched"]))
    def micro_batch(self, most: tuple[int, int], fate: str):
        self.speed.micro_batch(most, 0, None, fate)

    @rule()
    def catch_up(self):
        self.speed.micro_batch(ALL, 0, None, "watched")
        self.speed.micro_batch(ALL, 0, None, "watched")

    @rule(lines=lines, stop=cuts, fate=st.sampled_from(["dies", "orphan", "orphan"]))
    def cut_off(self, lines: list[Line], stop: int, fate: str):
        self.lines_come(lines)
        self.speed.micro_batch(ALL, len(lines), stop, fate)

    @rule()
    def die_before_the_commit(self):
        self.speed.micro_batch(ALL, 0, None, "uncommitted")

    @precondition(lambda self: self.speed.orphans)
    @rule(writes=cuts)
    def orphan_writes(self, writes: int):
        self.speed.orphan_writes(writes, writes)

    @precondition(lambda self: self.speed.orphans)
    @rule()
    def orphan_ends(self):
        self.speed.orphan_writes(-1, None)

    @rule(
        what=st.sampled_from(["start", "watch", "checkpoint", "checkpoint", "meaning", "cluster"]),
        stop=st.integers(0, 2),
    )
    def end_the_process(self, what: str, stop: int):
        if what == "start":
            self.speed.start(dies=True)
        elif what == "watch":
            self.speed.watch(stop)
        elif what == "checkpoint":
            self.speed.lose_checkpoint()
        elif what == "meaning":
            self.speed.change_meaning()
        else:
            self.speed.new_cluster()

    # -- around it -----------------------------------------------------------------------------------------------------

    @rule(span=st.sampled_from([timedelta(minutes=11), timedelta(hours=1), timedelta(days=2)]))
    def pass_time(self, span: timedelta):
        self.speed.pass_time(span)

    @rule(back=st.sampled_from([timedelta(0), timedelta(seconds=20), timedelta(minutes=40)]))
    def set_clock_back(self, back: timedelta):
        self.world.skew = -back

    @rule(partitions=st.sampled_from([PARTITIONS, PARTITIONS, (0,), (1,)]), trimmed=st.integers(0, 5))
    def archive_and_trim(self, partitions: tuple[int, ...], trimmed: int):
        self.world.archive(partitions)
        self.speed.trim(partitions[-1], trimmed)

    # -- the batch layer -----------------------------------------------------------------------------------------------

    @rule(of=st.sampled_from([DAYS[:1], DAYS[:1], DAYS[1:2], DAYS[:2], OLD]), stop=st.one_of(st.none(), cuts))
    def recompute(self, of: tuple[date, ...], stop: int | None):
        self.batch.recompute(of, len(self.batch.attempts), stop)

    @precondition(lambda self: any(not a.work.ended for a in self.batch.attempts))
    @rule(writes=st.one_of(st.none(), cuts))
    def recompute_goes_on(self, writes: int | None):
        waiting = [attempt for attempt in self.batch.attempts if not attempt.work.ended]
        waiting[(writes or 0) % len(waiting)].work.advance(writes)

    @precondition(lambda self: self.batch.attempts)
    @rule(which=which)
    def audit(self, which: int):
        self.batch.audit(self._attempt(which))

    @precondition(lambda self: self.batch.attempts)
    @rule(which=which, fault=st.one_of(st.none(), st.sampled_from(FAULTS)), pause=st.booleans())
    def publish(self, which: int, fault: str | None, pause: bool):
        self.batch.publish(self._attempt(which), fault, pause)

    @precondition(lambda self: self.batch.waiting)
    @rule(which=which)
    def publish_goes_on(self, which: int):
        self.batch.publish_goes_on(which)

    @rule(of=st.sampled_from([DAYS[:1], DAYS[:1], DAYS[1:2], DAYS[:2], OLD]), pause=st.booleans())
    def nightly(self, of: tuple[date, ...], pause: bool):
        self.world.archive()
        attempt = self.batch.recompute(of, 0, None)
        self.batch.audit(attempt)
        self.batch.publish(attempt, None, pause)

    @precondition(lambda self: any(self.truth.log.values()))
    @rule(which=which)
    def roll_back(self, which: int):
        published = sorted(day for day, log in self.truth.log.items() if log)
        self.batch.roll_back(published[which % len(published)], which)

    def _attempt(self, which: int) -> Attempt:
        return self.batch.attempts[-1 - which % len(self.batch.attempts)]

    # -- what is asked -------------------------------------------------------------------------------------------------

    @rule(group=st.sampled_from([1, 1, 0]), level=st.sampled_from(LEVELS))
    def request_begins(self, group: int, level: tuple[str, str]):
        self.asking.begin(group, level)

    @precondition(lambda self: self.asking.requests)
    @rule(which=which)
    def request_ends(self, which: int):
        self.asking.end(which)

    @invariant()
    def every_answer_is_the_truth(self):
        if self.speed.lives:
            self.asking.cells()
            self.asking.numbers()

    def teardown(self):
        self.speed.close()
        self.batch.close()
        self.stack.close()
