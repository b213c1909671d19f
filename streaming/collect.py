"""Collect: one source's lines into Kafka until the program is asked to end. `drinkstream collect`, under supervision.

SIGTERM or Ctrl-C ends it in order: what was sent is acknowledged, the last status line says how much that was. While
Kafka is away it waits and slows its source down; where Kafka refuses a record for good it ends with exit code 3.
"""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from drinkstream.command import exit_code
from drinkstream.errors import BadInputError
from drinkstream.settings import Settings
from streaming.feed import Feed
from streaming.producer import Producer
from streaming.sources import demo_live, x

# name in the settings: what runs until the event is set. The name is also the `source` of its posts.
SOURCES: dict[str, Callable[[Feed, Settings, threading.Event], None]] = {"demo": demo_live.run, "x": x.run}

log = logging.getLogger("drinkstream.collect")


def collect(settings: Settings, stop: threading.Event) -> None:
    """Run the source that the settings name until `stop` is set. Raises BadInputError, UnavailableError."""
    run = SOURCES.get(settings.source)
    if run is None:
        raise BadInputError(f"DRINKSTREAM_SOURCE={settings.source}: there are {', '.join(SOURCES)}")
    with Producer(settings, stop) as producer:
        feed = Feed(producer, settings, settings.source, via=settings.source)
        try:
            run(feed, settings, stop)
        except BadInputError as error:
            feed.close(reason=str(error))
            raise
        feed.close()  # not where Kafka refused a record: then there is nobody to tell


@contextmanager
def ended_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the handlers before it are restored at the end."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def logs_to_stderr() -> None:
    """One event a line on standard error; kafka-python only where something is wrong."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.INFO)
    logging.getLogger("kafka").setLevel(logging.ERROR)
    logging.getLogger("kafka.cluster").setLevel(logging.CRITICAL)  # ten lines a second about a topic not there yet


@click.command(name="collect")
@click.option("--source", help="Overrides DRINKSTREAM_SOURCE: demo or x.")
def command(source: str | None) -> None:
    """Send the posts of one source to Kafka until stopped."""
    settings = Settings.load()
    if source is not None:
        settings = settings.model_copy(update={"source": source})
    logs_to_stderr()
    with ended_by_signals() as stop:
        collect(settings, stop)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code and says on standard error what to do about a failure."""
    return exit_code(command, argv, "collect")


if __name__ == "__main__":
    sys.exit(main())
