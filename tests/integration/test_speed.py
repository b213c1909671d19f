"""The speed query on real servers: every cell as the oracle has it, whatever happens to the query."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path

import pytest
from kafka import KafkaProducer

from drinkstream.errors import IntegrityError
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from drinkstream.taxonomy import load
from stack import cassandra
from streaming.offsets import look, offsets_at
from tests.lib import oracle
from tests.lib.batches import batches
from tests.lib.labels import TEXTS
from tests.lib.prefilter import shared
from tests.lib.programs import SHORTEST_PAUSE_S, Program, until

MINUTES = {"2017-09-14": 1_505_386_800_000, "2012-02-29": 1_330_516_800_000, "2021-12-31": 1_640_995_140_000}
SPEED_SETTINGS = {"speed_trigger": 0.2, "speed_max_offsets": 400, "speed_heap": 700}


def post_id(day: str, n: int) -> str:
    return str(((MINUTES[day] + n * 7_000 - 1_288_834_974_657) << 22) + n)


def line(ident: str, text: str, history: list[str] | None = None) -> bytes:
    return json.dumps(
        {"data": {"id": ident, "text": text, "lang": "en", "edit_history_tweet_ids": history or [ident]}}
    ).encode()


def posts(first: int, count: int) -> Iterator[tuple[str, bytes]]:
    """(key id, line) of posts from three days, out of order, every tenth of them twice, some edited, some broken."""
    texts, days = list(TEXTS), list(MINUTES)
    for n in range(first, first + count):
        ident = post_id(days[n % 3], n * 37 % 5000)
        value = line(ident, texts[n % 5])
        yield ident, value
        if n % 10 == 0:
            yield ident, value
        if n % 50 == 0:
            yield ident, line(post_id(days[n % 3], n * 37 % 5000 + 9000), texts[(n + 1) % 5], [ident, "1"])
        if n % 70 == 0:
            yield ident, value[: len(value) // 2]
        if n % 90 == 0:
            # a wrong clock: rejected, and without effect on anything else
            yield ident, b'{"data":{"id":"7","created_at":"2099-01-01T00:00:00.000Z","text":"beer beer","lang":"en"}}'


class Stand:
    """One speed layer of its own, and all records that Kafka acknowledged for it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.session = connect(settings, settings.writer_login())
        self.reader = Reader(self.session)
        self.sent: list[oracle.Record] = []

    def send(self, first: int, count: int) -> None:
        producer = KafkaProducer(bootstrap_servers=self.settings.bootstrap, acks="all", compression_type="zstd")
        under_way = [
            (value, producer.send(self.settings.posts_topic, value, b"x:" + ident.encode()))
            for ident, value in posts(first, count)
        ]
        producer.flush()
        for value, future in under_way:
            place = future.get(10)
            self.sent.append(oracle.Record(value, "x", place.timestamp, place.partition, place.offset))
        producer.close()

    def caught_up(self) -> Callable[[], bool]:
        """Asks whether the current epoch has processed all that Kafka holds now."""
        end = look(self.settings.bootstrap, (self.settings.posts_topic,)).end

        def reached() -> bool:
            epoch = self.reader.current_epoch()
            return epoch is not None and all(epoch.processed.get(str(p), 0) >= n for (_, p), n in end.items() if n)

        return reached

    def writing(self, since: datetime) -> bool:
        """Whether a micro-batch has begun since then whose end is not stored: one killed before has none either."""
        epochs = self.reader.epochs()
        found = batches(self.reader, epochs[0].epoch) if epochs else []
        return any(batch.ended_at is None and batch.started_at >= since for batch in found)

    def cells(self) -> dict[oracle.Cell, set[str]]:
        """Every cell of the current epoch, in the oracle's form."""
        epoch = self.reader.current_epoch()
        assert epoch is not None
        hours = sorted(self.reader.speed_hours(epoch.epoch))
        found = {}
        for category in ("*", *load().categories):
            for cell in self.reader.speed_ids(epoch.epoch, hours, category, None):
                minute = f"{cell.hour[11:]}:{cell.minute:02d}"
                name = (cell.hour[:10], minute, cell.source, category, cell.brand, cell.kind, cell.lang)
                found[name] = set(cell.ids)
        counts = self.reader.speed_counts(epoch.epoch, hours, ["*", *load().categories])
        numbers = {
            (c.hour[:10], f"{c.hour[11:]}:{c.minute:02d}", c.source, c.category, c.brand, c.kind, c.lang): c.n
            for c in counts
        }
        assert numbers == {name: len(ids) for name, ids in found.items()}
        return found

    def truth(self) -> dict[oracle.Cell, set[str]]:
        return oracle.speed(self.sent, TEXTS.get)


