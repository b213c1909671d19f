"""What a person asks of a range recompute, or of any form, checked before anything starts."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from drinkstream.errors import BadInputError

FIRST_DAY = date(2006, 1, 1)
"""No post is older: an event time before it is rejected."""

MOST_DAYS = 366
"""One Spark application takes a year; a mistyped year asks for many."""

REASON_LENGTH = 500

_FIELDS = {"from", "to", "reason", "dry_run"}


@dataclass(frozen=True, slots=True)
class RangeRequest:
    """The days `first` to `last` (UTC, both included), why, and whether to stop before anything is published."""

    first: date
    last: date
    reason: str
    dry_run: bool

    @classmethod
    def from_form(cls, form: Mapping[str, Any], today: date) -> "RangeRequest":
        """The request in a form's fields `from`, `to` (YYYY-MM-DD), `reason` and `dry_run`; `today` is UTC's.

        Raises BadInputError that names every fault, so that a person corrects all of them at once.
        """
        faults = unknown_fields(form, _FIELDS)
        first, last = (_day(form, name, faults) for name in ("from", "to"))
        reason, dry_run = form.get("reason"), form.get("dry_run", False)
        if not isinstance(reason, str) or not reason.strip():
            faults.append("reason: say why; it is stored with the publication of each day")
        elif len(reason) > REASON_LENGTH:
            faults.append(f"reason: {len(reason)} characters are too many, {REASON_LENGTH} are allowed")
        if not isinstance(dry_run, bool):
            faults.append(f"dry_run: {dry_run!r} is neither true nor false")
        if first and last:
            faults += _range_faults(first, last, today)
        if faults or first is None or last is None:
            raise BadInputError("; ".join(faults))
        return cls(first, last, " ".join(str(reason).split()), bool(dry_run))

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    def as_text(self) -> dict[str, str | bool]:
        """The fields with dates as YYYY-MM-DD: what one Airflow task hands to the next."""
        return asdict(self) | {"first": str(self.first), "last": str(self.last)}


def unknown_fields(form: Collection[str], known: Collection[str]) -> list[str]:
    """The faults of a form that has fields which are not `known`: left out, what they say would be left out too."""
    return [f"{name}: there is no such field" for name in sorted(set(form) - set(known))]


def _day(form: Mapping[str, Any], name: str, faults: list[str]) -> date | None:
    given = form.get(name)
    try:
        day = date.fromisoformat(given) if isinstance(given, str) else None
    except ValueError:
        day = None
    # also read, but never meant: 20170914 and 2017-W37-4
    if day is None or str(day) != given:
        faults.append(f"{name}: {given!r} is not a day like 2017-09-14")
        return None
    return day


def _range_faults(first: date, last: date, today: date) -> list[str]:
    faults = []
    if first > last:
        faults.append(f"from {first} lies after to {last}: exchange them")
    elif (days := (last - first).days + 1) > MOST_DAYS:
        faults.append(f"{first} to {last} are {days} days: ask for {MOST_DAYS} at most at a time")
    if first < FIRST_DAY:
        faults.append(f"from {first}: there are no posts before {FIRST_DAY}")
    if last >= today:
        faults.append(f"to {last}: that day has not ended (UTC); the last one that has is {today - timedelta(days=1)}")
    return faults
