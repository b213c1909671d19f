"""The gates between a finished run and its publication. Pure: facts in, failed gates out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from drinkstream.reconcile import within

SMALL = 10
"""Totals that differ by no more posts than this pass, whatever their ratio: a quiet day has large ratios."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the audit knows of one run. speed_n is None where the current epoch cannot answer under the same meaning.

    `behind`: how many records that the run read the epoch has still to count, where that is why it counts fewer posts:
    then speed_n is None, too; else 0.
    `rows_read` and `rows_held` are records of the day and those without a day, `rows_of_day` the former alone.
    `posts_of_day`: those of the day that are posts or may be, see Archive.posts_by_day.
    `fed`: whether a feed told that it was connected on the day.
    `removed`: how many of the posts in speed_n the run left out because an order took them back, which the speed layer
    never does; 0 where the totals are close without them.
    """

    day: date
    complete: bool
    rows_read: int
    rows_held: int
    rows_of_day: int
    posts_of_day: int
    fed: bool
    unaccounted: tuple[str, ...]
    rejected: Mapping[str, int]
    batch_n: int
    speed_n: int | None
    behind: int
    removed: int
    seq_then: int
    seq_now: int


def failed_gates(facts: Facts, now: datetime, max_rejected_share: float) -> tuple[str, ...]:
    """The gates that a run fails and nobody can open, each in words; empty: it may be published, if not `apart`.

    `now` is an aware instant; the share is a fraction of 1.
    """
    end = datetime.combine(facts.day + timedelta(days=1), time(), UTC)
    rejected = sum(n for reason, n in facts.rejected.items() if not reason.endswith("(no day)"))
    internal = sum(n for reason, n in facts.rejected.items() if reason.split(" ")[0] == "internal")
    gates = [
        (facts.complete, "its run is not complete: the recompute ended early; repeat it"),
        (now >= end, f"the day ends at {end:%Y-%m-%dT%H:%MZ}: publish it after that"),
        (
            # deletes of its posts come whether or not anybody collected these
            facts.posts_of_day > 0 or facts.fed or facts.batch_n > 0,
            "the archive holds no post of the day and no feed told of it: nobody collected it, so 0 is no count of its "
            "posts; leave it out, if the date is meant",
        ),
        (
            facts.rows_read == facts.rows_held,
            f"{facts.rows_read} records were read, the archive holds {facts.rows_held} at that version",
        ),
        (not facts.unaccounted, f"offsets neither archived nor erased nor in a recorded gap: {facts.unaccounted}"),
        (internal == 0, f"{internal} records were rejected as `internal`, which is a fault of the parser: mend it"),
        (
            rejected <= max_rejected_share * max(facts.rows_of_day, 1),
            f"{rejected} of {facts.rows_of_day} records of the day were rejected, more than {max_rejected_share:.1%}",
        ),
        (
            facts.seq_then == facts.seq_now,
            f"publication {facts.seq_now} came after this run began (it saw {facts.seq_then}): repeat the recompute",
        ),
    ]
    return tuple(words for passed, words in gates if not passed)


def apart(facts: Facts, tolerance: float) -> tuple[str, ...]:
    """The gate that a person may open, in words, where a run fails it; `tolerance` is a fraction of 1.

    Both layers counted the day, and which of them is right nothing here can tell, as where Kafka lost records.
    """
    if facts.speed_n is None or close(facts.batch_n + facts.removed, facts.speed_n, tolerance):
        return ()
    return (
        f"batch counts {facts.batch_n} posts, beside {facts.removed} that were deleted or erased, the speed layer "
        f"{facts.speed_n}: more than {tolerance:.1%} apart",
    )


def close(batch_n: int, speed_n: int, tolerance: float) -> bool:
    """Whether two totals of a day are near enough to be of the same posts; `tolerance` is a fraction of the larger."""
    return within(batch_n, speed_n, tolerance, SMALL)
