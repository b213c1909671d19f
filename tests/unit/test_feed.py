"""What a feed sends: each record with its key and headers, every minute's counts, and each trouble by name."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from drinkstream.settings import Settings
from streaming.feed import Feed
from streaming.lines import Oversize
from tests.lib.recording import RecordingProducer

NOON = 1_772_625_600_000  # 2026-03-04T12:00:00Z
POST = b'{"data":{"id":"2029164633767936000","text":"tea","created_at":"2026-03-04T11:58:40.000Z"}}'
POST_MS = 1_772_625_520_000 // 1000


class Clock:
    """A wall clock that stands until it is set."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Noon."""
    return Clock(NOON)


@pytest.fixture
def kafka() -> RecordingProducer:
    """Takes everything."""
    return RecordingProducer()


@pytest.fixture
def feed(kafka: RecordingProducer, clock: Callable[[], int]) -> Feed:
    """A feed of X's through the adapter `replay`."""
    return Feed(kafka, Settings(), "x", "replay", clock)


def test_a_post_goes_out_as_received_with_its_key_and_headers(feed: Feed, kafka: RecordingProducer) -> None:
    """Key `source:id`; the event time is the one in the id."""
    feed.line(POST)
    event_ms = str((2029164633767936000 >> 22) + 1_288_834_974_657).encode()
    assert kafka.posts() == [
        (POST, b"x:2029164633767936000", [("source", b"x"), ("shape", b"post.x.v2"), ("event_ms", event_ms)])
    ]


def test_bad_lines_and_blank_ones_go_out_too(feed: Feed, kafka: RecordingProducer) -> None:
    """Their reason in the shape, their source in the key; not one byte is dropped."""
    for line in (b"", b"not json", POST[:40], b"\xff\xfe{"):
        feed.line(line)
    assert [(value, key, dict(headers)["shape"]) for value, key, headers in kafka.posts()] == [
        (b"", None, b"notice.keepalive"),
        (b"not json", b"x:?c68ccb66", b"rejected.not_json"),
        (POST[:40], b"x:?%08x" % zlib.crc32(POST[:40]), b"rejected.cut_off"),
        (b"\xff\xfe{", b"x:?%08x" % zlib.crc32(b"\xff\xfe{"), b"rejected.encoding"),
    ]
    assert dict(feed.received) == {
        "notice": 1,
        "rejected.not_json": 1,
        "rejected.cut_off": 1,
        "rejected.encoding": 1,
    }
    assert (feed.lines, feed.records) == (4, 4)


def test_a_page_is_one_line_and_a_record_for_each_member(feed: Feed, kafka: RecordingProducer) -> None:
    """The account counts records after the split."""
    feed.line(b'{"data":[{"id":"2029164633767936000","text":"a"},{"id":"2029164633767936001","text":"b"}],"meta":{}}')
    assert (feed.lines, feed.records) == (1, 3)
    assert dict(feed.received) == {"post": 2, "notice": 1}
    assert [key for _, key, _ in kafka.posts()] == [b"x:2029164633767936000", b"x:2029164633767936001", None]


def test_a_line_too_large_for_kafka_is_cut_counted_and_told(feed: Feed, kafka: RecordingProducer) -> None:
    """Ten megabytes pass; above twelve the first 64 KiB are kept, and feed.status says how long it was."""
    feed.line(b"x" * 10_000_000)
    feed.line(b"y" * 12_000_001)
    feed.line(Oversize(b"z" * 65_536, 99_000_000))
    assert [(value[:1], len(value), dict(headers)["shape"]) for value, _, headers in kafka.posts()] == [
        (b"x", 10_000_000, b"rejected.not_json"),
        (b"y", 65_536, b"rejected.too_large"),
        (b"z", 65_536, b"rejected.too_large"),
    ]
    told = {"source": "x", "via": "replay", "kind": "gap", "at": "2026-03-04T12:00:00.000Z", "reason": "too_large"}
    assert kafka.status() == [
        {**told, "bytes": 12_000_001, "kept": 65_536},
        {**told, "bytes": 99_000_000, "kept": 65_536},
    ]
    assert dict(feed.received) == {"rejected.not_json": 1, "rejected.too_large": 2}


