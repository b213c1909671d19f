"""Rows as the layers write them, in plain CQL: what the page is held against does not come through our writer."""

import json
import random
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cassandra.cluster import Session
from cassandra.concurrent import execute_concurrent_with_args

from drinkstream.cells import Level, levels, pack
from drinkstream.store.rows import stored_hours
from tests.lib.archived import archive, row

EPOCH = "20260101T000000-browser"
WEIGHTS = {
    "coffee": 9,
    "beer": 8,
    "tea": 6,
    "wine": 5,
    "soda": 4,
    "spirits": 3,
    "water": 3,
    "milk": 2,
    "juice": 2,
    "energy": 1,
}
BRANDS = {
    "coffee": ("starbucks", "dunkin", "costa", "nescafe"),
    "beer": ("guinness", "heineken", "corona"),
    "soda": ("coca-cola", "pepsi"),
    "energy": ("red bull", "monster"),
    "water": ("perrier", "evian"),
}

SAID = (
    ("a starbucks latte, spill the tea", ("coffee", "starbucks")),
    ("a cup of tea", ("tea", None)),
    ("<img src=x onerror=alert(1)> a cold beer", ("beer", None)),
    ("so much iced coffee", ("coffee", None)),
    (None, ("wine", None)),
)
"""Posts of SAID_DAY: what each says, and what it names. The fourth is deleted after its run, the last not archived."""

SAID_DAY = date(2017, 9, 14)
SAID_IDS = tuple(
    str((1_505_390_520_000 + 60_000 * number - 1_288_834_974_657) << 22) for number in range(len(SAID))
)  # one a minute from 12:02 on

Cells = dict[tuple[int, str, Level, str, str], set[str]]


