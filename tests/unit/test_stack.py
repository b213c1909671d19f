"""What the stack decides without starting anything."""

import errno
import os
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from supervisor.options import expand

from drinkstream import spark
from drinkstream.errors import BadInputError, ConflictError, DrinkStreamError, UnavailableError
from drinkstream.settings import ROOT, Settings
from stack import (
    cassandra,
    clean,
    config,
    down,
    environment,
    home,
    jars,
    notes,
    passwords,
    ports,
    programs,
    run,
    status,
    supervisor,
    up,
)
from stack.alone import alone


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a home that nothing has touched."""
    return Settings(home=tmp_path / "home", jars=tmp_path / "jars")


def test_programs_get_the_settings_that_the_stack_has(settings: Settings) -> None:
    """Read back from the variables that a program is started with, secrets included, they are the same."""
    given = settings.model_copy(
        update={"web_port": 8100, "speed_trigger": 2.5, "source": "x", "x_bearer_token": SecretStr("to ken")}
    )
    assert Settings.load(environment.variables(given)) == given


def test_a_program_that_dies_at_once_is_started_more_and_more_slowly(settings: Settings) -> None:
    """No pause before the first start, then 1, 2, 4 ... 30 s; a life of 20 s or a person's `up` is a new beginning."""
    (settings.home / "run").mkdir(parents=True)
    pauses = [notes.begin(settings, "web", 100 + start).pause for start in range(8)]
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    # a night on a full disk
    assert notes.Note(108, time.time(), quick_deaths=5000).pause == 30.0

    notes.write(settings, "web", notes.Note(108, time.time() - 60, time.time() - 21, quick_deaths=8))
    assert notes.begin(settings, "web", 109).pause == 0.0

    notes.write(settings, "web", notes.Note(110, time.time(), time.time(), quick_deaths=8))
    notes.forgive(settings, "web")
    assert notes.begin(settings, "web", 111).pause == 0.0


def test_a_query_that_dies_at_its_first_batch_has_not_really_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives longer than others that die at once; when its present life is long enough it is no longer failing."""
    (settings.home / "run").mkdir(parents=True)
    monkeypatch.setattr(run.time, "sleep", lambda _: None)
    for name in ("archive", "speed"):
        notes.write(settings, name, notes.Note(1 << 30, time.time() - 40, time.time() - 25, quick_deaths=1))
        note = run._replace_predecessor(settings, programs.PROGRAMS[name])
        assert (note.quick_deaths, note.pause) == (2, 2.0)

    answers = programs.PROGRAMS["archive"].answers
    assert status._state(settings, "archive", "RUNNING") == "failing", "it waits for its next try"
    notes.write(settings, "archive", replace(note, started=time.time() - 25))
    assert status._state(settings, "archive", "RUNNING") == "failing"
    with pytest.raises(UnavailableError, match="archive has only just started again"):
        answers(settings)
    notes.write(settings, "archive", replace(note, started=time.time() - 25, quick_deaths=0))
    answers(settings)
    notes.write(settings, "archive", replace(note, started=time.time() - 121))
    assert status._state(settings, "archive", "RUNNING") == "running"
    answers(settings)


def test_a_clock_that_is_set_back_makes_no_program_young(settings: Settings) -> None:
    """A start that lies in the future says nothing of how long the program has lived."""
    (settings.home / "run").mkdir(parents=True)
    notes.write(settings, "speed", notes.Note(108, time.time(), time.time()))
    with pytest.raises(UnavailableError, match="speed has only just started"):
        programs.PROGRAMS["speed"].answers(settings)
    notes.write(settings, "speed", notes.Note(108, time.time() + 3600, time.time() + 3600))
    programs.PROGRAMS["speed"].answers(settings)
    assert notes.begin(settings, "speed", 109).quick_deaths == 0


def test_a_note_that_a_crash_cut_off_is_no_note(settings: Settings) -> None:
    """The next start begins as if there were none."""
    (settings.home / "run").mkdir(parents=True)
    (settings.home / "run" / "web.start").write_text('{"pgid": 1')
    assert notes.read(settings, "web") is None


def test_two_programs_on_one_port_and_an_impossible_port_are_refused(settings: Settings) -> None:
    """Each is named with its setting."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    bad = settings.model_copy(update={"web_port": free, "airflow_port": free, "postgres_port": 70_000})
    with pytest.raises(BadInputError) as raised:
        ports.check(bad, ["postgres", "airflow-api-server", "web"])
    assert str(raised.value).splitlines() == [
        "PostgreSQL: 70000 (DRINKSTREAM_POSTGRES_PORT) is not a port, which is 1 to 65535",
        f"the web and Airflow both have port {free} (DRINKSTREAM_WEB_PORT)",
        "nothing was started: stop the other program, or set another port",
    ]


