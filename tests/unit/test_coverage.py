"""What the feeds say of each minute: read from status lines, summed by day, kept again and again with the same rows."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drinkstream.coverage import Covered, Minute, minute, of_day, of_days, summed
from drinkstream.settings import Settings
from drinkstream.store.coverage import keep
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer
from jobs.coverage import settle, spans
from stack.cassandra import SCHEMA, statements
from streaming.feed import Feed
from tests.lib.archived import archive, row
from tests.lib.cassandra_in_memory import Store
from tests.lib.recording import RecordingProducer

DAY = date(2017, 9, 14)
EIGHT = datetime(2017, 9, 14, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def line(at: datetime = EIGHT, **changed: Any) -> bytes:
    told = {
        "source": "x",
        "via": "x",
        "kind": "minute",
        "at": "2017-09-14T08:01:00.000Z",
        "minute": at.isoformat().replace("+00:00", "Z"),
        "connected_s": 60.0,
        "received": {"post": 7, "notice": 2},
        "limits": 1,
        "undelivered": 5,
        "gaps": 0,
    }
    return json.dumps({**told, **changed}).encode()


def told(at: datetime, place: str, connected_ms: int = 60_000, source: str = "x") -> Minute:
    return Minute(source, at, place, connected_ms, 9, 1, 5, 0)


def test_a_minute_is_read_from_the_line_that_the_collector_sends() -> None:
    """Not from a made-up one: the feed's own."""
    kafka = RecordingProducer()
    clock = [int(EIGHT.timestamp() * 1000)]
    feed = Feed(kafka, Settings(), "x", "x", lambda: clock[0])
    feed.connected()
    feed.line(b'{"limit":{"track":12}}')
    feed.line(b"not json")
    clock[0] += 45_000
    feed.disconnected()
    feed.status("gap", reason="stopped")
    clock[0] += 15_000
    feed.tick()
    lines = [value for topic, value, _, _ in kafka.sent if topic == "feed.status"]
    found = [minute(value, "c/feed.status/0/3") for value in lines]
    assert [one for one in found if one is not None] == [
        Minute("x", EIGHT, "c/feed.status/0/3", 45_000, received=2, limits=1, undelivered=12, gaps=1)
    ]


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"[1]",
        b"\xff",
        line(kind="connect"),
        line(via="replay"),
        line(source=None),
        line(minute="2017-09-14T08:00:00"),
        line(minute="at eight"),
        line(connected_s="all"),
        line(received=9),
        line(received={"post": -1}),
        line(limits=True),
        line(undelivered=None),
    ],
)
def test_any_other_line_is_none(value: bytes | None) -> None:
    """Nor is one of a replay, whose minutes are not those of a feed."""
    assert minute(value, "p") is None


def test_a_minute_is_no_longer_than_itself() -> None:
    """Two lives of a collector within one minute add up; two collectors at once do not cover more than all of it."""
    minutes = [
        told(EIGHT, "a", 20_000),
        told(EIGHT, "b", 15_000),
        told(EIGHT + MINUTE, "c"),
        told(EIGHT + MINUTE, "d", 59_000),
        told(EIGHT + MINUTE, "d", 59_000),
        told(EIGHT + timedelta(days=1), "e"),
        told(EIGHT, "f", 1, source="demo"),
    ]
    assert summed(minutes) == (
        Covered(DAY, "demo", 1, 9, 1, 5, 0, EIGHT + MINUTE),
        Covered(DAY, "x", 95_000, 36, 4, 20, 0, EIGHT + 2 * MINUTE),
        Covered(DAY + timedelta(days=1), "x", 60_000, 9, 1, 5, 0, EIGHT + timedelta(days=1) + MINUTE),
    )


def day(connected_ms: int, until: datetime, source: str = "x") -> Covered:
    return Covered(DAY, source, connected_ms, 100, 2, 30, 1, until)


def test_a_past_day_is_covered_by_what_was_connected_of_its_24_hours() -> None:
    later = datetime(2017, 9, 20, tzinfo=UTC)
    assert of_day(DAY, [day(43_200_000, EIGHT)], later) == {
        "share": 0.5,
        "connected_s": 43_200.0,
        "of_s": 86_400.0,
        "received": 100,
        "limits": 2,
        "undelivered": 30,
        "gaps": 1,
        "sources": ["x"],
    }


def test_each_source_that_told_anything_could_have_been_there_all_day() -> None:
    found = of_day(DAY, [day(86_400_000, EIGHT), day(0, EIGHT, "demo")], datetime(2017, 9, 20, tzinfo=UTC))
    assert found is not None
    assert (found["share"], found["of_s"], found["received"]) == (0.5, 172_800.0, 200)


