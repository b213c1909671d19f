"""Tasks that run DrinkStream's own programs, and say in one line why one failed.

Nothing here computes: a task passes days and an attempt's id on the command line, and the program's log is the task's.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseOperator, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from drinkstream.errors import AuditError, BadInputError, ConflictError, IntegrityError
from drinkstream.range_request import REASON_LENGTH, unknown_fields
from drinkstream.settings import ROOT, Settings
from drinkstream.spark import PARALLEL, java_options

FINAL = {error.exit_code for error in (BadInputError, AuditError, ConflictError, IntegrityError)}
"""Exit codes that a repetition cannot change: the task fails at once, whatever its retries."""

GRACE_S = 10.0
"""How long a program that has to end may take, before it is killed."""

RECOMPUTE_BEHIND = 5
"""Niceness of a recompute above that of the programs: hours of work that take what the live layer leaves."""

ATTEMPT = "{{ ti.xcom_pull(task_ids='recompute') }}"
"""Template: the attempt that succeeded, as RecomputeOperator returned it."""

BY_THE_CLOCK = "{{ dag_run.run_type == 'scheduled' }}"
"""Template: whether the run came by its schedule, and neither by hand nor by a backfill."""

THIS_TRY = "{{ ti.id }}.{{ ti.try_number }}"
"""Template: the try itself. Airflow gives each a new id, except after one that it lost before it saw it run."""

RUN = "{{ dag.dag_id }} {{ run_id }}"
"""Template: which run asks."""

WHO = "{{ dag_run.triggering_user_name or 'airflow' }}"
"""Template: the person who started the run, or Airflow by its clock."""


NEXT_IN_POOL: dict[str, Any] = {"priority_weight": 100, "weight_rule": "absolute"}
"""Arguments of a task that takes the next free slot, before every day that waits for one.

