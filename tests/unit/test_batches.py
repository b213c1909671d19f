"""What is appended here makes the batches that kafka-python would have made, and no record's fate goes unnoticed."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import IllegalStateError, KafkaTimeoutError, MessageSizeTooLargeError, RecordListTooLargeError
from kafka.partitioner import DefaultPartitioner
from kafka.producer.producer_batch import ProducerBatch
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.record.memory_records import MemoryRecords
from kafka.structs import TopicPartition

from drinkstream.kafka_records import Headers
from streaming.batches import Batch, BatchProducer

NOW_S = 1_772_625_600.25
BATCH_BYTES = 4096
ZSTD = 4


class Cluster:
    """What kafka-python knows of the topic; None: nothing just now."""

    numbers: set[int] | None = {0, 1, 2}  # noqa: RUF012 - an instance has its own

    def topics(self) -> set[str]:
        """The one."""
        return {"posts"}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """All of them."""
        assert topic == "posts"
        return self.numbers

    available_partitions_for_topic = partitions_for_topic


class Wakened:
    """Stands in for kafka-python's thread."""

    times = 0

    def wakeup(self) -> None:
        """Counts."""
        self.times += 1


def without_a_broker(kind: type[Any]) -> Any:
    """A producer as after its start, whose batches stay where they are."""
    producer = kind.__new__(kind)
    producer.config = {
        "key_serializer": None,
        "value_serializer": None,
        "api_version": (4, 3),
        "max_request_size": 100_000,
        "max_block_ms": 0,
        "partitioner": DefaultPartitioner(),
    }
    producer._metadata = Cluster()
    producer._sender = Wakened()
    producer._transaction_manager = None
    producer._closed = False
    producer._accumulator = RecordAccumulator(
        batch_size=BATCH_BYTES, compression_attrs=ZSTD, message_version=2, delivery_timeout_ms=2**31 - 1
    )
    producer._places, producer.appended_bytes = {}, 0
    return producer


@pytest.fixture
def producer() -> Iterator[Any]:
    """Ours."""
    made = without_a_broker(BatchProducer)
    yield made
    made._closed = True


@pytest.fixture
def original() -> Iterator[Any]:
    """kafka-python's own."""
    made = without_a_broker(KafkaProducer)
    yield made
    made._closed = True


def sent(ident: int) -> tuple[bytes, bytes | None, Headers]:
    """Value, key and headers of a record; every seventh is as long as a batch or longer."""
    value = bytes([ident % 251]) * (ident * 37 % 700) if ident % 7 else bytes([ident % 251]) * (4000 + ident)
    return value, b"x:%d" % ident, [("source", b"x"), ("shape", "é".encode()), ("event_ms", b"%d" % ident)][: ident % 4]


def batches_of(producer: Any) -> dict[TopicPartition, list[ProducerBatch]]:
    """Those that wait, by their partition."""
    return {partition: list(waiting) for partition, waiting in producer._accumulator._batches.items()}


def written(producer: Any) -> dict[TopicPartition, list[bytes]]:
    """What would go to Kafka, compressed, with its sums."""
    found = batches_of(producer)
    for number, batch in enumerate(batch for waiting in found.values() for batch in waiting):
        batch.records.set_producer_state(9, 1, number, False)
        batch.records.close()
    return {partition: [bytes(batch.records.buffer()) for batch in waiting] for partition, waiting in found.items()}


def test_it_is_the_version_of_kafka_python_that_this_was_written_for():
    """Another one may name or do inside what batches.py rests on otherwise: read it again, then change this."""
    assert version("kafka-python") == "3.0.12"


