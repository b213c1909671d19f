"""What a difference report is tested with: the old run with the report made to it, and an older taxonomy."""

import re
from collections.abc import Iterable, Mapping

from drinkstream.difference import Change
from drinkstream.reconcile import CellName
from drinkstream.taxonomy_kept import installed

BRANDS = "taxonomy/brands.toml"


def applied(old: Mapping[CellName, Iterable[str]], report: Iterable[Change]) -> dict[CellName, frozenset[str]]:
    """What must be the new run; cells that end up empty are left out. Fails where a change does not fit the old run."""
    cells = {cell: frozenset(ids) for cell, ids in old.items()}
    for change in report:
        before = cells.get(change.cell, frozenset())
        lost, gained = frozenset(change.lost), frozenset(change.gained)
        assert lost <= before, change
        assert not gained & before, change
        cells[change.cell] = (before - lost) | gained
        assert (len(before), len(cells[change.cell])) == (change.old_n, change.new_n), change
    return {cell: ids for cell, ids in cells.items() if ids}


def before_pepsi() -> dict[str, str]:
    """The files of the installed taxonomy in which pepsi is known by a word that nobody writes."""
    kept = installed()
    older, places = re.subn(r'(\nid = "pepsi"\n(?:\w.*\n)*?words = )\[.*\]', r'\1["qwertzy"]', kept[BRANDS])
    assert places == 1
    return {**kept, BRANDS: older}
