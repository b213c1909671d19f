"""What a clock that is set back is to a query: nothing that a second or a clock set forward is."""

import pytest

from streaming import clock
from streaming.clock import Clock


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([(1, 1), (2, 2)], [0, 0]),
        ([(-3599, 1), (-3598, 2)], [3600, 3600]),
        # slewed, or set by little
        ([(-3, 1), (-4, 1)], [0, 0]),
        # a machine that slept, set forward when it woke, and back by less: behind what a query was told in between
        ([(3601, 1), (602, 2)], [0, 3000]),
        ([(-3599, 1), (3, 2)], [3600, 0]),
    ],
    ids=["it goes on", "set back", "by little", "forward and back", "back and forward"],
)
def test_by_how_much_it_was_set_back(
    steps: list[tuple[int, int]], told: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step is what the wall clock says, and how long that is after the begin."""
    at = [(0, 0)]
    monkeypatch.setattr(clock, "time", lambda: 1_505_390_400 + at[-1][0])
    monkeypatch.setattr(clock, "monotonic", lambda: 70 + at[-1][1])
    watched, found = Clock(), []
    for step in steps:
        at.append(step)
        found.append(watched.set_back())
    assert found == told
