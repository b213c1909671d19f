"""# A day's share, final

Recomputes **one day (UTC)** from the archive, audits it and publishes it: from then on the page answers for that day
from the recompute, with deletes and edits settled, and no longer from the live stream.

## When it runs
Every night by itself for the day that has just ended, not before 02:15 UTC. To run it for other days:

| you want | do |
|---|---|
| some past days | **Trigger → Backfill**, pick From and To; or the command below |
| days that were done before, once more | the same with *Reprocess: All runs* (`--reprocess-behavior completed`) |
| one day | **Trigger → Single run** with the logical date **00:00 UTC** of that day; any other is refused |
| today, or a later day | wait for its night. A run of it is refused: **delete it**, else the night makes none |
| many days at once, quickly | the DAG `recompute_range`: one Spark application for all of them |

    .venv/bin/python -m stack.airflow backfill create --dag-id nightly_share --from-date 2017-09-10 \\
        --to-date 2017-09-12 --max-active-runs 1

Airflow runs one backfill of a DAG at a time and refuses the next until the one before has ended.

**Leave *Max active runs* at 1** in the form; the command and the REST API take 10 unless told otherwise
(`--max-active-runs 1`). Spark has one slot, so more make nothing quicker, and Airflow gives a free slot to the oldest
day that waits for it: with several days of a long backfill waiting, the night of today would not be recomputed until
the backfill has ended.

**Mind the dates.** The page's time zone is your browser's; set it to UTC (user menu) before you pick days, else they
may shift by one. Airflow names backfill runs after the *next* midnight: `backfill__2017-09-11T00:00:00+00:00` is the
10th. The logical date, the Calendar tab, the first line of the task `wait` and its XCom name the day itself.

## What it does
`wait` → `recompute` → `audit` → `publish` → `reconcile`. Nothing is visible before `publish`, which switches the whole
day at once. Every try of `recompute` writes a run of its own, so repeating or killing it never spoils anything: Clear a
task to repeat it and what follows. `reconcile` says of each post that only the published or only the live count has why
that is so; the page behind *batch* in the dashboard's table of days shows it.

A run **by the clock**, and no other, also takes earlier published days for which more records came into the archive
since their run (late posts, deletes, edits) than the setting `DRINKSTREAM_PENDING_LIMIT` allows, and **missed** days:
`wait` → `pending` → `recompute_pending`, all those days in one Spark application (30 a night at most; the log of
`pending` says how many are left to the next nights), and then the group `each_pending`: `audit` → `publish` →
`reconcile` for each of the days by itself, so that one that fails keeps none of the others. A day that was counted by
other rules than those installed, or that was rolled back, is left and named there: `recompute_range` recounts it, once
a person approves. Where there is no such day these tasks are skipped, as they always are in backfills and in runs by
hand: those are about their one day.

After a stop of the stack there is a run for the last day only. A day before it is missed if nobody ever published it,
though posts of it came in on the day itself: no run was made for it, or all its runs failed. Each night takes those of
the last `DRINKSTREAM_SPEED_TTL_DAYS` days, which is how long the live stream answers for them. A day with nine failed
runs and no publication is no longer taken: the log of `pending` names it; settle why they failed, then run a Backfill.
What came later only, as a replay of files, is a Backfill's too.

## When it is red
The last line of the failed task's log says what is wrong and what to do.

| task | why | then |
|---|---|---|
| wait | the archive is behind; it names partitions and offsets | start the archive query, clear `wait` |
| wait | no day, or one that has not ended | delete the run, trigger another |
| recompute | Spark or Cassandra failed; it is tried again by itself | read its log, clear it |
| audit | a gate failed: it names each; the day stays as it was | settle the cause, clear `recompute` |
| audit | nobody collected the day: the archive holds no post of it | nothing, unless the collector should have run |
| audit | both layers count the day too differently | find out why; `recompute_range` lets a person publish it |
| audit | another run published the day since this one began | look at it, clear `recompute` if yours shall win |
| publish (exit code 5) | another run published the day since the audit | as above |
| reconcile (exit code 6) | the day is published; its log names posts that one layer lacks for no cause | find out why |
| reconcile | the day is published; the archive or Cassandra did not answer | clear it |
| pending | Cassandra or the archive did not answer | clear it |
| recompute_pending | as `recompute`, for its days; or the rules were changed since `pending` looked | clear `pending` |
| each_pending: audit, publish | as above, for the day in its log | settle it, clear `pending`: it names what is left |
| each_pending: reconcile | as above, for the day in its log, which is published | as above |

A wait holds no slot. One Spark application runs at a time (pool `spark`, one slot); more days queue.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, task_group
from archive_wait import WaitForDay
from day_timetable import DayTimetable
from job_operators import ATTEMPT, BY_THE_CLOCK, RUN, DaysOperator, RecomputeOperator, settle

from drinkstream.settings import Settings

settings = Settings.load()

PENDING = "{{ ti.xcom_pull(task_ids='pending') | join(',') }}"
PENDING_ATTEMPT = "{{ ti.xcom_pull(task_ids='recompute_pending') }}"
PENDING_WHY = RUN + ": records were pending, or no night had published it"

with DAG(
    "nightly_share",
    description="Recompute, audit and publish one day",
    doc_md=__doc__,
    tags=["drinkstream", "batch"],
    schedule=DayTimetable(),
    start_date=datetime(2006, 1, 1, tzinfo=UTC),  # no post is older
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"owner": "drinkstream", "retries": 2, "retry_delay": timedelta(minutes=1)},
):
    wait = WaitForDay(task_id="wait", patience=timedelta(seconds=settings.archive_patience))
    recompute = RecomputeOperator(
        task_id="recompute",
        settings=settings,
        first="{{ ds }}",
        last="{{ ds }}",
        asked_by=RUN,
        execution_timeout=timedelta(hours=6),
    )
    # the day's posts must be in the archive: what arrives later would be missing from the final number
    wait >> recompute
    # only the run of the try that Airflow saw succeed goes on: a killed one may still be writing its own
    recompute >> settle(ATTEMPT, RUN)

    # earlier days that late posts, deletes and edits have changed, and those that no night published
    pending = DaysOperator(task_id="pending", module="jobs.pending", arguments=["--but", "{{ ds }}"], only=BY_THE_CLOCK)
    recompute_pending = RecomputeOperator(
        task_id="recompute_pending",
        settings=settings,
        days=PENDING,
        asked_by=PENDING_WHY,
        # they may have been edited since `pending` looked, and nobody approves of what a night changes
        more=["--same-rules"],
        execution_timeout=timedelta(hours=24),
    )

    @task_group
    def each_pending(day: str) -> None:
        """One of the days, which has nothing to do with the others."""
        settle(PENDING_ATTEMPT, PENDING_WHY, "--day", day)

    # beside the day's own chain, not behind it: a day that fails must not keep the others from being settled. Spark's
    # one slot serves the day first, whose task is queued earlier
    wait >> pending >> recompute_pending >> each_pending.expand(day=pending.output)
