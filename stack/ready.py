"""Real questions to the servers: each returns when its server does what is needed, else raises UnavailableError."""

import json
import logging
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from drinkstream.store.session import connect

Question = Callable[[Settings], None]
T = TypeVar("T")

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy leads to our own host

for _name in ("kafka", "cassandra"):  # a server that is not up yet is no news here: it is what is being asked
    logging.getLogger(_name).setLevel(logging.CRITICAL)


def wait(settings: Settings, question: Callable[[Settings], T], deadline: float) -> T:
    """The answer, asked for until it comes. Raises UnavailableError with the last refusal after `deadline` seconds."""
    asking = Retrying(
        stop=stop_after_delay(deadline),
        wait=wait_exponential(0.1, max=2),
        retry=retry_if_exception_type(UnavailableError),
        reraise=True,
    )
    return asking(question, settings)


def postgres(settings: Settings) -> None:
    """PostgreSQL answers a query."""
    _sql(settings, "postgres", "SELECT 1")


def airflow_database(settings: Settings) -> None:
    """Airflow's tables are there, and with them the pool, which is made last."""
    _sql(settings, "airflow", "SELECT slots FROM slot_pool WHERE pool = 'spark'")


def kafka(settings: Settings) -> None:
    """The broker describes its cluster."""
    _topics(settings)


def topics(settings: Settings) -> None:
    """Both topics exist."""
    if missing := {settings.posts_topic, settings.status_topic} - _topics(settings):
        raise UnavailableError(f"Kafka has no topic {', '.join(sorted(missing))} yet; `make up` creates them")


def cassandra(settings: Settings) -> None:
    """Cassandra takes CQL connections (whose are let in is not asked)."""
    for host in settings.contact_points:
        _port(host, settings.cassandra_port, "Cassandra")


def tables(settings: Settings) -> None:
    """The writers' role may read the newest table."""
    _select(settings, settings.writer_login())


def readable(settings: Settings) -> None:
    """The web's role may read the newest table."""
    _select(settings, settings.reader_login())


def airflow_api(settings: Settings) -> None:
    """Airflow's API answers, to people and to its own tasks."""
    address = f"http://{settings.host}:{settings.airflow_port}"
    _get(f"{address}/api/v2/version", "Airflow's API")
    # built with its first request, which takes longer than a task waits
    _get(f"{address}/execution/health", "Airflow's API for tasks", patience=60)


def scheduler(settings: Settings) -> None:
    """The scheduler's heart beats."""
    _healthy(settings, "scheduler")


def dag_processor(settings: Settings) -> None:
    """The DAG processor's heart beats."""
    _healthy(settings, "dag_processor")


def triggerer(settings: Settings) -> None:
    """The triggerer's heart beats."""
    _healthy(settings, "triggerer")


def web(settings: Settings) -> None:
    """The web answers."""
    _get(f"http://{settings.host}:{settings.web_port}/healthz", "the web")


def _port(host: str, port: int, what: str) -> None:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError as error:
        raise UnavailableError(f"{what} does not listen on {host}:{port}: {error.strerror or error}") from error


def _sql(settings: Settings, database: str, query: str) -> None:
    import psycopg2  # type: ignore[import-untyped]

    try:
        connection = psycopg2.connect(
            host=settings.host,
            port=settings.postgres_port,
            user="airflow",
            password=settings.secret("postgres"),
            dbname=database,
            connect_timeout=5,
        )
    except psycopg2.OperationalError as error:
        raise UnavailableError(f"PostgreSQL does not answer: {str(error).strip()}") from error
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            if cursor.fetchone() is None:
                raise UnavailableError(f"{database} is not set up yet: {query} has no row")
    except psycopg2.Error as error:
        raise UnavailableError(f"{database} is not set up yet: {str(error).strip()}") from error
    finally:
        connection.close()


def _topics(settings: Settings) -> set[str]:
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    for server in settings.bootstrap.split(","):
        host, _, port = server.rpartition(":")
        _port(host, int(port), "Kafka")
    try:
        admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap.split(","), request_timeout_ms=10_000)
        try:
            return set(admin.list_topics())
        finally:
            admin.close()
    except KafkaError as error:
        raise UnavailableError(f"Kafka does not answer on {settings.bootstrap}: {error}") from error


def _select(settings: Settings, login: tuple[str, str]) -> None:
    from cassandra import DriverException, InvalidRequest

    cassandra(settings)
    session = connect(settings, login, "system")
    try:
        # the last that is made
        session.execute(f"SELECT meaning FROM {settings.keyspace}.taxonomies_v1 LIMIT 1")  # noqa: S608 - our own setting
    except (DriverException, InvalidRequest) as error:
        raise UnavailableError(f"Cassandra's tables are not ready: {error}") from error
    finally:
        session.cluster.shutdown()


def _healthy(settings: Settings, component: str) -> None:
    url = f"http://{settings.host}:{settings.airflow_port}/api/v2/monitor/health"
    said = json.loads(_get(url, "Airflow's API"))
    if said.get(component, {}).get("status") != "healthy":
        raise UnavailableError(f"Airflow says of its {component}: {said.get(component, {}).get('status')}")


def _get(url: str, what: str, patience: float = 5) -> bytes:
    try:
        with _DIRECT.open(url, timeout=patience) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, OSError) as error:
        raise UnavailableError(f"{what} does not answer at {url}: {error}") from error
