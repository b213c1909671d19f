"""supervisord, outliving a full disk: by itself it ends where it can write neither its log nor its standard error."""

import sys
from contextlib import suppress
from typing import TextIO

from supervisor import supervisord


class Unfailing:
    """A stream of which it does not matter whether a text gets through."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes what can be written; the length of `text` in any case."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flushes what can be flushed."""
        with suppress(OSError):
            self._stream.flush()


if __name__ == "__main__":
    sys.stderr = Unfailing(sys.stderr)
    supervisord.main()
