"""What the speed layer may have counted up to, which is what the archive is waited for."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from drinkstream.errors import UnavailableError
from drinkstream.positions import Ledger, Refusal
from drinkstream.settings import Settings
from drinkstream.store.read import Batch, EpochRow
from jobs.reconcile import counted_ends, wait
from tests.lib.archived import archive, row

NOW = datetime(2026, 5, 2, 0, 5, tzinfo=UTC)
EPOCH = EpochRow("e1", "current", "m", "c", NOW, {}, {}, {"0": 80, "1": 70}, 600, frozenset())


def batch(number: int, ended: datetime | None, **offsets: tuple[int, int]) -> Batch:
    found = {partition.removeprefix("p"): span for partition, span in offsets.items()}
    return Batch(number, NOW, ended, ended, 10, 2, {}, found)


class Batches:
    """The micro-batches of an epoch by the UTC day on which they began."""

    def __init__(self, **days: list[Batch]) -> None:
        self._days = {date(2026, 5, int(day.removeprefix("may"))): found for day, found in days.items()}

    def last_batch(self, epoch: str, day: date) -> int | None:
        assert epoch == "e1"
        return max((one.batch_id for one in self._days.get(day, [])), default=None)

    def batches(self, epoch: str, day: date, after: int = -1) -> list[Batch]:
        assert epoch == "e1"
        return [one for one in self._days.get(day, []) if one.batch_id > after]


def ends(batches: Batches) -> dict[str, int]:
    return counted_ends(batches, EPOCH, NOW)  # type: ignore[arg-type]


def test_without_a_micro_batch_of_these_days_what_the_epoch_has_processed():
    assert ends(Batches()) == {"0": 80, "1": 70}


def test_a_micro_batch_that_has_not_ended_may_have_written_all_its_rows():
    """Also one that began before midnight, and one of a partition that is new."""
    running = batch(8, None, p0=(80, 120), p2=(0, 5))
    assert ends(Batches(may1=[batch(7, NOW, p0=(60, 80)), running])) == {"0": 120, "1": 70, "2": 5}
    after_midnight = Batches(may1=[batch(7, NOW, p0=(60, 90))], may2=[batch(8, None, p1=(70, 75))])
    assert ends(after_midnight) == {"0": 90, "1": 75}


def test_an_archive_that_takes_nothing_more_is_not_waited_for(tmp_path: Path):
    settings = Settings(home=tmp_path, archive_patience=3600)
    archive(tmp_path / "archive", [row(0, cluster="c")])
    Ledger.beside(settings.archive).refuse(Refusal("c", "posts", 0, 40, 80, "2026-05-02T00:00:00Z"))
    with pytest.raises(UnavailableError, match="takes nothing more in: posts/0 ended at offset 40 but 80 are archived"):
        wait(settings, Batches(), EPOCH)  # type: ignore[arg-type]
