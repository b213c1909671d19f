"""The process that Spark's Python workers are forked from: it has classifier and prefilter before the first of them.

So they are made once for all workers, which share their memory, and no worker's first task waits for them. What must
not cross a fork, a session with Cassandra say, is opened by the workers. What these hold behind a task is kept from the
garbage collector.
"""

import gc
import sys
from contextlib import redirect_stdout
from typing import Any

from pyspark import daemon

from drinkstream.hits import prepare

_run_task = daemon.worker


def _run_task_and_keep(sock: Any, authenticated: bool) -> int:
    code: int = _run_task(sock, authenticated)
    # behind each task, pyspark has the collector walk through all that its worker has loaded, for which the next task
    # waits: what is left of this one by now is there to stay
    gc.collect()
    gc.freeze()
    return code


if __name__ == "__main__":
    daemon.worker = _run_task_and_keep
    # by standard output it tells Spark where workers are to be had, and nothing else
    with redirect_stdout(sys.stderr):
        prepare()
    daemon.manager()
