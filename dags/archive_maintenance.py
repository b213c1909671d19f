"""# The archive in few files, and old runs dropped

Keeps the archive quick to read, deletes what nobody may or needs to read any more, and drops the rows of runs that can
answer nothing. No number changes by it.

## When it runs
Every night at 04:40 UTC. By hand: **Trigger**, without a form, as often as you like. While it is paused everything goes
on, only slower, and **erased texts may stay on the disk longer than the docs promise**: do not leave it paused for more
than a day.

## What it does
Two tasks, which do not wait for each other.

`archive` takes the one slot of Spark, though it starts none, so that no file goes while a recompute reads it; it gets
the slot before days that wait for it. It deletes the files that have not belonged to the table for an hour, and those
of more than a day that a crash left behind; joins the small files of the days that are over, beside the running
archive query, which does not notice; applies the erasure list once more (a batch that began before a post was listed,
or a restored copy, may have brought it back); and deletes again. The list comes last, and also where files could not
be joined: however long it takes, no old file stays for it.

`runs` drops the rows of superseded, failed and dead runs, of all days since the first published one: never one that is
in force, may still be published, or was in force within `DRINKSTREAM_AS_OF_DAYS`. It marks them, waits 90 seconds for
publications under way, looks again, and drops.

## When it is red
The last line of the failed task's log says what is wrong. Clear it: both tasks take up where they ended.

| task | why | then |
|---|---|---|
| archive (exit code 5) | others changed the archive each time, as while a month is replayed | clear it later |
| archive (exit code 3) | no archive, or a file of it cannot be read; it names it | `make status`; restore the file |
| archive (exit code 6) | the erasure list is damaged; it names the line | restore `archive.erased.jsonl` at once |
| runs (exit code 3) | Cassandra did not answer; it is tried again by itself | `make status` |
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG
from job_operators import NEXT_IN_POOL, JobOperator

with DAG(
    "archive_maintenance",
    description="Few files in the archive, superseded runs dropped",
    doc_md=__doc__,
    tags=["drinkstream", "archive"],
    schedule="40 4 * * *",
    start_date=datetime(2006, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"owner": "drinkstream", "retries": 2, "retry_delay": timedelta(minutes=5)},
):
    # in Spark's one slot: a recompute reads one version of the archive from its first to its last record
    JobOperator(
        task_id="archive", module="jobs.upkeep", pool="spark", execution_timeout=timedelta(hours=6), **NEXT_IN_POOL
    )
    # it touches Cassandra only, and waits most of its time
    JobOperator(task_id="runs", module="jobs.maintenance", execution_timeout=timedelta(hours=2))
