"""Packed cells on a real Cassandra: an hour of more parts than are read at once, and a cell larger than a part."""

import json
from datetime import date

import numpy as np

from drinkstream.cells import pack, pack_integers, unpack_integers
from drinkstream.packed import PART_BYTES, part_rows
from drinkstream.settings import Settings
from drinkstream.store.read import CellCount, CellIds, Reader
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from stack.cassandra import admin
from stack.repack import repack

DAY = date(2017, 9, 14)
HOUR = f"{DAY}T08"
MILLION = 1_000_000


CELLS_BEFORE = """
CREATE TABLE {keyspace}.batch_cells_v1 (
    run_id text, hour text, category text,
    minute tinyint, brand text, source text, kind text, lang text, shard smallint,
    n int, ids blob,
    PRIMARY KEY ((run_id, hour, category), minute, brand, source, kind, lang, shard)
)
"""


def test_runs_of_an_earlier_build_answer_as_they_did(cassandra_server: Settings):
    keyspace = cassandra_server.keyspace
    session = admin(cassandra_server)
    assert repack(session, keyspace) == 0
    session.execute(CELLS_BEFORE.format(keyspace=keyspace))
    insert = session.prepare(f"INSERT INTO {keyspace}.batch_cells_v1 JSON ?")
    names = ("run_id", "hour", "category", "minute", "brand", "source", "kind", "lang", "shard")
    cells = {
        ("run-1", HOUR, "*", 3, "", "x", "original", "en", 0): ["1", "2"],
        ("run-1", HOUR, "*", 3, "", "x", "original", "en", 1): ["3"],
        ("run-1", HOUR, "*", 3, "é", "x", "original", "en", 0): ["2"],
        ("run-1", HOUR, "*", 3, "z", "x", "original", "en", 0): ["1"],
        ("run-1", HOUR, "tea", 0, "", "x", "quote", "th", 0): ["1", "2", "3"],
        ("run-2", f"{DAY}T09", "tea", 59, "", "demo", "reply", "und", 0): ["abc"],
    }
    for key, ids in cells.items():
        about = {**dict(zip(names, key, strict=True)), "n": len(ids), "ids": "0x" + pack(ids).hex()}
        session.execute(insert, (json.dumps(about),))
    assert repack(session, keyspace) == 2
    assert repack(session, keyspace) == 0
    session.cluster.shutdown()
    session = connect(cassandra_server, cassandra_server.reader_login())
    reader = Reader(session)
    x = "x", "original", "en"
    assert list(reader.batch_ids("run-1", [HOUR], "*", None)) == [
        CellIds(HOUR, 3, "*", "", *x, (pack(["1", "2"]), pack(["3"]))),
        CellIds(HOUR, 3, "*", "z", *x, (pack(["1"]),)),
        CellIds(HOUR, 3, "*", "é", *x, (pack(["2"]),)),
    ]
    assert reader.batch_counts("run-1", [HOUR], ["tea"]) == [CellCount(HOUR, 0, "tea", "", "x", "quote", "th", 3)]
    (other,) = reader.batch_ids("run-2", [f"{DAY}T09"], "tea", "")
    assert other == CellIds(f"{DAY}T09", 59, "tea", "", "demo", "reply", "und", (pack(["abc"]),))
    session.cluster.shutdown()


def test_an_hour_of_many_parts_and_a_cell_of_a_million_ids_come_back(cassandra_server: Settings):
    many = np.arange(10**18, 10**18 + 2000 * MILLION, 2000)
    blobs = {minute: pack([f"{minute}-" + "z" * (PART_BYTES // 2)]) for minute in range(40)}
    blobs[40], blobs[41] = pack_integers(many, np.array([0, MILLION]))[0], pack(["1", "2", "3"])
    rows = list(
        part_rows(((HOUR, "*"), (minute, "", "x", "original", "en", 0), blob) for minute, blob in blobs.items())
    )
    assert len(rows) > 40
    session = connect(cassandra_server, cassandra_server.writer_login())
    reader, writer = Reader(session), Writer(session)
    writer.batch_cells("run-3", rows)
    cells = [(HOUR, minute, "*", "", "x", "original", "en") for minute in blobs]
    assert list(reader.batch_ids("run-3", [HOUR], "*", "")) == [
        CellIds(*cell, (blob,)) for cell, blob in zip(cells, blobs.values(), strict=True)
    ]
    assert reader.batch_counts("run-3", [HOUR], ["*"]) == [
        CellCount(*cell, n) for cell, n in zip(cells, [*[1] * 40, MILLION, 3], strict=True)
    ]
    (minute,) = reader.batch_minute("run-3", HOUR, 40, ["*", "tea"])
    assert np.array_equal(unpack_integers(minute.blobs[0]), many)
    # written again by a task that is repeated, they are the same rows; dropped, none is left
    writer.batch_cells("run-3", rows)
    assert len(reader.batch_counts("run-3", [HOUR], ["*"])) == len(cells)
    writer.drop_run(DAY, "run-3", ["*"])
    assert reader.batch_counts("run-3", [HOUR], ["*"]) == list(reader.batch_ids("run-3", [HOUR], "*", None)) == []
    session.cluster.shutdown()
