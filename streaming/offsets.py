"""What Kafka holds: its cluster id, and for each partition the first offset it still has and the next it will give."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from drinkstream.errors import UnavailableError
from drinkstream.positions import Positions

ANSWER_MS = 5_000
"""How long a broker that is not there is asked before it counts as away."""

CONSUMER = {"kafka.max.poll.records": "5000", "kafka.fetch.max.wait.ms": "0"}
"""Options of Spark's readers of Kafka. With each poll they ask the broker where the partition begins and ends, too, and
wait for the answers: for the default of 500 records that takes as long as reading them. The broker answers one question
of a connection after the other, so a request ahead for records that are yet to come must not wait for them: by default
it would for half a second in each partition where none come."""


@dataclass(frozen=True, slots=True)
class KafkaOffsets:
    """One look at Kafka, by (topic, partition): `begin` is the first offset still held, `end` the next it will give."""

    cluster: str
    begin: Positions
    end: Positions


def look(bootstrap: str, topics: tuple[str, ...], wait: float = 0.0) -> KafkaOffsets:
    """Cluster id and offsets of every partition of `topics`; asks again for `wait` seconds where there is no answer.

    Raises UnavailableError if Kafka does not answer, or has not all of `topics`, by then.
    """
    attempts = Retrying(
        retry=retry_if_exception_type(UnavailableError), stop=stop_after_delay(wait), wait=wait_fixed(1), reraise=True
    )
    return attempts(_look, bootstrap, topics)


def append_times(bootstrap: str, positions: Positions, timeout: float = 10.0) -> dict[tuple[str, int], int]:
    """Append time (ms since 1970) of the record at each of `positions`; those that do not come in time are left out."""
    places = {TopicPartition(*place): offset for place, offset in positions.items()}
    found: dict[tuple[str, int], int] = {}
    if not places:
        return found
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            bootstrap_timeout_ms=ANSWER_MS,
            enable_auto_commit=False,
            consumer_timeout_ms=int(timeout * 1000),
        )
    except KafkaError as error:
        raise _away(bootstrap, error) from error
    try:
        consumer.assign(list(places))
        for place, offset in places.items():
            consumer.seek(place, offset)
        for record in consumer:
            place = TopicPartition(record.topic, record.partition)
            found.setdefault((record.topic, record.partition), record.timestamp)
            consumer.pause(place)
            if len(found) == len(places):
                break
    except KafkaError as error:
        raise _away(bootstrap, error) from error
    finally:
        consumer.close()
    return found


def offsets_at(bootstrap: str, places: Collection[tuple[str, int]], ms: int) -> dict[tuple[str, int], int]:
    """By (topic, partition) the first offset with an append time at or after `ms` (since 1970); the end where none has.

    Raises UnavailableError where Kafka does not answer.
    """
    partitions = [TopicPartition(*place) for place in places]
    try:
        consumer = KafkaConsumer(bootstrap_servers=bootstrap, bootstrap_timeout_ms=ANSWER_MS, enable_auto_commit=False)
        try:
            found = consumer.offsets_for_times(dict.fromkeys(partitions, ms))
            ends = consumer.end_offsets(partitions)
        finally:
            consumer.close()
    except KafkaError as error:
        raise _away(bootstrap, error) from error
    return {
        (place.topic, place.partition): at.offset if (at := found.get(place)) is not None else ends[place]
        for place in partitions
    }


def positions_of(text: str) -> Positions:
    """The positions in Spark's JSON for a Kafka source, `{"topic": {"0": 12}}`."""
    return {
        (topic, int(p)): offset for topic, partitions in json.loads(text).items() for p, offset in partitions.items()
    }


def _look(bootstrap: str, topics: tuple[str, ...]) -> KafkaOffsets:
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=ANSWER_MS)
        try:
            cluster = str(admin.describe_cluster()["cluster_id"])
        finally:
            admin.close()
        consumer = KafkaConsumer(bootstrap_servers=bootstrap, bootstrap_timeout_ms=ANSWER_MS, enable_auto_commit=False)
        try:
            places = [TopicPartition(topic, p) for topic in topics for p in consumer.partitions_for_topic(topic) or ()]
            begin = consumer.beginning_offsets(places)
            end = consumer.end_offsets(places)
        finally:
            consumer.close()
    except KafkaError as error:
        raise _away(bootstrap, error) from error
    if absent := sorted(set(topics) - {place.topic for place in places}):
        raise UnavailableError(f"Kafka on {bootstrap} has no topic {', '.join(absent)} yet: `make up` creates it")
    return KafkaOffsets(
        cluster,
        {(place.topic, place.partition): offset for place, offset in begin.items()},
        {(place.topic, place.partition): offset for place, offset in end.items()},
    )


def _away(bootstrap: str, error: Exception) -> UnavailableError:
    return UnavailableError(f"Kafka does not answer on {bootstrap}: {error!r}. `make status` shows whether it runs")
