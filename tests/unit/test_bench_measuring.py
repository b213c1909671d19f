"""What the rows measure with: full micro-batches, delays, durations on file, requests that are due whatever happens."""

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bench.backlog import fresh_from
from bench.growth import part_rates
from bench.hot import Lasted, all_committed, durations, within
from bench.load import levels_of
from bench.openloop import Ask, Times, body_length, run
from bench.posts import lines, truth
from bench.seen import Watch, delays
from bench.steady import Step, joint_rate, rate, steps, steps_of
from drinkstream.cells import pack
from drinkstream.errors import BadInputError
from drinkstream.store.rows import Batch, CellIds

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def batch(number: int, rows: int, ended_s: float | None) -> Batch:
    """A micro-batch that ended so many seconds after BEGAN."""
    ended = None if ended_s is None else BEGAN + timedelta(seconds=ended_s)
    return Batch(number, BEGAN, ended, None, rows, 0, {})


def test_the_rate_is_that_of_the_full_micro_batches_behind_the_warm_up():
    done = [batch(0, 1000, 20), batch(1, 1000, 24), batch(2, 998, 27), batch(3, 1000, 30), batch(4, 2, 31)]
    assert rate(steps_of(done), warm_up=2000, most=1000) == 1998 / 6.0


def test_a_micro_batch_that_has_not_ended_is_not_measured():
    done = [batch(0, 1000, 20), batch(1, 1000, 24), batch(2, 1000, 27), batch(3, 1000, None)]
    assert rate(steps_of(done), warm_up=1000, most=1000) == 2000 / 7.0


def each(posts: int, *ended_s: float) -> list[Step]:
    """Steps of so many posts that ended so many seconds after BEGAN."""
    return steps((BEGAN + timedelta(seconds=second), posts) for second in ended_s)


def test_the_rate_through_both_is_that_of_the_one_that_is_through_last():
    drained = each(1000, 10, 12, 14, 16, 18)
    assert joint_rate((drained, each(500, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18)), warm_up=1000) == 4000 / 8.0
    # it had the warm-up late, and all of it long behind the other
    late = each(500, 10, 20, 22, 24, 26, 28, 30, 32, 34, 50)
    assert joint_rate((drained, late), warm_up=1000) == joint_rate((late, drained), warm_up=1000) == 4000 / 40.0


def test_the_rate_of_a_part_runs_from_the_end_of_the_one_before():
    done = [batch(0, 1000, 20), batch(1, 1000, 24), batch(2, 1000, 26), batch(3, 500, 27)]
    assert part_rates(done, [1000, 2000, 3000, 3500], [1, 2, 3]) == [2000 / 24, 500, 500]


def test_too_few_full_micro_batches_are_no_measurement():
    with pytest.raises(BadInputError, match="fewer than two"):
        rate(steps_of([batch(0, 1000, 20), batch(1, 1000, 24)]), warm_up=1000, most=1000)


class Store:
    """Answers with the cells of one minute, as they are when it is asked."""

    def __init__(self) -> None:
        self.cells: dict[str, list[CellIds]] = {}

    def speed_minute(self, _: str, hour: str, minute: int, categories: list[str]) -> list[CellIds]:
        assert categories == ["*"]
        return self.cells.get(f"{hour}:{minute:02d}", [])


def cell(brand: str, *ids: int) -> CellIds:
    return CellIds("2026-01-01T00", 1, "*", brand, "x", "original", "en", (pack(map(str, ids)),))


def test_a_post_is_seen_when_an_answer_first_holds_it_in_the_level_of_any_drink():
    store = Store()
    watch = Watch(store, "e1")  # type: ignore[arg-type]
    now_ms = int((BEGAN + timedelta(minutes=1)).timestamp() * 1000)
    store.cells["2026-01-01T00:01"] = [cell("", 1, 2), cell("pepsi", 9)]
    watch.look(now_ms, 2)
    first = dict(watch.seen)
    assert first.keys() == {1, 2}
    store.cells["2026-01-01T00:01"] = [cell("", 1, 2, 3)]
    watch.look(now_ms + 60_000, 2)
    assert watch.seen.keys() == {1, 2, 3}
    assert {number: watch.seen[number] for number in first} == first
    assert watch.seen[3] > watch.seen[1]


def test_a_delay_is_from_append_time_to_sight_and_a_post_that_was_never_seen_has_none():
    assert delays({1: 5_000, 2: 5_500, 3: 6_000}, {1: 6.25, 2: 6.0}) == {1: 1.25, 2: 0.5}


def test_posts_are_fresh_again_behind_the_last_one_that_was_late():
    seen = {1: 10.0, 2: 20.0, 3: 21.0}
    assert fresh_from({1: 9.0, 2: 2.0, 3: 0.5}, seen) == 20.0
    assert fresh_from({1: 0.9, 2: 1.0, 3: 0.5}, seen) == 0.0


def test_a_stream_counts_a_post_in_the_levels_that_the_truth_counts_it_in():
    for line in islice(lines(0, 50, 1, hit_share=1.0), 300):
        assert dict.fromkeys(levels_of(line.pairs), 1) == truth([line])


def on_file(folder: Path, number: int, began: float, ended: float | None) -> None:
    """A micro-batch in a checkpoint, as Spark keeps it."""
    for name in ("offsets", "commits"):
        (folder / name).mkdir(exist_ok=True)
    fact = json.dumps({"batchWatermarkMs": 0, "batchTimestampMs": round(began * 1000)})
    (folder / "offsets" / str(number)).write_text(f"v1\n{fact}\n{{}}\n")
    if ended is not None:
        commit = folder / "commits" / str(number)
        commit.write_text("v1\n{}\n")
        os.utime(commit, (ended, ended))


