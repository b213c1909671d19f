"""What the merged answer must be, worked out from the records that were sent and from what was seen to happen to them.

It imports nothing of the program: cells come from tests/lib/oracle.py, holes and layers from the rules written here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from tests.lib.oracle import Cells, Label, Record, batch, count, read, speed

Offsets = dict[int, int]

KINDS = ("original", "reply", "quote", "repost")


@dataclass
class Life:
    """One life of the speed layer: where it began, what it must reach to answer, and the records that it took.

    `ended` are those of micro-batches all of whose rows were written, `begun` also those of the ones cut off. `written`
    is when the first of the former that has rows of a day began, `touched` the first of the latter, which may have
    written none of them; `gone` are the days with a post out of its reach, `doubtful` those with any record out of it.
    """

    cluster: str
    goal: Offsets
    reached: Offsets
    gone: frozenset[date]
    doubtful: frozenset[date]
    ended: dict[Record, None] = field(default_factory=dict)
    begun: dict[Record, None] = field(default_factory=dict)
    touched: dict[date, datetime] = field(default_factory=dict)
    written: dict[date, datetime] = field(default_factory=dict)
    began: dict[int, tuple[datetime, frozenset[date]]] = field(default_factory=dict)
    batches: int = 0
    newest: int = 0

    def begins(self, records: Iterable[Record], now: datetime, label: Label) -> int:
        """A micro-batch starts to write; its number, by which its end is told."""
        self.begun |= dict.fromkeys(records)
        days = frozenset(date.fromisoformat(cell[0]) for cell in speed(records, label))
        for day in days:
            self.touched.setdefault(day, now)
        self.batches += 1
        self.began[self.batches] = now, days
        return self.batches

    def ends(self, number: int, records: Iterable[Record], until: Offsets) -> None:
        """All rows of a micro-batch are written, be it by an orphan that was overtaken."""
        self.ended |= dict.fromkeys(records)
        began, days = self.began[number]
        for day in days:
            self.written[day] = min(began, self.written.get(day, began))
        if number > self.newest:
            self.newest, self.reached = number, until


@dataclass
class Run:
    """One recompute of one day: the records archived when it began, and how far it got."""

    day: date
    records: tuple[Record, ...]
    complete: bool = False
    passed: bool = False


@dataclass(frozen=True)
class Answer:
    """What may be shown of a day: its layer, and its cells; while rows are being written, from `least` to `most`."""

    layer: str
    least: Cells
    most: Cells


@dataclass
class Truth:
    """All that happened, as the test saw it. `log` is by day the runs published, in order."""

    label: Label
    ttl: timedelta
    current: Life | None = None
    log: dict[date, list[Run]] = field(default_factory=dict)

    def published(self, day: date) -> Run | None:
        """The run in force for a day."""
        return self.log[day][-1] if self.log.get(day) else None

    def answers(self, day: date, now: datetime) -> list[Answer]:
        """The answers of which one must be given; more than one only within a day of the end of rows' lives."""
        run = self.published(day)
        if run is not None:
            cells = _batch(run.records, self.label)
            return [_answer("batch", day, cells, cells)]
        life = self.current
        hole = [Answer("missing", {}, {})]
        if life is None or day in life.gone:
            return hole
        if now - life.written.get(day, now) >= self.ttl:
            return hole
        age = now - life.touched.get(day, now)
        shown = [_answer("speed", day, _speed(tuple(life.ended), self.label), _speed(tuple(life.begun), self.label))]
        near_its_end = age > self.ttl - timedelta(days=1, hours=1)
        return shown + hole if near_its_end or day in life.doubtful else shown


def out_of_reach(records: Iterable[tuple[Record, bool]]) -> tuple[frozenset[date], frozenset[date]]:
    """The days of the posts among records that are out of reach (the flag), and of posts and tombstones among them."""
    gone = [read(record) for record, beyond in records if beyond]
    posts = frozenset(_day(one.ms) for one in gone if one.what == "post")
    return posts, posts | {_day(one.ms) for one in gone if one.ms}


def differences(answer: Answer, found: Cells) -> list[str]:
    """Where found cells are not between the least and the most that may be shown."""
    wrong = []
    for cell in sorted(answer.most.keys() | answer.least.keys() | found.keys()):
        ids = found.get(cell, set())
        least, most = answer.least.get(cell, set()), answer.most.get(cell, set())
        if not least <= ids <= most:
            wrong.append(f"{cell}: {sorted(ids)} is not from {sorted(least)} to {sorted(most)}")
    return wrong


def bounds(answer: Answer, level: tuple[str, str]) -> tuple[int, int]:
    """The least and the most posts that a level may show."""
    least, most = (count(cells, *level, kinds=KINDS) for cells in (answer.least, answer.most))
    return least, most


def listed(cells: Cells, level: tuple[str, str]) -> set[str]:
    """The ids that a level lists, as source:id."""
    return {f"{cell[2]}:{post}" for cell, ids in cells.items() if cell[3:5] == level for post in ids}


def _answer(layer: str, day: date, least: Cells, most: Cells) -> Answer:
    def of_day(cells: Cells) -> Cells:
        return {cell: ids for cell, ids in cells.items() if cell[0] == str(day)}

    return Answer(layer, of_day(least), of_day(most))


def _day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()


@lru_cache(maxsize=256)
def _speed(records: tuple[Record, ...], label: Label) -> Cells:
    return speed(records, label)


@lru_cache(maxsize=256)
def _batch(records: tuple[Record, ...], label: Label) -> Cells:
    return batch(records, label)
