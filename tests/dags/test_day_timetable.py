"""Which day each kind of run gets."""

from typing import Any

import pytest
from pendulum import UTC, DateTime, datetime


def at(*parts: int) -> DateTime:
    return datetime(*parts, tz=UTC)


@pytest.fixture
def timetable() -> Any:
    from day_timetable import DayTimetable

    return DayTimetable()


def restriction(earliest: DateTime, *, catchup: bool) -> Any:
    from airflow.timetables.base import TimeRestriction

    return TimeRestriction(earliest=earliest, latest=None, catchup=catchup)


def day(begin: DateTime) -> Any:
    from airflow.timetables.base import DataInterval

    return DataInterval(start=begin, end=begin.add(days=1))


def test_the_clock_gives_each_day_at_the_midnight_that_ends_it(timetable: Any):
    first = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=restriction(at(2017, 9, 14), catchup=True)
    )
    assert (first.logical_date, first.data_interval, first.run_after) == (
        at(2017, 9, 14),
        day(at(2017, 9, 14)),
        at(2017, 9, 15),
    )
    then = timetable.next_dagrun_info(
        last_automated_data_interval=first.data_interval, restriction=restriction(at(2017, 9, 14), catchup=True)
    )
    assert (then.logical_date, then.run_after) == (at(2017, 9, 15), at(2017, 9, 16))


def test_days_before_today_do_not_run_by_themselves_but_yesterday_does(timetable: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("airflow.timetables.interval.utcnow", lambda: at(2017, 9, 20, 1, 30))
    found = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=restriction(at(2006, 1, 1), catchup=False)
    )
    assert (found.logical_date, found.run_after) == (at(2017, 9, 19), at(2017, 9, 20))


@pytest.mark.parametrize(
    ("picked", "begin"),
    [
        (at(2017, 9, 20), at(2017, 9, 20)),
        (at(2017, 9, 20, 12, 34), at(2017, 9, 20)),
        (at(2017, 9, 20, 23, 59, 59), at(2017, 9, 20)),
        # midnight in Berlin is still the day before in UTC
        (datetime(2017, 9, 20, tz="Europe/Berlin"), at(2017, 9, 19)),
    ],
)
def test_a_run_by_hand_gets_the_day_that_was_picked(timetable: Any, picked: DateTime, begin: DateTime):
    """Airflow's own daily timetable gives it the day before."""
    assert timetable.infer_manual_data_interval(run_after=picked) == day(begin)


def test_a_backfill_takes_both_its_ends(timetable: Any):
    from airflow.timetables.base import TimeRestriction

    limits = TimeRestriction(earliest=at(2017, 9, 10), latest=at(2017, 9, 12), catchup=True)
    found, last = [], None
    while info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=limits):
        found.append(info.logical_date)
        last = info.data_interval
    assert found == [at(2017, 9, 10), at(2017, 9, 11), at(2017, 9, 12)]


def test_runs_are_named_after_their_day(timetable: Any):
    from airflow.utils.types import DagRunType

    def name(kind: DagRunType, interval: Any) -> str:
        return str(timetable.generate_run_id(run_type=kind, run_after=at(2017, 9, 21, 8, 5), data_interval=interval))

    assert name(DagRunType.SCHEDULED, day(at(2017, 9, 20))) == "scheduled__2017-09-20"
    assert name(DagRunType.MANUAL, day(at(2017, 9, 12))) == "manual__2017-09-12__20170921T080500000000"
    assert name(DagRunType.MANUAL, None) == "manual__2017-09-21T08:05:00+00:00"


def test_it_survives_airflow_s_database(bag: Any, timetable: Any):
    """The scheduler never imports the DAG's file: it knows the timetable by its plugin and what was stored."""
    from airflow.serialization.decoders import decode_timetable
    from airflow.serialization.encoders import encode_timetable

    stored = encode_timetable(bag.dags["nightly_share"].timetable)
    assert stored == {"__type": "day_timetable.DayTimetable", "__var": {}}
    assert type(decode_timetable(stored)) is type(timetable)
