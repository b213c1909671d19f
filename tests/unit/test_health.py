"""What keeps up and what does not: each part's newest sign of life, and what is told of them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from drinkstream.merge import Publication
from drinkstream.positions import Gap, Ledger, Refusal, Span
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.write import MicroBatch, Writer
from jobs import health
from jobs.health import Signs, look, stale_parts
from jobs.pending import MOST_RUNS, given_up
from stack.cassandra import SCHEMA, statements
from tests.lib.archived import archive, row
from tests.lib.cassandra_in_memory import Store

NOW = datetime(2017, 9, 14, 12, 10, tzinfo=UTC)
STALE = timedelta(seconds=300)
FRESH, OLD = NOW - timedelta(seconds=20), NOW - timedelta(seconds=301)
AHEAD = NOW + timedelta(minutes=50)


def ahead(name: str) -> str:
    """What is told of a part whose newest sign is AHEAD."""
    return (
        f"the newest sign of `{name}` lies 3000 s ahead of the clock, which is wrong or was set back: until it is "
        "there again see by the log whether anything moves"
    )


@pytest.fixture
def store() -> Store:
    """The product's tables, empty."""
    return Store(statements(SCHEMA, Settings()), lambda: int(NOW.timestamp() * 1_000_000))


def counted(store: Store, until: int, started: datetime, *, ended: datetime | None = None) -> None:
    """Micro-batch 0 of epoch e1, which takes partition 0 up to `until`."""
    writer = Writer(store.session())
    writer.epoch("e1", status="current", cluster="c1", meaning="m", started_at=started, watermark_s=600, why="")
    batch = MicroBatch("e1", 0, int(started.timestamp() * 1_000_000), started, {"0": (0, until)})
    writer.batch_started(batch)
    if ended is not None:
        writer.batch_ended(batch, ended, 1, {"2017-09-14T12": 0})


def test_both_layers_are_asked_how_far_they_are_and_when_they_last_moved(tmp_path: Path, store: Store):
    """The archive is as far as its ledger says: behind a gap, and behind rows that were erased."""
    settings = Settings(home=tmp_path)
    found = archive(tmp_path / "archive", [row(0), row(1, append_ts=FRESH), row(0, topic="feed.status", append_ts=NOW)])
    ledger = Ledger.beside(settings.archive)
    ledger.advance("c1", found.table_id(), {("posts", 0): 3, ("feed.status", 0): 900})
    ledger.record(Gap(Span("c1", "posts", 0, 3, 5), "2017-09-14T12:00:00Z"))
    assert look(settings, Reader(store.session()), NOW) == Signs(None, None, FRESH, 0, 0)
    counted(store, 12, NOW - timedelta(seconds=9), ended=NOW - timedelta(seconds=8))
    assert look(settings, Reader(store.session()), NOW) == Signs("e1", NOW - timedelta(seconds=8), FRESH, 7, 0)


def test_a_micro_batch_that_ended_before_midnight_is_a_sign_and_one_that_has_not_ended_is_none(
    tmp_path: Path, store: Store
):
    settings = Settings(home=tmp_path)
    found = archive(tmp_path / "archive", [row(0)])
    Ledger.beside(settings.archive).advance("c1", found.table_id(), {("posts", 0): 1})
    began = datetime(2017, 9, 14, 23, 59, 58, tzinfo=UTC)
    counted(store, 1, began)
    midnight = datetime(2017, 9, 15, 0, 0, 5, tzinfo=UTC)
    assert look(settings, Reader(store.session()), midnight).speed is None
    counted(store, 1, began, ended=began + timedelta(seconds=1))
    assert look(settings, Reader(store.session()), midnight).speed == began + timedelta(seconds=1)
    # nothing has come for more than a day
    assert look(settings, Reader(store.session()), midnight + timedelta(days=1)).archive is None


