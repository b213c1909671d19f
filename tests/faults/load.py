"""The load under which processes are killed: posts of three days, out of order, some again, edited or deleted."""

import json
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError, OutOfOrderSequenceNumberError

from drinkstream.settings import Settings
from tests.lib.labels import TEXTS

DAYS = {"2017-09-14": 1_505_386_800_000, "2012-02-29": 1_330_516_800_000, "2021-12-31": 1_640_908_800_000}
SPREAD_MS = 40_000_000
DELIVERY_S = 150.0


def lines(first: int) -> Iterator[tuple[str, bytes]]:
    """(id, line) for ever, from the `first` post on."""
    texts, days = list(TEXTS), list(DAYS.values())
    for n in count(first):
        at = days[n % 3] + n * 131_000 % SPREAD_MS
        ident = str(((at - 1_288_834_974_657) << 22) + n)
        text = texts[n % len(texts)]
        yield ident, _post(ident, text, [ident])
        if n % 10 == 0:
            yield ident, _post(ident, text, [ident])
        if n % 25 == 0:
            version = str(int(ident) + 9_000_000)
            yield ident, _post(version, texts[(n + 1) % len(texts)], [ident, version])
        if n % 40 == 0:
            yield ident, json.dumps({"delete": {"status": {"id": int(ident), "id_str": ident, "user_id": 1}}}).encode()
        if n % 60 == 0:
            yield ident, _post(ident, text, [ident])[:-9]


def _post(ident: str, text: str, history: list[str]) -> bytes:
    return json.dumps({"data": {"id": ident, "text": text, "lang": "en", "edit_history_tweet_ids": history}}).encode()


class Load(threading.Thread):
    """Sends `rate` lines a second until it is stopped. `acknowledged`: the value at each (partition, offset)."""

    def __init__(self, settings: Settings, first: int, rate: float) -> None:
        super().__init__(name="load", daemon=True)
        self.acknowledged: dict[tuple[int, int], bytes] = {}
        self._settings = settings
        self._lines = lines(first)
        self._pause = 1 / rate
        self._going = threading.Event()
        self._still = threading.Event()
        self._ended = threading.Event()

    def go(self) -> None:
        """Lines go out from now on."""
        self._still.clear()
        self._going.set()

    def rested(self) -> bool:
        """No line goes out until `go`; whether the last one is acknowledged, which is waited for a second."""
        self._going.clear()
        return self._still.wait(1.0)

    def stop(self) -> None:
        """For good."""
        self._ended.set()
        self._going.set()
        self.join()

    def run(self) -> None:
        """Each line is sent until Kafka has acknowledged it, however often that takes."""
        self._producer = self._new()
        for ident, value in self._lines:
            if not self._going.is_set():
                self._still.set()
            self._going.wait()
            if self._ended.wait(self._pause):
                break
            place = self._acknowledged(ident, value)
            self.acknowledged[place.partition, place.offset] = value
        self._producer.close()

    def _new(self) -> KafkaProducer:
        # idempotent: it sends again by itself while the broker comes back
        return KafkaProducer(bootstrap_servers=self._settings.bootstrap, acks="all", compression_type="zstd")

    def _acknowledged(self, ident: str, value: bytes) -> Any:
        # a line may have been taken though it is sent again: the truth is what Kafka holds
        while True:
            try:
                return self._producer.send(self._settings.posts_topic, value, b"x:" + ident.encode()).get(DELIVERY_S)
            except KafkaTimeoutError:
                continue
            except OutOfOrderSequenceNumberError:
                # one that gave up a line in time leaves a gap in its numbers, and is refused from then on
                self._producer.close()
                self._producer = self._new()
