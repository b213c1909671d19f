"""The account that PostgreSQL and Cassandra run under: ours, or `nobody` where we are root: PostgreSQL refuses it."""

import os
import shutil
from pathlib import Path

from drinkstream.errors import UnavailableError

NOBODY = 65534


def as_server(command: list[str]) -> list[str]:
    """The command, made to run without root's rights where we are root.

    Raises UnavailableError where setpriv, which Debian always has (util-linux), is missing.
    """
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        raise UnavailableError("setpriv is missing: `apt-get install util-linux`, or run as a normal user")
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]


def server_folder(folder: Path) -> None:
    """Make the folder (0700) and give it to the account that the servers run under."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    give_to_servers(folder)


def give_to_servers(path: Path | int) -> None:
    """Where we are root, make the servers' account the owner of this path or open file."""
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def hidden_parent(path: Path) -> Path | None:
    """The first folder on the way to `path` that the servers' account may not enter; None where the way is free."""
    if os.geteuid() != 0:
        return None
    for parent in reversed(path.resolve().parents):
        if not parent.stat().st_mode & 0o001:
            return parent
    return None
