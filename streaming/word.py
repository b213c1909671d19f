"""What a query that is led by another program (succession.py) hears from it, on its standard input."""

import json
import threading
from collections.abc import Mapping
from typing import IO


class Word:
    """Listens: `catch_up` are the next offsets by partition to be processed before the epoch answers, None until told.

    The end of the input is the end of the program that leads: `stopping` is set then, so that no query is left behind.
    """

    def __init__(self, lines: IO[str], stopping: threading.Event) -> None:
        self.catch_up: Mapping[str, int] | None = None
        self._lines = lines
        self._stopping = stopping
        threading.Thread(target=self._listen, name="word", daemon=True).start()

    def _listen(self) -> None:
        for line in self._lines:
            self.catch_up = json.loads(line)
        self._stopping.set()


def tell(lines: IO[str], catch_up: Mapping[str, int]) -> None:
    """Tells the query behind `lines` what it must have processed before its epoch answers."""
    lines.write(json.dumps(catch_up) + "\n")
    lines.flush()
