"""What a recompute would change, on a real Cassandra and archive: planted moves come out under their cause and rule."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from drinkstream.cells import ANY
from drinkstream.difference import Moved, Report, Said
from drinkstream.merge import hours_of
from drinkstream.reconcile import Cause, CellName
from drinkstream.settings import Settings
from drinkstream.taxonomy import load
from jobs.maintenance import drop
from jobs.publish import publish
from tests.lib.jobs import called, run
from tests.lib.moved import applied, before_pepsi
from tests.lib.planted import COFFEE, PEPSI, TEA, TEXTS, History, apart, delete, new_day, tweet

NONE = {str(why): 0 for why in Cause if why != Cause.SPEED_COULD_NOT_ANSWER}
BEFORE_PEPSI = {**TEXTS, PEPSI: set()}.get


@pytest.fixture
def history(keyspace: Settings, tmp_path: Path) -> Iterator[History]:
    """Forty posts, of which the pepsis were no brand yet, published by a meaning whose taxonomy is kept."""
    made = History(apart(keyspace, tmp_path), new_day())
    made.writer.taxonomy("old", before_pepsi())
    made.posts(10, COFFEE)
    made.posts(20, TEA)
    made.posts(10, PEPSI)
    _, run_id = made.run(BEFORE_PEPSI, "old")
    put_in_force(made, run_id)
    yield made
    made.close()


def put_in_force(history: History, run_id: str) -> None:
    run = history.reader.run(history.day, run_id)
    assert run is not None
    publish(history.reader, history.writer, run, "airflow", "nightly")


def compared(
    history: History, attempt: str, call: Callable[..., CompletedProcess[str]] = called
) -> tuple[dict[str, Any], str]:
    """The answer and the log of the job."""
    history.archive()
    done = call("jobs.difference", history.settings, "--attempt", attempt)
    assert (done.returncode, done.stderr) == (0, "")
    *log, last = done.stdout.splitlines()
    assert last.startswith("answer=")
    return json.loads(last.removeprefix("answer=")), "\n".join(log)


def stored(history: History, run_id: str) -> tuple[Report, dict[str, Moved]]:
    """The report of a run, and its moved posts by id."""
    (report,) = [one for one in history.reader.reports(history.day) if one.run_id == run_id]
    return report, {one.move.id: one for one in history.reader.moved_posts(history.day, run_id)}


def cells(history: History, run_id: str) -> dict[CellName, frozenset[str]]:
    """All ids of a run, in every category that there is."""
    return {
        cell[:7]: frozenset(cell.ids)
        for category in (ANY, *load().categories)
        for cell in history.reader.batch_ids(run_id, hours_of(history.day), category, None)
    }


def test_planted_moves_come_out_under_their_cause_and_rule_and_old_and_report_are_new(history: History):
    """Two deletes, one by an edit's id, three edits, four late posts, ten of a new brand; in every cell, id by id."""
    old = history.reader.publications([str(history.day)[:7]])[0].run_id
    ids = sorted(one.key.partition(":")[2] for one in history.sent)
    coffees, teas, pepsis = ids[:10], ids[10:30], ids[30:]
    history.send(teas[0], delete(teas[0]), shape="tombstone.delete")
    again = history.new_id()
    history.send(again, delete(again), shape="tombstone.delete")
    history.send(teas[1], tweet(again, TEA, teas[1]))
    for ident in coffees[:3]:
        history.send(ident, tweet(history.new_id(), TEA, ident))
    late = history.posts(4, COFFEE)
    attempt, run_id = history.run()
    answer, log = compared(history, attempt, run)

    report, moved = stored(history, run_id)
    assert (report.old_run, report.seq, report.old_meaning) == (old, 1, "old")
    assert (report.moved, report.explained) == (19, 19)
    assert report.causes == {**NONE, "deleted": 2, "edited": 3, "arrived_after": 4, "meaning_changed": 10}
    assert {ident: str(one.cause) for ident, one in moved.items()} == {
        **dict.fromkeys(teas[:2], "deleted"),
        **dict.fromkeys(coffees[:3], "edited"),
        **dict.fromkeys(late, "arrived_after"),
        **dict.fromkeys(pepsis, "meaning_changed"),
    }
    new_brand = moved[pepsis[0]]
    assert (new_brand.was, new_brand.was_told) == ((), True)
    assert new_brand.becomes == (Said("brands.pepsi", "soda", "pepsi", 18, 23),)
    edit, gone = moved[coffees[0]], moved[teas[0]]
    assert [one.category for one in (*edit.was, *edit.becomes)] == ["coffee", "tea"]
    assert ([one.category for one in gone.was], gone.becomes, gone.after) == (["tea"], (), None)

    counts = {(row.category, row.brand): (row.old_n, row.new_n) for row in report.rows}
    assert counts == {
        (None, None): (30, 42),
        ("coffee", None): (10, 11),
        ("tea", None): (20, 21),
        ("soda", None): (0, 10),
        (None, "pepsi"): (0, 10),
        ("soda", "pepsi"): (0, 10),
    }
    changed = list(history.reader.changed_cells(history.day, run_id))
    assert applied(cells(history, old), changed) == cells(history, run_id)
    assert report.cells == len(changed)

    assert answer["published"] == [str(history.day)]
    for text in (log, answer["body"]):
        assert "| soda | 0 | 10 | +10 | 0.0% | 23.8% |" in text
        assert f"| 10 | meaning changed | – | brands.pepsi | x:{pepsis[0]}, " in text
        assert "| 2 | deleted | " in text
    assert f"/difference/{history.day}?run={run_id}" in answer["body"]
    # no word of any post is kept outside the archive
    rows = history.session.execute("SELECT move FROM moved_posts_v1")
    assert [row.move for row in rows if "coffee right" in row.move or "cup" in row.move] == []


