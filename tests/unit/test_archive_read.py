"""What the archive's read side says of a table, without any server or JVM."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drinkstream import offset_sets
from drinkstream.archive import Archive, Class, Row
from drinkstream.errors import UnavailableError
from drinkstream.positions import Held, Span, missing
from tests.lib.archived import NOON_MS, archive, row

POST = b'{"data":{"id":"908300000000000000","text":"tea","created_at":"2017-09-14T10:00:00.000Z"}}'


def test_positions_are_one_more_than_the_highest_offset(tmp_path: Path) -> None:
    """By topic and partition, of the cluster asked for."""
    found = archive(
        tmp_path,
        [row(0), row(1), row(7, partition=1), row(3, topic="feed.status"), row(99, cluster="it's another")],
    )
    assert found.positions("c1") == {("posts", 0): 2, ("posts", 1): 8, ("feed.status", 0): 4}
    assert found.positions("it's another") == {("posts", 0): 100}
    assert found.positions("unknown") == {}
    assert found.ends() == {
        ("c1", "posts", 0): 2,
        ("c1", "posts", 1): 8,
        ("c1", "feed.status", 0): 4,
        ("it's another", "posts", 0): 100,
    }


def test_a_pinned_version_stays_as_it_was(tmp_path: Path) -> None:
    """Later commits do not show in it."""
    found = archive(tmp_path, [row(0)], [row(1), row(2)])
    assert (found.version(), found.at_version(0).version()) == (1, 0)
    assert found.positions("c1") == {("posts", 0): 3}
    assert found.at_version(0).positions("c1") == {("posts", 0): 1}
    assert found.table_id() == found.at_version(0).table_id()


def test_an_absent_table_or_version_is_unavailable(tmp_path: Path) -> None:
    """It may be there later; a version that was cleaned away will not, and the message names it."""
    absent = Archive(str(tmp_path / "absent"))
    assert not absent.exists()
    with pytest.raises(UnavailableError, match="makes it at its first start"):
        absent.version()
    found = archive(tmp_path / "there", [row(0)])
    assert found.exists()
    with pytest.raises(UnavailableError, match="has no version 5"):
        found.at_version(5).days()


def test_rows_are_counted_by_day_and_topic(tmp_path: Path) -> None:
    """What has no day lies under `none`."""
    found = archive(
        tmp_path,
        [row(0), row(1), row(2, day="2017-09-15"), row(3, day="none"), row(0, topic="feed.status", day="none")],
    )
    assert found.days() == {"2017-09-14": 2, "2017-09-15": 1, "none": 2}
    assert found.rows_by_day("posts") == {"2017-09-14": 2, "2017-09-15": 1, "none": 1}


def test_records_that_are_or_may_be_posts_are_counted_by_day(tmp_path: Path) -> None:
    """One without a readable shape only the parser can tell; an erased one may have been a post."""
    shapes = ["post.x.v2", "post.x.v2.member", None, "tombstone.erase", "tombstone.delete", "notice.limit"]
    shapes += ["rejected.shape"]
    found = archive(
        tmp_path,
        [row(n, shape=shape) for n, shape in enumerate(shapes)],
        [row(7, day="2017-09-15", shape="tombstone.delete"), row(8, day="none"), row(0, topic="posts2")],
    )
    assert found.posts_by_day("posts") == {"2017-09-14": 4, "none": 1}


def test_posts_under_another_topic_are_told_of_by_day(tmp_path: Path) -> None:
    """As after the topic was given another name; the lines of the feeds' status are none."""
    status = {"topic": "feed.status", "key": None, "source": None, "shape": None}
    found = archive(
        tmp_path,
        [row(0), row(1, day="2017-09-15"), row(2, **status), row(3, day="2017-09-15", **status)],
        [row(0, topic="posts2"), row(1, topic="posts2", day="2017-09-16"), row(1, topic="posts3")],
    )
    days = ["2017-09-14", "2017-09-15", "2017-09-16"]
    assert found.other_topics("posts", days) == {"2017-09-14": ["posts2", "posts3"], "2017-09-16": ["posts2"]}
    assert found.other_topics("posts2", days) == {"2017-09-14": ["posts", "posts3"], "2017-09-15": ["posts"]}
    assert found.other_topics("posts", ["2017-09-15"]) == {}
    assert found.other_topics("posts", []) == {}


