"""After a parser is mended a recompute moves a day's numbers by exactly the records that now parse; on real stores."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from drinkstream.archive import Archive
from drinkstream.post import Envelope, key_of
from drinkstream.rejections import review, told
from drinkstream.settings import Settings
from drinkstream.share import KINDS, Filter, count
from drinkstream.store.read import Reader, Rejection
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from jobs import readings
from jobs.facts import gather
from jobs.recompute import Request, recompute
from tests.lib.archived import archive, row
from tests.lib.planted import COFFEE, DAY, TEA, apart, post_id, tweet
from tests.lib.servers import Servers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LONG = 3
"""Posts of a form that the older parser does not know."""


def long_post(number: int) -> bytes:
    """A v2 line whose whole text lies in `note_tweet`."""
    line = json.loads(tweet(post_id(number), "It is early, and ..."))
    line["data"]["note_tweet"] = {"text": COFFEE}
    return json.dumps(line).encode()


@pytest.fixture
def settings(servers: Servers, tmp_path: Path) -> Settings:
    """A keyspace and an archive of this test's own: five posts, three long ones that came unread, one line cut off."""
    mine = apart(servers.cassandra(), tmp_path)
    read = [(post_id(n), tweet(post_id(n), COFFEE if n % 2 else TEA)) for n in range(5)]
    rows = [row(n, key=f"x:{post}", topic=mine.posts_topic, value=line) for n, (post, line) in enumerate(read)]
    unread = [("shape", long_post(n)) for n in range(10, 10 + LONG)] + [("cut_off", tweet(post_id(20), TEA)[:-5])]
    rows += [
        row(
            100 + n,
            key=key_of(Envelope(line, None, f"rejected.{reason}", None), "x"),
            topic=mine.posts_topic,
            day="none",
            shape=f"rejected.{reason}",
            event_ms=None,
            value=line,
        )
        for n, (reason, line) in enumerate(unread)
    ]
    archive(Path(mine.archive), rows)
    return mine


def test_the_numbers_move_by_exactly_the_records_that_now_parse(
    spark: "SparkSession", settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the rejections by as many less; what still cannot be read stays rejected."""
    session = connect(settings, settings.writer_login())
    reader, writer = Reader(session), Writer(session)

    def read_by_the_older_parser(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # it runs in a worker, which imports everything anew
        from unittest.mock import patch

        from drinkstream import post, wire_x
        from drinkstream.record import Reading, rejected
        from jobs.readings import read_lines

        def reads(value: bytes, source: str) -> Reading:
            return rejected("shape") if b"note_tweet" in value else wire_x.read(value, source)

        with patch.dict(post._READERS, {"x": reads}):
            for batch in batches:
                yield read_lines(batch)

    def counted(attempt: str) -> tuple[int, dict[str, int], list[Rejection]]:
        run_id = recompute(spark, settings, reader, writer, Request((DAY,), attempt, "a test"))[DAY]
        totals = reader.day_totals(DAY, run_id)
        by_drink = {drink: count(totals, Filter(category=drink, kinds=frozenset(KINDS))) for drink in ("coffee", "tea")}
        return count(totals, Filter(kinds=frozenset(KINDS))), by_drink, reader.rejections(run_id)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(readings, "_read_lines", read_by_the_older_parser)
            before = counted("before")
        after = counted("after")
    finally:
        session.cluster.shutdown()
    cut = Rejection("cut_off", False, 1, ((0, 103),))
    assert before == (
        5,
        {"coffee": 2, "tea": 3},
        [cut, Rejection("shape", False, LONG, ((0, 100), (0, 101), (0, 102)))],
    )
    assert after == (5 + LONG, {"coffee": 2 + LONG, "tea": 3}, [cut])

    held = Archive(settings.archive)
    assert list(told(review(held.rejected(settings.posts_topic))))[-1] == f"days={DAY}"
    (name,) = [("x", post_id(10))]
    known: Any = gather(held, settings.posts_topic, DAY, [name], ())[name]
    assert [(version.rejected_then, bool(version.cells)) for version in known.versions] == [(True, True)]
