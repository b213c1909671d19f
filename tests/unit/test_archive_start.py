"""Where the archive query goes on: with its checkpoint if that agrees with what is archived, else in a new one."""

import fcntl
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from deltalake import DeltaTable

from drinkstream.archive import Archive
from drinkstream.archive_change import compact, configure, drop_orphans, erase, vacuum
from drinkstream.errors import ConflictError, IntegrityError
from drinkstream.positions import Gap, Ledger, Positions, Span
from streaming.archive import PROPERTIES, create, main
from streaming.offsets import KafkaOffsets
from streaming.only_one import only_one
from streaming.resume import Start, resume, take_stock
from tests.lib.archived import archive, row

CLUSTER = "kafka-1"


def kafka(begin: int, end: int) -> KafkaOffsets:
    """A look at a Kafka with one partition."""
    return KafkaOffsets(CLUSTER, {("posts", 0): begin}, {("posts", 0): end})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger."""
    return Ledger.beside(str(tmp_path / "archive"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the cluster's checkpoints lie."""
    return tmp_path / "checkpoints" / "archive" / CLUSTER


def checkpoint(folder: Path, planned: list[int], committed: int) -> None:
    """A checkpoint as Spark writes it: its batches end at `planned`, the first `committed` of them are done."""
    for name in ("offsets", "commits"):
        (folder / name).mkdir(parents=True)
    (folder / "metadata").write_text('{"id":"d1f0c5e6-0000-0000-0000-000000000000"}')
    for batch, end in enumerate(planned):
        text = f'v1\n{{"batchWatermarkMs":0}}\n{json.dumps({"posts": {"0": end}})}'
        (folder / "offsets" / str(batch)).write_text(text)
        (folder / "offsets" / f".{batch}.crc").write_bytes(b"crc")
    for batch in range(committed):
        (folder / "commits" / str(batch)).write_text('v1\n{"nextBatchWatermarkMs":0}')


def archived(ledger: Ledger, offset: int) -> Positions:
    """Keep `offset` as the position of the one partition."""
    ledger.advance(CLUSTER, "table", {("posts", 0): offset})
    return ledger.positions(CLUSTER)


def test_a_new_cluster_is_taken_from_its_first_record(ledger: Ledger, folder: Path) -> None:
    """Nothing is archived of it, whatever is archived of others."""
    ledger.advance("kafka-0", "table", {("posts", 0): 700})
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "1", {("posts", 0): 0})


def test_a_checkpoint_that_agrees_is_used(ledger: Ledger, folder: Path) -> None:
    """All of its batches are archived, so it goes on right behind them."""
    checkpoint(folder / "1", [10, 20], committed=2)
    archived(ledger, 20)
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "1", None)


@pytest.mark.parametrize("reached", [10, 20])
def test_a_batch_that_was_planned_and_not_committed_is_left_to_spark(
    ledger: Ledger, folder: Path, reached: int
) -> None:
    """Killed before or after the table's own commit: Spark does the batch again, and Delta skips it if it has it."""
    checkpoint(folder / "1", [10, 20], committed=1)
    archived(ledger, reached)
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "1", None)


def test_without_a_checkpoint_it_starts_behind_the_last_archived_record(ledger: Ledger, folder: Path) -> None:
    """In a folder of its own."""
    archived(ledger, 20)
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "1", {("posts", 0): 20})


@pytest.mark.parametrize(
    ("planned", "committed", "reached"),
    [
        pytest.param([10], 1, 20, id="it lost its newest batches, which Delta would skip under the same numbers"),
        pytest.param([10], 0, 10, id="it never finished a batch"),
        pytest.param([10, 20], 1, 15, id="half of a batch is archived, which the table takes as a whole"),
        pytest.param([], 0, 0, id="it is empty"),
    ],
)
def test_a_checkpoint_that_disagrees_is_left_behind(
    ledger: Ledger, folder: Path, planned: list[int], committed: int, reached: int
) -> None:
    """The next one starts behind the last archived record; the old one stays for a person to look at."""
    checkpoint(folder / "9", planned, committed)
    archived(ledger, reached)
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "10", {("posts", 0): reached})
    assert (folder / "9").is_dir()


@pytest.mark.parametrize("file", ["metadata", "offsets/1", "commits/1"])
def test_a_checkpoint_that_a_power_cut_left_in_part_is_left_behind(ledger: Ledger, folder: Path, file: str) -> None:
    """Spark would end at it for ever."""
    checkpoint(folder / "1", [10, 20], committed=2)
    (folder / "1" / file).write_text("")
    archived(ledger, 20)
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "2", {("posts", 0): 20})


