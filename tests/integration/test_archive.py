"""The archive query on a real Kafka: every record exactly once, whatever it holds and whatever happens to the query."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from deltalake import DeltaTable
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from tenacity import Retrying, retry_if_not_result, stop_after_delay, wait_fixed

from drinkstream.errors import UnavailableError
from drinkstream.positions import Ledger, Span
from drinkstream.settings import ROOT, Settings
from streaming.accounting import await_archived, figures, main
from streaming.offsets import look
from tests.lib.servers import Servers

LIMIT_S = 240.0  # generous: a JVM that starts beside others takes a minute


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
        given = headers(b"post.x.v2", b"1505347200000")
        self.send(*((b"x:%d" % n, b'{"data":{"id":"%d"}}' % n, given) for n in range(first, first + count)))

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


def new_stand(servers: Servers, home: Path) -> Stand:
    """An empty archive in `home` over two new topics of the real Kafka."""
    changes = {"home": home, "jars": servers.settings.jar_folder, "archive_trigger": 1, "archive_heap": 512}
    return Stand(servers.kafka().model_copy(update=changes), {})


@pytest.fixture
def stand(servers: Servers, tmp_path: Path) -> Stand:
    """An empty archive of this test's own."""
    return new_stand(servers, tmp_path)


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


BIG = b"0123456789" * 1_000_000
X = ("source", b"x")


def headers(shape: bytes, event_ms: bytes | None = None) -> list[tuple[str, bytes]]:
    """The headers that a collector gives a record."""
    return [X, ("shape", shape), *([] if event_ms is None else [("event_ms", event_ms)])]


