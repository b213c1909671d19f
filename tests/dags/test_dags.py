"""What every DAG file must be: parsed without a fault or a connection, owned, described, and wired as its text says."""

import ast
import copy
import os
import socket
import subprocess
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
NAMES = ("nightly_share", "recompute_range", "rollback_share", "stream_health", "archive_maintenance", "erase_posts")


def tasks(bag: Any, name: str) -> dict[str, Any]:
    return {task.task_id: task for task in bag.dags[name].tasks}


def test_every_file_is_parsed_and_gives_the_dag_of_its_name(bag: Any):
    """A file that gives no DAG, or a plugin that is parsed as one, is an error here."""
    assert bag.import_errors == {}
    assert bag.captured_warnings == {}
    assert {name: Path(dag.fileloc).name for name, dag in bag.dags.items()} == {
        path.stem: path.name for path in DAGS.glob("*.py")
    }
    assert sorted(bag.dags) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("bag")
def test_parsing_opens_no_connection_and_starts_no_process(name: str, monkeypatch: pytest.MonkeyPatch):
    """Airflow parses each file every few seconds."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError(f"{name} does I/O when it is parsed")

    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "fork", refuse)
    again = DagBag(DAGS / f"{name}.py")
    assert (again.import_errors, list(again.dags)) == ({}, [name])


@pytest.mark.parametrize("name", NAMES)
def test_a_dag_has_an_owner_tags_and_its_file_s_docstring_as_its_manual(bag: Any, name: str):
    dag = bag.dags[name]
    manual = ast.get_docstring(ast.parse((DAGS / f"{name}.py").read_text()), clean=False)
    assert dag.doc_md == manual
    assert manual is not None
    assert manual.startswith("# ")
    assert {task.owner for task in dag.tasks} == {"drinkstream"}
    assert "drinkstream" in dag.tags
    assert dag.description


@pytest.mark.parametrize("name", NAMES)
def test_no_two_runs_at_once_no_past_runs_by_themselves_and_at_least_one_retry(bag: Any, name: str):
    dag = bag.dags[name]
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert [task.task_id for task in dag.tasks if task.retries < 1] == []


def test_the_schedules(bag: Any):
    from day_timetable import DayTimetable

    assert type(bag.dags["nightly_share"].timetable) is DayTimetable
    assert bag.dags["recompute_range"].schedule is None
    assert bag.dags["rollback_share"].schedule is None
    assert bag.dags["stream_health"].schedule == "*/5 * * * *"
    assert bag.dags["archive_maintenance"].schedule == "40 4 * * *"
    assert bag.dags["erase_posts"].schedule is None


def test_spark_and_what_deletes_archive_files_share_one_slot_and_nothing_else_takes_it(bag: Any):
    """No file may go while a recompute reads it."""
    from job_operators import RecomputeOperator

    pools = {(dag.dag_id, task.task_id): task.pool for dag in bag.dags.values() for task in dag.tasks}
    sparks = {
        (dag.dag_id, task.task_id)
        for dag in bag.dags.values()
        for task in dag.tasks
        if isinstance(task, RecomputeOperator)
    }
    assert sparks == {
        ("nightly_share", "recompute"),
        ("nightly_share", "recompute_pending"),
        ("recompute_range", "recompute"),
    }
    deleting = {("archive_maintenance", "archive"), ("erase_posts", "erase")}
    assert {place for place, pool in pools.items() if pool == "spark"} == sparks | deleting


def test_erasure_and_upkeep_get_the_slot_before_the_days_of_a_long_backfill(bag: Any):
    """Airflow serves the higher weight first, and then the older day."""
    from airflow.task.priority_strategy import validate_and_load_priority_weight_strategy

    weights = {
        (dag.dag_id, task.task_id): validate_and_load_priority_weight_strategy(task.weight_rule).get_weight(
            SimpleNamespace(task=task)  # type: ignore[arg-type]
        )
        for dag in bag.dags.values()
        for task in dag.tasks
        if task.pool == "spark"
    }
    first = {("archive_maintenance", "archive"), ("erase_posts", "erase")}
    assert min(weights[place] for place in first) > max(weights[place] for place in weights.keys() - first)


def test_what_may_wait_long_leaves_room_for_the_watch(bag: Any):
    """Thirty days' reconciles may wait for the archive; each would hold a slot of the executor for an hour."""
    for task_id in ("reconcile", "each_pending.reconcile"):
        assert tasks(bag, "nightly_share")[task_id].max_active_tis_per_dag == 1
    look = tasks(bag, "stream_health")["look"]
    assert (look.priority_weight, look.weight_rule) == (100, "absolute")


