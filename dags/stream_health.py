"""# Does the live stream keep up?

Looks every five minutes whether the speed layer, the archive and the collector show fresh signs of life. **Green**: all
do. **Red**: the last line of the task's log names what is stale, and since when; or days that no night takes any more,
since nine runs of them came to nothing.

## When it is red
1. `make status` names every program and whether it runs; `make logs` shows why one does not.
2. A program that supervisord keeps restarting says the reason in the last lines of its log.
3. Cassandra or Kafka away: the programs wait for it and go on by themselves; so does this DAG.
4. A sign ahead of the clock: the clock is wrong, or was set back. Both queries begin anew by themselves, as their logs
   say; the DAG is green once the clock has come to where it was.
5. A day that no night takes any more: the logs of `audit`, or of `recompute_pending`, in `nightly_share` say why its
   runs failed. Settle that and run a Backfill of the day; it is named until it is published, or older than
   `DRINKSTREAM_SPEED_TTL_DAYS`. One that no recompute can read fails all days of `recompute_pending`: mend it, or run a
   Backfill of the others.

While the archive is behind, `nightly_share` waits and then fails with what is missing: nothing wrong is published.
While the speed layer is behind, the page says how old its numbers are. No post is lost: Kafka keeps them for days.

Nothing needs to be repeated here; the next look comes by itself. Pause the DAG while the stack is down on purpose.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG
from job_operators import NEXT_IN_POOL, JobOperator

with DAG(
    "stream_health",
    description="Red while the live stream is stale",
    doc_md=__doc__,
    tags=["drinkstream", "stream"],
    schedule="*/5 * * * *",
    start_date=datetime(2006, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    # a look that hangs must not keep the next ones away
    dagrun_timeout=timedelta(minutes=4),
    default_args={"owner": "drinkstream", "retries": 1, "retry_delay": timedelta(seconds=30)},
):
    # in the default pool, never in `spark`: a long recompute must not blind the watch
    JobOperator(task_id="look", module="jobs.health", execution_timeout=timedelta(minutes=1), **NEXT_IN_POOL)
