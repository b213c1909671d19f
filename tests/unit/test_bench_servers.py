"""A call begins without what a killed one left, is ended as a whole, and is the only one of its home."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import servers as servers_
from bench.peers import environment
from bench.servers import Servers, only_call
from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.settings import Settings


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    """Servers of which nothing is started; Cassandra takes whatever it is told."""
    session = SimpleNamespace(execute=lambda *_, **__: None, cluster=SimpleNamespace(shutdown=lambda: None))
    monkeypatch.setattr(servers_.cassandra, "admin", lambda _: session)
    monkeypatch.setattr(servers_.cassandra, "apply_schema", lambda *_: None)
    monkeypatch.setattr(servers_.cassandra, "grant", lambda *_: None)
    monkeypatch.setattr(servers_.kafka, "create_topics", lambda _: [])
    monkeypatch.setattr(Settings, "secret", lambda *_: "any")
    made = Servers(Settings(home=tmp_path))
    monkeypatch.setattr(made, "start", lambda *_: made.settings)
    return made


def test_a_run_begins_without_the_files_of_one_that_was_killed(servers: Servers) -> None:
    home = servers.settings.home
    left = (home / "bench1" / "archive" / "part.parquet", home / "bench1" / "flink" / "words.tsv")
    for path in (*left, home / "checkpoints" / "archive" / "c1" / "metadata", home / "topics" / "a_100000.json"):
        path.parent.mkdir(parents=True)
        path.write_text("left")
    with servers.fresh("a_100000") as mine:
        assert mine.keyspace == "bench1"
        assert sorted(path.name for path in home.iterdir()) == ["topics"]
        left[0].parent.mkdir(parents=True)
    assert sorted(path.name for path in home.iterdir()) == ["topics"]


@contextmanager
def sleeping(home: Path, apart: bool = False) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that was started with this home, where `apart` in a session of its own."""
    environment = os.environ | {"DRINKSTREAM_HOME": str(home)}
    with subprocess.Popen(["sleep", "60"], env=environment, start_new_session=apart) as process:
        try:
            yield process
        finally:
            process.kill()


def test_programs_that_a_killed_call_was_measuring_are_ended_and_the_servers_are_not(
    servers: Servers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = servers.settings.home
    with (
        sleeping(home) as speed,
        sleeping(home / "bench1") as archive,
        sleeping(tmp_path) as yours,
        sleeping(home, apart=True) as kafka,
    ):
        (home / "run").mkdir(parents=True)
        (home / "run" / "session").write_text(str(kafka.pid))
        servers._end_leftovers()
        assert None not in (speed.poll(), archive.poll())
        assert (yours.poll(), kafka.poll()) == (None, None)
    assert str(speed.pid) in capsys.readouterr().out


def test_the_jars_of_peers_are_fetched_from_the_mirror_that_is_set(tmp_path: Path) -> None:
    base = Settings(home=tmp_path, jars=tmp_path / "jars", ivy_settings=tmp_path / "mirror.xml")
    made = Servers(base).settings
    assert (made.ivy_settings, made.jar_folder) == (tmp_path / "mirror.xml", tmp_path / "jars")


def test_where_packages_of_peers_do_not_come_the_option_without_them_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", failing)
    with pytest.raises(UnavailableError, match=" --no-peers"):
        environment.python(tmp_path)


def test_two_calls_of_a_home_do_not_measure_beside_each_other(tmp_path: Path) -> None:
    with only_call(tmp_path), pytest.raises(BadInputError, match="another call"), only_call(tmp_path):
        pass
    with only_call(tmp_path):
        pass


def test_a_signal_ends_what_was_started() -> None:
    """`finally` runs, and the exit code is that of the signal."""
    code = (
        "import os, signal\nfrom bench.__main__ import end_by_signal\nend_by_signal()\n"
        "try:\n    os.kill(os.getpid(), signal.SIGTERM)\nfinally:\n    print('ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("ended\n", 128 + signal.SIGTERM)
