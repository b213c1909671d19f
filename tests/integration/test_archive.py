"""The archive query on a real Kafka: every record exactly once, whatever it holds and whatever happens to the query."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from drinkstream.archive import Archive, Class
from drinkstream.errors import UnavailableError
from drinkstream.positions import Ledger, Span
from drinkstream.settings import ROOT, Settings
from stack import kafka
from streaming.accounting import await_archived, figures, main
from streaming.offsets import look

DAY_MS = 1505347200000  # 2017-09-14T00:00:00Z
LIMIT_S = 90.0


def until(condition: Callable[[], object], seconds: float = LIMIT_S) -> None:
    """Return as soon as `condition` holds; fails after `seconds`."""
    Retrying(retry=retry_if_not_result(bool), stop=stop_after_delay(seconds), wait=wait_fixed(0.05))(condition)


@dataclass(frozen=True)
class Stand:
    """One archive of its own with topics of its own; `sent` is what Kafka acknowledged, by partition and offset."""

    settings: Settings
    sent: dict[tuple[str, int, int], tuple[str | None, bytes | None]]

    def send(self, *records: tuple[bytes | None, bytes | None, list[tuple[str, bytes]]], topic: str = "") -> None:
        """Send (key, value, headers) records and wait until all are acknowledged."""
        topic = topic or self.settings.posts_topic
        producer = KafkaProducer(
            bootstrap_servers=self.settings.bootstrap, acks="all", compression_type="zstd", max_request_size=12 << 20
        )
        under_way = [(record, producer.send(topic, record[1], record[0], record[2])) for record in records]
        producer.flush()
        for (key, value, _), future in under_way:
            place = future.get(10)
            self.sent[topic, place.partition, place.offset] = (
                None if key is None else key.decode(errors="replace"),
                value,
            )
        producer.close()

    def send_posts(self, count: int) -> None:
        """Send `count` small posts with ids that no earlier call used."""
        first = len(self.sent)
        headers = [("source", b"x"), ("shape", b"post.x.v2"), ("event_ms", b"%d" % DAY_MS)]
        self.send(*((b"x:%d" % n, b'{"data":{"id":"%d"}}' % n, headers) for n in range(first, first + count)))

    def environment(self) -> dict[str, str]:
        """The environment that makes a process use this stand."""
        given = {name: str(getattr(self.settings, name)) for name in self.settings.model_fields_set}
        return {**os.environ, **{f"DRINKSTREAM_{name.upper()}": value for name, value in given.items()}}

    def archived(self) -> dict[tuple[str, int, int], tuple[str | None, bytes | None]]:
        """What lies in the archive, in the form of `sent`. Fails where a record lies there twice."""
        table = DeltaTable(self.settings.archive).to_pyarrow_table(
            columns=["topic", "partition", "offset", "key", "value"]
        )
        rows = table.to_pylist()
        found = {(row["topic"], row["partition"], row["offset"]): (row["key"], row["value"]) for row in rows}
        assert len(found) == len(rows)
        return found


class Query:
    """The archive query as a process group of its own."""

    def __init__(self, stand: Stand, **settings: str) -> None:
        self.stand = stand
        self.log = stand.settings.home / "archive.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streaming.archive"],
                cwd=ROOT,
                env={**stand.environment(), **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def drain(self) -> None:
        """Wait until all that Kafka holds now is archived; fails at once where the query ends before."""
        until(lambda: self.process.poll() is not None or self._drained())
        assert self.process.poll() is None, self.log.read_text()

    def _drained(self) -> bool:
        try:
            await_archived(self.stand.settings, 2)
        except UnavailableError:
            return False
        return True

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(LIMIT_S)

    def kill_all(self) -> None:
        """kill -9 of driver and JVM at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_driver(self) -> None:
        """kill -9 of the driver alone: its JVM lives on for a moment."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def stand(kafka_server: Settings, tmp_path: Path) -> Iterator[Stand]:
    """An empty archive over two new topics of the real Kafka."""
    name = tmp_path.name.replace("_", "-")
    changes = {"home": tmp_path, "posts_topic": f"posts-{name}", "status_topic": f"status-{name}"}
    more = {"jars": kafka_server.jar_folder, "posts_partitions": 2, "archive_trigger": 1, "archive_heap": 512}
    settings = Settings.model_validate({**kafka_server.model_dump(exclude_unset=True), **changes, **more})
    kafka.create_topics(settings)
    yield Stand(settings, {})
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap)
    admin.delete_topics([settings.posts_topic, settings.status_topic])
    admin.close()


@pytest.fixture
def start(stand: Stand) -> Iterator[Callable[..., Query]]:
    """Starts archive queries on the stand; whatever of them still runs at the end is killed."""
    started: list[Query] = []

    def run(**settings: str) -> Query:
        started.append(Query(stand, **settings))
        return started[-1]

    yield run
    for query in started:
        if query.process.poll() is None:
            query.kill_all()


def test_every_record_is_archived_once_as_it_came(stand: Stand, start: Callable[..., Query]) -> None:
    """Odd values, keys and headers: the bytes are kept, the day is that of the header event_ms and nothing else."""
    posts, status = stand.settings.posts_topic, stand.settings.status_topic
    big = b"0123456789" * 1_000_000
    x = ("source", b"x")

    def of(shape: bytes, event_ms: bytes | None = None) -> list[tuple[str, bytes]]:
        return [x, ("shape", shape), *([] if event_ms is None else [("event_ms", event_ms)])]

    stand.send(
        (b"x:1", b'{"data":{"id":"1"}}', of(b"post.x.v2", b"1505347200000")),
        (b"x:2", b'{"data":{"id":"2"}}', of(b"post.x.v2", b"1505347199999")),
        (None, b"", of(b"notice.keepalive")),
        (b"\xff:6", None, []),
        (None, big, of(b"rejected.cut_off")),
        (None, b"\xff\xfe\x00caf\xe9", of(b"rejected.encoding")),
        (b"x:3", b"{}", of(b"tombstone.delete", b"not a number")),
        (b"x:4", b"{}", of(b"tombstone.delete", b"99999999999999999")),
        (b"x:5", b"{}", [x, x, ("shape", b"post.x.v1"), ("shape", b"post.x.v2"), ("event_ms", b"1505433600000")]),
        (None, b"not json", [("shape", b"\xff\xfe")]),
        (None, b"", of(b"post.x.v2", b"-1")),
    )
    stand.send((None, b'{"kind":"connect"}', []), topic=status)
    query = start()
    query.drain()

    assert stand.archived() == stand.sent
    assert query.stop() == 0
    table = DeltaTable(stand.settings.archive)
    columns = ["day", "topic", "key", "source", "shape", "event_ms", "value"]
    rows = table.to_pyarrow_table(columns=columns).to_pylist()
    shown = {(r["value"] or b"")[:20]: r for r in rows if r["key"] is None and r["value"]}
    assert {key: tuple(row[c] for c in columns if c != "value") for key, row in shown.items()} == {
        big[:20]: ("none", posts, None, "x", "rejected.cut_off", None),
        b"\xff\xfe\x00caf\xe9": ("none", posts, None, "x", "rejected.encoding", None),
        b"not json": ("none", posts, None, None, "\ufffd\ufffd", None),
        b'{"kind":"connect"}': ("none", status, None, None, None, None),
    }
    assert {r["key"]: (r["day"], r["source"], r["shape"], r["event_ms"]) for r in rows if r["key"]} == {
        "x:1": ("2017-09-14", "x", "post.x.v2", 1505347200000),
        "x:2": ("2017-09-13", "x", "post.x.v2", 1505347199999),
        "x:3": ("none", "x", "tombstone.delete", None),
        "x:4": ("none", "x", "tombstone.delete", 99999999999999999),
        "x:5": ("2017-09-15", "x", "post.x.v1", 1505433600000),
        "\ufffd:6": ("none", None, None, None),
    }
    assert sorted(
        (r["value"], r["day"], r["source"], r["shape"], r["event_ms"]) for r in rows if r["value"] == b""
    ) == [(b"", "none", "x", "notice.keepalive", None), (b"", "none", "x", "post.x.v2", -1)]
    assert [r["key"] for r in rows if r["value"] is None] == ["\ufffd:6"]

    cluster = look(stand.settings.bootstrap, (posts,)).cluster
    assert dict(Archive(stand.settings.archive).classes(posts, cluster)) == {
        Class("x", "post"): 3,
        Class("x", "tombstone"): 2,
        Class("x", "notice"): 1,
        Class("x", "rejected", "cut_off"): 1,
        Class("x", "rejected", "encoding"): 1,
        Class("x", "rejected", "key"): 1,
        Class("\ufffd", "rejected", "shape"): 1,
        Class("", "rejected", "not_json"): 1,
    }
    found = figures(stand.settings)
    assert found["faults"] == []
    assert found["topics"][posts]["into"] == found["topics"][posts]["archived"] == 11


def test_the_table_keeps_no_statistics_of_values(stand: Stand, start: Callable[..., Query]) -> None:
    """The text of a post must not reach the table's log, which erasure does not rewrite; a key must, for look-ups."""
    stand.send((b"x:1", b"a text to be erased", []))
    query = start()
    query.drain()
    query.stop()

    log = "".join(path.read_text() for path in Path(stand.settings.archive, "_delta_log").glob("*.json"))
    assert "a text to be erased" not in log
    assert "x:1" in log
    assert DeltaTable(stand.settings.archive).metadata().configuration["delta.enableDeletionVectors"] == "false"


