"""What the store's rows are once they are read. Import them from `drinkstream.store.read`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from drinkstream.cells import unpack
from drinkstream.merge import Epoch

CellKey = tuple[str, int, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to recompute a day. `totals`, `rejected`: counts by name; `position`: next offsets."""

    day: date
    run_id: str
    attempt: str
    asked_by: str
    meaning: str
    status: str
    started_at: datetime
    completed_at: datetime | None
    archive_version: int | None = None
    position: Mapping[str, int] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    audit: Mapping[str, Any] = field(default_factory=dict)

    @property
    def audited(self) -> bool:
        """Whether the run was audited and failed no gate."""
        return bool(self.audit) and not self.audit["failed"]

    @property
    def asks(self) -> tuple[str, ...]:
        """What the audit left to the person who approves the run, in words."""
        return tuple(self.audit.get("asks", ()))


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One life of the speed query as stored; offsets are by partition. `retired_at` is None until another answers."""

    epoch: str
    status: str
    meaning: str
    cluster: str
    started_at: datetime
    first_offsets: Mapping[str, int]
    catch_up: Mapping[str, int]
    processed: Mapping[str, int]
    watermark_s: int
    blind_days: frozenset[date]
    why: str = ""
    retired_at: datetime | None = None

    @property
    def as_epoch(self) -> Epoch:
        """What the merge needs to know of it."""
        return Epoch(self.epoch, self.meaning, self.blind_days)


NO_DAY_MARK = " (no day)"
"""Behind the reason of rejected records that lie under no day: every day's run has read them."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """`n` records that a run rejected for `reason`, and the places (partition, offset) of the first few.

    `dated`: they lie under the run's day, and not under the one of no day.
    """

    reason: str
    dated: bool
    n: int
    places: tuple[tuple[int, int], ...] = ()


def rejection(named: str, n: int, places: tuple[tuple[int, int], ...] = ()) -> Rejection:
    """That of a reason as a run's row names it."""
    return Rejection(named.removesuffix(NO_DAY_MARK), not named.endswith(NO_DAY_MARK), n, places)


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro-batch of the speed query. `ended_at` is None until all its rows are written.

    `hits` are its posts that name a drink, None until they are measured, and `append_to` the append time of the last.
    `hours`: of each hour that it touched the first minute (0..59) that it touched. `offsets`: the first and the next
    offset by partition.
    """

    batch_id: int
    started_at: datetime
    ended_at: datetime | None
    append_to: datetime | None
    rows_in: int
    hits: int | None
    hours: Mapping[str, int]
    offsets: Mapping[str, Sequence[int]] = field(default_factory=dict)


def stored_hours(first: Mapping[str, int]) -> set[str]:
    """Hours with the first minute touched in each, as a micro-batch's row has them.

    A web process that runs on from before an upgrade reads the form without a minute.
    """
    return {*first, *(f"{hour}:{minute:02}" for hour, minute in first.items())}


def first_minutes(stored: Iterable[str]) -> dict[str, int]:
    """The first minute touched by hour, from hours as they are stored; 0 where no minute was."""
    # sorted, an hour comes right before its form with a minute
    return {one[:13]: int(one[14:] or 0) for one in sorted(stored)}


class CellCount(NamedTuple):
    """`n` posts of one cell; `minute` counts from the start of the hour 'YYYY-MM-DDTHH'."""

    hour: str
    minute: int
    category: str
    brand: str
    source: str
    kind: str
    lang: str
    n: int


class CellIds(NamedTuple):
    """The ids of one cell, as a blob of cells.py's codec for each of its disjoint shards."""

    hour: str
    minute: int
    category: str
    brand: str
    source: str
    kind: str
    lang: str
    blobs: tuple[bytes, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, of all shards."""
        return tuple(post_id for blob in self.blobs for post_id in unpack(blob))

    def holds(self, post_id: str) -> bool:
        """Whether a post is among them."""
        return any(post_id in unpack(blob) for blob in self.blobs)
