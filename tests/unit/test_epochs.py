"""When the speed query starts a new life, from where, and when that one answers."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from drinkstream import meaning
from drinkstream.merge import Publication
from drinkstream.settings import Settings
from drinkstream.store.read import EpochRow, Reader
from drinkstream.store.write import Writer
from stack.cassandra import SCHEMA, statements
from streaming import speed
from streaming.epochs import Kafka, Life, caught_up, checkpoint, decide, epoch_id, living, offsets_of, outlived, retire
from streaming.offsets import KafkaOffsets
from tests.lib.cassandra_in_memory import Store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KAFKA = Kafka("cluster-1", "posts", {"0": 0, "1": 40}, {"0": 100, "1": 90})


def row(epoch: str = "e1", **changed: object) -> EpochRow:
    facts: dict[str, object] = {
        "epoch": epoch,
        "status": "current",
        "meaning": "m1",
        "cluster": "cluster-1",
        "started_at": NOW - timedelta(days=1),
        "first_offsets": {"0": 0, "1": 0},
        "catch_up": {"0": 10, "1": 10},
        "processed": {"0": 80, "1": 70},
        "watermark_s": 600,
        "blind_days": frozenset(),
    }
    return EpochRow(**(facts | changed))  # type: ignore[arg-type]


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    kept = checkpoint(tmp_path, "e1")
    for log in ("offsets", "commits"):
        (kept / log).mkdir(parents=True)
    (kept / "metadata").write_text('{"id":"d1f0c5e6-0000-0000-0000-000000000000"}')
    for batch, end in enumerate((60, 70)):
        (kept / "offsets" / str(batch)).write_text(f'v1\n{{}}\n{{"posts":{{"0":80,"1":{end}}}}}')
        (kept / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    return tmp_path


def test_an_epoch_goes_on_with_its_own_delay(checkpoints: Path):
    life, why = decide([row(watermark_s=1200)], "m1", KAFKA, checkpoints, 600, NOW)
    assert (life, why) == (Life("e1", checkpoints / "speed-e1", 1200, {"0": 0, "1": 0}, {"0": 10, "1": 10}), None)


def test_the_first_epoch_starts_at_what_kafka_holds_and_catches_up_with_its_ends(tmp_path: Path):
    life, why = decide([], "m1", KAFKA, tmp_path, 600, NOW)
    assert why == "the first life of the speed query"
    assert life.epoch.startswith("20260501T120000-")
    assert (life.watermark_s, life.first_offsets, life.catch_up) == (600, {"0": 0, "1": 40}, {"0": 100, "1": 90})


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"meaning": "m0"}, "the meaning changed from m0 to m1"),
        ({"cluster": "cluster-0"}, "another Kafka cluster: cluster-0 became cluster-1"),
        ({"status": "dropped"}, "the watermark of 600 s dropped rows in e1"),
        ({"epoch": "e2"}, "the checkpoint of e2 is lost"),
        ({"processed": {"0": 80, "1": 39}}, "Kafka no longer holds what e1 has yet to read of partition 1"),
        ({"processed": {"0": 80, "1": 91}}, "Kafka's end fell below what e1 has read of partition 1"),
        ({"processed": {"0": 80, "1": 70, "2": 1}}, "Kafka's end fell below what e1 has read of partition 2"),
        ({"processed": {"0": 80}}, "Kafka no longer holds what e1 has yet to read of partition 1"),
    ],
)
def test_a_new_epoch_starts_when_the_old_one_cannot_go_on(checkpoints: Path, changed: dict[str, object], why: str):
    life, reason = decide([row(**changed)], "m1", KAFKA, checkpoints, 600, NOW)
    assert reason == why
    assert life.epoch not in ("e1", "e2")
    assert life.first_offsets == KAFKA.begin


def test_a_micro_batch_that_goes_back_or_is_of_another_topic_is_not_taken_up_again(
    checkpoints: Path,
):
    log = checkpoint(checkpoints, "e1") / "offsets"
    (log / "2").write_text('v1\n{}\n{"posts":{"0":80,"1":5}}')
    _, why = decide([row()], "m1", KAFKA, checkpoints, 600, NOW)
    assert why == "Kafka's end fell below what e1 has read of partition 1"
    (log / "2").unlink()
    assert decide([row()], "m1", KAFKA, checkpoints, 600, NOW)[1] is None
    other = replace(KAFKA, topic="posts2")
    assert decide([row()], "m1", other, checkpoints, 600, NOW)[1] == "another topic: e1 reads posts"


def test_what_lies_beyond_kafkas_end_cannot_be_gone_on_with(checkpoints: Path):
    """A micro-batch that was planned up to there, an epoch that was to begin there: its days may have lost records."""
    fell = "Kafka's end fell below what e1 has read of partition 0"
    kafka = replace(KAFKA, begin={"0": 0, "1": 0}, end={"0": 70, "1": 90})
    assert decide([row(processed={"0": 60, "1": 60})], "m1", kafka, checkpoints, 600, NOW)[1] == fell
    shutil.rmtree(checkpoint(checkpoints, "e1"))
    to_begin = row(status="building", first_offsets={"0": 71, "1": 0}, processed={})
    assert decide([to_begin], "m1", kafka, checkpoints, 600, NOW)[1] == fell


FELL = replace(KAFKA, end={"0": 79, "1": 90})


@pytest.mark.parametrize(
    ("rows", "kafka", "outlived_"),
    [
        ([row(meaning="m0")], KAFKA, []),
        ([row(meaning="m0")], replace(KAFKA, topic="posts2"), ["e1"]),
        ([row(status="dropped")], FELL, ["e1"]),
        ([row(cluster="cluster-0")], FELL, []),  # of whose days the archive knows
        ([row("e2", status="building", processed={}), row(meaning="m0")], FELL, ["e1"]),
        ([row("e3", meaning="m3"), row("e2", meaning="m2", processed={}), row()], FELL, ["e3", "e1"]),
    ],
)
def test_of_every_epoch_it_is_known_whether_records_that_it_read_are_gone(
    checkpoints: Path, rows: list[EpochRow], kafka: Kafka, outlived_: list[str]
):
    """Whatever a new epoch begins for, and whichever goes on."""
    assert outlived(rows, "m1", kafka, checkpoints) == outlived_


@pytest.mark.parametrize("processed", [{}, {"0": 80, "1": 70}], ids=["nothing written yet", "going on"])
@pytest.mark.parametrize("left", [b"", b"\0" * 200, b'v1\n{}\n{"posts":{"0":8', b"v1\n{", b"\xff"])
@pytest.mark.parametrize("file", ["metadata", "offsets/0", "offsets/1", "commits/1"])
def test_a_checkpoint_that_a_power_cut_left_in_part_is_a_lost_one(
    checkpoints: Path, file: str, left: bytes, processed: dict[str, int]
):
    (checkpoint(checkpoints, "e1") / file).write_bytes(left)
    kafka = replace(KAFKA, begin={"0": 0, "1": 0})
    _, why = decide([row(processed=processed)], "m1", kafka, checkpoints, 600, NOW)
    assert why == "the checkpoint of e1 is lost"


@pytest.mark.parametrize(("processed", "why"), [({}, None), ({"0": 80, "1": 70}, "the checkpoint of e1 is lost")])
@pytest.mark.parametrize("gone", ["", "offsets"])
def test_a_checkpoint_without_a_micro_batch_is_lost_where_there_were_some(
    checkpoints: Path, gone: str, processed: dict[str, int], why: str | None
):
    shutil.rmtree(checkpoint(checkpoints, "e1") / gone)
    kafka = replace(KAFKA, begin={"0": 0, "1": 0})
    assert decide([row(processed=processed)], "m1", kafka, checkpoints, 600, NOW)[1] == why


def test_a_new_epoch_must_reach_all_that_kafka_holds_and_so_all_that_another_may_have_written(checkpoints: Path):
    life, _ = decide([row(meaning="m0")], "m1", KAFKA, checkpoints, 600, NOW)
    assert life.catch_up == KAFKA.end


def test_an_epoch_that_was_still_building_must_reach_what_kafka_holds_now(checkpoints: Path):
    life, why = decide([row(status="building"), row("e0", meaning="m0")], "m1", KAFKA, checkpoints, 600, NOW)
    assert (life.epoch, life.catch_up, why) == ("e1", KAFKA.end, None)


def test_the_epoch_that_answers_goes_on_though_a_later_one_of_another_meaning_was_begun(checkpoints: Path):
    life, why = decide([row("e2", status="building", meaning="m2"), row()], "m1", KAFKA, checkpoints, 600, NOW)
    assert (life.epoch, why) == ("e1", None)


def test_a_retired_epoch_never_goes_on(checkpoints: Path):
    life, why = decide([row("e2", meaning="m2"), row(status="retired")], "m1", KAFKA, checkpoints, 600, NOW)
    assert life.epoch not in ("e1", "e2")
    assert why == "the meaning changed from m2 to m1"
    assert living([row(status="retired")], "m1") is None


def test_offsets_of_another_cluster_mean_nothing_here(checkpoints: Path):
    life, _ = decide([row(cluster="cluster-0")], "m1", KAFKA, checkpoints, 600, NOW)
    assert life.catch_up == KAFKA.end


def test_the_same_backlog_cannot_drop_twice(checkpoints: Path):
    life, _ = decide([row(status="dropped", watermark_s=1200)], "m1", KAFKA, checkpoints, 600, NOW)
    assert life.watermark_s == 2400
    # a larger one that was set since holds
    life, _ = decide([row(status="dropped", watermark_s=1200)], "m1", KAFKA, checkpoints, 3600, NOW)
    assert life.watermark_s == 3600


def test_a_later_epoch_has_a_later_id_though_the_clock_was_set_back():
    first = epoch_id(NOW)
    second = epoch_id(NOW - timedelta(hours=1), first)
    third = epoch_id(NOW - timedelta(minutes=59), second)
    assert first < second < third < epoch_id(NOW + timedelta(seconds=1), third)


def test_an_epoch_has_caught_up_once_every_partition_has():
    first, goal = {"0": 0, "1": 40}, {"0": 100, "1": 40}
    assert not caught_up({"0": 99, "1": 90}, first, goal)
    assert not caught_up({}, first, goal)
    assert caught_up({"0": 100}, first, goal)


def test_when_an_epoch_was_retired_is_read_back():
    store = Store(statements(SCHEMA, Settings()), lambda: 1_000_000)
    reader, writer = Reader(store.session()), Writer(store.session())
    for epoch in ("e1", "e2"):
        writer.epoch(epoch, status="current", meaning="m1", cluster="c", started_at=NOW, watermark_s=600)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    retire(writer, "e1")
    second, first = reader.epochs()
    assert (second.status, second.retired_at, first.status) == ("current", None, "retired")
    assert first.retired_at is not None
    assert before <= first.retired_at <= datetime.now(UTC)


def test_offsets_are_read_from_an_entry_of_sparks_log():
    entry = 'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1,"conf":{}}\n{"posts":{"1":7,"0":12}}'
    assert offsets_of(entry, "posts") == {"0": 12, "1": 7}
    assert offsets_of("v1\n{}\n-", "posts") == {}


def test_an_epoch_that_another_query_goes_on_with_may_plan_beyond_the_end_that_was_seen(checkpoints: Path):
    """Of two side by side the second begins while the first takes in what comes: nothing fell."""
    kafka = replace(KAFKA, end={"0": 80, "1": 70})
    (checkpoint(checkpoints, "e1") / "offsets" / "2").write_text('v1\n{}\n{"posts":{"0":90,"1":75}}')
    assert outlived([row(meaning="m0")], "m1", kafka, checkpoints) == []
    assert outlived([row()], "m1", kafka, checkpoints) == ["e1"]


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Reader, Writer]:
    """An epoch that answers, of two days and a published one, and a Kafka that ends at half of what it has read."""
    settings = Settings(home=tmp_path)
    store = Store(statements(SCHEMA, settings), lambda: int(NOW.timestamp() * 1_000_000))
    reader, writer = Reader(store.session()), Writer(store.session())
    facts = {"cluster": "c1", "meaning": meaning.version(), "started_at": NOW, "first_offsets": {"0": 0}}
    writer.epoch("e1", status="current", processed={"0": 10}, watermark_s=600, **facts)
    writer.publish(Publication(date(2026, 4, 29), 1, "run-1", NOW))
    hours = {"2026-04-29T08": NOW, "2026-04-30T23": NOW, "2026-05-01T00": NOW}
    monkeypatch.setattr(Reader, "touched", lambda _, epoch: hours if epoch == "e1" else {})
    monkeypatch.setattr(speed, "look", lambda *_: KafkaOffsets("c1", {("posts", 0): 0}, {("posts", 0): 5}))
    return settings, reader, writer


MISSING = frozenset({date(2026, 4, 30), date(2026, 5, 1)})


def blind_of(reader: Reader, epoch: str) -> frozenset[date]:
    return next(one.blind_days for one in reader.epochs() if one.epoch == epoch)


def test_days_that_an_epoch_counted_from_what_kafka_lost_are_missing_from_the_next(
    stored: tuple[Settings, Reader, Writer], monkeypatch: pytest.MonkeyPatch
):
    """The number that it gave would fall; a published day needs neither."""
    settings, reader, writer = stored
    life = speed.begin(settings, reader, writer)
    assert life.epoch != "e1"
    assert blind_of(reader, life.epoch) == MISSING
    # also from the one behind it, when Kafka holds as many records as it did, but others
    monkeypatch.setattr(speed, "look", lambda *_: KafkaOffsets("c1", {("posts", 0): 0}, {("posts", 0): 50}))
    writer.epoch(life.epoch, status="dropped")
    last = speed.begin(settings, reader, writer)
    assert last.epoch not in ("e1", life.epoch)
    assert blind_of(reader, last.epoch) == MISSING


def test_a_day_of_which_only_the_rows_expire_is_counted_by_the_next(
    stored: tuple[Settings, Reader, Writer], monkeypatch: pytest.MonkeyPatch
):
    """As where Kafka keeps posts longer than Cassandra keeps live rows."""
    settings, reader, writer = stored
    old, lost = date(2026, 4, 30), date(2026, 4, 2)
    monkeypatch.setattr(
        Reader, "touched", lambda *_: {"2026-04-30T23": datetime.now(UTC) - timedelta(days=34, hours=1)}
    )
    monkeypatch.setattr(speed, "look", lambda *_: KafkaOffsets("c1", {("posts", 0): 0}, {("posts", 0): 50}))
    writer.epoch("e1", status="dropped", blind_days={old, lost})
    assert blind_of(reader, speed.begin(settings, reader, writer).epoch) == {lost}


def test_they_are_missing_from_one_that_goes_on(stored: tuple[Settings, Reader, Writer]):
    """As a successor does that had not yet read so far when Kafka's end fell."""
    settings, reader, writer = stored
    facts = {"cluster": "c1", "meaning": meaning.version(), "started_at": NOW, "first_offsets": {"0": 0}}
    writer.epoch("e1", meaning="m0")
    writer.epoch("e2", status="building", blind_days={date(2026, 4, 2)}, watermark_s=600, **facts)
    assert speed.begin(settings, reader, writer).epoch == "e2"
    assert blind_of(reader, "e2") == MISSING | {date(2026, 4, 2)}
