"""Both layers' rows as a history of records leaves them, worked out by the oracle, on a real Cassandra and archive.

The archive is a real Delta table without its query, the cells are written by the real writer without Spark: what reads
them (audit, publication, reconciliation, web) is then the real thing over a history that a test makes record by record.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from drinkstream import meaning
from drinkstream.cells import pack, size, slot_of
from drinkstream.packed import Key, PartRow, Place, part_rows
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.session import connect
from drinkstream.store.write import CellRow, Writer, now_us
from tests.lib import oracle
from tests.lib.archived import SCHEMA

DAY = date(2017, 9, 14)
MORNING_MS = 1_505_376_000_000  # 08:00 UTC
CLUSTER = "planted"

COFFEE = "I really need a cup of coffee right now"
TEA = "having a cup of green tea"
PEPSI = "drinking a can of pepsi"
TEXTS: dict[str, oracle.Mentions] = {
    COFFEE: {("coffee", None)},
    TEA: {("tea", None)},
    PEPSI: {("soda", "pepsi")},
    "nothing to see here, move along": set(),
}

_names = count(1)
_months = count()


def new_day() -> date:
    """A day in a month that no other history is about: publications are told by the month."""
    month = next(_months)
    return date(2013 + month // 12, 1 + month % 12, 14)


def post_id(n: int, morning_ms: int = MORNING_MS) -> str:
    """The id of a post of a day's morning, seven seconds after the one before."""
    return str(((morning_ms + n * 7_000 - 1_288_834_974_657) << 22) + n)


def tweet(ident: str, text: str, first: str | None = None) -> bytes:
    """A v2 line; `first` is the id that an edit began with."""
    return json.dumps(
        {"data": {"id": ident, "text": text, "lang": "en", "edit_history_tweet_ids": [first or ident]}}
    ).encode()


def delete(ident: str) -> bytes:
    """A v1.1 delete notice."""
    return json.dumps({"delete": {"status": {"id": int(ident), "id_str": ident, "user_id": 3}}}).encode()


@dataclass(frozen=True)
class Sent:
    """A record of the history, and what the archive's row says beside its bytes."""

    record: oracle.Record
    key: str
    shape: str
    day: str


