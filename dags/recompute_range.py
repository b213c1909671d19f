"""# Many days anew

Recomputes all days from one to another (UTC, both included) in **one Spark application**, audits each, and publishes
them. For after a change of the taxonomy, of the parser, or after an outage. For a few days, or the nightly way with its
wait for the archive, use Backfill of the DAG `nightly_share`.

## How
**Trigger** and fill the form: `from`, `to` (the last day that has ended at most), a `reason` (it is stored with each
day's publication), and `dry_run`. From the command line:

    airflow dags trigger recompute_range --conf '{"from": "2017-09-01", "to": "2017-09-30", "reason": "new brands"}'

The logical date plays no part: days are what the form says.

## What it does
`check` → `recompute` → `audit` → `publish` → `reconcile`. With `dry_run` `publish` is skipped: the runs are written,
audited and compared with the live numbers, and the published numbers stay as they are. Days are published one after the
other, each as a whole.

## When it is red
The last line of the failed task's log says what is wrong and what to do.

| task | why | then |
|---|---|---|
| check | the form makes no sense; it names every fault | trigger anew |
| recompute | Spark or Cassandra failed; it is tried again by itself | read its log, clear it: all days anew |
| audit | a gate failed on some day: it names each; no day is published | settle it, clear `recompute` |
| publish | somebody published a day in between; the other days are published | look at it, ask for that day anew |
| reconcile (exit code 6) | published, but its log names posts that one layer lacks for no cause | find out why |
| reconcile | the archive or Cassandra did not answer; the days are published | clear it |
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from job_operators import ATTEMPT, RUN, WHO, JobOperator, RecomputeOperator

from drinkstream.errors import BadInputError
from drinkstream.range_request import REASON_LENGTH, RangeRequest
from drinkstream.settings import Settings

settings = Settings.load()

WHY = RUN + ": {{ ti.xcom_pull(task_ids='check')['reason'] }}"

with DAG(
    "recompute_range",
    description="Recompute, audit and publish a range of days",
    doc_md=__doc__,
    tags=["drinkstream", "batch"],
    schedule=None,
    start_date=datetime(2006, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"owner": "drinkstream", "retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "from": Param(type="string", format="date", title="From", description="First day (UTC), like 2017-09-01"),
        "to": Param(type="string", format="date", title="To", description="Last day (UTC), included"),
        "reason": Param(
            type="string",
            minLength=1,
            maxLength=REASON_LENGTH,
            title="Reason",
            description="Stored with the publication of each day",
        ),
        "dry_run": Param(False, type="boolean", title="Dry run", description="Publish nothing"),
    },
):

    @task
    def check() -> dict[str, str | bool]:
        """The form's days, reason and choice, or its faults: Airflow's form lets `from` lie after `to`."""
        try:
            request = RangeRequest.from_form(get_current_context()["params"], datetime.now(UTC).date())
        except BadInputError as error:
            raise AirflowFailException(str(error)) from None
        print(f"{request.first} to {request.last}: {request.days} days. {request.reason}")
        return request.as_text()

    checked = check()
    recompute = RecomputeOperator(
        task_id="recompute",
        settings=settings,
        first="{{ ti.xcom_pull(task_ids='check')['first'] }}",
        last="{{ ti.xcom_pull(task_ids='check')['last'] }}",
        asked_by=WHY,
        execution_timeout=timedelta(hours=24),
    )
    audit = JobOperator(task_id="audit", module="jobs.audit", arguments=["--attempt", ATTEMPT])
    publish = JobOperator(
        task_id="publish",
        module="jobs.publish",
        arguments=["--attempt", ATTEMPT, "--who", WHO, "--why", WHY],
        skip="{{ ti.xcom_pull(task_ids='check')['dry_run'] }}",
    )
    reconcile = JobOperator(
        task_id="reconcile",
        module="jobs.reconcile",
        arguments=["--attempt", ATTEMPT],
        trigger_rule="none_failed",
    )

    # a form with faults must not start Spark
    checked >> recompute
    # only the runs of the try that Airflow saw succeed go on: a killed one may still be writing its own
    recompute >> audit
    # one bad day stops all: a range is asked for because its days belong together
    audit >> publish
    # after a dry run too (publish skipped): then it says what publishing would change
    publish >> reconcile
