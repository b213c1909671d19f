"""What the filtered stream tells of a connection that is lost."""

import threading

import pytest

from drinkstream.errors import BadInputError
from drinkstream.settings import Settings
from streaming.feed import Feed
from streaming.sources import x
from tests.lib.recording import RecordingProducer

NOON = 1_772_625_600_000  # 2026-03-04T12:00:00Z


def test_a_gap_begins_where_this_program_stood_still(monkeypatch: pytest.MonkeyPatch):
    """Kafka away for an hour, or the machine asleep: X has let go long before the dead connection is found."""
    now = NOON
    monkeypatch.setattr(x, "wall_clock_ms", lambda: now)
    kafka = RecordingProducer()
    feed = Feed(kafka, Settings(), "x", "x", lambda: now)
    stream = x.FilteredStream("bearer", "http://127.0.0.1:1", feed)
    stream.on_connect()
    now += 10_000
    stream.on_keep_alive()
    now += 3_600_000
    feed.tick()
    now += 21_000
    stream.on_connection_error()
    now += 2_000
    stream.on_connect()
    now += 27_000
    feed.tick()
    told = kafka.status()
    assert [(line["reason"], line["from"], line["to"]) for line in told if line["kind"] == "gap"] == [
        ("disconnected", "2026-03-04T12:00:10.000Z", "2026-03-04T13:00:33.000Z")
    ]
    minutes = [line["connected_s"] for line in told if line["kind"] == "minute"]
    assert minutes == [10.0, *[0.0] * 59, 27.0]


def test_a_token_that_no_header_can_hold_is_refused_without_being_said(caplog: pytest.LogCaptureFixture) -> None:
    """requests says it; it would be tried again, and logged, without end."""
    client = x.FilteredStream("s3cret\r", "http://127.0.0.1:1", Feed(RecordingProducer(), Settings(), "x", "x"))
    with pytest.raises(BadInputError, match="no request to X can be made") as refused:
        x.patiently(client.get_rules, threading.Event())
    assert "s3cret" not in str(refused.value) + caplog.text


def test_an_announcement_is_read_as_the_parser_read_it() -> None:
    """A number of any length ends no connection."""
    line = b'{"errors":[{"disconnect_type":"Operational"}],"n":%b}'
    assert x.announced(line % (b"9" * 5000)) == "Operational"