def test_a_day_that_was_never_published_has_nothing_to_approve(keyspace: Settings, tmp_path: Path):
    history = History(apart(keyspace, tmp_path), new_day())
    history.posts(3)
    attempt, run_id = history.run()
    answer, log = compared(history, attempt)
    report, moved = stored(history, run_id)
    assert (answer["published"], report.published, report.old_run, report.moved, moved) == ([], False, "", 0, {})
    assert f"Never published: run {run_id} would be its first, 3 posts." in log
    history.close()


def test_a_repeated_comparison_replaces_the_first_and_rules_that_were_not_kept_are_said_to_be_unknown(
    history: History,
):
    """As after a task was cleared: what it stored before, of the code of before, is there no more."""
    _, before = history.run({**BEFORE_COFFEE, PEPSI: set()}.get, "older")
    put_in_force(history, before)
    attempt, run_id = history.run()
    compared(history, attempt)
    report, moved = stored(history, run_id)
    other = moved.popitem()[1]
    planted = replace(other, move=replace(other.move, id=history.new_id()))
    history.writer.difference(replace(report, moved=21), (), (*moved.values(), other, planted))
    assert len(stored(history, run_id)[1]) == 21
    _, log = compared(history, attempt)
    report, moved = stored(history, run_id)
    assert (report.seq, report.old_run, report.moved, len(moved)) == (2, before, 20, 20)
    assert "the taxonomy of meaning older was not kept: its rules are not known" in log
    assert {(one.cause, one.was_told, one.becomes_told) for one in moved.values()} == {
        # what did not count then had no rules to tell
        (Cause.MEANING_CHANGED, False, True)
    }
    assert applied(cells(history, before), history.reader.changed_cells(history.day, run_id)) == cells(history, run_id)


