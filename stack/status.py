"""`make status`: what runs, where it listens, and what became of every record."""

import os
import sys
import time

import psutil

from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import Settings
from stack import notes, supervisor
from stack.programs import PROGRAMS, Program, chosen, elsewhere


def main(argv: list[str] | None = None) -> int:  # noqa: ARG001 - the same form as every main
    """Print the programs, the addresses and the accounting, whose exit code it has where records do not add up."""
    try:
        settings = Settings.load()
        supervisor.refuse_left(settings)
        facts = supervisor.states(settings)
        print(table(settings, facts))
        if not facts:
            print("nothing is running: `make up` starts it")
            return 0
        print(addresses(settings))
        if all(facts[name]["statename"] == "RUNNING" for name in chosen(settings, "kafka,archive")):
            from streaming import accounting

            print("\n" + accounting.report(settings))
        sys.stdout.flush()
    except BrokenPipeError:  # `make status | head`: who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except DrinkStreamError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def table(settings: Settings, facts: dict[str, dict[str, object]]) -> str:
    """One line for each program: its state, whether it answers, pid, time since its start, resident memory in MB."""
    lines = [f"{'program':<22}{'state':<10}{'answers':<9}{'pid':>8}{'up':>12}{'RSS MB':>8}"]
    total = 0.0
    for name, program in PROGRAMS.items():
        fact = facts.get(name, {"statename": "STOPPED", "pid": 0})
        running = fact["statename"] == "RUNNING"
        memory = resident(int(str(fact["pid"]))) if running else 0.0
        total += memory
        answers = _answers(settings, program) if running or name in elsewhere(settings) else "-"
        up = _span(int(time.time()) - int(str(fact["start"]))) if running else "-"
        pid = str(fact["pid"]) if running else "-"
        lines.append(
            f"{name:<22}{_state(settings, name, str(fact['statename'])):<10}{answers:<9}{pid:>8}{up:>12}{memory:>8.0f}"
        )
    lines.append(f"{'all':<61}{total:>8.0f}")
    return "\n".join(lines)


def addresses(settings: Settings) -> str:
    """Where a person and a program find what runs, and the file with the passwords."""
    host = settings.host
    return "\n".join(
        (
            f"dashboard and API   http://{host}:{settings.web_port}/",
            f"Airflow             http://{host}:{settings.airflow_port}/  "
            f"(admin, ops, analyst: passwords in {settings.secrets / 'airflow_passwords.json'})",
            f"Kafka               {settings.bootstrap}",
            f"Cassandra           {','.join(settings.contact_points)}:{settings.cassandra_port}",
            f"data, logs          {settings.home}",
        )
    )


def resident(pid: int) -> float:
    """Resident memory of a process and all below it, MB; pages that they share are counted in each."""
    try:
        process = psutil.Process(pid)
        members = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    total = 0
    for member in members:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def _answers(settings: Settings, program: Program) -> str:
    try:
        program.answers(settings)
    except UnavailableError:
        return "no"
    return "yes"


def _state(settings: Settings, name: str, supervised: str) -> str:
    """supervisord's word, or what it cannot see: that a program still waits, dies again and again, or is not ours."""
    if name in elsewhere(settings):
        return "elsewhere"
    note = notes.read(settings, name)
    if supervised != "RUNNING" or note is None:
        return supervised.lower()
    if note.quick_deaths > 1 and (note.started is None or note.younger_than(PROGRAMS[name].quick)):
        return "failing"
    return "running" if note.started else "waiting"


def _span(seconds: int) -> str:
    days, rest = divmod(max(seconds, 0), 86_400)
    return f"{days}d " * bool(days) + f"{rest // 3600:d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


if __name__ == "__main__":
    sys.exit(main())
