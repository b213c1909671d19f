"""The account that PostgreSQL and Cassandra run under: ours, or where we are root one without its rights.

PostgreSQL refuses root, and Cassandra pins twice the memory as root. As root they run as `nobody`; and where `nobody`
may not enter a folder on the way to their files (a clone below /root, say), in a user namespace, in which our own
account has another number and none of the rights of root.
"""

import os
import shutil
import subprocess
import sys
from enum import Enum
from functools import cache
from pathlib import Path

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from stack import java

UID = 65534  # of `nobody`


class Way(Enum):
    """How a server is kept from running as root: the command in front of its own, and the owner of its files."""

    OURS = ()
    NOBODY = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups")
    NAMESPACE = ("unshare", "--user", f"--map-user={UID}", f"--map-group={UID}")


def way(settings: Settings) -> Way:
    """How the servers of these settings are run. Raises UnavailableError where there is no way, saying what to do."""
    if os.geteuid() != 0:
        return Way.OURS
    paths = (settings.home, settings.jar_folder, Path(sys.prefix), java.home() or Path("/"))
    closed = next((parent for path in paths if (parent := hidden_parent(path)) is not None), None)
    if closed is None and shutil.which("setpriv"):
        return Way.NOBODY
    if _namespaces():
        return Way.NAMESPACE
    raise UnavailableError(
        "PostgreSQL and Cassandra do not run as root here: "
        + (f"their account may not enter {closed}" if closed else "setpriv (package util-linux) is missing")
        + "; run as a normal user, or keep the repository and DRINKSTREAM_HOME in a folder open to all (chmod o+x)"
    )


def as_server(settings: Settings, command: list[str]) -> list[str]:
    """The command, made to run without root's rights where we are root."""
    return [*way(settings).value, *command]


def server_folder(settings: Settings, folder: Path) -> None:
    """Make the folder (0700) and see that it and all in it belong to the account that the servers run under."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() != 0 or folder.stat().st_uid == _owner(settings):
        return
    for path in (folder, *folder.rglob("*")):
        give(settings, path)


def give(settings: Settings, path: Path | int) -> None:
    """Make the servers' account the owner of this path or open file, where we are root."""
    if os.geteuid() == 0:
        os.chown(path, _owner(settings), _owner(settings))


def hidden_parent(path: Path) -> Path | None:
    """The first folder on the way to `path` that others may not enter; None where the way is free."""
    there = path.resolve()
    while not there.exists():  # it will be made, open to all
        there = there.parent
    return next((p for p in (*reversed(there.parents), there) if not p.stat().st_mode & 0o001), None)


def _owner(settings: Settings) -> int:
    return UID if way(settings) is Way.NOBODY else 0


@cache
def _namespaces() -> bool:
    try:
        return subprocess.run([*Way.NAMESPACE.value, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