def test_a_micro_batch_lasts_from_its_offsets_to_its_commit(tmp_path: Path):
    for number in (7, 8):
        on_file(tmp_path, number, 1_000_000_000 + number, 1_000_000_000 + number + 0.5)
    (tmp_path / "offsets" / "7").unlink()
    assert durations(tmp_path) == {8: Lasted(1_000_000_008, pytest.approx(0.5, abs=1e-4))}


def test_the_micro_batch_that_runs_when_the_window_closes_is_one_of_it(tmp_path: Path):
    """The longest of all, and the last in which posts came: nothing commits behind it."""
    for number, began, ended in ((1, 9.5, 10.25), (2, 10.25, 11.0), (3, 18.0, 19.0)):
        on_file(tmp_path, number, began, ended)
    on_file(tmp_path, 4, 19.5, None)
    assert not all_committed(tmp_path)
    assert sorted(within(durations(tmp_path), 10.0, 20.0)) == pytest.approx([0.75, 1.0], abs=1e-4)
    on_file(tmp_path, 4, 19.5, 22.5)
    on_file(tmp_path, 5, 20.5, 23.5)
    assert all_committed(tmp_path)
    assert sorted(within(durations(tmp_path), 10.0, 20.0)) == pytest.approx([0.75, 1.0, 3.0], abs=1e-4)


Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


PLAIN: tuple[Ask, ...] = (("/a", False), ("/b", False))


def asked(answering: Answering, rate: float, seconds: float, asks: tuple[Ask, ...] = PLAIN) -> Times:
    """The times of requests to a server that answers each connection in this way."""

    tasks: list[asyncio.Task[None]] = []

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.ensure_future(answering(reader, writer)))

    async def both() -> Times:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            times = await run("127.0.0.1", port, rate, seconds, asks)
            await asyncio.gather(*tasks)
            return times

    return asyncio.run(both())


def closing(most: int) -> Answering:
    """Answers /a with 200 and all else with 500; the first `most` requests are met by closing their connections."""
    closed: list[int] = []

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.startswith(b"GET"):
                if len(closed) < most:
                    closed.append(1)
                    break
                status = b"200 OK" if line.startswith(b"GET /a ") else b"500 No"
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nok")
        writer.close()
        await writer.wait_closed()

    return answering


def test_every_request_is_sent_and_what_is_not_200_has_failed():
    times = asked(closing(0), rate=200, seconds=0.5)
    assert (len(times.ms), times.failed) == (100, 50)


def test_a_server_that_stalls_is_not_spared_what_it_kept_waiting():
    """It answers nothing for 0.4 s, then everything: a request due at the start has waited so long, one later less."""
    first: list[float] = []

    async def stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while line := await reader.readline():
            if line.startswith(b"GET"):
                first.append(loop.time())
                await asyncio.sleep(max(0.0, first[0] + 0.4 - loop.time()))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    times = asked(stalling, rate=400, seconds=0.5)
    assert len(times.ms) == 200
    # a client that waited for its 64 connections would have asked 64 times in the stall, this one asked 160 times
    assert sum(ms > 100 for ms in times.ms) > 64


def test_a_request_that_met_a_closing_connection_is_sent_once_more():
    times = asked(closing(1), rate=200, seconds=0.5)
    assert (len(times.ms), times.failed, times.again) == (100, 50, 1)


def test_a_request_whose_connection_is_closed_twice_has_failed(monkeypatch):
    monkeypatch.setattr("bench.openloop.PATIENCE_S", 0.2)
    times = asked(closing(10_000), rate=100, seconds=0.1)
    assert (len(times.ms), times.failed, times.again) == (10, 10, 10)


def test_an_answer_without_a_length_is_refused():
    assert body_length(b"HTTP/1.1 200 OK\r\ncontent-length: 17") == 17
    with pytest.raises(ValueError, match="without a length"):
        body_length(b"HTTP/1.1 200 OK")


def test_an_answer_that_is_known_is_asked_for_by_its_etag_and_one_that_stands_counts_as_answered():
    """The tag of /a changes with every third answer; requests that name none get the whole answer."""
    named: list[tuple[bytes, bool]] = []  # and whether it still stands
    answers: list[int] = []

    async def tagging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tag = b""
        while line := await reader.readline():
            if line.startswith(b"If-None-Match: "):
                tag = line.split()[1]
            elif line == b"\r\n":
                answers.append(1)
                now = b'"%d"' % (len(answers) // 3)
                if tag:
                    named.append((tag, tag == now))
                if tag == now:
                    writer.write(b"HTTP/1.1 304 NOT MODIFIED\r\nETag: " + now + b"\r\n\r\n")
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\netag: " + now + b"\r\nContent-Length: 2\r\n\r\nok")
                tag = b""
        writer.close()
        await writer.wait_closed()

    times = asked(tagging, 50, 0.6, (("/a", True),))
    assert (len(times.ms), times.failed) == (30, 0)
    # the first knows no tag, nor does any other that goes out before the first answer has come
    assert 0 < times.unchanged == sum(stands for _, stands in named) < len(named) < 30
    assert len({tag for tag, _ in named}) > 3
    named.clear()
    assert asked(tagging, 50, 0.6, (("/a", False),)).unchanged == len(named) == 0


def test_a_304_to_a_request_that_named_nothing_has_failed():
    async def always(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line == b"\r\n":
                writer.write(b"HTTP/1.1 304 NOT MODIFIED\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    times = asked(always, 100, 0.1, PLAIN)
    assert (len(times.ms), times.failed, times.unchanged) == (10, 10, 0)