def test_days_that_no_night_takes_any_more_are_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Not what was published in the end, what a night still takes, or what no live row answers for any more."""
    writer, reader = Writer(store.session()), Reader(store.session())
    runs = {(9, 12): MOST_RUNS, (9, 11): MOST_RUNS, (9, 13): MOST_RUNS - 1, (8, 31): MOST_RUNS, (8, 30): MOST_RUNS}
    for (month, day), number in runs.items():
        for n in range(number):
            writer.run(date(2017, month, day), f"run-{n}", status="writing", started_at=NOW)
    for n in range(MOST_RUNS):  # dry runs
        writer.run(date(2017, 9, 10), f"run-{n}", status="complete", started_at=NOW, audit={"failed": []})
    writer.publish(Publication(date(2017, 9, 12), 1, "run-8", NOW))
    stuck = [date(2017, 8, 31), date(2017, 9, 11)]
    assert given_up(reader, NOW.date(), 14) == stuck

    monkeypatch.setattr(health, "connect", lambda *_: SimpleNamespace(cluster=SimpleNamespace(shutdown=lambda: None)))
    monkeypatch.setattr(Settings, "reader_login", lambda _: None)
    monkeypatch.setattr(health, "look", lambda *_: Signs("e1", datetime.now(UTC), datetime.now(UTC), 0, 0))
    monkeypatch.setattr(health, "given_up", lambda *_: stuck)
    assert health.main([]) == 6
    assert capsys.readouterr().err == (
        "IntegrityError: no night takes 2017-08-31, 2017-09-11 any more: 9 runs of the day and more, none published; "
        "settle why by the logs of `nightly_share`, then run its Backfill for the day\n"
    )
    monkeypatch.setattr(health, "given_up", lambda *_: [])
    assert health.main([]) == 0
    capsys.readouterr()
    monkeypatch.setenv("DRINKSTREAM_ARCHIVE_URI", str(tmp_path / "archive"))
    Ledger.beside(str(tmp_path / "archive")).refuse(Refusal("c1", "posts", 0, 50, 100, "2017-09-14T15:00:00Z"))
    assert health.main([]) == 6
    assert "the archive takes nothing more in: posts/0 ended at offset 50" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("signs", "told"),
    [
        (Signs("e1", FRESH, FRESH, 0, 0), []),
        # one of them is behind, and moves
        (Signs("e1", FRESH, FRESH, 900, 0), []),
        (Signs("e1", FRESH, FRESH, 0, 900), []),
        # one of them stands still, and has all
        (Signs("e1", OLD, FRESH, 0, 0), []),
        (Signs("e1", FRESH, OLD, 0, 0), []),
        (Signs("e1", OLD, FRESH, 0, 7), ["the speed layer is 7 records behind the archive: see the log of `speed`"]),
        (Signs("e1", None, FRESH, 0, 7), ["the speed layer is 7 records behind the archive: see the log of `speed`"]),
        (Signs("e1", FRESH, OLD, 7, 0), ["the archive is 7 records behind the speed layer: see the log of `archive`"]),
        (Signs("e1", FRESH, None, 7, 0), ["the archive is 7 records behind the speed layer: see the log of `archive`"]),
        (Signs("e1", OLD, OLD, 0, 0), ["nothing has arrived for 300 s: see the log of `collect`"]),
        # the clock was set back, and nothing tells whether they moved since
        (Signs("e1", AHEAD, AHEAD, 0, 0), [ahead("speed"), ahead("archive")]),
        (Signs("e1", FRESH, AHEAD, 7, 0), [ahead("archive")]),
        (Signs("e1", FRESH, NOW + timedelta(minutes=1), 7, 0), []),
        (Signs(None, None, FRESH, 0, 0), ["no epoch of the speed layer answers: see the log of `speed`"]),
    ],
)
def test_what_is_stale_is_told_with_the_log_to_look_at(signs: Signs, told: list[str]):
    assert stale_parts(signs, NOW, STALE) == told
