"""The wait of the first task: which day, until when, for which offsets, and what it says when it gives up."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

ENDS = '{"cluster": "c1", "ends": {"0": 10, "1": 20}}'
LACKS_ONE = [{"partition": 1, "reached": 12, "end": 20}]
PAST = datetime(2017, 9, 14, tzinfo=UTC)


class Stage:
    """A clock, the answers that the archive gives one after the other, and what it was asked."""

    def __init__(self, now: datetime, *answers: list[dict[str, int]]) -> None:
        self.now = now
        self.answers = list(answers)
        self.asked: list[tuple[str, ...]] = []
        self.slept: list[float] = []

    def clock(self) -> datetime:
        return self.now

    def answer(self, *question: str) -> str:
        self.asked.append(question)
        return ENDS if question == ("ends",) else json.dumps(self.answers.pop(0))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def context(logical_date: datetime | None) -> dict[str, Any]:
    return {"dag_run": SimpleNamespace(logical_date=logical_date)}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a Stage for the module under test."""
    import archive_wait

    def make(now: datetime, *answers: list[dict[str, int]]) -> Stage:
        found = Stage(now, *answers)
        monkeypatch.setattr(archive_wait, "now", found.clock)
        monkeypatch.setattr(archive_wait, "answer", found.answer)
        return found

    return make


@pytest.fixture
def wait() -> Any:
    from archive_wait import WaitForDay

    return WaitForDay(task_id="wait", patience=timedelta(hours=1))


def test_a_past_day_whose_archive_is_there_passes_at_once_without_deferring(stage: Any, wait: Any):
    """A task that defers for a moment already past meets the executor's late word about its first visit, and fails."""
    seen = stage(datetime(2026, 3, 1, 8, tzinfo=UTC), [])
    assert wait.execute(context(PAST)) == "2017-09-14"
    assert seen.asked == [("ends",), ("behind", ENDS)]


def test_yesterday_waits_until_a_quarter_past_two_without_a_slot(stage: Any, wait: Any):
    from airflow.sdk.exceptions import TaskDeferred

    seen = stage(datetime(2026, 3, 2, 0, 0, 5, tzinfo=UTC))
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(datetime(2026, 3, 1, tzinfo=UTC)))
    assert deferred.value.trigger.moment == datetime(2026, 3, 2, 2, 15, tzinfo=UTC)
    assert deferred.value.method_name == "look"
    assert deferred.value.timeout == timedelta(hours=2, minutes=24, seconds=55)
    assert seen.asked == []


def test_a_moment_that_is_nearly_there_is_deferred_for_a_pause_all_the_same(stage: Any, wait: Any):
    from airflow.sdk.exceptions import TaskDeferred

    stage(datetime(2026, 3, 2, 2, 14, 59, tzinfo=UTC))
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(datetime(2026, 3, 1, tzinfo=UTC)))
    assert deferred.value.trigger.moment == datetime(2026, 3, 2, 2, 15, 19, tzinfo=UTC)


def test_an_archive_that_is_behind_is_waited_for_with_the_ends_of_the_first_look(stage: Any, wait: Any):
    from airflow.sdk.exceptions import TaskDeferred

    stage(datetime(2026, 3, 1, 8, tzinfo=UTC), LACKS_ONE)
    with pytest.raises(TaskDeferred) as deferred:
        wait.execute(context(PAST))
    assert deferred.value.trigger.serialize() == (
        "archive_wait.ArchiveTrigger",
        {"ends": ENDS, "deadline": "2026-03-01T09:00:00+00:00"},
    )
    assert deferred.value.method_name == "come"
    assert deferred.value.timeout == timedelta(hours=1, minutes=10)


def test_a_range_waits_for_the_archive_alone(stage: Any):
    """Its days come from a form, and the run's logical date plays no part."""
    from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
    from archive_wait import WaitForArchive

    task = WaitForArchive(task_id="wait", patience=timedelta(hours=1))
    stage(PAST, [])
    assert task.execute(context(None)) is None
    found = stage(PAST, LACKS_ONE)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context(None))
    assert (deferred.value.trigger.ends, deferred.value.method_name) == (ENDS, "come")
    assert found.asked == [("ends",), ("behind", ENDS)]
    assert task.come(context(None), {"behind": []}) is None
    with pytest.raises(
        AirflowFailException, match="still lacks 8 records, in partition 1 at offset 12 of 20 after 1:00"
    ):
        task.come(context(None), {"behind": LACKS_ONE})


