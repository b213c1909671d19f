"""The batch layer, run step by step in memory: the product's own code, with plain Python where Spark groups and joins.

What stands in for Spark: the choice of one version of each post, the anti-join with tombstones, and the order of their
rows (tests/spark and tests/parity hold the real ones).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any

import pyarrow as pa

from drinkstream.cells import HOUR_MS
from drinkstream.post import NO_DAY, REMOVING
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer
from jobs import readings, recompute, write_cells
from jobs.write_cells import ORDER
from tests.lib.merge_world import Stored, World
from tests.lib.stepped import Stepped


class BatchLayer:
    """Recomputes, by the product's `recompute`; only the grouping of one chunk is done here instead of by Spark."""

    def __init__(self, world: World) -> None:
        self._world = world

    def start(self, days: tuple[date, ...], attempt: str, order: int) -> Stepped:
        """A recompute of these days, at its beginning."""
        session = self._world.store.session(order=order)
        work = Stepped(
            lambda: recompute.recompute(
                None,  # type: ignore[arg-type]
                self._world.settings,
                Reader(session),
                Writer(session),
                recompute.Request(days, attempt, "test"),
            )
        )
        session.gate = work.gate
        return work

    def chunk(
        self,
        _spark: None,
        _settings: Any,
        reader: Reader,
        writer: Writer,
        days: tuple[date, ...],
        runs: Mapping[date, str],
        version: int,
        _held: Mapping[str, int],
    ) -> None:
        """What jobs.recompute.recompute_chunk does: writes and completes the runs of a few days."""
        names = {str(day): day for day in days}
        records = [row for row in self._world.archive_at("", version).rows if row.day in (*names, NO_DAY)]
        read = [reading(record) for record in records]
        rejected: dict[tuple[str, str], tuple[int, list[str]]] = {}
        for row in read:
            if row["what"] == "rejected":
                n, places = rejected.get((row["stored"], row["detail"]), (0, []))
                rejected[row["stored"], row["detail"]] = (n + 1, [*places, f"{row['partition']}:{row['offset']}"])
        for name, day in names.items():
            rows = pa.RecordBatch.from_pylist(level_rows(read, name))
            out = write_cells.write_sorted(writer, [rows], {name: runs[day]})
            written = write_cells.summed(out.to_pylist()).get(runs[day], write_cells.Written())
            held = sum(row.day in (name, NO_DAY) for row in records)
            recompute.complete(reader, writer, day, runs[day], written, {"rows": held}, rejected)


def level_rows(read: Iterable[Mapping[str, Any]], day: str) -> list[dict[str, Any]]:
    """What jobs.readings does with Spark: one version of each post that stays, its rows by level, in order."""
    versions: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    removed, others = set(), {}
    for row in sorted(read, key=lambda row: [row[name] for name in readings.ORDER]):
        if row["what"] == "post" and row["day"] == day and row["stored"] in (NO_DAY, day):
            versions[row["source"], row["id"]].append(row)
            others |= {(row["source"], other["id"]): (row["source"], row["id"]) for other in row["others"] or ()}
        if row["what"] == "tombstone" and row["detail"] in REMOVING:
            removed.add((row["source"], row["id"]))
    removed |= {others[order] for order in removed & others.keys()}
    rows = []
    for (source, post_id), found in versions.items():
        if (source, post_id) in removed:
            continue
        chosen = ([row for row in found if row["edited"]] or [found[0]])[-1]
        about = {"source": source, "id": post_id} | {name: chosen[name] for name in ("minute", "kind", "lang")}
        rows += [about | level for level in chosen["levels"]]
    return sorted(rows, key=lambda row: [row["minute"] // HOUR_MS, *(row[name] for name in ORDER)])


@cache
def reading(record: Stored) -> Mapping[str, Any]:
    """What the batch layer's worker makes of one archived record."""
    columns = [[record.key], [record.value], [record.day], [record.append_ms], [record.partition], [record.offset]]
    types = [pa.string(), pa.binary(), pa.string(), pa.int64(), pa.int32(), pa.int64()]
    arrays = [pa.array(column, type_) for column, type_ in zip(columns, types, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, ["key", "value", "stored", "append_ms", "partition", "offset"])
    return dict(readings.read_batch(batch).to_pylist()[0])
