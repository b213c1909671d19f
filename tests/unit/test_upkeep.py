"""The archive's nightly upkeep: the list applied again, few files, none that nobody needs."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from drinkstream.archive import Archive
from drinkstream.archive_change import Removal
from drinkstream.erasures import Erasures
from drinkstream.errors import ConflictError
from drinkstream.merge import Publication
from jobs import maintenance, upkeep
from tests.lib.archived import archive, row


def test_days_that_are_over_and_scattered_are_worth_a_rewrite() -> None:
    files = {"2017-09-13": 5, "2017-09-14": 4, "2017-09-15": 400, "2017-09-16": 7, "none": 9}
    assert upkeep.scattered(files, date(2017, 9, 15)) == ["2017-09-13", "none"]


def test_it_erases_what_came_back_and_joins_files_that_stay_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    folder = tmp_path / "archive"
    archive(folder, *([row(n)] for n in range(6)), [row(9, day="none")])
    Erasures.beside(str(folder)).order(["x:3", "x:404"], datetime.now(UTC), "a copy was restored")
    assert upkeep.main([]) == 0
    assert capsys.readouterr().out == "days=1 files=5 less\nlisted=2 erased=1\n"
    assert Archive(str(folder)).files() == {"2017-09-14": 1, "none": 1}
    assert Archive(str(folder)).days() == {"2017-09-14": 6, "none": 1}
    assert len(list(folder.rglob("*.parquet"))) == 9

    # an hour and a day later nothing but the newest version is left
    monkeypatch.setattr(upkeep, "REMOVED_FOR", timedelta(0))
    orphan = folder / "day=none" / "part-00000-of-a-crash.parquet"
    orphan.write_bytes(b"a text")
    monkeypatch.setattr(upkeep, "ORPHANED_FOR", timedelta(0))
    assert upkeep.main([]) == 0
    assert len(list(folder.rglob("*.parquet"))) == 2
    assert capsys.readouterr().out == "days=0 files=0 less\nlisted=2 erased=0\n"


def test_a_list_that_takes_too_long_leaves_no_old_files_and_is_applied_beside_a_busy_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    monkeypatch.setattr(upkeep, "REMOVED_FOR", timedelta(0))
    folder = tmp_path / "archive"
    archive(folder, *([row(n)] for n in range(6)))
    Erasures.beside(str(folder)).order(["x:3"], datetime.now(UTC), "a copy was restored")
    erasing, rewriting = upkeep.erase, upkeep.compact

    def breaks_off(*_: object) -> Removal:
        raise TimeoutError

    monkeypatch.setattr(upkeep, "erase", breaks_off)
    for files in (7, 1):  # what the rewrite replaced goes the next time
        with pytest.raises(TimeoutError):
            upkeep.main([])
        assert len(list(folder.rglob("*.parquet"))) == files

    def busy(uri: str, days: list[str]) -> int:
        rewriting(uri, days)
        raise ConflictError("repeat it")

    monkeypatch.setattr(upkeep, "erase", erasing)
    monkeypatch.setattr(upkeep, "compact", busy)
    assert upkeep.main([]) == 5
    told = capsys.readouterr()
    assert (told.out.splitlines()[-1], told.err) == ("listed=1 erased=1", "ConflictError: repeat it\n")
    assert len(list(folder.rglob("*.parquet"))) == 1


class Log:
    """A reader that knows publications of two months."""

    def published_months(self) -> list[str]:
        return ["2017-09", "2017-10"]

    def publications(self, months: list[str]) -> list[Publication]:
        days = {"2017-09": [30, 29], "2017-10": [1]}
        at = datetime(2017, 10, 2, tzinfo=UTC)
        return [Publication(date.fromisoformat(f"{m}-{day:02}"), 1, "r", at) for m in months for day in days[m]]


def test_without_a_range_runs_of_all_days_since_the_first_published_one_are_looked_at() -> None:
    asked = maintenance.asked_days
    reader, today = Log(), date(2017, 10, 2)
    assert asked(reader, None, None, today) == tuple(date(2017, 9, 29) + timedelta(days=n) for n in range(4))  # type: ignore[arg-type]
    assert asked(reader, datetime(2017, 10, 1), None, today) == (date(2017, 10, 1), today)  # type: ignore[arg-type]  # noqa: DTZ001
    reader.published_months = list  # type: ignore[method-assign]
    assert asked(reader, None, None, today) == ()  # type: ignore[arg-type]