@pytest.fixture(scope="module")
def odd(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """An archive that took eleven odd records of posts and one of the status topic, and was stopped."""
    stand = new_stand(servers, tmp_path_factory.mktemp("odd"))
    stand.send(
        (b"x:1", b'{"data":{"id":"1"}}', headers(b"post.x.v2", b"1505347200000")),
        (b"x:2", b'{"data":{"id":"2"}}', headers(b"post.x.v2", b"1505347199999")),
        (None, b"", headers(b"notice.keepalive")),
        (b"\xff:6", None, []),
        (None, BIG, headers(b"rejected.cut_off")),
        (None, b"\xff\xfe\x00vin \xe9pic\xe9", headers(b"rejected.encoding")),
        (b"x:3", b"{}", headers(b"tombstone.delete", b"not a number")),
        (b"x:4", b"{}", headers(b"tombstone.delete", b"99999999999999999")),
        (b"x:5", b"{}", [X, X, ("shape", b"post.x.v1"), ("shape", b"post.x.v2"), ("event_ms", b"1505433600000")]),
        (None, b"not json", [("shape", b"\xff\xfe")]),
        (None, b"{}", headers(b"post.x.v2", b"-1")),
    )
    stand.send((None, b'{"kind":"connect"}', []), topic=stand.settings.status_topic)
    query = Query(stand)
    try:
        query.drain()
        assert query.stop() == 0
    finally:
        if query.process.poll() is None:
            query.kill_all()
    yield stand


def test_every_record_is_archived_once_as_it_came(odd: Stand) -> None:
    """The bytes are kept, whatever they are: an empty value, none, 10 MB, another encoding, a key that is no text."""
    assert odd.archived() == odd.sent


def test_the_day_of_a_row_is_that_of_its_header_event_ms_and_nothing_else(odd: Stand) -> None:
    """UTC days; without the header, or with one that names no day, the row lies under `none`."""
    columns = ["value", "topic", "key", "day", "source", "shape", "event_ms"]
    rows = DeltaTable(odd.settings.archive).to_pyarrow_table(columns=columns).to_pylist()
    posts, status = odd.settings.posts_topic, odd.settings.status_topic
    assert sorted((tuple(row.values()) for row in rows), key=repr) == sorted(
        [
            (b'{"data":{"id":"1"}}', posts, "x:1", "2017-09-14", "x", "post.x.v2", 1505347200000),
            (b'{"data":{"id":"2"}}', posts, "x:2", "2017-09-13", "x", "post.x.v2", 1505347199999),
            (b"", posts, None, "none", "x", "notice.keepalive", None),
            (None, posts, "\ufffd:6", "none", None, None, None),
            (BIG, posts, None, "none", "x", "rejected.cut_off", None),
            (b"\xff\xfe\x00vin \xe9pic\xe9", posts, None, "none", "x", "rejected.encoding", None),
            (b"{}", posts, "x:3", "none", "x", "tombstone.delete", None),
            (b"{}", posts, "x:4", "none", "x", "tombstone.delete", 99999999999999999),
            (b"{}", posts, "x:5", "2017-09-15", "x", "post.x.v1", 1505433600000),
            (b"not json", posts, None, "none", None, "\ufffd\ufffd", None),
            (b"{}", posts, None, "none", "x", "post.x.v2", -1),
            (b'{"kind":"connect"}', status, None, "none", None, None, None),
        ],
        key=repr,
    )


def test_every_archived_record_is_in_one_class(odd: Stand) -> None:
    """By its header `shape`, else as the parser reads it; a post without a key counts as rejected."""
    found = figures(odd.settings)
    posts = found["topics"][odd.settings.posts_topic]
    assert found["faults"] == []
    assert (posts["into"], posts["archived"], posts["waiting"], posts["gaps"]) == (11, 11, 0, 0)
    assert found["sources"] == {
        "": {"post": 0, "tombstone": 0, "notice": 0, "rejected": {"not_json": 1}},
        "x": {"post": 3, "tombstone": 2, "notice": 1, "rejected": {"cut_off": 1, "encoding": 1, "key": 1}},
        "\ufffd": {"post": 0, "tombstone": 0, "notice": 0, "rejected": {"shape": 1}},
    }


def test_the_tables_log_names_keys_and_never_a_text(odd: Stand) -> None:
    """Erasure does not rewrite the log, so no text may get there; look-ups by id need the keys' range."""
    logs = [path.read_text() for path in sorted(Path(odd.settings.archive, "_delta_log").glob("*.json"))]
    actions = [json.loads(line) for log in logs for line in log.splitlines()]
    statistics = [json.loads(action["add"]["stats"]) for action in actions if "add" in action]
    assert {name for stats in statistics for name in stats["minValues"]} == {
        *("topic", "partition", "offset", "append_ts", "key", "event_ms")
    }
    assert not re.search(r"not json|vin |0123456789|connect", "".join(logs))
    assert DeltaTable(odd.settings.archive).metadata().configuration["delta.enableDeletionVectors"] == "false"


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


def test_a_backlog_is_archived_without_a_rest_and_a_few_records_at_their_time(
    stand: Stand, start: Callable[..., Query]
) -> None:
    """Ten full commits would take a hundred seconds at one in each of their times."""
    stand.send_posts(5_000)
    query = start(DRINKSTREAM_ARCHIVE_MAX_OFFSETS="500", DRINKSTREAM_ARCHIVE_TRIGGER="10")
    query.drain()
    stand.send_posts(1)
    query.drain()
    said = reversed(DeltaTable(stand.settings.archive).history())
    commits = [
        (one["timestamp"], int(one["operationMetrics"]["numOutputRows"]))
        for one in said
        if one["operation"] == "STREAMING UPDATE"
    ]
    # a batch takes a few records fewer than it may: each partition's part is rounded down
    full = [at for at, rows in commits if rows > 400]
    assert len(full) == 10
    assert full[-1] - full[0] < 60_000
    few = [at for at, _ in commits if at >= full[-1]]
    assert len(few) > 1
    assert all(later - earlier > 7_000 for earlier, later in pairwise(few))
    assert stand.archived() == stand.sent


def test_many_long_lines_behind_short_ones_fit_the_heap(stand: Stand, start: Callable[..., Query]) -> None:
    """Each task meets short rows first, by which a writer would guess that it need not look for long."""
    # as JSON does it leaves a tenth of it, so Kafka's reader meets few at a time
    line = os.urandom(600_000).hex().encode() * 5
    stand.send(*[(None, b"", headers(b"notice.keepalive"))] * 600)
    stand.send(*[(None, line, headers(b"rejected.shape"))] * 60)
    start().drain()
    assert stand.archived() == stand.sent


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
