"""Coverage: the feeds' status lines from Kafka into the store, so that it stands beside the numbers of a day.

Each start reads all lines that Kafka still holds and writes the same rows again, so nothing has to be remembered of how
far it came. What Kafka no longer holds was written before; the recompute of a day settles it from the archive.
"""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import click
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from drinkstream.command import exit_code
from drinkstream.coverage import Minute, minute
from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from drinkstream.store.coverage import keep
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from streaming.offsets import look

KAFKA_WAIT_S = 120.0
POLL_MS = 1000
LINES_A_POLL = 5000

log = logging.getLogger("drinkstream.coverage")


def main(argv: list[str] | None = None) -> int:
    """Follows the status lines until told to stop; returns the exit code of what ended it."""
    return exit_code(command, argv, "coverage")


@click.command()
def command() -> None:
    """Store what the feeds say of each minute, until stopped."""
    settings = Settings.load()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    logging.getLogger("kafka").setLevel(logging.ERROR)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    session = connect(settings, settings.writer_login())
    try:
        reader, writer = Reader(session), Writer(session)
        for minutes in follow(settings, stop):
            keep(reader, writer, minutes)
            log.info("event=kept minutes=%d last=%s", len(minutes), max(one.minute for one in minutes))
    finally:
        session.cluster.shutdown()


def follow(settings: Settings, stop: threading.Event) -> Iterator[list[Minute]]:
    """The minutes that status lines speak of, from the first that Kafka holds on, until `stop` is set.

    Raises UnavailableError where Kafka does not answer, or no longer takes part.
    """
    topic = settings.status_topic
    kafka = look(settings.bootstrap, (topic,), KAFKA_WAIT_S)
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=LINES_A_POLL,
        )
        try:
            places = [TopicPartition(*place) for place in kafka.end]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            while not stop.is_set():
                polled = consumer.poll(timeout_ms=POLL_MS)
                lines = [line for of_partition in polled.values() for line in of_partition]
                found = [minute(line.value, _place(kafka.cluster, line)) for line in lines]
                if minutes := [one for one in found if one is not None]:
                    yield minutes
        finally:
            consumer.close()
    except KafkaError as error:
        raise UnavailableError(
            f"Kafka does not answer on {settings.bootstrap}: {error!r}. `make status` shows whether it runs"
        ) from error


def _place(cluster: str, line: Any) -> str:
    return f"{cluster}/{line.topic}/{line.partition}/{line.offset}"


if __name__ == "__main__":
    sys.exit(main())
