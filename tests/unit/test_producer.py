"""The producer waits for Kafka without holding more than its share, and says loudly what Kafka did not take."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from streaming import collect
from streaming import producer as module
from streaming.feed import Feed
from streaming.producer import UNDER_WAY_LIMIT, Producer

MIB = 1024 * 1024


class Sent:
    """A batch of one record; `wait` takes as long as the test's clock says."""

    sent = 1

    def __init__(self, size: int) -> None:
        self.sent_bytes = size
        self.is_done = False
        self._refusal: Exception | None = None

    def settled(self, refusal: Exception | None = None) -> None:
        """Kafka has taken the record, or has not."""
        self.is_done, self._refusal = True, refusal

    def wait(self, seconds: float) -> None:
        """Passes the test's time."""
        Kafka.clock(seconds)

    def refusal(self) -> Exception | None:
        """Why it was not taken."""
        assert self.is_done
        return self._refusal


class Kafka:
    """Stands in for BatchProducer."""

    refuses: list[Exception]  # what the next attempts to connect raise
    metadata: list[Exception]  # what the next sends raise
    made: "list[Kafka]"
    clock: Callable[[float], None]

    def __init__(self, **options: Any) -> None:
        if Kafka.refuses:
            raise Kafka.refuses.pop(0)
        self.options = options
        self.sent: list[Sent] = []
        self.appended_bytes = 0
        self.closed = False
        self.forced = False
        self._sender = self
        Kafka.made.append(self)

    def partitions_for(self, topic: str) -> set[int]:
        """Every topic is there."""
        assert topic in ("posts", "feed.status")
        return {0}

    def append(self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]) -> Sent:
        """Take the record over; the test settles its batch."""
        del topic, key, headers
        if Kafka.metadata:
            raise Kafka.metadata.pop(0)
        self.sent.append(Sent(len(value) + 20))
        self.appended_bytes += len(value) + 20
        return self.sent[-1]

    def force_close(self) -> None:
        """What the real one's sender does with what is under way."""
        self.forced = True
        for batch in self.sent:
            if not batch.is_done:
                batch.settled(KafkaTimeoutError("closed"))

    def close(self, timeout: float) -> None:
        """The real one waits for everything, whatever its timeout."""
        assert timeout == 5
        assert all(batch.is_done for batch in self.sent)
        self.closed = True


@pytest.fixture(autouse=True)
def kafka(monkeypatch: pytest.MonkeyPatch) -> type[Kafka]:
    """Takes the place of what is built on kafka-python."""
    Kafka.refuses, Kafka.metadata, Kafka.made = [], [], []
    Kafka.clock = staticmethod(lambda _: None)
    monkeypatch.setattr(module, "BatchProducer", Kafka)
    return Kafka


@pytest.fixture
def stop() -> threading.Event:
    """Not set."""
    return threading.Event()


def test_it_is_idempotent_and_never_gives_a_record_up(stop: threading.Event) -> None:
    """The settings that the promise rests on."""
    Producer(Settings(), stop)
    options = Kafka.made[0].options
    assert options["enable_idempotence"] is True
    assert {name: options[name] for name in ("acks", "compression_type", "batch_size", "linger_ms")} == {
        "acks": "all",
        "compression_type": "zstd",
        "batch_size": 524_288,
        "linger_ms": 50,
    }
    assert options["max_request_size"] == 12 * MIB
    assert options["delivery_timeout_ms"] == 2**31 - 1
    assert options["allow_auto_create_topics"] is False