def test_after_the_wait_the_day_is_handed_on_or_what_is_missing_is_said(wait: Any):
    from airflow.sdk.exceptions import AirflowFailException

    assert wait.come(context(PAST), {"behind": []}) == "2017-09-14"
    with pytest.raises(AirflowFailException) as failed:
        wait.come(context(PAST), {"behind": [{"partition": 0, "reached": 0, "end": 10}, *LACKS_ONE]})
    assert str(failed.value) == (
        "the archive still lacks 18 records, in partition 0 at offset 0 of 10, 1 at offset 12 of 20 after 1:00:00. "
        "`make status` shows whether the archive query runs; when it has caught up, clear this task"
    )


@pytest.mark.parametrize(
    ("logical_date", "message"),
    [
        (
            None,
            "this run has no logical date, so it is about no day: trigger it with one, at 00:00 UTC of the day, or use "
            "Backfill, which takes days",
        ),
        (
            datetime(2017, 9, 14, 12, 34, tzinfo=UTC),
            "the logical date 2017-09-14T12:34:00+00:00 is no midnight in UTC, so it names no day: trigger the run "
            "with 2017-09-14T00:00:00+00:00 if 2017-09-14 is meant, or use Backfill, which takes days",
        ),
        *(
            (
                datetime(2026, 3, day, tzinfo=UTC),
                f"2026-03-0{day} has not ended yet (UTC): delete this run, else Airflow makes none for that night, "
                "which recomputes the day by itself",
            )
            for day in (1, 2)
        ),
    ],
)
def test_a_run_about_no_day_is_refused_for_good(stage: Any, wait: Any, logical_date: datetime | None, message: str):
    from airflow.sdk.exceptions import AirflowFailException

    seen = stage(datetime(2026, 3, 1, 8, tzinfo=UTC))
    with pytest.raises(AirflowFailException) as refused:
        wait.execute(context(logical_date))
    assert str(refused.value) == message
    assert seen.asked == []


def run_trigger(seen: Stage, deadline: datetime) -> Any:
    from archive_wait import last_answer

    async def ask() -> Any:
        return json.loads(seen.answer("behind"))

    return asyncio.run(last_answer(ask, deadline, seen.clock, seen.sleep))


def test_the_trigger_asks_until_nothing_is_missing_never_without_a_pause_before():
    start = datetime(2026, 3, 1, 8, tzinfo=UTC)
    seen = Stage(start, LACKS_ONE, LACKS_ONE, [])
    assert run_trigger(seen, start + timedelta(hours=1)) == []
    assert seen.slept == [20.0, 20.0, 20.0]


def test_the_trigger_gives_up_at_its_deadline_with_what_is_missing():
    start = datetime(2026, 3, 1, 8, tzinfo=UTC)
    seen = Stage(start, LACKS_ONE, LACKS_ONE, [])
    assert run_trigger(seen, start + timedelta(seconds=40)) == LACKS_ONE
    assert seen.slept == [20.0, 20.0]


def test_the_trigger_fires_with_what_it_found_out(stage: Any, monkeypatch: pytest.MonkeyPatch):
    import archive_wait

    seen = stage(datetime(2026, 3, 1, 8, tzinfo=UTC), LACKS_ONE, [])
    monkeypatch.setattr("asyncio.sleep", seen.sleep)

    async def events() -> list[Any]:
        trigger = archive_wait.ArchiveTrigger(ENDS, "2026-03-01T09:00:00+00:00")
        return [event.payload async for event in trigger.run()]

    assert asyncio.run(events()) == [{"behind": []}]
    assert seen.asked == [("behind", ENDS), ("behind", ENDS)]


def test_the_question_s_own_error_is_the_task_s_last_line(monkeypatch: pytest.MonkeyPatch):
    """Kafka away: the task fails with the program's words, and Airflow tries again."""
    from airflow.sdk.exceptions import AirflowException
    from archive_wait import answer

    monkeypatch.setenv("DRINKSTREAM_HOME", "/nonexistent")
    with pytest.raises(AirflowException) as failed:
        answer("behind", "nonsense")
    assert str(failed.value) == (
        "streaming.archived ended with exit code 2: "
        "BadInputError: 'nonsense' is not a line that `streaming.archived ends` printed"
    )
    assert json.loads(answer("behind", '{"cluster": "c1", "ends": {"0": 0, "1": 5}}')) == [
        {"partition": 1, "reached": 0, "end": 5}
    ]
