"""Tasks that start programs: what they pass on, which failures are repeated, and what a person reads in the end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from drinkstream.settings import ROOT

PROGRAM = """
import json, pathlib, sys
pathlib.Path("given.json").write_text(json.dumps(sys.argv[1:]))
print("BadNewsError: the words of the program", file=sys.stderr)
sys.exit({code})
"""


@pytest.fixture
def stood_back(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Counts how often a task stood back, instead of these tests."""
    import job_operators

    called = Mock()
    monkeypatch.setattr(job_operators, "stand_back", called)
    return called


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a task that runs a program which ends with the given exit code."""
    import job_operators

    monkeypatch.setattr(job_operators, "ROOT", tmp_path)

    def make(code: int, *arguments: str, skip: str = "") -> Any:
        (tmp_path / "program.py").write_text(PROGRAM.format(code=code))
        return job_operators.JobOperator(task_id="job", module="program", arguments=arguments, skip=skip)

    return make


def test_arguments_reach_the_program_as_they_are(job: Any, tmp_path: Path):
    """No shell: a reason typed into a form can not start anything."""
    given = ["--why", 'it\'s; $(touch /tmp/x) `id` "quoted"', "--n", "", "{{ }}"]
    assert job(0, *given).execute({}) is None
    assert json.loads((tmp_path / "given.json").read_text()) == given


@pytest.mark.parametrize("code", [2, 4, 5, 6])
def test_what_a_repetition_cannot_change_fails_at_once(job: Any, code: int):
    """Bad input, a failed audit, a conflict, numbers that do not add up."""
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException) as failed:
        job(code).execute({})
    assert str(failed.value) == f"program ended with exit code {code}: BadNewsError: the words of the program"


@pytest.mark.parametrize("code", [1, 3, 137])
def test_what_may_go_away_is_tried_again(job: Any, code: int):
    """A server that is away, a fault that nobody foresaw, a killed process."""
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException) as failed:
        job(code).execute({})
    assert not isinstance(failed.value, AirflowFailException)
    assert str(failed.value) == f"program ended with exit code {code}: BadNewsError: the words of the program"


ENDLESS = """
import signal
signal.signal(signal.SIGTERM, signal.{on_term})
signal.alarm(60)  # a test that fails ends, too
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize(("on_term", "code"), [("SIG_DFL", -signal.SIGTERM), ("SIG_IGN", -signal.SIGKILL)])
def test_a_program_ends_with_a_task_whose_time_is_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, on_term: str, code: int
):
    """Also one that does not want to. Airflow breaks off a task by raising what is no Exception, wherever it is."""
    import job_operators
    from airflow.sdk.exceptions import AirflowTaskTimeout

    def info(_: str, text: str) -> None:
        if text == "ready":
            raise AirflowTaskTimeout("the time is over")

    monkeypatch.setattr(job_operators, "ROOT", tmp_path)
    monkeypatch.setattr(job_operators, "GRACE_S", 0.2)
    monkeypatch.setattr(job_operators.JobOperator, "log", Mock(info=info))
    (tmp_path / "program.py").write_text(ENDLESS.format(on_term=on_term))
    task = job_operators.JobOperator(task_id="job", module="program")
    with pytest.raises(AirflowTaskTimeout):
        task.execute({})
    assert task._process.returncode == code


def test_a_program_ends_by_airflow_s_own_timeout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import job_operators
    from airflow.sdk.exceptions import AirflowTaskTimeout
    from airflow.sdk.execution_time.timeout import timeout

    monkeypatch.setattr(job_operators, "ROOT", tmp_path)
    (tmp_path / "program.py").write_text(ENDLESS.format(on_term="SIG_DFL"))
    task = job_operators.JobOperator(task_id="job", module="program")
    with pytest.raises(AirflowTaskTimeout), timeout(0.5):
        task.execute({})
    assert task._process.returncode == -signal.SIGTERM


def test_a_program_ends_with_a_task_that_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """As where a person marks the task as failed: Airflow calls `on_kill` while `execute` waits for the program."""
    import job_operators
    from airflow.sdk.exceptions import AirflowException

    task = job_operators.JobOperator(task_id="job", module="program")
    task.on_kill()  # nothing was started yet

    def info(_: str, text: str) -> None:
        if text == "ready":
            task.on_kill()

    monkeypatch.setattr(job_operators, "ROOT", tmp_path)
    monkeypatch.setattr(job_operators.JobOperator, "log", Mock(info=info))
    (tmp_path / "program.py").write_text(ENDLESS.format(on_term="SIG_DFL"))
    with pytest.raises(AirflowException, match="program ended with exit code -15: ready"):
        task.execute({})


def test_a_task_that_is_not_wanted_is_skipped_and_starts_nothing(job: Any, tmp_path: Path):
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException):
        job(1, skip="True").execute({})
    assert not (tmp_path / "given.json").exists()
    assert job(0, skip="False").execute({}) is None
    assert (tmp_path / "given.json").exists()


