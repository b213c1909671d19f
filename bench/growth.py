"""Does a post cost the same after fifty million of them, and a page the same over a thousand published days?"""

import statistics
from datetime import UTC, datetime, timedelta

from bench.figures import Measured, rounded
from bench.page import asked, serving
from bench.servers import Servers, log_of, reading, until
from bench.sizes import Sizes
from bench.topic import Topic, filled, wrong_counts
from drinkstream.store.read import Reader

WINDOWS = 10
"""The topic is drained in so many equal parts; the first warms up, the second is what the last is held against."""


def growth(servers: Servers, sizes: Sizes) -> Measured:
    """Cost of a post at the end of a long topic, as a multiple of that at its beginning; the page's times beside it."""
    topic = filled(servers, "a", sizes.growth)
    results = [_costs(servers, sizes, topic) for _ in range(sizes.runs)]
    few, many = (_page_ms(servers, sizes, days) for days in (1, sizes.growth_days))
    beside = {
        "core_us_by_part": [rounded(statistics.median(parts)) for parts in zip(*(c for c, _ in results), strict=True)],
        "posts": topic.records,
        "page_ms_1_day": rounded(few[0]),
        f"page_ms_{sizes.growth_days}_days": rounded(many[0]),
    }
    wrong = (*(fault for _, faults in results for fault in faults), *few[1], *many[1])
    return Measured(tuple(costs[-1] / costs[1] for costs, _ in results), "times the cost at first", wrong, beside)


def _costs(servers: Servers, sizes: Sizes, topic: Topic) -> tuple[list[float], tuple[str, ...]]:
    """Processor time a post (us, all processes) of each part of the topic, and the wrong counts."""
    costs = []
    with servers.fresh(topic.name) as fresh, reading(fresh) as reader:
        settings = fresh.model_copy(update={"speed_max_offsets": sizes.most})
        with servers.running(settings, "streaming.speed") as speed:
            log = log_of(settings, "streaming.speed")
            used, done = servers.cpu_s(), 0
            for part in range(1, WINDOWS + 1):
                least = topic.records * part // WINDOWS
                now = until(lambda least=least: _processed(reader, least), speed, log)  # type: ignore[misc]
                before, used = used, servers.cpu_s()
                costs.append((used - before) / (now - done) * 1e6)
                done = now
            wrong = wrong_counts(reader, reader.epochs()[0].epoch, topic.counts)
    print(f"  us a post by part: {', '.join(f'{cost:.1f}' for cost in costs)}", flush=True)
    return costs, wrong


def _processed(reader: Reader, least: int) -> int | None:
    epochs = reader.epochs()
    done = sum(epochs[0].processed.values()) if epochs else 0
    return done if done >= least else None


def _page_ms(servers: Servers, sizes: Sizes, days: int) -> tuple[float, tuple[str, ...]]:
    """The median time of the shares of yesterday and today, ms, where `days` days are published."""
    with serving(servers, days) as (settings, wrong):
        today = datetime.now(UTC).date()
        return asked(settings, sizes, today - timedelta(days=1), today)["p50"], wrong
