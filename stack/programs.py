"""The programs that supervisord keeps alive: what each runs, needs, and how it stops."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.settings import Settings
from stack import airflow, cassandra, kafka, notes, postgres, ready
from stack.ready import Question

STOP_S = 20
"""Seconds that the web's requests have to end in once it is told to stop."""

BEHIND = 10
"""Niceness of what counts and archives as posts arrive, and of Airflow's own: behind the servers and the two pages."""

SETTLED = 15.0  # seconds that a program without an address must live before it counts as started
FIRST_BATCH = 120.0  # seconds within which a query has done its first batch, which may be what it dies of


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised program. `prepare` runs in its process right before `command` replaces it.

    `niceness` is what the system's scheduler knows of it: how far it stands back where there is more work than cores.
    """

    name: str
    command: Callable[[Settings], list[str]]
    needs: tuple[Question, ...] = ()
    prepare: Callable[[Settings], None] | None = None
    environment: Callable[[Settings], Mapping[str, str]] = field(default=lambda _: {})
    answers: Question = field(kw_only=True)  # asked by `up` and `status`
    stop_signal: str = "TERM"
    stop_group: bool = True  # false: it tells its own children, and a JVM must outlive the query that it runs
    stop_wait: int = 40
    niceness: int = 0
    quick: float = notes.QUICK  # seconds; where it lives shorter it has not really run


def python(*arguments: str) -> Callable[[Settings], list[str]]:
    """The command that runs this environment's Python with these arguments."""
    return lambda _: [sys.executable, *arguments]


def web(settings: Settings) -> list[str]:
    """The web under granian: one process, since it keeps published days in memory, and threads."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws"),
        *("--host", settings.host, "--port", str(settings.web_port)),
        *("--workers", "1", "--blocking-threads", str(settings.web_threads)),
        *("--workers-kill-timeout", str(STOP_S), "--factory", "webapp.wsgi:application"),
    ]


def lives(name: str) -> Question:
    """A question for a program that nobody can ask: has it got what it needs, and not died at once?"""

    def question(settings: Settings) -> None:
        note = notes.read(settings, name)
        if note is None or note.started is None:
            raise UnavailableError(f"{name} still waits for what it needs")
        if note.younger_than(PROGRAMS[name].quick if note.quick_deaths else SETTLED):
            raise UnavailableError(f"{name} has only just started{' again' if note.quick_deaths else ''}")

    return question


def _airflow(
    component: str, *arguments: str, needs: tuple[Question, ...], answers: Question, niceness: int = BEHIND
) -> Program:
    return Program(
        f"airflow-{component}",
        lambda _: [sys.executable, "-m", "airflow", component, *arguments],
        needs=needs,
        environment=airflow.environment,
        answers=answers,
        niceness=niceness,
    )


# In the order of starting.
PROGRAMS = {
    program.name: program
    for program in (
        Program(
            "postgres",
            postgres.command,
            prepare=postgres.initialise,
            environment=postgres.environment,
            answers=ready.postgres,
            stop_signal="INT",
            stop_group=False,
        ),
        Program("kafka", kafka.command, prepare=kafka.format_storage, answers=ready.kafka),
        # 143 on SIGTERM is Cassandra's clean end
        Program("cassandra", cassandra.command, answers=ready.cassandra),
        Program(
            "archive",
            python("-m", "streaming.archive"),
            needs=(ready.topics,),
            answers=lives("archive"),
            stop_group=False,
            niceness=BEHIND,
            quick=FIRST_BATCH,
        ),
        Program(
            "speed",
            python("-m", "streaming.succession"),
            needs=(ready.topics, ready.tables),
            answers=lives("speed"),
            stop_group=False,
            stop_wait=60,  # longer than succession.py gives its queries
            niceness=BEHIND,
            quick=FIRST_BATCH,
        ),
        Program("collect", python("-m", "streaming.collect"), needs=(ready.topics,), answers=lives("collect")),
        Program(
            "coverage",
            python("-m", "streaming.coverage"),
            needs=(ready.topics, ready.tables),
            answers=lives("coverage"),
        ),
        # needs nothing: while Cassandra is away the page says so itself
        Program("web", web, answers=ready.web),
        _airflow("api-server", needs=(ready.airflow_database,), answers=ready.airflow_api, niceness=0),
        # the first tasks of a scheduler that is up before the API fail; they are its children, and as nice as it is
        _airflow(
            "scheduler", "--skip-serve-logs", needs=(ready.airflow_database, ready.airflow_api), answers=ready.scheduler
        ),
        _airflow("dag-processor", needs=(ready.airflow_database,), answers=ready.dag_processor),
        _airflow(
            "triggerer", "--skip-serve-logs", needs=(ready.airflow_database, ready.airflow_api), answers=ready.triggerer
        ),
    )
}

SERVERS = ("postgres", "kafka", "cassandra")


def chosen(settings: Settings, only: str | None) -> list[str]:
    """Names of the programs to run, in the order of starting: all of ours, or those of the comma-separated `only`.

    Raises BadInputError for an unknown name.
    """
    wanted = set(only.split(",")) if only else set(PROGRAMS)
    if unknown := sorted(wanted - set(PROGRAMS)):
        raise BadInputError(f"no program {', '.join(unknown)}: choose from {', '.join(PROGRAMS)}")
    return [name for name in PROGRAMS if name in wanted - elsewhere(settings)]


def elsewhere(settings: Settings) -> set[str]:
    """Names of the servers that the settings name elsewhere, so that they are not ours to run."""
    named = {"kafka": settings.kafka_bootstrap, "cassandra": settings.cassandra_hosts}
    return {name for name, where in named.items() if where}


def path_of(settings: Settings, name: str) -> Path:
    """The log file of a program."""
    return settings.home / "log" / f"{name}.log"
