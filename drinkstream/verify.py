"""Whether an evidence bundle holds: its parts are those that it was made of, and this archive gives the same ids again.

parts        from the file, each with the hash that its manifest says              bundle.unpack
days         published ones are counted again from the archive's records           recount.py
answer       its numbers are those of the bundle's own ids, of whatever day           bundle_answer.faults
hash         of the bundle with the ids that were found here; equal or not
differences  where it is not: each post and why                                    `Difference`
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from drinkstream import meaning
from drinkstream.archive import Row
from drinkstream.bundle import cells_of_part, cells_part, whole
from drinkstream.bundle_answer import Cells, Run, faults, part, read
from drinkstream.cells import Level
from drinkstream.post import NO_DAY, Tombstone
from drinkstream.reconcile import CellName
from drinkstream.recount import KEYS_A_QUERY, Rows, about, before, in_parts, recount
from drinkstream.share import By, Filter, Total, concerns
from drinkstream.standing import by_post, order, removes, taken

UNPROVED = (
    "nothing here could be proved from the archive: only the bundle's own hashes, and its numbers by its own ids, were "
    "checked"
)


class Archived(Rows, Protocol):
    """What is asked of the archive; drinkstream.archive.Archive is one."""

    def positions(self, cluster: str) -> dict[tuple[str, int], int]: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """A post (`source:id`) of a day that counts in other cells in the bundle than it does here, and why."""

    day: str
    post: str
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.day} {self.post} {self.where}: {self.why}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it. `hash` is the bundle's, `found` that of what this archive gives; `notes` say what was looked at.

    `faults` are what does not fit in the bundle itself.
    """

    hash: str
    found: str
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether everything that can be checked is as the bundle says."""
        return self.hash == self.found and not self.differences and not self.faults


def verify(parts: Mapping[str, bytes], archive: Archived) -> Verdict:
    """Counts the published days of a bundle again. Raises IntegrityError for parts that make no sense.

    Raises UnavailableError where the archive cannot be read.
    """
    said = read(parts)
    rebuilt = dict(parts)
    notes: list[str] = []
    differences: list[Difference] = []
    ids: dict[str, Cells] = {}
    for day in said.days:
        name = f"ids/{day.day}.jsonl"
        if day.layer == "missing":
            notes.append(f"{day.day}: missing, and no number stands for it")
            continue
        there = ids[day.day] = cells_of_part(name, part(parts, name))
        run = day.run
        if run is None:
            notes.append(f"{day.day}: not final, so that only the bundle's own hashes and numbers could be checked")
            continue
        all_here = recount(archive, said.topic, day.day, run.position)
        here = {cell: found for cell, found in all_here.items() if asked_about(said.by, said.narrowed, cell)}
        rebuilt[name] = cells_part(here)
        if here == there:
            posts = len({(cell[4], one) for cell, found in here.items() for one in found})
            notes.append(f"{day.day}: {posts:,} posts in {len(here):,} cells as run {run.run_id} counted them")
        else:
            differences += _differences(archive, said.topic, day.day, run, there, here)
            notes += _lacking(archive, day.day, run)
        if run.meaning != meaning.version():
            notes.append(f"{day.day}: counted by meaning {run.meaning}; installed here is {meaning.version()}")
    if all(day.run is None for day in said.days):
        notes.append(UNPROVED)
    return Verdict(whole(parts), whole(rebuilt), tuple(notes), tuple(differences), faults(said, ids))


def asked_about(by: By, narrowed: Filter, cell: CellName) -> bool:
    """Whether the answer to a question counts the posts of a cell, in a numerator or in the denominator."""
    _, _, category, brand, source, kind, lang = cell
    admitted = narrowed.admits(Total(category, brand, source, kind, lang, 0))
    return admitted and concerns(by, narrowed, Level(category, brand))


def _differences(archive: Archived, topic: str, day: str, run: Run, there: Cells, here: Cells) -> list[Difference]:
    in_bundle, in_archive = _by_post(there), _by_post(here)
    names = sorted(n for n in in_bundle.keys() | in_archive.keys() if in_bundle.get(n) != in_archive.get(n))
    rows: dict[str, list[Row]] = {name: [] for name in names}
    for some in in_parts(names, KEYS_A_QUERY):
        mine = by_post(row for row in archive.records(some, day, NO_DAY) if row.topic == topic)
        for name in rows.keys() & mine.keys():
            rows[name] += [version.row for version in mine[name]]
    found = []
    for name in names:
        where = (
            "counts only here"
            if name not in in_bundle
            else "counts only in the bundle"
            if name not in in_archive
            else "counts in other cells here"
        )
        found.append(Difference(day, name, where, _why(day, run, name, rows[name])))
    return found


def _why(day: str, run: Run, name: str, rows: list[Row]) -> str:
    if not rows:
        return "no record of it is in this archive: it was erased, or never archived here"
    known = [row for row in rows if before(row, run.position)]
    if erased := [v.record for v in about(rows).get(name, ()) if isinstance(v.record, Tombstone) and _erases(v.record)]:
        return f"it was {order(erased[0])} from this archive since"
    if not known:
        return "all that this archive has of it came after the run's position"
    if run.meaning != meaning.version():
        return f"meaning differs: the run counted by {run.meaning}, installed here is {meaning.version()}"
    versions = about(known).get(name, ())
    orders = [order(v.record) for v in versions if isinstance(v.record, Tombstone) and removes(v.record)]
    choices = [choice.why for choice in taken(versions) if choice.day == day]
    return f"unexplained: by the same rules it is taken as {', '.join(orders or choices) or 'no post of the day'}"


def _erases(record: Tombstone) -> bool:
    return order(record) == "erased"


def _lacking(archive: Archived, day: str, run: Run) -> list[str]:
    """What this archive has not got to: the run had read further."""
    reached = {
        f"{cluster}/{topic}/{partition}": offset
        for cluster in {place.rsplit("/", 2)[0] for place in run.position}
        for (topic, partition), offset in archive.positions(cluster).items()
    }
    return [
        f"{day}: this archive holds {place} up to {reached.get(place, 0)}, and the run had read up to {until}"
        for place, until in sorted(run.position.items())
        if reached.get(place, 0) < until
    ]


def _by_post(cells: Cells) -> dict[str, frozenset[CellName]]:
    found: dict[str, set[CellName]] = {}
    for cell, ids in cells.items():
        for one in ids:
            found.setdefault(f"{cell[4]}:{one}", set()).add(cell)
    return {name: frozenset(names) for name, names in found.items()}
