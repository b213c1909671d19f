"""Replay: recorded lines into Kafka as if they arrived now, at full speed or at their original intervals.

    drinkstream replay FILES... [--live] [--source x]
    drinkstream replay --demo 30

Files are v1.1 or v2 lines, gzip, bzip2 or plain (told by their first bytes, not by their name), `-` is standard input.
A line is sent as it stands without its delimiter, which is LF or CR LF; ids and event times are its own. A blank line
is a keepalive. It ends when Kafka has acknowledged every record, with an account of every line.

Exit codes: 0 all sent; 2 a file is missing, has to be unpacked first (nothing of it was sent) or was cut off (what
could be read of it was sent), or no line could be read; 3 Kafka does not answer or refused a record. A replay may be
repeated: numbers are sets of ids, so nothing is counted twice.
"""

import io
import logging
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import click

from drinkstream.command import exit_code
from drinkstream.errors import BadInputError, DrinkStreamError
from drinkstream.post import SOURCES
from drinkstream.settings import Settings
from streaming.collect import ended_by_signals, logs_to_stderr
from streaming.feed import Feed, wall_clock_ms
from streaming.lines import CutOffError, Oversize, PackedError, lines, unpacked
from streaming.producer import Producer
from streaming.sources import demo, demo_live

CHUNK = 256 * 1024  # bytes read at once
KAFKA_WAIT = 60.0  # seconds; a person waits for this program
SAY_EVERY = 10.0  # seconds between two lines of progress in a log
LOOK_EVERY = 1.0  # seconds between two looks for a stop while nothing comes
STDIN = "-"
POSITIVE = click.FloatRange(min=0, min_open=True)

log = logging.getLogger("drinkstream.replay")

Progress = Callable[[int], None]  # is told of each step: bytes read, or lines made


def unseen(step: int) -> None:
    """The progress that nobody looks at."""
    del step


class Interrupted(DrinkStreamError):
    """Somebody ended the replay before its end: what was sent stays, and a new replay does no harm."""


def replay(
    files: Iterable[str],
    settings: Settings,
    source: str = "x",
    live: bool = False,
    stop: threading.Event | None = None,
    progress: Progress = unseen,
) -> Feed:
    """Send all lines of the files and wait for Kafka's acknowledgement; the feed that comes back has the counts.

    With `live` each post waits until as much time has passed since the start as between its event time and that of the
    first post; everything else goes right after what stands before it. Raises BadInputError before anything was sent
    where nobody can read this source's lines, else after everything was, naming each file that is missing, cut off,
    damaged or an archive, or where nothing could be read; UnavailableError; Interrupted.
    """
    if source not in SOURCES:
        raise BadInputError(f"--source {source}: there are {', '.join(SOURCES)}; nothing was sent")
    stop = stop or threading.Event()
    pace = Pace(stop) if live else None
    faults: list[str] = []
    with Producer(settings, stop, wait=KAFKA_WAIT) as producer:
        feed = Feed(producer, settings, source, via="replay")
        feed.connected(live=live)
        for name in files:
            try:
                with _opened(name) as file:
                    for line in lines(unpacked(_chunks(file, progress, stop, feed.tick))):
                        if stop.is_set():  # before it is sent: it may be a part of a line that a stop has cut
                            break
                        _send(feed, line, pace)
            except CutOffError as error:
                if not stop.is_set():
                    faults.append(f"{name}: {error}; what could be read of it was sent")
            except PackedError as error:
                faults.append(f"{name}: {error}; nothing of it was sent")
            except OSError as error:
                faults.append(f"{name}: {error.strerror or error}")
            if stop.is_set():
                break
        feed.close(faults=faults)
    if stop.is_set():
        raise Interrupted(f"ended early: {account(feed)}")
    if faults:
        raise BadInputError(f"{'; '.join(faults)}. Sent all the same: {account(feed)}")
    unread = sum(n for kind, n in feed.received.items() if kind.startswith("rejected."))
    if unread and unread + feed.keepalives == feed.records:  # what is no text has blank lines, too
        raise BadInputError(
            f"no line could be read: are these X's lines, and of this --source? Sent all the same: {account(feed)}"
        )
    return feed


def replay_demo(
    days: float, rate: float, settings: Settings, stop: threading.Event, progress: Progress = unseen
) -> Feed:
    """Send the demo's posts of the last `days`, `rate` a second, up to where the live demo stream begins.

    Where it has not begun yet, it will begin where this ends. Raises UnavailableError, Interrupted.
    """
    found = demo_live.position(settings)
    end_ms = found.first_ms if found else wall_clock_ms() // demo.MINUTE_MS * demo.MINUTE_MS
    if found is None:
        demo_live.save(settings, demo_live.Position(settings.demo_seed, settings.demo_rate, end_ms, end_ms))
    end = datetime.fromtimestamp(end_ms / 1000, UTC)
    with Producer(settings, stop, wait=KAFKA_WAIT) as producer:
        feed = Feed(producer, settings, "demo", via="replay")
        feed.connected(days=days, rate=rate)
        for line in demo.history(settings.demo_seed, end - timedelta(days=days), end, rate):
            feed.line(line)
            progress(1)
            if stop.is_set():
                break
        feed.close()
    if stop.is_set():
        raise Interrupted(f"ended early: {account(feed)}")
    return feed