Airflow serves the older logical date first, so days of a long backfill would come before what is asked for today.
"""


def reason(description: str) -> Param:
    """The field of a form that asks why; `description` says where the answer is kept. Blanks are no reason."""
    return Param(
        type="string",
        minLength=1,
        maxLength=REASON_LENGTH,
        pattern=r"\S",
        title="Reason",
        description=description,
    )


class JobOperator(BaseOperator):
    """Runs `python -m MODULE ARGUMENTS...`; arguments are templates, passed on as they are, never through a shell.

    Where the template `skip` renders to "True" the task is skipped instead.
    """

    template_fields: Sequence[str] = ("arguments", "skip")

    def __init__(self, *, module: str, arguments: Sequence[str] = (), skip: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.module = module
        self.arguments = list(arguments)
        self.skip = skip
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> str | None:  # noqa: ARG002 - Airflow's signature
        """Raises AirflowFailException for an exit code that a repetition cannot change, AirflowException for another.

        The message ends with the program's last line, which is where our programs say what is wrong and what to do.
        Where the task is broken off, as by its `execution_timeout`, the program is ended first.
        """
        self.last_line()
        return None

    def last_line(self) -> str:
        """Runs the program; returns the last line of its output. Raises as `execute` does."""
        if self.skip == "True":
            raise AirflowSkipException(f"{self.module} was not wanted")
        command = [sys.executable, "-m", self.module, *map(str, self.arguments)]
        self.log.info("%s", subprocess.list2cmdline(command))
        last = ""
        # no session of its own: the stack's stop then finds the process, even where this task was killed
        with subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
        ) as self._process:
            try:
                for line in self._process.stdout or ():
                    self.log.info("%s", line.rstrip())
                    last = line.strip() or last
            except BaseException:
                # as when the task's time is over: leaving the block would wait for the program without limit
                _end(self._process)
                raise
        code = self._process.returncode
        if code != 0:
            failure = AirflowFailException if code in FINAL else AirflowException
            raise failure(f"{self.module} ended with exit code {code}: {last}")
        return last

    def on_kill(self) -> None:
        """Ends the program with the task."""
        if self._process is not None:
            self._process.terminate()


class FormOperator(JobOperator):
    """Runs a program with what the form of its DAG says; fields that the form does not have are refused before.

    The command line and REST take any: the program would do what the form says without the mistyped one.
    """

    def execute(self, context: Any) -> str | None:
        """Raises AirflowFailException that names every such field, or like JobOperator."""
        if faults := unknown_fields(context["params"], self.dag.params):
            raise AirflowFailException("; ".join(faults))
        return super().execute(context)


def stand_back() -> None:
    """Puts what this task starts behind the live layer, where there is more work than cores."""
    os.nice(RECOMPUTE_BEHIND)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()


class DaysOperator(JobOperator):
    """Runs a program whose last line is `days=` with the days that it found; returns the list of them as XCom.

    Where it found none, or where the template `only` does not render to "True", it is skipped, and so is what follows.
    """

    template_fields: Sequence[str] = ("arguments", "only")

    def __init__(self, *, only: str = "True", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.only = only

    def execute(self, context: Any) -> Any:  # noqa: ARG002 - Airflow's signature
        """The days. Raises like JobOperator."""
        if self.only != "True":
            raise AirflowSkipException(f"{self.module} is not asked in a run like this one")
        answer = self.last_line()
        if not answer.startswith("days="):
            raise AirflowException(f"{self.module} ended with {answer!r} instead of its days")
        days = answer.removeprefix("days=")
        if not days:
            raise AirflowSkipException("there is no such day")
        return days.split(",")


class AnswerOperator(JobOperator):
    """Runs a program whose last line is `answer=` and JSON; returns what it says as XCom."""

    def execute(self, context: Any) -> Any:  # noqa: ARG002 - Airflow's signature
        """The answer. Raises like JobOperator."""
        answer = self.last_line()
        if not answer.startswith("answer="):
            raise AirflowException(f"{self.module} ended with {answer!r} instead of its answer")
        return json.loads(answer.removeprefix("answer="))


class ApproveOperator(ApprovalOperator):
    """Waits for a person, without a slot; skipped, and nothing else with it, unless `needed` renders to "True".

    A rejection skips the tasks right behind it.
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "needed")

    def __init__(self, *, needed: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.needed = needed

    def execute(self, context: Any) -> Any:
        """Asks. Raises AirflowSkipException where nobody need be asked."""
        if self.needed != "True":
            raise AirflowSkipException("nobody need be asked")
        return super().execute(context)


class ApprovedOperator(JobOperator):
    """Runs a program; where `needed` renders to "True" it needs a person's approval, and fails without an `approver`.

    As where the task that asks was marked as successful, which is nobody's answer.
    """

    template_fields: Sequence[str] = (*JobOperator.template_fields, "needed", "approver")

    def __init__(self, *, needed: str, approver: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.needed = needed
        self.approver = approver

    def execute(self, context: Any) -> str | None:
        """Raises AirflowFailException where nobody has approved what must be, or like JobOperator."""
        if self.needed == "True" and not self.approver:
            raise AirflowFailException("a person has to approve this, and nobody did: clear `approve`")
        return super().execute(context)


def settle(attempt: str, why: str, *more: Any) -> JobOperator:
    """The first of audit, publish and reconcile of an attempt's runs; `more` arguments go to each of them."""
    audit = JobOperator(task_id="audit", module="jobs.audit", arguments=["--attempt", attempt, *more])
    publish = JobOperator(
        task_id="publish",
        module="jobs.publish",
        arguments=["--attempt", attempt, *more, "--who", WHO, "--why", why],
    )
    reconcile = JobOperator(
        task_id="reconcile",
        module="jobs.reconcile",
        arguments=["--attempt", attempt, *more],
        # one may wait long for the archive: those of thirty days would fill the executor, and nothing else could run
        max_active_tis_per_dag=1,
    )
    # a number is final for everybody at once, so nothing unaudited may be published
    audit >> publish
    # compares what is in force now with what the live stream counted; a post without a cause turns it red
    publish >> reconcile
    return audit


class RecomputeOperator(SparkSubmitOperator):
    """Recomputes days in one Spark application; returns (as XCom) the attempt that succeeded.

    Either `first` to `last`, or `days` with commas between them. All of them are templates. `more` options of
    jobs.recompute are passed on.

    Each try is an attempt of its own: a killed task's Spark ends with it, but a moment later, and what that writes must
    never be taken for the work of the try that succeeded.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        asked_by: str,
        first: str = "",
        last: str = "",
        days: str = "",
        more: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        which = ["--days", days] if days else ["--from", first, "--to", last]
        super().__init__(
            application=str(ROOT / "jobs" / "recompute.py"),
            name=f"recompute {days or f'{first} to {last}'}",
            application_args=[*which, "--attempt", THIS_TRY, "--asked-by", asked_by, *more],
            conn_id="spark_local",
            # the JVM is up before the job's first line, so what it starts with is said here
            driver_memory=f"{settings.recompute_heap}m",
            jars=f"{settings.jar_folder}/spark/*.jar",
            # else the fetching of each jar stands in the task's log
            conf={"spark.log.level": "WARN", "spark.driver.extraJavaOptions": java_options(settings, PARALLEL)},
            env_vars={"PYTHONPATH": str(ROOT)},
            # one slot: two cores carry one Spark
            pool="spark",
            **kwargs,
        )

    def execute(self, context: Any) -> str:  # type: ignore[override]
        """Returns the name of this try, which its runs are stored under. Raises like JobOperator."""
        stand_back()
        # whatever ends this process: Airflow would wait a minute for what it left, and then start another beside it
        self.application_args = [*(self.application_args or ()), "--led-by", str(os.getpid())]
        try:
            super().execute(context)
        except AirflowException as error:
            code = re.search(r"Error code is: (\d+)", str(error))
            if code is None:
                raise
            failure = AirflowFailException if int(code[1]) in FINAL else AirflowException
            raise failure(f"jobs.recompute ended with exit code {code[1]}: the lines above say why") from error
        return f"{context['ti'].id}.{context['ti'].try_number}"
