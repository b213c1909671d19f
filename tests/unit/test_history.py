"""The demo's month is recomputed once, and `make up` waits for what becomes of it, but never for a person."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from stack import history


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A stack whose month was replayed, and whose recompute runs in Airflow."""
    (tmp_path / "history.json").write_text(json.dumps({"replayed": "2026-11-26T05:00:00+00:00", "run": "manual__1"}))
    return Settings(home=tmp_path, demo_history_days=30)


def recompute(settings: Settings, monkeypatch: pytest.MonkeyPatch, state: str, approve: str | None) -> list[str]:
    """What `recompute` says where Airflow has the run in this state; it asks Airflow as often as it likes."""

    def airflow(_: Settings, method: str, path: str, body: Any) -> dict[str, Any]:
        assert (method, body) == ("GET", None)
        if path == "dags/recompute_range/dagRuns/manual__1":
            return {"state": state}
        assert path == "dags/recompute_range/dagRuns/manual__1/taskInstances"
        return {"task_instances": [{"state": "success"}, {"state": approve}]}

    monkeypatch.setattr(history, "_airflow", airflow)
    said: list[str] = []
    history.recompute(settings, said.append)
    return said


def notes(settings: Settings) -> dict[str, Any]:
    return json.loads((settings.home / "history.json").read_text())


@pytest.mark.parametrize(
    ("state", "approve", "words"),
    [
        ("success", "skipped", []),
        # an earlier run published the month and failed behind that: then a person is asked
        (
            "running",
            "awaiting_input",
            ["the month was published before: Airflow asks there whether it shall be again"],
        ),
    ],
)
def test_a_month_that_is_published_is_done(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, state: str, approve: str, words: list[str]
):
    assert recompute(settings, monkeypatch, state, approve)[1:] == words
    assert "recomputed" in notes(settings)
    assert recompute(settings, monkeypatch, state, approve) == []


def test_a_run_that_failed_is_asked_for_anew_by_the_next_up(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UnavailableError, match="ended as failed: see recompute_range's run manual__1"):
        recompute(settings, monkeypatch, "failed", None)
    assert (notes(settings)["run"], "recomputed" in notes(settings)) == (None, False)


def test_a_recompute_that_takes_too_long_is_told_of_and_waited_for_by_the_next_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(history, "RECOMPUTE_WAIT", 0.0)
    with pytest.raises(UnavailableError, match="manual__1 has not ended in 0 minutes"):
        recompute(settings, monkeypatch, "running", None)
    assert notes(settings)["run"] == "manual__1"


def test_an_airflow_that_does_not_answer_is_told_of(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    (settings.home / "secrets").mkdir()
    (settings.home / "secrets" / "airflow_passwords.json").write_text('{"ops": "secret"}')
    monkeypatch.setattr(history, "ANSWER_WAIT", 0.0)
    with socket.socket() as probe:  # bound, and not listening
        probe.bind(("127.0.0.1", 0))
        nobody = settings.model_copy(update={"airflow_port": probe.getsockname()[1]})
        with pytest.raises(UnavailableError, match="does not answer GET dags/recompute_range/dagRuns/manual__1"):
            history.recompute(nobody, lambda _: None)
