"""Compiles what every line goes through with mypyc, where there is a C compiler; without one they run as plain Python.

    python -m stack.compile

A second run finds what the first made and does nothing, until their source changes.
"""

import importlib.util
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from drinkstream.compiled import MODULES, folder
from drinkstream.settings import ROOT

PACKAGE = ROOT / "drinkstream"
KEPT = 8
WITHOUT = (
    "parser, classifier and producer: they run as plain Python, half as fast, since {}. "
    "(Debian 12: sudo apt-get install -y gcc libc6-dev python3-dev; then make install)"
)


def main() -> int:
    """Compile what is not compiled yet; exit code 3 where the compiler fails."""
    made = folder(PACKAGE)
    if made.is_dir():
        return 0
    if (missing := what_is_missing()) is not None:
        print(WITHOUT.format(missing), flush=True)
        return 0
    print("parser, classifier and producer: compiling them, once for this source (15 s)", flush=True)
    made.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".build-") as aside:
        built = Path(aside)
        shutil.copytree(PACKAGE, built / "drinkstream", ignore=shutil.ignore_patterns("__pycache__"))
        files = [f"drinkstream/{name}.py" for name in MODULES]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "mypyc", *files],
            cwd=built,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(
                f"{done.stdout}{done.stderr}\nmypyc ended with {done.returncode}, see above",
                file=sys.stderr,
            )
            return 3
        result = built / "result"
        (result / "drinkstream").mkdir(parents=True)
        for file in [*built.glob("*.so"), *built.glob("drinkstream/*.so")]:
            file.rename(result / file.relative_to(built))
        result.rename(made)
    # other checkouts and earlier editions of the code may still run from theirs
    for old in sorted(made.parent.glob("[0-9a-f]*"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
        shutil.rmtree(old)
    return 0


def what_is_missing() -> str | None:
    """What a build needs and is not there, in words; None where all is."""
    compiler = str(sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler ({compiler})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        return "Python's headers are not installed"
    return None if importlib.util.find_spec("setuptools") is not None else "setuptools is not installed"


if __name__ == "__main__":
    sys.exit(main())
