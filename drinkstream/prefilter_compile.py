"""Hyperscan's compiler in a process of its own: it takes 115 MB for a second, which a worker would hold on to.

python -m drinkstream.prefilter_compile < expressions.json > database
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import hyperscan

from drinkstream.errors import UnavailableError


def database_of(expressions: Sequence[bytes]) -> bytes:
    """The serialised database of these patterns, each known by its place, without regard to the case of ASCII letters.

    Raises UnavailableError where the other process did not get to its end.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps([one.decode("latin-1") for one in expressions]).encode(),
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},  # it finds what this process finds
        check=False,
    )
    if done.returncode != 0:
        raise UnavailableError(
            f"compiling the prefilter ended with {done.returncode}: see what its process wrote to standard error, and "
            "whether the machine has 200 MB of memory to spare; then start again"
        )
    return done.stdout


def main() -> None:
    """Compile the patterns of standard input, a JSON list with a character for each byte."""
    expressions = [one.encode("latin-1") for one in json.load(sys.stdin)]
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    # a number for each: many patterns of one number take minutes
    database.compile(
        expressions=expressions,
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_DOTALL,
    )
    sys.stdout.buffer.write(hyperscan.dumpb(database))


if __name__ == "__main__":
    main()
