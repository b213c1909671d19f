"""Which published days the nightly run takes along, asked of a real Cassandra and a real archive."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drinkstream.settings import ROOT
from jobs.publish import publish
from tests.lib.planted import DAY, History, apart, delete
from tests.lib.programs import environment
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
    done = subprocess.run(
        [sys.executable, "-m", "jobs.pending", *arguments],
        cwd=ROOT,
        env=environment(history.settings.model_copy(update={"pending_limit": limit})),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, lines, "")
