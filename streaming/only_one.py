"""The right to write the archive, held by one query at a time, and by its JVM for as long as that lives."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import psutil
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from drinkstream.errors import ConflictError

ORPHAN_WAIT = 60.0

log = logging.getLogger("archive")


@contextmanager
def only_one(folder: Path) -> Iterator[Callable[[int], None]]:
    """Hold the right to write the archive; the value given marks the process id of the JVM that does the writing.

    A JVM outlives a killed Python driver by a moment: its end is waited for. Raises ConflictError if another archive
    query runs, or that JVM does not end.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "archive.lock"
    with path.open("a+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise ConflictError(f"another archive query holds {path}: stop that one first") from None
        lock.seek(0)
        if previous := lock.read().split():
            _await_end(int(previous[0]), float(previous[1]))

        def mark(pid: int) -> None:
            lock.truncate(0)
            lock.write(f"{pid} {psutil.Process(pid).create_time()}")
            lock.flush()

        yield mark


def _await_end(pid: int, created: float) -> None:
    waiting = Retrying(retry=retry_if_result(bool), stop=stop_after_delay(ORPHAN_WAIT), wait=wait_fixed(0.2))
    try:
        waiting(_runs, pid, created)
    except RetryError:
        raise ConflictError(f"process {pid} still writes the archive for an earlier query: end it first") from None


def _runs(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        # the number may be another process's by now; a dead one that nobody has reaped writes nothing
        return bool(abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
