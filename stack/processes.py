"""Processes that are ours, by group and by session, and how they are ended when their parent no longer does it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

GRACE = 10.0  # seconds between SIGTERM and SIGKILL


def is_ours(process: psutil.Process, home: Path, name: str | None = None) -> bool:
    """Whether supervisord started it for this home (and as program `name`): pids are used again, environments not."""
    try:
        environ = process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
    started_as = environ.get("SUPERVISOR_PROCESS_NAME")
    return environ.get("DRINKSTREAM_HOME") == str(home) and (started_as == name if name else started_as is not None)


def group(pgid: int) -> list[psutil.Process]:
    """The living members of a process group."""
    return [p for p in psutil.process_iter() if _of(os.getpgid, p.pid) == pgid and p.status() != psutil.STATUS_ZOMBIE]


def session(sid: int) -> list[psutil.Process]:
    """The living members of a session."""
    return [p for p in psutil.process_iter() if _of(os.getsid, p.pid) == sid and p.status() != psutil.STATUS_ZOMBIE]


def reap_group(pgid: int, home: Path, name: str) -> int:
    """Kill what a predecessor of program `name` left in its process group; the number of processes ended.

    Nothing is done where no member is provably ours, since the number may long be somebody else's.
    """
    members = group(pgid)
    if not any(is_ours(p, home, name) for p in members):
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


def _of(question: Callable[[int], int], pid: int) -> int | None:
    try:
        return question(pid)
    except ProcessLookupError:
        return None