class Rows:
    """Writes published and live days. `today` is the day (UTC) on which the test began."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._random = random.Random(1)
        self._batch = 0
        self._live: dict[str, Cells] = {}
        self.published: dict[date, Cells] = {}
        self.today = datetime.now(UTC).date()
        self.missing = (self.today - timedelta(days=12), self.today - timedelta(days=11))

    def month(self) -> None:
        """29 days before yesterday published but for two that no layer can answer for; yesterday and today live."""
        for back in range(31, 1, -1):
            day = self.today - timedelta(days=back)
            if day not in self.missing:
                self.publish(day, f"run-{day}", self.posts(130 + back % 7 * 10, 1440))
        self._session.execute(
            "INSERT INTO epochs_v1 (stream, epoch, cluster, meaning, status, started_at, watermark_s, blind_days) "
            "VALUES ('posts', %s, 'c', 'm1', 'current', %s, 600, %s)",
            (EPOCH, datetime.now(UTC) - timedelta(days=1), set(self.missing)),
        )
        self.live(self.today - timedelta(days=1), self.posts(150, 1440))
        now = datetime.now(UTC)
        past = now.hour * 60 + now.minute
        self.live(self.today, self.posts(40, past + 1))
        self.live(self.today, self.posts(5 * min(60, past + 1), past + 1, max(0, past - 59)))
        self.now(2)
        # the published days before the missing ones with a feed that was away for six hours; of the others nobody knows
        for back in range(31, 12, -1):
            day = self.today - timedelta(days=back)
            until = datetime.combine(day, time(18), UTC)
            self._session.execute(
                "INSERT INTO coverage_days_v1 "
                "(month, day, source, connected_ms, received, limits, undelivered, gaps, until) "
                "VALUES (%s, %s, 'x', %s, 5000, 2, 70, 1, %s)",
                (str(day)[:7], day, 18 * 3_600_000, until),
            )

    def said(self, folder: Path) -> None:
        """The posts of SAID, published, with an archive of their records in `folder`."""
        cells: Cells = {}
        records = []
        for number, (post_id, (text, named)) in enumerate(zip(SAID_IDS, SAID, strict=True)):
            for level in levels([named]):
                cells[12 * 60 + 2 + number, "x", level, "original", "en"] = {post_id}
            data = {"id": post_id, "edit_history_tweet_ids": [post_id], "text": text, "lang": "en"}
            if text is not None:
                records.append(row(number, key=f"x:{post_id}", value=json.dumps({"data": data}).encode()))
        delete = json.dumps({"delete": {"status": {"id_str": SAID_IDS[3]}}}).encode()
        archive(folder, records, [row(9, key=f"x:{SAID_IDS[3]}", value=delete)])
        self.publish(SAID_DAY, "run-said", cells, position={"c1/posts/0": 9})

    def publish(self, day: date, run_id: str, cells: Cells, position: dict[str, int] | None = None) -> None:
        """A run of a day, complete and in force, which read the archive up to `position`."""
        self.published[day] = cells
        insert = self._session.prepare(
            "INSERT INTO batch_cells_v2 (run_id, hour, category, part, cells, ids) VALUES (?, ?, ?, 0, ?, ?)"
        )
        parts, totals = defaultdict(list), defaultdict(int)
        for (minute, source, level, kind, lang), ids in cells.items():
            key = (minute % 60, level.brand, source, kind, lang, 0)
            parts[f"{day}T{minute // 60:02}", level.category].append((*key, len(ids), pack(ids)))
            totals[level.category, level.brand, source, kind, lang] += len(ids)
        rows = []
        for place, found in parts.items():
            counts, blobs = zip(*((count, blob) for *count, blob in sorted(found)), strict=True)
            rows.append((run_id, *place, msgspec.msgpack.encode(counts), msgspec.msgpack.encode(blobs)))
        execute_concurrent_with_args(self._session, insert, rows)
        insert = self._session.prepare(
            "INSERT INTO day_totals_v1 (month, day, run_id, category, brand, source, kind, lang, n) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        month = str(day)[:7]
        execute_concurrent_with_args(
            self._session, insert, [(month, day, run_id, *key, n) for key, n in totals.items()]
        )
        self._session.execute(
            "INSERT INTO runs_v1 (day, run_id, attempt, asked_by, meaning, status, started_at, completed_at, position) "
            "VALUES (%s, %s, 'a', 'airflow', 'm1', 'complete', %s, %s, %s)",
            (day, run_id, datetime.now(UTC), datetime.now(UTC), json.dumps(position or {})),
        )
        known = self._session.execute(
            "SELECT max(seq) AS last FROM publications_v1 WHERE month = %s AND day = %s", (month, day)
        )
        at = datetime.combine(day + timedelta(days=1), time(2, 31), UTC)
        self._session.execute(
            "INSERT INTO publications_v1 (month, day, seq, run_id, at, who, why) "
            "VALUES (%s, %s, %s, %s, %s, 'nightly_share', 'scheduled') IF NOT EXISTS",
            (month, day, (known.one().last or 0) + 1, run_id, at),
        )

    def now(self, posts: int) -> None:
        """So many posts about coffee in this minute, counted by a micro-batch that has ended."""
        now = datetime.now(UTC)
        minute = now.hour * 60 + now.minute
        cells: Cells = {}
        for level in levels([("coffee", "starbucks")]):
            cells[minute, "x", level, "original", "en"] = {self._id() for _ in range(posts)}
        self.live(now.date(), cells)

    def live(self, day: date, cells: Cells) -> None:
        """Live cells of a day, added to those that it has, and the micro-batch that wrote them."""
        known = self._live.setdefault(str(day), {})
        for key, ids in cells.items():
            known.setdefault(key, set()).update(ids)
        insert = self._session.prepare(
            "INSERT INTO speed_cells_v1 "
            "(epoch, hour, category, minute, brand, source, kind, lang, slot, shard, n, ids) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)"
        )
        rows: list[tuple[Any, ...]] = []
        first: dict[str, int] = {}
        for minute, source, level, kind, lang in cells:
            ids = known[minute, source, level, kind, lang]
            hour = f"{day}T{minute // 60:02}"
            first[hour] = min(minute % 60, first.get(hour, minute % 60))
            cell = (EPOCH, hour, level.category, minute % 60, level.brand, source, kind, lang)
            rows.append((*cell, 600_000, len(ids), pack(ids)))
        execute_concurrent_with_args(self._session, insert, rows)
        now = datetime.now(UTC)
        for hour in first:
            self._session.execute(
                "INSERT INTO speed_hours_v1 (epoch, hour, touched) VALUES (%s, %s, %s)", (EPOCH, hour, now)
            )
        self._batch += 1
        self._session.execute(
            "INSERT INTO speed_batches_v1 "
            "(epoch, day, batch_id, written_us, started_at, ended_at, rows_in, hits, hours) "
            "VALUES (%s, %s, %s, 1, %s, %s, 100, 10, %s)",
            (EPOCH, now.date(), self._batch, now, now, stored_hours(first)),
        )

    def posts(self, number: int, before: int, first: int = 0) -> Cells:
        """The cells of so many posts at random minutes of a day, from `first` to before `before`."""
        cells: Cells = {}
        for _ in range(number):
            minute = self._random.randrange(first, before)
            kind = self._random.choices(("original", "repost", "reply", "quote"), (5, 3, 2, 1))[0]
            source, lang = self._random.choice(("x", "demo")), self._random.choice(("en", "es", "pt", "und"))
            named = set(
                self._random.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()), k=self._random.choice((1, 1, 1, 2)))
            )
            mentions = [(name, self._brand(name)) for name in sorted(named)]
            post_id = self._id()
            for level in levels(mentions):
                cells.setdefault((minute, source, level, kind, lang), set()).add(post_id)
        return cells

    def _brand(self, category: str) -> str | None:
        return self._random.choice(BRANDS[category]) if category in BRANDS and self._random.random() < 0.4 else None

    def _id(self) -> str:
        return str(self._random.randrange(10**17, 10**18))