class History:
    """A topic that a test fills with a day's records; what each layer made of them is written when asked for."""

    def __init__(self, settings: Settings, day: date = DAY) -> None:
        self.settings = settings
        self.day = day
        self._morning_ms = MORNING_MS + (day - DAY).days * 86_400_000
        self.session = connect(settings, settings.writer_login())
        self.reader, self.writer = Reader(self.session), Writer(self.session)
        self.sent: list[Sent] = []
        self._archived = 0
        self._posts = count(1)

    def close(self) -> None:
        """Let go of Cassandra."""
        self.session.cluster.shutdown()

    def new_id(self) -> str:
        """An id that no other post of the history has."""
        return post_id(next(self._posts), self._morning_ms)

    def send(self, ident: str, value: bytes, partition: int = 0, shape: str = "post.x.v2", day: str = "") -> None:
        """Append a record under the key of a post."""
        n = len(self.sent)
        offset = sum(one.record.partition == partition for one in self.sent)
        record = oracle.Record(value, "x", self._morning_ms + 86_400_000 + n * 10, partition, offset)
        self.sent.append(Sent(record, f"x:{ident}", shape, day or str(self.day)))

    def posts(self, number: int, text: str = COFFEE, **how: Any) -> list[str]:
        """Append so many new posts; their ids."""
        idents = [self.new_id() for _ in range(number)]
        for ident in idents:
            self.send(ident, tweet(ident, text), **how)
        return idents

    def position(self) -> dict[str, int]:
        """The next offset of each partition, as a run keeps them."""
        ends: dict[int, int] = defaultdict(int)
        for one in self.sent:
            ends[one.record.partition] = max(ends[one.record.partition], one.record.offset + 1)
        return {f"{CLUSTER}/{self.settings.posts_topic}/{p}": end for p, end in sorted(ends.items())}

    def archive(self) -> None:
        """Append to the archive what is not yet in it."""
        rows = [
            {
                "day": one.day,
                "cluster": CLUSTER,
                "topic": self.settings.posts_topic,
                "partition": one.record.partition,
                "offset": one.record.offset,
                "append_ts": datetime.fromtimestamp(one.record.append_ms / 1000, UTC),
                "key": one.key,
                "source": "x",
                "shape": one.shape,
                "event_ms": None if one.day == "none" else self._morning_ms,
                "value": one.record.value,
            }
            for one in self.sent[self._archived :]
        ]
        self._archived = len(self.sent)
        table = pa.Table.from_pylist(rows, SCHEMA)
        write_deltalake(self.settings.archive, table, mode="append", partition_by=["day"])

    def run(self, label: oracle.Label = TEXTS.get, version: str | None = None) -> tuple[str, str]:
        """A complete run over all that was sent by now; its attempt and id."""
        number = next(_names)
        attempt, run_id = f"attempt-{number}", f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{number:06}-{self.day:%Y%m%d}"
        cells = oracle.batch([one.record for one in self.sent], label)
        self.writer.batch_cells(run_id, packed(cells))
        totals: dict[tuple[str, str, str, str, str], int] = defaultdict(int)
        for (_, _, source, category, brand, kind, lang), ids in cells.items():
            totals[category, brand, source, kind, lang] += len(ids)
        self.writer.day_totals(self.day, run_id, totals)
        now = datetime.now(UTC)
        self.writer.run(
            self.day,
            run_id,
            attempt=attempt,
            asked_by="a test",
            meaning=version or meaning.version(),
            status="complete",
            started_at=now,
            completed_at=now,
            position=self.position(),
            fingerprint={"seq": len(self.reader.publications([str(self.day)[:7]])), "rows": len(self.sent)},
            audit={"failed": []},
        )
        self.writer.run_of_attempt(attempt, self.day, run_id)
        return attempt, run_id

    def epoch(
        self,
        counted: Callable[[Sent], bool] = lambda _: True,
        label: oracle.Label = TEXTS.get,
        version: str | None = None,
        **columns: Any,
    ) -> str:
        """A current epoch that counted the records that `counted` picks; its id. `columns` replace its row's own."""
        number = next(_names)
        epoch = f"e{number:06}"
        cells = oracle.speed([one.record for one in self.sent if counted(one)], label)
        found = rows(cells, slot_of(self._morning_ms + 86_400_000))
        now = datetime.now(UTC)
        self.writer.speed_hours(epoch, sorted({row.hour for row in found}), now)
        self.writer.speed_cells(epoch, found, now_us())
        ends = {place.rsplit("/", 1)[1]: end for place, end in self.position().items()}
        row = {
            "cluster": CLUSTER,
            "meaning": version or meaning.version(),
            "status": "current",
            "started_at": now,
            "first_offsets": dict.fromkeys(ends, 0),
            "processed": ends,
            "watermark_s": 600,
            "blind_days": frozenset(),
        }
        self.writer.epoch(epoch, **(row | columns))
        return epoch


def rows(cells: oracle.Cells, slot: int) -> list[CellRow]:
    """The oracle's cells as the live layer's rows, in one shard."""
    return [CellRow(hour, category, *key[:-1], slot, 0, size(ids), ids) for (hour, category), key, ids in _cells(cells)]


def packed(cells: oracle.Cells) -> Iterator[PartRow]:
    """The oracle's cells as the batch layer's rows, in one shard."""
    return part_rows(_cells(cells))


def _cells(cells: oracle.Cells) -> list[tuple[Place, Key, bytes]]:
    return sorted(
        ((f"{day}T{minute[:2]}", category), (int(minute[3:]), brand, source, kind, lang, 0), pack(ids))
        for (day, minute, source, category, brand, kind, lang), ids in cells.items()
    )


def without(idents: Iterable[str]) -> Callable[[Sent], bool]:
    """Picks the records of all other posts."""
    keys = {f"x:{ident}" for ident in idents}
    return lambda one: one.key not in keys


def apart(settings: Settings, home: Any) -> Settings:
    """The same servers with a home, and so an archive, of its own."""
    return settings.model_copy(update={"home": home, "jars": settings.jar_folder})
