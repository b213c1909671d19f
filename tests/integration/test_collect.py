"""Collect and replay on a real Kafka: every line once, through outages, kills and stops, all of it accounted for."""

import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from drinkstream.settings import ROOT, Settings
from stack import supervisor
from streaming.sources import demo, demo_live
from tests.lib.fake_x import FakeX, Stream
from tests.lib.servers import Servers
from tests.lib.topics import Topics

NOW_MS = 1_772_625_600_000  # 2026-03-04T12:00:00Z


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Return once `condition` holds; fails after `seconds`."""
    Retrying(retry=retry_if_not_result(bool), stop=stop_after_delay(seconds), wait=wait_fixed(0.1))(condition)


def answers(settings: Settings) -> bool:
    """Whether somebody listens on Kafka's port."""
    with socket.socket() as probe:
        return probe.connect_ex((settings.host, settings.kafka_port)) == 0


class Program:
    """`python -m streaming.<name>` with settings as its environment."""

    def __init__(self, name: str, settings: Settings, *arguments: str) -> None:
        given = settings.model_dump(mode="json", exclude_unset=True)
        environment = {f"DRINKSTREAM_{key.upper()}": str(value) for key, value in given.items() if value is not None}
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"streaming.{name}", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment, "PYTHONFAULTHANDLER": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self, seconds: float = 90) -> int:
        """The exit code, once it has ended. One that does not end is made to say where each of its threads stands."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            _, err = self.process.communicate()
            pytest.fail(f"did not end within {seconds} s:\n{err.decode()[-8000:]}")
        self.out, self.err = out.decode(), err.decode()
        return self.process.returncode


@pytest.fixture
def mine(kafka_settings: Settings, tmp_path: Path) -> Settings:
    """Topics and a folder of this test's own; a fast demo."""
    changes = {"home": tmp_path, "demo_rate": 100.0, "demo_seed": 5, "source": "demo"}
    return Settings.model_validate({**kafka_settings.model_dump(exclude_unset=True), **changes})


@pytest.fixture
def topics(mine: Settings) -> Iterator[Topics]:
    """What lies in them."""
    made = Topics(mine)
    yield made
    made.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Starts programs; whatever still runs at the end is killed."""
    started: list[Program] = []

    def run(name: str, settings: Settings, *arguments: str) -> Program:
        started.append(Program(name, settings, *arguments))
        return started[-1]

    yield run
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate()


def generated(settings: Settings) -> list[bytes]:
    """The demo's lines from where it began to where its position says that it has come."""
    reached = demo_live.position(settings)
    assert reached is not None
    lines = demo.stream(settings.demo_seed, reached.first_ms, settings.demo_rate)
    made = []
    for ms, line in lines:
        if ms >= reached.next_ms:
            return made
        made.append(line)
    return made


def test_the_demo_runs_until_sigterm_and_says_what_it_sent(
    mine: Settings, topics: Topics, start: Callable[..., Program]
) -> None:
    """Each generated line is in Kafka once, keyed; the last status lines agree with what lies there."""
    program = start("collect", mine)
    until(lambda: topics.size() > 300)
    assert program.stop() == 0, program.err
    found = topics.posts()
    assert Counter(record.value for record in found) == Counter(generated(mine))
    assert {dict(record.headers)["source"] for record in found} == {b"demo"}
    for record in found:
        headers = dict(record.headers)
        if record.key is None:
            assert headers["shape"] == b"notice.limit"
        elif record.key.startswith(b"demo:?"):
            assert headers["shape"] == b"rejected.cut_off"
        else:
            assert record.key.startswith(b"demo:")
            assert abs(int(headers["event_ms"]) - record.append_ms) < 4 * 3_600_000
    told = topics.status()
    assert [line["kind"] for line in told if line["kind"] in ("connect", "disconnect", "done")] == [
        "connect",
        "disconnect",
        "done",
    ]
    assert told[-1]["records"] == told[-1]["lines"] == len(found)
    minutes = Counter[str]()
    for line in told:
        if line["kind"] == "minute":
            minutes.update(line["received"])
    assert dict(minutes) == told[-1]["received"]
    assert all(line["source"] == line["via"] == "demo" for line in told)


