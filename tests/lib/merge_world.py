"""The world around both layers, in memory: clock, Kafka, archive and store, put where the product asks for them.

Only what cannot run here is replaced: the broker, the Delta table, and Spark's own work (merge_speed_layer.py and
merge_batch_layer.py do that).
"""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zlib import crc32

from drinkstream.hits import _placed, _turns, load
from drinkstream.post import NO_DAY, Post, day_of, envelopes, parse_keyed
from drinkstream.settings import Settings
from jobs.audit import Archived
from stack.cassandra import SCHEMA, statements
from streaming.offsets import KafkaOffsets
from tests.lib.cassandra_in_memory import Store

PARTITIONS = (0, 1)
TOPIC = "posts"
START = datetime(2026, 5, 2, 23, 40, tzinfo=UTC)
TTL_DAYS = 3


@dataclass(frozen=True)
class Stored:
    """One record in Kafka, and `day`: the partition of the archive that it goes to."""

    cluster: str
    partition: int
    offset: int
    key: str | None
    value: bytes
    append_ms: int
    day: str

    @property
    def append(self) -> datetime:
        """Kafka's append time."""
        return datetime.fromtimestamp(self.append_ms / 1000, UTC)


@dataclass
class Kafka:
    """The posts topic: records by partition, and the first offset of each that is still held."""

    cluster: str
    logs: dict[int, list[Stored]] = field(default_factory=lambda: {p: [] for p in PARTITIONS})
    begin: dict[int, int] = field(default_factory=lambda: dict.fromkeys(PARTITIONS, 0))

    def offset_at(self, partition: int, ms: int) -> int:
        """The first offset that is held with an append time at or after `ms`; the end where none has."""
        log, begin = self.logs[partition], self.begin[partition]
        return next((row.offset for row in log[begin:] if row.append_ms >= ms), len(log))

    def send(self, line: bytes, now: datetime) -> list[Stored]:
        """Appends a line of X as a collector sends it."""
        now_ms = int(now.timestamp() * 1000)
        sent = []
        for envelope in envelopes(line, "x", now_ms):
            key = None if envelope.id is None else f"x:{envelope.id}"
            partition = crc32((key or "").encode()) % len(PARTITIONS)
            log = self.logs[partition]
            day = NO_DAY if envelope.event_ms is None else day_of(envelope.event_ms)
            log.append(Stored(self.cluster, partition, len(log), key, envelope.value, now_ms, day))
            sent.append(log[-1])
        return sent


@dataclass(frozen=True)
class ArchiveView:
    """What drinkstream.archive.Archive answers, of the rows of one version."""

    rows: tuple[Stored, ...]
    number: int

    def exists(self) -> bool:
        return True

    def version(self) -> int:
        return self.number

    def ends(self) -> dict[tuple[str, str, int], int]:
        until: dict[tuple[str, str, int], int] = {}
        for row in self.rows:
            place = (row.cluster, TOPIC, row.partition)
            until[place] = max(until.get(place, 0), row.offset + 1)
        return until

    def positions(self, cluster: str) -> dict[tuple[str, int], int]:
        return {(topic, partition): end for (of, topic, partition), end in self.ends().items() if of == cluster}

    def first_appends(self, topic: str, cluster: str) -> dict[str, int]:
        assert topic == TOPIC
        rows = [row for row in self.rows if row.cluster == cluster and (row.day != NO_DAY or is_post(row))]
        return {day: min(row.append_ms for row in rows if row.day == day) for day in {row.day for row in rows}}

    def appended(self, topic: str, *_: date) -> list[Stored]:
        assert topic != TOPIC  # the feeds told nothing
        return []

    def rows_by_day(self, topic: str) -> dict[str, int]:
        days = [row.day for row in self.rows if topic == TOPIC]
        return {day: days.count(day) for day in sorted(set(days))}

    def other_topics(self, topic: str, _: Iterable[str]) -> dict[str, list[str]]:
        assert topic == TOPIC
        return {}

    def days_before(self, topic: str, cluster: str, begin: dict[int, int]) -> frozenset[date]:
        assert topic == TOPIC
        gone = (row for row in self.rows if row.cluster != cluster or row.offset < begin[row.partition])
        return frozenset(date.fromisoformat(row.day) for row in gone if row.day != NO_DAY)


