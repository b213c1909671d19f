"""One calendar day (UTC) for each run, however the run came about: by the clock, by hand or by a backfill.

Airflow's own daily timetable gives a run that is started by hand the day *before* the date that was picked, and names
runs after the next day. Found by Airflow in its plugins folder.
"""

from typing import Any

from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.base import DataInterval, Timetable
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.utils.types import DagRunType
from pendulum import UTC, DateTime


class DayTimetable(CronDataIntervalTimetable):
    """A run for each day, due at the midnight that ends it; its logical date is the midnight that begins it."""

    description = "every day (UTC)"

    def __init__(self) -> None:
        super().__init__("0 0 * * *", timezone=UTC)

    @property
    def summary(self) -> str:
        """What Airflow's list of DAGs shows as the schedule."""
        return "daily (UTC)"

    def serialize(self) -> dict[str, Any]:
        """Nothing varies."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Timetable:  # noqa: ARG003 - Airflow's signature
        """The timetable; nothing varies."""
        return cls()

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """The day of the logical date that a person picked."""
        begin = run_after.in_timezone(UTC).start_of("day")
        return DataInterval(start=begin, end=begin.add(days=1))

    def generate_run_id(
        self, *, run_type: DagRunType, run_after: DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """`scheduled__2017-09-14`: named after its day; a run by hand after the moment of its start too.

        So one that was refused does not take the name of the next. Backfill runs are named by Airflow itself, after the
        next midnight.
        """
        if data_interval is None:
            return str(super().generate_run_id(run_type=run_type, run_after=run_after, data_interval=None, **extra))
        day = data_interval.start.in_timezone(UTC).to_date_string()
        if run_type == DagRunType.MANUAL:
            return str(run_type.generate_run_id(suffix=f"{day}__{run_after.in_timezone(UTC):%Y%m%dT%H%M%S%f}"))
        return str(run_type.generate_run_id(suffix=day))


class DayTimetablePlugin(AirflowPlugin):
    """Tells Airflow of the timetable."""

    name = "day_timetable"
    timetables = [DayTimetable]  # noqa: RUF012 - Airflow's type
