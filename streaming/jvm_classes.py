"""The Java sources that run in Spark's JVM, and the jar that `make install` compiles of them."""

import hashlib
import sys
from pathlib import Path

import pyspark

from drinkstream.errors import UnavailableError

FOLDER = Path(__file__).with_name("jvm")


def sources() -> list[Path]:
    """The sources, in order, without the hidden locks and copies of an editor."""
    return sorted(FOLDER.glob("[!.]*.java"))


def require() -> None:
    """Raises UnavailableError where the jar of these sources is not there."""
    if not jar().is_file():
        raise UnavailableError("the classes that count in Spark's JVM are not compiled: run make install")


def jar() -> Path:
    """Where the compiled classes of these sources lie, for the Spark of this environment; it need not be there."""
    digest = hashlib.sha256(pyspark.__version__.encode() + b"".join(path.read_bytes() for path in sources()))
    return Path(sys.prefix) / "drinkstream-compiled" / f"jvm-{digest.hexdigest()[:16]}.jar"
