"""Which version of a post counts, and whether its text may be shown, from its archived records alone."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.archive import Row
from drinkstream.post import ERASED
from drinkstream.standing import ERASED_FOR_GOOD, NOT_ARCHIVED, Text, by_post, read, taken, text_of
from tests.lib import oracle

ID = "908300000000000000"  # 2017-09-14
NOON_MS = 1505390400000
DELETE = json.dumps({"delete": {"status": {"id_str": ID, "id": int(ID)}}}).encode()


def post(text: str, version: int = 0) -> bytes:
    """A v2 line of the post, by the number of its version."""
    return json.dumps({"data": {"id": str(int(ID) + version), "edit_history_tweet_ids": [ID], "text": text}}).encode()


def withheld(*countries: str) -> bytes:
    return json.dumps({"status_withheld": {"id": int(ID), "withheld_in_countries": countries}}).encode()


def row(value: bytes, offset: int = 0, append_ms: int = NOON_MS, day: str = "2017-09-14", partition: int = 0) -> Row:
    return Row(day, "c1", "posts", partition, offset, append_ms, f"x:{ID}", "x", "", NOON_MS, value)


def by_id(version: int, offset: int = 0, day: str = "2017-09-14") -> Row:
    """A delete that names a later version by its own id, and so has this id for a key."""
    own = str(int(ID) + version)
    value = json.dumps({"delete": {"status": {"id_str": own, "id": int(own)}}}).encode()
    return replace(row(value, offset, NOON_MS + 90_000_000, day), key=f"x:{own}")


def told(text: str, *versions: int) -> bytes:
    """The first version, as it is sent after it was edited."""
    history = [str(int(ID) + version) for version in (0, *versions)]
    return json.dumps({"data": {"id": ID, "edit_history_tweet_ids": history, "text": text}}).encode()


def verdicts(*rows: Row) -> list[tuple[str, bytes | None, str]]:
    return [(t.day, t.version.row.value if t.version else None, t.why) for t in taken(read(rows))]


def test_which_version_is_taken_is_said_with_the_reason() -> None:
    day = "2017-09-14"
    first, again, edit, last = row(post("a")), row(post("b"), 1), row(post("c", 1), 2), row(post("d", 2), 3)
    assert verdicts(first) == [(day, post("a"), "the only version")]
    why = "the first of 2 deliveries, none of which is marked as an edit"
    assert verdicts(again, first) == [(day, post("a"), why)]
    assert verdicts(edit, again, first) == [(day, post("c", 1), "the only edit among 3 deliveries")]
    assert verdicts(first, edit, last) == [(day, post("d", 2), "the last of 2 edits among 3 deliveries")]
    assert verdicts(edit) == [(day, post("c", 1), "the only edit among one delivery")]
    assert verdicts(row(DELETE), first) == [(day, None, "deleted")]
    assert verdicts(first, row(withheld("XX"), 4), row(DELETE, 5)) == [(day, None, "withheld everywhere and deleted")]
    assert verdicts(first, row(withheld("DE"), 4)) == [(day, post("a"), "the only version")]
    assert verdicts(row(DELETE)) == []


NEXT_DAY = 86_400_000 << 22
"""What the id of a version has more than the first one's that was written a day before."""


def test_a_delete_by_the_id_of_any_version_takes_the_post_out() -> None:
    """Of one that came, or that another tells of, whichever came first; under the day of the version, or of none."""
    gone = [("2017-09-14", None, "deleted")]
    assert verdicts(row(post("a")), row(post("b", 1), 1), by_id(1, 2)) == gone
    assert verdicts(by_id(2), row(told("a", 1, 2), 1)) == gone
    assert verdicts(row(told("a", NEXT_DAY)), by_id(NEXT_DAY, 1, "2017-09-15")) == gone
    assert verdicts(row(told("a", NEXT_DAY)), by_id(NEXT_DAY, 1, "none")) == gone
    stands = [("2017-09-14", post("a"), "the only version")]
    assert verdicts(row(post("a")), by_id(1, 1)) == stands
    # the record that names the version lies where a recompute of the day does not look
    assert verdicts(row(post("a")), row(told("a", 1), 1, day="2017-09-15"), by_id(1, 2)) == stands
    assert verdicts(row(post("a")), row(told("a", 1), 1), by_id(1, 2, "2017-09-16"))[0][1] == post("a")


