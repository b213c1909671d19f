"""The options of the queries' JVMs: their threads keep the niceness that their program came with."""

import os
from pathlib import Path
from typing import Any

import pytest

from drinkstream.settings import Settings
from drinkstream.spark import PARALLEL, compilers_behind
from streaming import archive, speed


@pytest.mark.parametrize(("niceness", "work", "compilers"), [(-5, 0, 10), (0, 0, 10), (10, 10, 19), (19, 19, 19)])
def test_work_keeps_its_niceness_and_compilers_stand_behind_it(
    monkeypatch: pytest.MonkeyPatch, niceness: int, work: int, compilers: int
):
    """The JVM refuses to start with one below zero."""
    monkeypatch.setattr(os, "getpriority", lambda *_: niceness)
    options = dict(option.split("=") for option in compilers_behind())
    assert options.pop("-XX:ThreadPriorityPolicy") == "1"
    assert options.pop("-XX:CompilerThreadPriority") == str(compilers)
    assert options == {f"-XX:JavaPriority{priority}_To_OSPriority": str(work) for priority in range(1, 11)}


class Begun(Exception):
    """A session was asked for."""


def test_it_is_so_in_both_queries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The archive's writes as WRITING says, besides."""
    handed: list[tuple[Any, Any]] = []

    def session(*given: Any, java: list[str]) -> None:
        handed.append((given[3], java))
        raise Begun

    monkeypatch.setattr(archive, "look", lambda *_: None)
    monkeypatch.setattr(archive, "session", session)
    with pytest.raises(Begun):
        archive.run(Settings(home=tmp_path))
    assert handed == [(archive.WRITING, [PARALLEL, *compilers_behind()])]
    assert set(speed.java(Settings())) > {PARALLEL, *compilers_behind()}
