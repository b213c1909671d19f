"""Each id that one layer lacks gets one cause: by hand for each cause, and in random histories of two layers."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.reconcile import (
    Attributed,
    Cause,
    CellName,
    Difference,
    Known,
    Layers,
    Place,
    PostName,
    Version,
    attribute,
    cause,
    chosen,
    compare,
    posts_of,
    tally,
)


def cell(category: str) -> CellName:
    return ("2017-09-14T08", 3, category, "", "x", "original", "en")


COFFEE, TEA, BEER = cell("coffee"), cell("tea"), cell("beer")
SAME = Layers(
    meaning="m",
    batch_meaning="m",
    speed_meaning="m",
    position={"c/posts/0": 100, "c/posts/1": 100},
    cluster="c",
    topic="posts",
    first={"0": 10, "1": 0},
    processed={"0": 200, "1": 200},
)
NEW_BATCH = replace(SAME, batch_meaning="m", speed_meaning="old")
NEW_SPEED = replace(SAME, batch_meaning="old", speed_meaning="m")


def at(offset: int, cluster: str = "c") -> Place:
    return Place(cluster, "posts", 0, offset)


def version(offset: int, *cells: CellName, edited: bool = False, rejected_then: bool = False) -> Version:
    return Version(at(offset), 1000 + offset, edited, frozenset(cells), True, rejected_then)


UNREADABLE = Version(at(50), 1050, readable=False)


@pytest.mark.parametrize(
    ("side", "post", "layers", "why"),
    [
        # a delete that the run knew; one after it changes neither layer
        ("speed", Known((version(50, COFFEE),), (at(60),)), SAME, Cause.DELETED),
        ("speed", Known((version(50, COFFEE),), (at(150),)), SAME, Cause.UNEXPLAINED),
        # deleted before the run, and edited too: the delete is what took it out of the batch
        ("speed", Known((version(50, COFFEE), version(55, TEA, edited=True)), (at(60),)), SAME, Cause.DELETED),
        # erased before the run, in place of a record that came after it, or since the run counted it
        ("speed", Known((), (at(50),), True), SAME, Cause.DELETED),
        ("speed", Known((), (at(150),), True), SAME, Cause.ARRIVED_AFTER),
        ("batch", Known((), (at(50),), True), SAME, Cause.DELETED),
        ("speed", Known((version(50, COFFEE), version(60, TEA, edited=True))), SAME, Cause.EDITED),
        # of versions that are no edits the first counts
        ("speed", Known((version(50, TEA), version(60, COFFEE))), SAME, Cause.OTHER_VERSION),
        ("speed", Known((version(150, COFFEE),)), SAME, Cause.ARRIVED_AFTER),
        ("speed", Known((version(50, TEA), version(150, COFFEE, edited=True))), SAME, Cause.ARRIVED_AFTER),
        # another cluster's records are none that the run knew
        ("speed", Known((Version(at(5, "new"), 1, False, frozenset([COFFEE])),)), SAME, Cause.ARRIVED_AFTER),
        ("speed", Known((version(50, TEA),)), NEW_BATCH, Cause.MEANING_CHANGED),
        ("speed", Known((version(50, COFFEE),)), NEW_SPEED, Cause.MEANING_CHANGED),
        ("speed", Known((version(50, COFFEE, rejected_then=True),)), NEW_SPEED, Cause.UNPARSABLE_THEN),
        ("speed", Known((UNREADABLE,)), NEW_BATCH, Cause.MEANING_CHANGED),
        # a layer that counted by the installed meaning is wrong by it: the change of meaning is no excuse
        ("speed", Known((version(50, COFFEE),)), NEW_BATCH, Cause.UNEXPLAINED),
        ("speed", Known((version(50, TEA),)), NEW_SPEED, Cause.UNEXPLAINED),
        ("speed", Known((version(50, COFFEE),)), SAME, Cause.UNEXPLAINED),
        ("speed", Known((version(50, TEA),)), SAME, Cause.UNEXPLAINED),
        ("speed", Known(), SAME, Cause.UNEXPLAINED),
        ("speed", Known(), NEW_SPEED, Cause.UNEXPLAINED),
        # behind, before and beside what the epoch read
        ("batch", Known((version(50, COFFEE),)), replace(SAME, processed={"0": 50}), Cause.SPEED_COULD_NOT_ANSWER),
        ("batch", Known((version(9, COFFEE),)), SAME, Cause.SPEED_COULD_NOT_ANSWER),
        ("batch", Known((version(50, COFFEE),)), replace(SAME, cluster="new"), Cause.SPEED_COULD_NOT_ANSWER),
        ("batch", Known((version(50, COFFEE),)), replace(SAME, processed={}), Cause.SPEED_COULD_NOT_ANSWER),
        ("batch", Known((version(50, COFFEE),)), NEW_BATCH, Cause.MEANING_CHANGED),
        ("batch", Known((version(50, COFFEE, rejected_then=True),)), NEW_BATCH, Cause.UNPARSABLE_THEN),
        ("batch", Known((version(50, TEA),)), NEW_SPEED, Cause.MEANING_CHANGED),
        ("batch", Known((version(50, TEA),)), NEW_BATCH, Cause.UNEXPLAINED),
        ("batch", Known((version(50, COFFEE),)), NEW_SPEED, Cause.UNEXPLAINED),
        ("batch", Known((version(50, COFFEE, rejected_then=True),)), SAME, Cause.UNEXPLAINED),
        ("batch", Known((version(50, COFFEE),)), SAME, Cause.UNEXPLAINED),
        ("batch", Known((version(150, COFFEE),)), SAME, Cause.UNEXPLAINED),
        ("batch", Known(), SAME, Cause.UNEXPLAINED),
    ],
)
def test_the_cause_of_a_post_in_coffee(side: str, post: Known, layers: Layers, why: Cause):
    assert cause(side, COFFEE, post, layers) == why  # type: ignore[arg-type]


def test_of_several_versions_the_last_edit_counts_else_the_first():
    first, edit, late = version(1, COFFEE), version(2, TEA, edited=True), version(3, BEER)
    assert chosen([late, edit, first]) == edit
    assert chosen([late, first]) == first
    assert chosen([UNREADABLE]) is None
    # the same moment: by partition and offset
    twins = [replace(first, place=Place("c", "posts", 1, 1)), replace(first, place=Place("c", "posts", 0, 9))]
    assert chosen(twins) == twins[1]


def test_a_difference_is_split_by_cause_and_no_id_is_lost():
    differences = (Difference(COFFEE, 3, 4, ("1",), ("2", "3")), Difference(TEA, 0, 1, (), ("2",)))
    known: Mapping[PostName, Known] = {
        ("x", "2"): Known((version(50, COFFEE, TEA),), (at(60),)),
        ("x", "3"): Known((version(150, COFFEE),)),
    }
    assert posts_of(differences) == {("x", "1"), ("x", "2"), ("x", "3")}
    parts = attribute(differences, known, SAME)
    assert parts == (
        Attributed(COFFEE, Cause.ARRIVED_AFTER, 3, 4, (), ("3",)),
        Attributed(COFFEE, Cause.DELETED, 3, 4, (), ("2",)),
        Attributed(COFFEE, Cause.UNEXPLAINED, 3, 4, ("1",), ()),
        Attributed(TEA, Cause.DELETED, 0, 1, (), ("2",)),
    )
    assert tally(parts) == {
        "deleted": 1,
        "edited": 0,
        "other_version": 0,
        "meaning_changed": 0,
        "arrived_after": 1,
        "speed_could_not_answer": 0,
        "unparsable_then": 0,
        "unexplained": 1,
    }


CELLS = st.frozensets(st.sampled_from([COFFEE, TEA, BEER]))
VERSIONS = st.lists(
    st.builds(
        lambda offset, edited, now, then: (
            Version(Place("c", "posts", offset % 2, offset), 1000 + offset // 3, edited, now),
            then,
        ),
        st.integers(0, 29),
        st.booleans(),
        CELLS,
        CELLS,
    ),
    max_size=4,
    unique_by=lambda pair: pair[0].place,
)
HISTORIES = st.dictionaries(
    st.integers(1, 9).map(lambda n: ("x", str(n))),
    st.tuples(VERSIONS, st.lists(st.integers(0, 29).map(lambda n: Place("c", "posts", n % 2, n)), max_size=1)),
    max_size=5,
)
OFFSETS = st.integers(0, 30)


@st.composite
def two_layers(draw: st.DrawFn) -> Layers:
    """Two layers that each had a part of offsets 0 to 29 before them; one of them may count by an older meaning."""
    batch, speed = draw(st.sampled_from([("m", "m"), ("m", "old"), ("old", "m"), ("old", "old")]))
    return Layers(
        meaning="m",
        batch_meaning=batch,
        speed_meaning=speed,
        position={"c/posts/0": draw(OFFSETS), "c/posts/1": draw(OFFSETS)},
        cluster="c",
        topic="posts",
        first={"0": draw(st.integers(0, 5))},
        processed={"0": draw(OFFSETS), "1": draw(OFFSETS)},
    )


def counted(history: dict, layers: Layers) -> tuple[dict[CellName, set[str]], dict[CellName, set[str]]]:
    """The cells of both layers by their own rules; a version has other cells under the older meaning."""
    batch: dict[CellName, set[str]] = {}
    speed: dict[CellName, set[str]] = {}
    for (_, post_id), (versions, removed) in history.items():
        then = {one.place: cells for one, cells in versions}
        seen = [one for one, _ in versions if layers.run_saw(one.place)]
        pick = chosen(seen)
        if pick is not None and not any(map(layers.run_saw, removed)):
            for name in pick.cells if layers.batch_meaning == "m" else then[pick.place]:
                batch.setdefault(name, set()).add(post_id)
        for one, cells in versions:
            if layers.speed_saw(one.place):
                for name in one.cells if layers.speed_meaning == "m" else cells:
                    speed.setdefault(name, set()).add(post_id)
    return batch, speed


@given(HISTORIES, two_layers())
def test_whatever_happened_nothing_is_unexplained_and_every_id_has_one_cause(history: dict, layers: Layers):
    batch, speed = counted(history, layers)
    differences = compare(batch, speed)
    known = {name: Known(tuple(v for v, _ in versions), tuple(gone)) for name, (versions, gone) in history.items()}
    parts = attribute(differences, known, layers)
    causes = tally(parts)
    assert causes["unexplained"] == 0
    if layers.batch_meaning == layers.speed_meaning:
        assert (causes["meaning_changed"], causes["unparsable_then"]) == (0, 0)
    for found in differences:
        mine = [part for part in parts if part.cell == found.cell]
        assert sorted(post for part in mine for post in part.only_batch) == sorted(found.only_batch)
        assert sorted(post for part in mine for post in part.only_speed) == sorted(found.only_speed)


@given(HISTORIES, two_layers(), st.sampled_from(["batch", "speed"]))
def test_an_id_that_no_record_accounts_for_is_unexplained(history: dict, layers: Layers, side: str):
    batch, speed = counted(history, layers)
    (batch if side == "batch" else speed).setdefault(COFFEE, set()).add("999")
    known = {name: Known(tuple(v for v, _ in versions), tuple(gone)) for name, (versions, gone) in history.items()}
    parts = attribute(compare(batch, speed), known, layers)
    unexplained = [part for part in parts if part.cause == Cause.UNEXPLAINED]
    assert [(part.cell, part.only_batch, part.only_speed) for part in unexplained] == [
        (COFFEE, ("999",), ()) if side == "batch" else (COFFEE, (), ("999",))
    ]


@given(HISTORIES, two_layers())
def test_an_id_that_the_speed_layer_lost_is_unexplained(history: dict, layers: Layers):
    """By one meaning, what both had before them and neither a delete nor an edit touches must be in both."""
    same = replace(layers, batch_meaning="m", speed_meaning="m")
    batch, speed = counted(history, same)
    lost = {
        (name, post_id)
        for name in batch.keys() & speed.keys()
        for post_id in batch[name] & speed[name]
        if all(same.speed_saw(v.place) for v, _ in history["x", post_id][0])
    }
    for name, post_id in lost:
        speed[name].discard(post_id)
    known = {name: Known(tuple(v for v, _ in versions), tuple(gone)) for name, (versions, gone) in history.items()}
    parts = attribute(compare(batch, speed), known, same)
    found = {(part.cell, post) for part in parts if part.cause == Cause.UNEXPLAINED for post in part.only_batch}
    assert found == lost
