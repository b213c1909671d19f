"""Which cells of a run and an epoch are compared: those of every category that either of them had."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

from drinkstream.cells import pack
from drinkstream.reconcile import Difference
from drinkstream.store.read import CellIds, EpochRow, Run
from jobs.reconcile import differences

DAY = date(2017, 9, 14)
NOW = datetime(2017, 9, 15, tzinfo=UTC)
HOUR = "2017-09-14T08"
RUN = Run(DAY, "run-1", "attempt", "airflow", "m1", "complete", NOW, NOW, position={})
EPOCH = EpochRow("e1", "current", "m2", "c", NOW, {}, {}, {}, 600, frozenset())


def cell(category: str, *ids: str) -> CellIds:
    return CellIds(HOUR, 3, category, "", "x", "original", "en", (pack(ids),))


class Cells:
    """The cells of the run and the epoch, and the taxonomies that they were counted by."""

    batch = (cell("*", "1", "2"), cell("tea", "1"), cell("kombucha", "2"))
    speed = (cell("*", "1", "3"), cell("tea", "1"), cell("mate", "3"))

    def taxonomy(self, meaning: str) -> dict[str, str]:
        known = {"m1": ["tea", "kombucha"], "m2": ["tea", "mate"]}
        return {"taxonomy.toml": f"categories = {known[meaning]}"}

    def batch_ids(self, run_id: str, hours: Sequence[str], category: str, brand: str | None) -> Iterator[CellIds]:
        assert (run_id, HOUR in hours, brand) == ("run-1", True, None)
        return (one for one in self.batch if one.category == category)

    def speed_hours(self, epoch: str) -> frozenset[str]:
        assert epoch == "e1"
        return frozenset([HOUR])

    def speed_ids(self, epoch: str, hours: Sequence[str], category: str, brand: str | None) -> Iterator[CellIds]:
        assert (epoch, hours, brand) == ("e1", [HOUR], None)
        return (one for one in self.speed if one.category == category)


def test_cells_of_a_category_that_the_taxonomy_no_longer_has_are_compared_too() -> None:
    found = differences(Cells(), RUN, EPOCH)  # type: ignore[arg-type]
    assert {one.cell[2]: one for one in found} == {
        name: Difference((HOUR, 3, name, "", "x", "original", "en"), *sides)
        for name, sides in {
            "*": (2, 2, ("2",), ("3",)),
            "kombucha": (1, 0, ("2",), ()),
            "mate": (0, 1, (), ("3",)),
        }.items()
    }
