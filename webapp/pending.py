"""How many records came into the archive for each published day since its run, counted now and then."""

from collections.abc import Callable, Mapping
from time import monotonic

from drinkstream.errors import UnavailableError
from webapp.view import View
from webapp.worker import Worker

EVERY_S = 30.0
"""Seconds from one count to the next at least; a count that takes long is followed by a longer rest."""

_REST = 20.0

Count = Callable[[Mapping[str, Mapping[str, int]]], Mapping[str, int]]
"""Records under each day behind the positions that its run began at, by day; drinkstream.archive.Archive has it."""


class Pending:
    """Keeps the view told. Where the archive cannot be read, what is pending is unknown."""

    def __init__(self, view: View, count: Count) -> None:
        self._view = view
        self._count = count
        self._worker = Worker("pending", self._step)
        self.start, self.stop = self._worker.start, self._worker.stop

    def look(self) -> None:
        """Count anew, and tell the view."""
        runs = self._view.state().in_force()
        counted = {day: run for day, run in runs.items() if run.position}
        try:
            found = self._count({str(day): run.position for day, run in counted.items()}) if counted else {}
        except UnavailableError:
            found = {}
        self._view.pending = {run.run_id: found[str(day)] for day, run in counted.items() if str(day) in found}

    def _step(self) -> float:
        began = monotonic()
        if self._view.peek() is None:
            return 1.0
        self.look()
        return max(EVERY_S, _REST * (monotonic() - began))