def account(feed: Feed) -> str:
    """What became of every line: `5 lines, 6 records = 3 posts + 1 tombstones + 0 notices + 2 rejected (shape 2)`."""
    count = feed.received
    rejected = {kind.split(".", 1)[1]: n for kind, n in sorted(count.items()) if kind.startswith("rejected.")}
    reasons = f" ({', '.join(f'{reason} {n}' for reason, n in rejected.items())})" if rejected else ""
    return (
        f"{feed.lines} lines, {feed.records} records = {count['post']} posts + {count['tombstone']} tombstones"
        f" + {count['notice']} notices + {sum(rejected.values())} rejected{reasons}"
    )


class Pace:
    """Waits so that posts keep their original intervals; those without a time, or out of order, do not wait."""

    def __init__(self, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._stop = stop
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def wait_for(self, event_ms: int | None, tick: Callable[[], None]) -> None:
        """Return when it is time for a post of this event time, or at the stop; calls `tick` every second till then."""
        if event_ms is None:
            return
        if self._first is None:
            self._first = (event_ms, self._clock())
        first_ms, started = self._first
        while (wait := started + (event_ms - first_ms) / 1000 - self._clock()) > 0:
            tick()
            if self._stop.wait(min(wait, 1.0)):
                return


def _send(feed: Feed, line: bytes | Oversize, pace: Pace | None) -> None:
    for envelope in feed.read(line):
        # the time of a delete is that of the post that it deletes, maybe years before it
        if pace is not None and envelope.shape.startswith("post."):
            pace.wait_for(envelope.event_ms, feed.tick)
        feed.send(envelope)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STDIN:
        yield sys.stdin.buffer
    else:
        with Path(name).open("rb", buffering=0) as file:
            yield file


def _chunks(file: BinaryIO, progress: Progress, stop: threading.Event, tick: Callable[[], None]) -> Iterator[bytes]:
    """What can be read, as it comes: a pipe's lines are not held back until a chunk is full.

    While a pipe or a terminal is silent `tick` is called every second, and a stop ends it.
    """
    read = getattr(file, "read1", file.read)
    may_be_silent = _may_be_silent(file)
    while True:
        while may_be_silent and not select.select([file], [], [], LOOK_EVERY)[0]:
            tick()
            if stop.is_set():
                return
        chunk = read(CHUNK)
        if not chunk:
            return
        progress(len(chunk))
        yield chunk


def _may_be_silent(file: BinaryIO) -> bool:
    try:
        return not stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except io.UnsupportedOperation:  # in memory
        return False


@contextmanager
def _shown(total: int | None, unit: str) -> Iterator[Progress]:
    """Progress as a bar to a person at a terminal, as a plain line now and then to a log."""
    if total and sys.stderr.isatty():
        with click.progressbar(length=total, label="replay", file=sys.stderr) as bar:
            yield bar.update
        return
    done, next_word = 0, time.monotonic() + SAY_EVERY

    def say(step: int) -> None:
        nonlocal done, next_word
        done += step
        if time.monotonic() >= next_word:
            share = f" of={total} percent={100 * done / total:.0f}" if total else ""
            log.info("event=progress %s=%d%s", unit, done, share)
            next_word = time.monotonic() + SAY_EVERY

    yield say


@click.command(name="replay")
@click.argument("files", nargs=-1)
@click.option("--live", is_flag=True, help="Keep the original intervals between posts instead of full speed.")
@click.option("--source", default="x", show_default=True, help="Network that owns the posts' ids.")
@click.option("--demo", "demo_days", type=POSITIVE, help="Instead of files: days of demo posts.")
@click.option("--rate", type=POSITIVE, help="Posts a second of --demo; by default the setting demo_history_rate.")
def command(files: tuple[str, ...], live: bool, source: str, demo_days: float | None, rate: float | None) -> None:
    """Send recorded posts to Kafka: v1.1 or v2 lines, gzip, bzip2 or plain, - for standard input."""
    if bool(files) == bool(demo_days):
        raise BadInputError("name files to replay (or - for standard input), or --demo with a number of days")
    settings = Settings.load()
    logs_to_stderr()
    if sys.stderr.isatty():
        logging.getLogger("drinkstream").setLevel(logging.WARNING)  # a bar is drawn there
    with ended_by_signals() as stop:
        if demo_days:
            rate = rate or settings.demo_history_rate
            with _shown(round(demo_days * 86_400 * rate), "lines") as progress:
                feed = replay_demo(demo_days, rate, settings, stop, progress)
        else:
            sizes = [Path(name).stat().st_size for name in files if name != STDIN and Path(name).is_file()]
            with _shown(sum(sizes) if STDIN not in files else None, "bytes") as progress:
                feed = replay(files, settings, source, live, stop, progress)
    click.echo(account(feed))


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit code and says on standard error what to do about a failure."""
    return exit_code(command, argv, "replay")


if __name__ == "__main__":
    sys.exit(main())
