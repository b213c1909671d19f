"""What lies in a test's topics."""

import json
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from drinkstream.settings import Settings


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as Kafka keeps it."""

    partition: int
    offset: int
    append_ms: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class Topics:
    """Reads the posts and status topics of some settings from their beginning, as often as asked.

    To be closed before Kafka is stopped (a consumer that cannot connect leaves sockets open); it opens again by itself.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: KafkaConsumer | None = None

    @property
    def _consumer(self) -> KafkaConsumer:
        if self._opened is None:
            self._opened = KafkaConsumer(
                bootstrap_servers=self._settings.bootstrap,
                max_partition_fetch_bytes=16 << 20,
                max_poll_records=20_000,
            )
        return self._opened

    def close(self) -> None:
        """Let go of Kafka."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def size(self) -> int:
        """How many records the posts topic holds."""
        return sum(self._consumer.end_offsets(self._places(self._settings.posts_topic)).values())

    def posts(self) -> list[Kept]:
        """All records of the posts topic, by partition and offset."""
        return self._kept(self._settings.posts_topic)

    def status(self) -> list[dict[str, Any]]:
        """All status lines, in their order."""
        return [json.loads(record.value) for record in self._kept(self._settings.status_topic)]

    def _places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic) or ()]

    def _kept(self, topic: str) -> list[Kept]:
        places = self._places(topic)
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        ends = self._consumer.end_offsets(places)
        found: list[Kept] = []
        while any(self._consumer.position(place) < ends[place] for place in places):
            for records in self._consumer.poll(timeout_ms=500).values():
                found += [Kept(r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records]
        return sorted(found, key=lambda record: (record.partition, record.offset))
