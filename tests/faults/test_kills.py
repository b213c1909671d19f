"""Ten kills of random processes under load, in pairs; after each recovery merged is truth (`make test-faults`: 200)."""

from collections.abc import Iterator

import pytest

from stack import up
from tests.faults.kills import RECOMPUTE, UNDER_WAY, Result, Stage, victim
from tests.faults.load import DAYS
from tests.lib.servers import Servers

PROGRAMS = ["kafka", "cassandra", "archive", "speed", "web"]
SIZES = {"speed_heap": 700, "archive_heap": 600, "recompute_heap": 800, "archive_trigger": 5}


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A stack without Airflow, under load; the recomputes of the schedule publish days."""
    servers = Servers(**SIZES)
    try:
        up.up(servers.settings, ",".join(PROGRAMS), say=_quiet)
        made = Stage(servers.settings, seed=1, rate=40)
        yield made
        made.close()
    finally:
        servers.stop()


def _quiet(_: str) -> None:
    """Progress is for a person at a terminal."""


def test_each_program_is_killed_before_one_is_again() -> None:
    """In an order of the seed's, another in each turn."""
    drawn = [victim(1, number, PROGRAMS) for number in range(50)]
    turns = [tuple(drawn[at : at + 5]) for at in range(0, 50, 5)]
    assert {tuple(sorted(turn)) for turn in turns} == {tuple(sorted(PROGRAMS))}
    assert len(set(turns)) > 5
    assert drawn != [victim(2, number, PROGRAMS) for number in range(50)]


@pytest.mark.timeout(1800)
def test_merged_is_truth_after_each_of_ten_kills(stage: Stage):
    results: list[Result] = []
    for number in range(0, 10, 2):
        results += stage.kill(number, PROGRAMS, also=1)
        print(*results[-2:], sep="\n", flush=True)
    assert [result.wrong for result in results if result.wrong] == []
    assert [result.kill for result in results] == list(range(10))
    assert results[-1].records >= 5 * 2 * UNDER_WAY
    assert {result.program for result in results} == {*PROGRAMS, RECOMPUTE}
    assert max(result.batch_days for result in results) in range(1, len(DAYS) + 1)
