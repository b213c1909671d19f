"""What nobody is answered from any more: runs whose rows may go, days of which live rows are about to go. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from drinkstream.merge import Publication

LONGEST_ATTEMPT = timedelta(hours=48)
"""A run that is older and still not complete is dead: Airflow ends a recompute after half of this."""

TTL_MARGIN = timedelta(days=1)
"""A day of which live rows expire sooner than this is no longer answered for."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A run as its row says: the seq of its day when it began, whether it is complete, whether an audit failed it."""

    run_id: str
    seq_then: int
    started_at: datetime
    complete: bool
    audit_failed: bool


def kept_for(run: Candidate, log: Sequence[Publication], now: datetime, retention: timedelta) -> str | None:
    """Why a run must stay, in words; None where it may be dropped.

    `log`: the publications of its day by seq; `retention`: how far back `as_of` can be asked about.
    """
    if log and log[-1].run_id == run.run_id:
        return "in force"
    if not run.complete and now - run.started_at < LONGEST_ATTEMPT:
        return "its attempt may still run"
    # it is published, if ever, as the seq behind the one that it saw: until that is taken, a task may wait for it
    newest = log[-1].seq if log else 0
    if not run.audit_failed and run.complete and newest <= run.seq_then:
        return "it may await its audit, an approval or its publication"
    ended = [later.at for entry, later in pairwise(log) if entry.run_id == run.run_id]
    if any(at > now - retention for at in ended):
        return "it was in force within the time that as_of can be asked about"
    return None


def expiring(touched: Mapping[str, datetime], now: datetime, ttl: timedelta) -> frozenset[date]:
    """The days whose oldest live rows expire within TTL_MARGIN, or did; `touched` is when each hour was first written.

    An hour is 'YYYY-MM-DDTHH'; `ttl` is the life of a row.
    """
    limit = now - ttl + TTL_MARGIN
    return frozenset(date.fromisoformat(hour[:10]) for hour, at in touched.items() if at <= limit)
