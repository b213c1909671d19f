"""The facts about one post: asks the archive and the store, and decides nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from drinkstream import meaning
from drinkstream.archive import Row
from drinkstream.cells import hour_of
from drinkstream.edits import time_in_id
from drinkstream.merge import Publication, choose, snapshot
from drinkstream.post import NO_DAY, day_of
from drinkstream.standing import read
from drinkstream.store.read import CellIds, EpochRow, Run
from drinkstream.taxonomy_kept import counted_in
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
    def taxonomy(self, meaning: str) -> dict[str, str]: ...
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
    found = _Found(store, source, post_id, [(hour_of(start), start // 60_000 % 60) for start in sorted(starts)])
    return Facts(
        source=source,
        id=post_id,
        rows=rows,
        files=archive.files_of(rows),
        days=days,
        held=held,
        choices=tuple(choose(day, state) for day in of),
        runs=tuple(found.of_run(state.publications[day]) for day in of if day in state.publications),
        epoch=found.of_epoch(current) if current is not None else None,
        topic=topic,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """Looks a post up in the cells of its minutes (hour, minute): by the categories that a run or an epoch had."""

    store: Cells
    source: str
    post_id: str
    places: list[tuple[str, int]]

    def of_run(self, publication: Publication) -> RunFacts:
        run, day = self.store.run(publication.day, publication.run_id), str(publication.day)
        known = self._categories(run.meaning if run is not None else meaning.version())
        cells = (
            self.store.batch_minute(publication.run_id, *place, known) for place in self.places if place[0][:10] == day
        )
        return RunFacts(publication, run, self._holding(cells))

    def of_epoch(self, epoch: EpochRow) -> EpochFacts:
        known = self._categories(epoch.meaning)
        return EpochFacts(
            epoch, self._holding(self.store.speed_minute(epoch.epoch, *place, known) for place in self.places)
        )

    def _categories(self, version: str) -> tuple[str, ...]:
        return counted_in({} if version == meaning.version() else self.store.taxonomy(version))

    def _holding(self, found: Iterable[Iterable[CellIds]]) -> frozenset[CellName]:
        return frozenset(
            cell[:7] for cells in found for cell in cells if cell.source == self.source and cell.holds(self.post_id)
        )