def test_what_came_since_a_day_was_counted_is_pending(tmp_path: Path) -> None:
    """What was counted lies before the position of its partition; all of a new partition or cluster is pending."""
    found = archive(
        tmp_path,
        [row(0), row(1), row(0, partition=1), row(2, day="2017-09-15")],
        [row(3), row(1, partition=1), row(0, partition=2), row(0, cluster="c2"), row(9, topic="feed.status")],
    )
    first = {"c1/posts/0": 3, "c1/posts/1": 1}
    assert found.pending("posts", {"2017-09-14": first, "2017-09-15": first, "2017-09-16": first}) == {
        "2017-09-14": 4,
        "2017-09-15": 0,
        "2017-09-16": 0,
    }
    all_of_it = {"c1/posts/0": 4, "c1/posts/1": 2, "c1/posts/2": 1, "c2/posts/0": 1}
    assert found.pending("posts", {"2017-09-14": all_of_it}) == {"2017-09-14": 0}
    assert found.pending("posts", {"2017-09-14": {}}) == {"2017-09-14": 7}
    many = {f"2017-{month:02d}-{day:02d}": first for month in range(1, 10) for day in range(1, 29)}
    assert found.pending("posts", many) == {**dict.fromkeys(many, 0), "2017-09-14": 4}


def test_a_day_that_holds_only_what_came_before_or_after_it_did_not_come_in_on_the_day(tmp_path: Path) -> None:
    """From its first instant to its last; a delete of an old post and a replay come later, a wrong clock before."""
    ends = [datetime(2017, 9, 15, tzinfo=UTC), datetime(2017, 9, 15, 23, 59, 59, 999_999, UTC)]
    found = archive(
        tmp_path,
        [
            row(0),
            row(1, day="2017-09-15", append_ts=ends[0]),
            row(2, day="2017-09-16", append_ts=ends[1]),
            row(3, day="2017-09-13", append_ts=ends[0]),
            row(4, day="none"),
            row(5, day="2017-09-12", topic="feed.status", append_ts=datetime(2017, 9, 12, tzinfo=UTC)),
        ],
        [row(6, day="2017-09-13", append_ts=ends[1])],
    )
    days = [f"2017-09-{day}" for day in range(12, 18)]
    assert found.came_in("posts", days) == {"2017-09-14", "2017-09-15"}
    assert found.came_in("posts", ["2017-09-15"]) == {"2017-09-15"}
    last = archive(tmp_path, [row(7, day="2017-09-16", append_ts=datetime(2017, 9, 16, 23, 59, 59, 999_999, UTC))])
    assert last.came_in("posts", days) == {"2017-09-14", "2017-09-15", "2017-09-16"}


def test_the_newest_record_of_a_topic(tmp_path: Path) -> None:
    """What health asks for, of those appended since an instant; a topic without any has no newest record."""
    later = datetime(2017, 9, 14, 13, 30, tzinfo=UTC)
    found = archive(tmp_path, [row(0), row(1, append_ts=later)])
    for since in (datetime(2017, 9, 1, tzinfo=UTC), later, later.astimezone(timezone(timedelta(hours=9)))):
        assert found.newest("posts", since) == later
    assert found.newest("posts", later + timedelta(microseconds=1)) is None
    assert found.newest("feed.status", datetime(2017, 9, 1, tzinfo=UTC)) is None


def test_the_days_of_records_that_kafka_no_longer_holds(tmp_path: Path) -> None:
    """What a new epoch cannot answer for: days with a record before the first offsets, or of an earlier cluster."""
    found = archive(
        tmp_path,
        [row(0), row(1, day="none"), row(2, day="2017-09-15"), row(3, day="2017-09-16")],
        [row(0, day="2017-09-17", topic="feed.status"), row(0, day="2017-09-18", partition=1)],
    )
    assert found.days_before("posts", "c1", {0: 3, 1: 0}) == {date(2017, 9, 14), date(2017, 9, 15)}
    assert found.days_before("posts", "c1", {0: 0, 1: 0}) == frozenset()
    assert found.days_before("posts", "c2", {0: 0, 1: 0}) == {date(2017, 9, n) for n in (14, 15, 16, 18)}