def test_after_kill_9_it_goes_on_where_it_was(mine: Settings, topics: Topics, start: Callable[..., Program]) -> None:
    """No line of the time between is missing; what goes out twice is the same bytes under the same key."""
    first = start("collect", mine)
    until(lambda: topics.size() > 300)
    first.stop(signal.SIGKILL)
    sent = topics.size()
    second = start("collect", mine)
    # even where all of the first one's lines go out again, the second has then come further
    until(lambda: topics.size() > 2 * sent + 300)
    assert second.stop() == 0, second.err
    found = topics.posts()
    assert {record.value for record in found} == set(generated(mine))
    assert {record.key for record in found} == {record.key for record in {r.value: r for r in found}.values()}


def test_a_long_absence_is_a_gap(mine: Settings, topics: Topics, start: Callable[..., Program]) -> None:
    """The posts of that time are left out, and feed.status says from when to when."""
    long_ago = (time.time_ns() // 1_000_000) - 10 * 3_600_000
    demo_live.save(mine, demo_live.Position(5, 100.0, long_ago, long_ago))
    program = start("collect", mine)
    until(lambda: topics.size() > 20)
    assert program.stop() == 0, program.err
    told = topics.status()
    assert [(line["kind"], line.get("reason")) for line in told[:2]] == [("gap", "stopped"), ("connect", None)]
    assert told[0]["from"] == demo_live.rfc3339(long_ago)
    assert (
        min(int(dict(r.headers)["event_ms"]) for r in topics.posts() if r.key and b":?" not in r.key)
        > long_ago + 6 * 3_600_000
    )


def a_file(folder: Path, size: int) -> tuple[Path, list[bytes]]:
    """A gzip file of demo lines, and its lines."""
    lines = [line for _, line in islice(demo.stream(9, NOW_MS, 5.0), size)]
    file = folder / "file.gz"
    file.write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines), 1))
    return file, lines


def test_a_replay_is_acknowledged_before_it_ends(
    mine: Settings, topics: Topics, start: Callable[..., Program], tmp_path: Path
) -> None:
    """Exit code 0 means that Kafka has every line; ten megabytes are no trouble, thirteen are cut and told."""
    file, lines = a_file(tmp_path, 3000)
    odd = tmp_path / "odd"
    big = b'{"data":{"id":"2029164633767936001","text":"' + os.urandom(5_000_000).hex().encode() + b'"}}'
    huge = os.urandom(6_500_000).hex().encode()
    odd.write_bytes(b"\n".join([big, huge, b"", b"caf\xe9", b'{"data":{"id":"2']))
    program = start("replay", mine, str(file), str(odd), "--source", "demo")
    assert program.ended() == 0, program.err
    found = topics.posts()
    assert Counter(record.value for record in found) == Counter(
        [*lines, big, huge[:65_536], b"", b"caf\xe9", b'{"data":{"id":"2']
    )
    shapes = Counter(dict(record.headers)["shape"].decode().split(".", 1)[0] for record in found)
    assert program.out.startswith(
        f"3005 lines, 3005 records = {shapes['post']} posts + {shapes['tombstone']} tombstones"
        f" + {shapes['notice']} notices + {shapes['rejected']} rejected (cut_off "
    )
    assert sum(shapes.values()) == 3005
    gaps = [line for line in topics.status() if line["kind"] == "gap"]
    assert [(line["reason"], line["bytes"], line["kept"]) for line in gaps] == [("too_large", 13_000_000, 65_536)]


