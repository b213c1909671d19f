"""Each gate between a run and its publication, failed one at a time."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from deltalake import DeltaTable

from drinkstream.archive_change import compact, vacuum
from drinkstream.audit import Facts, apart, failed_gates
from drinkstream.cells import pack
from drinkstream.coverage import Covered
from drinkstream.errors import AuditError, UnavailableError
from drinkstream.merge import Publication
from drinkstream.reconcile import Difference, compare
from drinkstream.record import ERASED
from drinkstream.settings import Settings
from drinkstream.store.read import CellCount, CellIds, EpochRow, Run
from jobs.audit import Archived, archived_at, audit, facts, removed
from tests.lib.archived import archive, row
from tests.lib.planted import delete, post_id, tweet

GOOD = Facts(
    day=date(2017, 9, 14),
    complete=True,
    rows_read=1000,
    rows_held=1000,
    rows_of_day=400,
    posts_of_day=390,
    fed=False,
    unaccounted=(),
    rejected={"shape": 4, "not_json (no day)": 500},
    batch_n=300,
    speed_n=304,
    behind=0,
    removed=0,
    seq_then=0,
    seq_now=0,
)
NOTHING = Archived({}, {}, ())
AFTER = datetime(2017, 9, 15, 2, 15, tzinfo=UTC)


def gates(facts: Facts, now: datetime = AFTER) -> tuple[str, ...]:
    return (*failed_gates(facts, now, max_rejected_share=0.01), *apart(facts, tolerance=0.02))


def counted_live(run: Run, epoch: EpochRow, speed_n: int) -> Mock:
    """A reader of one run, whose day `epoch` counts `speed_n` posts of."""
    reader = Mock()
    reader.current_epoch.return_value = epoch
    reader.runs_of_attempt.return_value = [run]
    reader.publications.return_value = reader.coverage_days.return_value = []
    reader.speed_hours.return_value = frozenset({"2017-09-14T08"})
    reader.speed_counts.return_value = [CellCount("2017-09-14T08", 3, "*", "", "x", "original", "en", speed_n)]
    reader.batch_ids.return_value = reader.speed_ids.return_value = []
    return reader


def test_a_good_run_fails_no_gate():
    assert gates(GOOD) == ()


@pytest.mark.parametrize("change", [{"fed": True, "batch_n": 0}, {"batch_n": 3}])
def test_a_day_without_a_post_of_its_own_may_be_a_count(change: dict[str, object]):
    """A feed was there and nobody named a drink; or its posts came in lines that had no day when they came."""
    nothing = {"rows_of_day": 0, "posts_of_day": 0, "rejected": {}, "speed_n": None}
    assert gates(replace(GOOD, **{**nothing, **change})) == ()


def test_a_day_of_posts_that_name_no_drink_is_a_count_without_a_feed():
    assert gates(replace(GOOD, batch_n=0, speed_n=None)) == ()


def test_a_run_of_a_day_that_the_speed_layer_cannot_answer_for_passes():
    assert gates(replace(GOOD, speed_n=None)) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"complete": False}, "its run is not complete"),
        ({"rows_held": 1001}, "1000 records were read, the archive holds 1001"),
        ({"unaccounted": ("posts/0 offsets 3 to 4",)}, "neither archived nor erased"),
        ({"rejected": {"internal": 1}}, "1 records were rejected as `internal`"),
        ({"rejected": {"internal (no day)": 1}}, "1 records were rejected as `internal`"),
        ({"rejected": {"shape": 5}}, "5 of 400 records of the day were rejected, more than 1.0%"),
        ({"posts_of_day": 0, "batch_n": 0, "speed_n": 0}, "the archive holds no post of the day"),
        (
            {"speed_n": 311},
            "batch counts 300 posts, beside 0 that were deleted or erased, the speed layer 311",
        ),
        ({"speed_n": 0}, "batch counts 300 posts, beside 0 that were deleted or erased, the speed layer 0"),
        ({"speed_n": 411, "removed": 100}, "batch counts 300 posts, beside 100 that"),
        ({"speed_n": 300, "removed": 11}, "batch counts 300 posts, beside 11 that"),
        ({"seq_now": 1}, "publication 1 came after this run began"),
    ],
)
def test_a_fault_fails_exactly_its_gate(change: dict[str, object], words: str):
    failed = gates(replace(GOOD, **change))
    assert len(failed) == 1
    assert words in failed[0]


def test_posts_that_were_taken_back_after_speed_had_counted_them_do_not_hold_up_a_day():
    """The speed layer counts them for ever: were they held against the run, the number in force would list them too."""
    assert gates(replace(GOOD, speed_n=410, removed=100)) == ()


def test_a_day_that_has_not_ended_is_not_published():
    assert gates(GOOD, datetime(2017, 9, 14, 23, 59, 59, tzinfo=UTC)) == (
        "the day ends at 2017-09-15T00:00Z: publish it after that",
    )
    assert gates(GOOD, datetime(2017, 9, 15, tzinfo=UTC)) == ()


def test_cells_that_differ_are_named_with_the_ids_of_each_side():
    coffee = ("2017-09-14T08", 3, "coffee", "", "x", "original", "en")
    tea = ("2017-09-14T09", 0, "tea", "", "x", "original", "en")
    beer = ("2017-09-14T10", 0, "beer", "", "x", "original", "en")
    batch = {coffee: ("1", "2", "10"), tea: ("5",)}
    speed = {coffee: ("1", "2", "10"), tea: ("5", "30", "7"), beer: ("9",)}
    assert compare(batch, speed) == (
        Difference(tea, 1, 3, (), ("7", "30")),
        Difference(beer, 0, 1, (), ("9",)),
    )


def test_a_run_whose_version_of_the_archive_is_gone_fails_and_is_told_to_be_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For good, and its run says so: what is damaged now, or is no such version, may be mended and asked again."""
    settings = Settings(home=tmp_path)
    table = archive(tmp_path / "archive", [row(0)], [row(1)])
    version = table.version()
    assert archived_at(settings, version) == Archived({"2017-09-14": 2}, {"2017-09-14": 2}, ())
    compact(settings.archive, ["2017-09-14"])
    vacuum(settings.archive)

    attempted = SimpleNamespace(day=date(2017, 9, 14), run_id="r1", archive_version=version)
    reader, writer = Mock(), Mock()
    reader.runs_of_attempt.return_value = [attempted]
    reader.publications.return_value = reader.coverage_days.return_value = []
    words = f"version {version} of the archive, which its run read, is gone"
    with pytest.raises(AuditError, match=f"2017-09-14: {words}.*: recompute the day anew, from the newest"):
        audit(settings, reader, writer, "attempt", AFTER)
    assert capsys.readouterr().out.startswith(f"day=2017-09-14 run=r1: {words}")
    (stored,) = writer.run.call_args_list
    assert stored.args == (attempted.day, "r1")
    assert words in stored.kwargs["audit"]

    with pytest.raises(UnavailableError, match="has no version 99"):
        archived_at(settings, 99)
    for file in DeltaTable(settings.archive).file_uris():
        Path(file).unlink()
    with pytest.raises(UnavailableError, match="could not be read"):
        archived_at(settings, table.version())


