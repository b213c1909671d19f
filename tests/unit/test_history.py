"""The demo's month is recomputed once, and `make up` waits for what becomes of it, but never for a person."""

import json
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from stack import history
from streaming.sources import demo_live


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


@pytest.mark.parametrize(
    ("days", "began", "span"),
    [
        (30, "2026-11-26T04:00:00+00:00", ("2026-10-27", "2026-11-24")),
        (2, "2026-11-26T04:00:00+00:00", ("2026-11-24", "2026-11-24")),
        # the night's own day is all that there is
        (1, "2026-11-26T04:00:00+00:00", None),
        # the first replay was interrupted, and the next `make up` came ten days later
        (30, "2026-11-16T04:00:00+00:00", ("2026-10-17", "2026-11-15")),
        (1, "2026-11-16T04:00:00+00:00", ("2026-11-15", "2026-11-15")),
        # the position is another stream's
        (30, None, ("2026-10-27", "2026-11-24")),
    ],
)
def test_the_days_that_the_history_has_are_recomputed_but_for_the_nights_own(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, days: int, began: str | None, span: tuple[str, str] | None
):
    (settings.home / "history.json").write_text(json.dumps({"replayed": "2026-11-26T05:00:00+00:00"}))
    settings = settings.model_copy(update={"demo_history_days": days})
    if began is not None:
        ms = int(datetime.fromisoformat(began).timestamp() * 1000)
        demo_live.save(settings, demo_live.Position(settings.demo_seed, settings.demo_rate, ms, ms))
    posted: list[dict[str, Any]] = []

    def airflow(_: Settings, method: str, path: str, body: Any) -> dict[str, Any]:
        if method == "POST":
            assert path == "dags/recompute_range/dagRuns"
            posted.append(body["conf"])
        return {"dag_run_id": "manual__1", "state": "success", "task_instances": []}

    monkeypatch.setattr(history, "_airflow", airflow)
    monkeypatch.setattr(history, "_run", lambda *_: None)
    history.recompute(settings, lambda _: None)
    asked = {"reason": "the demo's history", "dry_run": False}
    assert posted == ([{"from": span[0], "to": span[1], **asked}] if span else [])
    assert "recomputed" in notes(settings)


def test_an_airflow_that_does_not_answer_is_told_of(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    (settings.home / "secrets").mkdir()
    (settings.home / "secrets" / "airflow_passwords.json").write_text('{"ops": "secret"}')
    monkeypatch.setattr(history, "ANSWER_WAIT", 0.0)
    with socket.socket() as probe:  # bound, and not listening
        probe.bind(("127.0.0.1", 0))
        nobody = settings.model_copy(update={"airflow_port": probe.getsockname()[1]})
        with pytest.raises(UnavailableError, match="does not answer GET dags/recompute_range/dagRuns/manual__1"):
            history.recompute(nobody, lambda _: None)