def test_a_replay_goes_through_kill_9_of_kafka(
    servers: Servers, mine: Settings, topics: Topics, start: Callable[..., Program], tmp_path: Path
) -> None:
    """Killed in the middle and restarted by its supervisor, Kafka has every line exactly once."""
    file, lines = a_file(tmp_path, 60_000)
    program = start("replay", mine, str(file), "--source", "demo")
    until(lambda: topics.size() > 1000)
    topics.close()
    broker = supervisor.states(servers.settings)["kafka"]["pid"]
    os.killpg(os.getpgid(broker), signal.SIGKILL)
    assert program.ended() == 0, program.err
    until(lambda: answers(servers.settings))
    assert Counter(record.value for record in topics.posts()) == Counter(lines)


def test_while_kafka_is_away_collect_waits_and_goes_on_by_itself(
    servers: Servers, mine: Settings, topics: Topics, start: Callable[..., Program]
) -> None:
    """Nothing of that time is missing afterwards."""
    program = start("collect", mine)
    until(lambda: topics.size() > 100)
    topics.close()
    supervisor.stop_programs(servers.settings, ["kafka"])
    with pytest.raises(subprocess.TimeoutExpired):
        program.process.wait(5)
    supervisor.start_program(servers.settings, "kafka")
    until(lambda: answers(servers.settings))
    away_until = time.time_ns() // 1_000_000
    until(lambda: any(int(dict(r.headers).get("event_ms", 0)) > away_until for r in topics.posts()))
    assert program.stop() == 0, program.err
    assert Counter(record.value for record in topics.posts()) == Counter(generated(mine))


def test_x_reaches_kafka(mine: Settings, topics: Topics, start: Callable[..., Program]) -> None:
    """The whole program against a fake of X's API."""
    line = b'{"data":{"id":"2029164633767936000","text":"te\xc3\xa9"},"matching_rules":[]}'
    with FakeX() as x:
        x.then(Stream([line + b"\r\n", b"\r\n", line[:30] + b"\r\n"], "hold"))
        changes = {"source": "x", "x_api_url": x.url, "x_bearer_token": "bearer"}
        settings = Settings.model_validate({**mine.model_dump(exclude_unset=True), **changes})
        environment = settings.model_copy(update={"x_bearer_token": None})
        program = start_with_token(start, environment)
        until(lambda: topics.size() >= 3)
        assert program.stop() == 0, program.err
    found = {(r.key, r.value, dict(r.headers)["shape"]) for r in topics.posts()}
    assert found == {
        (b"x:2029164633767936000", line, b"post.x.v2"),
        (None, b"", b"notice.keepalive"),
        (b"x:?%08x" % zlib.crc32(line[:30]), line[:30], b"rejected.cut_off"),
    }
    assert b"bearer" not in json.dumps(topics.status()).encode()


def start_with_token(start: Callable[..., Program], settings: Settings) -> Program:
    """Start collect with a token, which the settings themselves do not print."""
    os.environ["DRINKSTREAM_X_BEARER_TOKEN"] = "bearer"
    try:
        return start("collect", settings)
    finally:
        del os.environ["DRINKSTREAM_X_BEARER_TOKEN"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--source", "tv"], 2, "collect: DRINKSTREAM_SOURCE=tv: there are demo, x\n"),
        (["--source", "x"], 2, "collect: X needs a bearer token: set DRINKSTREAM_X_BEARER_TOKEN, or "),
    ],
)
def test_what_cannot_run_says_why(
    mine: Settings, start: Callable[..., Program], arguments: list[str], code: int, message: str
) -> None:
    """One line on standard error, and the exit code of its kind."""
    program = start("collect", mine, *arguments)
    assert program.ended() == code
    assert message in program.err


def test_a_replay_without_kafka_says_so(tmp_path: Path, mine: Settings, start: Callable[..., Program]) -> None:
    """Ctrl-C ends the wait."""
    program = start("replay", mine.model_copy(update={"kafka_port": 1}), str(a_file(tmp_path, 5)[0]))
    assert any(b"event=waiting for=kafka at=127.0.0.1:1 attempt=1" in line for line in program.process.stderr)
    assert program.stop(signal.SIGINT) == 3
    assert "replay: Kafka at 127.0.0.1:1 is not there or has not its topics yet" in program.err