@pytest.mark.parametrize("lost", ["metadata", "offsets/1"])
def test_a_checkpoint_that_lost_a_file_is_left_behind(ledger: Ledger, folder: Path, lost: str) -> None:
    """Without its name, or without the offsets of a batch that it calls committed."""
    checkpoint(folder / "1", [10, 20], committed=2)
    (folder / "1" / lost).unlink()
    archived(ledger, 20)
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "2", {("posts", 0): 20})


def test_a_partition_that_is_new_is_taken_from_its_first_record(ledger: Ledger, folder: Path) -> None:
    """A checkpoint knows nothing of it, and Spark takes it from its first record too."""
    checkpoint(folder / "1", [10], committed=1)
    archived(ledger, 10)
    more = KafkaOffsets(CLUSTER, {("posts", 0): 0, ("posts", 1): 0}, {("posts", 0): 10, ("posts", 1): 5})
    assert resume(more, ledger, folder) == Start(folder / "1", None)


def test_what_kafka_has_trimmed_is_recorded_and_passed_over(
    ledger: Ledger, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Loudly, once, and in a new checkpoint, since Spark would stop at the old one for ever."""
    checkpoint(folder / "1", [10], committed=1)
    archived(ledger, 10)
    with caplog.at_level(logging.ERROR, "archive"):
        assert resume(kafka(30, 50), ledger, folder) == Start(folder / "2", {("posts", 0): 30})
    assert [gap.span for gap in ledger.gaps()] == [Span(CLUSTER, "posts", 0, 10, 30)]
    assert caplog.messages == [
        "GAP: Kafka no longer holds posts/0 offsets 10 to 29 (20 records): recorded, going on after it"
    ]
    assert resume(kafka(30, 50), ledger, folder) == Start(folder / "2", {("posts", 0): 30})
    assert len(ledger.gaps()) == 1


@pytest.mark.parametrize("trimmed", [30, 40])
def test_killed_between_a_gap_and_its_new_checkpoint_the_old_one_is_not_gone_back_to(
    ledger: Ledger, folder: Path, trimmed: int
) -> None:
    """Its planned batch begins before the gap, and Spark would stop at it for ever: also where the gap ends with it."""
    checkpoint(folder / "1", [10, 40], committed=1)
    archived(ledger, 10)
    for _ in range(2):
        assert resume(kafka(trimmed, 50), ledger, folder) == Start(folder / "2", {("posts", 0): trimmed})
    assert [gap.span for gap in ledger.gaps()] == [Span(CLUSTER, "posts", 0, 10, trimmed)]


def test_a_batch_that_is_archived_in_one_partition_only_is_none(ledger: Ledger, folder: Path) -> None:
    """The one was passed over by a gap, and the other is still to be read."""
    checkpoint(folder / "1", [10, 40], committed=1)
    for batch, end in enumerate((10, 40)):
        offsets = {"posts": {"0": end, "1": end}}
        (folder / "1" / "offsets" / str(batch)).write_text(f"v1\n{{}}\n{json.dumps(offsets)}")
    ledger.advance(CLUSTER, "table", {("posts", 0): 10, ("posts", 1): 10})
    ledger.record(Gap(Span(CLUSTER, "posts", 0, 10, 40), "2017-09-14T12:00:00.000+00:00"))
    look = KafkaOffsets(CLUSTER, {("posts", 0): 40, ("posts", 1): 0}, {("posts", 0): 50, ("posts", 1): 50})
    assert resume(look, ledger, folder) == Start(folder / "2", {("posts", 0): 40, ("posts", 1): 10})


def test_what_kafka_trimmed_before_the_archive_first_came_is_a_gap_too(ledger: Ledger, folder: Path) -> None:
    """A record that came in and is not archived is never passed over in silence."""
    assert resume(kafka(5, 50), ledger, folder) == Start(folder / "1", {("posts", 0): 5})
    assert [gap.span for gap in ledger.gaps()] == [Span(CLUSTER, "posts", 0, 0, 5)]


def test_a_topic_that_was_made_anew_stops_the_query_until_a_person_decides(ledger: Ledger, folder: Path) -> None:
    """Its new records carry offsets that the archive already holds, also once there are more of them than before."""
    checkpoint(folder / "1", [10, 20], committed=2)
    archived(ledger, 20)
    with pytest.raises(IntegrityError, match=r"posts/0 ended at offset 7 but 20 are archived .*`refused`") as first:
        resume(kafka(0, 7), ledger, folder)
    archived(ledger, 20)  # as each start does
    with pytest.raises(IntegrityError) as second:
        resume(kafka(0, 50), ledger, folder)
    assert str(second.value) == str(first.value)
    kept = json.loads(ledger.positions_file.read_text())
    assert [{**row, "when": ""} for row in kept.pop("refused")] == [
        {"cluster": CLUSTER, "topic": "posts", "partition": 0, "end": 7, "archived": 20, "when": ""}
    ]
    ledger.positions_file.write_text(json.dumps(kept))
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "1", None)


def test_another_cluster_or_topic_is_not_refused(ledger: Ledger, folder: Path) -> None:
    """That is how a person goes on; the checkpoint, of the old topic, is not."""
    checkpoint(folder / "1", [10, 20], committed=2)
    archived(ledger, 20)
    with pytest.raises(IntegrityError):
        resume(kafka(0, 7), ledger, folder)
    cluster = KafkaOffsets("kafka-2", {("posts", 0): 0}, {("posts", 0): 7})
    assert resume(cluster, ledger, folder.with_name("kafka-2")).offsets == {("posts", 0): 0}
    topic = KafkaOffsets(CLUSTER, {("posts2", 0): 0}, {("posts2", 0): 7})
    assert resume(topic, ledger, folder) == Start(folder / "2", {("posts2", 0): 0})


def test_a_topic_of_another_name_goes_on_with_the_checkpoint_that_it_got(ledger: Ledger, folder: Path) -> None:
    """The positions of the one before stay known, and are no reason for another checkpoint at each start."""
    ledger.advance(CLUSTER, "table", {("before", 0): 700, ("posts", 0): 20})
    checkpoint(folder / "1", [10, 20], 2)
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "1", None)


def test_a_batch_that_was_planned_beyond_kafkas_end_is_not_waited_for(ledger: Ledger, folder: Path) -> None:
    """Spark would ask for its last records until there are as many again."""
    archived(ledger, 20)
    checkpoint(folder / "1", [10, 20, 60], 2)
    assert resume(kafka(0, 50), ledger, folder) == Start(folder / "2", {("posts", 0): 20})


def test_an_end_that_fell_while_the_query_ran_is_refused_though_it_rose_again(ledger: Ledger, folder: Path) -> None:
    """Spark has planned a batch that goes back. Resolved by a person, it is not met again."""
    checkpoint(folder / "1", [10, 20, 7], committed=2)
    archived(ledger, 20)
    for _ in range(2):
        with pytest.raises(IntegrityError, match=r"posts/0 ended at offset 7 but 20 are archived"):
            resume(kafka(0, 50), ledger, folder)
    kept = json.loads(ledger.positions_file.read_text())
    assert len(kept.pop("refused")) == 1
    ledger.positions_file.write_text(json.dumps(kept))
    for _ in range(2):
        assert resume(kafka(0, 50), ledger, folder) == Start(folder / "3", {("posts", 0): 20})


@pytest.fixture
def restored(tmp_path: Path) -> Callable[..., Archive]:
    """Gives a table of 20 records, of which an older copy, of 10, was put back, and `since` done to that."""

    def put_back(ledger: Ledger, since: Callable[[str], object] = str) -> Archive:
        table = archive(tmp_path / "archive", [row(n, cluster=CLUSTER) for n in range(10)])
        take_stock(table, ledger, CLUSTER)
        shutil.copytree(table.uri, tmp_path / "copy")
        archive(Path(table.uri), [row(n, cluster=CLUSTER) for n in range(10, 20)])
        take_stock(table, ledger, CLUSTER)
        assert ledger.positions(CLUSTER) == {("posts", 0): 20}
        shutil.rmtree(table.uri)
        (tmp_path / "copy").rename(table.uri)
        since(table.uri)
        return table

    return put_back


def erased_again(uri: str) -> None:
    """What is done to an older copy: the erasure list is applied to it, which makes a version of it."""
    erase(uri, ["x:3", "x:4"], datetime(2017, 9, 20, tzinfo=UTC))
    assert Archive(uri).version() >= 1


@pytest.mark.parametrize("since", [str, erased_again], ids=["as it was", "its version has risen since"])
def test_what_a_table_that_was_put_back_lacks_is_fetched_again(
    ledger: Ledger, folder: Path, restored: Callable[..., Archive], since: Callable[[str], object]
) -> None:
    """Its ledger lies beside it and was not put back. The checkpoint is of the table that was replaced."""
    checkpoint(folder / "1", [10, 20], committed=2)
    table = restored(ledger, since)
    for _ in range(2):  # a start that is cut off is begun again
        take_stock(table, ledger, CLUSTER)
        assert resume(kafka(0, 50), ledger, folder) == Start(folder / "2", {("posts", 0): 10})
    assert ledger.gaps() == ()


def test_what_kafka_no_longer_holds_of_it_is_a_gap_beside_those_on_record(
    ledger: Ledger, folder: Path, restored: Callable[..., Archive]
) -> None:
    """No offset is in two of them."""
    table = restored(ledger)
    ledger.record(Gap(Span(CLUSTER, "posts", 0, 20, 30), "2017-09-14T12:00:00.000+00:00"))
    take_stock(table, ledger, CLUSTER)
    for _ in range(2):
        assert resume(kafka(35, 50), ledger, folder) == Start(folder / "1", {("posts", 0): 35})
    assert sorted((gap.span.start, gap.span.until) for gap in ledger.gaps()) == [(10, 20), (20, 30), (30, 35)]


def test_what_is_done_to_a_table_every_night_does_not_put_it_back(ledger: Ledger, tmp_path: Path) -> None:
    """Nor does a row that somebody deleted: it would be fetched again."""
    commits = [[row(n, cluster=CLUSTER, day="2017-09-14")] for n in range(6)]
    table = archive(tmp_path / "archive", *commits)
    take_stock(table, ledger, CLUSTER)
    for change in (
        lambda: erase(table.uri, ["x:5"], datetime(2017, 9, 20, tzinfo=UTC)),
        lambda: compact(table.uri, ["2017-09-14"]),
        lambda: vacuum(table.uri),
        lambda: drop_orphans(table.uri, timedelta(hours=24)),
        lambda: configure(table.uri, PROPERTIES),
        lambda: DeltaTable(table.uri).create_checkpoint(),
        lambda: DeltaTable(table.uri).cleanup_metadata(),
        lambda: DeltaTable(table.uri).delete('"offset" = 5'),
    ):
        before = table.version()
        change()
        assert table.version() >= before
        take_stock(table, ledger, CLUSTER)
        assert ledger.positions(CLUSTER) == {("posts", 0): 6}
    assert table.positions(CLUSTER) == {("posts", 0): 5}


def test_a_table_that_is_gone_is_not_silently_made_anew(ledger: Ledger, tmp_path: Path) -> None:
    """A new table beside old positions would lack all that Kafka no longer holds, and nobody would be told."""
    archived(ledger, 20)
    with pytest.raises(IntegrityError, match=r"is gone, but .* knows it"):
        create(Mock(spec=[]), Archive(str(tmp_path / "archive")), ledger)


def test_a_table_of_an_earlier_release_gets_the_properties_that_it_lacks(ledger: Ledger, tmp_path: Path) -> None:
    """Once: a table that has them is left alone, rows and id stay."""
    table = archive(tmp_path / "archive", [row(0)])
    DeltaTable(table.uri).alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 1 hours"})
    before = table.table_id(), table.days(), table.version() + 1
    for _ in range(2):
        create(Mock(spec=[]), table, ledger)
        assert DeltaTable(table.uri).metadata().configuration == PROPERTIES
        assert (table.table_id(), table.days(), table.version()) == before


def test_two_queries_at_once_are_refused(tmp_path: Path) -> None:
    """Each would write every record."""
    with (tmp_path / "archive.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match="another archive query holds"), only_one(tmp_path):
            pass


def test_the_mark_of_a_process_that_ended_does_not_block(tmp_path: Path) -> None:
    """Process ids are used again: only one of the same start time is waited for."""
    (tmp_path / "archive.lock").write_text("1 12345.0")
    with only_one(tmp_path) as mark:
        mark(1)
    assert (tmp_path / "archive.lock").read_text().startswith("1 ")


def test_a_jvm_that_outlives_its_driver_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still write; once it is dead, reaped or not, the next query may start."""
    monkeypatch.setattr("streaming.only_one.ORPHAN_WAIT", 0.1)
    orphan = subprocess.Popen(["sleep", "60"])
    with only_one(tmp_path) as mark:
        mark(orphan.pid)
    with pytest.raises(ConflictError, match=f"process {orphan.pid} still writes the archive"), only_one(tmp_path):
        pass
    orphan.kill()
    os.waitid(os.P_PID, orphan.pid, os.WEXITED | os.WNOWAIT)
    with only_one(tmp_path):
        pass
    orphan.wait()


def test_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything is a setting."""
    assert main(["--from", "2017-09-14"]) == 2
    assert "takes no arguments, got --from 2017-09-14" in capsys.readouterr().err
