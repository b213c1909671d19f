"""Processes that are ours, by group and by session, and how they are ended when their parent no longer does it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

GRACE = 10.0  # seconds between SIGTERM and SIGKILL


def is_ours(process: psutil.Process, home: Path) -> bool:
    """Whether it works in this home's folders, or was started by this home's supervisord.

    Neither alone would do: a program may change its folder, and one that sets its own title (Airflow's workers,
    PostgreSQL, granian) overwrites its environment.
    """
    try:
        if Path(process.cwd()).is_relative_to(home):
            return True
        environ = process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    return environ.get("DRINKSTREAM_HOME") == str(home) and "SUPERVISOR_PROCESS_NAME" in environ


def session(sid: int) -> list[psutil.Process]:
    """The living members of a session."""
    return [p for p in psutil.process_iter() if _of(os.getsid, p.pid) == sid and _lives(p)]


def reap_group(pgid: int) -> int:
    """Kill what a dead program of our own session has left in its process group; the number of processes ended.

    Numbers are used again, but never while a group of that number lives. So a group in our session whose leader is dead
    is the one that the number was noted for; one with a living leader is somebody else's and is left alone.
    """
    members = [p for p in session(os.getsid(0)) if _of(os.getpgid, p.pid) == pgid]
    if any(p.pid == pgid for p in members):
        return 0
    for process in members:
        process.kill()
    psutil.wait_procs(members, timeout=GRACE)
    return len(members)


def sweep_session(sid: int, home: Path) -> list[str]:
    """End every member of the session that supervisord once led; what was ended, as `pid name`.

    A session's number is not given to another while a member lives, so one member of ours means that all are.
    """
    members = session(sid)
    if not any(is_ours(p, home) for p in members):
        return []
    named = [f"{p.pid} {p.name()}" for p in members]
    for process in members:
        process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(members, timeout=GRACE)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=GRACE)
    return named


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _of(question: Callable[[int], int], pid: int) -> int | None:
    try:
        return question(pid)
    except ProcessLookupError:
        return None
