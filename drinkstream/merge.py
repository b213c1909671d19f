"""Which layer a day's numbers come from. Pure: a request takes one snapshot of the state and asks only this module.

A published day is answered by its run; any other day by the current epoch of the speed layer, if that can answer for
it; else the day is missing, which is shown as a hole and never as a low number. No day comes from both layers.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal

from drinkstream.errors import BadInputError

Layer = Literal["batch", "speed", "missing"]

_TOKEN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Publication:
    """One entry of the log of publications: from `at` (UTC) on, `day` is answered by `run_id`."""

    day: date
    seq: int
    run_id: str
    at: datetime
    who: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One life of the speed query: its meaning version, and the days that it cannot answer for."""

    id: str
    meaning: str
    blind_days: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state that one request sees: the publication in force by day, and the current epoch (None: there is none)."""

    publications: Mapping[date, Publication] = field(default_factory=dict)
    epoch: Epoch | None = None

    @property
    def token(self) -> str:
        """The `at` of an answer: asks any route about this same state again. URL-safe text."""
        # seqs of neighbouring days are mostly alike, so their list packs into a few bytes and fits into an address
        days = days_between(min(self.publications), max(self.publications)) if self.publications else ()
        seqs = [self.publications[day].seq if day in self.publications else 0 for day in days]
        first = days[0].toordinal() if days else 1
        state = json.dumps([self.epoch.id if self.epoch else None, first, seqs], separators=(",", ":"))
        return base64.urlsafe_b64encode(zlib.compress(state.encode(), 9)).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Choice:
    """Where one day's numbers come from: a run of the batch layer, an epoch of the speed layer, or nowhere."""

    day: date
    layer: Layer
    run: str | None = None
    epoch: str | None = None


def snapshot(log: Iterable[Publication], epoch: Epoch | None, as_of: datetime | None = None) -> Snapshot:
    """The state that the log of publications (in any order) and the current epoch make up.

    The highest seq of a day is in force. With `as_of` only publications up to that instant count, and no epoch: what
    the speed layer showed then is not kept.
    """
    in_force: dict[date, Publication] = {}
    for publication in log:
        if as_of is not None and publication.at > as_of:
            continue
        known = in_force.get(publication.day)
        if known is None or publication.seq > known.seq:
            in_force[publication.day] = publication
    return Snapshot(in_force, epoch if as_of is None else None)


def restore(token: str, log: Iterable[Publication], epochs: Mapping[str, Epoch]) -> Snapshot:
    """The snapshot that a token was taken from, given the whole log and all epochs by id that are still known.

    Raises BadInputError where the token is not one of ours or names a publication or epoch that is no longer there.
    """
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        epoch_id, first, seqs = json.loads(zlib.decompressobj().decompress(packed, _TOKEN_BYTES))
        wanted = {(date.fromordinal(first + n), int(seq)) for n, seq in enumerate(seqs) if seq}
        if not isinstance(epoch_id, str | None):
            raise TypeError
    except (binascii.Error, zlib.error, ValueError, TypeError, OverflowError, RecursionError):
        raise BadInputError("at: not a token of an earlier answer; leave it out to ask about now") from None
    if epoch_id is not None and epoch_id not in epochs:
        raise BadInputError("at: the live numbers of that answer are no longer kept; leave it out to ask about now")
    found = {p.day: p for p in log if (p.day, p.seq) in wanted}
    if len(found) != len(wanted):
        raise BadInputError("at: it names a publication that does not exist; leave it out to ask about now")
    return Snapshot(found, epochs[epoch_id] if epoch_id is not None else None)


def choose(day: date, state: Snapshot) -> Choice:
    """The one layer that answers for `day` in `state`."""
    publication = state.publications.get(day)
    if publication is not None:
        return Choice(day, "batch", run=publication.run_id)
    if state.epoch is not None and day not in state.epoch.blind_days:
        return Choice(day, "speed", epoch=state.epoch.id)
    return Choice(day, "missing")


def absence(day: date, state: Snapshot, log: Iterable[Publication], as_of: datetime | None = None) -> str:
    """Why `choose` finds nothing for `day` in `state`, in words; `as_of` is the instant that the state was taken at."""
    if as_of is not None:
        first = min((p.at for p in log if p.day == day), default=None)
        since = f"first published at {instant(first)}" if first is not None else "nor since"
        return f"not published by {instant(as_of)}, {since}"
    if state.epoch is None:
        return "not published, and no live layer answers"
    return "not published, and the live layer cannot answer for it"


@lru_cache(maxsize=4096)
def instant(when: datetime) -> str:
    """An instant in RFC 3339, UTC, to the millisecond where it has some."""
    spec = "milliseconds" if when.microsecond else "seconds"
    return when.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def days_between(first: date, last: date) -> tuple[date, ...]:
    """Every day from `first` to `last`, both included."""
    return tuple(map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1)))


def hours_of(day: date | str) -> list[str]:
    """The 24 hours of a day as 'YYYY-MM-DDTHH'."""
    return [f"{day}T{hour:02}" for hour in range(24)]
