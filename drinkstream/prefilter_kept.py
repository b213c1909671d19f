"""Compiled prefilters as files: the processes of a stack compile one once, and the others read it.

A file is named by a hash of all that it was made from: the taxonomy, the package's code, the library and the platform.
"""

import hashlib
import platform
from collections.abc import Iterable
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]

NEWEST = 4
"""Files that stay: more than one meaning may be in use."""


def path_of(folder: Path, taxonomy_version: str) -> Path:
    """Where the prefilter of a taxonomy is kept, made by the present code on this platform."""
    digest = hashlib.sha256(f"{taxonomy_version}/{version('hyperscan')}/{platform.platform()}".encode())
    for entry in sorted(files("drinkstream").iterdir(), key=lambda entry: entry.name):
        # a hidden one is no module but an editor's lock or copy
        if entry.name.endswith(".py") and not entry.name.startswith("."):
            digest.update(entry.name.encode() + b"\0" + entry.read_bytes() + b"\0")
    return folder / f"{digest.hexdigest()[:32]}.npz"


def read(path: Path) -> Arrays | None:
    """The arrays of a file; None where there is none that can be read whole."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}
    except (FileNotFoundError, BadZipFile, ValueError, EOFError):
        return None


def write(path: Path, arrays: Arrays) -> None:
    """Keep arrays, as a whole or not at all, and the NEWEST files only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez(file, allow_pickle=False, **arrays)
    Path(file.name).replace(path)
    # what a killed process left half written goes too
    prune(path.parent.iterdir())


def prune(files: Iterable[Path]) -> None:
    """Remove all but the NEWEST of `files`."""
    for old in sorted(files, key=_written_at)[:-NEWEST]:
        old.unlink(missing_ok=True)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # another process has just removed or renamed it