def test_an_order_by_the_id_of_a_version_stands_with_the_post_and_hides_its_text() -> None:
    key, version = f"x:{ID}", f"x:{int(ID) + 1}"
    rows = [row(told("a", 1)), by_id(1, 1), replace(by_id(9, 2), key="x:?00000000")]
    found = by_post(rows)
    assert {name: [v.row.offset for v in versions] for name, versions in found.items()} == {
        key: [0, 1],
        version: [1],
        f"x:{int(ID) + 9}": [2],
    }
    assert text_of(found[key]) == Text("withheld", None, "deleted")
    somewhere = {"id_str": version[2:], "withheld_in_countries": ["DE"]}
    hidden = replace(row(json.dumps({"status_withheld": somewhere}).encode(), 1), key=version)
    found = by_post([rows[0], hidden])
    assert text_of(found[key]) == Text("withheld", None, "withheld in DE")
    assert verdicts(*(v.row for v in found[key])) == [("2017-09-14", rows[0].value, "the only version")]


def test_a_record_under_another_day_is_not_read_for_its_own() -> None:
    elsewhere = "its record lies under another day, which a recompute of this one does not read"
    assert verdicts(row(post("a"), day="2017-09-15")) == [("2017-09-14", None, elsewhere)]
    assert verdicts(row(post("a"), day="none")) == [("2017-09-14", post("a"), "the only version")]
    assert verdicts(row(post("a")), row(DELETE, 1, day="2017-09-15"))[0][1] == post("a")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([post("tea")], Text("shown", "tea", None)),
        ([post("tea"), post("coffee", 1)], Text("shown", "coffee", None)),
        ([post("tea"), DELETE, DELETE], Text("withheld", None, "deleted")),
        ([withheld("XY"), post("tea")], Text("withheld", None, "withheld everywhere")),
        ([post("tea"), withheld("de", "fr")], Text("withheld", None, "withheld in DE, FR")),
        ([post("tea"), withheld()], Text("withheld", None, "withheld")),
        ([post("tea"), b'{"scrub_geo":{"up_to_status_id":%s}}' % ID.encode()], Text("shown", "tea", None)),
        ([DELETE], Text("withheld", None, "deleted")),
        ([], Text("absent", None, NOT_ARCHIVED)),
        ([b'{"data":'], Text("absent", None, "its record could not be read: cut_off")),
        (
            [post("tea").replace(ID.encode(), b"908300000000000001")],
            Text("absent", None, "no post is among its archived records"),
        ),
        ([b""], Text("absent", None, "no post is among its archived records")),
    ],
)
def test_the_text_that_may_be_shown(values: Sequence[bytes], text: Text) -> None:
    """An order to delete or withhold hides it, whichever came first, and in however few countries."""
    assert text_of(read(row(value, offset) for offset, value in enumerate(values))) == text


records = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *map(row, (post("a"), post("b"), post("c", 1), post("d", 2), post("e", 2), told("f", 1, 3))),
                *map(row, (DELETE, withheld("XX"))),
                *map(by_id, (1, 2, 3)),
            ]
        ),
        st.integers(0, 3),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=7,
)


@given(records)
def test_the_version_taken_is_the_oracle_s(delivered: list[tuple[Row, int, int]]) -> None:
    """Whatever comes in whatever order, with equal append times in two partitions."""
    rows = [
        replace(made, offset=offset, append_ms=NOON_MS + append, partition=partition)
        for offset, (made, append, partition) in enumerate(delivered)
    ]
    truth = oracle.batch(
        [oracle.Record(r.value or b"", "x", r.append_ms, r.partition, r.offset) for r in rows],
        lambda text: {(text, None)},
    )
    counted = {cell[3] for cell in truth} - {"*"}
    for versions in (read(rows), by_post(rows).get(f"x:{ID}", ())):
        found = [t.version.record for t in taken(versions) if t.version is not None]
        assert {one.text for one in found} == counted


def test_an_erased_post_is_left_out_and_its_text_is_gone_whatever_else_was_ordered() -> None:
    erased = row(ERASED)
    assert verdicts(erased, row(post("a"), 1)) == [("2017-09-14", None, "erased")]
    gone = Text("erased", None, ERASED_FOR_GOOD)
    assert text_of(read([erased])) == text_of(read([erased, row(post("a"), 1), row(DELETE, 2)])) == gone


def test_a_line_that_was_unreadable_when_it_came_is_its_post_s_own_once_it_can_be_read() -> None:
    """Its key names no post; a key that names another one is something else."""
    late = replace(row(post("a")), key="x:?0badcafe")
    assert text_of(read([late])) == Text("shown", "a", None)
    assert verdicts(late, row(DELETE, 1)) == [("2017-09-14", None, "deleted")]
    assert text_of(read([replace(late, key="x:1")])).state == "absent"