def test_a_run_that_was_published_keeps_its_verdict_whatever_was_published_since(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own publication is none that came in between; a run of which another day's log speaks was not published."""
    archive(tmp_path / "archive", [row(0)])
    day, other = date(2017, 9, 14), date(2017, 9, 13)
    reader, writer = Mock(), Mock()
    reader.current_epoch.return_value, reader.coverage_days.return_value = None, []
    runs = [
        Run(day, name, "attempt", "", "m", "complete", AFTER, AFTER, 0, fingerprint={"seq": 0, "rows": 1})
        for name in ("mine", "late")
    ]
    reader.publications.return_value = [
        Publication(other, 1, "late", AFTER),
        Publication(day, 1, "mine", AFTER),
        Publication(day, 2, "theirs", AFTER),
    ]
    reader.runs_of_attempt.return_value = runs[:1]
    audit(Settings(home=tmp_path), reader, writer, "attempt", AFTER)
    assert capsys.readouterr().out == "day=2017-09-14 run=mine: was published already, as seq 1\n"
    assert not writer.run.called

    reader.runs_of_attempt.return_value = runs[1:]
    with pytest.raises(AuditError, match="publication 2 came after this run began"):
        audit(Settings(home=tmp_path), reader, writer, "attempt", AFTER)


@pytest.mark.parametrize("shape", ["post.x.v2", None, "tombstone.erase"])
def test_a_day_of_which_only_deletes_are_archived_was_not_collected(tmp_path: Path, shape: str | None) -> None:
    """They come where the feed was away on the day and is back at night: a final 0 would hide that hole.

    One record that is a post, may be one, or was erased, tells that somebody collected it.
    """
    order = {"value": delete(post_id(1)), "shape": "tombstone.delete"}
    archive(tmp_path / "archive", [row(n, **order) for n in range(3)], [row(3, shape=shape)])
    reader, writer = Mock(), Mock()
    reader.publications.return_value = reader.coverage_days.return_value = []
    reader.current_epoch.return_value = EpochRow("e1", "current", "m", "c1", AFTER, {}, {}, {}, 600, frozenset())
    reader.speed_hours.return_value, reader.speed_counts.return_value = frozenset(), []
    runs = [
        Run(date(2017, 9, 14), "r1", "a", "", "m", "complete", AFTER, AFTER, version, {}, {"rows": rows})
        for version, rows in enumerate((3, 4))
    ]
    reader.runs_of_attempt.return_value = runs[:1]
    with pytest.raises(AuditError, match=r"^not to be published. 2017-09-14: the archive holds no post of the day and"):
        audit(Settings(home=tmp_path), reader, writer, "a", AFTER)
    reader.runs_of_attempt.return_value = runs[1:]
    audit(Settings(home=tmp_path), reader, writer, "a", AFTER)


def covered(day: date, connected_ms: int) -> Covered:
    return Covered(day, "x", connected_ms, 0, 0, 0, 0, AFTER)


def test_the_posts_that_an_order_removed_are_counted_and_no_others(tmp_path: Path) -> None:
    """Of 100 that speed counts the run has 60; 25 were erased, 5 deleted, and 10 it lost. One was counted in two cells.

    A delete that came after the run's version of the archive is none that it followed.
    """
    day = date(2017, 9, 14)
    ids = [post_id(n) for n in range(100)]
    kept, erased, deleted, lost = ids[:60], ids[60:85], ids[85:90], ids[90:]
    lines = [row(n, key=f"x:{one}", value=tweet(one, "tea")) for n, one in enumerate([*kept, *deleted, *lost])]
    lines += [row(100 + n, key=f"x:{one}", value=ERASED, shape="tombstone.erase") for n, one in enumerate(erased)]
    lines += [row(200 + n, key=f"x:{one}", value=delete(one)) for n, one in enumerate(deleted)]
    table = archive(tmp_path / "archive", lines)
    version = table.version()
    archive(tmp_path / "archive", [row(300 + n, key=f"x:{one}", value=delete(one)) for n, one in enumerate(lost)])

    def cell(minute: int, some: list[str]) -> CellIds:
        return CellIds("2017-09-14T08", minute, "*", "", "x", "original", "en", (pack(some),))

    reader = Mock()
    reader.speed_hours.return_value = frozenset({"2017-09-14T08", "2017-09-13T08"})
    reader.speed_ids.return_value = [cell(3, ids), cell(4, erased[:1])]
    reader.batch_ids.return_value = [cell(3, kept)]
    reader.coverage_days.return_value = [covered(day, 0), covered(date(2017, 9, 13), 5)]
    run = Run(day, "r1", "attempt", "", "m", "complete", AFTER, AFTER, version, totals={"drinks": 60})
    epoch = EpochRow("e1", "current", "m", "c1", AFTER, {}, {}, {}, 600, frozenset())
    settings = Settings(home=tmp_path)
    assert removed(settings, reader, run, epoch) == 31
    assert [call.args for call in reader.speed_ids.call_args_list] == [("e1", ["2017-09-14T08"], "*", "")]

    reader.speed_counts.return_value = [CellCount("2017-09-14T08", 3, "*", "", "x", "original", "en", 101)]
    found = facts(settings, reader, run, epoch, NOTHING, [])
    assert (found.batch_n, found.speed_n, found.removed) == (60, 101, 31)
    assert (found.rows_of_day, found.posts_of_day, found.fed) == (0, 0, False)
    reader.coverage_days.return_value = [covered(day, 1)]
    found = facts(settings, reader, run, epoch, Archived({str(day): 3, "none": 9}, {str(day): 2, "none": 8}, ()), [])
    assert (found.rows_of_day, found.posts_of_day, found.fed) == (3, 2, True)
    reader.speed_counts.return_value = [CellCount("2017-09-14T08", 3, "*", "", "x", "original", "en", 70)]
    assert facts(settings, reader, run, epoch, NOTHING, []).removed == 0


@pytest.mark.parametrize(
    ("processed", "speed_n", "behind"),
    [
        ({"0": 90, "1": 50}, 89, 10),
        ({"0": 90, "1": 70}, 89, 10),  # ahead in one partition makes up for nothing in another
        ({"0": 90, "1": 50}, 86, 10),  # with all of them it would be near enough
        ({"0": 90, "1": 50}, 60, 0),  # ten records are ten posts at most
        ({"0": 100, "1": 50}, 60, 0),
        ({"1": 50}, 60, 95),  # nothing of a partition yet: it begins at the epoch's first offset
        ({"0": 90, "1": 50}, 99, 0),  # near enough for all that
        ({"0": 90, "1": 50}, 160, 0),  # what it has not counted yet explains no count that is higher
    ],
)
def test_a_lower_count_of_a_speed_layer_that_is_behind_the_run_is_not_held_against_it(
    processed: dict[str, int], speed_n: int, behind: int, tmp_path: Path
) -> None:
    """It comes to these records later; the day is right, and would stay unpublished for good."""
    archive(tmp_path / "archive", [row(0)])
    day = date(2017, 9, 14)
    position = {"c1/posts/0": 100, "c1/posts/1": 50, "c0/posts/0": 9000, "c1/feed.status/0": 9000}
    run = Run(day, "r1", "a", "", "m", "complete", AFTER, AFTER, 0, position, {"rows": 1}, {"drinks": 100})
    epoch = EpochRow("e1", "current", "m", "c1", AFTER, {"0": 5}, {}, processed, 600, frozenset())
    reader, writer = counted_live(run, epoch, speed_n), Mock()
    settings = Settings(home=tmp_path)
    found = facts(settings, reader, run, epoch, NOTHING, [])
    assert (found.behind, found.speed_n) == (behind, None if behind else speed_n)
    if behind or speed_n == 99:
        audit(settings, reader, writer, "a", AFTER)
    else:
        with pytest.raises(AuditError, match=f"the speed layer {speed_n}: more than"):
            audit(settings, reader, writer, "a", AFTER)


@pytest.mark.parametrize("speed_n", [1000, 160])
def test_a_total_too_far_from_speed_s_is_left_to_who_approves_where_asked_for_and_nothing_else_is_wrong(
    speed_n: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where Kafka lost records before they were archived; a night refuses it all the same."""
    archive(tmp_path / "archive", [row(0)])
    day = date(2017, 9, 14)
    run = Run(day, "r1", "a", "", "m", "complete", AFTER, AFTER, 0, {}, {"rows": 1}, {"drinks": 400})
    epoch = EpochRow("e1", "current", "m", "c1", AFTER, {}, {}, {}, 600, frozenset())
    reader, writer = counted_live(run, epoch, speed_n), Mock()
    settings = Settings(home=tmp_path)

    def stored() -> Run:
        return replace(run, audit=json.loads(writer.run.call_args.kwargs["audit"]))

    words = (
        f"batch counts 400 posts, beside 0 that were deleted or erased, the speed layer {speed_n}: more than 5.0% apart"
    )
    with pytest.raises(AuditError, match=f"{words}; once you know which of them is right, recompute_range"):
        audit(settings, reader, writer, "a", AFTER)
    assert (stored().audited, stored().asks) == (False, ())

    audit(settings, reader, writer, "a", AFTER, ask=True)
    assert (stored().audited, stored().asks) == (True, (words,))
    said = f"day=2017-09-14 run=r1 batch=400 speed={speed_n} removed=0: a person has to approve that {words}\n"
    assert capsys.readouterr().out.endswith(said)

    early = datetime(2017, 9, 14, 12, tzinfo=UTC)
    with pytest.raises(AuditError, match=f"the day ends at 2017-09-15T00:00Z.*{words}"):
        audit(settings, reader, writer, "a", early, ask=True)
    assert (stored().audited, stored().asks) == (False, ())


def test_the_audit_s_log_says_how_far_speed_is_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive(tmp_path / "archive", [row(0)])
    run = Run(
        *(date(2017, 9, 14), "r1", "a", "", "m", "complete", AFTER, AFTER, 0),
        *({"c1/posts/0": 100}, {"rows": 1}, {"drinks": 100}),
    )
    reader = Mock()
    reader.current_epoch.return_value = EpochRow("e1", "current", "m", "c1", AFTER, {}, {}, {"0": 7}, 600, frozenset())
    reader.runs_of_attempt.return_value = [run]
    reader.publications.return_value = reader.coverage_days.return_value = []
    reader.speed_hours.return_value = frozenset()
    reader.speed_counts.return_value = []
    audit(Settings(home=tmp_path), reader, Mock(), "a", AFTER)
    assert capsys.readouterr().out == (
        "day=2017-09-14 run=r1 batch=100 speed=None removed=0 (speed is 93 records behind what the run read: its count "
        "is not compared): passed\n"
    )
