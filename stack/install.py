"""`make install`: the virtual environment, the jars, the compiled modules.

Standard library only: it runs on the system's Python 3.11.

A second run finds the marks of the first and does nothing; one that was cut off goes on from what is there.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from stack import java

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
UV = ROOT / ".uv"
UV_LOCK = ROOT / "stack" / "uv.txt"


def main() -> int:
    """Install what is missing; exit code 3 with a message that says what to do where that cannot be."""
    if sys.version_info[:2] != (3, 11):
        return _give_up(
            f"this is Python {sys.version.split()[0]}, DrinkStream needs 3.11: `make PYTHON=/path/to/python3.11 ...` "
            "(Debian 12: sudo apt-get install -y python3 python3-venv)"
        )
    if java.home() is None:
        return _give_up(java.MISSING)
    mark = VENV / f".installed-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if not mark.is_file():
        try:
            _install_packages()
        except subprocess.CalledProcessError as error:
            return _give_up(
                f"the Python packages are not all installed: `{' '.join(map(str, error.cmd))}` ended with "
                f"{error.returncode}, see above. Run it again, what came is kept"
            )
        for old in VENV.glob(".installed-*"):
            old.unlink()
        mark.touch()
    for step in ("stack.jars", "stack.compile", "stack.compile_jvm"):
        done = subprocess.run([VENV / "bin" / "python", "-m", step], cwd=ROOT, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


def _install_packages() -> None:
    """Exactly the packages of the lock file, each checked by its hash, by uv where there is one or can be had."""
    uv = shutil.which("uv") or _own_uv()
    print(f"packages: those of requirements.lock into .venv, by {'uv' if uv else 'pip'} (1.1 GB in all)", flush=True)
    if uv:
        if not (VENV / "bin" / "python").is_file():
            _run(uv, "venv", "--clear", "--python", sys.executable, VENV)
        _run(uv, "pip", "sync", "--python", VENV / "bin" / "python", "--require-hashes", LOCK)
    else:
        _run(sys.executable, "-m", "venv", VENV)
        _run(VENV / "bin" / "python", "-m", "pip", "install", "--require-hashes", "--requirement", LOCK)


def _own_uv() -> str | None:
    """uv, checked by its hash, in a small environment of its own; None where it cannot be had: pip can do it too."""
    uv = UV / "bin" / "uv"
    if not uv.is_file():
        print("packages: getting uv, which installs faster than pip", flush=True)
        _run(sys.executable, "-m", "venv", UV)
        pip = UV / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"
        if subprocess.run([*pip, "--require-hashes", "--requirement", UV_LOCK], check=False).returncode != 0:
            return None
    return str(uv)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True)


def _give_up(message: str) -> int:
    print(message, file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
