"""What the archive says of posts that one layer lacks, from a real table."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

import jobs.facts
from drinkstream.archive import Archive
from drinkstream.reconcile import Known, Place, Version
from jobs.facts import gather
from tests.lib.archived import SCHEMA
from tests.lib.planted import COFFEE, DAY, MORNING_MS, TEA, delete, post_id, tweet

A, B, C = post_id(1), post_id(2), post_id(3)
MINUTE = ("2017-09-14T08", 0)
APPEND_MS = MORNING_MS + 60_000


def row(offset: int, key: str | None, value: bytes, **changed: object) -> dict[str, object]:
    """A row as the archive query writes it, appended `offset` ms after a minute past."""
    return {
        "day": str(DAY),
        "cluster": "c",
        "topic": "posts",
        "partition": 0,
        "offset": offset,
        "append_ts": datetime.fromtimestamp((APPEND_MS + offset) / 1000, UTC),
        "key": key,
        "source": "x",
        "shape": "post.x.v2",
        "event_ms": MORNING_MS,
        "value": value,
        **changed,
    }


def version(offset: int, category: str, **changed: object) -> Version:
    cells = frozenset((*MINUTE, level, "", "x", "original", "en") for level in ("*", category))
    return Version(Place("c", "posts", 0, offset), APPEND_MS + offset, cells=cells, **changed)  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    rows = [
        row(0, f"x:{A}", tweet(A, COFFEE)),
        row(1, f"x:{A}", tweet(C, TEA, A)),  # an edit
        row(2, f"x:{A}", delete(A), shape="tombstone.delete"),
        row(3, f"x:{B}", tweet(B, TEA), day="none", shape="rejected.shape"),
        row(4, f"x:{B}", b"{"),
        row(5, f"x:{B}", tweet(B, COFFEE), day="2017-09-13"),  # where no run of the day looks
        row(6, f"x:{A}", tweet(A, TEA), topic="feed.status"),
        row(7, None, tweet(A, TEA)),
        row(8, f"x:{C}", tweet(C, TEA)),
    ]
    write_deltalake(str(tmp_path / "archive"), pa.Table.from_pylist(rows, SCHEMA), partition_by=["day"])
    return Archive(str(tmp_path / "archive"))


EXPECTED = {
    ("x", A): Known((version(0, "coffee"), version(1, "tea", edited=True)), (Place("c", "posts", 0, 2),)),
    ("x", B): Known(
        (
            version(3, "tea", rejected_then=True),
            Version(Place("c", "posts", 0, 4), APPEND_MS + 4, readable=False, rejected_then=True),
        )
    ),
}


@pytest.mark.parametrize("at_once", [1, 5000])
def test_versions_deletes_and_what_was_rejected_then(archive: Archive, at_once: int, monkeypatch: pytest.MonkeyPatch):
    """By key, under the day and under none; `rejected` are the places that the run could not read."""
    monkeypatch.setattr(jobs.facts, "KEYS_A_QUERY", at_once)
    found = gather(archive, "posts", DAY, {("x", A), ("x", B), ("x", "404")}, {(0, 4)})
    assert found == EXPECTED


def test_an_order_by_the_id_of_a_later_version_is_known_with_the_records_that_name_it(tmp_path: Path):
    """Of the day, of no day, or of the day on which the version was written; whether or not it ever came."""
    later = {"append_ts": datetime(2017, 9, 16, tzinfo=UTC), "shape": "tombstone.delete"}
    late, told, unsaid = (str(int(post_id(n)) + (86_400_000 << 22)) for n in (4, 5, 6))
    history = json.dumps({"data": {"id": B, "text": TEA, "lang": "en", "edit_history_tweet_ids": [B, told]}}).encode()
    rows = [
        row(0, f"x:{A}", tweet(A, COFFEE)),
        row(1, f"x:{A}", tweet(late, TEA, A)),
        row(2, f"x:{late}", delete(late), day="2017-09-15", **later),
        row(3, f"x:{told}", delete(told), day="none", **later),
        row(4, f"x:{B}", history),
        row(5, f"x:{B}", history),
        row(6, f"x:{C}", tweet(C, TEA)),
        row(7, f"x:{unsaid}", delete(unsaid), day="2017-09-15", **later),
        row(8, f"x:{late}", delete(late), day="2017-09-16", **later),
    ]
    write_deltalake(str(tmp_path / "archive"), pa.Table.from_pylist(rows, SCHEMA), partition_by=["day"])
    found = gather(Archive(str(tmp_path / "archive")), "posts", DAY, {("x", A), ("x", B), ("x", C)}, ())
    places = [Place("c", "posts", 0, n) for n in range(9)]
    assert found == {
        ("x", A): Known(
            (version(0, "coffee"), version(1, "tea", edited=True)), removed_by_id=((places[2], (places[1],)),)
        ),
        ("x", B): Known((version(4, "tea"), version(5, "tea")), removed_by_id=((places[3], (places[4], places[5])),)),
        ("x", C): Known((version(6, "tea"),)),
    }
    assert found["x", B].orders({places[3], places[5]}.__contains__) == {places[3]}
    assert found["x", B].orders({places[3]}.__contains__) == found["x", B].orders({places[4]}.__contains__) == set()


def test_many_posts_are_asked_about_at_once(archive: Archive):
    names = {("x", str(n)) for n in range(jobs.facts.KEYS_A_QUERY + 10)} | {("x", A)}
    assert gather(archive, "posts", DAY, names, ()) == {("x", A): EXPECTED["x", A]}


def test_another_day_s_posts_are_none_of_this_one(archive: Archive):
    assert gather(archive, "posts", date(2017, 9, 13), {("x", B)}, ()) == {}
