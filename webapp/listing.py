"""The ids behind a number, page by page, in an order that does not change as more come in."""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from drinkstream.cells import ANY, NO_BRAND
from drinkstream.errors import BadInputError
from drinkstream.merge import Choice
from drinkstream.share import Filter
from drinkstream.store.read import CellIds
from webapp.live import Store

MAX_DAYS = 1100
"""Days that one question is about at most."""

DAYS_A_PAGE = 62
"""Days that one page reads at most; where few posts match, a page may so be shorter than asked for."""

Entry = tuple[str, int, str, int, str]
"""One post in the order of the list: hour, minute, source, length of its id, id. Integer ids so come by value."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the state it was answered from, the first and last day of its question, and its last entry
    (length of the id 0: all of that hour).
    """

    at: str
    days: tuple[date, date]
    entry: Entry

    @property
    def text(self) -> str:
        """The cursor that leads here. URL-safe text."""
        written = json.dumps([self.at, *map(str, self.days), *self.entry], separators=(",", ":"))
        return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def place(text: str) -> Place:
    """The place that a cursor leads to. Raises BadInputError where it is none of ours."""
    try:
        at, first, last, *entry = json.loads(base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        if type(at) is not str or [type(part) for part in entry] != [str, int, str, int, str]:
            raise TypeError
        date.fromisoformat(entry[0][:10])
        days = date.fromisoformat(first), date.fromisoformat(last)
        if not 0 <= (days[1] - days[0]).days < MAX_DAYS:
            raise ValueError
    except (binascii.Error, ValueError, TypeError, RecursionError):
        raise BadInputError("after: not the `next` of an earlier answer; leave it out to begin") from None
    return Place(at, days, (entry[0], entry[1], entry[2], entry[3], entry[4]))


@dataclass(frozen=True, slots=True)
class Page:
    """Ids as 'source:id', the entry that the next page goes on after (None: there are no more), the ids' event days."""

    ids: tuple[str, ...]
    last: Entry | None
    days: frozenset[str] = frozenset()


def page(
    store: Store,
    choices: Sequence[tuple[Choice, Sequence[str]]],
    question: Filter,
    minutes: tuple[int, int],
    after: Entry | None,
    limit: int,
) -> Page:
    """At most `limit` ids of the question's level, from days with the hours ('YYYY-MM-DDTHH') to look into, in order.

    `minutes` narrows to minutes of the day, the end excluded. Raises UnavailableError where the store does not answer.
    """
    ids: list[str] = []
    days: set[str] = set()
    last: Entry | None = None
    first_hour = after[0] if after is not None else ""
    left = [(choice, [hour for hour in hours if hour >= first_hour]) for choice, hours in choices]
    left = [(choice, hours) for choice, hours in left if hours]
    for choice, hours in left[:DAYS_A_PAGE]:
        for entry in sorted(_entries(_cells(store, choice, hours, question), question, minutes)):
            if after is not None and entry <= after:
                continue
            if len(ids) == limit:
                return Page(tuple(ids), last, frozenset(days))
            ids.append(f"{entry[2]}:{entry[4]}")
            days.add(entry[0][:10])
            last = entry
    if len(left) > DAYS_A_PAGE:
        return Page(tuple(ids), (left[DAYS_A_PAGE][1][0], -1, "", 0, ""), frozenset(days))
    return Page(tuple(ids), None, frozenset(days))


def _cells(store: Store, choice: Choice, hours: Sequence[str], question: Filter) -> Iterator[CellIds]:
    category = question.category or ANY
    brand = question.brand or NO_BRAND
    if choice.run is not None:
        yield from store.batch_ids(choice.run, hours, category, brand)
    elif choice.epoch is not None:
        yield from store.speed_ids(choice.epoch, hours, category, brand)


def _entries(cells: Iterator[CellIds], question: Filter, minutes: tuple[int, int]) -> Iterator[Entry]:
    for cell in cells:
        if not _admitted(cell, question):
            continue
        if minutes[0] <= int(cell.hour[11:13]) * 60 + cell.minute < minutes[1]:
            for post_id in cell.ids:
                yield cell.hour, cell.minute, cell.source, len(post_id), post_id


def _admitted(cell: CellIds, question: Filter) -> bool:
    return question.source in (None, cell.source) and question.lang in (None, cell.lang) and cell.kind in question.kinds
