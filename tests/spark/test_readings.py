"""From archived records to cells: versions, duplicates, tombstones, odd lines and days, as batch Spark sees them."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import count
from operator import xor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drinkstream.errors import UnavailableError
from drinkstream.post import ERASED
from drinkstream.recount import recount
from drinkstream.spark import causes
from jobs.counted import counted, rejections
from jobs.elsewhere import elsewhere
from jobs.lines import Lines
from jobs.readings import NO_DAY, level_rows, posts, readings, removed
from tests.lib import oracle
from tests.lib.archived import archive, row

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Archived = Callable[..., Lines]

DAY = "2017-09-14"
MINUTE_MS = 1_505_386_800_000  # 2017-09-14T11:00:00Z
ARRIVED = datetime(2017, 9, 14, 14, 40, tzinfo=UTC)
COFFEE, TEA = "I am drinking a cup of coffee", "I am drinking a cup of tea"


def id_at(minute: int, n: int = 0) -> str:
    """An X id whose time lies `minute` minutes after 11:00."""
    return str(((MINUTE_MS + minute * 60_000 - 1_288_834_974_657) << 22) + n)


def post(post_id: str, text: str, history: list[str] | None = None) -> bytes:
    return json.dumps(
        {"data": {"id": post_id, "text": text, "lang": "en", "edit_history_tweet_ids": history or [post_id]}}
    ).encode()


def delete(post_id: str) -> bytes:
    return json.dumps({"delete": {"status": {"id": int(post_id), "id_str": post_id, "user_id": 1}}}).encode()


@pytest.fixture
def archived(spark: "SparkSession", tmp_path: Path) -> Archived:
    """Archives records of (key, value[, stored]) in the order of their arrival, a second apart."""

    def write(*records: tuple[str | None, bytes] | tuple[str | None, bytes, str]) -> Lines:
        rows = [
            row(n, key=key, value=value, day=day[0] if day else DAY, append_ts=ARRIVED + timedelta(seconds=n))
            for n, (key, value, *day) in enumerate(records)
        ]
        table = archive(tmp_path / str(next(tables)), rows)
        return Lines(spark, table, "posts", table.days())

    tables = count()
    return write


def counted_cells(records: Lines) -> dict[tuple[Any, ...], set[str]]:
    """The cells, the same whether the search for ordinary versions is handed what is sought or joined with it."""
    read = readings(records)
    every, few = (kept_cells(posts(records, read, removed(read), few)) for few in (False, True))
    assert every == few
    return every


def kept_cells(kept: "DataFrame") -> dict[tuple[Any, ...], set[str]]:
    """The ids by day, minute after 11:00 and category; their day is always that of their minute."""
    days = {one["id"]: one["day"] for one in kept.collect()}
    found: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for one in level_rows(kept).where("brand = '' AND category <> '*'").collect():
        assert datetime.fromtimestamp(one["minute"] / 1000, UTC).date().isoformat() == days[one["id"]]
        found[days[one["id"]], (one["minute"] - MINUTE_MS) // 60_000, one["category"]].add(one["id"])
    return dict(found)


def test_a_duplicate_counts_once_and_the_first_version_stands(archived: Archived):
    one = id_at(3)
    records = archived((f"x:{one}", post(one, COFFEE)), (f"x:{one}", post(one, COFFEE)), (f"x:{one}", post(one, TEA)))
    assert counted_cells(records) == {(DAY, 3, "coffee"): {one}}


def test_the_last_edit_counts_under_the_first_id_even_when_it_names_no_drink(archived: Archived):
    one, edit, again = id_at(3), id_at(4), id_at(5)
    other, silent = id_at(6), id_at(7)
    records = archived(
        (f"x:{one}", post(edit, TEA, [one, edit])),
        (f"x:{one}", post(one, COFFEE)),
        (f"x:{one}", post(again, "wine with dinner, a glass of red wine", [one, edit, again])),
        (f"x:{other}", post(other, COFFEE)),
        (f"x:{other}", post(silent, "never mind", [other, silent])),
    )
    assert counted_cells(records) == {(DAY, 3, "wine"): {one}}


def test_a_deleted_post_is_left_out_whichever_came_first(archived: Archived):
    one, two, kept = id_at(1), id_at(2), id_at(3)
    records = archived(
        (f"x:{one}", post(one, COFFEE)),
        (f"x:{one}", delete(one)),
        (f"x:{two}", delete(two)),
        (f"x:{two}", post(two, COFFEE)),
        (f"x:{kept}", post(kept, COFFEE)),
    )
    assert counted_cells(records) == {(DAY, 3, "coffee"): {kept}}
    assert {row["id"] for row in removed(readings(records)).collect()} == {one, two}


def withheld(post_id: str, *countries: str) -> bytes:
    return json.dumps({"data": {"withheld": {"tweet": {"id": post_id}, "withheld_in_countries": countries}}}).encode()


def test_only_a_withholding_everywhere_and_an_erasure_leave_a_post_out(archived: Archived):
    """Lost places, single countries and what is said of users move nothing, whichever came first."""
    everywhere, also, one_country, placeless, of_a_user, erased, kept = (id_at(n) for n in range(1, 8))
    user = json.dumps({"data": {"user_delete": {"user": {"id": of_a_user}}}}).encode()
    scrub = json.dumps({"scrub_geo": {"user_id": 3, "up_to_status_id": int(placeless)}}).encode()
    rows: list[tuple[str | None, bytes]] = [
        (f"x:{everywhere}", withheld(everywhere, "XX")),
        *((f"x:{n}", post(n, COFFEE)) for n in (everywhere, also, one_country, placeless, of_a_user, kept)),
        (f"x:{also}", withheld(also, "de", "xy")),
        (f"x:{one_country}", withheld(one_country, "DE", "FR")),
        (f"x:{placeless}", scrub),
        (None, user),
        (f"x:{erased}", ERASED),
        (f"x:{erased}", post(erased, COFFEE)),
    ]
    records = archived(*rows)
    assert sorted(post_id for found in counted_cells(records).values() for post_id in found) == sorted(
        [one_country, placeless, of_a_user, kept]
    )
    assert counted(readings(records)).records["notice", ""] == 1


def told(post_id: str, *others: str) -> bytes:
    return post(post_id, COFFEE, [post_id, *others])


def test_a_delete_by_the_id_of_any_version_takes_the_post_out(archived: Archived):
    """Of a version that came, or that another tells of where a recompute looks; whichever came first."""
    edited, first, early, misplaced, other, kept = (id_at(n) for n in range(1, 7))
    names = {one: id_at(10 + n) for n, one in enumerate((edited, first, early, misplaced, other, kept))}
    records = archived(
        (f"x:{edited}", post(edited, COFFEE)),
        (f"x:{edited}", post(names[edited], TEA, [edited, names[edited]])),
        (f"x:{names[edited]}", delete(names[edited])),
        (f"x:{first}", told(first, names[first])),
        (f"x:{names[first]}", withheld(names[first], "XX"), NO_DAY),
        (f"x:{names[early]}", delete(names[early])),
        (f"x:{early}", told(early, names[early])),
        (f"x:{misplaced}", post(misplaced, COFFEE)),
        (f"x:{misplaced}", told(misplaced, names[misplaced]), "2017-09-13"),
        (f"x:{names[misplaced]}", delete(names[misplaced])),
        (f"x:{other}", told(other, names[other])),
        (f"demo:{names[other]}", delete(names[other])),
        (f"x:{kept}", told(kept, names[kept])),
        (f"x:{names[kept]}", withheld(names[kept], "DE")),
    )
    assert counted_cells(records) == {(DAY, n, "coffee"): {one} for n, one in ((4, misplaced), (5, other), (6, kept))}
    assert counted(readings(records)).edited == 6


def ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def some_rows(seed: int, posts: int) -> list[dict[str, Any]]:
    """The archive's rows about so many posts: versions, of which the third is written on the next day, and orders."""
    rows: list[dict[str, Any]] = []
    chance = random.Random(seed)
    for n in range(posts):
        ids = [id_at(n % 60, n), id_at(n % 60 + 1, n), id_at(n % 60 + 24 * 60, n)]
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(3)
            values = [
                post(ids[at], chance.choice([COFFEE, TEA, "never mind"]), ids[: max(at, chance.randrange(3)) + 1])
            ]
            values += [delete(ids[at]), withheld(ids[at], chance.choice(["XX", "DE"]))]
            value = chance.choices(values, [4, 1, 1])[0]
            key = ids[0] if value is values[0] else ids[at]
            day = DAY if key != ids[2] else "2017-09-15"
            rows.append({"key": f"x:{key}", "value": value, "day": chance.choices([day, NO_DAY], [5, 1])[0]})
    chance.shuffle(rows)
    later = datetime(2017, 9, 16, tzinfo=UTC)
    return [row(n, **one, append_ts=later + timedelta(seconds=n // 2)) for n, one in enumerate(rows)]


def by_category(cells: Iterable[tuple[str, Iterable[str]]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for category, ids in cells:
        found[category] |= set(ids)
    return found


def test_spark_counts_what_plain_python_and_the_oracle_count(spark: "SparkSession", tmp_path: Path):
    """Random versions, histories and orders of many posts, by any id, under any day that they may lie under."""
    rows = some_rows(17, 400)
    table = archive(tmp_path / "archive", rows)
    records = [oracle.Record(r["value"], "x", ms(r["append_ts"]), 0, r["offset"]) for r in rows]
    stored = Lines(spark, table, "posts", [DAY, NO_DAY])
    read = readings(stored)
    counts = counted(read)
    outside = elsewhere(table, "posts", read, [DAY], counts.edited)
    kept = posts(stored, read, removed(read, counts.edited, outside.posts), few=True)
    found = by_category((row["category"], [row["id"]]) for row in level_rows(kept).collect())
    again = recount(table, "posts", DAY, {"c1/posts/0": len(rows)})
    truth = oracle.batch(records, {COFFEE: {("coffee", None)}, TEA: {("tea", None)}}.get)
    assert found == by_category((cell[2], ids) for cell, ids in again.items())
    assert found == by_category((cell[3], ids) for cell, ids in truth.items())
    # it would not be so without the orders of the next day, nor without those by another id
    assert outside.checksums[DAY] != 0
    others = level_rows(posts(stored, read, removed(read, 0))).collect()
    without = by_category((row["category"], [row["id"]]) for row in others)
    assert found["*"] < without["*"]
    assert outside.posts & {("x", one) for one in without["*"]}


def test_the_same_id_of_another_network_is_another_post(archived: Archived):
    one = id_at(1)
    records = archived((f"x:{one}", post(one, COFFEE)), (f"demo:{one}", delete(one)))
    assert counted_cells(records) == {(DAY, 1, "coffee"): {one}}


def test_every_record_is_something_and_rejected_ones_say_why_and_where(archived: Archived):
    one = id_at(1)
    records = archived(
        (f"x:{one}", post(one, COFFEE)),
        (None, post(one, COFFEE), NO_DAY),
        (None, b"", NO_DAY),
        (None, b'{"data": {"id"', NO_DAY),
        (None, b"\xff\xfe", NO_DAY),
        (f"x:{one}", b"[1, 2]"),
    )
    counts = counted(readings(records))
    assert counts.records == {("post", DAY): 1, ("notice", ""): 1, ("rejected", ""): 4}
    assert (counts.of("post"), counts.of("rejected"), counts.of("tombstone")) == (1, 4, 0)
    assert (counts.alone, counts.edited) == (2, 0)
    read = [counts.read[stored, "c1", 0] for stored in (NO_DAY, DAY)]
    assert [one[:3] for one in read] == [(4, 1, 4), (2, 0, 5)]
    assert [one.checksum for one in read] == [
        reduce(xor, (row["print"] & (2**64 - 1) for row in readings(records).collect() if row["stored"] == stored))
        for stored in (NO_DAY, DAY)
    ]
    assert rejections(readings(records)) == {
        (NO_DAY, "key"): (1, ["0:1"]),
        (NO_DAY, "cut_off"): (1, ["0:3"]),
        (NO_DAY, "encoding"): (1, ["0:4"]),
        (DAY, "shape"): (1, ["0:5"]),
    }


def test_a_post_counts_on_its_own_day_only(archived: Archived):
    early, late = id_at(-12 * 60), id_at(1)
    records = archived(
        (f"x:{early}", post(early, COFFEE), NO_DAY),
        (f"x:{late}", post(late, COFFEE), "2017-09-13"),
    )
    assert counted_cells(records) == {("2017-09-13", -720, "coffee"): {early}}
    read = readings(records)
    assert kept_cells(posts(records, read, None)) == counted_cells(records)


def test_a_version_that_lies_under_no_day_does_not_count_beside_an_ordinary_one_under_its_own(archived: Archived):
    one, two = id_at(1), id_at(2)
    records = archived(
        (f"x:{one}", post(one, "never mind")),
        (f"x:{one}", post(one, COFFEE), NO_DAY),
        (f"x:{two}", post(two, COFFEE), NO_DAY),
        (f"x:{two}", post(two, "never mind")),
    )
    assert counted_cells(records) == {(DAY, 2, "coffee"): {two}}


def test_keepalives_however_many_are_not_among_what_the_search_for_ordinary_versions_must_know(archived: Archived):
    """Nor is anything else under no day that names no drink: X's keepalives of weeks would end its quick way."""
    other, dated, silent = id_at(1), id_at(2), id_at(3)
    records = archived(
        (f"x:{other}", post(other, "good morning")),
        (f"x:{other}", post(other, TEA)),
        (f"x:{dated}", post(dated, "good night")),
        (f"x:{dated}", post(dated, COFFEE), NO_DAY),
        *[(None, b"", NO_DAY)] * 20,
        (None, b'{"limit":{"track":3}}', NO_DAY),
        ("x:?0badcafe", b"broken", NO_DAY),
        (f"x:{silent}", b"", NO_DAY),
        # this one lies where the versions of its key's post are sought, and is none
        (f"x:{silent}", b"", DAY),
        (f"x:{silent}", post(silent, TEA)),
        (None, b"", DAY),
    )
    assert counted(readings(records)).alone == 5
    assert counted_cells(records) == {(DAY, 3, "tea"): {silent}}


def test_a_file_that_is_gone_ends_a_recompute_with_its_name(archived: Archived):
    """And with the error's own kind, though it was met in another process."""
    records = archived((f"x:{id_at(1)}", post(id_at(1), COFFEE)))
    read = readings(records)
    (file,) = Path(records.archive.uri).glob("day=*/*.parquet")
    file.unlink()
    with (
        pytest.raises(UnavailableError, match=f"^day={DAY}/{file.name} of the archive at .* could not be read"),
        causes(),
    ):
        counted(read)