def test_records_are_found_by_key_in_the_order_of_arrival(tmp_path: Path) -> None:
    """All versions of a post, whole; a quote in a key is only a character."""
    early = datetime(2017, 9, 14, 11, 0, 0, 1_999, UTC)
    odd = "mastodon:o'neil"
    found = archive(
        tmp_path,
        [row(5, key="x:1", value=b"second"), row(6, key="x:2")],
        [row(2, key="x:1", partition=1, append_ts=early, value=b"first"), row(3, key=odd, day="none", value=None)],
    )
    first = Row("2017-09-14", "c1", "posts", 1, 2, 1505386800001, "x:1", "x", "post.x.v2", NOON_MS, b"first")
    second = Row("2017-09-14", "c1", "posts", 0, 5, 1505390400250, "x:1", "x", "post.x.v2", NOON_MS, b"second")
    assert found.records(["x:1", "x:404"]) == [first, second]
    assert found.records(["x:1"], "2017-09-14") == [first, second]
    assert found.records(["x:1"], "none") == []
    assert [one.key for one in found.records(["x:1", odd], "2017-09-14", "none")] == ["x:1", odd, "x:1"]
    assert found.records([]) == []
    assert [(r.key, r.value) for r in found.records([odd])] == [(odd, None)]


def test_orders_that_name_a_later_version_are_found_with_the_post(tmp_path: Path) -> None:
    """Under the days asked for and the day of the version's id; nothing else that has this id for a key is."""
    first, edit, late = "908300000000000000", "908300000000000005", "908662387865600000"
    history = {"data": {"id": first, "edit_history_tweet_ids": [first, edit, late], "text": "tea"}}
    alone = {"data": {"id": edit, "edit_history_tweet_ids": [edit], "text": "tea"}}
    when = datetime(2017, 9, 16, tzinfo=UTC)

    def order(offset: int, ident: str, **changed: object) -> dict[str, object]:
        value = json.dumps({"delete": {"status": {"id_str": ident}}}).encode()
        return row(offset, **{"key": f"x:{ident}", "value": value, "append_ts": when, **changed})

    found = archive(
        tmp_path,
        [row(0, key=f"x:{first}", value=json.dumps(history).encode()), order(1, edit), order(2, edit, day="none")],
        [row(3, key=f"x:{edit}", value=json.dumps(alone).encode()), order(4, late, day="2017-09-15")],
        [
            order(5, edit, key="x:?0badcafe", day="none"),
            order(6, late, key=f"x:{edit}"),
            order(7, edit, day="2017-09-16"),
        ],
    )
    key, other = f"x:{first}", f"x:{edit}"
    assert [one.offset for one in found.records([key], "2017-09-14", "none")] == [0, 1, 2, 4, 5]
    assert [one.offset for one in found.records([key], "2017-09-14")] == [0, 1, 4]
    assert [one.offset for one in found.records([key])] == [0, 1, 2, 4, 5, 7]
    assert [one.offset for one in found.records([key, other], "2017-09-14", "none")] == [0, 3, 1, 2, 4, 5, 6]
    assert [one.offset for one in found.records([other], "2017-09-14")] == [3, 1, 6]
    assert [one.offset for one in found.orders([f"x:{late}", "x:404"], "2017-09-14")] == [4]


