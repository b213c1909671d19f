"""Replay accounts for each line, keeps the original intervals when asked to, and says what it could not read."""

import bz2
import gzip
import io
import os
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from drinkstream.errors import BadInputError
from drinkstream.settings import Settings
from streaming import replay as module
from streaming.feed import Feed
from streaming.replay import Pace, account, command, main, replay
from tests.lib.recording import RecordingProducer

POST = b'{"data":{"id":"%d","text":"tea"}}'
DELETE = b'{"delete":{"status":{"id":505053278388760576,"id_str":"505053278388760576","user_id":1}}}'
LINES = [
    POST % 2029164633767936000,
    DELETE,
    b"",
    b'{"limit":{"track":3}}',
    b'{"data":{"id":"20',
    b"hello",
    POST % 2029164633767936001,
]


class Kafka(RecordingProducer):
    """The stand-in, opened and closed like the real one."""

    def __enter__(self) -> "Kafka":
        return self

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """Takes the place of the real producer."""
    stand_in = Kafka()
    monkeypatch.setattr(module, "Producer", lambda *_, **__: stand_in)
    return stand_in


def test_every_line_is_sent_and_accounted_for(kafka: Kafka, tmp_path: Path) -> None:
    """Plain with LF and gzip with CR LF: the same values; the sum of the classes is the number of records."""
    plain, packed = tmp_path / "plain.json", tmp_path / "packed"
    plain.write_bytes(b"".join(line + b"\n" for line in LINES))
    packed.write_bytes(gzip.compress(b"\r\n".join(LINES)))
    feed = replay([str(plain), str(packed)], Settings())
    assert [value for value, _, _ in kafka.posts()] == [*LINES, *LINES]
    assert kafka.flushed == len(kafka.sent)
    assert account(feed) == (
        "14 lines, 14 records = 4 posts + 2 tombstones + 4 notices + 4 rejected (cut_off 2, not_json 2)"
    )
    done = kafka.status()[-1]
    assert (done["kind"], done["lines"], done["records"], done["received"]) == (
        "done",
        14,
        14,
        {"post": 4, "tombstone": 2, "notice": 4, "rejected.cut_off": 2, "rejected.not_json": 2},
    )


def test_a_cut_off_file_is_sent_as_far_as_it_goes_then_named(kafka: Kafka, tmp_path: Path) -> None:
    """The files after it are sent too, a missing one is named as well, and the error holds the account."""
    cut, whole = tmp_path / "cut.gz", tmp_path / "whole"
    text = b"".join(POST % (2029164633767936000 + n * n) + b"\n" for n in range(2000))
    cut.write_bytes(gzip.compress(text)[:-2000])
    whole.write_bytes(LINES[0] + b"\n")
    with pytest.raises(BadInputError) as error:
        replay([str(cut), str(tmp_path / "absent"), str(whole)], Settings())
    values = [value for value, _, _ in kafka.posts()]
    assert values[-1] == LINES[0]
    assert text.startswith(b"\n".join(values[:-1]))
    assert len(values) > 1000
    assert str(error.value).startswith(
        f"{cut}: the gzip data ends in the middle; what could be read of it was sent; "
        f"{tmp_path / 'absent'}: No such file or directory. Sent all the same: {len(values)} lines"
    )
    assert error.value.exit_code == 2


def test_a_cut_off_file_with_a_name_of_any_bytes_is_named(kafka: Kafka, tmp_path: Path) -> None:
    """One that is not UTF-8, too: everything is sent and acknowledged before."""
    cut = os.fsdecode(bytes(tmp_path / "caf") + b"\xe9.gz")
    Path(cut).write_bytes(gzip.compress(b"".join(line + b"\n" for line in LINES))[:-8])
    with pytest.raises(BadInputError, match="the gzip data ends in the middle"):
        replay([cut], Settings())
    assert kafka.flushed == len(kafka.sent)
    assert kafka.status()[-1]["faults"] == [
        f"{cut}: the gzip data ends in the middle; what could be read of it was sent"
    ]


def test_files_of_another_kind_are_sent_and_told_of(kafka: Kafka, tmp_path: Path) -> None:
    """Nothing is lost, but that no line could be read is no success."""
    file = tmp_path / "access.log"
    file.write_bytes(b"GET /\nGET /posts\n")
    with pytest.raises(BadInputError, match=r"no line could be read: .* 2 lines, 2 records = .* 2 rejected"):
        replay([str(file)], Settings())
    assert len(kafka.posts()) == 2


def test_an_archive_is_named_and_not_sent(kafka: Kafka, tmp_path: Path) -> None:
    """Cut into lines it would stay in our own archive for good; the file after it is sent."""
    packed, whole = tmp_path / "posts.tar.gz", tmp_path / "whole"
    (tmp_path / "member").write_bytes(b"".join(line + b"\n" for line in LINES))
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tmp_path / "member")
    whole.write_bytes(bz2.compress(LINES[0] + b"\n"))
    with pytest.raises(BadInputError) as error:
        replay([str(packed), str(whole)], Settings())
    assert str(error.value).startswith(
        f"{packed}: it holds a tar archive and no lines: unpack it first, `tar -xf`; nothing of it was sent. "
        "Sent all the same: 1 lines"
    )
    assert [value for value, _, _ in kafka.posts()] == [LINES[0]]


@pytest.mark.usefixtures("kafka")
def test_blank_lines_are_no_lines_that_could_be_read(tmp_path: Path) -> None:
    """Any binary file has some; a stream on which nobody said anything is a success."""
    file = tmp_path / "file"
    file.write_bytes(b"hello\nworld\n\n")
    with pytest.raises(BadInputError, match=r"no line could be read: .* 1 notices \+ 2 rejected"):
        replay([str(file)], Settings())
    file.write_bytes(b"\n\n")
    assert replay([str(file)], Settings()).keepalives == 2