def test_a_day_that_another_run_took_meanwhile_is_left_out_and_the_others_are_asked_for(history: History):
    """No approval could publish it. Its report, which a person saw, stays; without another day nobody is asked."""
    attempt, run_id = history.run()
    compared(history, attempt)
    before = stored(history, run_id)
    _, between = history.run(BEFORE_PEPSI, "old")
    put_in_force(history, between)
    done = called("jobs.difference", history.settings, "--attempt", attempt)
    said = f"day={history.day} run={run_id}: left out, seq 2, run {between}, came into force since it began\n\n"
    assert (done.returncode, done.stdout) == (5, said)
    why = f"nothing to approve: other runs came into force since on {history.day}. Recompute what you still need"
    assert done.stderr == f"ConflictError: {why}\n"
    assert stored(history, run_id) == before

    after, now = history.day + timedelta(days=1), datetime.now(UTC)
    row = {"meaning": "m", "status": "complete", "started_at": now, "fingerprint": {"seq": 0}, "audit": {"failed": []}}
    history.writer.run(after, "first", attempt=attempt, asked_by="a test", position=history.position(), **row)
    history.writer.run_of_attempt(attempt, after, "first")
    answer, log = compared(history, attempt)
    assert answer["published"] == []
    assert f"Not published by this: {history.day}. Another run came into force since this one began." in answer["body"]
    assert log.startswith(said + f"### {after}\n\nNever published: run first would be its first, 0 posts.")


def test_what_the_audit_left_to_a_person_is_asked_of_them_though_the_day_was_never_published(
    keyspace: Settings, tmp_path: Path
):
    history = History(apart(keyspace, tmp_path), new_day())
    history.posts(3)
    attempt, run_id = history.run()
    words = "batch counts 3 posts, the speed layer 300"
    history.writer.run(history.day, run_id, audit=json.dumps({"at": "", "failed": [], "asks": [words]}))
    answer, log = compared(history, attempt)
    assert (answer["published"], answer["asks"]) == ([], [str(history.day)])
    asked = (
        f"**{history.day} is beyond the audit's bounds: {words}. Approve it only if you know which of them is right.**"
    )
    assert asked in answer["body"]
    assert asked in log
    history.close()


def test_a_comparison_after_the_publication_leaves_the_report_that_was_approved(history: History):
    """As after a task was cleared: held against itself a run changes nothing, and a person was asked of that."""
    attempt, run_id = history.run()
    answer, log = compared(history, attempt)
    assert answer["published"] == [str(history.day)]
    before = stored(history, run_id), list(history.reader.changed_cells(history.day, run_id))
    put_in_force(history, run_id)
    again, repeated = compared(history, attempt)
    assert again["published"] == []
    said = f"day={history.day} run={run_id}: was published already, as seq 2; its report of before"
    assert repeated == f"{said}:\n\n{log}"
    assert (stored(history, run_id), list(history.reader.changed_cells(history.day, run_id))) == before
    assert before[0][0].moved == 10


def test_a_run_that_was_published_without_a_comparison_has_none(history: History):
    attempt, run_id = history.run()
    put_in_force(history, run_id)
    answer, log = compared(history, attempt)
    assert (answer["published"], history.reader.reports(history.day)) == ([], [])
    assert log.strip() == f"day={history.day} run={run_id}: was published already, as seq 2, and had not been compared"


BEFORE_COFFEE = {**TEXTS, COFFEE: {("tea", None)}}


def test_a_dropped_run_takes_its_report_with_it(history: History):
    attempt, run_id = history.run()
    compared(history, attempt)
    # it is complete and audited, and waits for its approval, however long it takes
    later = datetime.now(UTC) + timedelta(days=300)
    drop(history.reader, history.writer, [history.day], later, timedelta(0), lambda: None)
    assert stored(history, run_id)[0].moved == 10
    put_in_force(history, history.run()[1])
    drop(history.reader, history.writer, [history.day], later, timedelta(0), lambda: None)
    assert history.reader.reports(history.day) == []
    assert list(history.reader.changed_cells(history.day, run_id)) == []
    assert list(history.reader.moved_posts(history.day, run_id)) == []
