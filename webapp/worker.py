"""A thread of the process that serves, started after any fork and started again should it have ended."""

import os
from collections.abc import Callable
from threading import Event, Lock, Thread


class Worker:
    """Calls `step` again and again; it returns for how many seconds to rest. An error in it ends the thread, loudly."""

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        self._name = name
        self._step = step
        self._lock = Lock()
        self._ended = Event()
        self._thread: Thread | None = None
        self._pid = 0

    def start(self) -> None:
        """Start the thread in this process, unless it runs."""
        if self._runs():
            return
        with self._lock:
            if not self._runs():
                self._pid = os.getpid()
                self._thread = Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _runs(self) -> bool:
        return self._thread is not None and self._pid == os.getpid() and self._thread.is_alive()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._ended.wait(self._step())
