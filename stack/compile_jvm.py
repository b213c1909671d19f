"""Compiles what runs in Spark's JVM with Janino, the Java compiler inside pyspark, so that a JRE is enough.

    python -m stack.compile_jvm

A second run finds what the first made and does nothing, until a source changes.
"""

import os
import sys
import zipfile
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pyspark
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import Settings
from stack import java
from streaming.jvm_classes import jar, sources

KEPT = 8


def main() -> int:
    """Compile what is not compiled yet; a message and its exit code where that cannot be."""
    made = jar()
    if made.is_file():
        return 0
    try:
        classes = compiled(sources(), Settings.load().jar_folder / "spark")
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    made.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=made.parent, delete=False) as part, zipfile.ZipFile(part, "w") as archive:
        for name, code in sorted(classes.items()):
            archive.writestr(f"{name.replace('.', '/')}.class", code)
    Path(part.name).replace(made)
    # other checkouts and earlier editions of the code may still run from theirs
    for old in sorted(made.parent.glob("jvm-*.jar"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
        old.unlink()
    return 0


def compiled(files: list[Path], jars: Path) -> dict[str, bytes]:
    """The classes of Java sources by name, each source compiled by itself against Spark and the jars in a folder.

    Raises DrinkStreamError where one is not one that Janino takes, and where there is no Java.
    """
    home = java.home()
    if home is None:
        raise UnavailableError(java.MISSING)
    spark = Path(pyspark.__file__).parent / "jars"
    (py4j,) = spark.glob("py4j-*.jar")
    port = launch_gateway(
        jarpath=str(py4j),
        classpath=os.pathsep.join(f"{folder}/*" for folder in (spark, jars)),
        java_path=str(home / "bin" / "java"),
        die_on_exit=True,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port))
    try:
        jvm: Any = gateway.jvm
        found: dict[str, bytes] = {}
        for file in files:
            compiler = jvm.org.codehaus.janino.SimpleCompiler()
            try:
                compiler.cook(file.read_text())
            except Py4JJavaError as error:
                raise DrinkStreamError(f"{file.name} does not compile: {error.java_exception}") from None
            classes = compiler.getBytecodes()
            found |= {name: bytes(classes[name]) for name in classes}
        return found
    finally:
        gateway.shutdown()


if __name__ == "__main__":
    sys.exit(main())
