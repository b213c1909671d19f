"""What one drain of a topic comes to, by whatever program, and what several come to together."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.figures import Measured, rounded
from bench.topic import Topic


@dataclass(frozen=True, slots=True)
class Drained:
    """One drain: posts/s behind the warm-up, processor time a post (us, of all processes), and the wrong counts.

    `also`: other rates to be known beside it, the same in each run.
    """

    posts_per_s: float
    core_us: float
    wrong: tuple[str, ...]
    also: Mapping[str, float] = field(default_factory=dict)


def summed(topic: Topic, results: Sequence[Drained]) -> Measured:
    """Posts/s of several drains of a topic, with what stands beside every rate."""
    rates = tuple(result.posts_per_s for result in results)
    core_us = [rounded(result.core_us) for result in results]
    beside = {
        **topic.beside(statistics.median(rates)),
        "core_us_per_post": rounded(statistics.median(core_us)),
        "core_us_runs": core_us,
        **{name: rounded(statistics.median(result.also[name] for result in results)) for name in results[0].also},
    }
    return Measured(rates, "posts/s", tuple(fault for result in results for fault in result.wrong), beside)
