"""Which days the nightly run takes along, asked of a real Cassandra and a real archive."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs.pending import MOST_RUNS
from jobs.publish import publish
from jobs.rollback import rollback
from tests.lib.archived import SCHEMA, row
from tests.lib.jobs import called, run
from tests.lib.planted import DAY, History, apart, delete
from tests.lib.servers import Servers


@pytest.fixture
def history(servers: Servers, tmp_path: Path) -> Iterator[History]:
    """A published day for which a late post and two deletes came after its run."""
    made = History(apart(servers.cassandra(), tmp_path))
    idents = made.posts(5)
    _, run_id = made.run()
    run = made.reader.run(DAY, run_id)
    assert run is not None
    publish(made.reader, made.writer, run, "airflow", "nightly")
    made.posts(1)
    for ident in idents[:2]:
        made.send(ident, delete(ident))
    made.archive()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("limit", "arguments", "lines"),
    [
        (2, [], [f"day={DAY} pending=3", f"days={DAY}"]),
        (3, [], ["days="]),
        (2, ["--but", str(DAY)], ["days="]),
    ],
)
def test_a_day_with_more_pending_than_the_limit_is_named(
    history: History, limit: int, arguments: list[str], lines: list[str]
):
    assert asked(history, limit, *arguments) == lines


def test_a_day_that_nobody_published_is_named_until_its_runs_failed_too_often(history: History):
    """Records of the 15th came in on the 15th; those of the 13th came later, so no night was to publish it."""
    history.posts(1, day="2017-09-15")
    history.posts(1, day="2017-09-13")
    history.archive()
    assert asked(history, 99, "--but", "2017-09-15") == ["days="]
    assert asked(history, 99, "--but", "2017-09-16") == ["day=2017-09-15 published=never", "days=2017-09-15"]
    assert asked(history, 2, "--but", "2017-09-16") == [
        f"day={DAY} pending=3",
        "day=2017-09-15 published=never",
        f"days={DAY},2017-09-15",
    ]
    audit = json.dumps({"at": "", "failed": []})
    for number in range(MOST_RUNS):
        # as dry runs leave them, which did not fail
        history.writer.run(
            date(2017, 9, 15), f"dry-{number}", status="complete", audit=audit, started_at=datetime.now(UTC)
        )
    assert asked(history, 99, "--but", "2017-09-16") == ["day=2017-09-15 published=never", "days=2017-09-15"]
    for number in range(MOST_RUNS):
        history.writer.run(date(2017, 9, 15), f"run-{number}", status="writing", started_at=datetime.now(UTC))
    assert asked(history, 99, "--but", "2017-09-16") == [
        "day=2017-09-15 published=never: 9 runs and more failed; settle why, then run a Backfill of the day",
        "days=",
    ]


def test_a_published_day_that_other_rules_counted_is_left_to_a_person(history: History):
    """A night would change numbers by more than what came in since, which is a person's to approve."""
    (run,) = history.reader.runs(DAY)
    history.writer.run(DAY, run.run_id, meaning="older")
    assert asked(history, 2) == [
        f"day={DAY} pending=3: left as it is, since other rules counted it (older): recompute_range counts it by the "
        "rules installed, once a person approves what that changes",
        "days=",
    ]


def test_asked_again_it_names_what_is_left_though_the_rules_were_mended_meanwhile(history: History):
    """As where `pending` is cleared: one of two days was published, the other failed by a fault of the parser."""
    history.posts(1, day="2017-09-15")
    history.archive()
    assert asked(history, 2, "--but", "2017-09-16")[-1] == f"days={DAY},2017-09-15"
    _, run_id = history.run(version="older")
    run = history.reader.run(DAY, run_id)
    assert run is not None
    publish(history.reader, history.writer, run, "airflow", "nightly")
    audit = json.dumps({"at": "", "failed": ["1 records were rejected as `internal`"]})
    history.writer.run(
        date(2017, 9, 15), "bad", status="complete", meaning="older", audit=audit, started_at=datetime.now(UTC)
    )
    assert asked(history, 0, "--but", "2017-09-16") == ["day=2017-09-15 published=never", "days=2017-09-15"]


def test_a_day_that_was_rolled_back_is_no_night_s_until_that_is_undone(history: History):
    """Its run is the old one, so the same records are pending for it: a night would count what was regretted anew."""
    (first,) = history.reader.runs(DAY)
    _, second = history.run()
    run = history.reader.run(DAY, second)
    assert run is not None
    publish(history.reader, history.writer, run, "airflow", "nightly")
    assert asked(history, 0) == ["days="]
    rollback(history.reader, history.writer, DAY, "", "ops", "a flood")
    assert asked(history, 2) == [
        f"day={DAY} pending=3: left as it is, since it was rolled back: recompute_range counts it by the rules "
        "installed, once a person approves what that changes",
        "days=",
    ]
    rollback(history.reader, history.writer, DAY, second, "ops", "no flood")
    history.posts(1)
    history.archive()
    assert asked(history, 0) == [f"day={DAY} pending=1", f"days={DAY}"]
    assert [entry.run_id for entry in history.reader.publications([str(DAY)[:7]])] == [
        *(first.run_id, second),
        *(first.run_id, second),
    ]


def test_a_day_of_which_posts_lie_under_another_topic_is_left_as_it_is(history: History):
    """A recompute reads one topic: under its new name the few late posts of a day would replace all that it counted."""
    history.posts(1, day="2017-09-15")
    history.archive()
    late = [row(n, topic="posts2", cluster="c2", append_ts=datetime(2017, 9, 15, 9, tzinfo=UTC)) for n in range(9)]
    late += [row(9, topic="posts2", cluster="c2", day="2017-09-15", append_ts=datetime(2017, 9, 15, 9, tzinfo=UTC))]
    write_deltalake(history.settings.archive, pa.Table.from_pylist(late, SCHEMA), mode="append")
    left = ": left as it is, since posts of it lie under posts too"
    history.settings = history.settings.model_copy(update={"posts_topic": "posts2"})
    assert asked(history, 5, "--but", "2017-09-16", call=run) == [
        f"day={DAY}{left}",
        f"day=2017-09-15{left}",
        "days=",
    ]


def asked(
    history: History, limit: int, *arguments: str, call: Callable[..., CompletedProcess[str]] = called
) -> list[str]:
    """The lines of the program; it must end well."""
    done = call("jobs.pending", history.settings.model_copy(update={"pending_limit": limit}), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()
