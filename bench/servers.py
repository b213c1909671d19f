"""The servers that everything is measured on: a stack of its own beside yours, and the programs that a row starts."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TypeVar

import psutil
from kafka import KafkaAdminClient
from pydantic import SecretStr
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from drinkstream.errors import BadInputError, DrinkStreamError, UnavailableError
from drinkstream.settings import PREFIX, ROOT, Settings
from drinkstream.store.read import Batch, Reader
from drinkstream.store.session import connect
from stack import cassandra, down, kafka, supervisor, up
from stack.environment import environment
from stack.home import MARK

# below those that a kernel gives to clients: one of theirs, closed, would keep a server from its port for a minute
PORTS = {
    "kafka_port": 29092, "cassandra_port": 29042, "cassandra_storage_port": 29000, "cassandra_jmx_port": 29199,
    "postgres_port": 29432, "airflow_port": 29080, "web_port": 29100,
}  # fmt: skip
RETENTION_DAYS = 36_500
DEADLINE_S = 3600.0
STOP_S = 120.0
REMOVED_S = 60.0

T = TypeVar("T")


class Servers:
    """Started when a row first needs them, ended by `close`. `settings` lead to them; `peers`: whether they run too."""

    def __init__(self, base: Settings, peers: bool = True) -> None:
        self.peers = peers
        home = base.home / "bench" / "stack"
        self.settings = Settings(
            home=home,
            jars=base.jar_folder,
            ivy_settings=base.ivy_settings,  # the peers on Java have jars of their own
            retention_days=RETENTION_DAYS,  # the times of a topic may lie years back
            **PORTS,
        )
        self._started: set[str] = set()
        self._numbers = count(1)

    def start(self, *programs: str) -> Settings:
        """The settings, once each of these programs of the stack answers."""
        if new := set(programs) - self._started:
            self.settings.home.mkdir(parents=True, exist_ok=True)
            (self.settings.home / MARK).touch()  # archives are written there before a server is
            if not self._started:
                self._end_leftovers()
            up.up(self.settings, ",".join(sorted(new)))
            self._started |= new
        return self.settings

    def end(self, *programs: str) -> None:
        """Ends these programs of the stack, so that the rows behind have the machine to themselves."""
        supervisor.stop_programs(self.settings, list(programs))
        self._started -= set(programs)

    @contextmanager
    def fresh(self, topic: str) -> Iterator[Settings]:
        """Settings with a keyspace of their own, dropped at the end, on a topic that is made where it is not there."""
        started = self.start("kafka", "cassandra")
        logins = {
            "cassandra_password": SecretStr(started.secret("cassandra_writer")),
            "cassandra_reader_password": SecretStr(started.secret("cassandra_reader")),
        }
        mine = started.model_copy(update={"keyspace": f"bench{next(self._numbers)}", "posts_topic": topic, **logins})
        kafka.create_topics(mine)
        session = cassandra.admin(mine)
        try:
            # of a call that was cut off
            session.execute(f"DROP KEYSPACE IF EXISTS {mine.keyspace}", timeout=60)
            _clear(mine)
            cassandra.apply_schema(mine, session)
            cassandra.grant(mine, session)
            yield mine
            session.execute(f"DROP KEYSPACE {mine.keyspace}", timeout=60)
        finally:
            session.cluster.shutdown()
            _clear(mine)

    @contextmanager
    def live(self) -> Iterator[Settings]:
        """As `fresh`, on an empty topic of its own, which is deleted at the end."""
        with self.fresh(f"live_{time.time_ns() // 1_000_000}") as mine:
            try:
                yield mine
            finally:
                remove_topic(mine)

    @contextmanager
    def running(
        self,
        settings: Settings,
        module: str,
        *arguments: str,
        python: str = sys.executable,
        log: str = "",
        niceness: int = 0,
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """A program, ended after its running step at the end; its log is that of `log_of`, for `log` or its module.

        `niceness` is the stack's for it, where something is measured beside it that it has to stand behind.
        """
        path = log_of(settings, log or module)
        path.parent.mkdir(parents=True, exist_ok=True)
        settings.scratch.mkdir(exist_ok=True)
        with path.open("wb") as file:
            before = ["nice", "-n", str(niceness)] if niceness else []
            command = [*before, python, "-m", module, *arguments]
            process = subprocess.Popen(command, env=environment(settings), cwd=ROOT, stdout=file, stderr=file)
            try:
                yield process
            finally:
                stop(process)

    def cpu_s(self) -> float:
        """Processor seconds so far of every process of this stack: servers, JVMs and Python workers."""
        total = 0.0
        for process in self._processes():
            try:
                times = process.cpu_times()
                total += times.user + times.system
            except psutil.Error:
                # it ended while we looked
                continue
        return total

    def close(self) -> None:
        """Ends all of it; the topics stay, for the next call."""
        if self._started:
            down.down(self.settings)

    def _processes(self) -> Iterator[psutil.Process]:
        """Every process that was started with this stack's home, or with one below it."""
        home = str(self.settings.home)
        for process in psutil.process_iter():
            try:
                where = process.environ().get(f"{PREFIX}HOME", "")
            except psutil.Error:
                continue
            if where == home or where.startswith(f"{home}/"):
                yield process

    def _end_leftovers(self) -> None:
        """Ends the programs that a killed call was measuring: they are in no session of this stack's supervisord."""
        session = supervisor.session_id(self.settings)
        left = [process for process in self._processes() if _session_of(process) not in (None, session)]
        if left:
            print(f"ending what a killed call has left: {', '.join(str(process.pid) for process in left)}", flush=True)
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=STOP_S)


