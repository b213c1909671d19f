"""From Kafka to the reconciliation with every program real: what is planted in the stream comes out under its cause."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer

from drinkstream.archive import Archive
from drinkstream.post import envelopes
from drinkstream.reconcile import Cause, Reconciliation
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from streaming.offsets import look
from tests.lib.jobs import run
from tests.lib.planted import COFFEE, DAY, TEA, apart, delete, post_id, tweet
from tests.lib.prefilter import shared
from tests.lib.programs import Program

NONE = dict.fromkeys(map(str, Cause), 0)
SMALL = {"speed_trigger": 0.2, "speed_heap": 700, "archive_heap": 512, "archive_trigger": 1, "recompute_heap": 900}


class Stream:
    """A topic, an archive and tables of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.session = connect(settings, settings.writer_login())
        self.reader = Reader(self.session)
        self.sent = 0

    def send(self, *lines: bytes) -> None:
        """Send lines as a collector does, and wait until Kafka acknowledged them."""
        producer = KafkaProducer(bootstrap_servers=self.settings.bootstrap, acks="all", compression_type="zstd")
        for line in lines:
            (found,) = envelopes(line, "x", 1_800_000_000_000)
            headers = [("source", b"x"), ("shape", found.shape.encode()), ("event_ms", b"%d" % (found.event_ms or 0))]
            producer.send(self.settings.posts_topic, found.value, f"x:{found.id}".encode(), headers)
        producer.flush()
        producer.close()
        self.sent += len(lines)

    def archived(self) -> bool:
        """Whether the archive holds everything."""
        archive = Archive(self.settings.archive)
        return archive.exists() and sum(archive.rows_by_day(self.settings.posts_topic).values()) == self.sent

    def count(self) -> None:
        """Let the speed query count everything."""
        end = look(self.settings.bootstrap, (self.settings.posts_topic,)).end

        def counted() -> bool:
            epoch = self.reader.current_epoch()
            return epoch is not None and all(epoch.processed.get(str(p), 0) >= n for (_, p), n in end.items())

        with self.running("streaming.speed") as speed:
            speed.until(counted)

    @contextmanager
    def running(self, module: str) -> Iterator[Program]:
        """A program that runs meanwhile; it must end well."""
        program = Program(module, self.settings)
        try:
            yield program
            assert program.stop() == 0
        finally:
            if program.process.poll() is None:
                program.kill()

    def job(self, module: str, *arguments: str) -> None:
        """Run a job as Airflow does; it must succeed."""
        done = run(module, self.settings, *arguments)
        assert done.returncode == 0, done.stderr[-3000:]

    def reconciled(self, attempt: str) -> Reconciliation:
        """What the reconciliation of an attempt's run says."""
        self.job("jobs.reconcile", "--attempt", attempt)
        (found,) = self.reader.reconciliations(DAY)
        return found


@pytest.fixture
def stream(settings: Settings, tmp_path: Path) -> Iterator[Stream]:
    made = Stream(apart(settings, shared(tmp_path)).model_copy(update=SMALL))
    yield made
    made.session.cluster.shutdown()


def test_what_was_planted_in_the_stream_comes_out_under_its_cause(stream: Stream):
    """Deletes, edits, other versions; then posts that only the archive gets, since the speed query is down."""
    ids = [post_id(n) for n in range(100)]
    stream.send(
        *(tweet(ident, COFFEE) for ident in ids[:40]),
        *(delete(ident) for ident in ids[:2]),
        *(tweet(ids[90 + n], TEA, ids[10 + n]) for n in range(3)),
        *(tweet(ident, TEA) for ident in ids[20:24]),
        # a duplicate is no difference
        *(tweet(ident, COFFEE) for ident in ids[30:40]),
    )
    with stream.running("streaming.archive") as archive:
        archive.until(stream.archived)
        stream.count()
        stream.send(*(tweet(ident, TEA) for ident in ids[40:45]))
        archive.until(stream.archived)
    stream.job("jobs.recompute", "--days", str(DAY), "--attempt", "one")
    stream.job("jobs.audit", "--attempt", "one")
    stream.job("jobs.publish", "--attempt", "one", "--who", "a test")
    planted = {**NONE, "deleted": 2, "edited": 3, "other_version": 4}
    assert stream.reconciled("one").causes == {**planted, "speed_could_not_answer": 5}