@pytest.fixture
def stand(settings: Settings, tmp_path: Path) -> Iterator[Stand]:
    """A speed layer with topics, keyspace and home of its own."""
    changed = {"home": shared(tmp_path), "jars": settings.jar_folder, **SPEED_SETTINGS}
    made = Stand(settings.model_copy(update=changed))
    yield made
    made.session.cluster.shutdown()


def test_every_cell_is_the_oracles_through_kills_in_the_middle_of_writing(stand: Stand):
    """Three kill -9 of driver, JVM and workers while batches are written; nothing is lost and nothing counted twice."""
    stand.send(0, 1500)
    for round_ in range(1, 4):
        writing = partial(stand.writing, datetime.now(UTC))
        program = Program("streaming.speed", stand.settings)
        program.until(writing, SHORTEST_PAUSE_S)
        program.kill()
        assert writing(), "the micro-batch had ended when the kill came"
        stand.send(round_ * 1500, 300)
    program = Program("streaming.speed", stand.settings)
    program.until(stand.caught_up())
    assert program.stop() == 0
    assert stand.cells() == stand.truth()
    assert len(stand.reader.epochs()) == 1


def test_what_the_query_measured_stands_beside_each_micro_batch_and_a_write_that_fails_ends_it(
    stand: Stand, settings: Settings
):
    """What ended it is the last that its log says, in the words of Cassandra's driver."""
    stand.send(0, 300)
    program = Program("streaming.speed", stand.settings)
    program.until(stand.caught_up())

    read = [oracle.read(record) for record in stand.sent]
    named = sum(r.what == "post" and bool(TEXTS.get(r.text)) for r in read)

    def measured() -> bool:
        epoch = stand.reader.current_epoch()
        found = batches(stand.reader, epoch.epoch) if epoch else []
        return sum(b.rows_in for b in found) == len(stand.sent) and sum(b.hits for b in found) >= named

    program.until(measured)
    epoch = stand.reader.current_epoch()
    assert epoch is not None
    found = batches(stand.reader, epoch.epoch)
    assert sum(b.hits for b in found) == named
    touched = [f"{hour}:{minute:02}" for b in found for hour, minute in b.hours.items()]
    counted = [f"{day}T{minute}" for day, minute, *_ in stand.truth()]
    assert {min(at) for _, at in groupby(sorted(touched), key=lambda at: at[:13])} == {
        min(at) for _, at in groupby(sorted(counted), key=lambda at: at[:13])
    }
    assert {hour[:10] for b in found for hour in b.hours} == {cell[0] for cell in stand.truth()}
    appended = [r.append_ms for r, post in zip(stand.sent, read, strict=True) if TEXTS.get(post.text)]
    latest = max(b.append_to for b in found if b.append_to is not None)
    assert latest.timestamp() * 1000 == pytest.approx(max(appended), abs=0.5)

    admin = cassandra.admin(settings)
    admin.execute(f"DROP TABLE {settings.keyspace}.speed_cells_v1", timeout=60)
    admin.cluster.shutdown()
    stand.send(300, 100)
    until(lambda: program.process.poll() is not None)
    assert program.process.returncode == IntegrityError.exit_code
    said = program.log.read_text().splitlines()
    assert sum(line.startswith("speed: the speed query ended: ") for line in said) == 1
    last = said[-1].removeprefix("drinkstream.errors.")
    assert last.startswith("UnavailableError: Cassandra did not take a write: ")
    assert "speed_cells_v1" in last
    unfinished = [b for b in batches(stand.reader, epoch.epoch) if b.ended_at is None]
    assert len(unfinished) == 1


def test_kafka_tells_where_an_append_time_begins_in_each_partition(stand: Stand):
    stand.send(0, 100)
    later = max(record.append_ms for record in stand.sent) + 1
    until(lambda: time_ms() > later)
    before = {p: sum(record.partition == p for record in stand.sent) for p in (0, 1)}
    stand.send(100, 100)
    topic = stand.settings.posts_topic
    places = [(topic, 0), (topic, 1)]
    assert offsets_at(stand.settings.bootstrap, places, later) == {(topic, p): n for p, n in before.items()}
    end = {(topic, p): sum(record.partition == p for record in stand.sent) for p in (0, 1)}
    assert offsets_at(stand.settings.bootstrap, places, later + 3_600_000) == end
    assert offsets_at(stand.settings.bootstrap, places, 0) == dict.fromkeys(places, 0)


def time_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
