"""One kill after the other, and after each the question whether merged is truth."""

import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from time import monotonic
from typing import TypeVar

import psutil
import requests
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from drinkstream.archive import Archive
from drinkstream.errors import UnavailableError
from drinkstream.settings import ROOT, Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from stack import notes, supervisor
from stack.environment import environment
from streaming.offsets import KafkaOffsets, look
from tests.faults.load import DAYS, Load
from tests.lib import asked, oracle
from tests.lib.labels import TEXTS
from tests.lib.programs import LONGEST_PAUSE_S, SHORTEST_PAUSE_S, until
from tests.lib.topics import Topics

RECOVERY_S = 400.0
RECOMPUTE = "recompute"
QUERIES = ("archive", "speed")
UNDER_WAY = 60
"""Lines of the load at least, on either side of a kill."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one kill: who it was, how long until merged was truth (s), over how many records.

    `wrong` says what differed where merged was not truth in time.
    """

    kill: int
    program: str
    process: str
    recovered_s: float
    records: int
    batch_days: int
    wrong: str = ""


def victim(seed: int, number: int, programs: list[str]) -> str:
    """Which of `programs` a kill is of: each in turn, in an order that is drawn anew once all have been killed."""
    turn, at = divmod(number, len(programs))
    return random.Random(f"{seed}/{turn}").sample(programs, len(programs))[at]


