"""How fast a full topic drains: Kafka -> cells in Cassandra, every server on this machine, every count checked.

    python -m bench.drain [--posts N] [--runs N] [--archive]

Fills a topic once, then lets a new epoch of the speed query drain it, `--runs` times; the first batches, in which the
JVM warms up, are dropped. The rate is that of the micro-batches behind them, from the store's own records.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import psutil
from kafka import KafkaProducer
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from bench.posts import lines, truth
from drinkstream.settings import Settings
from drinkstream.store.read import Batch, Reader
from drinkstream.store.session import connect
from drinkstream.taxonomy import load
from streaming.offsets import look

SEED = 2017
WARM_UP_BATCHES = 4
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
@click.option("--posts", default=2_000_000, show_default=True, help="Posts in the topic.")
@click.option("--runs", default=3, show_default=True, help="How often it is drained.")
@click.option("--archive/--no-archive", default=False, help="Run the archive query beside it.")
@click.option("--batch", default=200_000, show_default=True, help="Records a micro-batch takes at most.")
def main(posts: int, runs: int, archive: bool, batch: int) -> None:
    """Measure the drain and keep its figures in var/bench/latest.json."""
    base = Settings.load()
    environ = {
        **os.environ,
        "DRINKSTREAM_HOME": str(base.home / "bench"),
        "DRINKSTREAM_JARS": str(base.jar_folder),
        "DRINKSTREAM_SPEED_MAX_OFFSETS": str(batch),
        **{f"DRINKSTREAM_{name}": str(port) for name, port in PORTS.items()},
    }
    settings = Settings.load(environ)
    programs = "kafka,cassandra,archive" if archive else "kafka,cassandra"
    stack = [sys.executable, "-m"]
    subprocess.run([*stack, "stack.up", "--only", programs], env=environ, check=True)
    try:
        size = fill(settings, posts)
        expected = truth(lines(posts, SEED))
        results = [drain(settings, environ, posts, expected) for _ in range(runs)]
    finally:
        subprocess.run([*stack, "stack.down"], env=environ, check=True)
    report("drain_with_archive" if archive else "drain", results, size, base.home / "bench" / "latest.json")
    if not all(result.correct for result in results):
        sys.exit("a count was wrong: this is a failed run")


def fill(settings: Settings, posts: int) -> float:
    """Fills the topic unless it is full already; returns the mean size of a line in bytes."""
    end = sum(look(settings.bootstrap, (settings.posts_topic,), 60).end.values())
    if end not in (0, posts):
        sys.exit(f"the topic holds {end} records, not {posts}: remove {settings.home} and start again")
    producer = None if end else KafkaProducer(
        bootstrap_servers=settings.bootstrap, acks="all", compression_type="zstd", batch_size=524288, linger_ms=50
    )  # fmt: skip
    total = 0
    with click.progressbar(lines(posts, SEED), length=posts, label="posts") as bar:
        for line in bar:
            total += len(line.value)
            if producer is not None:
                headers = [("source", b"x"), ("shape", b"post.x.v2"), ("event_ms", str(line.event_ms).encode())]
                producer.send(settings.posts_topic, line.value, line.key, headers=headers)
    if producer is not None:
        producer.close()
    return total / posts


def drain(settings: Settings, environ: dict[str, str], posts: int, expected: dict[tuple[str, str], int]) -> Result:
    """Lets one new epoch drain the topic."""
    cassandra = connect(settings, settings.writer_login())
    reader = Reader(cassandra)
    for epoch in reader.epochs():
        # an epoch that is not current and has another meaning is never taken up again
        cassandra.execute(
            "UPDATE epochs_v1 SET status = 'retired', meaning = '' WHERE stream = 'posts' AND epoch = %s",
            (epoch.epoch,),
        )
    used = _cpu_s(settings.home)
    log = (settings.home / "log" / "speed.bench.log").open("ab")
    speed = subprocess.Popen([sys.executable, "-m", "streaming.speed"], env=environ, stdout=log, stderr=log)
    try:
        batches = _all_batches(reader, posts, speed)
        usage = _cpu_s(settings.home) - used
    finally:
        speed.terminate()
        speed.wait(timeout=120)
    warm = batches[WARM_UP_BATCHES]
    measured = batches[WARM_UP_BATCHES + 1 :]
    if len(measured) < 3 or warm.ended_at is None:
        sys.exit("too few micro-batches behind the warm-up: take more --posts or a smaller --batch")
    ends = [batch.ended_at for batch in measured if batch.ended_at is not None and batch.rows_in > 1000]
    seconds = (max(ends) - warm.ended_at).total_seconds()
    rows = sum(batch.rows_in for batch in measured)
    epoch = reader.epochs()[0].epoch
    found = _counted(reader, epoch)
    cassandra.cluster.shutdown()
    wrong = {level: (n, found.get(level, 0)) for level, n in expected.items() if found.get(level, 0) != n}
    if wrong or found.keys() - expected.keys():
        print(f"wrong counts (expected, found): {wrong}, unexpected: {found.keys() - expected.keys()}")
    result = Result(rows / seconds, usage / posts * 1e6, not wrong and found.keys() == expected.keys())
    print(
        f"{result.posts_per_s:,.0f} posts/s over {rows:,} posts, {result.core_us:.1f} us a post in all (with start-up)"
    )
    return result


def _all_batches(reader: Reader, posts: int, speed: "subprocess.Popen[bytes]") -> list[Batch]:
    before = {epoch.epoch for epoch in reader.epochs()}

    def finished() -> list[Batch] | None:
        if speed.poll() is not None:
            sys.exit(f"the speed query ended with {speed.returncode}: see log/speed.bench.log")
        newest = next((epoch for epoch in reader.epochs() if epoch.epoch not in before), None)
        if newest is None or sum(newest.processed.values()) < posts:
            return None
        today = datetime.now(UTC).date()
        return [b for day in (today - timedelta(days=1), today) for b in reader.batches(newest.epoch, day)]

    wait = Retrying(retry=retry_if_result(lambda r: r is None), stop=stop_after_delay(DEADLINE_S), wait=wait_fixed(0.5))
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
