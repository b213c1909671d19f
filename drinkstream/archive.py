"""The archive's edge (deltalake, pyarrow; no JVM): what its Delta table holds, read at one version."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError, TableNotFoundError

from drinkstream import offset_sets
from drinkstream.archive_search import holding
from drinkstream.edits import day_in, other_keys
from drinkstream.errors import UnavailableError, first_line
from drinkstream.positions import Commit, Held, Positions
from drinkstream.post import DAY_MS, NO_DAY, UNREAD, Notice, Post, Record, Rejected, Tombstone, parse_keyed, post_of

CLASSES = ("post", "tombstone", "notice", "rejected")
"""What a record can count as; a shape begins with one of them."""

ERASED_SHAPE = "tombstone.erase"
"""What stands in place of an erased record's shape."""

_KINDS: dict[type[Record], str] = {Post: "post", Tombstone: "tombstone", Notice: "notice", Rejected: "rejected"}
# one question names so many days at most: the engine's plan of a long one is as deep as it is long
_DAYS_A_QUERY = 30
_KEYS_A_QUERY = 5000
T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# as a number: Arrow makes Python times with the help of pandas, a second's import
_MS = "CAST(append_ts AS BIGINT) / 1000"
_APPEND_MS = f"{_MS} AS append_ms"


@dataclass(frozen=True, slots=True)
class Row:
    """One archived Kafka record. `append_ms` and `event_ms` are milliseconds since 1970 UTC."""

    day: str
    cluster: str
    topic: str
    partition: int
    offset: int
    append_ms: int
    key: str | None
    source: str | None
    shape: str | None
    event_ms: int | None
    value: bytes | None

    def record(self) -> Record:
        """What it is, by the parser as it is now."""
        return parse_keyed(self.value or b"", self.key, self.append_ms)


