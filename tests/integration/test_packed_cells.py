"""Packed cells on a real Cassandra: an hour of more parts than are read at once, and a cell larger than a part."""

from datetime import date

import numpy as np

from drinkstream.cells import pack, pack_integers, unpack_integers
from drinkstream.packed import PART_BYTES, part_rows
from drinkstream.settings import Settings
from drinkstream.store.read import CellCount, CellIds, Reader
from drinkstream.store.session import connect
from drinkstream.store.write import Writer

DAY = date(2017, 9, 14)
HOUR = f"{DAY}T08"
MILLION = 1_000_000


def test_an_hour_of_many_parts_and_a_cell_of_a_million_ids_come_back(cassandra_settings: Settings):
    many = np.arange(10**18, 10**18 + 2000 * MILLION, 2000)
    blobs = {minute: pack([f"{minute}-" + "z" * (PART_BYTES // 2)]) for minute in range(40)}
    blobs[40], blobs[41] = pack_integers(many, np.array([0, MILLION]))[0], pack(["1", "2", "3"])
    rows = list(
        part_rows(((HOUR, "*"), (minute, "", "x", "original", "en", 0), blob) for minute, blob in blobs.items())
    )
    assert len(rows) > 40
    session = connect(cassandra_settings, cassandra_settings.writer_login())
    reader, writer = Reader(session), Writer(session)
    writer.batch_cells("run-1", rows)
    cells = [(HOUR, minute, "*", "", "x", "original", "en") for minute in blobs]
    assert list(reader.batch_ids("run-1", [HOUR], "*", "")) == [
        CellIds(*cell, (blob,)) for cell, blob in zip(cells, blobs.values(), strict=True)
    ]
    assert reader.batch_counts("run-1", [HOUR], ["*"]) == [
        CellCount(*cell, n) for cell, n in zip(cells, [*[1] * 40, MILLION, 3], strict=True)
    ]
    (minute,) = reader.batch_minute("run-1", HOUR, 40, ["*", "tea"])
    assert np.array_equal(unpack_integers(minute.blobs[0]), many)
    # written again by a task that is repeated, they are the same rows; dropped, none is left
    writer.batch_cells("run-1", rows)
    assert len(reader.batch_counts("run-1", [HOUR], ["*"])) == len(cells)
    writer.drop_run(DAY, "run-1", ["*"])
    assert reader.batch_counts("run-1", [HOUR], ["*"]) == list(reader.batch_ids("run-1", [HOUR], "*", None)) == []
    session.cluster.shutdown()
