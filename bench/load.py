"""A steady stream of posts into Kafka, on time whatever becomes of them: one process, until its standard input ends.

    python -m bench.load BOOTSTRAP TOPIC REPORT --rate N [--hit-share S] [--hot S] [--part N/M] [--sample N]

Each post is dated to the moment at which it was due. What it says is one of POOL posts that were written before, since
what the stream costs is taken from what is measured on the same cores. At the end REPORT (JSON) says how many posts
were sent and of each level, how late the stream ever was, and, of every `--sample`-th hit, the broker's append time.
"""

import json
import os
import random
import select
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from bench.posts import START_MS, Line, Text, created_at, headers, id_at, line_at, text_of
from bench.servers import stop
from bench.topic import Counts
from drinkstream.errors import DrinkStreamError
from drinkstream.settings import PREFIX, Settings
from streaming.batches import Batch, BatchProducer

LOOK_S = 0.02
POOL = 20_000
ACKNOWLEDGED_S = 60.0
ID = b"%d" % id_at(START_MS, 0)
CREATED_AT = created_at(START_MS // 1000)
LATE_S = 1.0
"""A stream that was ever later than this was not the steady one that it should have been."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one stream sent: its posts, the posts of each level, the most that it was late (s), and hits by append time.

    `appended` is by id, in ms since 1970.
    """

    posts: int
    hits: int
    counts: Counts
    late_s: float
    appended: dict[int, int]


@click.command()
@click.argument("bootstrap")
@click.argument("topic")
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--rate", type=float, required=True, help="Posts a second.")
@click.option("--hit-share", type=float, default=0.03, show_default=True, help="Share that names a drink.")
@click.option("--hot", type=float, help="Share of the hits that name coffee; by default as it falls.")
@click.option("--part", default="0/1", show_default=True, help="Which of how many streams this is.")
@click.option("--sample", default=1, show_default=True, help="Of every so-manieth hit the append time is kept.")
def main(
    bootstrap: str, topic: str, report: Path, rate: float, hit_share: float, hot: float | None, part: str, sample: int
) -> None:
    """Send posts until standard input ends."""
    own, parts = map(int, part.split("/"))
    random_ = random.Random(own)
    pool = [_written(random_, hit_share, hot) for _ in range(POOL)]
    producer = BatchProducer(
        bootstrap_servers=bootstrap, acks="all", compression_type="zstd", batch_size=131_072, linger_ms=50
    )
    under_way: deque[tuple[int | None, Batch]] = deque()
    appended: dict[int, int] = {}
    sent: Counter[int] = Counter()
    posts = hits = 0
    late = 0.0
    began = time.time()
    ended = False
    while not ended:
        ended = bool(select.select([sys.stdin], [], [], LOOK_S)[0])
        due = int((time.time() - began) * rate)
        late = max(late, (due - posts) / rate)
        for number in range(posts, due):
            chosen = int(random_.random() * POOL)
            line = pool[chosen]
            event_ms = int((began + number / rate) * 1000)
            post_id = id_at(event_ms, number * parts + own)
            value = line.value.replace(ID, b"%d" % post_id).replace(CREATED_AT, created_at(event_ms // 1000))
            batch = producer.append(topic, value, b"x:%d" % post_id, headers(event_ms))
            sent[chosen] += 1
            hits += bool(line.pairs)
            sampled = line.pairs and hits % sample == 0
            under_way.append((post_id if sampled else None, batch))
        posts = due
        while under_way and (ended or under_way[0][1].is_done):
            number_, batch = under_way.popleft()
            if not batch.is_done:
                batch.wait(ACKNOWLEDGED_S)
            if not batch.is_done:
                raise SystemExit(f"Kafka has not acknowledged a post within {ACKNOWLEDGED_S:.0f} s")
            if (why := batch.refusal()) is not None:
                raise SystemExit(f"Kafka did not take a post: {why}")
            if number_ is not None:
                appended[number_] = batch.appended_ms
    producer.close()
    counts: Counter[tuple[str, str]] = Counter()
    for chosen, times in sent.items():
        counts.update(dict.fromkeys(levels_of(pool[chosen].pairs), times))
    told = {"posts": posts, "hits": hits, "late_s": late, "appended": list(appended.items())}
    report.write_text(json.dumps({**told, "counts": [[*level, n] for level, n in sorted(counts.items())]}))


def levels_of(pairs: tuple[tuple[str, str], ...]) -> set[tuple[str, str]]:
    """The levels that a post counts in which names these (category, brand) pairs, '' for no brand."""
    found = set()
    for category, brand in pairs:
        found |= {("*", ""), (category, "")}
        if brand:
            found |= {(category, brand), ("*", brand), ("*", "*")}
    return found


@contextmanager
def load(settings: Settings, rate: float, *options: str, parts: int = 1) -> Iterator[list[Report]]:
    """`parts` streams into settings.posts_topic while the block runs; their reports, once it has ended.

    Raises DrinkStreamError where one failed or could not keep up with its own rate.
    """
    reports: list[Report] = []
    folder = settings.scratch
    # they are no part of what is measured, so their processor time must not count as the stack's
    outside = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    files = [folder / f"load.{part}.json" for part in range(parts)]
    command = [sys.executable, "-m", "bench.load", settings.bootstrap, settings.posts_topic]
    processes = [
        subprocess.Popen(
            [*command, str(file), "--rate", str(rate / parts), "--part", f"{part}/{parts}", *options],
            stdin=subprocess.PIPE,
            env=outside,
        )
        for part, file in enumerate(files)
    ]
    try:
        yield reports
        for process in processes:
            process.communicate()
    finally:
        for process in processes:
            stop(process)
    if any(process.returncode for process in processes):
        raise DrinkStreamError("a stream of posts failed: see above")
    reports += [_read(file) for file in files]
    if (late := max(report.late_s for report in reports)) > LATE_S:
        raise DrinkStreamError(f"the stream of posts was {late:.1f} s late: this machine cannot make so many, so fast")


def together(reports: list[Report]) -> Report:
    """Several streams as one."""
    counts: Counter[tuple[str, str]] = Counter()
    for report in reports:
        counts.update(report.counts)
    return Report(
        sum(report.posts for report in reports),
        sum(report.hits for report in reports),
        dict(counts),
        max(report.late_s for report in reports),
        {number: ms for report in reports for number, ms in report.appended.items()},
    )


def _read(file: Path) -> Report:
    said = json.loads(file.read_text())
    counts = {(category, brand): n for category, brand, n in said["counts"]}
    return Report(said["posts"], said["hits"], counts, said["late_s"], dict(said["appended"]))


def _written(random_: random.Random, hit_share: float, hot: float | None) -> Line:
    """A post of no moment yet: ID and CREATED_AT stand where its own must come."""
    said = _hot(random_, hot) if hot is not None else text_of(random_, hit_share)
    return line_at(random_, START_MS, 0, said)


def _hot(random_: random.Random, share: float) -> Text:
    coffee = random_.random() < share
    while True:
        said = text_of(random_, 1.0)
        if (said.pairs[0][0] == "coffee") == coffee:
            return said


if __name__ == "__main__":
    main()