@pytest.mark.parametrize(
    ("name", "arrows"),
    [
        (
            "nightly_share",
            {
                "wait": {"recompute", "pending"},
                "recompute": {"audit"},
                "audit": {"publish"},
                "publish": {"reconcile"},
                "reconcile": set(),
                "pending": {
                    "recompute_pending",
                    "each_pending.audit",
                    "each_pending.publish",
                    "each_pending.reconcile",
                },
                "recompute_pending": {"each_pending.audit"},
                "each_pending.audit": {"each_pending.publish"},
                "each_pending.publish": {"each_pending.reconcile"},
                "each_pending.reconcile": set(),
            },
        ),
        (
            "recompute_range",
            {
                "check": {"wait"},
                "wait": {"recompute"},
                "recompute": {"audit"},
                "audit": {"difference"},
                "difference": {"approve"},
                "approve": {"publish"},
                "publish": {"reconcile"},
                "reconcile": set(),
            },
        ),
        ("rollback_share", {"rollback": set()}),
        ("stream_health", {"look": set()}),
        ("archive_maintenance", {"archive": set(), "runs": set()}),
        ("erase_posts", {"erase": set()}),
    ],
)
def test_the_order_of_work(bag: Any, name: str, arrows: dict[str, set[str]]):
    """Nothing is published that was not audited, nothing audited that was not recomputed by the try that succeeded."""
    assert {task_id: task.downstream_task_ids for task_id, task in tasks(bag, name).items()} == arrows


def test_a_failure_stops_what_follows_and_so_does_a_rejection_or_a_dry_run(bag: Any):
    """Only where nobody had to be asked (approve skipped) does publish go on behind a task that did not succeed."""
    rules = {(name, task_id): task.trigger_rule.value for name in NAMES for task_id, task in tasks(bag, name).items()}
    assert {place: rule for place, rule in rules.items() if rule != "all_success"} == {
        ("recompute_range", "publish"): "none_failed"
    }
    assert tasks(bag, "recompute_range")["publish"].skip == "{{ ti.xcom_pull(task_ids='check')['dry_run'] }}"
    assert tasks(bag, "nightly_share")["publish"].skip == ""


@pytest.mark.parametrize(
    ("published", "asks", "dry_run", "asked"),
    [
        (["2017-09-14"], [], False, "True"),
        ([], ["2017-09-14"], False, "True"),
        ([], [], False, "False"),
        (["2017-09-14"], ["2017-09-15"], True, "False"),
        ([], [], True, "False"),
    ],
)
def test_a_person_is_asked_where_a_published_day_would_change_or_the_audit_leaves_one_to_them(
    bag: Any, published: list[str], asks: list[str], dry_run: bool, asked: str
):
    """Seeing the report; without an answer in a week it is a rejection."""
    task = tasks(bag, "recompute_range")["approve"]
    said = {"difference": {"published": published, "asks": asks, "body": "**1 day**"}}
    said["check"] = {"first": "2017-09-01", "last": "2017-09-30", "reason": "new brands", "dry_run": dry_run}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: said[task_ids])
    shown = {
        name: task.get_template_env().from_string(getattr(task, name)).render(ti=ti) for name in task.template_fields
    }
    assert shown == {
        "subject": "Publish 2017-09-01 to 2017-09-30 anew? Reason: new brands",
        "body": "**1 day**",
        "needed": asked,
    }
    assert (task.options, task.defaults, task.response_timeout) == (
        ["Approve", "Reject"],
        ["Reject"],
        timedelta(days=7),
    )
    assert (task.ignore_downstream_trigger_rules, task.fail_on_reject) == (False, False)