def test_batches_are_those_of_kafka_python(producer: Any, original: Any, monkeypatch: pytest.MonkeyPatch):
    """Byte by byte: partitions, order, offsets, times, headers, when a batch is full, checksums."""
    now = [0.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    for ident in range(600):
        now[0] = NOW_S + ident // 2 * 0.004 - 0.3 * (ident % 90 == 0)  # a clock may go back
        value, key, headers = sent(ident)
        given = 1_505_347_200_000 + ident if ident % 5 == 0 else None
        producer.append("posts", value, key, headers, given)
        original.send("posts", value=value, key=key, headers=headers, timestamp_ms=given or int(now[0] * 1000))
    assert {partition.partition for partition in batches_of(producer)} == {0, 1, 2}
    assert [batch.sent for batch in batches_of(producer)[TopicPartition("posts", 0)]] == [
        batch.record_count for batch in batches_of(original)[TopicPartition("posts", 0)]
    ]
    assert written(producer) == written(original)


def test_a_thread_is_wakened_for_a_batch_and_not_for_a_record(producer: Any):
    for ident in range(100):
        producer.append("posts", b"x", b"%d" % ident, [])
    assert producer._sender.times == sum(map(len, batches_of(producer).values())) == 3


def test_a_batch_says_what_it_holds(producer: Any):
    """The first of a batch is told by its count; all bytes together are what waits."""
    first = producer.append("posts", b"a" * 100, b"k", [])
    assert (first.sent, first.sent_bytes) == (1, producer.appended_bytes)
    again = producer.append("posts", b"b" * 100, b"k", [])
    assert again is first
    other = producer.append("posts", b"c" * 4000, b"k", [])
    assert (first.sent, other.sent) == (2, 1)
    assert first.sent_bytes + other.sent_bytes == producer.appended_bytes > 4200


def test_send_leaves_these_batches_alone(producer: Any):
    """What it takes is in batches that kafka-python makes, with a future for each record."""
    ours = producer.append("posts", b"a", b"k", [])
    future = producer.send("posts", value=b"b", key=b"k")
    producer.append("posts", b"c", b"k", [])
    ((first, second),) = batches_of(producer).values()
    assert first is ours
    assert [values(first), values(second)] == [[b"a", b"c"], [b"b"]]
    second.complete(2, NOW_S)
    assert (future.is_done, ours.is_done) == (True, False)


def test_a_record_without_a_key_goes_to_any_partition(producer: Any):
    for _ in range(200):
        producer.append("posts", b"notice", None, [])
    assert {partition.partition for partition in batches_of(producer)} == {0, 1, 2}


def test_new_partitions_are_seen_with_the_next_batch(producer: Any):
    """As soon as kafka-python knows them, a key goes where all clients would now put it."""
    producer.append("posts", b"a" * 3000, b"k0", [])
    producer._metadata.numbers = set(range(8))
    after = producer.append("posts", b"a" * 3000, b"k0", [])
    expected = DefaultPartitioner().partition("posts", b"k0", b"k0", None, None, producer._metadata)
    assert after.topic_partition.partition == expected


def test_unknown_partitions_are_an_error_that_leaves_nothing_behind(producer: Any):
    def nothing_known(topic: str) -> set[int]:
        raise KafkaTimeoutError(topic)

    producer.partitions_for = nothing_known
    with pytest.raises(KafkaTimeoutError):
        producer.append("posts", b"a", b"k", [])
    assert (producer.appended_bytes, batches_of(producer)) == (0, {})


def test_a_record_above_the_limit_is_not_taken(producer: Any):
    with pytest.raises(MessageSizeTooLargeError):
        producer.append("posts", b"a" * 100_000, b"k", [])
    assert (producer.appended_bytes, batches_of(producer)) == (0, {})


def test_a_record_that_is_none_leaves_nothing_behind(producer: Any):
    """What follows it is not written into a batch that nobody sends."""
    with pytest.raises(UnicodeEncodeError):
        producer.append("posts", b"a", b"k", [("\ud800", b"")])
    producer.append("posts", b"b", b"k", [])
    with pytest.raises(UnicodeEncodeError):
        producer.append("posts", b"c", b"k", [("\ud800", b"")])
    producer.append("posts", b"d", b"k", [])
    ((batch,),) = batches_of(producer).values()
    assert values(batch) == [b"b", b"d"]


def test_a_closed_producer_takes_nothing(producer: Any):
    """Nor does a batch that its end has closed."""
    open_batch = producer.append("posts", b"a", b"k", [])
    producer._accumulator.close()
    open_batch.records.close()
    with pytest.raises(IllegalStateError):
        producer.append("posts", b"a", b"k", [])


def test_an_acknowledged_batch_is_done(producer: Any):
    batch = producer.append("posts", b"a", b"k", [])
    batch.wait(0)
    assert not batch.is_done
    batch.complete(17, NOW_S)
    batch.wait(60)
    assert batch.is_done
    assert batch.refusal() is None


def test_a_failed_batch_says_why(producer: Any):
    """Refused by Kafka, or given up where the producer was closed by force."""
    refused = producer.append("posts", b"a" * 4000, b"k", [])
    error = RecordListTooLargeError("no")
    refused.records.close()
    refused.complete_exceptionally(error, lambda _: error)
    producer._accumulator.deallocate(refused)
    assert (refused.is_done, refused.refusal()) == (True, error)
    given_up = producer.append("posts", b"a" * 4000, b"k", [])
    producer._accumulator.abort_incomplete_batches()
    assert given_up.is_done
    assert isinstance(given_up.refusal(), IllegalStateError)


def split(producer: Any) -> tuple[Batch, list[ProducerBatch]]:
    """A batch of four records that Kafka found too large, and the two that kafka-python made of it."""
    for ident in range(4):
        batch = producer.append("posts", b"%d" % ident, b"k", [])
    (waiting,) = (waiting for waiting in producer._accumulator._batches.values() if waiting)
    assert waiting.popleft() is batch
    batch.records.close()
    assert producer._accumulator.split_and_reenqueue(batch) == 2
    return batch, list(waiting)


def values(batch: ProducerBatch) -> list[bytes]:
    """Of its records."""
    batch.records.close()
    return [record.value for part in MemoryRecords(batch.records.buffer()) for record in part]


def test_a_split_batch_is_done_with_its_last_part(producer: Any):
    batch, (first, second) = split(producer)
    assert [values(first), values(second)] == [[b"0", b"1"], [b"2", b"3"]]
    second.complete(2, NOW_S)
    batch.wait(0)
    assert not batch.is_done
    first.complete(0, NOW_S)
    batch.wait(60)
    assert batch.is_done
    assert batch.refusal() is None


@pytest.mark.parametrize("failed", [0, 1])
def test_a_part_that_fails_fails_a_split_batch(producer: Any, failed: int):
    batch, parts = split(producer)
    error = RecordListTooLargeError("still")
    parts[failed].complete_exceptionally(error, lambda _: error)
    parts[1 - failed].complete(0, NOW_S)
    assert (batch.is_done, batch.refusal()) == (True, error)


def test_a_part_may_be_split_again(producer: Any):
    """kafka-python halves until Kafka takes it."""
    batch, (first, second) = split(producer)
    waiting = producer._accumulator._batches[batch.topic_partition]
    waiting.popleft()
    first.records.close()
    assert producer._accumulator.split_and_reenqueue(first) == 2
    for part in [*list(waiting)[:2], second]:
        assert not batch.is_done
        part.complete(0, NOW_S)
    assert batch.is_done
    assert batch.refusal() is None