@pytest.mark.parametrize(
    ("now", "of_s"),
    [
        (EIGHT + timedelta(seconds=70), 8 * 3600.0),
        (EIGHT + timedelta(seconds=150), 8 * 3600.0),
        (EIGHT + timedelta(seconds=151), 8 * 3600.0 + 120),
        (EIGHT + timedelta(hours=4), 12 * 3600.0),
        (datetime(2017, 9, 15, 0, 0, 1, tzinfo=UTC), 86_400.0),
        (datetime(2017, 9, 15, 0, 2, 30, tzinfo=UTC), 86_400.0),
        (datetime(2019, 9, 15, tzinfo=UTC), 86_400.0),
    ],
)
def test_a_day_that_runs_is_covered_up_to_the_last_line_unless_that_is_long_ago(now: datetime, of_s: float) -> None:
    """The line of the running minute is yet to come; a collector that fell silent is not connected."""
    found = of_day(DAY, [day(8 * 3_600_000, EIGHT)], now)
    assert found is not None
    assert (found["of_s"], found["share"]) == (of_s, 8 * 3600 / of_s)


def test_without_a_line_coverage_is_not_known_and_never_all() -> None:
    known = of_day(DAY, [day(43_200_000, EIGHT)], datetime(2017, 9, 20, tzinfo=UTC))
    assert of_day(DAY, [], EIGHT) is None
    nothing = {"share": None, "received": None, "limits": None, "undelivered": None, "gaps": None, "unknown_days": 2}
    assert of_days([None, None]) == nothing
    assert of_days([None, known]) == {
        "share": 0.5, "received": 100, "limits": 2, "undelivered": 30, "gaps": 1, "unknown_days": 1,
    }  # fmt: skip


@pytest.fixture
def store() -> Callable[[], tuple[Reader, Writer]]:
    """The real reader and writer over tables in memory."""
    clock = iter(range(1, 1_000_000))
    tables = Store(statements(SCHEMA, Settings()), lambda: next(clock))
    return lambda: (Reader(tables.session()), Writer(tables.session()))


def test_lines_that_are_read_again_and_from_elsewhere_give_the_same_day(
    store: Callable[[], tuple[Reader, Writer]], tmp_path: Path
) -> None:
    """First live, cut off; then from Kafka's beginning; then from the archive, which holds a line that was missed."""
    reader, writer = store()
    lines = [line(EIGHT + at * MINUTE) for at in range(3)]
    places = [f"c1/feed.status/0/{at}" for at in range(3)]
    read = [one for value, place in zip(lines, places, strict=True) if (one := minute(value, place)) is not None]
    keep(reader, writer, read[:1])
    assert reader.coverage_days(["2017-09"]) == list(summed(read[:1]))
    keep(reader, writer, read[:2])
    keep(reader, writer, read[:2])
    assert reader.coverage_minutes(DAY) == read[:2]

    kept = [
        row(at, topic="feed.status", day="none", key=None, value=value, append_ts=EIGHT + (at + 1) * MINUTE)
        for at, value in enumerate(lines)
    ]
    other = row(
        3, topic="feed.status", day="none", value=line(EIGHT + timedelta(days=1)), append_ts=EIGHT + 25 * 60 * MINUTE
    )
    settle(archive(tmp_path / "archive", [*kept, other, row(4)]), "feed.status", reader, writer, [DAY])
    assert reader.coverage_minutes(DAY) == read
    assert reader.coverage_days(["2017-09"]) == list(summed(read))


def test_a_day_that_the_archive_has_no_line_of_stays_unknown(
    store: Callable[[], tuple[Reader, Writer]], tmp_path: Path
) -> None:
    reader, writer = store()
    replayed = row(0, topic="feed.status", day="none", value=line(via="replay"), append_ts=EIGHT)
    settle(archive(tmp_path / "archive", [row(0), replayed]), "feed.status", reader, writer, [DAY])
    assert (reader.coverage_minutes(DAY), reader.coverage_days(["2017-09"])) == ([], [])


def test_days_far_apart_are_asked_for_apart() -> None:
    """A month at once at most, however long the range is."""
    days = [date(2017, 9, 14), date(2017, 10, 14), date(2017, 10, 15), date(2013, 2, 28)]
    assert list(spans(days)) == [[date(2013, 2, 28)], [date(2017, 9, 14), date(2017, 10, 14)], [date(2017, 10, 15)]]
    assert list(spans([])) == []
