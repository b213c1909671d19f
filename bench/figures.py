"""What a row of the suite measured: the figure of each run, and what they come to beside what is asked for."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

OLD = "lines of topic B"
"""What a figure of old archives' lines is called beside one of lines as collect asks for them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure, measured `len(runs)` times. `wrong` says which counts were wrong, `beside` what else is to be known.

    The value is the median of the runs, the spread the least and the greatest of them.
    """

    runs: tuple[float, ...]
    unit: str
    wrong: tuple[str, ...] = ()
    beside: Mapping[str, Any] = field(default_factory=dict)
    peers: Mapping[str, "Measured"] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    @property
    def faults(self) -> tuple[str, ...]:
        """What was wrong here and with the peers."""
        theirs = (f"{name}: {fault}" for name, peer in self.peers.items() for fault in peer.faults)
        return (*self.wrong, *theirs)

    def beside_it(self, name: str, other: "Measured") -> "Measured":
        """This with one more figure beside it, whose wrong counts make this one fail, too."""
        also = {**self.beside.get("also", {}), name: other.entry()}
        return replace(self, wrong=(*self.wrong, *other.wrong), beside={**self.beside, "also": also})

    def entry(self) -> dict[str, Any]:
        """The figure as it is kept."""
        return {
            "value": rounded(self.value),
            "unit": self.unit,
            "spread": [rounded(min(self.runs)), rounded(max(self.runs))],
            "runs": [rounded(run) for run in self.runs],
            "correct": not self.wrong,
            **({"wrong": list(self.wrong)} if self.wrong else {}),
            **self.beside,
            "peers": {name: peer.entry() for name, peer in self.peers.items()},
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row has to reach, and what it aims at; where `most`, less is better.

    `beside`: the same of figures that stand beside its value, by their names.
    """

    must: float | None = None
    aim: float | None = None
    most: bool = False
    beside: Mapping[str, "Asked"] = field(default_factory=dict)

    def verdict(self, value: float) -> str:
        """`aim`, `must` or `below`: the better of the two that a value reaches; `-` where nothing is asked for."""
        if self.must is None and self.aim is None:
            return "-"
        for name, bound in (("aim", self.aim), ("must", self.must)):
            if bound is not None and (value <= bound if self.most else value >= bound):
                return name
        return "below"

    def entry(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """As it is kept beside a row's entry: what is asked for, and which of it is reached."""
        figures = {"": (self, entry["value"]), **{name: (one, entry[name]) for name, one in self.beside.items()}}
        told = {
            name: {"must": one.must, "aim": one.aim, "reached": one.verdict(value)}
            for name, (one, value) in figures.items()
        }
        return {**told.pop(""), **told}


def percentile(values: Sequence[float], share: float) -> float:
    """The least of `values` that at least `share` (0 to 1) of them do not exceed (the nearest-rank percentile).

    Raises ValueError without values.
    """
    if not values:
        raise ValueError("a percentile of nothing")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def rounded(value: float) -> float:
    """`value` with four significant digits, whole where it has more."""
    if value == 0 or abs(value) >= 1000:
        return round(value)
    return float(f"{value:.4g}")


def differences(expected: Mapping[Any, int], found: Mapping[Any, int]) -> tuple[str, ...]:
    """Each count that is not as it must be, in words; none where all are right."""
    return tuple(
        f"{'/'.join(key) if isinstance(key, tuple) else key}: {found.get(key, 0)} instead of {expected.get(key, 0)}"
        for key in sorted(expected.keys() | found.keys())
        if expected.get(key, 0) != found.get(key, 0)
    )


def table(entries: Mapping[str, Mapping[str, Any]], asked: Mapping[str, Asked]) -> str:
    """The rows as text: value, spread, what is asked for and whether it is reached, then the peers."""
    lines: list[tuple[str, ...]] = [("row", "value", "spread", "must", "aim", "reached", "counts", "")]
    for name, entry in entries.items():
        lines.append((name, *_cells(entry, asked.get(name, Asked()))))
        lines += [(f"  {beside}", *_beside(entry[beside], bound)) for beside, bound in _bounds(asked, name, entry)]
        lines += [(f"  {other}", *_cells(part, Asked())) for other, part in entry.get("also", {}).items()]
        lines += [(f"  {peer}", *_cells(part, Asked())) for peer, part in entry.get("peers", {}).items()]
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            text.ljust(w) if n in (0, 7) else text.rjust(w)
            for n, (text, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _bounds(asked: Mapping[str, Asked], row: str, entry: Mapping[str, Any]) -> list[tuple[str, Asked]]:
    """What is asked of the figures beside a row's value, of those that it has."""
    return [(name, bound) for name, bound in asked.get(row, Asked()).beside.items() if name in entry]


def _beside(value: float, asked: Asked) -> tuple[str, ...]:
    return (_told(value), "", _told(asked.must), _told(asked.aim), asked.verdict(value), "", "")


def _cells(entry: Mapping[str, Any], asked: Asked) -> tuple[str, ...]:
    low, high = entry["spread"]
    return (
        _told(entry["value"]),
        f"{_told(low)} - {_told(high)}",
        _told(asked.must),
        _told(asked.aim),
        asked.verdict(entry["value"]),
        "right" if entry["correct"] else "WRONG",
        entry["unit"],
    )


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