def is_post(row: Stored) -> bool:
    """Whether a record is a post's."""
    return isinstance(parse_keyed(row.value, row.key, row.append_ms), Post)


class World:
    """Everything outside the layers. `skew` is what the speed layer's clock is off; `meaning` is the code's version."""

    def __init__(self) -> None:
        self.now = START
        self.skew = timedelta()
        self.meaning = "m0"
        self.kafka = Kafka("cluster-0")
        self.archived: list[Stored] = []
        self.versions = [0]
        self.home = Path(tempfile.mkdtemp(prefix="drinkstream-merge-"))
        self.settings = Settings(
            home=self.home, speed_ttl_days=TTL_DAYS, max_rejected_share=1, speed_watermark=6 * 3600
        )  # type: ignore[call-arg]
        self.store = Store(statements(SCHEMA, self.settings), lambda: int(self.now.timestamp() * 1_000_000))

    # -- what happens in it --------------------------------------------------------------------------------------------

    def archive(self, partitions: tuple[int, ...] = PARTITIONS) -> None:
        """The archive takes all that these partitions hold, in one commit."""
        known = set(self.archived)
        self.archived += [row for p in partitions for row in self.kafka.logs[p] if row not in known]
        self.versions.append(len(self.archived))

    def archive_at(self, _uri: str = "", pinned: int | None = None) -> ArchiveView:
        """The archive at one version, by default the newest."""
        number = len(self.versions) - 1 if pinned is None else pinned
        return ArchiveView(tuple(self.archived[: self.versions[number]]), number)

    def end(self) -> dict[int, int]:
        """The next offset of each partition."""
        return {p: len(log) for p, log in self.kafka.logs.items()}

    # -- what the product sees of it -----------------------------------------------------------------------------------

    def put_in_place(self, stack: ExitStack, recompute_chunk: Callable[..., None]) -> None:
        """Until `stack` is closed, the product meets this world."""
        sharded = replace(load(), shards={"*": 3, "coffee": 2})
        tokens = count()
        speed, batch = _clock(lambda: self.now + self.skew), _clock(lambda: self.now)
        for target, new in {
            "streaming.sink.datetime": speed,
            "streaming.epochs.datetime": speed,
            "streaming.speed.datetime": speed,
            "drinkstream.store.write.datetime": speed,
            "streaming.speed.look": self._look,
            "streaming.speed.Archive": self.archive_at,
            "streaming.speed.append_times": self._append_times,
            "streaming.speed.offsets_at": self._offsets_at,
            "jobs.publish.datetime": batch,
            "jobs.recompute.datetime": batch,
            "jobs.recompute.Archive": self.archive_at,
            "jobs.recompute.recompute_chunk": recompute_chunk,
            "jobs.audit.archived_at": self._archived_at,
            "drinkstream.meaning.version": lambda: self.meaning,
            "drinkstream.hits.load": lambda: sharded,
            "secrets.token_hex": lambda n: f"{next(tokens):0{2 * n}x}",
            # what the jobs print for an operator
            "builtins.print": lambda *_, **__: None,
        }.items():
            stack.enter_context(patch(target, new))
        for kept in (_placed, _turns):
            kept.cache_clear()  # other tests have other shards
            stack.callback(kept.cache_clear)
        stack.callback(shutil.rmtree, self.home)

    def _archived_at(self, _: Settings, version: int) -> Archived:
        # of every day a feed told
        return Archived(self.archive_at("", version).rows_by_day(TOPIC), {}, ())

    def _append_times(self, _: str, positions: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        return {(topic, p): self.kafka.logs[p][offset].append_ms for (topic, p), offset in positions.items()}

    def _offsets_at(self, _: str, places: Collection[tuple[str, int]], ms: int) -> dict[tuple[str, int], int]:
        return {(topic, p): self.kafka.offset_at(p, ms) for topic, p in places}

    def _look(self, *_: Any) -> KafkaOffsets:
        begin = {(TOPIC, p): offset for p, offset in self.kafka.begin.items()}
        return KafkaOffsets(self.kafka.cluster, begin, {(TOPIC, p): offset for p, offset in self.end().items()})


def _clock(now: Callable[[], datetime]) -> type[datetime]:
    class Clock(datetime):
        @classmethod
        def now(cls, _tz: Any = None) -> datetime:  # type: ignore[override]
            return now()

    return Clock
