"""A job ends with the process that it is told to follow, whatever it does then."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from drinkstream.errors import UnavailableError
from drinkstream.settings import ROOT
from jobs import recompute
from jobs.leader import GONE, end_with

FOLLOWS = """
import sys, time
from jobs.leader import end_with
end_with(int(sys.argv[1]))
print("led", flush=True)
"""


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as started:
        yield started
        started.kill()


@pytest.mark.parametrize("work", ["time.sleep(60)", "while True: pass"])
def test_a_job_ends_with_its_leader(leader: subprocess.Popen[bytes], work: str):
    """Though it waits for something, or computes; and before anybody has asked what became of the leader."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", FOLLOWS + work, str(leader.pid)]
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as led:
        assert led.stdout is not None
        assert led.stdout.readline() == "led\n"
        leader.kill()
        try:
            _, said = led.communicate(timeout=20)
        finally:
            led.kill()
    assert (led.returncode, said) == (3, GONE + "\n")


def test_a_recompute_whose_leader_is_gone_does_not_begin(
    leader: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
):
    """The task may be killed while Spark's JVM starts."""
    leader.kill()
    leader.wait()
    with pytest.raises(UnavailableError):
        end_with(leader.pid)
    day = "2017-09-14"
    assert recompute.main(["--from", day, "--to", day, "--attempt", "a", "--led-by", str(leader.pid)]) == 3
    assert capsys.readouterr().err == f"UnavailableError: {GONE}\n"
