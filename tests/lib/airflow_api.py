"""Airflow's own REST API, as one of its users."""

import json
from typing import Any
from urllib.parse import quote

import requests

from drinkstream.settings import Settings

RANGE = "recompute_range"


class AirflowApi:
    """What a user of a running Airflow may ask and do; answers are requests' own."""

    def __init__(self, settings: Settings, user: str) -> None:
        self.base = f"http://{settings.host}:{settings.airflow_port}"
        self.user = user
        self.password = json.loads((settings.secrets / "airflow_passwords.json").read_text())[user]
        login = requests.post(f"{self.base}/auth/token", json={"username": user, "password": self.password}, timeout=60)
        assert login.ok, login.text
        self._headers = {"Authorization": f"Bearer {login.json()['access_token']}"}

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        """One request below /api/v2."""
        return requests.request(method, f"{self.base}/api/v2{path}", json=body, headers=self._headers, timeout=60)

    def start(self, **form: Any) -> str:
        """Starts recompute_range with a form; the run's id."""
        done = self.call("POST", f"/dags/{RANGE}/dagRuns", {"logical_date": None, "conf": form})
        assert done.ok, done.text
        return str(done.json()["dag_run_id"])

    def state(self, run: str) -> str:
        """The state of a run."""
        found = self.call("GET", f"/dags/{RANGE}/dagRuns/{quote(run)}")
        assert found.ok, found.text
        return str(found.json()["state"])

    def states(self, run: str) -> dict[str, str | None]:
        """The state of each task of a run."""
        found = self.call("GET", f"/dags/{RANGE}/dagRuns/{quote(run)}/taskInstances")
        assert found.ok, found.text
        return {one["task_id"]: one["state"] for one in found.json()["task_instances"]}

    def deferred(self) -> set[tuple[str, str]]:
        """(DAG, task) of all tasks that wait without a slot."""
        found = self.call("GET", "/dags/~/dagRuns/~/taskInstances?state=deferred")
        assert found.ok, found.text
        return {(one["dag_id"], one["task_id"]) for one in found.json()["task_instances"]}

    def question(self, run: str) -> dict[str, Any]:
        """What a person is asked by the run's task `approve`."""
        found = self.call("GET", f"/dags/{RANGE}/dagRuns/{quote(run)}/taskInstances/approve/-1/hitlDetails")
        assert found.ok, found.text
        return dict(found.json())

    def answer(self, run: str, option: str) -> int:
        """Answers it; the status code."""
        path = f"/dags/{RANGE}/dagRuns/{quote(run)}/taskInstances/approve/-1/hitlDetails"
        return self.call("PATCH", path, {"chosen_options": [option]}).status_code

    def clear(self, run: str, task: str) -> None:
        """Clears a task of a run and what follows it."""
        body = {"dry_run": False, "dag_run_id": run, "task_ids": [task], "include_downstream": True}
        done = self.call("POST", f"/dags/{RANGE}/clearTaskInstances", {**body, "only_failed": False})
        assert done.ok, done.text

    def mark(self, run: str, task: str, state: str) -> None:
        """Marks a task of a run as if it had ended in that state."""
        done = self.call("PATCH", f"/dags/{RANGE}/dagRuns/{quote(run)}/taskInstances/{task}", {"new_state": state})
        assert done.ok, done.text
