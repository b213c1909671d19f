"""Where the compiled form of the modules that each record goes through lies, and when it may stand for their source.

`stack.compile` translates `MODULES` to C with mypyc; the result lies below the environment's prefix in a folder named
by a hash of their source. Source that was edited since has another hash, so the interpreter reads it as it is: what
runs is always what is written, compiled or not.
"""

import hashlib
import sys
from collections.abc import MutableSequence
from pathlib import Path

MODULES = (
    *("classify", "contexts", "decision", "fold", "judge", "language", "lexicon", "matching", "reading", "senses"),
    *("tokens", "post", "kafka_records", "wire_json", "wire_values", "wire_x"),
)
"""The modules that are compiled: what a line and its text go through, and a record on its way to Kafka.

They are plain Python, and run as that too."""


def folder(package: Path) -> Path:
    """The folder for the compiled form of the modules in `package`, as they are on disk now; it need not be there."""
    digest = hashlib.sha256(sys.implementation.cache_tag.encode())
    for name in MODULES:
        digest.update(name.encode() + b"\0" + (package / f"{name}.py").read_bytes() + b"\0")
    return Path(sys.prefix) / "drinkstream-compiled" / digest.hexdigest()[:16]


def prefer(path: MutableSequence[str]) -> None:
    """Puts the compiled modules, where they are there, before the source on a package's search path."""
    found = folder(Path(path[0]))
    if found.is_dir():
        path.insert(0, str(found / "drinkstream"))
        sys.path.append(str(found))  # mypyc's shared part of the modules is imported from the top