@pytest.mark.parametrize("host", ["192.0.2.1", "::1", "::"])
def test_a_host_that_is_not_this_machines_is_refused_as_such(settings: Settings, host: str) -> None:
    """No port of it is in use; the setting alone is named, with what the system says of it."""
    with pytest.raises(BadInputError) as raised:
        ports.check(settings.model_copy(update={"host": host}), ["kafka", "web"])
    (told,) = str(raised.value).splitlines()
    assert told.startswith(f"DRINKSTREAM_HOST={host} is no IPv4 address of this machine (")
    assert told.endswith("): nothing was started")


@pytest.mark.parametrize("host", ["0.0.0.0", "0"])  # noqa: S104 - nothing listens there
def test_a_host_that_is_every_address_is_refused(settings: Settings, host: str) -> None:
    """PostgreSQL and the page would listen everywhere, asking nobody for a password, and the others not at all."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    with pytest.raises(BadInputError) as raised:
        ports.check(settings.model_copy(update={"host": host, "web_port": free}), ["web"])
    assert str(raised.value) == (
        f"DRINKSTREAM_HOST={host} is every address of this machine, and Kafka and Cassandra have to tell their clients "
        "one: nothing was started"
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.EACCES, "is not for this user to listen on, as those below 1024 are root's"),
        (errno.ENOBUFS, "cannot be listened on: No buffer space available"),
    ],
)
def test_a_port_that_may_not_be_had_is_not_said_to_be_in_use(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, code: int, told: str
) -> None:
    """There is no other program to stop."""

    class Refusing(socket.socket):
        def bind(self, _: object) -> None:
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(ports.socket, "socket", Refusing)
    with pytest.raises(BadInputError) as raised:
        ports.check(settings.model_copy(update={"web_port": 80}), ["web"])
    assert str(raised.value).splitlines()[0] == f"the web: port 80 (DRINKSTREAM_WEB_PORT) {told}"


def test_servers_that_are_elsewhere_are_not_started(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Kafka or Cassandra named in the settings is somebody else's to run."""
    away = settings.model_copy(update={"kafka_bootstrap": "k1:9092", "cassandra_hosts": "c1"})
    assert programs.chosen(settings, "web,kafka") == ["kafka", "web"]
    assert {"kafka", "cassandra"} & set(programs.chosen(away, None)) == set()
    monkeypatch.setattr(status, "_answers", lambda *_: "yes")
    states = {line.split()[0]: line.split()[1] for line in status.table(away, {}).splitlines()}
    assert (states["kafka"], states["cassandra"], states["web"]) == ("elsewhere", "elsewhere", "stopped")


def test_blanks_between_kafkas_servers_do_not_matter() -> None:
    """Its clients take them, too."""
    assert Settings.load({"DRINKSTREAM_KAFKA_BOOTSTRAP": "k1:9092, k2:9092"}).bootstrap == "k1:9092,k2:9092"