@pytest.mark.usefixtures("stood_back")
@pytest.mark.parametrize(("code", "repeated"), [(1, True), (3, True), (2, False), (6, False)])
def test_a_recompute_that_failed_says_its_exit_code_and_is_repeated_like_any_job(
    monkeypatch: pytest.MonkeyPatch, code: int, repeated: bool
):
    """Airflow's own message is the whole command line, and it repeats whatever happened."""
    import job_operators
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    from drinkstream.settings import Settings

    def fail(*_: object) -> None:
        raise AirflowException(f"Cannot execute: spark-submit --name x. Error code is: {code}.")

    monkeypatch.setattr(job_operators.SparkSubmitOperator, "execute", fail)
    task = job_operators.RecomputeOperator(
        task_id="recompute", settings=Settings.load(), first="2017-09-14", last="2017-09-14", asked_by="a test"
    )
    with pytest.raises(AirflowException) as failed:
        task.execute({})
    assert str(failed.value) == f"jobs.recompute ended with exit code {code}: the lines above say why"
    assert isinstance(failed.value, AirflowFailException) is not repeated


def test_a_recompute_stands_back_ends_with_its_task_and_hands_on_the_name_of_the_try_that_succeeded(
    monkeypatch: pytest.MonkeyPatch, stood_back: Mock
):
    import job_operators

    from drinkstream.settings import Settings

    done: list[Any] = []
    monkeypatch.setattr(job_operators.SparkSubmitOperator, "execute", lambda *given: done.append(given))
    task = job_operators.RecomputeOperator(
        task_id="recompute", settings=Settings.load(), first="2017-09-14", last="2017-09-14", asked_by="a test"
    )
    context = {"ti": SimpleNamespace(id="01a20b74", try_number=2)}
    assert task.execute(context) == "01a20b74.2"
    assert (done, stood_back.call_count) == ([(task, context)], 1)
    assert task.application_args[-2:] == ["--led-by", str(os.getpid())]


def test_what_a_task_starts_after_it_stood_back_is_nicer():
    """In a process of its own: it does not come back from there."""
    told = "import os, sys; sys.path.insert(0, sys.argv[1]); import job_operators"
    asked = "before = os.nice(0); job_operators.stand_back(); print(os.nice(0) - before)"
    plugins = str(ROOT / "dags" / "plugins")
    done = subprocess.run(
        [sys.executable, "-c", f"{told}; {asked}", plugins], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == "5"


def days_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last: str, only: str = "True") -> Any:
    """A task that asks a program for days; `last` is the program's last line."""
    import job_operators

    monkeypatch.setattr(job_operators, "ROOT", tmp_path)
    (tmp_path / "program.py").write_text(f"print('day=2017-09-12 pending=7')\nprint({last!r})\n")
    return job_operators.DaysOperator(task_id="pending", module="program", only=only)


def test_the_days_that_a_program_found_are_handed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert days_task(monkeypatch, tmp_path, "days=2017-09-12,2017-09-13").execute({}) == [
        "2017-09-12",
        "2017-09-13",
    ]


@pytest.mark.parametrize(("last", "only"), [("days=", "True"), ("days=2017-09-12", "False")])
def test_without_days_or_where_they_are_not_asked_for_what_follows_is_skipped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last: str, only: str
):
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException):
        days_task(monkeypatch, tmp_path, last, only).execute({})


def test_a_program_that_says_no_days_is_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException, match="ended with 'done' instead of its days"):
        days_task(monkeypatch, tmp_path, "done").execute({})


def answering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last: str) -> Any:
    """A task that asks a program whose last line is `last`."""
    import job_operators

    monkeypatch.setattr(job_operators, "ROOT", tmp_path)
    (tmp_path / "program.py").write_text(f"print('| a | table |')\nprint({last!r})\n")
    return job_operators.AnswerOperator(task_id="difference", module="program")


def test_the_answer_of_a_program_is_handed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    task = answering(monkeypatch, tmp_path, 'answer={"published": ["2017-09-14"], "body": "a\\nb"}')
    assert task.execute({}) == {"published": ["2017-09-14"], "body": "a\nb"}


def test_a_program_without_an_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException, match="ended with 'done' instead of its answer"):
        answering(monkeypatch, tmp_path, "done").execute({})


@pytest.mark.parametrize("needed", ["True", "False"])
def test_a_person_is_asked_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch, needed: str):
    """Asking parks the task; where nobody need be asked it is skipped."""
    import job_operators
    from airflow.sdk.exceptions import AirflowSkipException

    asked: list[Any] = []
    monkeypatch.setattr(job_operators.ApprovalOperator, "execute", lambda *given: asked.append(given))
    task = job_operators.ApproveOperator(task_id="approve", subject="Publish?", body="a table", needed=needed)
    if needed == "True":
        task.execute({})
        assert asked == [(task, {})]
        return
    with pytest.raises(AirflowSkipException):
        task.execute({})
    assert asked == []
