"""The options of the speed query's JVM: its threads keep the niceness that its program came with."""

import os

import pytest

from drinkstream.settings import Settings
from streaming import speed


@pytest.mark.parametrize(("niceness", "work", "compilers"), [(-5, 0, 10), (0, 0, 10), (10, 10, 19), (19, 19, 19)])
def test_work_keeps_its_niceness_and_compilers_stand_behind_it(
    monkeypatch: pytest.MonkeyPatch, niceness: int, work: int, compilers: int
):
    """The JVM refuses to start with one below zero."""
    monkeypatch.setattr(os, "getpriority", lambda *_: niceness)
    options = dict(option.split("=") for option in speed.java(Settings()) if "Priority" in option)
    assert {options[f"-XX:JavaPriority{priority}_To_OSPriority"] for priority in range(1, 11)} == {str(work)}
    assert options["-XX:CompilerThreadPriority"] == str(compilers)