def test_passwords_are_private_and_written_once(settings: Settings) -> None:
    """Folder 0700, files 0600, all different, and a second start keeps them."""
    folder = passwords.write(settings)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    passwords.write(settings)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    assert len(set(first.values())) == 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        *(("HOME", home, "give an absolute path of letters") for home in ("/tmp/my data", "var", "/tmp/50%")),
        ("JARS", "jars", "give an absolute path"),
        ("KAFKA_BOOTSTRAP", "k1,k2:9092", "give host:port"),
        *(("KEYSPACE", name, "give 1 to 48 of a-z") for name in ("DrinkStream", "1st", "drink-stream", "k" * 49)),
        *(("ARCHIVE_URI", uri, "give an absolute path") for uri in ("data/archive", "s3a://bucket/archive")),
        ("SPEED_TRIGGER", "-1", "greater than or equal to 0"),
        ("POSTS_PARTITIONS", "0", "greater than 0"),
        ("SPEED_TTL_DAYS", "1826", "less than or equal to 1825"),
        ("LIVE_REFRESH", "inf", "finite"),
        *(("X_BEARER_TOKEN", token, "give one line of ASCII") for token in ("to\rken", "tok\u00e9n")),
    ],
)
def test_what_no_program_could_work_with_is_refused_before_anything_starts(setting: str, value: str, told: str) -> None:
    """Blanks that configuration files misread, paths that depend on where one stands, tables elsewhere, numbers."""
    with pytest.raises(BadInputError, match=f"DRINKSTREAM_{setting}: .*{told}"):
        Settings.load({f"DRINKSTREAM_{setting}": value})


def test_a_settings_file_has_one_setting_a_line(tmp_path: Path) -> None:
    """As other programs read such files: comments, blanks around a value, one pair of quotes around it."""
    file = tmp_path / "x.env"
    file.write_bytes(
        b"# X\r\n\r\nDRINKSTREAM_SOURCE=x\r\n"
        b'DRINKSTREAM_X_BEARER_TOKEN="a=b%3D"\n DRINKSTREAM_X_CONSUMER_KEY = \'"k\'\n'
        b'DRINKSTREAM_POSTS_TOPIC=\'mine\nDRINKSTREAM_X_API_URL=""\nDRINKSTREAM_WEB_PORT=8001\n'
    )
    read = Settings.load({"DRINKSTREAM_FILE": str(file), "DRINKSTREAM_WEB_PORT": "8002"})
    assert (read.source, read.posts_topic, read.x_api_url, read.web_port) == ("x", "'mine", "", 8002)
    assert (read.x_bearer_token, read.x_consumer_key) == (SecretStr("a=b%3D"), SecretStr('"k'))


@pytest.mark.parametrize(
    "line",
    ["DRINKSTREAM_SOURCE: x", "s3cret", "DRINKSTREAM_X_BEARER_TOKEN: s3cret=", "export DRINKSTREAM_SOURCE=x", "=x"],
)
def test_a_line_of_the_settings_file_that_is_no_setting_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    """Left out, it would be the demo that is collected instead of X's posts; shown, a log might hold a secret."""
    file = tmp_path / "x.env"
    file.write_text(f"# X\n\n{line}\nDRINKSTREAM_WEB_PORT=8001\n")
    with pytest.raises(BadInputError) as refused:
        Settings.load({"DRINKSTREAM_FILE": str(file)})
    assert str(refused.value) == f"{file}, line 3: not of the form DRINKSTREAM_NAME=value"


def test_an_archive_may_be_a_path_or_its_address() -> None:
    """Both name the same folder."""
    for uri in ("/data/archive", "file:///data/archive"):
        assert Settings.load({"DRINKSTREAM_ARCHIVE_URI": uri}).archive == uri


def test_a_default_home_that_no_program_could_work_with_is_refused_too(tmp_path: Path) -> None:
    """A clone below a folder with a blank in its name."""
    package = tmp_path / "my project" / "drinkstream"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    for module in ("settings.py", "errors.py"):
        shutil.copy(ROOT / "drinkstream" / module, package)
    load = "from drinkstream.settings import Settings; Settings.load({})"
    done = subprocess.run([sys.executable, "-c", load], cwd=package.parent, capture_output=True, text=True, check=False)
    assert "DRINKSTREAM_HOME: Value error, give an absolute path of letters" in done.stderr


