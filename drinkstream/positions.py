"""How far the archive has come in Kafka, kept beside its table: next offsets by partition, and the gaps left behind.

The table itself says which offsets it holds, but erasing its newest rows lowers its highest offset, and a restart from
there would fetch erased posts again. So the query keeps the positions it reached in a small file too, and with which of
the table's versions: where the table has that one no more, an older copy of it was put back.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drinkstream.errors import BadInputError, IntegrityError

Positions = dict[tuple[str, int], int]
"""(topic, partition) -> the next offset to take, which is one more than the highest offset taken."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The offsets `start <= offset < until` of one Kafka partition."""

    cluster: str
    topic: str
    partition: int
    start: int
    until: int

    @property
    def size(self) -> int:
        """Number of offsets."""
        return self.until - self.start

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition} offsets {self.start} to {self.until - 1}"


@dataclass(frozen=True, slots=True)
class Gap:
    """Records that Kafka no longer held when the archive came for them; `when` is RFC 3339 in UTC."""

    span: Span
    when: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Kafka's partition ended at `end` though all before `archived` is archived; `when` is RFC 3339 in UTC."""

    cluster: str
    topic: str
    partition: int
    end: int
    archived: int
    when: str

    def __str__(self) -> str:
        return (
            f"{self.topic}/{self.partition} ended at offset {self.end} but {self.archived} are archived ({self.when})"
        )