def test_each_minute_says_what_came_in_it(feed: Feed, kafka: RecordingProducer, clock: Clock) -> None:
    """Minutes of the wall clock, empty ones too, with the seconds in which the source was connected."""
    clock.now = NOON + 30_000
    feed.connected(attempt=1)
    feed.line(POST)
    feed.line(b"not json")
    clock.now = NOON + 60_000
    feed.line(POST)
    clock.now = NOON + 180_000
    feed.tick()
    clock.now = NOON + 195_500
    feed.disconnected(reason="reset")
    feed.disconnected(reason="again")
    clock.now = NOON + 200_000
    feed.close()

    def told(kind: str, at: str, **more: object) -> dict[str, object]:
        return {"source": "x", "via": "replay", "kind": kind, "at": f"2026-03-04T12:{at}Z", **more}

    def minute(at: str, minute: int, connected_s: float, **received: int) -> dict[str, object]:
        named = {kind.replace("__", "."): n for kind, n in received.items()}
        start = f"2026-03-04T12:{minute:02}:00.000Z"
        none = {"limits": 0, "undelivered": 0, "gaps": 0}
        return told("minute", at, minute=start, connected_s=connected_s, received=named, **none)

    assert kafka.status() == [
        told("connect", "00:30.000", attempt=1),
        minute("01:00.000", 0, 30.0, post=1, rejected__not_json=1),
        minute("03:00.000", 1, 60.0, post=1),
        minute("03:00.000", 2, 60.0),
        told("disconnect", "03:15.500", reason="reset"),
        minute("03:20.000", 3, 15.5),
        told("done", "03:20.000", lines=3, records=3, received={"post": 2, "rejected.not_json": 1}),
    ]
    assert kafka.flushed == len(kafka.sent)


def covered(kafka: RecordingProducer) -> list[tuple[str, float]]:
    """Each minute and its connected seconds."""
    return [(line["minute"][11:16], line["connected_s"]) for line in kafka.status() if line["kind"] == "minute"]


def test_a_source_that_does_not_wait_counts_only_while_it_is_read(
    feed: Feed, kafka: RecordingProducer, clock: Clock
) -> None:
    """A standstill is not covered, nor is what follows until the connection has stood again for as long."""
    feed.connected(patience_ms=30_000)
    for at in (20, 50, 70, 90):
        clock.now = NOON + at * 1000
        feed.tick()
    clock.now = NOON + 3_625_000
    for _ in range(4):
        feed.line(POST)
        clock.now += 20_000
    feed.tick()
    assert feed.disconnected(reason="reset") == clock.now
    feed.close()
    minutes = covered(kafka)
    assert minutes[:2] == [("12:00", 60.0), ("12:01", 30.0)]
    assert minutes[2:60] == [(f"12:{minute:02}", 0.0) for minute in range(2, 60)]
    # from 13:00:25 it is read again, from 13:00:55 it counts, at 13:01:45 it ends
    assert minutes[60:] == [("13:00", 5.0), ("13:01", 45.0)]


def test_a_connection_that_was_lost_in_a_standstill_was_lost_at_its_beginning(
    feed: Feed, kafka: RecordingProducer, clock: Clock
) -> None:
    """Though lines that had come before are read after it, and though it stands still twice."""
    feed.connected(patience_ms=30_000)
    clock.now = NOON + 20_000
    feed.tick()
    clock.now = NOON + 200_000
    feed.line(POST)
    clock.now = NOON + 240_000
    feed.line(POST)
    clock.now = NOON + 261_000
    assert feed.disconnected(reason="lost") == NOON + 20_000
    assert feed.disconnected(reason="again") is None
    feed.connected(patience_ms=30_000)
    clock.now = NOON + 290_000
    assert feed.disconnected(reason="reset") == NOON + 290_000
    feed.close()
    assert covered(kafka) == [("12:00", 20.0), ("12:01", 0.0), ("12:02", 0.0), ("12:03", 0.0), ("12:04", 29.0)]


