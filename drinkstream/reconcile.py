"""What two layers say of one cell, compared id by id, and why each id stands in one of them only. Pure.

The cause is worked out from the records of a post that the archive holds, read under the meaning that is installed:
what each version of it counts in, which of them the run and the speed layer had before them, and which deletes.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from drinkstream.cells import MINUTE_MS, Level, hour_of, pack, unpack
from drinkstream.post import Post

CellName = tuple[str, int, str, str, str, str, str]
"""(hour, minute, category, brand, source, kind, lang)"""

PostName = tuple[str, str]
"""(source, id)"""

Side = Literal["batch", "speed"]
"""The layer that has the id."""


class Cause(StrEnum):
    """Why one layer counts a post in a cell and the other does not. Each (cell, post) has exactly one."""

    DELETED = "deleted"
    EDITED = "edited"
    OTHER_VERSION = "other_version"
    MEANING_CHANGED = "meaning_changed"
    ARRIVED_AFTER = "arrived_after"
    SPEED_COULD_NOT_ANSWER = "speed_could_not_answer"
    UNPARSABLE_THEN = "unparsable_then"
    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell whose ids differ; ids are in the order of cells.py's codec."""

    cell: CellName
    batch_n: int
    speed_n: int
    only_batch: tuple[str, ...]
    only_speed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attributed:
    """The part of a difference that has one cause. `batch_n` and `speed_n` are those of the whole cell."""

    cell: CellName
    cause: Cause
    batch_n: int
    speed_n: int
    only_batch: tuple[str, ...]
    only_speed: tuple[str, ...]


class Place(NamedTuple):
    """Where a record lies in Kafka."""

    cluster: str
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Version:
    """One archived record of a post, as it is read now.

    `cells` are all that it counts in; none where it names no drink, or cannot be read (`readable`). `rejected_then`: it
    was rejected when it was collected, or when the run read it.
    """

    place: Place
    append_ms: int
    edited: bool = False
    cells: frozenset[CellName] = frozenset()
    readable: bool = True
    rejected_then: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What the archive knows of one post: its versions, and where the tombstones lie that remove it.

    `removed_by_id`: those that name a later version by its own id, each with the records that name this id as the
    post's. Of a post that was `erased` nothing is left to compare.
    """

    versions: tuple[Version, ...] = ()
    removed: tuple[Place, ...] = ()
    erased: bool = False
    removed_by_id: tuple[tuple[Place, tuple[Place, ...]], ...] = ()

    def orders(self, saw: Callable[[Place], bool]) -> frozenset[Place]:
        """The tombstones that remove the post for who saw these records."""
        by_id = (place for place, naming in self.removed_by_id if saw(place) and any(saw(one) for one in naming))
        return frozenset([*filter(saw, self.removed), *by_id])


@dataclass(frozen=True, slots=True)
class Layers:
    """What each layer had before it, and by which meaning it counted; `meaning` is the one the facts are read under.

    `position`: the run's next offsets by `cluster/topic/partition`. `first` and `processed`: the offsets of the epoch
    by partition, of `topic` in `cluster`.
    """

    meaning: str
    batch_meaning: str
    speed_meaning: str
    position: Mapping[str, int]
    cluster: str
    topic: str
    first: Mapping[str, int]
    processed: Mapping[str, int]

    @property
    def same_meaning(self) -> bool:
        """Whether both layers counted by one meaning."""
        return self.batch_meaning == self.speed_meaning

    def run_saw(self, place: Place) -> bool:
        """Whether the run read the record."""
        return in_position(self.position, place)

    def speed_saw(self, place: Place) -> bool:
        """Whether the epoch has counted the record, or left it out on purpose."""
        if (place.cluster, place.topic) != (self.cluster, self.topic):
            return False
        partition = str(place.partition)
        return self.first.get(partition, 0) <= place.offset < self.processed.get(partition, 0)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of comparing a run with the speed layer at `at` (UTC).

    `causes` counts posts by every cause, 0 where there is none; a post with two causes, in two cells, counts in both.
    `answered` is False where the speed layer could not answer for the day at all: then `only_batch` are all posts of
    the run, and no cell is listed. `epoch` and `speed_meaning` are empty where no epoch was current.
    """

    day: date
    run_id: str
    at: datetime
    epoch: str
    batch_meaning: str
    speed_meaning: str
    answered: bool
    cells: int
    only_batch: int
    only_speed: int
    causes: Mapping[str, int] = field(default_factory=dict)


def compare(batch: Mapping[CellName, Iterable[str]], speed: Mapping[CellName, Iterable[str]]) -> tuple[Difference, ...]:
    """The cells whose sets of ids differ, in order; a cell that one layer lacks is an empty set there."""
    found = []
    for cell in sorted(batch.keys() | speed.keys()):
        in_batch, in_speed = set(batch.get(cell, ())), set(speed.get(cell, ()))
        if in_batch != in_speed:
            only_batch, only_speed = unpack(pack(in_batch - in_speed)), unpack(pack(in_speed - in_batch))
            found.append(Difference(cell, len(in_batch), len(in_speed), only_batch, only_speed))
    return tuple(found)


def in_position(position: Mapping[str, int], place: Place) -> bool:
    """Whether a record lies before the next offsets `position`, by `cluster/topic/partition`."""
    return place.offset < position.get(f"{place.cluster}/{place.topic}/{place.partition}", 0)


