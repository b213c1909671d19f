"""The end of a job whose task is gone: spark-submit, which stands between them, tells it nothing of that."""

import os
import select
import sys
import threading

from drinkstream.errors import UnavailableError

GONE = "the task that started this has ended: nothing was completed, its next try does the work"


def end_with(pid: int) -> None:
    """From now on this process ends, with UnavailableError's exit code, as soon as the process `pid` has ended.

    Raises UnavailableError where it has ended already.
    """
    try:
        leader = os.pidfd_open(pid)
    except ProcessLookupError:
        raise UnavailableError(GONE) from None
    threading.Thread(target=_follow, args=(leader,), name="leader", daemon=True).start()


def _follow(leader: int) -> None:
    select.select([leader], [], [])
    try:
        print(GONE, file=sys.stderr, flush=True)
    finally:
        # whatever the other threads wait for; Spark's JVM ends with its driver
        os._exit(UnavailableError.exit_code)
