"""# Posts erased for good

Removes the text of posts from the archive, for good, and sees to it that it never comes back: what compliance asks for
when a post was deleted, a user left, or a court said so. **It cannot be undone.** A mere delete notice needs nothing of
this: it hides the text at once and leaves the post out of the next recompute, while the archive keeps the record.

## How
**Trigger** and fill the form: `posts` (each `source:id`, such as `x:908300000000000000`, with spaces, commas or line
feeds between them), or a `user` (`source:id`: all posts in the archive whose lines name that user as the author), or
both; a `reason`, which is kept; and `carriers` if other posts that carry such a text inside, as quotes do, shall go
too. From the command line:

    .venv/bin/python -m stack.airflow dags trigger erase_posts \\
        --conf '{"posts": "x:908300000000000000", "reason": "deleted, ticket 4711"}'

The logical date plays no part. To look first: `python -m jobs.erase x:908300000000000000 --dry-run`.

## What it does
One task, `erase`, in the one slot of Spark, though it starts none: no file may go while a recompute reads it. It gets
the slot before days that wait for it, as of a long backfill, but waits for the recompute that runs.

1. It looks where the texts lie: under the posts' own keys, in their reposts (which are erased with them), in lines that
   could not be read, in other posts. The latter are named in the log, and erased only with `carriers`. Named is also
   each post of which no record is found: it is listed all the same, but its id may be wrong.
2. The keys come onto the **erasure list** (`archive.erased.jsonl` beside the archive). From then on the archive query
   keeps no value of theirs, whether they are sent again or all of Kafka is read anew.
3. Every record of theirs is replaced by an order to leave the post out; it keeps its place, so every offset stays
   accounted for. The old files are deleted. A record that came in during these seconds goes with the next
   `archive_maintenance`.
4. The log says until when **Kafka** still holds the records: `DRINKSTREAM_RETENTION_DAYS` and a day after the last of
   them came in. Count it into your deadline. Backups of the archive's folder are yours to see to.

Numbers: published days go on counting the posts until they are recomputed; the log's line `recompute` names the days,
for the DAG `recompute_range`. A rollback to an earlier run counts and lists them again, their text shown as erased.

## When it is red
The last line of its log says what is wrong. Clearing it is always safe: it takes up where it ended, by what is on the
list for its run, and says days and deadline for all of it.

| exit code | why | then |
|---|---|---|
| 2 | nothing named, no post or user of that form, or nobody's line names the user | trigger anew |
| none | a field of `--conf` that the form does not have: nothing was done | trigger anew |
| 5 | others changed the archive each time; the texts may still be there | clear it |
| 3 | the archive could not be read | `make status`, clear it |
| 6 | the erasure list is damaged; it names the line | restore the file from a copy, clear it |

An **audit** that runs in the same minute may fail, since the version that its recompute read is gone; it says so, and
is not tried again: clear `recompute`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param
from job_operators import NEXT_IN_POOL, RUN, WHO, FormOperator, reason

with DAG(
    "erase_posts",
    description="Remove the text of posts from the archive for good",
    doc_md=__doc__,
    tags=["drinkstream", "archive", "compliance"],
    schedule=None,
    start_date=datetime(2006, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"owner": "drinkstream", "retries": 2, "retry_delay": timedelta(minutes=1)},
    params={
        # a task's command line takes no more
        "posts": Param(
            "",
            type="string",
            maxLength=100_000,
            title="Posts",
            description="Posts as source:id, with spaces or commas between (up to 4,000; more: `jobs.erase --file`)",
        ),
        "user": Param("", type="string", title="User", description="All posts of this user, as source:id"),
        "reason": reason("Kept on the erasure list"),
        "carriers": Param(
            False, type="boolean", title="Carriers too", description="Other posts that carry such a text, as quotes do"
        ),
    },
):
    # in Spark's one slot: a recompute reads one version of the archive from its first to its last record
    FormOperator(
        task_id="erase",
        module="jobs.erase",
        arguments=[
            *("--posts", "{{ params.posts }}", "--user", "{{ params.user }}"),
            "{{ '--carriers' if params.carriers else '--no-carriers' }}",
            *("--why", WHO + ", " + RUN + ": {{ params.reason }}"),
        ],
        pool="spark",
        execution_timeout=timedelta(hours=6),
        **NEXT_IN_POOL,
    )
