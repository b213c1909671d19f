"""`make up`: everything running and ready, from whatever is there."""

import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import Settings
from stack import (
    account,
    airflow,
    cassandra,
    config,
    history,
    jars,
    kafka,
    notes,
    passwords,
    ports,
    postgres,
    ready,
    status,
    supervisor,
)
from stack.alone import alone
from stack.programs import PROGRAMS, SERVERS, chosen, elsewhere, path_of

DEADLINE = 600.0  # seconds until a program must answer, on a machine that is busy with other things
AWAY = 20.0  # seconds until a server that is not ours to start must answer
PATIENCE = 20.0  # seconds after which a person is told what is waited for
HOPELESS = 3  # deaths at once after which nothing more is waited for


def main(argv: list[str] | None = None) -> int:
    """Start what does not run, wait until it answers, print the addresses."""
    parser = argparse.ArgumentParser(prog="python -m stack.up", description=main.__doc__)
    parser.add_argument("--only", metavar="A,B", help=f"some of the programs: {', '.join(PROGRAMS)}")
    options = parser.parse_args(argv)
    try:
        settings = Settings.load()
        try:
            up(settings, options.only)
        except OSError as error:
            # a full disk above all
            raise UnavailableError(
                f"{error}: is there space below {settings.home}, and may you write there? What was started runs on: "
                "run it again"
            ) from error
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def up(
    settings: Settings, only: str | None = None, say: Callable[[str], None] = lambda text: print(text, flush=True)
) -> None:
    """Install the jars, start the programs in order, set up what they need, and return when they answer.

    Raises BadInputError for a port in use, before anything starts, and UnavailableError for a program that does not
    come up in time, with the end of its log.
    """
    names = chosen(settings, only)
    jars.fetch(settings)
    with alone(settings, say):
        supervisor.sweep(settings, say)  # before the ports are looked at, which it may hold
        running = [
            n for n, facts in supervisor.states(settings).items() if facts["statename"] in ("RUNNING", "STARTING")
        ]
        new = [name for name in names if name not in running]
        ports.check(settings, new)
        account.way(settings)
        passwords.write(settings)
        config.write(settings)
        _set_up_elsewhere(settings, names, say)
        supervisor.start(settings)
        for name in new:
            notes.forgive(settings, name)
        # each waits for what it needs; Airflow's would start on a database that is about to be migrated
        last = [name for name in names if name.startswith("airflow-")]
        _start(settings, [name for name in names if name not in last])
        with ThreadPoolExecutor(len(SERVERS)) as pool:
            setting_up = {name: pool.submit(_set_up_server, settings, name, say) for name in names if name in SERVERS}
            if "postgres" in setting_up and not (only is None and history.due(settings)):
                setting_up["postgres"].result()
                _start(settings, last)
            for done in setting_up.values():
                done.result()
        if only is None:
            # before Airflow, whose first nightly run would publish a day of which nothing has arrived yet
            history.replay(settings, say)
        _start(settings, last)
        for name in names:
            if name not in SERVERS:
                _await(settings, name, say)
    if only is None:
        say("\n" + status.addresses(settings) + "\n")
        history.recompute(settings, say)


def _start(settings: Settings, names: list[str]) -> None:
    for name in names:
        supervisor.start_program(settings, name)


def _set_up_elsewhere(settings: Settings, names: list[str], say: Callable[[str], None]) -> None:
    """Make the topics of a Kafka elsewhere, and see that a Cassandra elsewhere has what its administrator has to make,
    where one of these programs needs them.

    Raises UnavailableError or BadInputError with what to do, before anything is started.
    """
    away, needed = elsewhere(settings), {question for name in names for question in PROGRAMS[name].needs}
    if "kafka" in away and ready.topics in needed:
        _make_topics(settings, say, AWAY)
    if "cassandra" in away and ready.tables in needed:
        try:
            ready.wait(settings, cassandra.check, AWAY)
        except UnavailableError as error:
            raise UnavailableError(
                f"{error}\nKeyspace, tables and roles are for its administrator to make: `make schema` prints the CQL, "
                "the passwords are DRINKSTREAM_CASSANDRA_PASSWORD and DRINKSTREAM_CASSANDRA_READER_PASSWORD"
            ) from error


def _make_topics(settings: Settings, say: Callable[[str], None], deadline: float) -> None:
    if created := ready.wait(settings, kafka.create_topics, deadline):
        say(f"kafka: made the topics {', '.join(created)}")


def _set_up_server(settings: Settings, name: str, say: Callable[[str], None]) -> None:
    """Wait for a server and give it what its users need."""
    _await(settings, name, say)
    if name == "kafka":
        _make_topics(settings, say, DEADLINE)
    elif name == "cassandra":
        ready.wait(settings, cassandra.set_up, DEADLINE)
    elif name == "postgres":
        postgres.create_database(settings)
        airflow.set_up(settings)


def _await(settings: Settings, name: str, say: Callable[[str], None]) -> None:
    began = told = time.monotonic()

    def question(settings: Settings) -> None:
        nonlocal told
        try:
            PROGRAMS[name].answers(settings)
        except UnavailableError as error:
            if time.monotonic() - told > PATIENCE:
                told = time.monotonic()
                say(f"{name}: {str(error).splitlines()[0]} ...")
            note = notes.read(settings, name)
            if note is not None and note.quick_deaths >= HOPELESS:
                raise DrinkStreamError(f"it died {note.quick_deaths} times at once ({error})") from error
            raise

    try:
        ready.wait(settings, question, DEADLINE)
    except DrinkStreamError as error:
        log = path_of(settings, name)
        end = "".join(log.read_text(errors="replace").splitlines(keepends=True)[-20:]) if log.is_file() else "(empty)"
        raise UnavailableError(f"{name} did not come up: {error}\nThe end of {log}:\n{end}") from error
    say(f"{name} answers ({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
