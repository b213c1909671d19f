"""The facts about one post: asks the archive and the store, and decides nothing."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Protocol

from drinkstream.archive import Row
from drinkstream.cells import ANY, hour_of
from drinkstream.edits import time_in_id
from drinkstream.merge import Publication, choose, snapshot
from drinkstream.post import NO_DAY, day_of
from drinkstream.standing import read
from drinkstream.store.read import CellIds, EpochRow, Run
from drinkstream.taxonomy import load
from drinkstream.why import CellName, EpochFacts, Facts, RunFacts, minutes


class Records(Protocol):
    """What is asked of the archive; drinkstream.archive.Archive is one."""

    def records(self, keys: Iterable[str], *days: str) -> list[Row]: ...
    def days(self) -> dict[str, int]: ...
    def files_of(self, rows: Iterable[Row]) -> dict[Row, str]: ...
    def at(self, topic: str, places: Iterable[tuple[int, int]], *days: str) -> list[Row]: ...


class Cells(Protocol):
    """What is asked of the store; drinkstream.store.read.Reader is one."""

    def publications(self, months: Iterable[str]) -> list[Publication]: ...
    def epochs(self) -> list[EpochRow]: ...
    def run(self, day: date, run_id: str) -> Run | None: ...
    def batch_minute(self, run_id: str, hour: str, minute: int, categories: Iterable[str]) -> Iterator[CellIds]: ...
    def speed_minute(self, epoch: str, hour: str, minute: int, categories: Iterable[str]) -> Iterator[CellIds]: ...


def gather(archive: Records, store: Cells, topic: str, source: str, post_id: str) -> Facts:
    """All that is known of a post; `topic` is counted live. Raises UnavailableError without the archive or the store.

    The archive is searched under the day that the id carries and the one of no day; under all where the id carries
    none, or nothing was found.
    """
    key = f"{source}:{post_id}"
    carried = time_in_id(source, post_id)
    days = (day_of(carried), NO_DAY) if carried is not None else None
    rows = archive.records([key], *days) if days is not None else []
    if not rows:
        rows, days = archive.records([key]), None
    held = tuple(sorted(day for day in archive.days() if day != NO_DAY)) if not rows else ()
    starts = minutes(source, post_id, read(rows))
    of = sorted({date.fromisoformat(day_of(ms)) for ms in starts})
    current = next((row for row in store.epochs() if row.status == "current"), None)
    state = snapshot(store.publications(sorted({str(day)[:7] for day in of})), current.as_epoch if current else None)
    categories = (ANY, *load().categories)

    def holding(cells: Iterable[CellIds]) -> Iterator[CellName]:
        return (cell[:7] for cell in cells if cell.source == source and cell.holds(post_id))

    runs = [
        RunFacts(
            state.publications[day],
            store.run(day, state.publications[day].run_id),
            frozenset(
                cell
                for hour, minute in _places(starts)
                if hour[:10] == str(day)
                for cell in holding(store.batch_minute(state.publications[day].run_id, hour, minute, categories))
            ),
        )
        for day in of
        if day in state.publications
    ]
    epoch = (
        EpochFacts(
            current,
            frozenset(
                cell
                for hour, minute in _places(starts)
                for cell in holding(store.speed_minute(current.epoch, hour, minute, categories))
            ),
        )
        if current is not None
        else None
    )
    return Facts(
        source=source,
        id=post_id,
        rows=rows,
        files=archive.files_of(rows),
        days=days,
        held=held,
        choices=tuple(choose(day, state) for day in of),
        runs=tuple(runs),
        epoch=epoch,
        topic=topic,
    )


def _places(starts: Iterable[int]) -> list[tuple[str, int]]:
    return [(hour_of(start), start // 60_000 % 60) for start in sorted(starts)]