def _session_of(process: psutil.Process) -> int | None:
    """The number of its session; None where it has ended."""
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def _clear(settings: Settings) -> None:
    """Removes what programs kept in files under a keyspace's name."""
    for used in (settings.checkpoints, settings.home / settings.keyspace):
        shutil.rmtree(used, ignore_errors=True)


@contextmanager
def only_call(home: Path) -> Iterator[None]:
    """Within it no other call measures below this home. Raises BadInputError where one does."""
    folder = home / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInputError(f"another call measures below {home}: wait for its end, or end it") from None
        yield


def remove_topic(settings: Settings) -> None:
    """Deletes settings.posts_topic; when it returns Kafka no longer lists it."""
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    try:
        admin.delete_topics([settings.posts_topic])
        listed = retry_if_result(lambda names: settings.posts_topic in names)
        Retrying(retry=listed, stop=stop_after_delay(REMOVED_S), wait=wait_fixed(0.2))(admin.list_topics)
    finally:
        admin.close()


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Ends a program and waits until what it started has ended too; kills what does not."""
    if process.poll() is None:
        started = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in psutil.wait_procs(started, timeout=STOP_S)[1]:
            child.kill()


def log_of(settings: Settings, module: str) -> Path:
    """Where a program that a row started writes what it has to say."""
    return settings.home / "log" / f"bench.{module}.log"


def until(answer: Callable[[], T | None], running: "subprocess.Popen[bytes]", log: Path, every: float = 0.2) -> T:
    """What `answer` comes to once it is not None. Raises DrinkStreamError where the program it waits for has ended."""

    def asked() -> T | None:
        ended = running.poll() is not None
        found = answer()
        # what it did before it ended counts
        if found is None and ended:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            code = running.returncode
            raise DrinkStreamError(f"a program that was measured ended with {code}; the end of {log}:\n{end}")
        return found

    def late(_: object) -> T:
        raise UnavailableError(f"nothing came of it within {DEADLINE_S:.0f} s: see {log}")

    waiting = Retrying(
        retry=retry_if_result(lambda found: found is None),
        stop=stop_after_delay(DEADLINE_S),
        wait=wait_fixed(every),
        retry_error_callback=late,
    )
    found: T | None = waiting(asked)
    assert found is not None
    return found


@contextmanager
def reading(settings: Settings) -> Iterator[Reader]:
    """Questions to the store, as the role that writes."""
    session = connect(settings, settings.writer_login())
    try:
        yield Reader(session)
    finally:
        session.cluster.shutdown()


def processed(reader: Reader) -> int:
    """How many records the newest epoch has counted; 0 where there is none yet."""
    epochs = reader.epochs()
    return sum(epochs[0].processed.values()) if epochs else 0


def batches(reader: Reader, epoch: str) -> list[Batch]:
    """The micro-batches of an epoch that began today or yesterday (UTC), in order."""
    today = datetime.now(UTC).date()
    return [batch for day in (today - timedelta(days=1), today) for batch in reader.batches(epoch, day)]
