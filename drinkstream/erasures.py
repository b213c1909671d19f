"""The erasure list, kept beside the archive: which posts must never be archived again, and what was erased where.

One file of JSON lines that only grows. A line is whole once it ends with a line feed; a rest without one was never
promised to anybody, and is cut off by the next writer.

    {"key": "x:908300000000000000", "when": "2017-09-15T10:00:00.000Z", "why": "deleted by its author"}
    {"erased": "x:908300000000000000", "cluster": "...", "topic": "posts", "partition": 3, "offset": 120, "when": "..."}
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from drinkstream.errors import IntegrityError
from drinkstream.merge import instant
from drinkstream.positions import Ledger, settle

Place = tuple[str, str, int, int]
"""(cluster, topic, partition, offset) of a record."""


@dataclass(frozen=True, slots=True)
class Order:
    """A key that is never archived with its value again, since `when` (RFC 3339, UTC), and why."""

    key: str
    when: str
    why: str


@dataclass(frozen=True, slots=True)
class Erasures:
    """The erasure list in `ledger.erased_file`; writers take turns by the ledger's lock."""

    ledger: Ledger

    @classmethod
    def beside(cls, uri: str) -> "Erasures":
        """That of the archive at `uri`. Raises BadInputError where the archive is not local, as the ledger does."""
        return cls(Ledger.beside(uri))

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self.ledger.erased_file

    def growth(self) -> Callable[[], bool]:
        """Tells, as often as asked and at little cost, whether orders were added since this call."""
        size, more = self._size(), False
        known = len(self.orders())

        def grown() -> bool:
            nonlocal size, more
            before, size = size, self._size()
            if size != before:
                more = len(self.orders()) > known
            return more

        return grown

    def orders(self) -> tuple[Order, ...]:
        """Every key that was ordered to be erased, each once, in the order in which they came."""
        found = {line["key"]: Order(line["key"], line["when"], line["why"]) for line in self._lines() if "key" in line}
        return tuple(found.values())

    def places(self) -> dict[Place, str]:
        """Every record that was erased in the archive, and the key that it had."""
        return {
            (line["cluster"], line["topic"], line["partition"], line["offset"]): line["erased"]
            for line in self._lines()
            if "erased" in line
        }

    def order(self, keys: Iterable[str], when: datetime, why: str) -> tuple[str, ...]:
        """Adds the keys that are not yet on the list, durably; returns them."""
        with self.ledger.alone():
            known = {order.key for order in self.orders()}
            new = tuple(dict.fromkeys(key for key in keys if key not in known))
            self._append({"key": key, "when": instant(when), "why": why} for key in new)
        return new

    def record(self, erased: Mapping[Place, str], when: datetime) -> None:
        """Adds records that were erased and are not yet on the list, durably."""
        with self.ledger.alone():
            known = self.places()
            self._append(
                {
                    "erased": key,
                    **dict(zip(("cluster", "topic", "partition", "offset"), place, strict=True)),
                    "when": instant(when),
                }
                for place, key in sorted(erased.items())
                if place not in known
            )

    def _size(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def _lines(self) -> Iterator[dict[str, Any]]:
        content = self.file.read_bytes() if self.file.exists() else b""
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise IntegrityError(
                    f"{self.file}, line {number}, is damaged ({error}): restore the file; without it what was erased "
                    "could be archived again"
                ) from error

    def _append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        if not text:
            return
        with self.file.open("ab") as file:
            whole = self.file.read_bytes().rfind(b"\n") + 1
            file.truncate(whole)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        settle(self.file.parent)
