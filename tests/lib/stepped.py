"""Work that stops before any of its writes, and goes on later or never: how tests crash and orphan a process."""

import threading
from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """What ends a stopped piece of work; no handler of the product takes it for an error."""


class Stepped:
    """Runs `work` in a thread of its own, of which only one runs at any moment: nothing here is left to chance.

    `gate` has to be called before each write; `ended` tells whether the work is over, `result` what it returned.
    """

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._left: int | None = None
        self._thread: threading.Thread | None = None
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._killed = False
        self._failure: BaseException | None = None
        self.ended = False
        self.result: Any = None

    def gate(self) -> None:
        """Stops here where no writes are left to do."""
        while self._left == 0:
            self._stopped.release()
            self._go.acquire()
            if self._killed:
                raise Killed
        if self._left is not None:
            self._left -= 1

    def advance(self, writes: int | None) -> bool:
        """Goes on for so many writes (None: to the end); whether it has ended. Raises what the work raised."""
        assert not self.ended
        self._left = writes
        if writes is None and self._thread is None:
            self._run()
        else:
            self._hand_over()
        if self._failure is not None:
            raise self._failure
        return self.ended

    def kill(self) -> None:
        """The work never goes on."""
        if self._thread is not None and not self.ended:
            self._killed = True
            self._go.release()
            self._thread.join()

    def _hand_over(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._go.release()
        self._stopped.acquire()

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001  it is raised again where the work was asked to go on
            self._failure = error
        self.ended = True
        self._stopped.release()
