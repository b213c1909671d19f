"""Short schedules that once ended in a wrong answer, each found by the machine or while it was written."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.lib.merge_machine import ALL, DAYS, MergeMachine
from tests.lib.merge_world import PARTITIONS


@pytest.fixture
def schedule() -> Iterator[MergeMachine]:
    """A running speed layer that has taken two posts; the truth is asked at the end as after every step of a test."""
    machine = MergeMachine()
    machine.begin()
    post(machine)
    post(machine)
    machine.catch_up()
    yield machine
    machine.teardown()


def post(machine: MergeMachine) -> None:
    """A coffee at the start of the second day."""
    machine.lines_come([("post", 0, DAYS[1], 0, "a coffee please")])


def test_an_orphan_that_ends_late_takes_no_progress_back(schedule: MergeMachine):
    """Else the next epoch would have to reach less than was shown, and the numbers would drop when it answers."""
    post(schedule)
    schedule.speed.micro_batch(ALL, 0, 1, "orphan")
    schedule.catch_up()
    for _ in range(4):
        post(schedule)
    schedule.catch_up()
    schedule.orphan_ends()
    schedule.speed.change_meaning()
    schedule.speed.micro_batch((2, 2), 0, None, "watched")
    schedule.every_answer_is_the_truth()


def test_a_clock_set_back_before_a_restart_makes_no_writer_the_older_one(schedule: MergeMachine):
    """A new process goes on above the last timestamp of its epoch, not above its own clock."""
    schedule.speed.start(dies=True)
    schedule.set_clock_back(timedelta(minutes=40))
    post(schedule)
    schedule.catch_up()
    schedule.every_answer_is_the_truth()


def test_what_an_earlier_kafka_held_is_a_hole_and_no_low_number(schedule: MergeMachine):
    """The epoch on a new cluster has never seen the posts of the one before."""
    schedule.speed.new_cluster()
    post(schedule)
    schedule.catch_up()
    schedule.every_answer_is_the_truth()


def test_records_that_kafka_let_go_of_unread_start_a_new_epoch(schedule: MergeMachine):
    """Else the query would fail at them again and again; the days that they lie in are a hole."""
    for _ in range(4):
        post(schedule)
    schedule.world.archive()
    for partition in PARTITIONS:
        schedule.speed.trim(partition, 99)
    schedule.catch_up()
    assert len(schedule.speed.lives) == 2
    schedule.every_answer_is_the_truth()


def test_an_epoch_that_was_left_current_by_a_crash_does_not_come_back(schedule: MergeMachine):
    """The process died after it made its epoch current and before it retired the one before; then rows are dropped."""
    schedule.speed.change_meaning()
    schedule.speed.micro_batch(ALL, 0, None, "unwatched")
    schedule.speed.watch(stop=1)
    schedule.speed.start()
    schedule.speed.watch()
    while not all(len(log) > schedule.speed.lives[schedule.speed.newest].reached[p] for p, log in kafka(schedule)):
        post(schedule)
    schedule.speed.pass_time(timedelta(days=2))
    while (len(schedule.world.kafka.logs[1])) <= schedule.speed.lives[schedule.speed.newest].reached[1] + 4:
        post(schedule)
    schedule.speed.micro_batch((0, 99), 0, None, "watched")
    schedule.speed.micro_batch((99, 0), 0, None, "watched")
    assert schedule.truth.current is None, "rows were to be dropped"
    schedule.every_answer_is_the_truth()


def kafka(machine: MergeMachine):
    """The log of each partition."""
    return machine.world.kafka.logs.items()


def test_an_epoch_that_answers_while_another_builds_has_its_days_marked_too(schedule: MergeMachine):
    """Its own process is gone, and its rows come to their end all the same."""
    schedule.speed.change_meaning()
    schedule.speed.start()
    schedule.speed.pass_time(timedelta(days=4))
    schedule.every_answer_is_the_truth()


def test_what_is_left_of_a_micro_batch_at_the_end_of_its_life_is_no_micro_batch(schedule: MergeMachine):
    """Each column of a row lives for itself, and that the micro-batch ended was written last."""
    schedule.speed.micro_batch(ALL, 0, 1, "dies")
    post(schedule)
    schedule.speed.micro_batch(ALL, 0, 2, "orphan")
    schedule.speed.pass_time(timedelta(days=2))
    schedule.orphan_ends()
    schedule.speed.pass_time(timedelta(days=2))
    schedule.every_answer_is_the_truth()


def test_a_run_that_another_overtook_once_its_archive_was_pinned_is_not_published(schedule: MergeMachine):
    """It would take back what the other one had read more of the archive: its audit has to see that publication."""
    day = DAYS[1:2]
    schedule.pass_time(timedelta(days=2))
    schedule.world.archive()
    overtaken = schedule.batch.recompute(day, 0, 0)
    post(schedule)
    schedule.nightly(day, pause=False)
    overtaken.work.advance(None)
    schedule.batch.audit(overtaken)
    schedule.batch.publish(overtaken, None, pause=False)
    assert len(schedule.truth.log[day[0]]) == 1
    schedule.every_answer_is_the_truth()