@dataclass(frozen=True, slots=True)
class Class:
    """What a record counts as: `kind` is one of CLASSES, and `reason` is why it is rejected."""

    source: str
    kind: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive at `uri`, as it is now, or, where `pinned` names a version of the table, as it was then.

    Every method raises UnavailableError while there is no table (or no longer that version).
    """

    uri: str
    pinned: int | None = None

    def exists(self) -> bool:
        """Whether there is a table at all."""
        return bool(DeltaTable.is_deltatable(self.uri))

    def version(self) -> int:
        """The table's version."""
        return int(self._table().version())

    def commit(self, version: int | None = None) -> Commit | None:
        """The newest version, or this one, with the digest of what the log says of it; None where it says nothing."""
        number = self.version() if version is None else version
        try:
            # a local file, as the ledger is
            said = Path(self.uri.removeprefix("file://"), "_delta_log", f"{number:020}.json").read_bytes()
        except FileNotFoundError:
            return None
        return Commit(number, sha256(said).hexdigest())

    def stored_files(self) -> list[dict[str, Any]]:
        """The files of the table, each with its `path` (in the table's folder), `size_bytes` and `partition.day`."""
        actions = pa.table(self._table().get_add_actions(flatten=True))
        files = actions.select(["path", "size_bytes", "partition.day"]).to_pylist()
        return [{**file, "path": unquote(file["path"])} for file in files]  # the log has it as a URI does

    def at_version(self, version: int) -> "Archive":
        """The archive as it was at `version` of its table."""
        return replace(self, pinned=version)

    def table_id(self) -> str:
        """The table's unique id: a table made anew has another."""
        return str(self._table().metadata().id)

    def positions(self, cluster: str) -> Positions:
        """Next offset of each Kafka partition of `cluster` by the rows alone: one more than the highest archived.

        The ledger (positions.py) may be further: the newest rows may have been erased, or a gap lie behind them.
        """
        return {(topic, partition): end for (of, topic, partition), end in self.ends().items() if of == cluster}

    def ends(self) -> dict[tuple[str, str, int], int]:
        """As `positions`, for each (cluster, topic, partition)."""
        columns = 'cluster, topic, "partition", max("offset") + 1 AS next'
        rows = self._select(columns, end='GROUP BY cluster, topic, "partition"')
        return {(row["cluster"], row["topic"], row["partition"]): row["next"] for row in rows}

    def days(self) -> dict[str, int]:
        """Rows of each event day (`YYYY-MM-DD`, or `none`), of all topics, by day."""
        return self._by_day("TRUE")

    def rows_by_day(self, topic: str) -> dict[str, int]:
        """Rows of `topic` under each event day (`YYYY-MM-DD`, or `none`)."""
        return self._by_day(f"topic = {_quoted(topic)}")

    def posts_by_day(self, topic: str) -> dict[str, int]:
        """Rows of `topic` under each event day that are posts by their headers, or may be one.

        What no header classes only the parser can tell, and an erased record keeps its row, whatever it was.
        """
        post = f"shape IS NULL OR shape LIKE 'post%' OR shape = {_quoted(ERASED_SHAPE)}"
        return self._by_day(f"topic = {_quoted(topic)} AND ({post})")

    def other_topics(self, topic: str, days: Iterable[str]) -> dict[str, list[str]]:
        """Of `days` those under which posts, by their headers, of other topics than `topic` lie: these topics."""
        where = f"topic <> {_quoted(topic)} AND shape LIKE 'post%' AND {_among('day', days)}"
        found: dict[str, list[str]] = {}
        for row in self._select("DISTINCT day, topic", where, "ORDER BY day, topic"):
            found.setdefault(row["day"], []).append(row["topic"])
        return found

    def files(self) -> dict[str, int]:
        """Number of files under each day."""
        return dict(Counter(file["partition.day"] for file in self.stored_files()))

    def newest(self, topic: str, since: datetime) -> datetime | None:
        """Append time (UTC) of the newest archived record of `topic`; None where none was appended `since` or later.

        Files that end before `since` are not looked into, however long the archive is.
        """
        later = f"append_ts >= to_timestamp({_quoted(since.astimezone(UTC).isoformat())})"
        (row,) = self._select("CAST(max(append_ts) AS BIGINT) AS us", f"topic = {_quoted(topic)} AND {later}")
        return None if row["us"] is None else _EPOCH + timedelta(microseconds=row["us"])

    def days_before(self, topic: str, cluster: str, begin: Mapping[int, int]) -> frozenset[date]:
        """The event days of the archived records of `topic` that the Kafka cluster `cluster` does not hold (any more).

        `begin` are its first offsets by partition; what came from any other cluster it does not hold.
        """
        held = " OR ".join(f'("partition" = {p} AND "offset" >= {offset})' for p, offset in sorted(begin.items()))
        rows = self._select(
            "DISTINCT day",
            f"topic = {_quoted(topic)} AND day <> {_quoted(NO_DAY)} "
            f"AND NOT (cluster = {_quoted(cluster)} AND ({held or 'FALSE'}))",
        )
        return frozenset(date.fromisoformat(row["day"]) for row in rows)

    def first_appends(self, topic: str, cluster: str) -> dict[str, int]:
        """Append time (ms since 1970) of the first record of `topic` from `cluster` that lies under each event day.

        Of `none` all is looked at that may be a post: what no header classes the parser may date.
        """
        where = f"topic = {_quoted(topic)} AND cluster = {_quoted(cluster)}"
        where += f" AND (day <> {_quoted(NO_DAY)} OR shape IS NULL OR shape LIKE 'post%')"
        rows = self._select(f"day, min({_MS}) AS ms", where, "GROUP BY day")
        return {row["day"]: row["ms"] for row in rows}

    def pending(self, topic: str, counted: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        """Records of `topic` (tombstones are some) archived under each day since it was counted, by day.

        `counted`: for each day, the next offset of each Kafka partition (`cluster/topic/partition`) when its run began.
        Records of `none` are not looked into, since only the parser knows whether one belongs to the day.
        """
        found = dict.fromkeys(counted, 0)
        for days in _in_parts(counted.items(), _DAYS_A_QUERY):
            where = " OR ".join(f"(day = {_quoted(day)} AND NOT ({_before(places)}))" for day, places in days)
            for row in self._select("day, count(*) AS n", f"topic = {_quoted(topic)} AND ({where})", "GROUP BY day"):
                found[row["day"]] = row["n"]
        return found

    def came_in(self, topic: str, days: Iterable[str]) -> frozenset[str]:
        """Those of `days` that hold a record of `topic` which Kafka took on the day itself (UTC)."""
        where = f"topic = {_quoted(topic)} AND {_among('day', days)}"
        rows = self._select(f"DISTINCT day, {_MS} / {DAY_MS} AS came", where)
        return frozenset(
            row["day"] for row in rows if date.fromisoformat(row["day"]) == _EPOCH.date() + timedelta(days=row["came"])
        )

    def records(self, keys: Iterable[str], *days: str) -> list[Row]:
        """The rows about one of `keys` (`source:id`) in the order of arrival; under `days` only, where any is given.

        They have the key; or the line, which could not be read when it came, is now read as about one of them; or they
        are orders that name one of these posts by the id of a later version: also under the day that this id carries.
        """
        wanted = frozenset(keys)
        rows = self.keyed(wanted, *days)
        rows += [row for row, _ in self._unread_of(wanted, days) if row.key not in wanted]
        others = {key for row in rows if b"edit_history" in (row.value or b"") for key in other_keys(row.record())}
        late = self._unread_of(frozenset(others) - wanted, days)
        rows += [row for row, record in late if row.key not in wanted and isinstance(record, Tombstone)]
        rows += [row for row in self.orders(others, *days) if row.key not in wanted or (days and row.day not in days)]
        return sorted(rows, key=lambda row: (row.append_ms, row.partition, row.offset))

    def orders(self, keys: Iterable[str], *days: str) -> list[Row]:
        """The orders with one of `keys`, under `days`, where any is given, and under those that their ids carry."""
        found: list[Row] = []
        for part in _in_parts(sorted(keys), _KEYS_A_QUERY):
            under = dict.fromkeys([*days, *map(day_in, part)]) if days else ()
            # there are few, and to see that there are none the keys alone are read
            where = _among("key", part) + (f" AND {_among('day', under)}" if days else "")
            if held := [row["day"] for row in self._select("DISTINCT day", where)]:
                rows = ((row, row.record()) for row in self.keyed(part, *held))
                found += (row for row, said in rows if isinstance(said, Tombstone) and post_of(said) == row.key)
        return found

    def keyed(self, keys: Iterable[str], *days: str) -> list[Row]:
        """The rows with one of `keys` in the order of arrival; under `days` only, where any is given."""
        return list(self._rows(_among("key", sorted(keys)), days))

    def _unread_of(self, keys: frozenset[str], days: tuple[str, ...]) -> Iterator[tuple[Row, Record]]:
        """The rows whose lines could not be read when they came, and that are now read as about one of `keys`.

        Only lines in which an id of them stands are read: there may be very many that are nobody's.
        """
        sources = sorted({key.partition(":")[0] for key in keys})
        ranges = [(f"{source}:{UNREAD}", f"{source}:{chr(ord(UNREAD) + 1)}") for source in sources]
        # as a range, so that files without such a key are passed over
        where = " OR ".join(f"(key >= {_quoted(low)} AND key < {_quoted(high)})" for low, high in ranges)
        for row in self._holding(frozenset(key.partition(":")[2].encode() for key in keys), f"({where})", days):
            record = row.record()
            if post_of(record) in keys:
                yield row, record

    def containing(self, topic: str, parts: Iterable[bytes], *days: str) -> Iterator[Row]:
        """The rows of `topic` whose value has one of `parts` in it, in no order; under `days`, where any is given.

        It reads every value. Many parts are sought as whole words (letters, digits and _), few as they stand.
        """
        return self._holding(frozenset(parts), f"topic = {_quoted(topic)}", days)

    def _holding(self, parts: frozenset[bytes], where: str, days: tuple[str, ...]) -> Iterator[Row]:
        if not parts:
            return
        holds = holding(parts)
        columns = ", ".join(f'"{name}"' for name in Row.__slots__ if name != "append_ms")
        where += f" AND {_among('day', days)}" if days else ""
        for batch in self._batches(f"{columns}, {_APPEND_MS}", where):
            for at, hit in enumerate(holds(batch.column("value").cast(pa.large_binary()))):
                if hit:
                    yield Row(**batch.slice(at, 1).to_pylist()[0])

    def rejected(self, topic: str, reason: str | None = None) -> Iterator[Row]:
        """The rows of `topic` whose header says that the line was rejected when it came, by order of arrival."""
        shape = "shape LIKE 'rejected.%'" if reason is None else f"shape = {_quoted(f'rejected.{reason}')}"
        return self._rows(f"topic = {_quoted(topic)} AND {shape}", ())

    def at(self, topic: str, places: Iterable[tuple[int, int]], *days: str) -> list[Row]:
        """The rows of `topic` at these places (partition, offset), of any cluster, under `days`; by arrival."""
        named = [f'("partition" = {int(p)} AND "offset" = {int(offset)})' for p, offset in sorted(set(places))]
        where = " OR ".join(named) or "FALSE"
        return list(self._rows(f"topic = {_quoted(topic)} AND ({where})", days))

    def _rows(self, where: str, days: tuple[str, ...]) -> Iterator[Row]:
        columns = ", ".join(f'"{name}"' for name in Row.__slots__ if name != "append_ms")
        where += f" AND {_among('day', days)}" if days else ""
        for row in self._select(f"{columns}, {_APPEND_MS}", where, 'ORDER BY append_ms, "partition", "offset"'):
            yield Row(**row)

    def under(self, topic: str, *days: str) -> Iterator[Row]:
        """Every row of `topic` that lies under `days` (`none` has to be named where it is meant), in no order."""
        yield from self._unsorted(f"topic = {_quoted(topic)} AND {_among('day', days)}")

    def appended(self, topic: str, first: datetime, until: datetime) -> Iterator[Row]:
        """Every row of `topic` that Kafka took from `first` to before `until`, whatever its day, in no order."""
        since, before = (f"TIMESTAMP {_quoted(when.astimezone(UTC).isoformat())}" for when in (first, until))
        yield from self._unsorted(f"topic = {_quoted(topic)} AND append_ts >= {since} AND append_ts < {before}")

    def files_of(self, rows: Iterable[Row]) -> dict[Row, str]:
        """The file of each row, relative to the table's folder. A row without a key, or that is gone, is left out."""
        wanted = {(r.cluster, r.topic, r.partition, r.offset): r for r in rows}
        if not wanted:
            return {}
        days = sorted({row.day for row in wanted.values()})
        where = ds.field("key").isin(sorted({row.key for row in wanted.values() if row.key is not None}))
        where &= ds.field("offset").isin(sorted({row.offset for row in wanted.values()}))
        found = {}
        try:
            table = self._table().to_pyarrow_dataset(file_pruning_predicate=[("day", "in", days)])
            for file in table.get_fragments(where):
                places = file.to_table(columns=["cluster", "topic", "partition", "offset"], filter=where)
                for held in places.to_pylist():
                    row = wanted.get((held["cluster"], held["topic"], held["partition"], held["offset"]))
                    if row is not None:
                        found[row] = str(file.path)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error
        return found

    def classes(self, topic: str, cluster: str) -> Counter[Class]:
        """What the rows of `topic` from `cluster` count as. Their number is the sum: every row is in one class.

        The header `shape` says it; a row without one that can be read is parsed here, by the one parser.
        """
        where = f"topic = {_quoted(topic)} AND cluster = {_quoted(cluster)}"
        stated = _among("coalesce(split_part(shape, '.', 1), '')", CLASSES)
        counts: Counter[Class] = Counter()
        columns = "source, shape, key IS NULL AS keyless"
        end = "GROUP BY source, shape, keyless"
        for row in self._select(f"{columns}, count(*) AS n", f"{where} AND {stated}", end):
            kind, _, detail = row["shape"].partition(".")
            counts[_class(row["source"] or "", kind, detail, row["keyless"])] += row["n"]
        for row in self._select(f"source, key, {_APPEND_MS}, value", f"{where} AND NOT {stated}"):
            record = parse_keyed(row["value"] or b"", row["key"], row["append_ms"])
            source = (row["key"] or "").partition(":")[0] or row["source"] or ""
            reason = record.reason if isinstance(record, Rejected) else ""
            counts[_class(source, _KINDS[type(record)], reason, row["key"] is None)] += 1
        return counts

    def held(self) -> dict[tuple[str, str, int], Held]:
        """For each (cluster, topic, partition): which offsets are archived, and how many rows repeat one."""
        (last,) = self._select('max("offset") AS offset')
        bands = range(0, (last["offset"] or 0) + 1, offset_sets.BAND)
        return offset_sets.held(
            run
            for first in bands
            for run in self._select(offset_sets.COLUMNS, end=offset_sets.ORDER, table=offset_sets.runs(first))
        )

    def _by_day(self, where: str) -> dict[str, int]:
        rows = self._select("day, count(*) AS n", where, "GROUP BY day ORDER BY day")
        return {row["day"]: row["n"] for row in rows}

    def _unsorted(self, where: str) -> Iterator[Row]:
        columns = ", ".join(f'"{name}"' for name in Row.__slots__ if name != "append_ms")
        return (Row(**row) for row in self._select(f"{columns}, {_APPEND_MS}", where))

    def _table(self) -> DeltaTable:
        try:
            return DeltaTable(self.uri, version=self.pinned)
        except TableNotFoundError:
            raise UnavailableError(
                f"no archive at {self.uri} yet: the archive query makes it at its first start"
            ) from None
        except (DeltaError, OSError) as error:
            if self.pinned is None or isinstance(error, OSError):
                raise self._unreadable(error) from error
            raise UnavailableError(f"{self.uri} has no version {self.pinned} (any more): {error}") from error

    def _unreadable(self, error: Exception) -> UnavailableError:
        return UnavailableError(f"the archive at {self.uri} could not be read: {first_line(error)}")

    def _select(
        self, columns: str, where: str = "TRUE", end: str = "", table: str = "archive"
    ) -> Iterator[dict[str, Any]]:
        for batch in self._batches(columns, where, end, table):
            yield from batch.to_pylist()

    def _batches(self, columns: str, where: str, end: str = "", table: str = "archive") -> Iterator[pa.RecordBatch]:
        # the engine takes no parameters: every value in these texts went through _quoted
        sql = f"SELECT {columns} FROM {table} WHERE {where} {end}"  # noqa: S608
        found = self._table()
        try:
            for batch in QueryBuilder().register("archive", found).execute(sql):
                yield pa.record_batch(batch)
        except Exception as error:
            if type(error) is not Exception:
                raise
            # the engine has no kind of its own for a file that it cannot read; the message names it
            raise self._unreadable(error) from error


def _class(source: str, kind: str, detail: str, keyless: bool) -> Class:
    if kind == "post" and keyless:
        return Class(source, "rejected", "key")  # its source stands in the key, so no layer can count it
    return Class(source, kind, detail if kind == "rejected" else "")


def _in_parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


def _before(places: Mapping[str, int]) -> str:
    terms = []
    for place, offset in places.items():
        cluster, topic, partition = place.rsplit("/", 2)
        where = f'cluster = {_quoted(cluster)} AND topic = {_quoted(topic)} AND "partition" = {int(partition)}'
        terms.append(f'({where} AND "offset" < {int(offset)})')
    return " OR ".join(terms) or "FALSE"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _among(expression: str, texts: Iterable[str]) -> str:
    listed = ", ".join(_quoted(text) for text in texts)
    # of a partition column, IN (NULL) would let every row pass
    return f"{expression} IN ({listed})" if listed else "FALSE"
