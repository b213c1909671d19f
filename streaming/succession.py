"""Leads the speed queries: the one that answers and, while the meaning changes, its successor beside it.

    tree        code and taxonomy as people edit them, looked at every few seconds
      -> edition     a copy that loads, or a refusal: then what runs goes on                     editions.py
      -> successor   where its meaning is another: a query of its own, a new epoch              speed.py --beside
      -> caught up   it is as far as the query that answers, but for the last seconds
      -> handover    the old query ends; the successor is told what Kafka holds by then, and answers once it has it all

So a reader never sees fewer posts than before: what the old epoch has counted the new one has too, when it takes over.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import click
import psutil

from drinkstream.command import exit_code
from drinkstream.errors import BadInputError, ConflictError, IntegrityError
from drinkstream.settings import PREFIX, ROOT, Settings
from drinkstream.store.read import EpochRow, Reader
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from streaming.editions import Edition, keep, newest, prune, stamp
from streaming.epochs import caught_up, checkpoint, living, retire
from streaming.offsets import look
from streaming.word import tell

LOOK_S = 1.0
"""Between two looks at the queries."""

TREE_LOOKS = 5
"""Every so many looks the tree is looked at; it is read once it has stood still from one to the next."""

REFUSED_S = 300.0
"""Before a tree that was refused is read again though nothing in it changed: memory or time may have been short."""

CLOSE_S = 10.0
"""A successor that has all that the old query had counted so long ago is near enough for the handover."""

STOP_S = 40.0
"""A query that was told to stop is killed after this: its micro-batch has STOP_WAIT_S of speed.py to end, and Spark
needs seconds to."""

KAFKA_WAIT_S = 120.0

RESTS_S = (10.0, 30.0, 60.0, 300.0)
"""Before a successor that died is started again, by how often it has died."""


def main(argv: list[str] | None = None) -> int:
    """Leads until it is told to stop; the exit code is IntegrityError's where the answering query ended."""
    return exit_code(run, argv, "speed")


@click.command()
def run() -> None:
    """Run the speed layer, and a second one beside it while the meaning changes."""
    settings = Settings.load()
    stopping = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stopping.set())
    cassandra = connect(settings, settings.writer_login())
    succession = Succession(settings, Reader(cassandra), Writer(cassandra), ROOT)
    try:
        succession.begin()
        while not stopping.wait(LOOK_S):
            succession.step()
    finally:
        succession.end()
        cassandra.cluster.shutdown()


@dataclass
class Query:
    """One speed query, as a process that hears from us on its standard input and ends where that ends."""

    edition: Edition
    process: subprocess.Popen[str]
    deaths: int = 0
    rested: float = 0.0
    built: bool = False
    near: tuple[float, Mapping[str, int]] | None = None

    @classmethod
    def start(cls, settings: Settings, edition: Edition, *arguments: str) -> "Query":
        """A query of this edition. It stays in our process group, so that whoever ends that one ends it too."""
        given = {f"{PREFIX}HOME": str(settings.home), f"{PREFIX}JARS": str(settings.jar_folder)}
        if file := os.environ.get(f"{PREFIX}FILE"):
            given[f"{PREFIX}FILE"] = str(Path(file).resolve())
        process = subprocess.Popen(
            [sys.executable, "-m", "streaming.speed", "--led", *arguments],
            cwd=edition.folder,
            env=edition.environment({**os.environ, **given}),
            stdin=subprocess.PIPE,
            text=True,
        )
        return cls(edition, process)

    def ask_to_stop(self) -> None:
        """Tells it to end after its micro-batch, without waiting for that."""
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self) -> None:
        """Ends it after its micro-batch; kills it, and what it started, where it does not end in STOP_S."""
        if self.process.poll() is None:
            started = psutil.Process(self.process.pid).children(recursive=True)
            self.ask_to_stop()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            # a JVM that outlived its driver would still write
            for child in psutil.wait_procs(started, timeout=STOP_S)[1]:
                child.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()


