"""Editions: copies of the code and the taxonomy, kept aside, that the speed layer runs from.

A query's Python workers read code and taxonomy from disk whenever Spark starts one. Were that the tree that people
edit, a query could come to count by two meanings. So each runs from a copy that never changes, named by its meaning and
its content; what does not load is refused before any query sees it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from drinkstream import meaning
from drinkstream.errors import BadInputError, DrinkStreamError

PACKAGES = ("drinkstream", "streaming")
SUFFIXES = frozenset({".py", ".toml", ".cql", ".java"})
LOAD_S = 120.0


@dataclass(frozen=True, slots=True)
class Edition:
    """One copy: the folder that holds the packages, and the meaning version of what is in it."""

    folder: Path
    meaning: str

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """`environ`, for a Python that is to run this edition (with its folder as the working directory)."""
        return {**environ, "PYTHONPATH": str(self.folder)}


def main() -> int:
    """Loads what a query is made of, and prints the meaning version: what `keep` asks a copy."""
    # here only: who keeps copies needs neither the tables nor their memory
    import pyarrow as pa

    from drinkstream.hits import candidates, classifier
    from streaming.jvm_classes import require

    try:
        require()
        candidates(pa.array([b"coffee"], pa.binary()))
        classifier().decide("coffee", "en")
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(meaning.version())
    return 0


def stamp(tree: Path) -> str:
    """Changes with every change of a file's name, size or time in the packages of `tree`; cheap enough to ask often.

    A file that cannot be looked at (it has just gone, or is a link to nothing) counts by its name: `keep` refuses it.
    """
    digest = hashlib.sha256()
    for path in _files(tree):
        try:
            status = path.stat()
            found = f"{status.st_size}\0{status.st_mtime_ns}"
        except OSError as error:
            found = str(error.strerror)
        digest.update(f"{path.relative_to(tree)}\0{found}\n".encode())
    return digest.hexdigest()


def keep(tree: Path, kept: Path) -> Edition:
    """Copies the packages of `tree` into a folder of their own below `kept`; the same content is kept once.

    Raises BadInputError with what the copy said where it does not load, or why it could not be made (a file that cannot
    be read, a full disk): nothing of it is kept then.
    """
    try:
        kept.mkdir(parents=True, exist_ok=True)
        copy = Path(tempfile.mkdtemp(prefix=".new-", dir=kept))
        try:
            return _kept(tree, kept, copy)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    except OSError as error:
        raise BadInputError(
            f"no copy of the code could be made in {kept}: {error}. It is made within minutes once that is mended"
        ) from None


def _kept(tree: Path, kept: Path, copy: Path) -> Edition:
    digest = hashlib.sha256()
    for path in _files(tree):
        inside = path.relative_to(tree)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise BadInputError(f"{inside} went away while it was read, or is a link to nothing") from None
        digest.update(f"{inside}\0{len(content)}\n".encode() + content)
        (copy / inside).parent.mkdir(parents=True, exist_ok=True)
        (copy / inside).write_bytes(content)
    name = digest.hexdigest()[:12]
    edition = next((Edition(known, known.name[: -len(name) - 1]) for known in kept.glob(f"*-{name}")), None)
    if edition is None:
        version = _load(copy)
        edition = Edition(kept / f"{version}-{name}", version)
        copy.rename(edition.folder)
    os.utime(edition.folder)
    return edition


def newest(kept: Path, meaning_version: str) -> Edition | None:
    """The edition of a meaning that was kept last (a change of other code makes several); None where there is none."""
    found = sorted(kept.glob(f"{meaning_version}-*"), key=lambda folder: folder.stat().st_mtime_ns)
    return Edition(found[-1], meaning_version) if found else None


def prune(kept: Path, meanings: frozenset[str]) -> None:
    """Removes every edition but the newest of each of `meanings`, and what a killed process left half made or removed.

    No query may be running, nor about to start, from any but those.
    """
    stay = {found.folder for meaning in meanings if (found := newest(kept, meaning)) is not None}
    # those left half removed come first: their names begin with a full stop
    for folder in sorted(kept.glob("*-*")):
        if folder not in stay:
            # aside first: killed meanwhile, it would leave a folder that is taken for a whole edition
            shutil.rmtree(folder if folder.name.startswith(".") else folder.rename(kept / f".old-{folder.name}"))


def _files(tree: Path) -> Iterator[Path]:
    """The packages' files in order, without what is hidden: editors put locks and links to nothing there."""
    for package in PACKAGES:
        found: list[Path] = []
        # unlike rglob it goes on where a folder goes away meanwhile, as while another commit is checked out
        for folder, below, names in os.walk(tree / package):
            below[:] = [name for name in below if not name.startswith(".")]
            found += [Path(folder, name) for name in names if not name.startswith(".")]
        yield from sorted(path for path in found if path.suffix in SUFFIXES)


def _load(copy: Path) -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "streaming.editions"],
            cwd=copy,
            env=Edition(copy, "").environment(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LOAD_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadInputError(f"it did not load within {LOAD_S:.0f} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BadInputError(said.replace(f"{copy}{os.sep}", ""))
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
