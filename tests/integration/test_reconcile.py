"""Each cause of a difference, planted so many times, moves its column by so many and no other; on a real Cassandra."""

from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from drinkstream.reconcile import Cause, Reconciliation
from drinkstream.settings import Settings
from tests.lib.jobs import called, run
from tests.lib.planted import COFFEE, DAY, PEPSI, TEA, TEXTS, History, Sent, apart, delete, tweet, without
from webapp import create_app
from webapp.serving import serving

NONE = dict.fromkeys(map(str, Cause), 0)


@pytest.fixture
def history(keyspace: Settings, tmp_path: Path) -> Iterator[History]:
    """A history of its own, with forty posts that both layers count."""
    made = History(apart(keyspace, tmp_path))
    made.posts(20, COFFEE)
    made.posts(20, TEA)
    yield made
    made.close()


def reconcile(history: History, attempt: str) -> CompletedProcess[str]:
    """What the job answers."""
    return called("jobs.reconcile", history.settings, "--attempt", attempt)


def found(history: History, attempt: str, run_id: str) -> Reconciliation:
    """What a reconciliation that explains everything stored for a run."""
    done = reconcile(history, attempt)
    assert (done.returncode, done.stderr) == (0, "")
    return next(one for one in history.reader.reconciliations(DAY) if one.run_id == run_id)


# ---- what is planted: each takes the history and a number, and says how the epoch differs ---------------------------

How = dict[str, Any]


def deleted(history: History, k: int) -> How:
    """The last one by the id of an edit that says the same."""
    *idents, last = history.posts(k)
    for ident in idents:
        history.send(ident, delete(ident), shape="tombstone.delete")
    edit = history.new_id()
    history.send(last, tweet(edit, COFFEE, last))
    history.send(edit, delete(edit), shape="tombstone.delete")
    return {}


def edited(history: History, k: int) -> How:
    for ident in history.posts(k):
        history.send(ident, tweet(history.new_id(), TEA, ident))
    return {}


def other_version(history: History, k: int) -> How:
    for ident in history.posts(k):
        history.send(ident, tweet(ident, TEA))
    return {}


def meaning_changed(history: History, k: int) -> How:
    """The speed layer counted before pepsi was a brand."""
    history.posts(k, PEPSI)
    return {"label": {**TEXTS, PEPSI: set()}.get, "version": "old"}


def unparsable_then(history: History, k: int) -> How:
    """Lines that the collector and the speed layer rejected before their parser was mended."""
    idents = history.posts(k, shape="rejected.shape", day="none")
    return {"counted": without(idents), "version": "old"}


def speed_could_not_answer(history: History, k: int) -> How:
    """A partition that the epoch has not come to."""
    history.posts(k, partition=1)
    return {"counted": lambda one: one.record.partition == 0, "processed": {"0": len(history.sent)}}


def both(first: How, second: How) -> How:
    """Two ways in which the epoch differs, at once."""
    picks: list[Callable[[Sent], bool]] = [how["counted"] for how in (first, second) if "counted" in how]
    return {**first, **second, "counted": lambda one: all(pick(one) for pick in picks)}


PLANTED = [deleted, edited, other_version, meaning_changed, unparsable_then, speed_could_not_answer]


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_cause_moves_its_column_by_exactly_its_number(history: History, plant: Callable[..., How]):
    attempt, run_id = history.run()
    history.archive()
    history.epoch()
    assert found(history, attempt, run_id).causes == NONE
    how = plant(history, 3)
    attempt, run_id = history.run()
    history.archive()
    history.epoch(**how)
    assert found(history, attempt, run_id).causes == {**NONE, plant.__name__: 3}


def test_what_arrived_after_the_run_moves_its_column_by_exactly_its_number(history: History):
    """New posts, and an edit that arrived late; deletes that arrived late change neither layer."""
    old = history.posts(3)
    attempt, run_id = history.run()
    history.posts(4)
    history.send(old[0], tweet(history.new_id(), TEA, old[0]))
    history.send(old[1], delete(old[1]), shape="tombstone.delete")
    history.archive()
    history.epoch()
    assert found(history, attempt, run_id).causes == {**NONE, "arrived_after": 5}


