"""One at a time: what starts and what stops a stack, by a lock in its home."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drinkstream.settings import Settings


@contextmanager
def alone(settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Within it no other call for this home is; where one is, it is said and waited for."""
    folder = settings.home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for the `make up` or `make down` of this stack that is under way ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