@pytest.mark.parametrize(
    ("answer", "approver"),
    [
        (None, ""),
        ({"chosen_options": ["Approve"], "responded_by_user": {"id": "ops", "name": "ops"}}, "ops"),
        ({"chosen_options": ["Reject"], "responded_by_user": {"id": "ops", "name": "ops"}}, ""),
        ({"chosen_options": ["Reject"], "responded_by_user": None}, ""),  # nobody answered for a week
    ],
)
def test_the_program_that_publishes_is_told_who_approved(bag: Any, answer: object, approver: str):
    task = tasks(bag, "recompute_range")["publish"]
    said = {"check": {"reason": "new brands"}, "approve": answer}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: said[task_ids])
    context = {"ti": ti, "dag": bag.dags["recompute_range"], "run_id": "manual__1"}
    written = [task.get_template_env().from_string(one).render(context) for one in task.arguments[-4:]]
    assert written == ["--why", "recompute_range manual__1: new brands", "--approved-by", approver]


@pytest.mark.parametrize(
    ("published", "dry_run", "answer", "becomes"),
    [
        (["2017-09-14"], False, None, "refused"),
        (["2017-09-14"], False, "Reject", "refused"),
        (["2017-09-14"], False, "Approve", "published"),
        ([], False, None, "published"),
        (["2017-09-14"], True, None, "skipped"),
    ],
)
def test_nothing_is_published_that_somebody_had_to_approve_and_nobody_did(
    bag: Any, monkeypatch: pytest.MonkeyPatch, published: list[str], dry_run: bool, answer: str | None, becomes: str
):
    """Whoever marks `approve` as successful has not answered, though everything behind it then runs."""
    import job_operators
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

    said: dict[str, Any] = {
        "difference": {"published": published, "asks": []},
        "check": {"reason": "r", "dry_run": dry_run},
    }
    said["approve"] = answer and {"chosen_options": [answer], "responded_by_user": {"id": "ops", "name": "ops"}}
    ti = SimpleNamespace(xcom_pull=lambda task_ids: said[task_ids])
    monkeypatch.setattr(job_operators.subprocess, "Popen", Mock(side_effect=OSError("it was started")))
    task = copy.copy(tasks(bag, "recompute_range")["publish"])
    for name in ("needed", "approver", "skip"):
        assert name in task.template_fields
        setattr(task, name, task.get_template_env().from_string(getattr(task, name)).render(ti=ti))
    kind, words = {
        "refused": (AirflowFailException, "clear `approve`"),
        "skipped": (AirflowSkipException, "was not wanted"),
        "published": (OSError, "it was started"),
    }[becomes]
    with pytest.raises(kind, match=words):
        task.execute({})


