"""# A day back to an earlier number

Lets an **earlier run** of one day (UTC) answer for it again, at once and for everybody. Nothing is computed and nothing
is deleted: the log of publications gets one more entry, which names the old run. The answers are then those of before,
number by number and id by id.

## How
**Trigger** and fill the form: `day`, a `reason` (it is stored with the publication), and, if the number before the
present one is not the one you want, `run`: a run's id or the number (seq) of a publication. The page's table *Days* and
`/api/v1/days` show them. From the command line:

    .venv/bin/python -m stack.airflow dags trigger rollback_share \\
        --conf '{"day": "2017-09-14", "reason": "new brands count double"}'

The logical date plays no part. To undo a rollback, roll back once more.

## What it does
One task, `rollback`, takes a second and no slot of Spark. Repeating or clearing it does nothing more: one run of this
DAG changes a day once. No night recomputes the day from then on, however many records came for it: the log of `pending`
names it. A recompute by hand (`recompute_range`, a Backfill) puts a new number in force again: mend the cause before.

Posts that were deleted since then are counted and listed again by the old run, without their text.

## When it is red
The last line of its log says what is wrong and what to do.

| exit code | why | then |
|---|---|---|
| 2 | the day was never published, has no such run, or none left to go back to; it says what exists | trigger anew |
| none | a field of `--conf` that the form does not have: nothing was done | trigger anew |
| 5 | somebody published the day in the same moment, or after this run had done its work | look at it, trigger anew |
| 3 | Cassandra did not answer; it is tried again by itself | `make status` |
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param
from job_operators import RUN, WHO, FormOperator, reason

with DAG(
    "rollback_share",
    description="Let an earlier run of a day answer for it again",
    doc_md=__doc__,
    tags=["drinkstream", "batch"],
    schedule=None,
    start_date=datetime(2006, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"owner": "drinkstream", "retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        "day": Param(type="string", format="date", title="Day", description="The day (UTC), like 2017-09-14"),
        "run": Param(
            "", type="string", title="Run", description="Run id or seq to go back to; empty: the one in force before"
        ),
        "reason": reason("Stored with the publication"),
    },
):
    # the reason carries this run's name, which is how a repetition knows that the work is done
    FormOperator(
        task_id="rollback",
        module="jobs.rollback",
        arguments=[
            *("--day", "{{ params.day }}", "--to", "{{ params.run }}"),
            *("--who", WHO, "--why", RUN + ": {{ params.reason }}"),
        ],
    )
