"""One producing process: makes its lines, waits for the word, sends them, and says when it began and had them all
acknowledged. Runs in the product's environment and in the peers'.

    python -m bench.peers.send LIBRARY BOOTSTRAP TOPIC POSTS PART SHAPE

SHAPE is one of WRITINGS (bench/posts_v1.py).
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

from bench.posts import SEED, Line, headers, lines
from bench.posts_v1 import WRITINGS
from drinkstream.settings import Settings

PARTS = 1000  # of the day, so that every process has a part of its own
WARM_SHARE = 0.1

Sender = Callable[[str, str, list[Line], bytes], None]
LINGER_MS, BATCH_BYTES = 50, 524_288


def ours(_: str, topic: str, made: list[Line], shape: bytes) -> None:
    """The product's own producer, on kafka-python."""
    from streaming.producer import Producer

    with Producer(Settings.load(), threading.Event()) as producer:
        for line in made:
            producer.send(topic, line.value, line.key, headers(line.event_ms, shape))
        producer.flush()


def confluent(bootstrap: str, topic: str, made: list[Line], shape: bytes) -> None:
    """confluent-kafka, which is librdkafka."""
    from confluent_kafka import KafkaError, Message, Producer

    failed: list[str] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(str(error))

    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "compression.type": "zstd",
            "linger.ms": LINGER_MS,
            "batch.size": BATCH_BYTES,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 64 * 1024,
        }
    )
    for line in made:
        while True:
            try:
                producer.produce(
                    topic, line.value, line.key, headers=headers(line.event_ms, shape), on_delivery=delivered
                )
                break
            except BufferError:
                producer.poll(0.05)
        producer.poll(0)
    producer.flush()
    if failed:
        sys.exit(f"Kafka did not take {len(failed)} records: {failed[0]}")


def aio(bootstrap: str, topic: str, made: list[Line], shape: bytes) -> None:
    """aiokafka."""
    asyncio.run(_aio(bootstrap, topic, made, shape))


async def _aio(bootstrap: str, topic: str, made: list[Line], shape: bytes) -> None:
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=LINGER_MS,
        max_batch_size=BATCH_BYTES,
    )
    async with producer:
        sent = [
            await producer.send(topic, line.value, line.key, headers=headers(line.event_ms, shape)) for line in made
        ]
        await asyncio.gather(*sent)


SENDERS: dict[str, Sender] = {"kafka-python": ours, "confluent-kafka": confluent, "aiokafka": aio}


def lines_sent(part: int, shape: str) -> Iterator[Line]:
    """The lines of one of two processes, in the order in which it sends them."""
    for chunk in range(part, PARTS, 2):
        yield from lines(chunk, PARTS, SEED, writing=WRITINGS[shape])


def main(library: str, bootstrap: str, topic: str, posts: str, part: str, shape: str) -> None:
    """Sends, after a word on standard input; prints {"began", "ended", "cpu_s" (seconds), "bytes"}."""
    sent = list(islice(lines_sent(int(part), shape), int(posts)))
    warm = int(len(sent) * WARM_SHARE)
    # connections, metadata and the broker's own warm-up are not what is measured
    SENDERS[library](bootstrap, topic, sent[:warm], shape.encode())
    print("ready", flush=True)
    sys.stdin.readline()
    began, used = time.time(), time.process_time()
    SENDERS[library](bootstrap, topic, sent[warm:], shape.encode())
    ended, used = time.time(), time.process_time() - used
    size = sum(len(line.value) for line in sent[warm:])
    print(json.dumps({"began": began, "ended": ended, "cpu_s": used, "bytes": size}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