@pytest.mark.parametrize(("waits", "before"), [("posts", []), ("feed.status", [("12:00", 60.0)])])
def test_a_record_that_waits_for_kafka_is_a_standstill(
    feed: Feed, kafka: RecordingProducer, clock: Clock, waits: str, before: list[tuple[str, float]]
) -> None:
    """A post, or a minute's own line, whose minute had ended before."""
    feed.connected(patience_ms=30_000)
    clock.now += 30_000
    feed.tick()
    if waits == "feed.status":
        clock.now += 30_000
    send = kafka.send

    def wait(topic: str, *record: Any) -> None:
        if topic == waits:
            kafka.send = send  # type: ignore[method-assign]
            clock.now += 570_000
        send(topic, *record)

    kafka.send = wait  # type: ignore[method-assign]
    feed.line(POST)
    feed.tick()
    first = before or [("12:00", 30.0)]
    assert covered(kafka) == [*first, *((f"12:{minute:02}", 0.0) for minute in range(1, 10))]


def test_a_limit_notice_is_told_at_once(feed: Feed, kafka: RecordingProducer) -> None:
    """With the number of posts that the network kept back."""
    feed.line(b'{"limit":{"track":1234,"timestamp_ms":"1772625600000"}}')
    feed.line(b'{"limit":{"track":"many"}}')
    told = {"source": "x", "via": "replay", "kind": "limit", "at": "2026-03-04T12:00:00.000Z"}
    assert kafka.status() == [{**told, "track": 1234}, told]
    assert dict(feed.received) == {"notice": 2}


@pytest.mark.parametrize(
    "line",
    [
        b'{"limit":{"track":1},"n":' + b"9" * 5000 + b"}",
        b'\xef\xbb\xbf{"limit":{"track":1}}',
        b'{"limit":{"track":1},"n":"\\ud83d"}',
    ],
)
def test_a_limit_notice_is_read_as_the_parser_read_it(feed: Feed, kafka: RecordingProducer, line: bytes) -> None:
    """What one takes for a notice the other must not fall over."""
    feed.line(line)
    assert [line["track"] for line in kafka.status()] == [1]


@pytest.mark.parametrize("track", ["9" * 4000, "1" + "0" * 30])
def test_a_limit_that_no_table_can_hold_is_of_another_form(feed: Feed, kafka: RecordingProducer, track: str) -> None:
    """The count of the minute stays a number that the night can write."""
    feed.line(b'{"limit":{"track":%b}}' % track.encode())
    assert ["track" in line for line in kafka.status()] == [False]


def test_a_minute_says_how_many_posts_were_kept_back_and_how_many_gaps_were_told(
    feed: Feed, kafka: RecordingProducer, clock: Clock
) -> None:
    """X counts from the start of each connection, so what the count grew by is new; an older count is none."""
    feed.connected()
    for track in (10, 25, 20):
        feed.line(b'{"limit":{"track":%d}}' % track)
    clock.now = NOON + 60_000
    feed.line(b'{"limit":{"track":27}}')
    feed.disconnected(reason="reset")
    feed.status("gap", reason="disconnected")
    feed.connected()
    feed.line(b'{"limit":{"track":4}}')
    feed.line(b'{"limit":{"track":"many"}}')
    clock.now = NOON + 180_000
    feed.tick()
    minutes = [line for line in kafka.status() if line["kind"] == "minute"]
    assert [(line["limits"], line["undelivered"], line["gaps"]) for line in minutes] == [
        (3, 25, 0),
        (3, 6, 1),
        (0, 0, 0),
    ]


def test_status_lines_have_no_key(feed: Feed, kafka: RecordingProducer) -> None:
    """One JSON object each on a topic of their own."""
    feed.status("gap", reason="stopped")
    [(topic, value, key, headers)] = kafka.sent
    assert (topic, key, headers) == ("feed.status", None, [])
    assert json.loads(value)["reason"] == "stopped"
