"""Topics full of generated posts, each made once and kept for later calls, with the counts that must come of them."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from itertools import accumulate, repeat
from multiprocessing import get_context
from pathlib import Path

import click
import pyarrow as pa
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from bench import posts, posts_v1
from bench.figures import differences
from bench.posts import A_DAY, CHUNK, SEED, Line, headers, lines, truth
from bench.posts_v1 import WRITINGS
from bench.servers import Servers, remove_topic
from drinkstream.errors import DrinkStreamError
from drinkstream.hits import candidates
from drinkstream.merge import hours_of
from drinkstream.settings import Settings
from drinkstream.store.read import Reader, Run
from drinkstream.taxonomy import load
from stack import kafka
from streaming.batches import BatchProducer
from streaming.offsets import look

Counts = dict[tuple[str, str], int]
KAFKA_WAIT_S = 60.0
HIT_SHARE = 0.03
"""The share of posts that name a drink, unless said."""

MOST = 1.01
"""How many times the records that it was filled with a topic may hold: `backlog` sends a few more to its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How the lines of a topic are made: the share that names a drink, and their shape (one of WRITINGS).

    Where `appended_when_written`, Kafka holds a post as if it had been collected at once.
    """

    hit_share: float
    shape: str
    appended_when_written: bool = False


KINDS = {
    "a": Kind(HIT_SHARE, "post.x.v2"),
    "b": Kind(HIT_SHARE, "post.x.v1"),
    "hits": Kind(1.0, "post.x.v2"),
    "hits_b": Kind(1.0, "post.x.v1"),
    "day": Kind(HIT_SHARE, "post.x.v2", appended_when_written=True),
}
"""a: v2 lines as collect asks for them. b: v1.1 lines of old archives. hits, hits_b: such lines that all name a drink.

