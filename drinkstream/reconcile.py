"""What two layers say of one cell, compared id by id. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drinkstream.cells import pack, unpack

CellName = tuple[str, int, str, str, str, str, str]
"""(hour, minute, category, brand, source, kind, lang)"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell whose ids differ; ids are in the order of cells.py's codec."""

    cell: CellName
    batch_n: int
    speed_n: int
    only_batch: tuple[str, ...]
    only_speed: tuple[str, ...]


def compare(batch: Mapping[CellName, Iterable[str]], speed: Mapping[CellName, Iterable[str]]) -> tuple[Difference, ...]:
    """The cells whose sets of ids differ, in order; a cell that one layer lacks is an empty set there."""
    found = []
    for cell in sorted(batch.keys() | speed.keys()):
        in_batch, in_speed = set(batch.get(cell, ())), set(speed.get(cell, ()))
        if in_batch != in_speed:
            only_batch, only_speed = unpack(pack(in_batch - in_speed)), unpack(pack(in_speed - in_batch))
            found.append(Difference(cell, len(in_batch), len(in_speed), only_batch, only_speed))
    return tuple(found)


def within(batch_n: int, speed_n: int, relative: float, absolute: int) -> bool:
    """Whether two totals are close enough: they differ by at most `absolute`, or `relative` of the larger one."""
    return abs(batch_n - speed_n) <= max(absolute, relative * max(batch_n, speed_n))
