"""Tasks that run DrinkStream's own programs, and say in one line why one failed.

Nothing here computes: a task passes days and an attempt's id on the command line, and the program's log is the task's.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from drinkstream.errors import AuditError, BadInputError, ConflictError, IntegrityError
from drinkstream.settings import ROOT, Settings

FINAL = {error.exit_code for error in (BadInputError, AuditError, ConflictError, IntegrityError)}
"""Exit codes that a repetition cannot change: the task fails at once, whatever its retries."""


ATTEMPT = "{{ ti.xcom_pull(task_ids='recompute') }}"
"""Template: the attempt that succeeded, as RecomputeOperator returned it."""

THIS_TRY = "{{ ti.id }}.{{ ti.try_number }}"
"""Template: the try itself. Airflow gives each a new id, except after one that it lost before it saw it run."""

RUN = "{{ dag.dag_id }} {{ run_id }}"
"""Template: which run asks."""

WHO = "{{ dag_run.triggering_user_name or 'airflow' }}"
"""Template: the person who started the run, or Airflow by its clock."""


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

    def execute(self, context: Any) -> None:  # noqa: ARG002 - Airflow's signature
        """Raises AirflowFailException for an exit code that a repetition cannot change, AirflowException for another.

        The message ends with the program's last line, which is where our programs say what is wrong and what to do.
        """
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
            for line in self._process.stdout or ():
                self.log.info("%s", line.rstrip())
                last = line.strip() or last
        code = self._process.returncode
        if code != 0:
            failure = AirflowFailException if code in FINAL else AirflowException
            raise failure(f"{self.module} ended with exit code {code}: {last}")

    def on_kill(self) -> None:
        """Ends the program with the task."""
        if self._process is not None:
            self._process.terminate()


class RecomputeOperator(SparkSubmitOperator):
    """Recomputes the days `first` to `last` in one Spark application; returns (as XCom) the attempt that succeeded.

    Each try is an attempt of its own: a killed task may leave its Spark running, and what that writes must never be
    taken for the work of the try that succeeded.
    """

    def __init__(self, *, settings: Settings, first: str, last: str, asked_by: str, **kwargs: Any) -> None:
        super().__init__(
            application=str(ROOT / "jobs" / "recompute.py"),
            name=f"recompute {first} to {last}",
            application_args=["--from", first, "--to", last, "--attempt", THIS_TRY, "--asked-by", asked_by],
            conn_id="spark_local",
            # the JVM is up before the job's first line, so what it starts with is said here
            driver_memory=f"{settings.recompute_heap}m",
            jars=f"{settings.jar_folder}/spark/*.jar",
            # else the fetching of each jar stands in the task's log
            conf={"spark.log.level": "WARN"},
            env_vars={"PYTHONPATH": str(ROOT)},
            # one slot: two cores carry one Spark
            pool="spark",
            **kwargs,
        )

    def execute(self, context: Any) -> str:  # type: ignore[override]
        """Returns the name of this try, which its runs are stored under. Raises like JobOperator."""
        try:
            super().execute(context)
        except AirflowException as error:
            code = re.search(r"Error code is: (\d+)", str(error))
            if code is None:
                raise
            failure = AirflowFailException if int(code[1]) in FINAL else AirflowException
            raise failure(f"jobs.recompute ended with exit code {code[1]}: the lines above say why") from error
        return f"{context['ti'].id}.{context['ti'].try_number}"
