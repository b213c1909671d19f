"""What a new run would change: the old run with the report is the new one, and each post that moves has one reason."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.cells import Level, levels
from drinkstream.classify import Classifier
from drinkstream.difference import (
    Change,
    Move,
    Moved,
    Row,
    Ruled,
    Said,
    Side,
    cause,
    changes,
    explain,
    moves,
    picked,
    rows,
    ruled,
    tally,
)
from drinkstream.post import Post
from drinkstream.reconcile import Cause, CellName, Known, Place, Version, cells_of
from drinkstream.share import Total
from drinkstream.taxonomy import load
from drinkstream.taxonomy_kept import installed, restored
from tests.lib.moved import applied, before_pepsi

Cells = Mapping[CellName, frozenset[str]]


def cell(category: str, brand: str = "", kind: str = "original", minute: int = 3) -> CellName:
    return ("2017-09-14T08", minute, category, brand, "x", kind, "en")


COFFEE, TEA, BEER = cell("coffee"), cell("tea"), cell("beer")

named = st.builds(
    cell,
    st.sampled_from(["coffee", "tea", "*"]),
    st.sampled_from(["", "pepsi"]),
    st.sampled_from(["original", "repost"]),
    st.sampled_from([0, 59]),
)
runs = st.dictionaries(named, st.frozensets(st.sampled_from(["1", "2", "3", "40", "bsky-5"]), min_size=1))


@given(runs, runs)
def test_the_old_run_and_the_report_are_the_new_run_in_every_cell(old: Cells, new: Cells):
    """By cells, and by the posts that move."""
    report = changes(old, new)
    assert applied(old, report) == new
    by_post: dict[CellName, set[str]] = defaultdict(set, {name: set(ids) for name, ids in old.items()})
    for move in moves(report):
        assert not move.lost & move.gained
        assert move.lost | move.gained
        for name in move.lost:
            by_post[name].remove(move.id)
        for name in move.gained:
            assert move.id not in by_post[name]
            by_post[name].add(move.id)
    assert {name: ids for name, ids in by_post.items() if ids} == new


def totals(cells: Cells) -> list[Total]:
    return [Total(*name[2:7], len(ids)) for name, ids in cells.items()]


@given(runs, runs)
def test_each_row_is_the_count_of_its_posts_old_and_new(old: Cells, new: Cells):
    """Without reposts; a row is there for all that either run counts."""
    found = {(row.category, row.brand): (row.old_n, row.new_n) for row in rows(totals(old), totals(new))}

    def counted(cells: Cells, level: tuple[str, str]) -> int:
        return sum(len(ids) for name, ids in cells.items() if name[2:4] == level and name[5] != "repost")

    for category, brand, level in [
        (None, None, ("*", "")),
        ("coffee", None, ("coffee", "")),
        (None, "pepsi", ("*", "pepsi")),
        ("tea", "pepsi", ("tea", "pepsi")),
    ]:
        expected = (counted(old, level), counted(new, level))
        assert found.get((category, brand), (0, 0)) == expected


def test_shares_old_and_new_are_of_what_each_run_counts():
    old = [Total("*", "", "x", "original", "en", 10), Total("tea", "", "x", "original", "en", 4)]
    new = [Total("*", "", "x", "original", "en", 8), Total("beer", "", "x", "reply", "en", 2)]
    beer, tea = Row("beer", None, 0, 2, 10, 8), Row("tea", None, 4, 0, 10, 8)
    assert rows(old, new) == (Row(None, None, 10, 8, 10, 8), beer, tea)
    assert (beer.old_share, beer.new_share, tea.old_share) == (0.0, 0.25, 0.4)
    assert Row("tea", None, 0, 1, 0, 1).old_share is None


def test_of_too_many_moves_some_of_every_kind_are_picked():
    """Ninety posts from coffee to tea do not hide the two that are now beer."""
    many = [Move("x", str(n), frozenset([COFFEE]), frozenset([TEA])) for n in range(90)]
    few = [Move("x", str(n), frozenset(), frozenset([BEER])) for n in (95, 96)]
    found = picked([*many, *few], 6)
    assert [move.id for move in found] == ["0", "1", "2", "3", "95", "96"]
    assert picked(few, 6) == tuple(few)


# ---- why a post moves -----------------------------------------------------------------------------------------------

OLD = Side("m0", {"c/posts/0": 100}, None)
NEW = Side("m1", {"c/posts/0": 200}, None)
SAME = replace(NEW, meaning="m0")


def at(offset: int) -> Place:
    return Place("c", "posts", 0, offset)


def version(offset: int, *cells: CellName, edited: bool = False, rejected_then: bool = False) -> Version:
    return Version(at(offset), 1000 + offset, edited, frozenset(cells), True, rejected_then)


def move(lost: CellName | None = None, gained: CellName | None = None) -> Move:
    return Move("x", "1", frozenset([lost] if lost else []), frozenset([gained] if gained else []))


@pytest.mark.parametrize(
    ("moved", "post", "new", "why"),
    [
        (move(COFFEE), Known((version(50, COFFEE),), (at(150),)), NEW, Cause.DELETED),
        # a delete that both knew, and one that neither knew, move nothing
        (move(COFFEE), Known((version(50, COFFEE),), (at(60),)), SAME, Cause.UNEXPLAINED),
        (move(COFFEE), Known((version(50, COFFEE),), (at(250),)), SAME, Cause.UNEXPLAINED),
        (move(COFFEE, TEA), Known((version(50, COFFEE), version(150, TEA, edited=True))), NEW, Cause.EDITED),
        # the edit of both, and a late delivery that is no edit, move nothing
        (move(COFFEE, TEA), Known((version(50, TEA), version(60, TEA, edited=True))), SAME, Cause.UNEXPLAINED),
        (move(COFFEE, TEA), Known((version(50, TEA), version(150, COFFEE))), SAME, Cause.UNEXPLAINED),
        (move(None, COFFEE), Known((version(150, COFFEE),)), NEW, Cause.ARRIVED_AFTER),
        (move(None, COFFEE), Known((version(150, COFFEE),)), SAME, Cause.ARRIVED_AFTER),
        (move(COFFEE, TEA), Known((version(50, TEA),)), NEW, Cause.MEANING_CHANGED),
        (move(COFFEE), Known((version(50),)), NEW, Cause.MEANING_CHANGED),
        (move(None, TEA), Known((version(50, TEA, rejected_then=True),)), NEW, Cause.UNPARSABLE_THEN),
        # it was readable for the old run, which counted it elsewhere
        (move(COFFEE, TEA), Known((version(50, TEA, rejected_then=True),)), NEW, Cause.MEANING_CHANGED),
        (move(None, TEA), Known((version(50, TEA, BEER, rejected_then=True),)), NEW, Cause.MEANING_CHANGED),
        # the new run counted by the installed meaning: what the records do not say it cannot have counted
        (move(COFFEE, TEA), Known((version(50, BEER),)), NEW, Cause.UNEXPLAINED),
        (move(COFFEE), Known((version(50, COFFEE),)), NEW, Cause.UNEXPLAINED),
        (move(COFFEE, TEA), Known((version(50, TEA),)), SAME, Cause.UNEXPLAINED),
        (move(COFFEE), Known(), NEW, Cause.UNEXPLAINED),
    ],
)
def test_the_one_reason_why_a_post_moves(moved: Move, post: Known, new: Side, why: Cause):
    assert cause(moved, post, OLD, new, "m1") == why


def test_what_the_old_run_counted_by_the_installed_meaning_is_checked_too():
    """As after a rollback of the code: then the old run is the one that can be looked into."""
    newer = replace(NEW, meaning="m2")
    assert cause(move(COFFEE, TEA), Known((version(50, COFFEE),)), OLD, newer, "m0") == Cause.MEANING_CHANGED
    assert cause(move(COFFEE, TEA), Known((version(50, BEER),)), OLD, newer, "m0") == Cause.UNEXPLAINED


# ---- by which rules -------------------------------------------------------------------------------------------------

MS = 1_505_376_180_000  # 08:03


def post(text: str) -> Post:
    return Post("x", "1", "1", MS, "en", "original", text, (), None, edited=False)


def counted(by: Classifier, text: str) -> frozenset[CellName]:
    decided = by.decide(text, "en")
    return cells_of(post(text), levels((one.category, one.brand) for one in decided.mentions))


def explained(old: Classifier | None, new: Classifier, text: str, was: frozenset[CellName]) -> Moved:
    becomes = counted(new, text)
    moved = Move("x", "1", was - becomes, becomes - was)
    known = Known((Version(at(50), 1, cells=becomes),))
    sides = (replace(OLD, rules=old), replace(NEW, rules=new))
    return explain(moved, known, {at(50): post(text)}, *sides, "m1")


TEXT = "drinking a can of pepsi and a cup of coffee"


@pytest.fixture(scope="module")
def present() -> Classifier:
    return Classifier(load())


@pytest.fixture(scope="module")
def before() -> Classifier:
    """Before pepsi was a word of the taxonomy, from kept files."""
    return Classifier(restored(before_pepsi()))


def test_a_kept_taxonomy_is_the_one_that_was_installed():
    assert restored(installed()) == load()


def test_a_new_alias_is_named_with_its_span_and_its_rule_and_what_did_not_change_is_not(
    before: Classifier, present: Classifier
):
    found = explained(before, present, TEXT, counted(before, TEXT))
    (mention,) = [one for one in present.decide(TEXT, "en").mentions if one.brand == "pepsi"]
    assert (found.cause, found.was, found.was_told, found.becomes_told) == (Cause.MEANING_CHANGED, (), True, True)
    assert found.becomes == (Said(mention.rule, "soda", "pepsi", 18, 23),)
    assert TEXT[18:23] == "pepsi"
    assert (found.before, found.after) == (at(50), at(50))


def test_an_alias_that_is_gone_is_named_by_its_old_rule(before: Classifier, present: Classifier):
    found = explained(present, before, TEXT, counted(present, TEXT))
    assert [(one.brand, one.start, one.counts) for one in found.was] == [("pepsi", 18, True)]
    assert found.becomes == ()


def test_rules_that_do_not_give_what_a_run_counted_are_not_told(present: Classifier):
    """The taxonomy is the same and the code is another, or the old taxonomy was not kept."""
    for old in (present, None):
        found = explained(old, present, TEXT, frozenset([TEA]))
        assert (found.was, found.was_told, found.becomes_told) == ((), False, True)


def test_an_edit_is_explained_by_both_of_its_texts(present: Classifier):
    texts = {at(50): "a cup of coffee", at(150): "a cup of green tea"}
    versions = tuple(
        Version(place, place.offset, place.offset > 100, counted(present, text)) for place, text in texts.items()
    )
    sides = [versions[0].cells, versions[1].cells]
    moved = Move("x", "1", sides[0] - sides[1], sides[1] - sides[0])
    read = {place: post(text) for place, text in texts.items()}
    found = explain(
        moved, Known(versions), read, replace(OLD, rules=present), replace(SAME, rules=present), installed="m0"
    )
    assert (found.cause, found.before, found.after) == (Cause.EDITED, at(50), at(150))
    assert [one.category for one in (*found.was, *found.becomes)] == ["coffee", "tea"]


def test_rules_are_counted_the_most_first(before: Classifier, present: Classifier):
    gained = explained(before, present, TEXT, counted(before, TEXT))
    unknown = explained(None, present, TEXT, frozenset([TEA]))
    deleted = explain(move(COFFEE), Known((version(50, COFFEE),), (at(150),)), {}, OLD, NEW, "m1")
    (rule,) = (one.rule for one in gained.becomes)
    pair = tuple(sorted(one.rule for one in unknown.becomes))
    assert ruled([gained, unknown, gained, deleted]) == (
        Ruled("meaning_changed", (), (rule,), 2),
        Ruled("deleted", ("unknown",), (), 1),
        Ruled("meaning_changed", ("unknown",), pair, 1),
    )
    assert tally([gained, deleted]) == {
        "deleted": 1,
        "edited": 0,
        "other_version": 0,
        "meaning_changed": 1,
        "arrived_after": 0,
        "unparsable_then": 0,
        "unexplained": 0,
    }


def test_a_level_of_a_post_is_a_cell_of_its_minute():
    assert cells_of(post("x"), [Level("coffee", ""), Level("*", "")]) == {COFFEE, cell("*")}


def test_a_change_names_old_and_new_numbers():
    assert changes({COFFEE: ["1", "2"]}, {COFFEE: ["2", "10", "3"]}) == (Change(COFFEE, 2, 3, ("1",), ("3", "10")),)
