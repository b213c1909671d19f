"""Airflow: the environment that each of its programs and commands runs in, and its database, pool and users.

`python -m stack.airflow ARGUMENTS` is Airflow's own command line in that environment.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from urllib.parse import quote

from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import ROOT, Settings
from stack import postgres, ready
from stack.environment import environment as base
from stack.passwords import AIRFLOW_USERS

POOL = {"spark": {"slots": 1, "description": "one Spark application at a time", "include_deferred": False}}


def environment(settings: Settings) -> Mapping[str, str]:
    """Airflow's settings as variables. They hold passwords, so they go into Airflow's own processes only."""
    home = settings.home / "airflow"
    password = quote(settings.secret("postgres"), safe="")
    database = f"{settings.host}:{settings.postgres_port}/airflow"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": "utc",
        "AIRFLOW__CORE__FERNET_KEY": settings.secret("airflow_fernet"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in AIRFLOW_USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(settings.secrets / "airflow_passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow:{password}@{database}",
        "AIRFLOW__API__HOST": settings.host,
        "AIRFLOW__API__PORT": str(settings.airflow_port),
        "AIRFLOW__API__BASE_URL": f"http://{settings.host}:{settings.airflow_port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": settings.secret("airflow_api_secret"),
        "AIRFLOW__API_AUTH__JWT_SECRET": settings.secret("airflow_jwt"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.home / "log" / "airflow"),
        # no log servers: they listen on every address; logs are read from the folder above, as all is on one machine
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "9",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "9",
        # the default of 5 s costs a task its try while two cores are busy starting everything
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW_CONN_SPARK_LOCAL": json.dumps({"conn_type": "spark", "host": settings.spark_master}),
    }


def set_up(settings: Settings) -> None:
    """Create or migrate the database and the pool, where this Airflow version has not done so here yet."""
    home = settings.home / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    mark = home / f"migrated-{version('apache-airflow')}"
    if mark.is_file():
        try:
            ready.airflow_database(settings)
            return
        except UnavailableError:
            mark.unlink()
    postgres.create_database(settings)
    _run(settings, "db", "migrate")
    pool = home / "pools.json"
    pool.write_text(json.dumps(POOL))
    _run(settings, "pools", "import", str(pool))
    mark.touch()


def main(argv: list[str] | None = None) -> int:
    """Become `airflow ARGUMENTS`; an exit code is returned only where that cannot be."""
    try:
        settings = Settings.load()
        variables = {**os.environ, **base(settings), **environment(settings)}
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    arguments = sys.argv[1:] if argv is None else argv
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments], variables)  # noqa: S606


def _run(settings: Settings, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env={**base(settings), **environment(settings)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UnavailableError(f"airflow {' '.join(arguments)} failed: {done.stdout[-3000:]}")


if __name__ == "__main__":
    sys.exit(main())
