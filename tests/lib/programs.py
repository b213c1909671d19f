"""A program of the live path as a process of its own, to be watched, killed and started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_not_result, stop_after_delay

from drinkstream.settings import ROOT, Settings

LIMIT_S = 240.0
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.5

T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = LIMIT_S, longest_pause: float = LONGEST_PAUSE_S) -> T:
    """What `condition` returns, as soon as it holds; fails after `seconds`.

    What takes long is asked less and less often, since the question takes its time from the answer. Where something
    holds only for a moment, `longest_pause` has to be SHORTEST_PAUSE_S.
    """

    def pause(state: RetryCallState) -> float:
        return min(max(SHORTEST_PAUSE_S, (state.seconds_since_start or 0.0) / 10), longest_pause)

    return Retrying(retry=retry_if_not_result(bool), stop=stop_after_delay(seconds), wait=pause)(condition)


def environment(settings: Settings) -> dict[str, str]:
    """The environment that makes a process use these settings."""
    found = dict(os.environ)
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if value is not None:
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            found[f"DRINKSTREAM_{name.upper()}"] = text
    return found


class Program:
    """`python -m MODULE` with these settings, as a process group of its own; its output is kept in the home's log.

    `tree` is the folder that holds the code.
    """

    def __init__(self, module: str, settings: Settings, tree: Path = ROOT) -> None:
        self.log = settings.home / f"{module}.{settings.posts_topic}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=tree,
                env=environment(settings),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def until(self, condition: Callable[[], object], longest_pause: float = LONGEST_PAUSE_S) -> None:
        """Waits for a condition; fails with the program's log where it ends before."""
        until(lambda: self.process.poll() is not None or condition(), longest_pause=longest_pause)
        assert self.process.poll() is None, self.log.read_text()[-4000:]

    def stop(self) -> int:
        """Asks it to stop; its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(LIMIT_S)

    def kill(self) -> None:
        """kill -9 of the whole process group: driver, JVM and workers."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
