"""Cassandra in memory, as far as the product's statements go: real bound statements in, rows as of the driver out.

It stands below drinkstream.store: the real Reader and Writer run above a `Session` of it. From schema.cql it takes the
tables, keys and types, so an unknown column or a value of the wrong type fails as it would on a server. It keeps what
decides who wins: each column of a row has its own timestamp, and the newer write wins (a deletion wins a tie, else the
greater value); an unlogged batch is a number of single rows in any order; INSERT IF NOT EXISTS is linear, and one that
timed out may have happened, or still happen; rows written to a table with a time to live are gone after it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cassandra import ConsistencyLevel, OperationTimedOut
from cassandra.protocol import ColumnMetadata
from cassandra.query import BatchStatement, BoundStatement, PreparedStatement

from drinkstream.store.session import named_rows
from tests.lib.cql import PROTOCOL, Statement, Table, decode, kind, parse, tables

FAULTS = ("lost", "happened", "in doubt")
"""What became of a conditional write whose answer was lost: nothing, all, or not yet known."""


class Value(NamedTuple):
    """One column of a row: when it was written (µs), its bytes (None: deleted), and until when it lives (None: on)."""

    written_us: int
    data: bytes | None
    until_us: int | None

    def beats(self, other: "Value | None") -> bool:
        """Whether this write wins over another of the same column, in whichever order they come."""
        if other is None:
            return True
        return (self.written_us, self.data is None, self.data or b"") >= (
            other.written_us,
            other.data is None,
            other.data or b"",
        )


Row = dict[str, Value]
"""The columns of a row by name; '' is the mark that an INSERT leaves, which keeps a row without values alive."""


@dataclass
class Store:
    """The data of all tables of `schema`. `now_us` is the servers' clock.

    `fault`, one of FAULTS, meets the next conditional write; `doubtful` are those of which is not known what became.
    """

    schema: list[str]
    now_us: Callable[[], int]
    fault: str | None = None
    doubtful: list[Callable[[], bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tables = tables(self.schema)
        self.rows: dict[str, dict[tuple[bytes, ...], dict[tuple[bytes, ...], Row]]] = {t: {} for t in self.tables}

    def session(self, gate: Callable[[], None] = lambda: None, order: int = 0) -> "Session":
        """A new session: `gate` is called before each write of a row, `order` seeds the order of rows in a batch."""
        return Session(self, gate, random.Random(order))

    def settle(self) -> None:
        """Conditional writes in doubt happen now, as any read or write at SERIAL makes them."""
        while self.doubtful:
            self.doubtful.pop(0)()

    def write(self, table: Table, values: dict[str, bytes | None], written_us: int, mark: bool) -> None:
        """One row's write: its key and columns as bytes."""
        until = self.now_us() + table.ttl_us if table.ttl_us else None
        partition = tuple(_key(values[name]) for name in table.partition)
        row = (
            self.rows[table.name]
            .setdefault(partition, {})
            .setdefault(tuple(_key(values[name]) for name in table.clustering), {})
        )
        columns = {name: data for name, data in values.items() if name not in table.key}
        for name, data in {**columns, **({"": b""} if mark else {})}.items():
            value = Value(written_us, data, until)
            if value.beats(row.get(name)):
                row[name] = value

    def insert_if_absent(self, table: Table, values: dict[str, bytes | None]) -> bool:
        """Whether the row was not there, and so was written."""
        self.settle()
        if list(self.select(table, {name: values[name] for name in table.key}, {})):
            return False
        self.write(table, values, self.now_us(), mark=True)
        return True

    def select(
        self, table: Table, equal: dict[str, bytes | None], above: dict[str, Any]
    ) -> Iterator[dict[str, bytes | None]]:
        """The live rows of a partition (of all partitions where `equal` is empty), in the order of their keys."""
        now = self.now_us()
        wanted = tuple(_key(equal[name]) for name in table.partition) if equal else None
        found = self.rows[table.name]
        for partition in found if wanted is None else (wanted,) if wanted in found else ():
            in_order = sorted(found[partition], key=lambda key: _values(table, key), reverse=table.newest_first)
            for clustering in in_order:
                key: dict[str, bytes | None] = dict(zip(table.key, partition + clustering, strict=True))
                if any(key[name] != data for name, data in equal.items()):
                    continue
                if any(not decode(table.types[name], key[name]) > least for name, least in above.items()):
                    continue
                row = found[partition][clustering]
                live = {name: v for name, v in row.items() if v.until_us is None or v.until_us > now}
                if any(value.data is not None for value in live.values()):
                    yield key | {name: live[name].data if name in live else None for name in table.plain}


