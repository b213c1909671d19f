"""Runs that an earlier build wrote with a row for each cell, packed as `drinkstream/packed.py` does it now.

`make up` does it before anything reads the store: published days answer as before, and none has to be recomputed.
"""

from cassandra.cluster import Session

from drinkstream.packed import part_rows
from drinkstream.store.write import Writer

BEFORE = "batch_cells_v1"


def repack(session: Session, keyspace: str) -> int:
    """Packs all cells of the table BEFORE of `keyspace`, and drops it; returns of how many runs, 0 without a table.

    Ended early it is done again from the start: what is packed twice is the same rows.
    """
    if (
        session.execute(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s",
            (keyspace, BEFORE),
        ).one()
        is None
    ):
        return 0
    session.set_keyspace(keyspace)
    writer = Writer(session)
    read = session.prepare(
        f"SELECT minute, brand, source, kind, lang, shard, ids FROM {BEFORE} "  # noqa: S608  our own table's name
        "WHERE run_id = ? AND hour = ? AND category = ?"
    )
    runs = set()
    for run_id, hour, category in session.execute(f"SELECT DISTINCT run_id, hour, category FROM {BEFORE}"):  # noqa: S608
        # Cassandra gives them in the order of their keys
        cells = (((hour, category), tuple(row[:6]), row[6]) for row in session.execute(read, (run_id, hour, category)))
        writer.batch_cells(run_id, part_rows(cells))
        runs.add(run_id)
    session.execute(f"DROP TABLE {BEFORE}", timeout=60)
    return len(runs)
