"""The page on performance describes the rows that there are, with what each has to reach, and no other."""

import re
from pathlib import Path

import pytest

from bench.figures import Asked
from bench.peers.drain import PEERS
from bench.rows import ROWS
from bench.sizes import Sizes

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def described() -> dict[str, tuple[str, str]]:
    """What must and may be reached, as the first table of the page says it, by row."""
    table = PAGE.read_text().split("| must | aim |")[1].split("\n\n")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")
    ]
    return {name.strip("`"): (must, aim) for name, _, must, aim in rows}


def number(text: str) -> float | None:
    """The number that a cell begins with; None for an empty one."""
    found = re.match(r"[\d,.]+", text)
    return float(found[0].replace(",", "")) if found else None


def test_every_row_is_described_and_no_other():
    assert described().keys() == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_row_asks_for_what_the_page_says(name: str):
    must, aim = described()[name]
    asked: Asked = ROWS[name].asked
    assert (number(must), number(aim)) == (asked.must, asked.aim)


def test_every_peer_of_the_drain_is_described_and_no_other():
    table = PAGE.read_text().split("| row | peer | how |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in table.splitlines() if line.startswith("| `")]
    named = {peer.split(",")[0] for row, peer in rows if row == "`drain`, `drain_all_hits`"}
    assert named == {name.removesuffix(" (apart)") for name in PEERS}


def test_every_row_names_sizes_that_there_are_and_no_size_decides_nothing():
    named = {size for row in ROWS.values() for size in row.sizes}
    assert named == set(Sizes.__dataclass_fields__)


@pytest.mark.parametrize("row", [row for row in ROWS.values() if row.needs])
def test_what_a_row_needs_is_measured_before_it(row: object):
    names = list(ROWS)
    assert all(names.index(need) < names.index(next(n for n in names if ROWS[n] is row)) for need in row.needs)  # type: ignore[attr-defined]