def cells_of(post: Post, counted: Iterable[Level]) -> frozenset[CellName]:
    """Every cell that one version of a post counts in, given its levels."""
    hour, minute = hour_of(post.event_ms), post.event_ms // MINUTE_MS % 60
    return frozenset((hour, minute, *level, post.source, post.kind, post.lang) for level in counted)


def within(batch_n: int, speed_n: int, relative: float, absolute: int) -> bool:
    """Whether two totals are close enough: they differ by at most `absolute`, or `relative` of the larger one."""
    return abs(batch_n - speed_n) <= max(absolute, relative * max(batch_n, speed_n))


def posts_of(differences: Iterable[Difference]) -> set[PostName]:
    """Every post that stands in one layer only, in any cell."""
    return {(found.cell[4], post_id) for found in differences for post_id in (*found.only_batch, *found.only_speed)}


def attribute(
    differences: Iterable[Difference], known: Mapping[PostName, Known], layers: Layers
) -> tuple[Attributed, ...]:
    """Each difference in parts of one cause, in the order of cells and causes; no id is lost and none stands twice."""
    parts = []
    for found in differences:
        ids: dict[Cause, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for post_id in found.only_batch:
            ids[cause("batch", found.cell, known.get((found.cell[4], post_id), Known()), layers)][0].append(post_id)
        for post_id in found.only_speed:
            ids[cause("speed", found.cell, known.get((found.cell[4], post_id), Known()), layers)][1].append(post_id)
        for why, (only_batch, only_speed) in sorted(ids.items()):
            parts.append(
                Attributed(found.cell, why, found.batch_n, found.speed_n, tuple(only_batch), tuple(only_speed))
            )
    return tuple(parts)


def cause(side: Side, cell: CellName, post: Known, layers: Layers) -> Cause:
    """Why only the layer `side` counts a post in a cell.

    What a layer counted by the installed meaning is checked against the records; what it counted by another one cannot
    be, so there only what the layers had before them is looked at.
    """
    return _only_speed(cell, post, layers) if side == "speed" else _only_batch(cell, post, layers)


def chosen(versions: Sequence[Version]) -> Version | None:
    """The version that a run counts: the last one marked as an edit, else the first; by append time and place."""
    in_order = sorted((v for v in versions if v.readable), key=lambda v: (v.append_ms, *v.place[2:]))
    edits = [version for version in in_order if version.edited]
    return edits[-1] if edits else next(iter(in_order), None)


def tally(parts: Iterable[Attributed]) -> dict[str, int]:
    """Distinct posts by cause, every cause named."""
    posts: dict[Cause, set[PostName]] = {why: set() for why in Cause}
    for part in parts:
        posts[part.cause] |= {(part.cell[4], post_id) for post_id in (*part.only_batch, *part.only_speed)}
    return {str(why): len(found) for why, found in posts.items()}


def _only_speed(cell: CellName, post: Known, layers: Layers) -> Cause:
    if post.orders(layers.run_saw):
        return Cause.DELETED
    if post.erased:
        return Cause.ARRIVED_AFTER
    counted = _counted(post, layers)
    # the offsets are read before the cells, which may so hold a little more
    processed = [v for v in post.versions if layers.speed_saw(v.place)] or list(post.versions)
    here = [v for v in processed if cell in v.cells] or [v for v in post.versions if cell in v.cells]
    if layers.speed_meaning == layers.meaning:
        witnesses = here
    elif layers.same_meaning:
        # by their own meaning what the run counted is not in this cell, so another version is
        witnesses = here = [version for version in processed if version != counted]
    else:
        witnesses = here or processed
    if not witnesses:
        return Cause.UNEXPLAINED
    if not any(layers.run_saw(version.place) for version in witnesses):
        return Cause.ARRIVED_AFTER
    checked = layers.meaning in (layers.batch_meaning, layers.speed_meaning)
    if here and counted is not None and not (checked and cell in counted.cells):
        return Cause.EDITED if counted.edited else Cause.OTHER_VERSION
    if layers.batch_meaning == layers.meaning and counted is not None and cell in counted.cells:
        return Cause.UNEXPLAINED
    return _changed(post, layers)


def _only_batch(cell: CellName, post: Known, layers: Layers) -> Cause:
    if post.erased:
        return Cause.DELETED
    counted = _counted(post, layers)
    if layers.batch_meaning == layers.meaning and (counted is None or cell not in counted.cells):
        return Cause.UNEXPLAINED
    seen = [version for version in post.versions if layers.run_saw(version.place)]
    witnesses = seen if counted is None else [counted]
    if witnesses and not any(layers.speed_saw(version.place) for version in witnesses):
        return Cause.SPEED_COULD_NOT_ANSWER
    processed = [version for version in post.versions if layers.speed_saw(version.place)]
    if layers.speed_meaning == layers.meaning and any(cell in version.cells for version in processed):
        return Cause.UNEXPLAINED
    return _changed(post, layers)


def _changed(post: Known, layers: Layers) -> Cause:
    if layers.same_meaning or not post.versions:
        return Cause.UNEXPLAINED
    then = any(version.rejected_then for version in post.versions)
    return Cause.UNPARSABLE_THEN if then else Cause.MEANING_CHANGED


def _counted(post: Known, layers: Layers) -> Version | None:
    return chosen([version for version in post.versions if layers.run_saw(version.place)])