def test_all_causes_at_once_each_keep_their_own_number(history: History):
    how: How = {}
    for k, plant in enumerate(PLANTED, 1):
        how = both(how, plant(history, k))
    how["processed"] = {"0": sum(one.record.partition == 0 for one in history.sent) + 7}
    attempt, run_id = history.run()
    history.posts(7)
    history.archive()
    epoch = history.epoch(**how)
    result = found(history, attempt, run_id)
    assert result.causes == {
        **{plant.__name__: k for k, plant in enumerate(PLANTED, 1)},
        "arrived_after": 7,
        "unexplained": 0,
    }
    # an edit stands in coffee for the speed layer only: the batch has it in tea, which the speed layer has too
    assert (result.only_speed, result.only_batch) == (1 + 2 + 3 + 7, 4 + 5 + 6)
    assert (result.epoch, result.batch_meaning == result.speed_meaning, result.answered) == (epoch, False, True)
    parts = list(history.reader.reconciled_cells(DAY, run_id))
    assert len({part.cell for part in parts}) == result.cells
    for cell in {part.cell for part in parts}:
        mine = [part for part in parts if part.cell == cell]
        gained, lost = (sum(len(getattr(p, side)) for p in mine) for side in ("only_speed", "only_batch"))
        assert {part.speed_n - part.batch_n for part in mine} == {gained - lost}


def test_a_post_that_nothing_explains_is_named_and_ends_the_job_red(history: History):
    """As Airflow calls it."""
    lost = history.posts(2)
    attempt, run_id = history.run()
    history.archive()
    history.epoch(without(lost))
    done = run("jobs.reconcile", history.settings, "--attempt", attempt)
    assert done.returncode == 6
    assert done.stderr.startswith("IntegrityError: 2 posts stand in one layer only and nothing explains it: ")
    assert all(f"{DAY} x:{ident}" in done.stderr for ident in lost)
    assert all(ident in done.stdout for ident in lost)
    (result,) = [one for one in history.reader.reconciliations(DAY) if one.run_id == run_id]
    assert result.causes == {**NONE, "unexplained": 2}


def test_a_second_comparison_replaces_the_first(history: History):
    """As after a fault was mended: no cell of before is left."""
    lost = history.posts(2)
    attempt, run_id = history.run()
    history.archive()
    history.epoch(without(lost))
    assert reconcile(history, attempt).returncode == 6
    assert list(history.reader.reconciled_cells(DAY, run_id))
    history.epoch()
    assert found(history, attempt, run_id).causes == NONE
    assert list(history.reader.reconciled_cells(DAY, run_id)) == []


def test_what_is_counted_but_not_archived_yet_is_waited_for(history: History):
    """The archive is half a minute behind the speed layer; what it lacks is no fault of the numbers."""
    history.archive()
    attempt, run_id = history.run()
    history.posts(2)
    history.epoch()
    impatient = history.settings.model_copy(update={"archive_patience": 0})
    history.settings, patient = impatient, history.settings
    done = reconcile(history, attempt)
    assert done.returncode == 3
    assert "the archive has not reached what the speed layer counted: {'0': 42}" in done.stderr
    history.settings = patient
    history.archive()
    assert found(history, attempt, run_id).causes == {**NONE, "arrived_after": 2}


def test_a_day_that_the_speed_layer_cannot_answer_for_is_said_to_be_one(history: History):
    attempt, run_id = history.run()
    history.archive()
    history.epoch(blind_days=frozenset([DAY]))
    result = found(history, attempt, run_id)
    assert result.causes == {**NONE, "speed_could_not_answer": 40}
    assert (result.answered, result.cells, result.only_batch, result.only_speed) == (False, 0, 40, 0)


def test_the_web_shows_what_the_job_stored(history: History):
    """Of the run in force, as JSON, CSV and page."""
    from jobs.publish import publish

    deleted(history, 3)
    attempt, run_id = history.run()
    history.archive()
    history.epoch()
    run = history.reader.run(DAY, run_id)
    assert run is not None
    publish(history.reader, history.writer, run, "ops", "a test")
    found(history, attempt, run_id)
    app = create_app(history.settings, lambda: history.reader)
    client = app.test_client()
    answer = client.get(f"/api/v1/reconciliation/{DAY}").get_json()
    assert answer["run"] == run_id
    assert {one["cause"]: one["posts"] for one in answer["causes"]} == {**NONE, "deleted": 3}
    ids = {post for row in answer["cells"] for post in row["only_speed"]}
    assert len(ids) == 3
    table = client.get(f"/api/v1/reconciliation/{DAY}?format=csv").text
    assert table.count(",deleted,speed,x:") == sum(len(row["only_speed"]) for row in answer["cells"])
    page = client.get(f"/reconciliation/{DAY}")
    assert page.status_code == 200
    assert all(post in page.text for post in ids)
    serving(app).view.stop()
    serving(app).pending.stop()
