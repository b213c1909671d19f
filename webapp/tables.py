"""Answers as CSV: one header row, one row for each number, empty where a number is unknown."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def share(answer: dict[str, Any]) -> str:
    """One row for each category or brand, the denominator beside it, and how certain its share is."""
    names = ("category", "brand", "n", "total", "share", "mix", "reposts")
    certain = ("low", "high", "low_base", "change", "change_low", "change_high", "within_noise", "covered")
    return _text(
        ("from", "to", *names, *certain),
        (
            (
                answer["from"], answer["to"], row["category"], row["brand"],
                row["n"], answer["total"], row["share"], row["mix"], answer["reposts"],
                *(row["interval"] or (None, None)), _word(answer["low_base"]),
                row["change"], *(row["change_interval"] or (None, None)), _word(row["within_noise"]),
                answer["coverage"]["share"],
            )
            for row in answer["shares"]
        ),
    )  # fmt: skip


def trend(answer: dict[str, Any]) -> str:
    """One row for each period and series; the periods of a missing day have no n."""
    return _text(
        ("period", "category", "brand", "n", "total", "share", "reposts", "covered"),
        (
            (period, one["category"], one["brand"], one["n"][at], answer["totals"][at], one["share"][at],
             answer["reposts"], answer["covered"][at])
            for at, period in enumerate(answer["periods"])
            for one in answer["series"]
        ),
    )  # fmt: skip


def posts(answer: dict[str, Any]) -> str:
    """One row for each id, with its text where texts were asked for and the archive answered."""
    if answer.get("texts") is None:
        return _text(("id",), ((post_id,) for post_id in answer["ids"]))
    names = ("id", "state", "text", "why")
    return _text(names, ([row[name] for name in names] for row in answer["texts"]))


def days(answer: dict[str, Any]) -> str:
    """One row for each day."""
    names = ("day", "layer", "n", "pending", "run", "epoch", "meaning", "seq", "published_at", "by", "why", "reason")
    feeds = ("share", "received", "undelivered", "gaps")
    return _text(
        (*names, "covered", *feeds[1:]),
        (
            [*(row[name] for name in names), *((row["coverage"] or {}).get(name) for name in feeds)]
            for row in answer["days"]
        ),
    )


def reconciliation(day: date, cells: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One row for each id that only one layer has in a cell."""
    names = ("minute", "category", "brand", "source", "kind", "lang", "cause")
    return _lines(
        ("day", *names, "layer", "id"),
        (
            (str(day), *(cell[name] for name in names), layer, post_id)
            for cell in cells
            for layer in ("batch", "speed")
            for post_id in cell[f"only_{layer}"]
        ),
    )


def rejections(answer: dict[str, Any]) -> str:
    """One row for each day and reason."""
    names = ("reason", "dated", "n")
    return _text(
        ("day", "run", *names),
        ((day["day"], day["run"], *(row[name] for name in names)) for day in answer["days"] for row in day["reasons"]),
    )


def rejections_of_day(answer: dict[str, Any]) -> str:
    """One row for each place that is known; for each reason `n` is that of all its records."""
    names = ("partition", "offset", "key", "arrived", "bytes", "reads_as", "why")
    return _text(
        ("day", "run", "reason", "dated", "n", *names),
        (
            (answer["day"], answer["run"], row["reason"], row["dated"], row["n"], *(one[name] for name in names))
            for row in answer["reasons"]
            for one in row["samples"]
        ),
    )


def difference(day: date, cells: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One row for each id that a cell loses or gains."""
    names = ("minute", "category", "brand", "source", "kind", "lang")
    return _lines(
        ("day", *names, "move", "id"),
        (
            (str(day), *(cell[name] for name in names), move, post_id)
            for cell in cells
            for move in ("lost", "gained")
            for post_id in cell[move]
        ),
    )


def status(answer: dict[str, Any]) -> str:
    """One row for each value, its name as the path to it in the JSON answer."""
    return _text(("name", "value"), _flat("", answer))


def _flat(path: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(f"{path}.{name}" if path else str(name), part)
    else:
        yield path, value


def _text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    return "".join(_lines(header, rows))


def _lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The same line by line: of a table that is long nobody has to hold all."""
    written = io.StringIO()
    out = csv.writer(written)
    for row in chain([header], rows):
        out.writerow([_cell(value) for value in row])
        yield written.getvalue()
        written.seek(0)
        written.truncate()


def _word(truth: bool | None) -> str | None:
    return None if truth is None else "yes" if truth else "no"


def _cell(value: Any) -> Any:
    # a spreadsheet would run text that begins like a formula; people write names and reasons
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
