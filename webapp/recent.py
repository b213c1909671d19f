"""What was asked for last, kept within some memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Values that can no longer change, so that each is right for as long as it is here. Used by many threads.

    `nbytes` says how many bytes of memory a value takes with its key. Beyond `most_bytes` the value asked for longest
    ago goes first; the last one stays, whatever it takes.
    """

    def __init__(self, most_bytes: int, nbytes: Callable[[Key, Value], int]) -> None:
        self._most_bytes = most_bytes
        self._nbytes = nbytes
        self._kept: OrderedDict[Key, Value] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Key, load: Callable[[], Value]) -> Value:
        """The value kept for `key`, else what `load` returns, which is kept. What `load` raises is not."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        loaded = load()
        with self._lock:
            self._drop(key)  # another thread may have loaded it meanwhile
            self._kept[key] = loaded
            self._bytes += self._nbytes(key, loaded)
            while len(self._kept) > 1 and self._bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))
        return loaded

    def forget(self, key: Key) -> None:
        """Let go of what is kept for `key`, if anything is."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        if key in self._kept:
            self._bytes -= self._nbytes(key, self._kept.pop(key))
