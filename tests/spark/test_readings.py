"""From archived records to cells: versions, duplicates, tombstones, odd lines and days, as batch Spark sees them."""

import json
from typing import TYPE_CHECKING, Any

from drinkstream.post import ERASED
from jobs.readings import NO_DAY, cells, posts, readings, removed
from jobs.recompute import counted, rejections

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

DAY = "2017-09-14"
MINUTE_MS = 1_505_386_800_000  # 2017-09-14T11:00:00Z
APPEND_MS = 1_505_400_000_000
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


def frame(spark: "SparkSession", *rows: tuple[str | None, bytes] | tuple[str | None, bytes, str]) -> "DataFrame":
    """Records of (key, value[, stored]) in the order of their arrival, a second apart."""
    made = [
        (row[0], bytearray(row[1]), row[2] if len(row) == 3 else DAY, APPEND_MS + n * 1000, 0, n, "c")
        for n, row in enumerate(rows)
    ]
    return spark.createDataFrame(
        made, "key string, value binary, stored string, append_ms long, partition int, offset long, cluster string"
    )


def counted_cells(read: "DataFrame") -> dict[tuple[Any, ...], set[str]]:
    """The cells, the same whether posts that name nothing are left out before versions are compared or not."""
    every, few = (
        {
            (row["day"], (row["minute"] - MINUTE_MS) // 60_000, row["category"]): set(row["ids"])
            for row in cells(posts(read, removed(read), naming)).where("brand = '' AND category <> '*'").collect()
        }
        for naming in (None, counted(read).naming)
    )
    assert every == few
    return every


def test_a_duplicate_counts_once_and_the_first_version_stands(spark: "SparkSession"):
    one = id_at(3)
    read = readings(
        frame(spark, (f"x:{one}", post(one, COFFEE)), (f"x:{one}", post(one, COFFEE)), (f"x:{one}", post(one, TEA)))
    )
    assert counted_cells(read) == {(DAY, 3, "coffee"): {one}}


def test_the_last_edit_counts_under_the_first_id_even_when_it_names_no_drink(spark: "SparkSession"):
    one, edit, again = id_at(3), id_at(4), id_at(5)
    other, silent = id_at(6), id_at(7)
    read = readings(
        frame(
            spark,
            (f"x:{one}", post(edit, TEA, [one, edit])),
            (f"x:{one}", post(one, COFFEE)),
            (f"x:{one}", post(again, "wine with dinner, a glass of red wine", [one, edit, again])),
            (f"x:{other}", post(other, COFFEE)),
            (f"x:{other}", post(silent, "never mind", [other, silent])),
        )
    )
    assert counted_cells(read) == {(DAY, 3, "wine"): {one}}


def test_a_deleted_post_is_left_out_whichever_came_first(spark: "SparkSession"):
    one, two, kept = id_at(1), id_at(2), id_at(3)
    read = readings(
        frame(
            spark,
            (f"x:{one}", post(one, COFFEE)),
            (f"x:{one}", delete(one)),
            (f"x:{two}", delete(two)),
            (f"x:{two}", post(two, COFFEE)),
            (f"x:{kept}", post(kept, COFFEE)),
        )
    )
    assert counted_cells(read) == {(DAY, 3, "coffee"): {kept}}
    assert {row["id"] for row in removed(read).collect()} == {one, two}


def withheld(post_id: str, *countries: str) -> bytes:
    return json.dumps({"data": {"withheld": {"tweet": {"id": post_id}, "withheld_in_countries": countries}}}).encode()


def test_only_a_withholding_everywhere_and_an_erasure_leave_a_post_out(spark: "SparkSession"):
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
    read = readings(frame(spark, *rows))
    assert sorted(post_id for found in counted_cells(read).values() for post_id in found) == sorted(
        [one_country, placeless, of_a_user, kept]
    )
    assert counted(read).records["notice", ""] == 1


def test_the_same_id_of_another_network_is_another_post(spark: "SparkSession"):
    one = id_at(1)
    read = readings(frame(spark, (f"x:{one}", post(one, COFFEE)), (f"demo:{one}", delete(one))))
    assert counted_cells(read) == {(DAY, 1, "coffee"): {one}}


def test_every_record_is_something_and_rejected_ones_say_why_and_where(spark: "SparkSession"):
    one = id_at(1)
    read = readings(
        frame(
            spark,
            (f"x:{one}", post(one, COFFEE)),
            (None, post(one, COFFEE), NO_DAY),
            (None, b"", NO_DAY),
            (None, b'{"data": {"id"', NO_DAY),
            (None, b"\xff\xfe", NO_DAY),
            (f"x:{one}", b"[1, 2]"),
        )
    )
    assert counted(read) == ({("post", DAY): 1, ("notice", ""): 1, ("rejected", ""): 4}, 1, 0)
    assert rejections(read) == {
        (NO_DAY, "key"): (1, ["0:1"]),
        (NO_DAY, "cut_off"): (1, ["0:3"]),
        (NO_DAY, "encoding"): (1, ["0:4"]),
        (DAY, "shape"): (1, ["0:5"]),
    }


def test_a_post_counts_on_its_own_day_only(spark: "SparkSession"):
    early, late = id_at(-12 * 60), id_at(1)
    read = readings(
        frame(
            spark,
            (f"x:{early}", post(early, COFFEE), NO_DAY),
            (f"x:{late}", post(late, COFFEE), "2017-09-13"),
        )
    )
    assert counted_cells(read) == {("2017-09-13", -720, "coffee"): {early}}
