"""supervisord: its configuration, its start in a session of its own, and what it is asked over its socket."""

import os
import shlex
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.settings import Settings
from stack import processes
from stack.environment import environment
from stack.folders import remove, replace
from stack.programs import PROGRAMS, Program, path_of

SOCKET_PATH = 100  # a Unix socket's path may have 107 characters, and supervisord first binds one with a suffix


def pid(settings: Settings) -> int | None:
    """supervisord's process, which is also the number of its session; None where it does not run."""
    known = session_id(settings)
    if known is None:
        return None
    try:
        process = psutil.Process(known)
        alive = process.status() != psutil.STATUS_ZOMBIE and str(_config(settings)) in process.cmdline()
    except psutil.Error:
        return None
    return known if alive else None


def session_id(settings: Settings) -> int | None:
    """The number of the session that was started last, whether it lives or not."""
    file = settings.home / "run" / "session"
    return int(file.read_text()) if file.is_file() else None


def left(settings: Settings) -> list[psutil.Process]:
    """What a supervisord that died has left running; nothing while one runs."""
    old = _dead_session(settings)
    return [] if old is None else [p for p in processes.session(old) if processes.is_ours(p, settings.home)]


def refuse_left(settings: Settings) -> None:
    """Raise UnavailableError where programs run on that nobody can be asked about any more."""
    if running := left(settings):
        raise UnavailableError(
            f"supervisord died, and what it ran ({len(running)} processes) runs on without it: "
            "`make up` ends that and starts all anew, `make down` only ends it"
        )


def sweep(settings: Settings, say: Callable[[str], None]) -> None:
    """End what a supervisord that died has left running; nothing happens while one runs."""
    old = _dead_session(settings)
    if old is not None and (swept := processes.sweep_session(old, settings.home)):
        say(f"ended what a killed supervisord had left: {', '.join(swept)}")


def _dead_session(settings: Settings) -> int | None:
    """The session of a supervisord that died; None while one runs, and before the first."""
    return session_id(settings) if pid(settings) is None else None


def start(settings: Settings) -> None:
    """Start supervisord, with no program running yet, unless it runs; nothing of the one before may run any more.

    Raises UnavailableError with the end of its log.
    """
    if pid(settings) is not None:
        return
    if len(str(_socket(settings))) > SOCKET_PATH:
        raise BadInputError(f"DRINKSTREAM_HOME={settings.home} is too long a path for a Unix socket: use a shorter one")
    _clear(settings.scratch)
    _config(settings).write_text(_configuration(settings))
    log = settings.home / "log" / "supervisord.log"
    with log.open("ab") as out, Path(os.devnull).open("rb") as nothing:
        streams = [(os.POSIX_SPAWN_DUP2, file.fileno(), number) for number, file in enumerate((nothing, out, out))]
        started = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "stack.supervise", "-c", str(_config(settings))],
            environment(settings),
            file_actions=streams,
            setsid=True,
        )
    replace(settings.home / "run" / "session", str(started))
    for attempt in Retrying(
        stop=stop_after_delay(20), wait=wait_fixed(0.1), retry=retry_if_exception_type(OSError), reraise=True
    ):
        with attempt:
            if attempt.retry_state.seconds_since_start and pid(settings) is None:
                raise UnavailableError(f"supervisord ended at once: {log.read_text()[-2000:]}")
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(_socket(settings)))


def _clear(folder: Path) -> None:
    # no program runs: what lies there is of Spark's that were killed
    for path in folder.glob("*"):
        remove(path)


def states(settings: Settings) -> dict[str, dict[str, Any]]:
    """{program: supervisord's facts (statename, pid, start, now, ...)}; empty where it does not run."""
    if pid(settings) is None:
        return {}
    with _asked(settings) as supervisord:
        return {facts["name"]: facts for facts in supervisord.getAllProcessInfo()}


def start_program(settings: Settings, name: str) -> None:
    """Ask for a program; one that runs or starts is left alone."""
    try:
        with _asked(settings) as supervisord:
            supervisord.startProcess(name, False)
    except Fault as fault:
        if "ALREADY_STARTED" not in fault.faultString:
            raise UnavailableError(
                f"{name} did not start: {fault.faultString}; see {path_of(settings, name)}"
            ) from fault


def stop_programs(settings: Settings, names: list[str]) -> None:
    """Stop programs at the same time (supervisord alone would stop them in turn) and wait for the end of all.

    Those that do not run, or that a supervisord of an earlier release does not know, are left alone; supervisord kills
    one that does not end in its time.
    """
    for name in names:
        try:
            with _asked(settings) as supervisord:
                supervisord.stopProcess(name, False)
        except Fault as fault:
            if not any(known in fault.faultString for known in ("NOT_RUNNING", "BAD_NAME")):
                raise
    still = retry_if_result(lambda left: bool(left))
    Retrying(stop=stop_after_delay(120), wait=wait_fixed(0.2), retry=still)(
        lambda: [n for n, facts in states(settings).items() if n in names and facts["statename"] == "STOPPING"]
    )


def shutdown(settings: Settings) -> None:
    """Ask supervisord to stop everything and end itself; the end is not awaited."""
    with _asked(settings) as supervisord:
        supervisord.shutdown()


@contextmanager
def _asked(settings: Settings) -> Iterator[Any]:
    """supervisord's methods (XML-RPC over its socket)."""
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(None, None, f"unix://{_socket(settings)}")
    try:
        yield ServerProxy("http://127.0.0.1", transport=transport).supervisor
    finally:
        transport.close()


def _socket(settings: Settings) -> Path:
    return settings.home / "run" / "supervisor.sock"


def _config(settings: Settings) -> Path:
    return settings.home / "conf" / "supervisord.conf"


def _configuration(settings: Settings) -> str:
    run, log = settings.home / "run", settings.home / "log"
    head: Mapping[str, Mapping[str, object]] = {
        "supervisord": {
            "nodaemon": "true",
            "directory": settings.scratch,
            "logfile": "/dev/null",  # it writes to its standard output, which is the log
            "logfile_maxbytes": 0,
            "pidfile": run / "supervisord.pid",
            "childlogdir": log,
            **({"user": "root"} if os.geteuid() == 0 else {}),
        },
        "unix_http_server": {"file": _socket(settings), "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
        "supervisorctl": {"serverurl": f"unix://{_socket(settings)}"},
    }
    sections = {**head, **{f"program:{p.name}": _section(settings, p) for p in PROGRAMS.values()}}
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in section.items())
        for name, section in sections.items()
    )


def _section(settings: Settings, program: Program) -> Mapping[str, object]:
    return {
        "command": shlex.join([sys.executable, "-m", "stack.run", program.name]).replace("%", "%%"),
        "directory": settings.scratch,
        "autostart": "false",
        "autorestart": "true",
        "startsecs": 3,
        "startretries": 100,
        "stopsignal": program.stop_signal,
        "stopasgroup": str(program.stop_group).lower(),
        "killasgroup": "true",
        "stopwaitsecs": program.stop_wait,
        "redirect_stderr": "true",
        "stdout_logfile": path_of(settings, program.name),
        "stdout_logfile_maxbytes": "20MB",
        "stdout_logfile_backups": 3,
    }