def test_a_line_that_was_unreadable_is_found_as_the_post_that_it_reads_as_now(tmp_path: Path) -> None:
    """Under its own key too; of another source, or about another post, it is not."""
    post = "908300000000000000"
    late = row(1, key="x:?0badcafe", day="none", value=POST)
    found = archive(tmp_path, [row(0, key=f"x:{post}"), late, row(2, key="demo:?0badcafe", value=POST)], [row(3)])
    assert [one.offset for one in found.records([f"x:{post}"])] == [0, 1]
    assert [one.offset for one in found.records([f"x:{post}"], "2017-09-14")] == [0]
    assert [one.offset for one in found.records(["x:?0badcafe"])] == [1]
    assert [one.offset for one in found.keyed([f"x:{post}"])] == [0]
    assert [one.offset for one in found.records([f"demo:{post}"])] == [2]
    assert [one.offset for one in found.at("posts", [(0, 3), (0, 1), (1, 0)], "2017-09-14", "none")] == [1, 3]
    assert sorted(one.offset for one in found.containing("posts", [b'"tea"', b"nowhere"])) == [1, 2]
    assert list(found.containing("posts", [])) == list(found.containing("feed.status", [b"tea"])) == []


def test_of_lines_that_could_not_be_read_only_those_are_parsed_that_may_be_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be hundreds of thousands that are nobody's, and every page of posts asks."""
    post = "908300000000000000"
    junk = [row(n, key=f"x:?{n:08x}", day="none", value=b"GET /index.html %d" % n) for n in range(2, 50)]
    late = row(1, key="x:?0badcafe", day="none", value=POST)
    found = archive(tmp_path, [row(0, key=f"x:{post}"), late, *junk])
    parsed: list[int] = []
    record = Row.record
    monkeypatch.setattr(Row, "record", lambda row: (parsed.append(row.offset), record(row))[1])
    for keys in ([f"x:{post}"], [f"x:{10**17 + n}" for n in range(20)] + [f"x:{post}"]):
        assert [one.offset for one in found.records(keys)] == [0, 1]
    assert set(parsed) == {1}


def test_a_row_is_found_in_its_file(tmp_path: Path) -> None:
    """The one that holds it, though others hold the same offsets of other partitions, or its neighbours."""
    found = archive(tmp_path, [row(0), row(9)], [row(5), row(5, partition=1)], [row(5, day="none", partition=2)])
    rows = found.records(["x:0", "x:5", "x:9"])
    files = {(one.partition, one.offset): file for one, file in found.files_of(rows).items()}
    assert files[0, 0] == files[0, 9] != files[0, 5] == files[1, 5]
    assert all((tmp_path / file).is_file() for file in files.values())
    assert files[2, 5].startswith("day=none/")
    assert found.files_of([replace(rows[0], offset=404)]) == found.files_of([]) == {}


def test_a_file_that_cannot_be_read_makes_the_archive_unavailable(tmp_path: Path) -> None:
    """The message names the file."""
    found = archive(tmp_path, [row(0)])
    rows = found.records(["x:0"])
    file = tmp_path / found.files_of(rows)[rows[0]]
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(UnavailableError, match=file.name):
        found.records(["x:0"])
    with pytest.raises(UnavailableError, match=file.name):
        found.files_of(rows)
    (tmp_path / "_delta_log" / f"{1:020}.json").write_text("{not JSON")
    with pytest.raises(UnavailableError, match=r"could not be read: .*[^\n]$"):
        found.records(["x:0"])


def test_every_record_is_in_one_class(tmp_path: Path) -> None:
    """By its shape; a post without a key is rejected, since its source stands in the key."""
    found = archive(
        tmp_path,
        [
            row(0),
            row(1, source="demo", key="demo:1"),
            row(2, shape="tombstone.delete"),
            row(3, shape="notice.limit", key=None),
            row(4, shape="rejected.not_json", key=None),
            row(5, shape="rejected.not_json", key=None),
            row(6, shape="rejected.time", key=None),
            row(7, key=None),
            row(8, cluster="c2"),
            row(9, topic="feed.status"),
        ],
    )
    assert found.classes("posts", "c1") == {
        Class("x", "post"): 1,
        Class("demo", "post"): 1,
        Class("x", "tombstone"): 1,
        Class("x", "notice"): 1,
        Class("x", "rejected", "not_json"): 2,
        Class("x", "rejected", "time"): 1,
        Class("x", "rejected", "key"): 1,
    }


