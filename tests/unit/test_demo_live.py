"""The demo as time goes by: no line is lost or doubled wherever it stops."""

import threading
from pathlib import Path
from typing import Any

import pytest

from drinkstream.settings import Settings
from streaming.feed import wall_clock_ms
from streaming.sources import demo, demo_live


class Sent:
    """Stands in for a feed; told to stop once it has been given a line."""

    def __init__(self, last: bytes, stop: threading.Event) -> None:
        self.lines: list[bytes] = []
        self._last = last
        self._stop = stop

    def line(self, line: bytes) -> None:
        self.lines.append(line)
        if line == self._last:
            self._stop.set()

    def flush(self) -> bool:
        return True

    def tick(self) -> None: ...

    def status(self, *_: Any, **__: Any) -> None: ...

    def connected(self, **_: Any) -> None: ...


@pytest.mark.parametrize("last", range(6))
def test_wherever_it_stops_it_goes_on_with_the_next_line(last: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two lines of one millisecond are sent together; a minute of catching up keeps its position on the way."""
    now = wall_clock_ms()
    times = [now - 200_000, now - 130_000, now - 130_000, now - 5_000, now - 5_000, now - 5_000, now - 10]
    made = [(ms, f"{n}".encode()) for n, ms in enumerate(times)]
    monkeypatch.setattr(demo, "stream", lambda _seed, start, _rate: ((ms, line) for ms, line in made if ms >= start))
    settings = Settings.load().model_copy(update={"home": tmp_path})
    began = demo_live.Position(settings.demo_seed, settings.demo_rate, times[0], times[0])
    demo_live.save(settings, began)
    sent = []
    for until in (made[last][1], made[-1][1]):
        stop = threading.Event()
        feed: Any = Sent(until, stop)
        demo_live.run(feed, settings, stop)
        sent += feed.lines
    assert sent == [line for _, line in made]
    reached = demo_live.position(settings)
    assert reached is not None
    assert reached.next_ms == times[-1] + 1
