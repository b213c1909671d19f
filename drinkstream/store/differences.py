"""Difference reports and kept taxonomies: the part of Reader and Writer that speaks of them."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, date
from typing import Any

from drinkstream.cells import pack, unpack
from drinkstream.difference import Change, Move, Moved, Report, Row, Ruled, Said
from drinkstream.reconcile import Cause, CellName, Place

TABLES = ("differences_v1", "changed_cells_v1", "moved_posts_v1")
"""What is stored of a run's difference, the summary first: without it there is no report."""


class DifferenceReader:
    """Mixed into Reader, whose `_rows` it asks."""

    _rows: Callable[..., Iterator[Any]]

    def reports(self, day: date) -> list[Report]:
        """What each run of a day that was compared would change, or changed; the newest run first."""
        return [
            Report(
                row.day.date(),
                row.run_id,
                row.at.replace(tzinfo=UTC),
                row.old_run,
                row.seq,
                row.old_meaning,
                row.new_meaning,
                row.cells,
                row.moved,
                row.explained,
                tuple(Row(**one) for one in json.loads(row.counts)),
                json.loads(row.causes),
                tuple(Ruled(why, tuple(was), tuple(now), n) for why, was, now, n in json.loads(row.rules)),
            )
            for row in self._rows("SELECT * FROM differences_v1 WHERE day = ?", day)
        ]

    def changed_cells(self, day: date, run_id: str) -> Iterator[Change]:
        """All cells that a run changes, in the order of category, hour, minute."""
        for row in self._rows("SELECT * FROM changed_cells_v1 WHERE day = ? AND run_id = ?", day, run_id):
            yield Change(
                (row.hour, row.minute, row.category, row.brand, row.source, row.kind, row.lang),
                row.old_n,
                row.new_n,
                unpack(row.lost),
                unpack(row.gained),
            )

    def moved_posts(self, day: date, run_id: str) -> Iterator[Moved]:
        """The posts that a run moves, as many as were explained, by source and id."""
        for row in self._rows("SELECT * FROM moved_posts_v1 WHERE day = ? AND run_id = ?", day, run_id):
            found = json.loads(row.move)
            before, after = (Place(*place) if place else None for place in found["places"])
            was, becomes = (tuple(Said(*said) for said in side) for side in found["said"])
            move = Move(row.source, row.id, _cells(found["lost"]), _cells(found["gained"]))
            yield Moved(move, Cause(row.cause), before, after, was, becomes, *found["told"])

    def taxonomy(self, meaning: str) -> dict[str, str]:
        """The files of a meaning version's taxonomy by path; empty where it was not kept."""
        rows = self._rows("SELECT path, content FROM taxonomies_v1 WHERE meaning = ?", meaning)
        return {row.path: row.content for row in rows}


class DifferenceWriter:
    """Mixed into Writer, whose `_run`, `_send` and `_insert` it calls."""

    _run: Callable[..., None]
    _send: Callable[[str, Iterable[tuple[Any, ...]]], None]
    _insert: Callable[[str, Mapping[str, Any]], None]

    def difference(self, found: Report, changed: Iterable[Change], moved: Iterable[Moved]) -> None:
        """Writes a run's report, in place of what was written for it before; the summary comes last."""
        self.drop_difference(found.day, found.run_id)
        self._send(
            "INSERT INTO changed_cells_v1 (day, run_id, hour, minute, category, brand, source, kind, lang, "
            "old_n, new_n, lost, gained) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (found.day, found.run_id, *one.cell, one.old_n, one.new_n, pack(one.lost), pack(one.gained))
                for one in changed
            ),
        )
        self._send(
            "INSERT INTO moved_posts_v1 (day, run_id, source, id, cause, move) VALUES (?, ?, ?, ?, ?, ?)",
            (
                (found.day, found.run_id, one.move.source, one.move.id, str(one.cause), json.dumps(_move(one)))
                for one in moved
            ),
        )
        plain = ("day", "run_id", "at", "old_run", "seq", "old_meaning", "new_meaning", "cells", "moved", "explained")
        self._insert(
            "differences_v1",
            {name: getattr(found, name) for name in plain}
            | {
                "counts": json.dumps([asdict(row) for row in found.rows]),
                "causes": found.causes,
                "rules": json.dumps(found.rules),
            },
        )

    def drop_difference(self, day: date, run_id: str) -> None:
        """Deletes a run's report."""
        for table in TABLES:
            # the names are those of our own tables; every value is bound
            self._run(f"DELETE FROM {table} WHERE day = ? AND run_id = ?", day, run_id)  # noqa: S608

    def taxonomy(self, meaning: str, files: Mapping[str, str]) -> None:
        """Keeps the taxonomy's files with the meaning version that they are part of."""
        self._send(
            "INSERT INTO taxonomies_v1 (meaning, path, content) VALUES (?, ?, ?)",
            ((meaning, path, content) for path, content in sorted(files.items())),
        )


def _move(one: Moved) -> dict[str, Any]:
    return {
        "lost": sorted(one.move.lost),
        "gained": sorted(one.move.gained),
        "places": [one.before, one.after],
        "said": [one.was, one.becomes],
        "told": [one.was_told, one.becomes_told],
    }


def _cells(listed: Iterable[Iterable[Any]]) -> frozenset[CellName]:
    return frozenset(tuple(cell) for cell in listed)