def test_what_each_program_is_called_with(bag: Any):
    """The attempt comes from Airflow's own record of the try that succeeded, never from "the newest run"."""
    attempt = "{{ ti.xcom_pull(task_ids='recompute') }}"
    of_pending = "{{ ti.xcom_pull(task_ids='recompute_pending') }}"
    run = "{{ dag.dag_id }} {{ run_id }}"
    who = "{{ dag_run.triggering_user_name or 'airflow' }}"
    reason = "{{ ti.xcom_pull(task_ids='check')['reason'] }}"
    approver = tasks(bag, "recompute_range")["publish"].approver
    of_one = tasks(bag, "nightly_share")["each_pending.audit"].arguments[2:]
    day = "{{ ds }}"
    first = "{{ ti.xcom_pull(task_ids='check')['first'] }}"
    last = "{{ ti.xcom_pull(task_ids='check')['last'] }}"
    found = {
        (name, task_id): (task.module, task.arguments)
        for name in NAMES
        for task_id, task in tasks(bag, name).items()
        if hasattr(task, "module")
    }
    assert found == {
        ("nightly_share", "audit"): ("jobs.audit", ["--attempt", attempt]),
        ("nightly_share", "publish"): ("jobs.publish", ["--attempt", attempt, "--who", who, "--why", run]),
        ("nightly_share", "reconcile"): ("jobs.reconcile", ["--attempt", attempt]),
        ("nightly_share", "pending"): ("jobs.pending", ["--but", day]),
        ("nightly_share", "each_pending.audit"): ("jobs.audit", ["--attempt", of_pending, *of_one]),
        ("nightly_share", "each_pending.publish"): (
            "jobs.publish",
            [
                "--attempt",
                of_pending,
                *of_one,
                "--who",
                who,
                "--why",
                f"{run}: records were pending, or no night had published it",
            ],
        ),
        ("nightly_share", "each_pending.reconcile"): ("jobs.reconcile", ["--attempt", of_pending, *of_one]),
        ("recompute_range", "audit"): ("jobs.audit", ["--attempt", attempt, "--ask"]),
        ("recompute_range", "difference"): ("jobs.difference", ["--attempt", attempt]),
        ("recompute_range", "publish"): (
            "jobs.publish",
            ["--attempt", attempt, "--who", who, "--why", f"{run}: {reason}", "--approved-by", approver],
        ),
        ("recompute_range", "reconcile"): ("jobs.reconcile", ["--attempt", attempt]),
        ("rollback_share", "rollback"): (
            "jobs.rollback",
            [
                *("--day", "{{ params.day }}", "--to", "{{ params.run }}"),
                *("--who", who, "--why", f"{run}: {{{{ params.reason }}}}"),
            ],
        ),
        ("stream_health", "look"): ("jobs.health", []),
        ("archive_maintenance", "archive"): ("jobs.upkeep", []),
        ("archive_maintenance", "runs"): ("jobs.maintenance", []),
        ("erase_posts", "erase"): (
            "jobs.erase",
            [
                *("--posts", "{{ params.posts }}", "--user", "{{ params.user }}"),
                "{{ '--carriers' if params.carriers else '--no-carriers' }}",
                *("--why", f"{who}, {run}: {{{{ params.reason }}}}"),
            ],
        ),
    }
    assert {name: tasks(bag, name)["recompute"].application_args for name in NAMES[:2]} == {
        "nightly_share": [
            "--from",
            day,
            "--to",
            day,
            "--attempt",
            "{{ ti.id }}.{{ ti.try_number }}",
            "--asked-by",
            run,
        ],
        "recompute_range": [
            *("--from", first, "--to", last, "--attempt", "{{ ti.id }}.{{ ti.try_number }}"),
            *("--asked-by", f"{run}: {reason}"),
        ],
    }
    assert tasks(bag, "nightly_share")["recompute_pending"].application_args == [
        *(
            "--days",
            "{{ ti.xcom_pull(task_ids='pending') | join(',') }}",
            "--attempt",
            "{{ ti.id }}.{{ ti.try_number }}",
        ),
        *("--asked-by", f"{run}: records were pending, or no night had published it", "--same-rules"),
    ]


def test_each_pending_day_is_settled_by_itself(bag: Any):
    """A mapped group: its tasks wait for those of the same day, so that one that fails keeps none of the others."""
    from airflow.sdk.definitions.taskgroup import MappedTaskGroup

    group = bag.dags["nightly_share"].task_group.children["each_pending"]
    assert isinstance(group, MappedTaskGroup)
    task = tasks(bag, "nightly_share")["each_pending.audit"]
    option, day = task.arguments[2:]
    assert option == "--day"
    assert (day._key, [one.task_id for one, _ in group._expand_input.iter_references()]) == ("day", ["pending"])


@pytest.mark.parametrize(("kind", "asked"), [("scheduled", "True"), ("backfill", "False"), ("manual", "False")])
def test_only_a_run_by_the_clock_takes_pending_days(bag: Any, kind: str, asked: str):
    """A backfill is about the days that were picked, whatever came in for others."""
    from airflow.utils.types import DagRunType

    task = tasks(bag, "nightly_share")["pending"]
    assert "only" in task.template_fields
    template = task.get_template_env().from_string(task.only)
    assert template.render(dag_run=SimpleNamespace(run_type=DagRunType(kind))) == asked


def test_how_spark_is_started(bag: Any, airflow_home: Path):
    for name in ("nightly_share", "recompute_range"):
        task = tasks(bag, name)["recompute"]
        found = (task.application, task.jars, task.conf, task._driver_memory, task._conn_id, task.env_vars)
        assert found == (
            str(ROOT / "jobs" / "recompute.py"),
            "/opt/drinkstream/jars/spark/*.jar",
            {
                "spark.log.level": "WARN",
                "spark.driver.extraJavaOptions": "-XX:+UseParallelGC -XX:+ExitOnOutOfMemoryError "
                f"-Djava.io.tmpdir={airflow_home / 'drinkstream' / 'tmp'}",
            },
            "2048m",
            "spark_local",
            {"PYTHONPATH": str(ROOT)},
        )


