"""kafka-python's producer, taking a record for a tenth of the processor time: encoded by compiled code, acknowledged
by its batch.

One step of kafka-python 3.0.12 is done here in its place: from a record to where it stands in an open batch. What a
batch goes through from there on (compression, sequence numbers, requests, retries, splitting) is its own code. For each
record its `send` checks and formats much, hashes and encodes in Python, makes a future and wakes its thread. This rests
on names that kafka-python keeps to itself: the version is pinned, and tests hold batches against its own, byte by byte.
"""

import time
from threading import Lock
from typing import Any

from kafka import KafkaProducer
from kafka.errors import IllegalStateError
from kafka.producer.future import FutureRecordMetadata
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.structs import TopicPartition

from drinkstream.kafka_records import Headers, encoded, place_of

VERSION = 2  # of the record format


class Records(MemoryRecordsBuilder):  # type: ignore[misc]
    """kafka-python's records of a batch, to which records are appended that are encoded here."""

    _next_offset: int

    def add(self, key: bytes | None, value: bytes, headers: Headers, timestamp_ms: int | None) -> int:
        """The bytes of the record; 0 where it was not added, since the batch is closed or it does not fit any more."""
        if self._closed:
            return 0
        builder = self._builder
        now = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        first = builder._first_timestamp
        if first is None:
            builder._first_timestamp = builder._max_timestamp = first = now
        offset = self._next_offset
        record = encoded(offset, now - first, key, value, headers)
        size = len(record)
        buffer = builder._buffer
        if offset and len(buffer) + size > self._batch_size:
            return 0
        buffer += record
        if now > builder._max_timestamp:
            builder._max_timestamp = now
        builder._last_offset = offset
        self._next_offset = builder._num_records = offset + 1
        return size


class Parts:
    """The futures of a batch's records, made as kafka-python asks for each, when it splits a batch too large."""

    def __init__(self, batch: "Batch") -> None:
        self._batch = batch
        self.made: list[FutureRecordMetadata] = []

    def __len__(self) -> int:
        return int(self._batch.record_count)

    def __getitem__(self, at: int) -> FutureRecordMetadata:
        part = FutureRecordMetadata(self._batch.produce_future, at, None, None, -1, -1, -1)
        self.made.append(part)
        return part


class Batch(ProducerBatch):  # type: ignore[misc]
    """Records of one partition that Kafka takes, or does not take, together.

    `sent` is how many they are, `sent_bytes` their bytes before compression; both are final once it is done.
    """

    def __init__(self, partition: TopicPartition, records: Records) -> None:
        super().__init__(partition, records)
        self.sent = 0
        self.sent_bytes = 0
        self._record_futures = Parts(self)

    def try_append(self, *_: object, **__: object) -> None:
        """Takes nothing from kafka-python's `send`, which begins a batch of its own behind this one."""

    @property
    def is_done(self) -> bool:
        """Whether it is known of every record whether Kafka took it."""
        if self.produce_future.is_done:
            return True
        parts = self._record_futures.made
        return bool(parts) and all(part.is_done for part in parts)

    @property
    def appended_ms(self) -> int:
        """Kafka's append time, ms since 1970 UTC, of a batch that is done; where it was split, of its last part."""
        parts = self._record_futures.made
        return int(parts[-1].value.timestamp if parts else self.produce_future.value[1])

    def wait(self, seconds: float) -> None:
        """Return when it is done, or has been split, at the latest after some `seconds`."""
        part = next((part for part in self._record_futures.made if not part.is_done), None)
        (self.produce_future if part is None else part._produce_future).wait(seconds)

    def refusal(self) -> BaseException | None:
        """Of a batch that is done: why Kafka did not take a record of it; None where it took all."""
        if parts := self._record_futures.made:
            return next((part.exception for part in parts if part.failed()), None)
        *_, why_not = self.produce_future.value
        refused: BaseException | None = None if why_not is None else why_not(0)
        return refused


class Place:
    """A partition, and its batch that was opened last."""

    __slots__ = ("batch", "lock", "partition")

    def __init__(self, partition: TopicPartition, lock: Lock) -> None:
        self.partition = partition
        self.lock = lock  # kafka-python's own: its thread closes batches under it
        self.batch: Batch | None = None


class BatchProducer(KafkaProducer):  # type: ignore[misc]
    """A KafkaProducer with `append` beside its `send`. Only one thread may append."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._places: dict[str, list[Place]] = {}
        self.appended_bytes = 0  # so far, before compression

    def append(
        self, topic: str, value: bytes, key: bytes | None, headers: Headers, timestamp_ms: int | None = None
    ) -> Batch:
        """Take a record over; the batch that it is in, which is a new one where that holds nothing else yet.

        A key's partition is the one that kafka-python, as all of Kafka's clients, would choose; a record without a key
        goes to any. `timestamp_ms` (since 1970 UTC; by default the present) is kept by a topic that does not go by the
        broker's clock. Raises KafkaError where it was not taken over, KafkaTimeoutError where partitions are not known.
        """
        places = self._places.get(topic)
        if key is not None and places is not None:
            place = places[place_of(key, len(places))]
            batch = place.batch
            if batch is not None:
                with place.lock:
                    size = batch.records.add(key, value, headers, timestamp_ms)
                if size:
                    batch.sent += 1
                    batch.sent_bytes += size
                    self.appended_bytes += size
                    return batch
        return self._appended(topic, value, key, headers, timestamp_ms)

    def _appended(
        self, topic: str, value: bytes, key: bytes | None, headers: Headers, timestamp_ms: int | None
    ) -> Batch:
        """As `append`, with a look at what kafka-python knows of the topic and, where it must be, a new batch."""
        self._ensure_valid_record_size(self._estimate_size_in_bytes(key, value, headers))
        place = self._place(topic, value, key)
        accumulator = self._accumulator
        accumulator._appends_in_progress.increment()
        try:
            with place.lock:
                batch = place.batch
                size = 0 if batch is None else batch.records.add(key, value, headers, timestamp_ms)
                if batch is None or not size:
                    if accumulator._closed:
                        raise IllegalStateError("this producer is closed")
                    options = accumulator.config
                    records = Records(VERSION, options["compression_attrs"], options["batch_size"])
                    size = records.add(key, value, headers, timestamp_ms)  # raises where a header is none
                    batch = Batch(place.partition, records)
                    accumulator._batches[place.partition].append(batch)
                    accumulator._incomplete.add(batch)
                    place.batch = batch
        finally:
            accumulator._appends_in_progress.decrement()
        batch.sent += 1
        batch.sent_bytes += size
        self.appended_bytes += size
        if batch.sent == 1:
            self._sender.wakeup()
        return batch

    def _place(self, topic: str, value: bytes, key: bytes | None) -> Place:
        """Where a record goes, by the partitions that the topic has now."""
        numbers = sorted(self.partitions_for(topic))
        places = self._places.get(topic, [])
        if numbers != [place.partition.partition for place in places]:
            known = {place.partition.partition: place for place in places}
            places = self._places[topic] = [known.get(number) or self._made(topic, number) for number in numbers]
        if key is not None:
            return places[place_of(key, len(places))]
        return places[numbers.index(self._partition(topic, None, None, value, None, value))]

    def _made(self, topic: str, number: int) -> Place:
        partition = TopicPartition(topic, number)
        return Place(partition, self._accumulator._tp_lock(partition))
