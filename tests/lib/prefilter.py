"""One compiled prefilter for all homes of a test run: each would take six seconds of a processor for its own."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path


def shared(home: Path) -> Path:
    """`home`, which keeps its prefilters where all others that are given here do: the first that needs one makes it."""
    (home / "prefilter").symlink_to(_folder())
    return home


@cache
def _folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="ds-prefilter-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
