"""What the live numbers are: the size of the union of a cell's slots, on a real Cassandra."""

import pytest

from drinkstream.cells import pack
from drinkstream.settings import Settings
from drinkstream.store.read import CellCount, Reader
from drinkstream.store.session import connect
from drinkstream.store.write import CellRow, Writer

HOUR = "2017-09-14T08"


def row(minute: int, slot: int, shard: int, *ids: str) -> CellRow:
    return CellRow(HOUR, "tea", minute, "", "x", "original", "en", slot, shard, len(ids), pack(ids))


@pytest.mark.parametrize("torn", [1, 40])
def test_slots_are_united_and_shards_are_added(cassandra_server: Settings, torn: int) -> None:
    """Whether few or many minutes of an hour have a cell in two slots, each post counts once."""
    session = connect(cassandra_server, cassandra_server.writer_login())
    rows = [row(50, 0, 0, "1", "2"), row(50, 0, 1, "3")]
    for minute in range(torn):
        rows += [row(minute, 0, 0, "1", "2", "3"), row(minute, 600_000, 0, "3", "4"), row(minute, 0, 1, "5")]
    epoch = f"e{torn}"
    Writer(session).speed_cells(epoch, sorted(rows), 1)
    counts = Reader(session).speed_counts(epoch, [HOUR, "2017-09-14T09"], ["tea", "*"])
    later = Reader(session).speed_counts(epoch, [HOUR, "2017-09-14T09"], ["tea", "*"], {HOUR: 20})
    session.cluster.shutdown()
    expected = [CellCount(HOUR, minute, "tea", "", "x", "original", "en", 5) for minute in range(torn)]
    assert sorted(counts) == [*expected, CellCount(HOUR, 50, "tea", "", "x", "original", "en", 3)]
    assert sorted(later) == [count for count in sorted(counts) if count.minute >= 20]
