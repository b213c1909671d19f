"""Real servers for tests: started once in a test run, on ports and in a folder of their own, when a test first asks.

Each test gets topics and a keyspace of its own, so that no test sees another's rows. A server that does not come up is
one failure, with the end of its log; asking again fails at once.
"""

import atexit
import shutil
import socket
import tempfile
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from pydantic import SecretStr

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from stack import cassandra, down, kafka, up
from stack.home import MARK
from tests.lib.prefilter import shared

PREFIX = "ds-test-"

_numbers = count(1)


class Servers:
    """Servers of their own, in a home of their own; `settings` lead to them, with `changes` where a test needs some."""

    def __init__(self, **changes: Any) -> None:
        _end_orphans()
        home = Path(tempfile.mkdtemp(prefix=PREFIX))
        home.chmod(0o755)  # Cassandra and PostgreSQL do not run as root
        (home / MARK).touch()
        shared(home)
        (home / "owner").write_text(str(psutil.Process().pid))
        # each test has a keyspace of its own, and each table of each takes its part of the heap
        sizes = {"kafka_heap": 256, "cassandra_heap": 1000, "posts_partitions": 2}
        self.settings = Settings(home=home, jars=Settings.load().jar_folder, **{**sizes, **ports(), **changes})
        self._tried: dict[str, UnavailableError | None] = {}

    def start_all(self) -> Settings:
        """The settings, once every program of the stack answers. Raises UnavailableError where one does not come up."""
        up.up(self.settings, say=_quiet)
        return self.settings

    def start(self, name: str) -> Settings:
        """The settings, once the program `name` answers. Raises UnavailableError where it does not come up."""
        if name not in self._tried:
            self._tried[name] = None
            try:
                up.up(self.settings, name, say=_quiet)
            except UnavailableError as error:
                self._tried[name] = error
        if (error := self._tried[name]) is not None:
            raise error
        return self.settings

    def kafka(self, partitions: int = 2) -> Settings:
        """Settings with two topics of their own, made on a running Kafka."""
        number = next(_numbers)
        names = {"posts_topic": f"posts{number}", "status_topic": f"feed.status{number}"}
        mine = self.start("kafka").model_copy(update={**names, "posts_partitions": partitions})
        kafka.create_topics(mine)
        return mine

    def cassandra(self, settings: Settings | None = None) -> Settings:
        """`settings` (or plain ones) with a keyspace of its own on a running Cassandra, and the passwords to it."""
        started = self.start("cassandra")
        logins = {
            "cassandra_password": SecretStr(started.secret("cassandra_writer")),
            "cassandra_reader_password": SecretStr(started.secret("cassandra_reader")),
        }
        mine = (settings or started).model_copy(update={"keyspace": f"test{next(_numbers)}", **logins})
        session = cassandra.admin(mine)
        try:
            cassandra.apply_schema(mine, session)
            cassandra.grant(mine, session)
        finally:
            session.cluster.shutdown()
        return mine

    def stop(self) -> None:
        """End them and remove their folder."""
        down.down(self.settings, say=_quiet)
        shutil.rmtree(self.settings.home, ignore_errors=True)


@cache
def servers() -> Servers:
    """The one set of servers of this test run, none of them started yet."""
    made = Servers()
    atexit.register(made.stop)
    return made


def free_ports(number: int) -> list[int]:
    """That many ports in a row that nobody listens on now, below the range that outgoing connections use."""
    for first in range(21_000, 32_000, number):
        if all(_free(first + offset) for offset in range(number)):
            return list(range(first, first + number))
    raise UnavailableError("no free ports")


def ports() -> dict[str, int]:
    names = ("kafka_port", "", "cassandra_port", "cassandra_storage_port", "cassandra_jmx_port")
    names = (*names, "postgres_port", "airflow_port", "web_port")
    return {name: port for name, port in zip(names, free_ports(len(names)), strict=True) if name}


def _free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def _end_orphans() -> None:
    """Stop what a killed test run has left."""
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = home / "owner"
        if owner.is_file() and not psutil.pid_exists(int(owner.read_text() or 0)):
            down.down(Settings(home=home), say=_quiet)
            shutil.rmtree(home, ignore_errors=True)


def _quiet(_: str) -> None:
    """Progress is for a person at a terminal."""
