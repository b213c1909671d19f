"""A stand-in for Kafka's producer that keeps what it is given, for tests of what is sent, not of how."""

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RecordingProducer:
    """Takes every record; `sent` holds (topic, value, key, headers)."""

    sent: list[tuple[str, bytes, bytes | None, list[tuple[str, bytes]]]] = field(default_factory=list)
    flushed: int = 0

    def send(self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        """Keep the record."""
        self.sent.append((topic, value, key, headers))

    def flush(self, seconds: float | None = None) -> bool:
        """Everything is acknowledged at once."""
        del seconds
        self.flushed = len(self.sent)
        return True

    def posts(self) -> list[tuple[bytes, bytes | None, list[tuple[str, bytes]]]]:
        """The records of the posts topic as (value, key, headers)."""
        return [(value, key, headers) for topic, value, key, headers in self.sent if topic == "posts"]

    def status(self) -> list[dict[str, Any]]:
        """The status lines."""
        return [json.loads(value) for topic, value, _, _ in self.sent if topic == "feed.status"]