class Succession:
    """The query that answers (`main`), its successor where there is one, and the edition that the tree holds."""

    def __init__(
        self,
        settings: Settings,
        reader: Reader,
        writer: Writer,
        tree: Path,
        start: Callable[..., Query] = Query.start,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._writer = writer
        self._tree = tree
        self._start = start
        self._kept = settings.home / "editions"
        self._looks = 0
        self._stamp = stamp(tree)
        self._read = ""
        self._refused_at: float | None = None
        self.main: Query | None = None
        self.successor: Query | None = None

    def begin(self) -> None:
        """Starts the query that answers, and beside it its successor where the tree has another meaning by now.

        Raises BadInputError where the tree does not load and nothing that did is kept.
        """
        current = self._reader.current_epoch()
        kept = newest(self._kept, current.meaning) if current is not None else None
        try:
            edition = keep(self._tree, self._kept)
        except BadInputError as error:
            if kept is None:
                raise
            self._refuse(error, kept.meaning)
            edition = kept
        self._read = self._stamp
        self._tidy(edition)
        if current is None or kept is None or kept.meaning == edition.meaning:
            self.main = self._start(self._settings, edition)
        else:
            self.main = self._start(self._settings, kept, "--epoch", current.epoch)
            self._succeed(edition)

    def step(self) -> None:
        """One look: at the queries, then at the tree. Raises IntegrityError where the answering query has ended."""
        assert self.main is not None  # noqa: S101 - begin() starts it
        if self.successor is not None:
            self._attend(self.main, self.successor)
        elif (code := self.main.process.poll()) is not None:
            raise _ended(code)
        self._looks += 1
        if self._looks % TREE_LOOKS == 0:
            self._look_at_tree()

    def end(self) -> None:
        """Ends every query."""
        queries = [query for query in (self.successor, self.main) if query is not None]
        for query in queries:
            query.ask_to_stop()
        for query in queries:
            query.stop()

    def _look_at_tree(self) -> None:
        found = stamp(self._tree)
        still, self._stamp = found == self._stamp, found
        if not still or (found == self._read and not self._is_due_again()):
            return
        self._read, self._refused_at = found, None
        running = (self.successor or self.main).edition.meaning  # type: ignore[union-attr]
        try:
            edition = keep(self._tree, self._kept)
        except BadInputError as error:
            self._refuse(error, running)
            return
        if edition.meaning == running:
            return
        if self.successor is not None:
            self.successor.stop()
            self._abandon(self.successor)
            self.successor = None
        if self.main is not None and edition.meaning != self.main.edition.meaning:
            self._succeed(edition)

    def _is_due_again(self) -> bool:
        return self._refused_at is not None and monotonic() - self._refused_at >= REFUSED_S

    def _refuse(self, error: BadInputError, running: str) -> None:
        self._refused_at = monotonic()
        print(f"REFUSED, meaning {running} goes on; again in {REFUSED_S:.0f} s, or on a change: {error}", flush=True)

    def _succeed(self, edition: Edition) -> None:
        print(f"meaning {edition.meaning} is built beside the one that answers", flush=True)
        self.successor = self._start(self._settings, edition, "--beside")

    def _abandon(self, query: Query) -> None:
        """Its epoch will not be gone on with: no process of it runs any more."""
        row = living(self._reader.epochs(), query.edition.meaning)
        if row is not None and row.status == "building":
            retire(self._writer, row.epoch)
        print(f"meaning {query.edition.meaning} is given up", flush=True)

    def _attend(self, main: Query, successor: Query) -> None:
        code = main.process.poll()
        if code is not None and code != ConflictError.exit_code:
            # started again both go on; without it the numbers would stand still until the successor is there
            raise _ended(code)
        if successor.process.poll() is not None:
            self._restart(successor)
        elif code is not None or self._near(main, successor):
            self._hand_over(main, successor)

    def _restart(self, successor: Query) -> None:
        now = monotonic()
        if not successor.rested:
            rest = RESTS_S[min(successor.deaths, len(RESTS_S) - 1)]
            print(f"the successor ended with {successor.process.returncode}; again in {rest:.0f} s", flush=True)
            successor.rested = now + rest
        elif now >= successor.rested:
            successor.stop()
            self._succeed(successor.edition)
            if self.successor is not None:
                self.successor.deaths = successor.deaths + 1

    def _near(self, main: Query, successor: Query) -> bool:
        """Whether the successor has processed all that the answering query had, not longer ago than CLOSE_S."""
        rows = self._reader.epochs()
        old, new = (living(rows, query.edition.meaning) for query in (main, successor))
        if new is None and successor.built:
            # another epoch became current and retired it, as where an edit is taken back within seconds
            raise ConflictError(f"the epoch of meaning {successor.edition.meaning} was retired while it was built")
        successor.built = new is not None
        if old is None or new is None:
            return False
        now = monotonic()
        if successor.near is not None:
            since, mark = successor.near
            if not _has(new, mark):
                return False
            if now - since <= CLOSE_S:
                return True
        successor.near = (now, old.processed)
        return False

    def _hand_over(self, main: Query, successor: Query) -> None:
        """The old query ends first: only then is it certain what the new one must have, lest a number fell."""
        main.stop()
        topic = self._settings.posts_topic
        end = look(self._settings.bootstrap, (topic,), KAFKA_WAIT_S).end
        if successor.process.stdin is None:
            raise IntegrityError("the successor cannot be told: it has no standard input")
        tell(successor.process.stdin, {str(partition): offset for (_, partition), offset in sorted(end.items())})
        print(f"meaning {main.edition.meaning} has ended; {successor.edition.meaning} takes over", flush=True)
        self.main, self.successor = successor, None

    def _tidy(self, edition: Edition) -> None:
        """No query runs yet: what none will go on with is retired, and its editions and checkpoints are removed.

        Its rows stay: readers may be asked about it, and a drop makes the next epoch's watermark wait longer.
        """
        rows = self._reader.epochs()
        wanted = frozenset({edition.meaning, *(row.meaning for row in rows if row.status == "current")})
        # of each meaning only the newest goes on, as `decide` of epochs.py has it
        going = {row.epoch for meaning in wanted if (row := living(rows, meaning)) is not None}
        for row in rows:
            if row.status == "building" and row.epoch not in going:
                retire(self._writer, row.epoch)
            elif row.status not in ("retired", "dropped"):
                continue
            shutil.rmtree(checkpoint(self._settings.checkpoints, row.epoch), ignore_errors=True)
        prune(self._kept, wanted)


def _has(row: EpochRow, mark: Mapping[str, int]) -> bool:
    return caught_up(row.processed, row.first_offsets, mark)


def _ended(code: int) -> IntegrityError:
    return IntegrityError(f"the speed query ended with exit code {code}; its own last line says why")


if __name__ == "__main__":
    sys.exit(main())
