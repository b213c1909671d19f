"""The batch layer's part of a schedule: recomputes, audits, publications and rollbacks, by the product's jobs."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date

from drinkstream.errors import AuditError, ConflictError, UnavailableError
from drinkstream.merge import Publication
from drinkstream.store.read import Reader
from drinkstream.store.read import Run as StoredRun
from drinkstream.store.write import Writer
from jobs import audit, publish
from jobs.attempt import runs_of
from tests.lib.merge_batch_layer import BatchLayer
from tests.lib.merge_speed_side import record
from tests.lib.merge_truth import Run, Truth
from tests.lib.merge_world import World
from tests.lib.stepped import Stepped


@dataclass
class Attempt:
    """One attempt at some days: its recompute (which may never end), and its runs by day."""

    name: str
    work: Stepped
    runs: dict[date, Run]
    seen: dict[date, int]


@dataclass
class BatchSide:
    """What can happen in the batch layer; `waiting` are publications stopped right before their one write.

    Each is the attempt, its run as it was read, whether that had passed its audit, and the work.
    """

    world: World
    truth: Truth
    attempts: list[Attempt] = field(default_factory=list)
    waiting: list[tuple[Attempt, StoredRun, bool, Stepped]] = field(default_factory=list)

    def __post_init__(self) -> None:
        session = self.world.store.session()
        self.reader, self.writer = Reader(session), Writer(session)
        self.layer = BatchLayer(self.world)

    def recompute(self, days: tuple[date, ...], order: int, stop: int | None) -> Attempt:
        """A recompute starts, and goes on to its end or until that write."""
        name = f"attempt-{len(self.attempts)}"
        archived = tuple(record(row) for row in self.world.archived[: self.world.versions[-1]])
        seen = {day: len(self.truth.log.get(day, [])) for day in days}
        work = self.layer.start(days, name, order)
        attempt = Attempt(name, work, {day: Run(day, archived) for day in days}, seen)
        self.attempts.append(attempt)
        work.advance(stop)
        return attempt

    def audit(self, attempt: Attempt) -> None:
        """The audit of an attempt's runs. It must pass those that are whole, of days that ended, with nothing since.

        Of those that were published it must not take back that they passed.
        """
        if not self.reader.runs_of_attempt(attempt.name):
            return
        with suppress(AuditError):
            audit.audit(self.world.settings, self.reader, self.writer, attempt.name, self.world.now)
        for stored in runs_of(self.reader, attempt.name):
            run = attempt.runs[stored.day]
            run.passed = stored.audited
            over = self.world.now.date() > stored.day
            log = self.truth.log.get(stored.day, [])
            same = attempt.seen[stored.day] == len(log) or any(entry is run for entry in log)
            if len(attempt.runs) == 1:
                assert stored.audited == (attempt.work.ended and over and same), f"the audit erred: {stored.audit}"
            assert over or not stored.audited, "a day was passed before its end"

    def publish(self, attempt: Attempt, fault: str | None, pause: bool) -> None:
        """Publishes an attempt's runs; with `pause` each stops before its write, with `fault` its answer is lost."""
        for stored in self.reader.runs_of_attempt(attempt.name):
            session = self.world.store.session()
            reader, writer = Reader(session), Writer(session)
            work = Stepped(lambda r=reader, w=writer, s=stored: publish.publish(r, w, s, "test", "schedule"))
            session.gate = work.gate
            self.waiting.append((attempt, stored, attempt.runs[stored.day].passed, work))
            self.world.store.fault = fault
            self._go_on(len(self.waiting) - 1, 0 if pause else None)
            self.world.store.fault = None

    def publish_goes_on(self, which: int) -> None:
        """A publication that was stopped does its write."""
        self._go_on(which % len(self.waiting), None)

    def roll_back(self, day: date, which: int) -> None:
        """A new entry of the log names a run that was published before."""
        log = self.truth.log[day]
        run = log[which % len(log)]
        (name,) = {p.run_id for p in self._log(day) if log[p.seq - 1] is run}
        assert self.writer.publish(Publication(day, len(log) + 1, name, self.world.now, "test", "rollback"))
        log.append(run)

    def close(self) -> None:
        """Nothing that was stopped goes on."""
        for attempt in self.attempts:
            attempt.work.kill()
        for *_, work in self.waiting:
            work.kill()

    def _go_on(self, which: int, writes: int | None) -> None:
        attempt, stored, passed, work = self.waiting.pop(which)
        run, log = attempt.runs[stored.day], self.truth.log.setdefault(stored.day, [])
        try:
            if not work.advance(writes):
                self.waiting.insert(which, (attempt, stored, passed, work))
                return
        except AuditError:
            assert not passed, "a run that passed its audit was refused"
            return
        except (ConflictError, UnavailableError):
            # somebody else was first, or the answer was lost and so was the write
            return
        assert passed, "a run was published that had not passed its audit"
        seq = int(re.search(r"seq=(\d+)", work.result)[1])  # type: ignore[index]
        if seq == len(log) + 1:
            log.append(run)
        assert log[seq - 1] is run, f"{work.result}, but another run had taken its place"

    def _log(self, day: date) -> list[Publication]:
        return [p for p in self.reader.publications([str(day)[:7]], serial=True) if p.day == day]