def test_a_killed_query_loses_and_doubles_nothing(stand: Stand, start: Callable[..., Query]) -> None:
    """kill -9 of driver and JVM in the middle of a run of batches, then of the driver alone; then it drains."""
    ledger = Ledger.beside(stand.settings.archive)
    cluster = look(stand.settings.bootstrap, (stand.settings.posts_topic,)).cluster

    def taken() -> int:
        return sum(ledger.positions(cluster).values())

    stand.send_posts(40_000)
    slow = {"DRINKSTREAM_ARCHIVE_MAX_OFFSETS": "2000", "DRINKSTREAM_ARCHIVE_TRIGGER": "0"}
    query = start(**slow)
    until(lambda: taken() >= 6_000)
    query.kill_all()
    first = taken()
    assert 6_000 <= first < 40_000

    query = start(**slow)
    until(lambda: taken() >= first + 6_000)
    query.kill_driver()
    assert taken() < 40_000

    start().drain()
    assert stand.archived() == stand.sent
    assert main_exit_code(stand) == 0


def test_a_lost_checkpoint_and_a_trimmed_topic(stand: Stand, start: Callable[..., Query]) -> None:
    """Without its checkpoint the query goes on after the last archived record; what Kafka lost meanwhile is a gap."""
    stand.send_posts(1_000)
    query = start()
    query.drain()
    assert query.stop() == 0

    shutil.rmtree(stand.settings.checkpoints)
    stand.send_posts(500)
    query = start()
    query.drain()
    assert query.stop() == 0
    assert stand.archived() == stand.sent

    posts = stand.settings.posts_topic
    before = look(stand.settings.bootstrap, (posts,))
    stand.send_posts(200)
    trimmed = {place: end + 10 for place, end in before.end.items()}
    admin = KafkaAdminClient(bootstrap_servers=stand.settings.bootstrap)
    admin.delete_records({TopicPartition(*place): offset for place, offset in trimmed.items()})
    admin.close()
    query = start()
    query.drain()
    assert query.stop() == 0

    kept = {k: v for k, v in stand.sent.items() if not before.end[k[0], k[1]] <= k[2] < trimmed[k[0], k[1]]}
    assert len(kept) == len(stand.sent) - 20
    assert stand.archived() == kept
    assert sorted(gap.span for gap in Ledger.beside(stand.settings.archive).gaps()) == [
        Span(before.cluster, posts, partition, before.end[posts, partition], before.end[posts, partition] + 10)
        for partition in (0, 1)
    ]
    assert "GAP: Kafka no longer holds" in query.log.read_text()
    found = figures(stand.settings)
    assert (found["faults"], found["topics"][posts]["gaps"], found["topics"][posts]["into"]) == ([], 20, 1_700)


def test_a_second_query_is_refused(stand: Stand, start: Callable[..., Query]) -> None:
    """Two queries on one archive would write records twice: the second one ends with the exit code of a conflict."""
    first = start()
    until(lambda: (stand.settings.checkpoints / "archive.lock").exists())
    second = start()
    assert second.process.wait(LIMIT_S) == 5
    assert "another archive query holds" in second.log.read_text()
    assert first.process.poll() is None


def main_exit_code(stand: Stand) -> int:
    """The accounting's exit code when it is run as a program for this stand."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stand.environment().items():
            patch.setenv(name, value)
        return main(["--json"])