def test_a_record_without_a_shape_that_says_it_is_parsed(tmp_path: Path) -> None:
    """Its source stands in its key; its header says it where there is no key."""
    found = archive(
        tmp_path,
        [
            row(0, shape=None, value=POST),
            row(1, shape=None, value=POST, source=None, key="demo:1"),
            row(2, shape=None, value=POST, key=None),
            row(3, shape="unheard.of", value=b"not json", key=None),
            row(4, shape=None, value=None, key=None, source=None),
        ],
    )
    assert found.classes("posts", "c1") == {
        Class("x", "post"): 1,
        Class("demo", "post"): 1,
        Class("x", "rejected", "key"): 1,
        Class("x", "rejected", "not_json"): 1,
        Class("", "notice"): 1,
    }


def test_what_is_held_is_told_by_islands_of_offsets(tmp_path: Path) -> None:
    """Across files and in any order; a repeated offset neither splits an island nor joins two."""
    found = archive(
        tmp_path,
        [row(0), row(1), row(5), row(3, partition=1)],
        [row(2), row(5), row(5), row(6), row(4, partition=1), row(0, topic="feed.status")],
    )
    assert found.held() == {
        ("c1", "feed.status", 0): Held(1, 0, (Span("c1", "feed.status", 0, 0, 1),)),
        ("c1", "posts", 0): Held(7, 2, (Span("c1", "posts", 0, 0, 3), Span("c1", "posts", 0, 5, 7))),
        ("c1", "posts", 1): Held(2, 0, (Span("c1", "posts", 1, 3, 5),)),
    }


@given(
    parts=st.lists(st.lists(st.integers(0, 400), max_size=120), min_size=1, max_size=3),
    full=st.integers(0, 260),
    band=st.sampled_from([64, 128, offset_sets.BAND]),
)
@settings(max_examples=40)
def test_what_is_held_is_what_was_archived_whatever_lacks_or_repeats(
    parts: list[list[int]], full: int, band: int
) -> None:
    """Within a set of 64 offsets and across their bounds and those of bands, beside sets that are whole."""
    offsets = [*range(full), *parts[0]], *parts[1:]
    rows = [row(offset, partition=p, value=None) for p, some in enumerate(offsets) for offset in some]
    with TemporaryDirectory() as folder, patch.object(offset_sets, "BAND", band):
        found = archive(Path(folder) / "archive", rows[::2], rows[1::2]).held()
    assert set(found) == {("c1", "posts", p) for p, some in enumerate(offsets) if some}
    for (*_, p), one in found.items():
        at = [offset for span in one.islands for offset in range(span.start, span.until)]
        assert at == sorted(set(offsets[p]))
        assert all(before.until < after.start for before, after in pairwise(one.islands))
        assert (one.rows, one.duplicates) == (len(offsets[p]), len(offsets[p]) - len(at))


def test_missing_offsets_are_those_neither_held_nor_excused() -> None:
    """A gap of another partition excuses nothing; an empty partition misses everything."""
    place = ("c1", "posts", 0)
    held = Held(5, 0, (Span(*place, 2, 4), Span(*place, 7, 10)))
    assert missing(held, place, 12, []) == (Span(*place, 0, 2), Span(*place, 4, 7), Span(*place, 10, 12))
    assert missing(held, place, 12, [Span(*place, 0, 2), Span(*place, 3, 8)]) == (Span(*place, 10, 12),)
    assert missing(held, place, 10, [Span(*place, 0, 7), Span("c1", "posts", 1, 0, 99)]) == ()
    assert missing(None, place, 3, []) == (Span(*place, 0, 3),)
    assert missing(None, place, 0, []) == ()


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])))


@given(spans, spans, st.integers(0, 40))
def test_missing_is_the_difference_of_sets(held: list[tuple[int, int]], gaps: list[tuple[int, int]], end: int) -> None:
    """However spans overlap: an offset is missing if it is below the end and in none of them."""
    place = ("c", "t", 0)
    islands = Held(0, 0, tuple(Span(*place, *span) for span in held))
    found = [
        n
        for hole in missing(islands, place, end, [Span(*place, *g) for g in gaps])
        for n in range(hole.start, hole.until)
    ]
    assert found == sorted(set(range(end)) - {n for span in held + gaps for n in range(*span)})
