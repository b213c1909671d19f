"""X's filtered stream (written next)."""

import threading

from drinkstream.settings import Settings
from streaming.feed import Feed


def run(feed: Feed, settings: Settings, stop: threading.Event) -> None:
    """Not yet."""
    raise NotImplementedError
