"""The wall clock beside one that nobody sets: Spark waits for a query's next micro-batch by the former."""

from time import monotonic, time

SET_BACK_S = 5.0
"""By less than this it is let go: the query waits for that long, once."""


class Clock:
    """Watches the wall clock from here on."""

    def __init__(self) -> None:
        self._furthest = _ahead()

    def set_back(self) -> float:
        """By how many seconds it was set back behind the furthest that it was; 0 where that is not worth a word."""
        now = _ahead()
        self._furthest = max(self._furthest, now)
        back = self._furthest - now
        return back if back > SET_BACK_S else 0.0


def _ahead() -> float:
    return time() - monotonic()