def test_the_event_times_make_the_pace() -> None:
    """Each line waits for its distance from the first; without a time, or late, it does not wait."""
    now = 100.0
    ticks: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal now
            assert timeout is not None
            now += timeout
            return False

    pace = Pace(Stop(), lambda: now)
    reached = []
    for event_ms in (5000, 7500, None, 6000, 7500, 8000):
        pace.wait_for(event_ms, lambda: ticks.append(now))
        reached.append(now)
    assert reached == [100.0, 102.5, 102.5, 102.5, 102.5, 103.0]
    assert ticks == [100.0, 101.0, 102.0, 102.5]


def test_only_posts_make_the_pace(kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delete has the time of the post that it deletes: as the first line it would let the next wait for years."""
    asked: list[int | None] = []
    monkeypatch.setattr(Pace, "wait_for", lambda _self, event_ms, _tick: asked.append(event_ms))
    file = tmp_path / "file"
    file.write_bytes(b"\n".join([DELETE, LINES[0], DELETE, b"", LINES[-1]]))
    replay([str(file)], Settings(), live=True)
    assert [dict(headers)["shape"] for _, _, headers in kafka.posts()] == [
        b"tombstone.delete",
        b"post.x.v2",
        b"tombstone.delete",
        b"notice.keepalive",
        b"post.x.v2",
    ]
    assert asked == [1_772_625_523_403, 1_772_625_523_403]


def test_a_stop_ends_the_replay_with_what_was_sent(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half done: the account says how far it came."""
    file = tmp_path / "file"
    file.write_bytes(b"".join(line + b"\n" for line in LINES))
    stop = threading.Event()
    send = kafka.send

    def last(topic: str, *record: Any) -> None:
        send(topic, *record)
        if topic == "posts":
            stop.set()

    monkeypatch.setattr(kafka, "send", last)
    with pytest.raises(module.Interrupted, match=r"ended early: 1 lines, 1 records = 1 posts"):
        replay([str(file)], Settings(), stop=stop)
    assert [value for value, _, _ in kafka.posts()] == LINES[:1]


@pytest.mark.parametrize(
    ("written", "whole"),
    [(b"", 0), (LINES[0] + b"\n" + LINES[0][:9], 1), (gzip.compress(LINES[0] + b"\n" + LINES[0])[:-9], 1)],
)
def test_a_stop_ends_a_replay_of_a_silent_pipe(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, written: bytes, whole: int
) -> None:
    """Its minutes are told while it is silent; what the stop cut off is neither sent nor a fault."""
    ticks: list[Feed] = []
    monkeypatch.setattr(module, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(Feed, "tick", lambda feed: ticks.append(feed))
    reader, writer = os.pipe()
    os.write(writer, written)
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    with os.fdopen(writer, "wb"), os.fdopen(reader, "rb") as silent:
        monkeypatch.setattr(module.sys, "stdin", io.TextIOWrapper(silent))
        with pytest.raises(module.Interrupted, match=f"ended early: {whole} lines, {whole} records = {whole} posts"):
            replay(["-"], Settings(), stop=stop)
    assert time.monotonic() - began < 2
    assert len(ticks) > 5
    assert [value for value, _, _ in kafka.posts()] == LINES[:1] * whole
    assert kafka.status()[-1]["faults"] == []


def test_the_command_prints_the_account(kafka: Kafka) -> None:
    """On standard output; standard input is a file like any other."""
    assert kafka.sent == []
    result = CliRunner().invoke(command, ["-"], input=b"\n".join(LINES))
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "7 lines, 7 records = 2 posts + 1 tombstones + 2 notices + 2 rejected (cut_off 1, not_json 1)\n"
    )


def test_the_demo_history_ends_where_the_live_demo_begins(kafka: Kafka, tmp_path: Path) -> None:
    """A position is left for the live stream; a second history of the same span is the same bytes."""
    settings = Settings(home=tmp_path, demo_seed=3, demo_rate=2.0)
    first = module.replay_demo(0.02, 1.0, settings, threading.Event())
    once = [value for value, _, _ in kafka.posts()]
    assert 300 < first.lines < 4000  # 1,728 on average over a day
    reached = module.demo_live.position(settings)
    assert reached is not None
    assert reached.first_ms == reached.next_ms
    module.replay_demo(0.02, 1.0, settings, threading.Event())
    assert [value for value, _, _ in kafka.posts()] == once * 2


@pytest.mark.parametrize("arguments", [[], ["--demo", "1", "file"]])
def test_files_or_demo_but_not_both(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A message that says what to do, exit code 2."""
    assert main(arguments) == 2
    assert capsys.readouterr().err == (
        "replay: name files to replay (or - for standard input), or --demo with a number of days\n"
    )


@pytest.mark.parametrize("source", ["X", "twitter", ""])
def test_a_source_that_nobody_can_read_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    """Each of its lines would lie in the archive as rejected; Kafka is not even opened."""
    monkeypatch.setattr(module, "Producer", lambda *_, **__: pytest.fail("opened"))
    file = tmp_path / "file"
    file.write_bytes(b"\n".join(LINES))
    assert main([str(file), "--source", source]) == 2
    assert capsys.readouterr().err == f"replay: --source {source}: there are x, demo; nothing was sent\n"


def test_an_account_without_rejections_names_no_reasons() -> None:
    """Nothing in brackets."""
    feed = Feed(Kafka(), Settings(), "x", "replay")
    assert account(feed) == "0 lines, 0 records = 0 posts + 0 tombstones + 0 notices + 0 rejected"
