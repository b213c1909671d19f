"""A record and a key's partition are those of kafka-python, and so of all of Kafka's clients."""

import random

from hypothesis import example, given
from hypothesis import strategies as st
from kafka.partitioner import DefaultPartitioner
from kafka.partitioner import murmur2 as original
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.util import encode_varint

from drinkstream.kafka_records import Headers, encoded, murmur2, place_of, varint

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=200)


class Cluster:
    """A topic of so many partitions, as kafka-python knows it."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        """The one."""
        return {"posts"}

    def partitions_for_topic(self, topic: str) -> set[int]:
        """All of them."""
        del topic
        return self._partitions

    available_partitions_for_topic = partitions_for_topic


@given(INT64)
@example(0)
@example(8191)
@example(8192)
@example(-1)
@example(-(2**62))
def test_a_varint_is_that_of_kafka_python(number: int):
    expected = bytearray()
    encode_varint(number, expected.append)
    assert varint(number) == bytes(expected)


def test_a_hash_is_that_which_kafkas_own_tests_expect():
    """UtilsTest.testMurmur2 of Kafka's Java client."""
    cases = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }
    assert {key: (murmur2(key) + 2**31) % 2**32 - 2**31 for key in cases} == cases


@given(st.binary(max_size=70))
@example(b"")
@example(b"\xff" * 67)
def test_a_hash_is_that_of_kafka_python(key: bytes):
    assert murmur2(key) == original(key)


@given(st.binary(max_size=40), st.integers(1, 200))
def test_a_key_lies_where_kafka_python_puts_it(key: bytes, partitions: int):
    there = DefaultPartitioner().partition("posts", key, key, None, None, Cluster(partitions))
    assert place_of(key, partitions) == there


@given(
    st.integers(0, 2**31 - 1),
    st.integers(-(2**40), 2**40),
    st.none() | st.binary(max_size=300),
    st.binary(max_size=300) | st.integers(60, 140_000).map(bytes),
    st.lists(st.tuples(TEXTS, st.binary(max_size=200)), max_size=5),
)
def test_a_record_is_that_of_kafka_python(
    offset: int, delta_ms: int, key: bytes | None, value: bytes, headers: Headers
):
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=False, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=1 << 30,
    )  # fmt: skip
    first_ms = 1_772_625_600_000
    builder.append(0, first_ms, None, b"first", [])
    before = builder.size()
    builder.append(offset, first_ms + delta_ms, key, value, headers)
    assert encoded(offset, delta_ms, key, value, headers) == bytes(builder._buffer[before:])


def test_ids_spread_over_the_partitions():
    """Keys of X, which differ in their last digits: none of eight partitions has a tenth more than its share."""
    random_ = random.Random(7)
    places = [place_of(b"x:%d" % random_.randrange(10**18, 2 * 10**18), 8) for _ in range(40_000)]
    assert max(places.count(place) for place in range(8)) < 5500
