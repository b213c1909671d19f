"""The process that Spark's Python workers are forked from: it has classifier and prefilter before the first of them.

So they are made once for all workers, which share their memory, and no worker's first task waits for them. What must
not cross a fork, a session with Cassandra say, is opened by the workers.
"""

import sys
from contextlib import redirect_stdout

from pyspark import daemon

from drinkstream.hits import prepare

if __name__ == "__main__":
    # by standard output it tells Spark where workers are to be had, and nothing else
    with redirect_stdout(sys.stderr):
        prepare()
    daemon.manager()