class Stage:
    """A running stack under load. `programs` are those that may be killed; a recompute is started to be killed."""

    def __init__(self, settings: Settings, seed: int, rate: float) -> None:
        self.settings = settings
        self._seed = seed
        self._topics = Topics(settings)
        self._load = Load(settings, first=self._topics.size(), rate=rate)
        self._topics.close()
        self._load.start()

    def kill(self, number: int, programs: list[str], also: int = 0) -> list[Result]:
        """Kills a process of the next program under load, `also` so many others' before it has recovered, and checks.

        At least UNDER_WAY lines are acknowledged right before the kill, and as many after it.
        """
        chance = random.Random(f"{self._seed}/{number}")
        self._flows()
        named = [victim(self._seed, number + at, [*programs, RECOMPUTE]) for at in range(1 + also)]
        victims = [(program, self._kill(chance, program)) for program in named]
        began = monotonic()
        records, batch_days, wrong = 0, 0, ""
        try:
            self._flows()
            self._until("the broker", self._load.rested)
            records, batch_days = self.check(began)
            self._forgive()
        except AssertionError as error:
            wrong = str(error)
        took = round(monotonic() - began, 1)
        return [
            Result(number + at, program, process, took, records, batch_days, wrong)
            for at, (program, process) in enumerate(victims)
        ]

    def check(self, began: float) -> tuple[int, int]:
        """Waits until both layers have all, then compares; the number of records and of days from the batch layer.

        Raises AssertionError with what differs where merged is not truth in time.
        """
        self._caught_up()
        kept = {(r.partition, r.offset): r for r in self._topics.posts()}
        self._topics.close()
        sent = self._load.acknowledged.items()
        lost = [place for place, value in sent if place not in kept or kept[place].value != value]
        assert not lost, f"Kafka acknowledged what it does not hold, at (partition, offset) {lost[:5]}"
        records = [
            oracle.Record(r.value, "x", r.append_ms, r.partition, r.offset)
            for r in kept.values()
            if r.key and r.key.startswith(b"x:")
        ]
        live = oracle.speed(records, TEXTS.get)
        runs = {day: self._answered(partial(asked.published, self.settings, day))["run"] for day in DAYS}
        for day, run_id in runs.items():
            cells = live if run_id is None else self._final(day, run_id, records)
            self._compare(day, asked.day_of(cells, day), began)
        return len(records), sum(run_id is not None for run_id in runs.values())

    def publish(self, attempt: str, day: str) -> None:
        """Recompute, audit and publish a day, as Airflow would; anew where what they need is just being killed."""
        for number in range(3):
            name = ("--attempt", f"{attempt}-{number}")
            days = ("--from", day, "--to", day)
            steps = (("recompute", (*days, *name)), ("audit", name), ("publish", name))
            if all(self._start(job, *arguments).wait() == 0 for job, arguments in steps):
                return
        raise AssertionError(f"{day} could not be published: see log/faults.*.log in {self.settings.home}")

    def close(self) -> None:
        """The load ends."""
        self._load.stop()

    # -- kills -------------------------------------------------------------------------------------------------------

    def _kill(self, chance: random.Random, program: str) -> str:
        """Kills a process of `program`, or a recompute; tried again until one has really died. Returns which."""
        if program == RECOMPUTE:
            return self._kill_recompute(chance)
        return self._until(f"the death of {program}", lambda: self._killed(chance, program))

    def _killed(self, chance: random.Random, program: str) -> str | None:
        """The name of the process that was killed; None where there was none."""
        pid = int(supervisor.states(self.settings)[program]["pid"])
        try:
            leader = psutil.Process(pid)
            process = chance.choice([leader, *leader.children(recursive=True)])
            name = process.name()
            process.kill()
        except psutil.NoSuchProcess:
            return None
        return f"{name} {'(leader)' if process.pid == pid else ''}".strip()

    def _kill_recompute(self, chance: random.Random) -> str:
        """A recompute dies while it writes; it can never be published, and the next attempt can."""
        day = chance.choice(list(DAYS))
        attempt, job = self._until("a recompute that writes", lambda: self._recomputing(chance, day))
        for process in [*psutil.Process(job.pid).children(recursive=True), psutil.Process(job.pid)]:
            process.kill()
        job.wait()
        self._until("the audit's no to a killed run", lambda: self._start("audit", "--attempt", attempt).wait() == 4)
        # the audit compares the layers, so both must have come as far
        self._until("the broker", self._load.rested)
        self._caught_up()
        self.publish(f"again-{attempt}", day)
        return f"the whole attempt at {day}"

    def _recomputing(self, chance: random.Random, day: str) -> tuple[str, subprocess.Popen[str]] | None:
        """A new attempt that has begun to write; None where it ended before, as without an archive or a store."""
        attempt = f"killed-{chance.getrandbits(32):08x}"
        job = self._start("recompute", "--from", day, "--to", day, "--attempt", attempt)
        self._until("a run to be written", lambda: job.poll() is not None or self._writing(attempt), SHORTEST_PAUSE_S)
        return (attempt, job) if job.poll() is None else None

    def _writing(self, attempt: str) -> bool:
        return self._read(lambda reader: bool(reader.runs_of_attempt(attempt)))

    def _start(self, job: str, *arguments: str) -> subprocess.Popen[str]:
        log = (self.settings.home / "log" / f"faults.{job}.log").open("a")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", f"jobs.{job}", *arguments],
                cwd=ROOT,
                env=environment(self.settings),
                stdout=log,
                stderr=log,
                text=True,
            )

    def _forgive(self) -> None:
        """The next death of a query is its first: where one follows another this closely, each start would pause."""
        for name in QUERIES:
            notes.forgive(self.settings, name)

    def _flows(self) -> None:
        """Waits for UNDER_WAY more lines to be acknowledged."""
        enough = len(self._load.acknowledged) + UNDER_WAY
        self._load.go()
        self._until(f"{UNDER_WAY} acknowledged lines", lambda: len(self._load.acknowledged) >= enough)

    # -- questions ---------------------------------------------------------------------------------------------------

    def _until(self, what: str, condition: Callable[[], T], longest_pause: float = LONGEST_PAUSE_S) -> T:
        try:
            return until(condition, RECOVERY_S, longest_pause)
        except RetryError:
            raise AssertionError(f"{what} did not come within {RECOVERY_S:.0f} s") from None

    def _caught_up(self) -> None:
        """Waits until archive and speed layer have all that Kafka holds now."""
        end = look(self.settings.bootstrap, (self.settings.posts_topic,), RECOVERY_S)
        self._until("the archive", lambda: self._archived(end))
        self._until("the speed layer", lambda: self._counted(end))

    def _read(self, question: Callable[[Reader], bool]) -> bool:
        """False while Cassandra does not answer."""
        try:
            cassandra = connect(self.settings, self.settings.reader_login())
            try:
                return question(Reader(cassandra))
            finally:
                cassandra.cluster.shutdown()
        except UnavailableError:
            return False

    def _archived(self, seen: KafkaOffsets) -> bool:
        try:
            reached = Archive(self.settings.archive).positions(seen.cluster)
        except UnavailableError:
            return False
        return all(reached.get(place, 0) >= offset for place, offset in seen.end.items())

    def _counted(self, seen: KafkaOffsets) -> bool:
        def reached(reader: Reader) -> bool:
            epoch = reader.current_epoch()
            return epoch is not None and all(epoch.processed.get(str(p), 0) >= n for (_, p), n in seen.end.items())

        return self._read(reached)

    def _final(self, day: str, run_id: str, records: list[oracle.Record]) -> oracle.Cells:
        found: list[oracle.Cells] = []

        def run(reader: Reader) -> bool:
            row = reader.run(date.fromisoformat(day), run_id)
            assert row is not None
            topic = f"/{self.settings.posts_topic}/"
            end = {int(place.rsplit("/", 1)[1]): n for place, n in row.position.items() if topic in place}
            found.append(oracle.batch([r for r in records if r.offset < end[r.partition]], TEXTS.get))
            return True

        self._until("Cassandra", lambda: self._read(run))
        return found[-1]

    def _compare(self, day: str, cells: oracle.Cells, began: float) -> None:
        expected = asked.shares(cells)
        listed = {f"x:{post}" for cell, ids in cells.items() if cell[3:5] == ("*", "") for post in ids}

        def equal() -> bool:
            return self._answered(partial(asked.answer, self.settings, day)) == expected

        try:
            until(equal, max(60.0, RECOVERY_S - (monotonic() - began)))
        except RetryError:
            raise AssertionError(f"{day}: merged is {asked.answer(self.settings, day)}, truth is {expected}") from None
        assert self._answered(partial(asked.ids, self.settings, day)) == listed

    def _answered(self, question: Callable[[], T]) -> T:
        """What the web answers; asked again while the web, or its store, is the one that was killed."""
        away = retry_if_exception_type((requests.ConnectionError, requests.Timeout, requests.HTTPError))
        return Retrying(retry=away, stop=stop_after_delay(RECOVERY_S), wait=wait_fixed(0.5), reraise=True)(question)