def test_every_program_that_a_dag_starts_exists(bag: Any):
    programs = {task.module for dag in bag.dags.values() for task in dag.tasks if hasattr(task, "module")}
    programs |= {"jobs.recompute", "streaming.archived"}
    assert [name for name in sorted(programs) if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []


def test_the_form_of_a_range(bag: Any):
    """All four fields; without from, to and reason Airflow itself refuses the run."""
    from airflow.sdk.exceptions import ParamValidationError

    params = bag.dags["recompute_range"].params
    schemas = {name: params.get_param(name).schema for name in params}
    kinds = {name: (schema["type"], schema.get("format")) for name, schema in schemas.items()}
    assert kinds == {
        "from": ("string", "date"),
        "to": ("string", "date"),
        "reason": ("string", None),
        "dry_run": ("boolean", None),
    }
    with pytest.raises(ParamValidationError):
        params.validate()


def test_the_form_of_a_rollback(bag: Any):
    """Day and reason must be given; without a run it is the one before."""
    from airflow.sdk.exceptions import ParamValidationError

    params = bag.dags["rollback_share"].params
    schemas = {name: params.get_param(name).schema for name in params}
    assert {name: (schema["type"], schema.get("format")) for name, schema in schemas.items()} == {
        "day": ("string", "date"),
        "run": ("string", None),
        "reason": ("string", None),
    }
    assert params.get_param("run").value == ""
    with pytest.raises(ParamValidationError):
        params.validate()


@pytest.mark.parametrize("name", ["recompute_range", "rollback_share", "erase_posts"])
def test_blanks_are_no_reason(bag: Any, name: str):
    """What an erasure list or a log of publications keeps for years must say why."""
    from airflow.sdk.exceptions import ParamValidationError

    reason = copy.copy(bag.dags[name].params.get_param("reason"))  # it keeps what it is asked about
    for given in ("", "  ", "\n\t"):
        with pytest.raises(ParamValidationError):
            reason.resolve(given)
    assert reason.resolve(" ticket 4711 ") == " ticket 4711 "


@pytest.mark.parametrize(
    ("name", "task_id", "form"),
    [
        ("rollback_share", "rollback", {"day": "2017-09-14", "reason": "bad"}),
        ("erase_posts", "erase", {"posts": "x:1", "reason": "deleted"}),
    ],
)
def test_a_mistyped_field_is_refused_before_the_program_starts(
    bag: Any, name: str, task_id: str, form: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    """`rum` for `run` would roll back to what was in force before, `carrier` for `carriers` leave texts behind."""
    import job_operators
    from airflow.sdk.definitions.param import process_params
    from airflow.sdk.exceptions import AirflowFailException

    dag, task, started = bag.dags[name], tasks(bag, name)[task_id], []
    monkeypatch.setattr(job_operators.JobOperator, "last_line", lambda _: started.append(name))

    def execute(**more: str) -> None:
        task.execute({"params": process_params(dag, task, {**form, **more}, suppress_exception=False)})

    with pytest.raises(AirflowFailException) as refused:
        execute(rum="2", carrier="true")
    assert str(refused.value) == "carrier: there is no such field; rum: there is no such field"
    assert started == []
    execute()
    assert started == [name]


def test_the_form_of_an_erasure(bag: Any):
    """Only the reason must be given by Airflow's form; that posts or a user are named is for the program to say."""
    from airflow.sdk.exceptions import ParamValidationError

    params = bag.dags["erase_posts"].params
    free = {name: params.get_param(name) for name in ("posts", "user", "carriers")}
    assert {name: (param.schema["type"], param.value) for name, param in free.items()} == {
        "posts": ("string", ""),
        "user": ("string", ""),
        "carriers": ("boolean", False),
    }
    free["posts"].resolve("x:908300000000000000 " * 4000)
    with pytest.raises(ParamValidationError):  # a command line takes no more than 128 KiB
        free["posts"].resolve("x:908300000000000000 " * 6000)
    with pytest.raises(ParamValidationError):
        params.validate()
    assert params.get_param("reason").schema["minLength"] == 1
    template = tasks(bag, "erase_posts")["erase"]
    flag = template.get_template_env().from_string(template.arguments[4])
    assert [flag.render(params={"carriers": given}) for given in (True, False)] == ["--carriers", "--no-carriers"]
