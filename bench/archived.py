"""Archived days full of generated posts, made once and kept for later calls, as the archive query lays them out."""

import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import pyarrow as pa
from deltalake import WriterProperties, write_deltalake

from bench.posts import CHUNK, SEED, START_MS, lines, truth
from bench.posts_v1 import WRITINGS
from bench.servers import Servers
from bench.topic import Counts, generator
from drinkstream.settings import Settings
from tests.lib.archived import SCHEMA

TOPIC = "archived"
PARTITIONS = 8
CHUNKS_A_FILE = {"post.x.v2": 5, "post.x.v1": 1}
DAY_MS = 86_400_000
WRITTEN = WriterProperties(compression="ZSTD", compression_level=3)


@dataclass(frozen=True, slots=True)
class Days:
    """Days of an archive at `uri`: records of each, bytes of their lines, the posts of each level by day, the shape."""

    uri: str
    records_a_day: int
    bytes: int
    counts: dict[date, Counts]
    shape: str

    def settings(self, settings: Settings) -> Settings:
        """Settings whose archive this is."""
        return settings.model_copy(update={"archive_uri": self.uri, "posts_topic": TOPIC})


def archived(servers: Servers, days: int, day_posts: int, shape: str = "post.x.v2") -> Days:
    """An archive of `days` days with at least `day_posts` records each, in whole chunks of lines of a shape.

    One that is not whole, or that other code wrote, is made anew.
    """
    chunks = -(-day_posts // CHUNK)
    folder = servers.settings.home / "archives" / f"{days}_{chunks * CHUNK}_{shape.rpartition('.')[2]}"
    note = folder / "bench.json"
    if not note.is_file() or json.loads(note.read_text()).get("generator") != _generator():
        shutil.rmtree(folder, ignore_errors=True)  # of a call that was cut off, or of other code
        folder.mkdir(parents=True)
        _write(folder, note, days, chunks, shape)
    said = json.loads(note.read_text())
    counts = {
        date.fromisoformat(day): {(category, brand): n for category, brand, n in levels}
        for day, levels in said["counts"].items()
    }
    return Days(str(folder), chunks * CHUNK, said["bytes"], counts, shape)


def _write(folder: Path, note: Path, days: int, chunks: int, shape: str) -> None:
    each = CHUNKS_A_FILE[shape]
    parts = [
        (day, tuple(range(first, min(first + each, chunks)))) for day in range(days) for first in range(0, chunks, each)
    ]
    counts: dict[str, dict[tuple[str, str], int]] = {}
    size = 0
    with (
        ProcessPoolExecutor(2, get_context("spawn")) as pool,
        click.progressbar(length=len(parts), label=f"{days} archived days of {chunks * CHUNK:,} posts") as bar,
    ):
        made = pool.map(partial(_part, chunks, shape), parts)
        for (day, _), (table, bytes_, levels) in zip(parts, made, strict=True):
            # one file for each commit, of which the archive query writes two, and compressed as it does
            write_deltalake(str(folder), table, mode="append", partition_by=["day"], writer_properties=WRITTEN)
            size += bytes_
            of_day = counts.setdefault(str(_date(day)), {})
            for level, n in levels.items():
                of_day[level] = of_day.get(level, 0) + n
            bar.update(1)
    told = {day: [[*level, n] for level, n in sorted(levels.items())] for day, levels in counts.items()}
    note.write_text(json.dumps({"generator": _generator(), "bytes": size, "counts": told}))


def _generator() -> str:
    return generator(__file__)


def _part(chunks: int, shape: str, part: tuple[int, tuple[int, ...]]) -> tuple[pa.Table, int, Counts]:
    """The rows of some chunks of a day, the bytes of their lines, and the posts of each level."""
    day, numbers = part
    tables = []
    size = 0
    counts: Counts = {}
    for chunk in numbers:
        made = list(lines(chunk, chunks, SEED + day, writing=WRITINGS[shape], day_ms=START_MS + day * DAY_MS))
        of_all = day * chunks + chunk
        size += sum(len(line.value) for line in made)
        for level, n in truth(made).items():
            counts[level] = counts.get(level, 0) + n
        first = of_all // PARTITIONS * CHUNK
        columns = {
            "day": [str(_date(day))] * CHUNK,
            "cluster": ["bench"] * CHUNK,
            "topic": [TOPIC] * CHUNK,
            "partition": [of_all % PARTITIONS] * CHUNK,
            "offset": range(first, first + CHUNK),
            "append_ts": [(line.event_ms + 250) * 1000 for line in made],
            "key": [line.key.decode() for line in made],
            "source": ["x"] * CHUNK,
            "shape": [shape] * CHUNK,
            "event_ms": [line.event_ms for line in made],
            "value": [line.value for line in made],
        }
        tables.append(pa.Table.from_arrays([pa.array(columns[one.name], one.type) for one in SCHEMA], schema=SCHEMA))
    return pa.concat_tables(tables), size, counts


def _date(day: int) -> date:
    return (datetime.fromtimestamp(START_MS / 1000, UTC) + timedelta(days=day)).date()