class Session:
    """What the product uses of the driver's Session. Statements without a timestamp get one when they are sent.

    `gate` and `order` are as in Store.session, and may be set anew.
    """

    def __init__(self, store: Store, gate: Callable[[], None], order: random.Random) -> None:
        self._store = store
        self.gate = gate
        self.order = order
        self._last_us = 0

    def prepare(self, query: str) -> PreparedStatement:
        """A real prepared statement; the text of the query is its id."""
        statement = parse(query)
        table = self._store.tables[statement.table]
        bound = [ColumnMetadata("k", table.name, name, kind(_type(table, name))) for name in statement.bound]
        return PreparedStatement(bound, query.encode(), None, query, "k", PROTOCOL, None, None)

    def execute(self, statement: Any, parameters: Any = None, **_: Any) -> "Result":
        """Runs a prepared or bound statement, or a batch of them."""
        if isinstance(statement, BatchStatement):
            rows = [(parse(text.decode()), values) for _, text, values in statement._statements_and_parameters]
            self.order.shuffle(rows)
            for one, values in rows:
                self._run(one, values, serial=False)
            return Result([])
        bound = statement if isinstance(statement, BoundStatement) else statement.bind(parameters)
        serial = bound.consistency_level == ConsistencyLevel.SERIAL
        return self._run(parse(bound.prepared_statement.query_string), bound.values, serial)

    def execute_async(self, statement: Any, parameters: Any = None, **_: Any) -> "Future":
        """Runs it at once; the future only hands out what came of it."""
        return Future(self.execute(statement, parameters))

    def _run(self, statement: Statement, values: list[Any], serial: bool) -> "Result":
        table = self._store.tables[statement.table]
        assert len(values) == len(statement.bound), f"{len(values)} values for {statement.bound}"
        given = dict(zip(statement.bound, values, strict=True)) | {
            name: kind(table.types[name]).serialize(text, PROTOCOL) for name, text in statement.literals.items()
        }
        if statement.what == "select":
            return self._select(statement, table, given, serial)
        self.gate()
        if statement.conditional:
            return self._insert_if_absent(table, given)
        stamp = given.pop("[timestamp]", None)
        self._last_us = max(self._store.now_us(), self._last_us + 1)
        written_us = self._last_us if stamp is None else decode("bigint", stamp)
        self._store.write(table, given, written_us, mark=statement.what == "insert")
        return Result([])

    def _select(self, statement: Statement, table: Table, given: dict[str, Any], serial: bool) -> "Result":
        if serial:
            self._store.settle()
        above = {name: decode(table.types[name], given.pop(name)) for name in statement.above}
        assert not given or set(table.partition) <= set(given), f"{statement} does not name the whole partition"
        rows = list(self._store.select(table, given, above))
        if statement.descending:
            # what is asked so has one clustering column, in ascending order
            rows.reverse()
        if statement.counted:
            return Result(named_rows(["count"], [(len(rows),)]))
        names = statement.columns or (*table.key, *table.plain)
        found = [tuple(decode(table.types[name], row[name]) for name in names) for row in rows]
        if statement.distinct:
            found = list(dict.fromkeys(found))
        return Result(named_rows(names, found[: statement.limit]))

    def _insert_if_absent(self, table: Table, given: dict[str, Any]) -> "Result":
        fault, self._store.fault = self._store.fault, None
        if fault == "in doubt":
            self._store.doubtful.append(lambda: self._store.insert_if_absent(table, given))
        applied = fault not in ("lost", "in doubt") and self._store.insert_if_absent(table, given)
        if fault is not None:
            raise OperationTimedOut
        return Result(named_rows(["[applied]"], [(applied,)]))


class Result(list[Any]):
    """The rows of an answer."""

    def one(self) -> Any:
        """The first of them."""
        return self[0]


class Future:
    """A finished one, as the driver's ResultSet and its concurrent execution want it."""

    has_more_pages = False
    _col_names = _col_types = _continuous_paging_session = None

    def __init__(self, result: Result) -> None:
        self._result = result

    def add_callbacks(self, callback: Any, errback: Any, callback_args: Any = (), errback_args: Any = ()) -> None:  # noqa: ARG002
        """Calls back at once."""
        callback(self._result, *callback_args)

    def clear_callbacks(self) -> None:
        """Nothing is kept."""


def _type(table: Table, name: str) -> str:
    return "bigint" if name == "[timestamp]" else table.types[name]


def _key(data: bytes | None) -> bytes:
    assert data is not None, "no part of a key may be null"
    return data


def _values(table: Table, clustering: tuple[bytes, ...]) -> list[Any]:
    return [decode(table.types[name], data) for name, data in zip(table.clustering, clustering, strict=True)]
