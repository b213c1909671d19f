"""The peers that run on Java: jars fetched and checked, sources in java/ compiled, all below the bench's home.

python -m bench.peers.jvm NAME EPOCH [WRITE_MS]     drains, as Java (settings of the environment)
python -m bench.peers.jvm sums                      after a change of java/ivy.xml: writes java/jars.sha256
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from bench.peers import words
from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from stack import java
from stack.jars import JarList, complete, write_sums
from streaming.offsets import look

HERE = Path(__file__).with_name("java")
MAINS = {"flink": "peers.FlinkDrain", "streams": "peers.StreamsDrain"}
JARS = JarList(HERE / "ivy.xml", HERE / "jars.sha256", tuple(MAINS))
OPTIONS = ("-Xmx4g", "-XX:+UseParallelGC", "-XX:+ExitOnOutOfMemoryError", "--add-opens=java.base/java.util=ALL-UNNAMED")
NO_COMPILER = (
    "javac is missing, which compiles the peers that run on Java: install a JDK 17 (Debian 12, Ubuntu: sudo apt-get "
    "install -y openjdk-17-jdk-headless), or measure with --no-peers"
)
KAFKA_WAIT_S = 60.0
WRITE_MS = 1_000
"""How often a drain of a full topic writes what changed. Where freshness is measured the row says how often."""


def ready(settings: Settings) -> str:
    """Makes all that they need; returns the interpreter that starts them.

    Raises UnavailableError where jars do not come, or where there is no compiler.
    """
    complete(settings, _jars(settings), JARS)
    for name in MAINS:
        _compiled(settings, name)
    return sys.executable


def main(name: str, epoch: str = "", write_ms: str = str(WRITE_MS)) -> None:
    """Becomes the Java program of this name, which writes what changed every `write_ms` milliseconds."""
    settings = Settings.load()
    if name == "sums":
        write_sums(settings, _jars(settings), JARS)
        return
    folder = settings.home / settings.keyspace / name
    folder.mkdir(parents=True)
    listed = folder / "words.tsv"
    words.write(listed)
    records = sum(look(settings.bootstrap, (settings.posts_topic,), KAFKA_WAIT_S).end.values())
    user, password = settings.writer_login()
    given = {
        "EPOCH": epoch,
        "BOOTSTRAP": settings.bootstrap,
        "TOPIC": settings.posts_topic,
        "CASSANDRA_HOST": settings.contact_points[0],
        "CASSANDRA_PORT": settings.cassandra_port,
        "KEYSPACE": settings.keyspace,
        "USER": user,
        "PASSWORD": password,
        "WORDS": listed,
        "FOLDER": folder,
        "RECORDS": records,
        # a backlog is fetched by the megabyte, what is just arriving as it comes
        "FETCH_MIN_BYTES": 1_000_000 if records else 1,
        "WRITE_MS": int(write_ms),
    }
    path = f"{_compiled(settings, name)}:{_jars(settings) / name}/*"
    command = [_program("java"), *OPTIONS, f"-Djava.io.tmpdir={folder}", "-cp", path, MAINS[name]]
    os.execve(command[0], command, os.environ | {f"PEER_{key}": str(value) for key, value in given.items()})  # noqa: S606


def _compiled(settings: Settings, name: str) -> Path:
    """The folder of a program's classes, compiled where these sources were not yet."""
    others = {main.rpartition(".")[2] for other, main in MAINS.items() if other != name}
    sources = [path for path in sorted(HERE.glob("peers/*.java")) if path.stem not in others]
    digest = hashlib.sha256(JARS.sums.read_bytes() + b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = _jars(settings) / "classes" / f"{name}-{digest}"
    if not folder.is_dir():
        aside = folder.with_suffix(".new")
        shutil.rmtree(aside, ignore_errors=True)
        click.echo(f"peers: compiling {MAINS[name]}")
        command = [_program("javac"), "-d", str(aside), "-cp", f"{_jars(settings) / name}/*", *map(str, sources)]
        try:
            subprocess.run(command, check=True)
        except subprocess.CalledProcessError as error:
            raise UnavailableError(f"{MAINS[name]} was not compiled ({error}), see above") from None
        aside.rename(folder)
    return folder


def _jars(settings: Settings) -> Path:
    return settings.home / "peers-java"


def _program(name: str) -> str:
    folder = java.home()
    if folder is None:
        raise UnavailableError(java.MISSING)
    program = folder / "bin" / name
    if not program.is_file():
        raise UnavailableError(NO_COMPILER)
    return str(program)


if __name__ == "__main__":
    main(*sys.argv[1:])
