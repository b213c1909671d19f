"""Before a recompute: wait, without a slot, until the archive holds what belongs to its days.

A plain `DateTimeSensorAsync` defers even for a moment that is past and is then resumed within a second; under load its
second visit meets the executor's late word about the first, and the task fails. So this one defers only for what is
still to come, and never for less than PAUSE.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from drinkstream.settings import ROOT

PAUSE = timedelta(seconds=20)
"""Between two looks at the archive, and the least time that the task is deferred for."""

GRACE = timedelta(minutes=10)
"""After its deadline a wait that has said nothing is taken for dead, with its triggerer."""

START_OF_WORK = time(2, 15)
"""UTC. Posts of a day arrive for a while after it has ended."""

ANSWER_SECONDS = 120
"""An answer that takes longer will not come."""

Behind = list[dict[str, int]]
"""Partitions that are not archived far enough: `partition`, next offset `reached`, `end` to be reached."""


class ArchiveTrigger(BaseTrigger):
    """Fires with the partitions still behind `ends`: none as soon as the archive is there, else at the `deadline`.

    `ends` is a line of `streaming.archived ends`, `deadline` an RFC 3339 instant.
    """

    def __init__(self, ends: str, deadline: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ends = ends
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What another triggerer needs to go on: the ends are kept, so a restart does not move the goal."""
        return f"{__name__}.{type(self).__name__}", {"ends": self.ends, "deadline": self.deadline}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Asks again and again, in a thread, so that no other trigger waits for the answer."""

        async def ask() -> Behind:
            found: Behind = json.loads(await asyncio.to_thread(answer, "behind", self.ends))
            self.log.info("%s", in_words(found))
            return found

        deadline = datetime.fromisoformat(self.deadline)
        behind = await last_answer(ask, deadline, now, asyncio.sleep)
        yield TriggerEvent({"behind": behind})  # type: ignore[no-untyped-call]


async def last_answer(
    ask: Callable[[], Awaitable[Behind]],
    deadline: datetime,
    clock: Callable[[], datetime],
    sleep: Callable[[float], Awaitable[None]],
) -> Behind:
    """What `ask` says when nothing is behind any more, or at its first answer at or after `deadline`."""
    while True:
        await sleep(PAUSE.total_seconds())
        behind = await ask()
        if not behind or clock() >= deadline:
            return behind


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def answer(*question: str) -> str:
    """What `python -m streaming.archived QUESTION` prints. Raises AirflowException with its last line where it fails.

    A process of its own: neither task nor triggerer holds a client of Kafka or of the archive.
    """
    done = subprocess.run(
        [sys.executable, "-m", "streaming.archived", *question],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ANSWER_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise AirflowException(f"streaming.archived ended with exit code {done.returncode}: {last}")
    return done.stdout.strip()


def in_words(behind: Behind) -> str:
    """How far the archive is from where it must be."""
    if not behind:
        return "the archive has come far enough"
    lacks = sum(place["end"] - place["reached"] for place in behind)
    places = ", ".join(f"{place['partition']} at offset {place['reached']} of {place['end']}" for place in behind)
    return f"the archive still lacks {lacks} records, in partition {places}"


def day_of_run(logical_date: datetime | None) -> date:
    """The day that a run is about: its logical date, which must be a midnight (UTC).

    Raises AirflowFailException for a run without one, and for an instant within a day: it may have been meant as a day
    of another time zone, and would count as a second run of the same day.
    """
    if logical_date is None:
        raise AirflowFailException(
            "this run has no logical date, so it is about no day: trigger it with one, at 00:00 UTC of the day, or use "
            "Backfill, which takes days"
        )
    midnight = logical_date.astimezone(UTC)
    if midnight.time() != time():
        raise AirflowFailException(
            f"the logical date {midnight.isoformat()} is no midnight in UTC, so it names no day: trigger the run with "
            f"{midnight.date()}T00:00:00+00:00 if {midnight.date()} is meant, or use Backfill, which takes days"
        )
    return midnight.date()


class WaitForArchive(BaseOperator):
    """Waits until the archive has reached where Kafka ends at this moment.

    `patience` bounds the wait; after it the task fails for good and says what is missing.
    """

    def __init__(self, *, patience: timedelta, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.patience = patience

    def execute(self, context: Any) -> Any:
        """Asks where Kafka ends, once, and waits for the archive where it has not come that far."""
        return self.look(context)

    def look(self, context: Any, event: Any = None) -> Any:  # noqa: ARG002 - Airflow's signature
        """As `execute`, behind whatever else was waited for."""
        ends = answer("ends")
        self.log.info("Kafka ends at %s", ends)
        behind: Behind = json.loads(answer("behind", ends))
        self.log.info("%s", in_words(behind))
        if behind:
            deadline = now() + self.patience
            trigger = ArchiveTrigger(ends, deadline.isoformat())
            self.defer(trigger=trigger, method_name="come", timeout=self.patience + GRACE)
        return self.come(context, {"behind": []})

    def come(self, context: Any, event: dict[str, Behind]) -> Any:  # noqa: ARG002 - Airflow's signature
        """The archive has come far enough, or time is up."""
        if event["behind"]:
            raise AirflowFailException(
                f"{in_words(event['behind'])} after {self.patience}. `make status` shows whether the archive query "
                "runs; when it has caught up, clear this task"
            )


class WaitForDay(WaitForArchive):
    """Waits until START_OF_WORK of the next day, then for the archive; returns the day as XCom.

    Where the moment is past, Kafka is asked where it ends now.
    """

    def execute(self, context: Any) -> Any:
        """Names the day in the log, and waits for the moment where it lies ahead. Refuses a day that has not ended."""
        day = day_of_run(context["dag_run"].logical_date)
        self.log.info("this run recomputes the day %s (UTC)", day)
        at = now()
        if day >= at.date():
            # Airflow makes no second run of a logical date, and only one by its clock takes pending days along
            raise AirflowFailException(
                f"{day} has not ended yet (UTC): delete this run, else Airflow makes none for that night, which "
                "recomputes the day by itself"
            )
        moment = datetime.combine(day + timedelta(days=1), START_OF_WORK, UTC)
        if moment > at:
            self.log.info("waiting for %s", moment.isoformat())
            moment = max(moment, at + PAUSE)
            self.defer(trigger=DateTimeTrigger(moment=moment), method_name="look", timeout=moment - at + GRACE)
        return self.look(context)

    def come(self, context: Any, event: dict[str, Behind]) -> str:
        """As WaitForArchive."""
        super().come(context, event)
        return str(day_of_run(context["dag_run"].logical_date))
