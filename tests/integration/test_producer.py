"""The producer on a real Kafka: each record once, in order, where any client would look for it, or an error."""

import random
import threading
from collections import defaultdict
from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.partitioner import murmur2

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from streaming.producer import Producer
from tests.lib.topics import Topics

BATCH_LIMIT = 10_000  # bytes


@pytest.fixture
def topics(kafka_settings: Settings) -> Iterator[Topics]:
    """What lies in them."""
    made = Topics(kafka_settings)
    yield made
    made.close()


@pytest.fixture
def narrow(kafka_settings: Settings) -> Settings:
    """A broker that takes no batch of posts above `BATCH_LIMIT`."""
    admin = KafkaAdminClient(bootstrap_servers=kafka_settings.bootstrap)
    limit = ConfigResource(
        ConfigResourceType.TOPIC, kafka_settings.posts_topic, configs={"max.message.bytes": str(BATCH_LIMIT)}
    )
    admin.alter_configs([limit])
    admin.close()
    return kafka_settings


def test_each_record_arrives_once_in_order_under_its_key(kafka_settings: Settings, topics: Topics):
    """In batches of many sizes; with a key in its partition, with its headers as they were."""
    random_ = random.Random(3)
    sent = []
    for ident in range(30_000):
        value = random_.randbytes(random_.choice((0, 1, 90, 400, 9000) if ident % 50 == 0 else (0, 1, 90)))
        key = b"x:%d" % random_.randrange(5000) if random_.random() < 0.95 else None
        sent.append((value + b"%d" % ident, key, [("source", b"x"), ("event_ms", b"%d" % ident)][: ident % 3]))
    with Producer(kafka_settings, threading.Event()) as producer:
        for value, key, headers in sent:
            producer.send(kafka_settings.posts_topic, value, key, headers)
        producer.flush()
        assert (producer.under_way, producer._kafka.appended_bytes - producer._settled_bytes) == (0, 0)
    found = topics.posts()
    assert sorted((kept.value, kept.key, list(kept.headers)) for kept in found if kept.key is not None) == sorted(
        record for record in sent if record[1] is not None
    )
    assert len(found) == len(sent)
    keyed = defaultdict(list)
    for value, key, _ in sent:
        if key is not None:
            keyed[(murmur2(key) & 0x7FFFFFFF) % kafka_settings.posts_partitions].append(value)
    there = defaultdict(list)
    for kept in found:
        if kept.key is not None:
            there[kept.partition].append(kept.value)
    assert there == keyed


def test_batches_that_kafka_finds_too_large_are_split(narrow: Settings, topics: Topics):
    """All of their records arrive, each once, and are known to have arrived."""
    random_ = random.Random(4)
    sent = [(random_.randbytes(120), b"x:%d" % ident) for ident in range(4000)]
    with Producer(narrow, threading.Event()) as producer:
        for value, key in sent:
            producer.send(narrow.posts_topic, value, key, [])
        producer.flush()
        assert producer.under_way == 0
    assert sorted((kept.value, kept.key) for kept in topics.posts()) == sorted(sent)


def test_a_record_that_kafka_finds_too_large_is_an_error(narrow: Settings, topics: Topics):
    """Though its batch was split, and the records beside it were taken."""
    random_ = random.Random(5)
    refused = pytest.raises(UnavailableError, match=r"refused a record for good .*MessageSizeTooLargeError")
    with refused, Producer(narrow, threading.Event()) as producer:
        for ident in range(200):
            size = 2 * BATCH_LIMIT if ident == 100 else 120
            producer.send(narrow.posts_topic, random_.randbytes(size), b"one key", [])
        producer.flush()
    assert 100 <= len(topics.posts()) < 200
