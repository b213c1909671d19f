"""The demo stream as time goes by: where it stopped it goes on, so a restart neither repeats ids nor leaves a hole."""

import json
import logging
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from drinkstream.settings import Settings
from streaming.feed import Feed, rfc3339, wall_clock_ms
from streaming.sources import demo

CATCH_UP_MS = 6 * 3_600_000  # a longer absence is a gap: the posts of that time are left out, and feed.status says so
SAVE_EVERY_MS = 2_000
MINUTE_MS = 60_000

log = logging.getLogger("drinkstream.demo")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a demo stream has come: lines from `first_ms` to before `next_ms` (event times) are in Kafka."""

    seed: int
    rate: float
    first_ms: int
    next_ms: int


def path(settings: Settings) -> Path:
    """The file that holds the position."""
    return settings.home / "demo.position"


def position(settings: Settings) -> Position | None:
    """The position of the stream that the settings describe; None where there is none, or only of another stream."""
    file = path(settings)
    if not file.is_file():
        return None
    found = Position(**json.loads(file.read_text()))
    return found if (found.seed, found.rate) == (settings.demo_seed, settings.demo_rate) else None


def save(settings: Settings, reached: Position) -> None:
    """Keep the position; written aside and then switched, so that a crash leaves the old one or the new one."""
    file = path(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(".new")
    aside.write_text(json.dumps(asdict(reached)))
    aside.rename(file)


def run(feed: Feed, settings: Settings, stop: threading.Event) -> None:
    """Send each line at its event time until `stop` is set; lines whose time is past go out at once.

    The position is kept only after Kafka's acknowledgement: after a kill -9 the same bytes of the last seconds go out
    again, which no count of ids can see.
    """
    now = wall_clock_ms()
    found = position(settings)
    if found is None:
        this_minute = now // MINUTE_MS * MINUTE_MS
        found = Position(settings.demo_seed, settings.demo_rate, this_minute, this_minute)
        save(settings, found)
    next_ms = found.next_ms
    if next_ms < now - CATCH_UP_MS:
        feed.status("gap", reason="stopped", **{"from": rfc3339(next_ms), "to": rfc3339(now)})
        next_ms = now
    feed.connected(seed=settings.demo_seed, rate=settings.demo_rate)
    saved = next_ms

    def reached(ms: int) -> None:
        if feed.flush():
            save(settings, Position(found.seed, found.rate, found.first_ms, ms))

    for ms, line in demo.stream(settings.demo_seed, next_ms, settings.demo_rate):
        # lines of one millisecond go out together: a position lies before all of them, or behind all
        another = ms >= next_ms
        if another and next_ms - saved >= MINUTE_MS:  # catching up: there is no waiting, and yet the position moves
            reached(next_ms)
            saved = next_ms
        while (wait := ms - wall_clock_ms()) > 0:
            feed.tick()
            if next_ms - saved >= SAVE_EVERY_MS:
                reached(next_ms)
                saved = next_ms
            if stop.wait(min(wait / 1000, 1.0)):
                break
        if another and stop.is_set():
            break
        feed.line(line)
        next_ms = ms + 1
    reached(next_ms)
