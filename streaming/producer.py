"""The one way into Kafka: idempotent, acknowledged by all replicas, with a bounded number of bytes under way.

kafka-python keeps unsent records in memory without a limit and gives each two minutes. Here a record waits for Kafka as
long as it takes, and at most `UNDER_WAY_LIMIT` bytes wait: then `send` blocks, so a source is slowed down, never lost.
"""

import logging
import threading
import time
from collections import deque
from types import TracebackType

from kafka.errors import KafkaError, KafkaTimeoutError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    stop_any,
    stop_when_event_set,
    wait_fixed,
)

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from streaming.batches import Batch, BatchProducer

VALUE_LIMIT = 12_000_000  # bytes of a record's value
REQUEST_LIMIT = 12 * 1024 * 1024  # the same with key, headers and framing; the broker takes as much
UNDER_WAY_LIMIT = 64 * 1024 * 1024  # bytes of records, before compression, that wait for their acknowledgement
FOR_EVER_MS = 2**31 - 1
LOOK_SECONDS = 0.5  # how often a blocked send looks whether it is asked to stop

log = logging.getLogger("drinkstream.producer")


class Producer:
    """Sends records and knows which are acknowledged. One thread at a time may use it.

    `stop` asks it to end: from then on it waits for Kafka no longer than `grace` seconds. `wait` is how many seconds it
    waits for Kafka to answer at all when it starts, None: until `stop`.
    """

    def __init__(
        self, settings: Settings, stop: threading.Event, *, wait: float | None = None, grace: float = 10.0
    ) -> None:
        """Raises UnavailableError where Kafka does not answer in time, or has not the topics."""
        self._settings = settings
        self._stop = stop
        self._grace = grace
        self._deadline: float | None = None  # set when the stop was first seen
        self._under_way: deque[Batch] = deque()  # in the order in which they were begun
        self._settled_bytes = 0
        self._given_up = False  # Kafka has refused a record, or was away at the stop: what is under way is told of
        self._kafka = self._connected(wait)

    def _connected(self, wait: float | None) -> BatchProducer:
        stop_any_of = stop_when_event_set(self._stop)
        retrying = Retrying(
            retry=retry_if_exception_type(KafkaError),
            wait=wait_fixed(1),
            stop=stop_any_of if wait is None else stop_any(stop_any_of, stop_after_delay(wait)),
            sleep=self._sleep,
            before_sleep=self._say_waiting,
            reraise=True,
        )
        try:
            return retrying(self._open)
        except KafkaError as error:
            raise UnavailableError(
                f"Kafka at {self._settings.bootstrap} is not there or has not its topics yet ({error}): "
                "`make status` shows whether it runs, `make up` makes the topics"
            ) from None

    def _sleep(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def _say_waiting(self, state: RetryCallState) -> None:
        log.warning("event=waiting for=kafka at=%s attempt=%d", self._settings.bootstrap, state.attempt_number)

    def _open(self) -> BatchProducer:
        kafka = BatchProducer(
            bootstrap_servers=self._settings.bootstrap.split(","),
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            batch_size=524_288,
            linger_ms=50,
            max_request_size=REQUEST_LIMIT,
            delivery_timeout_ms=FOR_EVER_MS,
            max_block_ms=5_000,
            bootstrap_timeout_ms=5_000,
            reconnect_backoff_max_ms=1_000,
            allow_auto_create_topics=False,
        )
        try:
            for topic in (self._settings.posts_topic, self._settings.status_topic):
                kafka.partitions_for(topic)
        except KafkaError:
            kafka.close(timeout=0)
            raise
        return kafka

    @property
    def under_way(self) -> int:
        """How many records are not yet known to be acknowledged."""
        return sum(batch.sent for batch in self._under_way)

    def send(self, topic: str, value: bytes, key: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        """Hand a record over; blocks while too many bytes are under way.

        Raises UnavailableError where Kafka refused an earlier record for good, or where it is time to stop.
        """
        while self._kafka.appended_bytes - self._settled_bytes > UNDER_WAY_LIMIT:
            self._settle(block=True)
        while True:
            try:
                batch = self._kafka.append(topic, value, key, headers)
                break
            except KafkaTimeoutError:  # the topic's partitions are not known just now: nothing was taken over
                log.warning("event=waiting for=metadata topic=%s under_way=%d", topic, self.under_way)
                self._look_at_stop()
            except KafkaError as error:
                raise self._refused(error, 1) from None
        if batch.sent == 1:
            self._under_way.append(batch)
        if self._under_way[0].is_done:
            self._settle(block=False)

    def _settle(self, *, block: bool) -> None:
        """Forget the oldest batches that are acknowledged; with `block` wait for the oldest one, but not for long."""
        under_way = self._under_way
        if block and under_way and not under_way[0].is_done:
            self._look_at_stop()
            under_way[0].wait(LOOK_SECONDS)
        while under_way and under_way[0].is_done:
            batch = under_way.popleft()
            self._settled_bytes += batch.sent_bytes
            if (error := batch.refusal()) is not None:
                raise self._refused(error, batch.sent)

    def _look_at_stop(self) -> None:
        if not self._stop.is_set():
            return
        now = time.monotonic()
        self._deadline = self._deadline or now + self._grace
        if now >= self._deadline:
            self._given_up = True
            raise UnavailableError(
                f"stopped while Kafka at {self._settings.bootstrap} was away: "
                f"{self.under_way} records sent to it were not acknowledged and may be missing"
            )

    def _refused(self, error: BaseException, records: int) -> UnavailableError:
        self._given_up = True
        return UnavailableError(
            f"Kafka at {self._settings.bootstrap} refused a record for good ({error!r}); "
            f"up to {self.under_way + records} records were not acknowledged: "
            "look into Kafka's log, then start this program again"
        )

    def flush(self, seconds: float | None = None) -> bool:
        """Wait until everything sent is acknowledged, at most `seconds` (None: as long as it takes, or until the stop).

        Returns whether it is. Raises UnavailableError like `send`.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._under_way:
            self._settle(block=True)
            if deadline is not None and time.monotonic() >= deadline:
                return not self._under_way
        return True

    def close(self) -> None:
        """Let go of Kafka without waiting: what is still under way was counted before, by `flush`."""
        if self._under_way:
            self._kafka._sender.force_close()  # its own close() would first wait for every record, whatever its timeout
        self._kafka.close(timeout=5)

    def __enter__(self) -> "Producer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, after a flush unless Kafka gave cause for the end; where both fail, `error` is what is raised."""
        try:
            if not self._given_up:
                self.flush()
        except UnavailableError as unsent:
            if error is None:
                raise
            log.error("event=unsent error=%s", unsent)
        finally:
            self.close()