def test_a_folder_with_what_is_not_the_stacks_is_no_home(settings: Settings) -> None:
    """`make clean` would empty it; downloads, and what a call that went before left, do not matter."""
    for own in ("lost+found", "run", "web"):
        (settings.home / own).mkdir(parents=True)
    with pytest.raises(BadInputError, match=r"holds what this stack did not make \(web\), and `make clean` empties it"):
        home.claim(settings)
    (settings.home / "web" / "echarts.min.js").touch()
    (settings.home / "jars").mkdir()
    home.claim(settings)
    (settings.home / "cassandra").mkdir()
    home.claim(settings)


def test_a_program_that_cannot_be_started_for_want_of_space_waits_for_the_next_try(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ends at once, again and again, supervisord gives up on for good."""
    waited: list[float] = []

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run.Settings, "load", lambda: settings)
    monkeypatch.setattr(run.notes, "begin", full)
    monkeypatch.setattr(run.time, "sleep", waited.append)
    assert run.main(["web"]) == 3
    assert waited == [30.0]
    assert capsys.readouterr().out == "web: [Errno 28] No space left on device; next try in 30 s\n"


def test_up_on_a_full_disk_names_the_folder(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exit code of what may be there later, not a traceback and that of a fault of ours."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(up.Settings, "load", lambda: settings)
    for module, name in (up.jars, "fetch"), (up.ports, "check"), (up.account, "way"):
        monkeypatch.setattr(module, name, lambda *_: None)
    monkeypatch.setattr(up.config, "write", full)
    assert up.main([]) == 3
    assert capsys.readouterr().err == (
        f"[Errno 28] No space left on device: is there space below {settings.home}, and may you write there? What was "
        "started runs on: run it again\n"
    )


def test_a_repository_may_lie_below_a_path_of_any_characters(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """supervisord fills in what a percent sign stands for, then splits the command as a shell does."""
    python = "/tmp/it's my 50% repo/%(here)s/.venv/bin/python"
    monkeypatch.setattr(supervisor.sys, "executable", python)
    command = supervisor._section(settings, programs.PROGRAMS["web"])["command"]
    assert shlex.split(expand(command, {"here": "/"}, "command")) == [python, "-m", "stack.run", "web"]


def test_supervisord_outlives_a_disk_on_which_it_can_write_no_log() -> None:
    """It ended at its first line, and with it the restarts of all programs, also once there was space again."""
    with tempfile.TemporaryDirectory(prefix="ds-full-") as folder:
        settings = Settings(home=Path(folder))
        config.write(settings)
        file = supervisor._config(settings)
        file.write_text(supervisor._configuration(settings))
        with Path("/dev/full").open("wb") as full:
            command = [sys.executable, "-m", "stack.supervise", "-c", file]
            alive = subprocess.Popen(command, stdout=full, stderr=full, env=environment.environment(settings))
        try:
            deadline = time.monotonic() + 30
            while not supervisor._socket(settings).exists() and alive.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            with supervisor._asked(settings) as asked:
                assert asked.getState()["statename"] == "RUNNING"
        finally:
            alive.terminate()
            assert alive.wait(30) == 0


@pytest.mark.parametrize("command", [up.main, down.main])
def test_a_program_that_there_is_none_of_is_told_with_those_that_there_are(
    settings: Settings, command: Callable[[list[str]], int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Before anything is started or stopped."""
    monkeypatch.setattr(Settings, "load", lambda: settings)
    assert command(["--only", "kafak"]) == 2
    assert "no program kafak: choose from postgres, kafka, " in capsys.readouterr().err
    assert not settings.home.exists()


def test_up_and_down_wait_for_one_another_and_say_so(settings: Settings) -> None:
    """The second goes on as soon as the first has ended, and not before."""
    said: list[str] = []
    done: list[str] = []

    def second() -> None:
        with alone(settings, said.append):
            done.append("second")

    with alone(settings, said.append):
        waiting = threading.Thread(target=second)
        waiting.start()
        deadline = time.monotonic() + 20
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (len(said), done) == (1, [])
        done.append("first")
    waiting.join(20)
    assert done == ["first", "second"]


def test_the_sockets_of_sparks_workers_have_short_paths_whatever_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Unix socket's path has 107 characters at most, of which Spark takes 42 for a name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 20)))
    folder = Path(spark._sockets.__wrapped__())
    assert folder.is_dir() and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(str(folder)) + 42 <= 107
    folder.rmdir()


def test_clean_empties_only_a_folder_that_the_stack_made(settings: Settings) -> None:
    """A home with somebody's files and without the stack's mark is left alone; downloads stay."""
    settings.home.mkdir()
    (settings.home / "letters").mkdir()
    with pytest.raises(ConflictError, match="nothing is removed"):
        clean.clean(settings, everything=True)
    assert [path.name for path in settings.home.iterdir()] == ["letters"]

    (settings.home / home.MARK).touch()
    (settings.home / "jars").mkdir()
    (settings.home / "web").mkdir()
    clean.clean(settings, everything=False)
    assert {path.name for path in settings.home.iterdir()} == {"jars", home.MARK}
    home.claim(settings)
    clean.clean(settings, everything=True)
    assert list(settings.home.iterdir()) == []
    home.claim(settings)


@pytest.mark.parametrize("left", ["supervisord", "a program of one that was killed"])
def test_clean_removes_nothing_while_the_stack_runs(
    settings: Settings, left: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One conflict, with what to do first; once nothing runs any more it is done."""
    monkeypatch.setenv("DRINKSTREAM_HOME", str(settings.home))
    home.claim(settings)
    for folder in ("archive", "run"):
        (settings.home / folder).mkdir()
    of_supervisord = str(supervisor._config(settings)) if left == "supervisord" else ""
    command = [sys.executable, "-c", "import time; time.sleep(600)", of_supervisord]
    process = subprocess.Popen(command, cwd="/" if of_supervisord else settings.home, start_new_session=True)
    (settings.home / "run" / "session").write_text(str(process.pid))
    try:
        assert clean.main([]) == ConflictError.exit_code
    finally:
        process.kill()
        process.wait()
    assert capsys.readouterr().err == "the stack is running: `make down` first, then `make clean`\n"
    assert {path.name for path in settings.home.iterdir()} == {home.MARK, "archive", "run"}
    assert clean.main([]) == 0
    assert [path.name for path in settings.home.iterdir()] == [home.MARK]


@pytest.mark.parametrize("command", [lambda: status.main([]), lambda: down.main(["--only", "web"])])
def test_what_a_dead_supervisord_left_running_is_told_of_with_what_ends_it(
    settings: Settings, command: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """It counts on, and nobody can be asked for one program of it any more."""
    monkeypatch.setenv("DRINKSTREAM_HOME", str(settings.home))
    (settings.home / "run").mkdir(parents=True)
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = subprocess.Popen(sleeping, cwd=settings.home, start_new_session=True)
    (settings.home / "run" / "session").write_text(str(process.pid))
    try:
        assert command() == UnavailableError.exit_code
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    assert capsys.readouterr() == (
        "",
        "supervisord died, and what it ran (1 processes) runs on without it: `make up` ends that and starts all anew, "
        "`make down` only ends it\n",
    )
    assert command() == 0


def test_jars_are_those_committed_to(tmp_path: Path) -> None:
    """A missing one is told of; a changed one is removed and told of; one of an older list goes."""
    for folder in jars.FOLDERS:
        (tmp_path / folder).mkdir()
    (tmp_path / "kafka" / "a.jar").write_bytes(b"a")
    (tmp_path / "kafka" / "old.jar").write_bytes(b"old")
    sums = {"kafka/a.jar": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}
    jars.verify(tmp_path, sums)
    assert [path.name for path in (tmp_path / "kafka").iterdir()] == ["a.jar"]

    with pytest.raises(UnavailableError, match=r"^not downloaded: spark/b\.jar\."):
        jars.verify(tmp_path, {**sums, "spark/b.jar": "00"})

    (tmp_path / "kafka" / "a.jar").write_bytes(b"b")
    with pytest.raises(DrinkStreamError, match=r"has the sum of: kafka/a\.jar\."):
        jars.verify(tmp_path, sums)
    assert list((tmp_path / "kafka").iterdir()) == []


def test_the_committed_jars_are_what_the_descriptor_is_for() -> None:
    """Four folders that share nothing, and in Spark's only what pyspark lacks."""
    names = sorted(jars.read_sums())
    assert {name.split("/")[0] for name in names} == {"kafka", "cassandra", "spark", "web"}
    assert [name for name in names if name.startswith("spark/")] == [
        "spark/commons-pool2-2.13.1.jar",
        "spark/delta-kernel-api-4.4.0.jar",
        "spark/delta-kernel-defaults-4.4.0.jar",
        "spark/delta-kernel-unitycatalog-4.4.0.jar",
        "spark/delta-spark_4.2_2.13-4.4.0.jar",
        "spark/delta-storage-4.4.0.jar",
        "spark/javacpp-1.5.12.jar",
        "spark/javacpp-linux-x86_64-1.5.12.jar",
        "spark/kafka-clients-3.9.2.jar",
        "spark/native-5.4.12-2.0.4.jar",
        "spark/native-linux-x86_64-5.4.12-2.0.4.jar",
        "spark/spark-sql-kafka-0-10_2.13-4.2.0.jar",
        "spark/spark-token-provider-kafka-0-10_2.13-4.2.0.jar",
    ]
    assert [name for name in names if name.startswith("web/")] == ["web/echarts-5.5.0.jar", "web/echarts.min.js"]


def test_install_without_any_python_is_an_error_that_names_the_one_that_is_needed() -> None:
    """Make takes a recipe that begins with a minus for one whose errors do not matter."""
    done = subprocess.run(["make", "PYTHON=", "install"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("DrinkStream needs Python 3.11, and there is no Python: make PYTHON=")


@pytest.mark.parametrize(
    ("lacking", "installed"),
    [
        ("ensurepip", {"python3.11", "python3.11-venv", "python3.11-dev"}),
        ("Python.h", {"python3.11", "python3.11-venv", "python3.11-dev"}),
        ("java.home", {"openjdk-17-jre-headless"}),
        ("nothing", set()),
    ],
)
def test_the_test_of_a_change_installs_what_a_python_or_java_that_is_there_lacks(
    tmp_path: Path, lacking: str, installed: set[str]
) -> None:
    """Debian's python3 without its two other packages, another Java than 17: the command is there, and will not do."""
    programs = dict.fromkeys(("make", "chromium", "gcc"), "")
    programs["python3.11"] = f"""case "$2" in *{lacking}*) exit 1;; esac"""
    programs["apt-get"] = f"""echo "$@" >>{shlex.quote(str(tmp_path / "asked"))}"""
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    subprocess.run([ROOT / ".ci" / "run"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    asked = (tmp_path / "asked").read_text().split() if (tmp_path / "asked").is_file() else []
    assert {word for word in asked if not word.startswith("-")} - {"update", "install"} == installed


def test_the_schema_is_read_as_single_statements(tmp_path: Path, settings: Settings) -> None:
    """Comments go, even with a semicolon in them; placeholders are filled in."""
    file = tmp_path / "schema.cql"
    file.write_text("-- a; b\nCREATE TABLE {keyspace}.t (a int) -- c;\nWITH x = {speed_ttl} AND y = {{'k': 'v'}};\n\n")
    assert cassandra.statements(file, settings) == [
        "CREATE TABLE drinkstream.t (a int) \nWITH x = 3024000 AND y = {'k': 'v'}"
    ]