day: as a, in a topic that took a day to fill by what Kafka says of it.
"""


@dataclass(frozen=True, slots=True)
class Topic:
    """A full topic: its records, their bytes, the share that passes the prefilter, and the posts of each level."""

    name: str
    records: int
    bytes: int
    let_through: float
    counts: Counts

    @property
    def line(self) -> float:
        """Mean length of a line in bytes."""
        return self.bytes / self.records

    def beside(self, posts_per_s: float) -> dict[str, float]:
        """What stands beside a rate over this topic."""
        return {
            "bytes_per_post": round(self.line),
            "mb_per_s": round(posts_per_s * self.line / 1e6, 1),
            "let_through": self.let_through,
        }


def filled(servers: Servers, kind: str, least: int) -> Topic:
    """The topic with at least `least` lines of a kind, in whole chunks, of which A_DAY are a day.

    One to which rows have sent more than MOST allows is made anew, and so is one that other code wrote, or that is not
    whole, of a call that was cut off or since Kafka has let go of some.
    """
    how = KINDS[kind]
    chunks = -(-least // CHUNK)
    name = f"{kind}_{chunks * CHUNK}"
    settings = servers.start("kafka").model_copy(update={"posts_topic": name})
    kafka.create_topics(settings)
    note = settings.home / "topics" / f"{name}.json"
    seen = look(settings.bootstrap, (name,), KAFKA_WAIT_S)
    held = sum(seen.end.values()) - sum(seen.begin.values())
    if note.is_file():
        said = json.loads(note.read_text())
        same = (said["cluster"], said.get("generator")) == (seen.cluster, generator())
        if same and said["records"] <= held <= said["records"] * MOST:
            counts = {(category, brand): n for category, brand, n in said["counts"]}
            return Topic(name, said["records"], said["bytes"], let_through(how.shape, how.hit_share), counts)
    if held:
        remove_topic(settings)
        note.unlink(missing_ok=True)
        return filled(servers, kind, least)
    if how.appended_when_written:
        _take_times(settings)
    topic = _fill(settings, kind, chunks)
    note.parent.mkdir(exist_ok=True)
    counts_ = [[*level, n] for level, n in sorted(topic.counts.items())]
    told = {"cluster": seen.cluster, "generator": generator(), "records": topic.records, "bytes": topic.bytes}
    note.write_text(json.dumps({**told, "counts": counts_}))
    return topic


def generator(*others: str) -> str:
    """A hash of the code that decides which lines there are and what they must count, and of the files of `others`."""
    files = (posts.__file__, posts_v1.__file__, __file__, *others)
    return hashlib.sha256(b"\0".join(Path(file).read_bytes() for file in files)).hexdigest()[:16]


@cache
def let_through(shape: str, hit_share: float = HIT_SHARE) -> float:
    """The share of generated lines of a shape that the prefilter, as it is now, lets through: of CHUNK of them."""
    made = lines(0, A_DAY, SEED, hit_share, WRITINGS[shape])
    return round(int(candidates(pa.array([line.value for line in made], pa.binary())).sum()) / CHUNK, 4)


def lines_of(kind: str, chunk: int, chunks: int) -> list[Line]:
    """The lines of one chunk of a topic of a kind that has so many."""
    how = KINDS[kind]
    return list(lines(chunk, max(chunks, A_DAY), SEED, how.hit_share, WRITINGS[how.shape]))


def wrong_counts(reader: Reader, epoch: str, expected: Mapping[tuple[str, str], int], day: str = "") -> tuple[str, ...]:
    """Each level whose cells (of all days, or of those that begin with `day`) do not add up to what it must count."""
    hours = sorted(hour for hour in reader.speed_hours(epoch) if hour.startswith(day))
    found: Counts = defaultdict(int)
    for cell in reader.speed_counts(epoch, hours, ["*", *load().categories]):
        found[cell.category, cell.brand] += cell.n
    return differences(expected, found)


def wrong_totals(reader: Reader, run: Run, expected: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """Each level of a day whose totals in a run do not add up to what it must count."""
    found: Counts = defaultdict(int)
    for total in reader.day_totals(run.day, run.run_id):
        found[total.category, total.brand] += total.n
    return tuple(f"{run.day} {fault}" for fault in differences(expected, found))


def wrong_cells(reader: Reader, day: date, run_id: str, expected: Mapping[tuple[str, str], int]) -> tuple[str, ...]:
    """Each level of a day whose cells in a run do not hold as many ids as it must count."""
    found: Counts = defaultdict(int)
    for category in ("*", *load().categories):
        for cell in reader.batch_ids(run_id, hours_of(day), category, None):
            found[category, cell.brand] += len(cell.ids)
    return tuple(f"{day} {fault} in the cells of {run_id}" for fault in differences(expected, found))


def _take_times(settings: Settings) -> None:
    """Has Kafka keep the times that records are sent with in settings.posts_topic, in place of its own clock's.

    Those that it has so kept stay as they are when it goes by its clock again.
    """
    config = {"message.timestamp.type": "CreateTime"}
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, settings.posts_topic, configs=config)])
    finally:
        admin.close()


def _fill(settings: Settings, kind: str, chunks: int) -> Topic:
    counts: Counts = defaultdict(int)
    how = KINDS[kind]
    size = 0
    # two processes mix the records of two chunks, and a speed query drops what is behind the others by its watermark
    processes = 1 if how.appended_when_written else 2
    with (
        ProcessPoolExecutor(processes, get_context("spawn")) as pool,
        click.progressbar(length=chunks, label=f"{chunks * CHUNK:,} posts into {settings.posts_topic}") as bar,
    ):
        for bytes_, levels in pool.map(partial(_fill_chunk, settings, kind, chunks), range(chunks)):
            size += bytes_
            for level, n in levels.items():
                counts[level] += n  # no id is in two chunks
            bar.update(1)
    return Topic(settings.posts_topic, chunks * CHUNK, size, let_through(how.shape, how.hit_share), dict(counts))


def _fill_chunk(settings: Settings, kind: str, chunks: int, chunk: int) -> tuple[int, Counts]:
    how, made = KINDS[kind], lines_of(kind, chunk, chunks)
    # one that comes again comes later than it was written
    times = accumulate((line.event_ms for line in made), max) if how.appended_when_written else repeat(None)
    producer = BatchProducer(
        bootstrap_servers=settings.bootstrap, acks="all", compression_type="zstd", batch_size=524288, linger_ms=50
    )
    sent = {
        producer.append(
            settings.posts_topic,
            line.value,
            line.key,
            headers(line.event_ms, how.shape.encode()),
            at,
        )
        for line, at in zip(made, times, strict=False)
    }
    producer.flush()
    producer.close()
    for batch in sent:
        if (why := batch.refusal()) is not None:
            raise DrinkStreamError(f"Kafka did not take {batch.sent} records of {settings.posts_topic}: {why}")
    return sum(len(line.value) for line in made), truth(made)
