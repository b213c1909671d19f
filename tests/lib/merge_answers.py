"""The merged answer as the product gives it, cell by cell and number by number, held against the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from drinkstream.merge import choose, snapshot
from drinkstream.retention import expiring
from drinkstream.share import KINDS, Filter
from drinkstream.store.read import CellIds, Reader
from tests.lib.merge_lines import LEVELS
from tests.lib.merge_truth import Answer, Truth, bounds, differences, listed
from tests.lib.merge_world import TTL_DAYS, World
from tests.lib.oracle import Cells
from webapp import answers
from webapp.basis import Basis, basis
from webapp.query import Asked
from webapp.texts import Found
from webapp.view import View

CATEGORIES = ("*", "coffee", "tea")


@dataclass
class Request:
    """A request under way: what it asks, what it took its snapshot of, and what it may answer."""

    asked: Asked
    level: tuple[str, str]
    base: Basis
    at: datetime
    may: list[list[Answer]]


@dataclass
class Asking:
    """Asks about days: the store at once, and the web's view, which lives as long as the schedule."""

    world: World
    truth: Truth
    days: Sequence[tuple[date, ...]]
    hours: Sequence[int]
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = Reader(self.world.store.session())
        self.view = View(lambda: self._reader, 3600, lambda: self.world.now, timedelta(days=TTL_DAYS))

    def _basis(self, asked: Asked) -> Basis:
        return basis(self.view, asked, self.view.state(), self.world.now, lambda *_: Found())

    def cells(self) -> None:
        """Every day's cells with their ids: of one layer alone, n ids each, and the truth."""
        log = self._reader.publications(self._reader.published_months())
        epoch = self._reader.current_epoch()
        state = snapshot(log, epoch.as_epoch if epoch else None)
        for day in (day for group in self.days for day in group):
            choice = choose(day, state)
            hours = [f"{day}T{hour:02}" for hour in self.hours]
            counts, ids = [], []
            if choice.run is not None:
                counts = self._reader.batch_counts(choice.run, hours, CATEGORIES)
                ids = [c for category in CATEGORIES for c in self._reader.batch_ids(choice.run, hours, category, None)]
            elif choice.epoch is not None:
                counts = self._reader.speed_counts(choice.epoch, hours, CATEGORIES)
                ids = [
                    c for category in CATEGORIES for c in self._reader.speed_ids(choice.epoch, hours, category, None)
                ]
            assert {c[:7]: c.n for c in counts} == {c[:7]: len(c.ids) for c in ids}, "n is not the number of ids"
            self._hold(day, choice.layer, _cells(ids))

    def numbers(self) -> None:
        """Every day's numbers at every level, as the page shows them."""
        assert self.view.look()
        for group in self.days:
            for level in LEVELS:
                shown = self._shown(group, level)
                for row, day in zip(shown, group, strict=True):
                    may = self.truth.answers(day, self.world.now)
                    assert any(_fits(row, answer, level) for answer in may), f"{day} {level}: {row} is none of {may}"

    def begin(self, group: int, level: tuple[str, str]) -> None:
        """A request takes its snapshot."""
        assert self.view.look()
        asked = _asked(self.days[group], level)
        base = self._basis(asked)
        may = [self.truth.answers(day, self.world.now) for day in self.days[group]]
        self.requests.append(Request(asked, level, base, self.world.now, may))

    def end(self, which: int) -> None:
        """A request is answered, whatever has happened since it took its snapshot; then asked again by its token."""
        request = self.requests.pop(which % len(self.requests))
        if self.world.now - request.at > timedelta(hours=12):
            return  # rows of its epoch may be at their end
        shown = answers.posts(request.asked, request.base)
        most: set[str] = set()
        least: set[str] = set()
        for row, may in zip(shown["days"], request.may, strict=True):
            fit = [answer for answer in may if _fits(row, answer, request.level)]
            assert fit, f"{row} is none of {may}"
            least |= listed(fit[0].least, request.level)
            most |= listed(fit[0].most, request.level)
        ids = set(shown["ids"])
        assert least <= ids, f"{sorted(least - ids)} are counted but not listed"
        if all(row["layer"] != "speed" for row in shown["days"]):
            # a live day may have got more ids since
            assert ids <= most and len(shown["ids"]) == (shown["total"] or 0)
        assert self.view.look()
        again = replace(request.asked, at=request.base.token)
        later = answers.days(again, self._basis(again))["days"]
        for then, now in zip(shown["days"], later, strict=True):
            if now["layer"] == "missing" and self._may_be_missing(then):
                continue
            assert (then["layer"], then["run"], then["epoch"]) == (now["layer"], now["run"], now["epoch"])
            assert then["layer"] == "speed" or then["n"] == now["n"], f"{then} became {now}"

    def _shown(self, group: Sequence[date], level: tuple[str, str]) -> list[dict[str, object]]:
        asked = _asked(group, level)
        base = self._basis(asked)
        rows: list[dict[str, object]] = answers.days(asked, base)["days"]
        return rows

    def _may_be_missing(self, row: dict[str, Any]) -> bool:
        """Whether the epoch that answered for a day may not be able to any more.

        The cells of the day are at their end; or it has ended, and has none of that day, which may lie behind its end.
        """
        if row["layer"] != "speed":
            return False
        touched, current = self._reader.touched(row["epoch"]), self._reader.current_epoch()
        if date.fromisoformat(row["day"]) in expiring(touched, self.world.now, timedelta(days=TTL_DAYS)):
            return True
        ended = current is None or row["epoch"] != current.epoch
        return ended and not any(hour.startswith(row["day"]) for hour in touched)

    def _hold(self, day: date, layer: str, found: Cells) -> None:
        may = self.truth.answers(day, self.world.now)
        wrong = [differences(answer, found) for answer in may if answer.layer == layer]
        assert wrong, f"{day} comes from {layer}, and must from {[answer.layer for answer in may]}"
        assert [] in wrong, f"{day} from {layer}: {wrong[0]}"


def _asked(days: Sequence[date], level: tuple[str, str]) -> Asked:
    category, brand = level
    narrowed = Filter(None if category == "*" else category, brand or None, kinds=frozenset(KINDS))
    return Asked(days[0], days[-1], narrowed, limit=10_000)


def _fits(row: dict[str, object], answer: Answer, level: tuple[str, str]) -> bool:
    if row["layer"] != answer.layer:
        return False
    if answer.layer == "missing":
        return row["n"] is None
    least, most = bounds(answer, level)
    if row["n"] is None:
        # the live layer has not come to the day, so nothing that a share may divide by can have to be counted
        category, brand = level
        wholes = (("*", brand), ("*", "*") if category == "*" else (category, ""))
        return answer.layer == "speed" and not any(listed(answer.least, whole) for whole in wholes)
    return isinstance(row["n"], int) and least <= row["n"] <= most


def _cells(found: list[CellIds]) -> Cells:
    return {
        (c.hour[:10], f"{c.hour[11:]}:{c.minute:02}", c.source, c.category, c.brand, c.kind, c.lang): set(c.ids)
        for c in found
    }
