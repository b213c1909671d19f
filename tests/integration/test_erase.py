"""Erasure on a real Kafka and the real archive query: the text is gone from every file, and never comes back."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from drinkstream.archive import Archive
from drinkstream.erasures import Erasures
from drinkstream.positions import Ledger
from drinkstream.post import ERASED, NO_DAY
from drinkstream.settings import Settings
from drinkstream.standing import read, text_of
from jobs.audit import unaccounted
from jobs.lines import Lines
from jobs.readings import level_rows, posts, readings, removed
from streaming.archive import life
from streaming.feed import Feed
from streaming.producer import Producer
from tests.lib.archiving import Drained, archived
from tests.lib.jobs import called
from tests.lib.planted import COFFEE, DAY, post_id, tweet
from tests.lib.programs import until
from tests.lib.servers import Servers

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SECRET = "a cup of coffee that nobody shall ever hear of again"


@contextmanager
def running(spark: "SparkSession", settings: Settings) -> Iterator[None]:
    """The archive query runs meanwhile; what stops it is raised at the end."""
    stop, faults = Event(), list[BaseException]()

    def run() -> None:
        try:
            while not stop.is_set():
                life(spark, settings, stop)
        except BaseException as fault:
            faults.append(fault)
            raise

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert faults == []


def send(settings: Settings, *lines: bytes) -> None:
    """Lines of X, the way collect sends them; returns when Kafka has them."""
    with Producer(settings, Event(), wait=60) as producer:
        feed = Feed(producer, settings, "x", via="replay")
        for line in lines:
            feed.line(line)
        feed.close()


def holding(folder: Path, text: str) -> list[str]:
    """The files below `folder` that have `text` in them, Parquet files unpacked, of whatever version of the table."""
    found = []
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        if path.suffix == ".parquet":
            content = [
                str(value) for row in pq.read_table(path, partitioning=None).to_pylist() for value in row.values()
            ]
        else:
            content = [path.read_bytes().decode(errors="replace")]
        found += [str(path.relative_to(folder))] if any(text in one for one in content) else []
    return found


@pytest.fixture
def settings(servers: Servers, tmp_path: Path) -> Settings:
    """An archive of this test's own over topics of its own."""
    changes: dict[str, Any] = {"home": tmp_path, "jars": servers.settings.jar_folder, "archive_trigger": 0}
    return servers.kafka().model_copy(update=changes)


def erased(settings: Settings, *arguments: str) -> None:
    """What `python -m jobs.erase` with these arguments does."""
    done = called("jobs.erase", settings, *arguments, "--why", "its author deleted it")
    assert done.returncode == 0, done.stderr


def everything(settings: Settings) -> list[tuple[int, int, bytes]]:
    """All posts' records in the archive."""
    table = DeltaTable(settings.archive).to_pyarrow_table(columns=["topic", "partition", "offset", "value"])
    rows = [row for row in table.to_pylist() if row["topic"] == settings.posts_topic]
    return sorted((row["partition"], row["offset"], row["value"]) for row in rows)


def counted(spark: "SparkSession", settings: Settings) -> set[str]:
    """The posts that a recompute of the day counts."""
    from pyspark.sql import functions as f

    lines = Lines(spark, Archive(settings.archive), settings.posts_topic, [str(DAY), NO_DAY])
    read = readings(lines)
    kept = posts(lines, read, removed(read)).where(f.col("day") == str(DAY))
    return {row["id"] for row in level_rows(kept).collect()}


def test_an_erased_text_is_in_no_file_and_never_comes_back(spark: "SparkSession", settings: Settings, tmp_path: Path):
    """Beside the running query; the post sent again; and the checkpoint lost and all of Kafka read anew."""
    gone, kept = post_id(1), post_id(2)
    secret = tweet(gone, SECRET)
    send(settings, secret, tweet(kept, COFFEE), tweet(post_id(3), SECRET, first=gone), secret[:-9])
    archived(spark, settings)
    archive = Archive(settings.archive)
    assert len(holding(tmp_path, SECRET)) == 2
    assert counted(spark, settings) == {gone, kept}

    with running(spark, settings):
        erased(settings, f"x:{gone}")
        send(settings, secret, tweet(post_id(4), COFFEE), secret[:-9])
        arrived = Drained(settings)
        until(arrived.is_set)
    # a batch that began before the list grew may have let something in: its file goes with the next vacuum
    erased(settings, "--again")
    assert holding(tmp_path, SECRET) == []
    # what was copied into new files left its text out of the log too
    assert holding(Path(settings.archive, "_delta_log"), COFFEE) == []
    assert counted(spark, settings) == {kept, post_id(4)}
    assert [row.value for row in archive.records([f"x:{gone}"])] == [ERASED] * 3
    assert text_of(read(archive.records([f"x:{gone}"]))).state == "erased"
    assert unaccounted(settings, archive) == ()
    assert len(Erasures.beside(settings.archive).places()) >= 3

    rows = everything(settings)
    shutil.rmtree(settings.checkpoints)
    shutil.rmtree(settings.archive)
    Ledger.beside(settings.archive).positions_file.unlink()
    archived(spark, settings)
    assert holding(tmp_path, SECRET) == []
    assert everything(settings) == rows
    assert (len(rows), unaccounted(settings, archive)) == (7, ())