def nothing_more(refused: Iterable[Refusal]) -> str:
    """The sentence about partitions that wait for a person's decision."""
    return f"the archive takes nothing more in: {'; '.join(map(str, refused))}: see the log of `archive`"


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of the table, and a digest of what its log says of it: no other table has both."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Held:
    """The rows of one Kafka partition: `rows` of them, `duplicates` of which repeat an offset; `islands` lie apart."""

    rows: int
    duplicates: int
    islands: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Ledger:
    """The two files beside the archive's table. Each is replaced atomically; writers take turns by a lock.

    `erased_file` is that of the erasure list (erasures.py), whose writers take turns with them.
    """

    positions_file: Path
    gaps_file: Path
    erased_file: Path
    lock_file: Path

    @classmethod
    def beside(cls, uri: str) -> "Ledger":
        """The ledger of the table at `uri`, a path or a `file:` address. Raises BadInputError for any other scheme."""
        path = uri.removeprefix("file://") if uri.startswith("file:///") else uri
        if "://" in path:
            raise BadInputError(f"the archive's positions can be kept beside a local table only, not beside {uri}")
        base = path.rstrip("/")
        names = (".positions.json", ".gaps.json", ".erased.jsonl", ".lock")
        return cls(*(Path(base + name) for name in names))

    def table(self) -> str | None:
        """Id of the Delta table that the positions belong to; None before the first start."""
        table = self._kept().get("table")
        return None if table is None else str(table)

    def commit(self) -> Commit | None:
        """The table's version that the positions were last kept with; None where that was not told."""
        commit = self._kept().get("commit")
        return None if commit is None else Commit(**commit)

    def positions(self, cluster: str) -> Positions:
        """Next offsets of Kafka cluster `cluster`: the highest kept, behind the recorded gaps that it has come to."""
        found: Positions = {}
        for topic, partitions in self._kept().get("positions", {}).get(cluster, {}).items():
            for partition, offset in partitions.items():
                found[topic, int(partition)] = int(offset)
        for span in sorted(gap.span for gap in self.gaps()):
            place = span.topic, span.partition
            if span.cluster == cluster and span.start <= found.get(place, 0):
                found[place] = max(span.until, found.get(place, 0))
        return found

    def gaps(self) -> tuple[Gap, ...]:
        """All recorded gaps, in the order in which they were met."""
        return tuple(
            Gap(Span(g["cluster"], g["topic"], g["partition"], g["from"], g["until"]), g["when"])
            for g in _read(self.gaps_file, [])
        )

    def advance(
        self, cluster: str, table: str, positions: Mapping[tuple[str, int], int], commit: Commit | None = None
    ) -> None:
        """Keep `positions` of `cluster` where they are further than what is kept, with the table's newest `commit`.

        Raises IntegrityError if the file belongs to a table with another id than `table`.
        """
        with self.alone():
            kept = self._kept()
            if kept.get("table", table) != table:
                raise IntegrityError(
                    f"{self.positions_file} belongs to another table ({kept['table']}, here {table}): "
                    "restore the archive's table, or move the file away to archive all that Kafka still holds again"
                )
            clusters = kept.get("positions", {})
            topics = clusters.setdefault(cluster, {})
            for (topic, partition), offset in positions.items():
                partitions = topics.setdefault(topic, {})
                partitions[str(partition)] = max(offset, int(partitions.get(str(partition), 0)))
            told = {} if commit is None else {"commit": asdict(commit)}
            _write(self.positions_file, kept | {"table": table, "positions": clusters} | told)

    def forget(self) -> None:
        """Keep no positions any more, nor the commit: the table was put back, and says itself how far it has come."""
        with self.alone():
            _write(self.positions_file, {k: v for k, v in self._kept().items() if k not in ("positions", "commit")})

    def refusals(self, cluster: str) -> dict[tuple[str, int], Refusal]:
        """The partitions (topic, partition) of `cluster` that nothing more is taken from until a person decides."""
        return {(one.topic, one.partition): one for one in self.every_refusal() if one.cluster == cluster}

    def taken_no_more(self, cluster: str, topic: str) -> str | None:
        """That nothing more of `topic` is taken from some of its partitions, in words; None where it is."""
        refused = [one for one in self.refusals(cluster).values() if one.topic == topic]
        return nothing_more(refused) if refused else None

    def every_refusal(self) -> tuple[Refusal, ...]:
        """Those of all clusters."""
        return tuple(Refusal(**row) for row in self._kept().get("refused", []))

    def refuse(self, refusal: Refusal) -> None:
        """Keep `refusal`, until a person removes the key `refused` from the file of the positions."""
        with self.alone():
            kept = self._kept()
            _write(self.positions_file, kept | {"refused": [*kept.get("refused", []), asdict(refusal)]})

    def record(self, gap: Gap) -> None:
        """Add `gap`; the position is behind it from then on."""
        with self.alone():
            span = gap.span
            row = {"cluster": span.cluster, "topic": span.topic, "partition": span.partition}
            row |= {"from": span.start, "until": span.until, "when": gap.when}
            _write(self.gaps_file, [*_read(self.gaps_file, []), row])

    def _kept(self) -> dict[str, Any]:
        kept: dict[str, Any] = _read(self.positions_file, {})
        return kept

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile."""
        self.lock_file.parent.mkdir(parents=True, exist_ok=True)
        with self.lock_file.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def furthest(*many: Mapping[tuple[str, int], int]) -> Positions:
    """For each partition named anywhere in `many`, the furthest next offset."""
    result: Positions = {}
    for positions in many:
        for place, offset in positions.items():
            result[place] = max(offset, result.get(place, 0))
    return result


def _read(path: Path, empty: Any) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return empty
    except ValueError as error:
        raise IntegrityError(
            f"{path} is damaged ({error}): restore it, or move it away and check the archive"
        ) from error


def _write(path: Path, content: Any) -> None:
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    with aside.open("w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    settle(path.parent)  # else a power cut may bring the old file back


def settle(folder: Path) -> None:
    """Makes the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def missing(held: Held | None, place: tuple[str, str, int], until: int, excused: Iterable[Span]) -> tuple[Span, ...]:
    """The offsets of `place` (cluster, topic, partition) below `until` that are neither archived nor excused.

    `excused` are spans of any partition: recorded gaps, and offsets that were erased.
    """
    known = [*(held.islands if held else ()), *(s for s in excused if (s.cluster, s.topic, s.partition) == place)]
    holes = []
    reached = 0
    for span in sorted(known):
        if span.start > reached:
            holes.append(Span(*place, reached, min(span.start, until)))
        reached = max(reached, span.until)
    if reached < until:
        holes.append(Span(*place, reached, until))
    return tuple(hole for hole in holes if hole.size > 0)
