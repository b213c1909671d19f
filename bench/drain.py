"""How fast a full topic drains: Kafka -> cells in Cassandra, every server on this machine, every count checked.

    python -m bench.drain [--posts N] [--warm-up N] [--runs N] [--archive]

Fills a topic once, then lets a new epoch of the speed query drain it, `--runs` times; the first `--warm-up` posts, over
which the JVM warms up, are not measured. The rate is that of the micro-batches behind them, by the store's records.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

import click
import psutil
from kafka import KafkaProducer
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from bench.posts import CHUNK, Line, lines, truth
from drinkstream.settings import Settings
from drinkstream.store.read import Batch, Reader
from drinkstream.store.session import connect
from drinkstream.taxonomy import load
from streaming.offsets import look

SEED = 2017
DEADLINE_S = 900.0
PORTS = {
    "KAFKA_PORT": 39092, "CASSANDRA_PORT": 39042, "CASSANDRA_STORAGE_PORT": 39000, "CASSANDRA_JMX_PORT": 39199,
    "POSTGRES_PORT": 39432, "AIRFLOW_PORT": 39080, "WEB_PORT": 39100,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """One drain: posts/s behind the warm-up, processor time a post (us, all processes), and whether the counts hold."""

    posts_per_s: float
    core_us: float
    correct: bool


@click.command()
@click.option("--posts", default=2_000_000, show_default=True, help="Posts that are measured.")
@click.option("--warm-up", default=3_000_000, show_default=True, help="Posts drained before them.")
@click.option("--runs", default=3, show_default=True, help="How often the topic is drained.")
@click.option("--archive/--no-archive", default=False, help="Run the archive query beside it.")
def main(posts: int, warm_up: int, runs: int, archive: bool) -> None:
    """Measure the drain and keep its figures in var/bench/latest.json."""
    base = Settings.load()
    environ = {
        **os.environ,
        "DRINKSTREAM_HOME": str(base.home / "bench"),
        "DRINKSTREAM_JARS": str(base.jar_folder),
        **{f"DRINKSTREAM_{name}": str(port) for name, port in PORTS.items()},
    }
    settings = Settings.load(environ)
    programs = "kafka,cassandra,archive" if archive else "kafka,cassandra"
    stack = [sys.executable, "-m"]
    chunks = (posts + warm_up) // CHUNK
    subprocess.run([*stack, "stack.up", "--only", programs], env=environ, check=True)
    try:
        size, expected = fill(settings, chunks)
        results = [drain(settings, environ, chunks * CHUNK, warm_up, expected) for _ in range(runs)]
    finally:
        subprocess.run([*stack, "stack.down"], env=environ, check=True)
    report("drain_with_archive" if archive else "drain", results, size, base.home / "bench" / "latest.json")
    if not all(result.correct for result in results):
        sys.exit("a count was wrong: this is a failed run")


def fill(settings: Settings, chunks: int) -> tuple[float, dict[tuple[str, str], int]]:
    """Fills the topic unless it is full already; the mean size of a line in bytes, and the count of each level."""
    end = sum(look(settings.bootstrap, (settings.posts_topic,), 60).end.values())
    if end not in (0, chunks * CHUNK):
        sys.exit(f"the topic holds {end} records, not {chunks * CHUNK}: remove {settings.home} and start again")
    size = 0
    expected: dict[tuple[str, str], int] = defaultdict(int)
    with (
        ProcessPoolExecutor(2, get_context("spawn")) as pool,
        click.progressbar(length=chunks, label=f"{chunks * CHUNK:,} posts") as bar,
    ):
        for bytes_, counts in pool.map(partial(fill_chunk, settings, chunks, not end), range(chunks)):
            size += bytes_
            for level, n in counts.items():
                expected[level] += n  # no id is in two chunks
            bar.update(1)
    return size / (chunks * CHUNK), dict(expected)


def fill_chunk(settings: Settings, chunks: int, send: bool, chunk: int) -> tuple[int, dict[tuple[str, str], int]]:
    """Makes one chunk and, where asked to, sends it; its bytes and the count of each level."""
    made: list[Line] = list(lines(chunk, chunks, SEED))
    if send:
        producer = KafkaProducer(
            bootstrap_servers=settings.bootstrap, acks="all", compression_type="zstd", batch_size=524288, linger_ms=50
        )
        for line in made:
            headers = [("source", b"x"), ("shape", b"post.x.v2"), ("event_ms", str(line.event_ms).encode())]
            producer.send(settings.posts_topic, line.value, line.key, headers=headers)
        producer.close()
    return sum(len(line.value) for line in made), truth(made)


def drain(
    settings: Settings, environ: dict[str, str], posts: int, warm_up: int, expected: dict[tuple[str, str], int]
) -> Result:
    """Lets one new epoch drain the topic of `posts` posts; the first `warm_up` of them are not measured."""
    cassandra = connect(settings, settings.writer_login())
    reader = Reader(cassandra)
    for epoch in reader.epochs():
        # an epoch that is not current and has another meaning is never taken up again
        cassandra.execute(
            "UPDATE epochs_v1 SET status = 'retired', meaning = '' WHERE stream = 'posts' AND epoch = %s",
            (epoch.epoch,),
        )
    log = (settings.home / "log" / "speed.bench.log").open("ab")
    speed = subprocess.Popen([sys.executable, "-m", "streaming.speed"], env=environ, stdout=log, stderr=log)
    try:
        _drained(reader, speed, warm_up)
        used = _cpu_s(settings.home)
        batches = _drained(reader, speed, posts)
        usage = _cpu_s(settings.home) - used
    finally:
        speed.terminate()
        speed.wait(timeout=120)
    done = accumulate(batch.rows_in for batch in batches)
    ended = [(batch, so_far) for batch, so_far in zip(batches, done, strict=True) if batch.ended_at is not None]
    # a micro-batch takes a few records fewer than it may, since each partition's part is rounded down
    warm = next((batch, so_far) for batch, so_far in ended if so_far >= 0.99 * warm_up)
    # the last batches of a topic that has run dry are only part full
    last = next((batch, so_far) for batch, so_far in reversed(ended) if batch.rows_in > settings.speed_max_offsets / 2)
    if last[1] - warm[1] < 1.9 * settings.speed_max_offsets or warm[0].ended_at is None or last[0].ended_at is None:
        sys.exit("fewer than two full micro-batches behind the warm-up: take more --posts")
    seconds = (last[0].ended_at - warm[0].ended_at).total_seconds()
    rows = last[1] - warm[1]
    found = _counted(reader, reader.epochs()[0].epoch)
    cassandra.cluster.shutdown()
    if found != expected:
        levels = sorted(found.keys() | expected.keys())
        wrong = {level: (expected.get(level, 0), found.get(level, 0)) for level in levels}
        print(f"wrong counts (expected, found): { {k: v for k, v in wrong.items() if v[0] != v[1]} }")
    result = Result(rows / seconds, usage / (posts - warm[1]) * 1e6, found == expected)
    print(f"{result.posts_per_s:,.0f} posts/s over {rows:,} posts, {result.core_us:.1f} us a post of all processes")
    return result


def _drained(reader: Reader, speed: "subprocess.Popen[bytes]", posts: int) -> list[Batch]:
    """The micro-batches of the epoch that `speed` leads, once it has drained that many posts."""

    def finished() -> list[Batch] | None:
        if speed.poll() is not None:
            sys.exit(f"the speed query ended with {speed.returncode}: see log/speed.bench.log")
        newest = reader.epochs()[0] if reader.epochs() else None
        if newest is None or not newest.meaning or sum(newest.processed.values()) < posts:
            return None
        today = datetime.now(UTC).date()
        return [b for day in (today - timedelta(days=1), today) for b in reader.batches(newest.epoch, day)]

    wait = Retrying(retry=retry_if_result(lambda r: r is None), stop=stop_after_delay(DEADLINE_S), wait=wait_fixed(0.2))
    found: list[Batch] = wait(finished)
    return found


def _counted(reader: Reader, epoch: str) -> dict[tuple[str, str], int]:
    counts = reader.speed_counts(epoch, sorted(reader.speed_hours(epoch)), ["*", *load().categories])
    by_level: dict[tuple[str, str], int] = defaultdict(int)
    for cell in counts:
        by_level[cell.category, cell.brand] += cell.n
    return dict(by_level)


def _cpu_s(home: Path) -> float:
    """Processor seconds so far of every process of this stack: servers, JVMs and Python workers."""
    total = 0.0
    for process in psutil.process_iter():
        try:
            if process.environ().get("DRINKSTREAM_HOME") == str(home):
                times = process.cpu_times()
                total += times.user + times.system
        except psutil.Error:
            # it ended while we looked
            continue
    return total


def report(name: str, results: list[Result], size: float, file: Path) -> None:
    """Prints the table and keeps the row."""
    rates = sorted(result.posts_per_s for result in results)
    print(
        f"\n{name}: {len(results)} runs, {size:.0f} bytes a line, {platform.python_version()}, {os.cpu_count()} cores"
    )
    print(f"  posts/s  min {rates[0]:,.0f}  median {statistics.median(rates):,.0f}  max {rates[-1]:,.0f}")
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept[name] = {
        "value": round(statistics.median(rates)),
        "unit": "posts/s",
        "spread": [round(rates[0]), round(rates[-1])],
        "core_us_per_post": round(statistics.median(result.core_us for result in results), 2),
        "bytes_per_post": round(size),
        "correct": all(result.correct for result in results),
        "peers": {},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=2) + "\n")


if __name__ == "__main__":
    main()
