"""Does a post cost the same after fifty million of them, and a page the same over a thousand published days?

The topic took a day to fill, by the times of its records, so that the state must let go of what is past; it is looked
at by Spark's own reader of states, once the topic is drained.
"""

import statistics
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, pairwise
from multiprocessing import get_context
from pathlib import Path

from bench.figures import Measured, rounded
from bench.page import asked, first_ms, serving
from bench.servers import Servers, batches, log_of, processed, reading, until
from bench.sizes import Sizes
from bench.topic import Topic, filled, wrong_counts
from drinkstream.errors import BadInputError
from drinkstream.settings import Settings
from drinkstream.spark import session
from drinkstream.store.read import Batch, Reader
from streaming.epochs import checkpoint

WINDOWS = 10
"""The topic is drained in so many equal parts; the last is held against the cheapest, since the first ones warm up."""
KEPT = 95
"""Micro-batches whose state can still be read at the end: Spark keeps a hundred."""
HEAP_MIB = 1024


@dataclass(frozen=True, slots=True)
class _Run:
    """Of each part of the topic: processor time a post (us, all processes), posts/s, rows of state at its end."""

    costs: list[float]
    rates: list[float]
    rows: list[float]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Page:
    """Medians of a page over published days, ms: of its mix of questions, and of first answers about all of them."""

    mix: float
    first: float
    wrong: tuple[str, ...]


def growth(servers: Servers, sizes: Sizes) -> Measured:
    """Cost of a post at the end of a long topic, as a multiple of the least in it; the page's times beside it.

    Raises BadInputError where a part were less than a micro-batch, or the state of the first would be gone at the end.
    """
    if not WINDOWS * sizes.most <= sizes.growth <= KEPT * sizes.most:
        raise BadInputError(
            f"growth takes {WINDOWS} to {KEPT} micro-batches: --growth {sizes.growth} and --most {sizes.most} make "
            f"{sizes.growth / sizes.most:.0f}"
        )
    topic = filled(servers, "day", sizes.growth)
    results = [_run(servers, sizes, topic) for _ in range(sizes.runs)]
    pages = {
        "1_day": _page_ms(servers, sizes, 1),
        f"{sizes.growth_days}_days": _page_ms(servers, sizes, sizes.growth_days),
    }
    beside = {
        "core_us_by_part": _medians([run.costs for run in results]),
        "posts_per_s_by_part": _medians([run.rates for run in results]),
        "state_rows_by_part": _medians([run.rows for run in results]),
        "posts": topic.records,
        "bytes_per_post": round(topic.line),
        "let_through": topic.let_through,
        **{f"page_ms_{days}": rounded(page.mix) for days, page in pages.items()},
        **{f"page_first_ms_{days}": rounded(page.first) for days, page in pages.items()},
    }
    wrong = (*(fault for run in (*results, *pages.values()) for fault in run.wrong),)
    return Measured(tuple(run.costs[-1] / min(run.costs) for run in results), "times the least cost", wrong, beside)


def _run(servers: Servers, sizes: Sizes, topic: Topic) -> _Run:
    costs = []
    with servers.fresh(topic.name) as fresh, reading(fresh) as reader:
        settings = fresh.model_copy(update={"speed_max_offsets": sizes.most})
        with servers.running(settings, "streaming.speed") as speed:
            log = log_of(settings, "streaming.speed")
            used, so_far = servers.cpu_s(), 0
            for part in range(1, WINDOWS + 1):
                least = topic.records * part // WINDOWS
                now = until(lambda least=least: _at_least(reader, least), speed, log)  # type: ignore[misc]
                before, used = used, servers.cpu_s()
                costs.append((used - before) / (now - so_far) * 1e6)
                so_far = now
            epoch = reader.epochs()[0].epoch
            wrong = wrong_counts(reader, epoch, topic.counts)
            done = batches(reader, epoch)
            counted = list(accumulate(batch.rows_in for batch in done))
            ends = [bisect_left(counted, topic.records * part // WINDOWS) for part in range(1, WINDOWS + 1)]
            folder = checkpoint(settings.checkpoints, epoch)
            until(lambda: True if (folder / "commits" / str(done[ends[-1]].batch_id)).is_file() else None, speed, log)
        rates = part_rates(done, counted, ends)
        print(f"  us a post by part: {', '.join(f'{cost:.1f}' for cost in costs)}", flush=True)
        print(f"  posts/s by part: {', '.join(f'{rate:,.0f}' for rate in rates)}", flush=True)
        # Spark in a process of its own, with which its JVM ends
        with ProcessPoolExecutor(1, get_context("spawn")) as aside:
            rows = aside.submit(_state_rows, settings, folder, [done[end].batch_id for end in ends]).result()
    print(f"  rows of state by part: {', '.join(f'{n:,}' for n in rows)}", flush=True)
    return _Run(costs, rates, [float(n) for n in rows], wrong)


def part_rates(done: Sequence[Batch], counted: Sequence[int], ends: Sequence[int]) -> list[float]:
    """Posts/s up to each of `ends` (places in `done`) since the one before, the first since the first batch began.

    `counted` are the records up to the end of each batch.
    """
    at = [done[0].started_at, *(ended for end in ends if (ended := done[end].ended_at))]
    posts = [0, *(counted[end] for end in ends)]
    return [
        (now - before) / (later - earlier).total_seconds()
        for (before, now), (earlier, later) in zip(pairwise(posts), pairwise(at), strict=True)
    ]


def _state_rows(settings: Settings, folder: Path, numbers: list[int]) -> list[int]:
    """Rows of the state (cells, slots and shards that may still change) behind each of these micro-batches."""
    spark = session(settings, "growth", HEAP_MIB)
    try:
        # whoever opens a state asks a coordinator, which begins with the manager of streaming queries
        spark.streams.resetTerminated()
        return [
            spark.read.format("statestore").option("path", str(folder)).option("batchId", number).load().count()
            for number in numbers
        ]
    finally:
        spark.stop()


def _medians(parts: list[list[float]]) -> list[float]:
    return [rounded(statistics.median(part)) for part in zip(*parts, strict=True)]


def _at_least(reader: Reader, least: int) -> int | None:
    done = processed(reader)
    return done if done >= least else None


def _page_ms(servers: Servers, sizes: Sizes, days: int) -> _Page:
    with serving(servers, days, 1) as site:
        first = first_ms(site, days, 0)
        mix = asked(site, sizes, days)["p50"]
    return _Page(mix, first, tuple(site.wrong))
