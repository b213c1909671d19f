"""# Many days anew

Recomputes all days from one to another (UTC, both included) in **one Spark application**, audits each, and publishes
them. For after a change of the taxonomy, of the parser, or after an outage. For a few days, each by itself, use
Backfill of the DAG `nightly_share`.

## How
**Trigger** and fill the form: `from`, `to` (the last day that has ended at most), a `reason` (it is stored with each
day's publication), and `dry_run`. From the command line:

    .venv/bin/python -m stack.airflow dags trigger recompute_range \\
        --conf '{"from": "2017-09-01", "to": "2017-09-30", "reason": "new brands"}'

The logical date plays no part: days are what the form says.

## What it does
`check` → `wait` → `recompute` → `audit` → `difference` → `approve` → `publish` → `reconcile`. Nothing is visible before
`publish`, which switches one day after the other, each as a whole. `wait` holds no slot: it ends once the archive holds
all that Kafka did when it began.

`difference` holds the new runs against the numbers in force: for each day the counts and shares of categories and
brands, old and new, how many posts move, why, and by which rules. Its log has all of it as tables; the dashboard shows
it at `/difference/DAY`. With `dry_run` the run ends here: the runs are written and audited, the published numbers stay.

## Approve
Where **any of the days was published before**, or is beyond the audit's bounds, `approve` waits for a person: the
task's tab **Required Actions** (and *Required Actions* on Airflow's first page) shows what would change. `ops` and
`admin` may answer, `analyst` may look.

| answer | then |
|---|---|
| Approve | all days of the form are published; the log of publications names who approved |
| Reject | everything stays as it was: `publish` and `reconcile` are skipped, the run is green |
| none for seven days | as Reject |

An answer counts once. To decide anew, clear `approve`; to see a newer report too, clear `difference`. Until it is
answered other runs of this DAG wait, but the nightly one does not: where it published one of the days in between,
`publish` says so and leaves that day alone. Where nothing has to be decided, nobody is asked: `approve` is skipped and
`publish` goes on.

**Beyond the audit's bounds** is a day of which the speed layer counts more or fewer posts than the recompute, by more
than `DRINKSTREAM_AUDIT_TOLERANCE`, and every other gate is passed: as where Kafka lost records before they were
archived. The question names day and both numbers. Once approved the day is final with the number of the recompute, and
the log of publications names both and who approved. `reconcile` may then end red: its log names the posts.

## When it is red
The last line of the failed task's log says what is wrong and what to do.

| task | why | then |
|---|---|---|
| check | the form makes no sense; it names every fault | trigger anew |
| wait | the archive is behind; it names partitions and offsets | start the archive query, clear `wait` |
| recompute | Spark or Cassandra failed; it is tried again by itself | read its log, clear it: all days anew |
| audit | a gate failed on some day: it names each; no day is published | settle it, clear `recompute` |
| difference (exit code 5) | another run of each day came into force since | ask anew for what you still need |
| difference | the archive or Cassandra did not answer | clear it |
| publish | `approve` was marked as successful, which is nobody's answer; nothing was published | clear `approve` |
| publish (exit code 5) | somebody published a day in between; the others are published | look at it, ask for it anew |
| reconcile (exit code 6) | published, but its log names posts that one layer lacks for no cause | find out why |
| reconcile | the archive or Cassandra did not answer; the days are published | clear it |
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from archive_wait import WaitForArchive
from job_operators import (
    ATTEMPT,
    RUN,
    WHO,
    AnswerOperator,
    ApprovedOperator,
    ApproveOperator,
    JobOperator,
    RecomputeOperator,
    reason,
)

from drinkstream.errors import BadInputError
from drinkstream.range_request import RangeRequest
from drinkstream.settings import Settings

settings = Settings.load()

WHY = RUN + ": {{ ti.xcom_pull(task_ids='check')['reason'] }}"

NEEDED = (
    "{% set found = ti.xcom_pull(task_ids='difference') %}"
    "{{ (found['published'] or found['asks']) | length > 0 and not ti.xcom_pull(task_ids='check')['dry_run'] }}"
)
"""Template: whether a person must approve."""

APPROVER = (
    "{% set answer = ti.xcom_pull(task_ids='approve') %}"
    "{% if answer and answer['chosen_options'] == ['Approve'] %}{{ answer['responded_by_user']['name'] }}{% endif %}"
)
"""Template: who did; empty where nobody was asked, or nobody answered."""

PATIENCE = timedelta(days=7)
"""How long a person has for an answer."""

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
        "reason": reason("Stored with the publication of each day"),
        "dry_run": Param(False, type="boolean", title="Dry run", description="Only report what would change"),
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
    wait = WaitForArchive(task_id="wait", patience=timedelta(seconds=settings.archive_patience))
    recompute = RecomputeOperator(
        task_id="recompute",
        settings=settings,
        first="{{ ti.xcom_pull(task_ids='check')['first'] }}",
        last="{{ ti.xcom_pull(task_ids='check')['last'] }}",
        asked_by=WHY,
        execution_timeout=timedelta(hours=24),
    )
    audit = JobOperator(task_id="audit", module="jobs.audit", arguments=["--attempt", ATTEMPT, "--ask"])
    difference = AnswerOperator(task_id="difference", module="jobs.difference", arguments=["--attempt", ATTEMPT])
    approve = ApproveOperator(
        task_id="approve",
        subject=(
            "Publish {{ ti.xcom_pull(task_ids='check')['first'] }} to {{ ti.xcom_pull(task_ids='check')['last'] }} "
            "anew? Reason: {{ ti.xcom_pull(task_ids='check')['reason'] }}"
        ),
        body="{{ ti.xcom_pull(task_ids='difference')['body'] }}",
        needed=NEEDED,
        response_timeout=PATIENCE,
        defaults=ApproveOperator.REJECT,
    )
    publish = ApprovedOperator(
        task_id="publish",
        module="jobs.publish",
        arguments=["--attempt", ATTEMPT, "--who", WHO, "--why", WHY, "--approved-by", APPROVER],
        skip="{{ ti.xcom_pull(task_ids='check')['dry_run'] }}",
        needed=NEEDED,
        approver=APPROVER,
        trigger_rule="none_failed",
    )
    reconcile = JobOperator(task_id="reconcile", module="jobs.reconcile", arguments=["--attempt", ATTEMPT])

    # a form with faults must not start Spark; nor may what is still on its way into the archive, as after an outage, be
    # missing from a number that is final
    checked >> wait >> recompute
    # only the runs of the try that Airflow saw succeed go on: a killed one may still be writing its own
    recompute >> audit
    # one bad day stops all: a range is asked for because its days belong together
    audit >> difference
    # a person decides on what they have seen: the report is of these runs and of no others
    difference >> approve
    # a rejection skips it; where nobody had to be asked (approve skipped) it goes on
    # as it does where the task was marked as successful: it asks whether somebody had to be, itself
    approve >> publish
    # compares what is in force now with what the live stream counted; nothing to compare where nothing was published
    publish >> reconcile
