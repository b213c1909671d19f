"""How far a share is from certain: its interval, that of a change, and when the base is too low to say much. Pure.

A share is n of N distinct posts, so it is taken as a binomial proportion: N posts drawn from the stream that people
write, each of which names the drink or not. A post that names two drinks is one draw for each of their shares.

What the intervals do **not** cover: posts that never reached us (gaps, limits of the network: see coverage.py), words
that the rules read wrongly (docs/accuracy.md), and whether those who post are like those who drink. Posts that depend
on each other (a campaign, one author posting often) make the true uncertainty larger than what is said here.
"""

from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

from drinkstream.errors import BadInputError

CONFIDENCE = 0.95
"""How often an interval holds the true share, over many samples."""

LOW_BASE = 100
"""A denominator below this is a low base: around one half, its intervals are more than 19 points wide."""


class Interval(NamedTuple):
    """From `low` to `high`, both included: parts of 1, or differences of parts."""

    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether no difference at all is among what it allows for."""
        return self.low <= 0 <= self.high


def wilson(n: int, total: int, confidence: float = CONFIDENCE) -> Interval | None:
    """The score interval of the proportion n / total; None where total is 0. Never outside of 0 to 1.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209-212:
    the proportions that a test by the normal approximation, with *their* variance, does not reject. Without continuity
    correction, as L. D. Brown, T. T. Cai and A. DasGupta recommend for small totals too ("Interval estimation for a
    binomial proportion", Statistical Science 16 (2001) 101-133). Raises BadInputError unless 0 <= n <= total.
    """
    if not 0 <= n <= total:
        raise BadInputError(f"{n} of {total} is no proportion: n lies between 0 and the total")
    if total == 0:
        return None
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    middle = (n + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * sqrt(n * (total - n) / total + z * z / 4)
    # at the ends the formula gives exactly 0 and 1, but for rounding
    return Interval(0.0 if n == 0 else middle - half, 1.0 if n == total else middle + half)


def difference(n: int, total: int, n_before: int, total_before: int) -> Interval | None:
    """The interval of n / total - n_before / total_before, two shares of disjoint posts; None where a total is 0.

    R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17 (1998) 873-890, method 10: built of the two score intervals.
    """
    now, before = wilson(n, total), wilson(n_before, total_before)
    if now is None or before is None:
        return None
    p, q = n / total, n_before / total_before
    return Interval(
        p - q - sqrt((p - now.low) ** 2 + (before.high - q) ** 2),
        p - q + sqrt((now.high - p) ** 2 + (q - before.low) ** 2),
    )
