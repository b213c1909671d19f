"""The demo's past: on an empty stack, a month of posts through the real path, which Airflow then recomputes.

Each step is done once, and noted in `<home>/history.json`; an `up` that was interrupted goes on with the next one. A
step that is repeated changes no number, since its posts have the same ids.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from tenacity import Retrying, retry_if_exception_type, retry_if_not_result, stop_after_delay, wait_fixed

from drinkstream.errors import UnavailableError
from drinkstream.settings import ROOT, Settings
from stack import folders
from stack.environment import environment
from streaming.sources import demo_live

DAG = "recompute_range"
USER = "ops"
ASKED = "awaiting_input"  # Airflow's state of a task that waits for a person
ARCHIVE_WAIT = 600
RECOMPUTE_WAIT = 1800.0
ANSWER_WAIT = 120.0
TIMEOUT = 30


def due(settings: Settings) -> bool:
    """Whether there is a month to replay that has not been."""
    return settings.source == "demo" and settings.demo_history_days > 0 and "replayed" not in _notes(settings)


def replay(settings: Settings, say: Callable[[str], None]) -> None:
    """Sends the month, once; returns when Kafka has acknowledged all of it."""
    if not due(settings):
        return
    days = settings.demo_history_days
    say(f"replaying {days} days of the demo's history ...")
    _run(settings, "streaming.replay", "--demo", str(days))
    _note(settings, replayed=datetime.now(UTC).isoformat())


def recompute(settings: Settings, say: Callable[[str], None]) -> None:
    """Has Airflow recompute the month, once; returns when it is published. Raises UnavailableError where it is not."""
    notes = _notes(settings)
    if "replayed" not in notes or "recomputed" in notes:
        return
    run = notes.get("run")
    if run is None:
        first, last = _days(settings, datetime.fromisoformat(notes["replayed"]).date())
        if last < first:
            _note(settings, recomputed=datetime.now(UTC).isoformat())
            return
        say("waiting until the archive has the month ...")
        _run(settings, "streaming.accounting", "--wait", str(ARCHIVE_WAIT))
        form = {"from": str(first), "to": str(last), "reason": "the demo's history", "dry_run": False}
        run = _airflow(settings, "POST", f"dags/{DAG}/dagRuns", {"logical_date": None, "conf": form})["dag_run_id"]
        _note(settings, run=run)
    say(f"Airflow recomputes it: http://{settings.host}:{settings.airflow_port}/dags/{DAG}/runs/{run}")
    wait = Retrying(
        retry=retry_if_not_result(bool),
        stop=stop_after_delay(RECOMPUTE_WAIT),
        wait=wait_fixed(2),
        retry_error_callback=lambda _: None,
    )
    state = wait(_ended, settings, run)
    if state is None:
        raise UnavailableError(
            f"{DAG}'s run {run} has not ended in {RECOMPUTE_WAIT / 60:.0f} minutes: Airflow shows why, "
            "and the next `make up` waits on for it"
        )
    if state == ASKED:
        # an earlier run published it and failed behind that
        say("the month was published before: Airflow asks there whether it shall be again")
    elif state != "success":
        # the next `make up` asks for a new run; this one stays in Airflow to be looked at
        _note(settings, run=None)
        raise UnavailableError(
            f"the recompute of the demo's history ended as {state}: see {DAG}'s run {run} in Airflow"
        )
    _note(settings, recomputed=datetime.now(UTC).isoformat())


def _days(settings: Settings, replayed: date) -> tuple[date, date]:
    """The first and the last day to recompute, UTC; the last lies before the first where there is none.

    The history ends where the live demo began, which an interrupted replay may have left days before `replayed`: what
    lies between nobody collected. The day before `replayed` is the nightly DAG's own.
    """
    found = demo_live.position(settings)
    end = datetime.fromtimestamp(found.first_ms / 1000, UTC).date() if found else replayed
    last = min(end - timedelta(days=1), replayed - timedelta(days=2))
    return end - timedelta(days=settings.demo_history_days), last


def _ended(settings: Settings, run: str) -> str | None:
    state = str(_airflow(settings, "GET", f"dags/{DAG}/dagRuns/{run}", None)["state"])
    tasks = _airflow(settings, "GET", f"dags/{DAG}/dagRuns/{run}/taskInstances", None)["task_instances"]
    asked = any(task["state"] == ASKED for task in tasks)
    return state if state in ("success", "failed") else ASKED if asked else None


def _airflow(settings: Settings, method: str, path: str, body: dict[str, Any] | None) -> Any:
    # just after a first start the API answers before it knows the DAG
    retry = retry_if_exception_type((requests.ConnectionError, requests.Timeout, _NotYetError))
    ask = Retrying(retry=retry, stop=stop_after_delay(ANSWER_WAIT), wait=wait_fixed(1), reraise=True)
    try:
        return ask(_ask, settings, method, path, body)
    except requests.RequestException as error:
        raise UnavailableError(f"Airflow does not answer {method} {path}: {error}") from error


def _ask(settings: Settings, method: str, path: str, body: dict[str, Any] | None) -> Any:
    base = f"http://{settings.host}:{settings.airflow_port}"
    password = json.loads(settings.secret("airflow_passwords.json"))[USER]
    with requests.Session() as session:
        session.trust_env = False  # no proxy leads to our own host
        login = session.post(f"{base}/auth/token", json={"username": USER, "password": password}, timeout=TIMEOUT)
        login.raise_for_status()
        headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
        answer = session.request(method, f"{base}/api/v2/{path}", json=body, headers=headers, timeout=TIMEOUT)
    if answer.status_code == requests.codes.not_found:
        raise _NotYetError(f"Airflow does not know {path}: see the log of airflow-dag-processor")
    if not answer.ok:
        raise UnavailableError(f"Airflow refused {method} {path}: {answer.status_code} {answer.text[:500]}")
    return answer.json()


class _NotYetError(UnavailableError):
    """Airflow answers, but has not read its DAGs yet."""


def _run(settings: Settings, module: str, *arguments: str) -> None:
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(settings), stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise UnavailableError(
            f"{module} {' '.join(arguments)} ended with {done.returncode}; `make up` goes on from there"
        )


def _file(settings: Settings) -> Path:
    return settings.home / "history.json"


def _notes(settings: Settings) -> dict[str, Any]:
    file = _file(settings)
    return json.loads(file.read_text()) if file.is_file() else {}


def _note(settings: Settings, **facts: str | None) -> None:
    folders.replace(_file(settings), json.dumps({**_notes(settings), **facts}))
