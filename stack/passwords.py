"""Generated passwords: one file (0600) each in `<home>/secrets` (0700), written once, never printed or passed."""

import base64
import json
import os
import secrets
from pathlib import Path

from drinkstream.settings import Settings

AIRFLOW_USERS = {"admin": "admin", "ops": "op", "analyst": "viewer"}  # user: role
NAMES = (
    "postgres",
    "airflow_jwt",
    "airflow_api_secret",
    "cassandra_admin",
    "cassandra_writer",
    "cassandra_reader",
)


def write(settings: Settings) -> Path:
    """The folder of the passwords, with those generated that were not there."""
    folder = settings.secrets
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    for name in NAMES:
        _once(folder / name, secrets.token_urlsafe(24))
    _once(folder / "airflow_fernet", base64.urlsafe_b64encode(os.urandom(32)).decode())
    users = {user: secrets.token_urlsafe(12) for user in AIRFLOW_USERS}
    _once(folder / "airflow_passwords.json", json.dumps(users, indent=1))
    return folder


def _once(path: Path, text: str) -> None:
    if path.exists():
        return
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text + "\n")
    aside.rename(path)
