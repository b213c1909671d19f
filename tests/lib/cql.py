"""The tables of schema.cql and the statements that the product prepares, read from their text; the driver's codecs."""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from cassandra.cqltypes import lookup_casstype

PROTOCOL = 5


@dataclass(frozen=True)
class Table:
    """A table: types by column, the columns of its key, and how long its rows live (µs; 0: for ever)."""

    name: str
    types: dict[str, str]
    partition: tuple[str, ...]
    clustering: tuple[str, ...]
    newest_first: bool
    ttl_us: int

    @cached_property
    def key(self) -> tuple[str, ...]:
        """All columns of the primary key, in order."""
        return self.partition + self.clustering

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The columns outside the key."""
        return tuple(name for name in self.types if name not in self.key)


@dataclass(frozen=True)
class Statement:
    """A statement: `bound` names the column that each `?` is for, in order ('[timestamp]': that of the write)."""

    what: str
    table: str
    bound: tuple[str, ...]
    literals: dict[str, str]
    columns: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    conditional: bool = False
    distinct: bool = False
    counted: bool = False
    descending: bool = False
    limit: int | None = None


def tables(schema: list[str]) -> dict[str, Table]:
    """The tables that these statements make, by name. A column list and a primary key are all that it understands."""
    return {table.name: table for table in map(_table, schema)}


def _table(statement: str) -> Table:
    form = r"CREATE TABLE IF NOT EXISTS \w+\.(\w+) \((.*),\s*PRIMARY KEY \(\(([\w, ]+)\)([\w, ]*)\)\s*\)(.*)"
    match = re.fullmatch(form, statement, re.S)
    assert match, statement
    name, columns, partition, clustering, options = match.groups()
    ttl = re.search(r"default_time_to_live = (\d+)", options)
    return Table(
        name,
        dict(re.findall(r"(\w+) ([\w<>]+)\s*(?:,|$)", columns)),
        tuple(re.findall(r"\w+", partition)),
        tuple(re.findall(r"\w+", clustering)),
        " DESC)" in options,
        int(ttl[1]) * 1_000_000 if ttl else 0,
    )


@cache
def parse(query: str) -> Statement:
    """What a statement says. Fails for one of a form that the product did not use when this was written."""
    for form, read in _FORMS:
        if match := form.fullmatch(query):
            return read(match)
    raise AssertionError(f"the store in memory does not understand: {query}")


@cache
def kind(type_: str) -> Any:
    """The driver's codec of a type of CQL."""
    names = {"text": "UTF8", "bigint": "Long", "int": "Int32", "smallint": "Short", "tinyint": "Byte", "blob": "Bytes"}
    names |= {"timestamp": "Timestamp", "date": "SimpleDate"}
    if collection := re.fullmatch(r"frozen<(set|list)<(\w+)>>", type_):
        return lookup_casstype(f"{collection[1].title()}Type({names[collection[2]]}Type)")
    return lookup_casstype(f"{names[type_]}Type")


def decode(type_: str, data: bytes | None) -> Any:
    """The value that the driver makes of a column's bytes."""
    return None if data is None else _decode(type_, data)


@cache
def _decode(type_: str, data: bytes) -> Any:
    return kind(type_).deserialize(data, PROTOCOL)


def _insert(match: re.Match[str]) -> Statement:
    names = tuple(match["columns"].split(", "))
    assert match["values"].split(", ") == ["?"] * len(names), match[0]
    stamp = ("[timestamp]",) if match["stamp"] else ()
    return Statement("insert", match["table"], names + stamp, {}, conditional=bool(match["conditional"]))


def _update(match: re.Match[str]) -> Statement:
    columns, _, literals = _terms(match["columns"].replace(", ", " AND "))
    assert not literals, match[0]
    key, above, literals = _terms(match["where"])
    assert not above, match[0]
    stamp = ("[timestamp]",) if match["stamp"] else ()
    return Statement("update", match["table"], stamp + columns + key, literals)


def _select(match: re.Match[str]) -> Statement:
    bound, above, literals = _terms(match["where"]) if match["where"] else ((), (), {})
    return Statement(
        "select",
        match["table"],
        bound,
        literals,
        columns=() if "*" in match["columns"] else tuple(match["columns"].split(", ")),
        above=above,
        distinct=bool(match["distinct"]),
        counted=match["columns"] == "COUNT(*)",
        descending=bool(match["order"]),
        limit=int(match["limit"]) if match["limit"] else None,
    )


def _terms(text: str) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """Of `a = ? AND b > ? AND c = 'x'`: the columns bound, those that are compared by >, and the literals."""
    terms = [re.fullmatch(r"(\w+) (=|>) (\?|'\w*')", term) for term in text.split(" AND ")]
    assert all(terms), text
    parts = [term.groups() for term in terms if term]
    return (
        tuple(name for name, _, value in parts if value == "?"),
        tuple(name for name, sign, _ in parts if sign == ">"),
        {name: value.strip("'") for name, _, value in parts if value != "?"},
    )


_FORMS = [
    (
        re.compile(
            r"INSERT INTO (?P<table>\w+) \((?P<columns>[\w, ]+)\) VALUES \((?P<values>[?, ]+)\)"
            r"(?P<conditional> IF NOT EXISTS)?(?P<stamp> USING TIMESTAMP \?)?"
        ),
        _insert,
    ),
    (
        re.compile(
            r"UPDATE (?P<table>\w+)(?P<stamp> USING TIMESTAMP \?)? SET (?P<columns>[\w ?,=]+) WHERE (?P<where>.+)"
        ),
        _update,
    ),
    (
        re.compile(
            r"SELECT (?P<distinct>DISTINCT )?(?P<columns>\*|COUNT\(\*\)|[\w, ]+) FROM (?P<table>\w+)"
            r"(?: WHERE (?P<where>.+?))?(?P<order> ORDER BY \w+ DESC)?(?: LIMIT (?P<limit>\d+))?"
        ),
        _select,
    ),
]
