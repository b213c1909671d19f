"""From the collector's status lines through Kafka into the store: the same days, whatever is killed in between."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Event

import pytest

from drinkstream.coverage import Covered
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from streaming.feed import Feed
from streaming.producer import Producer
from tests.lib.programs import Program

DAY = date(2026, 3, 4)
NOON_MS = 1_772_625_600_000  # 2026-03-04T12:00:00Z
POST = b'{"data":{"id":"2029164633767936000","text":"tea"}}'


@pytest.fixture
def reader(settings: Settings) -> Iterator[Reader]:
    """Asks the test's keyspace, as the web does."""
    session = connect(settings, settings.reader_login())
    yield Reader(session)
    session.cluster.shutdown()


def minutes(settings: Settings, via: str, first_ms: int, n: int) -> None:
    """A collector's whole life of `n` minutes: connected, three posts and one limit in each, and an empty last line."""
    now = [first_ms]
    with Producer(settings, Event()) as producer:
        feed = Feed(producer, settings, "x", via, lambda: now[0])
        feed.connected()
        for at in range(n):
            for _ in range(3):
                feed.line(POST)
            feed.line(b'{"limit":{"track":%d}}' % (5 * at + 5))
            now[0] += 60_000
            feed.tick()
        feed.close()


def test_what_the_feeds_told_stands_in_the_store_after_kills_and_starts_from_the_beginning(
    settings: Settings, reader: Reader, tmp_path: Path
) -> None:
    """Each start reads every line again and writes the same rows. A replay says nothing of a feed."""
    mine = settings.model_copy(update={"home": tmp_path})
    first = Covered(DAY, "x", 180_000, 12, 3, 15, 0, datetime(2026, 3, 4, 12, 4, tzinfo=UTC))
    both = Covered(DAY, "x", 300_000, 20, 5, 25, 0, datetime(2026, 3, 4, 12, 13, tzinfo=UTC))
    minutes(mine, "x", NOON_MS, 3)
    minutes(mine, "replay", NOON_MS + 20 * 60_000, 3)
    program = Program("streaming.coverage", mine)
    program.until(lambda: reader.coverage_days(["2026-03"]) == [first])
    program.kill()
    minutes(mine, "x", NOON_MS + 10 * 60_000, 2)
    program = Program("streaming.coverage", mine)
    program.until(lambda: reader.coverage_days(["2026-03"]) == [both])
    assert program.stop() == 0
    assert len(reader.coverage_minutes(DAY)) == 7
