"""The meaning version: one hash over all that decides in which cells a post counts."""

import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

OUTSIDE = frozenset(
    {
        "__init__",
        "archive",
        "archive_change",
        "archive_files",
        "audit",
        "bundle",
        "bundle_answer",
        "cli",
        "command",
        "compiled",
        "coverage",
        "difference",
        "difference_text",
        "edits",
        "erasures",
        "errors",
        "explain",
        "interval",
        "kafka_records",
        "lookup",
        "meaning",
        "merge",
        "packed",
        "positions",
        "prefilter",
        "prefilter_compile",
        "prefilter_kept",
        "prefilter_patterns",
        "reconcile",
        "range_request",
        "recount",
        "rejections",
        "retention",
    }
    | {"settings", "share", "spark", "spark_daemon", "standing", "taxonomy_kept", "taxonomy_review"}
    | {"verify", "why", "wire_x_inside", "words"}
)
"""Modules of the package that do not decide it. What is not named here does, so that a new module counts by default."""


def sources() -> tuple[str, ...]:
    """Names of the files that the meaning version covers, relative to the package, sorted."""
    return tuple(sorted(_covered()))


@cache
def version() -> str:
    """The meaning version of the installed code and taxonomy, as first read: 16 hexadecimal digits of a SHA-256."""
    return on_disk()


def on_disk() -> str:
    """The meaning version of the code and taxonomy as they lie on disk now; they may be edited while a job runs."""
    digest = hashlib.sha256()
    for name, entry in sorted(_covered().items()):
        digest.update(name.encode() + b"\0" + entry.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _covered() -> dict[str, Traversable]:
    found = {}
    for entry in _shown(files("drinkstream")):
        if entry.name.endswith(".toml") or (entry.name.endswith(".py") and entry.name[:-3] not in OUTSIDE):
            found[entry.name] = entry
        elif entry.name == "taxonomy":
            found |= {f"taxonomy/{part.name}": part for part in _shown(entry) if part.name.endswith(".toml")}
    return found


def _shown(folder: Traversable) -> Iterator[Traversable]:
    """What is in a folder, but for hidden files: the locks and copies of an editor decide nothing."""
    return (entry for entry in folder.iterdir() if not entry.name.startswith("."))