def test_a_full_buffer_blocks_until_kafka_has_acknowledged(stop: threading.Event) -> None:
    """No more than the limit waits in memory; a source is slowed down instead."""
    producer = Producer(Settings(), stop)
    waited = []

    def acknowledge_after_three(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            Kafka.made[0].sent[0].settled()

    Kafka.clock = staticmethod(acknowledge_after_three)
    records = UNDER_WAY_LIMIT // (8 * MIB) + 1
    for _ in range(records):
        producer.send("posts", b"x" * 8 * MIB, None, [])
    assert waited == [0.5, 0.5, 0.5]
    assert producer.under_way == records - 1


def test_a_refused_record_is_an_error_at_the_next_send(stop: threading.Event) -> None:
    """kafka-python has tried as often as it makes sense: the process ends with exit code 3."""
    producer = Producer(Settings(), stop)
    producer.send("posts", b"a", None, [])
    Kafka.made[0].sent[0].settled(MessageSizeTooLargeError("too large"))
    with pytest.raises(
        UnavailableError, match=r"refused a record for good .*MessageSizeTooLargeError.*too large"
    ) as error:
        producer.send("posts", b"b", None, [])
    assert error.value.exit_code == 3
    producer.close()
    assert Kafka.made[0].closed


def test_unknown_partitions_are_waited_for(stop: threading.Event) -> None:
    """Kafka comes back without knowing its topics for a moment: the record is not lost, and not sent twice."""
    producer = Producer(Settings(), stop)
    Kafka.metadata = [KafkaTimeoutError("no metadata"), KafkaTimeoutError("no metadata")]
    producer.send("posts", b"a", None, [])
    assert len(Kafka.made[0].sent) == 1
    Kafka.metadata = [UnknownTopicOrPartitionError("gone")]
    with pytest.raises(UnavailableError, match="refused a record for good"):
        producer.send("posts", b"a", None, [])


def test_a_stop_while_kafka_is_away_ends_after_the_grace_with_what_is_missing(stop: threading.Event) -> None:
    """Ten seconds, then the number of records that nobody acknowledged."""
    producer = Producer(Settings(), stop, grace=0.05)
    producer.send("posts", b"a", None, [])
    producer.send("posts", b"b", None, [])

    def pass_the_time(_: float) -> None:
        stop.wait(0.02)
        stop.set()

    Kafka.clock = staticmethod(pass_the_time)
    with pytest.raises(UnavailableError, match="2 records sent to it were not acknowledged and may be missing"):
        producer.flush()
    producer.close()


def test_what_ends_the_program_leaves_nothing_under_way(stop: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody foresaw, from the line on which a source fell over: Kafka is well and takes the rest."""

    def fall_over(feed: Feed, _: Settings, __: threading.Event) -> None:
        feed.line(b"one")
        feed.line(b"two")
        raise RuntimeError("on_data")

    def acknowledge(_: float) -> None:
        for batch in Kafka.made[0].sent:
            batch.settled()

    Kafka.clock = staticmethod(acknowledge)
    monkeypatch.setitem(collect.SOURCES, "demo", fall_over)
    with pytest.raises(RuntimeError, match="on_data"):
        collect.collect(Settings(), stop)
    [kafka] = Kafka.made
    assert [batch.is_done for batch in kafka.sent] == [True, True]
    assert (kafka.forced, kafka.closed) == (False, True)


def test_where_kafka_is_away_too_the_first_error_stays(stop: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    """After the stop and the grace; what was not acknowledged is said."""

    def pass_the_time(_: float) -> None:
        stop.set()

    Kafka.clock = staticmethod(pass_the_time)
    with pytest.raises(RuntimeError, match="on_data"), Producer(Settings(), stop, grace=0.01) as producer:
        producer.send("posts", b"a", None, [])
        raise RuntimeError("on_data")
    assert "1 records sent to it were not acknowledged and may be missing" in caplog.text
    assert (Kafka.made[0].forced, Kafka.made[0].closed) == (True, True)


def test_a_refused_record_is_not_waited_for_again(stop: threading.Event) -> None:
    """It ends at once, with what Kafka said."""
    Kafka.clock = staticmethod(lambda _: pytest.fail("waited"))
    with pytest.raises(UnavailableError, match="refused a record"), Producer(Settings(), stop) as producer:
        producer.send("posts", b"a", None, [])
        producer.send("posts", b"b", None, [])
        Kafka.made[0].sent[0].settled(MessageSizeTooLargeError("too large"))
        producer.send("posts", b"c", None, [])


def test_flush_says_whether_all_is_acknowledged(stop: threading.Event) -> None:
    """Within the time given; without one it waits."""
    producer = Producer(Settings(), stop)
    producer.send("posts", b"a", None, [])
    assert producer.flush(0.0) is False
    Kafka.made[0].sent[0].settled()
    assert producer.flush(0.0) is True
    assert producer.flush() is True
    assert producer.under_way == 0


def test_kafka_that_is_not_there_yet_is_waited_for(stop: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    """One line of the log for each attempt."""
    Kafka.refuses = [KafkaConnectionError(), KafkaTimeoutError("no answer")]
    stop.wait = lambda _: False  # type: ignore[method-assign, assignment]
    Producer(Settings(), stop)
    assert [record.getMessage() for record in caplog.records] == [
        "event=waiting for=kafka at=127.0.0.1:19092 attempt=1",
        "event=waiting for=kafka at=127.0.0.1:19092 attempt=2",
    ]


def test_a_deadline_or_a_stop_ends_the_wait_for_kafka(stop: threading.Event) -> None:
    """With where it was looked for and what to do."""
    for wait in (0.0, None):
        Kafka.refuses = [KafkaConnectionError()] * 3
        with pytest.raises(UnavailableError, match=r"Kafka at 127.0.0.1:19092 is not there .*`make status`"):
            Producer(Settings(), stop, wait=wait)
        stop.set()
