"""The rows of the suite: what each measures, what it has to reach, which sizes decide it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bench import archive, backfill, backlog, drain, freshness, growth, hot, page, producer, recompute
from bench.figures import Asked, Measured
from bench.servers import Servers
from bench.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `sizes` are those that decide its figures; `needs` are rows that are measured before it; `peers`:
    whether it has any.
    """

    what: str
    asked: Asked
    measure: Callable[[Servers, Sizes, Mapping[str, Any]], Measured]
    sizes: tuple[str, ...]
    needs: tuple[str, ...] = ()
    peers: bool = False


def _alone(measure: Callable[[Servers, Sizes], Measured]) -> Callable[[Servers, Sizes, Mapping[str, Any]], Measured]:
    return lambda servers, sizes, _: measure(servers, sizes)


def cost(_: Servers, __: Sizes, kept: Mapping[str, Any]) -> Measured:
    """Processor time a post of the drains that were measured before: topic A, and a filtered stream beside it."""
    filtered = _cost(kept["drain_all_hits"], {"must": 45, "aim": 25})
    return _cost(kept["drain"]).beside_it("every post names a drink", filtered)


def _cost(drained: Mapping[str, Any], beside: Mapping[str, Any] = MappingProxyType({})) -> Measured:
    """Processor time a post of a kept drain and of its peers, with what was wrong about them."""
    peers = {name: _cost(peer) for name, peer in drained["peers"].items()}
    wrong = tuple(drained.get("wrong", ()))
    return Measured(tuple(drained["core_us_runs"]), "us of processor time a post", wrong, beside, peers)


ROWS: Mapping[str, Row] = {
    "drain": Row(
        "a full topic, Kafka -> cells in Cassandra, all servers on the two cores, behind the warm-up",
        Asked(143_199, 286_398),
        _alone(drain.drain),
        ("runs", "posts", "warm_up", "short_posts", "short_warm_up", "old_posts", "most"),
        peers=True,
    ),
    "drain_with_archive": Row(
        "a full topic through both the drain and the archive query, which take it in together without a rest",
        Asked(90_000, 143_199),
        _alone(drain.drain_with_archive),
        ("runs", "posts", "warm_up", "short_warm_up", "old_posts", "most"),
    ),
    "drain_all_hits": Row(
        "a full topic where every post names a drink",
        Asked(40_000, 80_000),
        _alone(drain.drain_all_hits),
        ("runs", "hits", "old_posts", "most"),
        peers=True,
    ),
    "cost": Row(
        "processor time a post of all processes, of drain and drain_all_hits",
        Asked(10, 6, most=True),
        cost,
        (),
        needs=("drain", "drain_all_hits"),
    ),
    "producer": Row(
        "records into Kafka through kafka-python to their acknowledgement, two processes",
        Asked(90_000, 120_000),
        _alone(producer.producer),
        ("runs", "produced"),
        peers=True,
    ),
    "freshness": Row(
        "from Kafka's append to readable in Cassandra, at a steady rate",
        Asked(1.5, 1.0, most=True, beside={"cores": Asked(None, 0.5, most=True)}),
        _alone(freshness.freshness),
        ("runs", "rate", "seconds", "settle"),
        peers=True,
    ),
    "backlog": Row(
        "60 record seconds of posts that a restart meets, until they are counted",
        Asked(60, 30, most=True, beside={"fresh_again_s": Asked(10, None, most=True)}),
        _alone(backlog.backlog),
        ("runs", "backlog", "most"),
    ),
    "hot": Row(
        "the longest micro-batch at a steady rate of hits, 40 % of one category, trigger 1 s",
        Asked(1.0, None, most=True, beside={"hits_per_s": Asked(10_000, 20_000)}),
        _alone(hot.hot),
        ("runs", "hot_rate", "seconds", "settle"),
    ),
    "page": Row(
        "a mix of questions about shares of published and live days over HTTP, at a fixed rate, from when each was due",
        Asked(10, 5, most=True, beside={"first_long_to_day": Asked(None, 2, most=True)}),
        _alone(page.page),
        ("runs", "requests", "settle", "page_seconds", "page_days"),
    ),
    "recompute": Row(
        "archived days, from the start of the application to its end: read, parse, classify, cells, write",
        Asked(300_000, 650_000),
        _alone(recompute.recompute),
        ("runs", "days", "day_posts", "old_posts"),
        peers=True,
    ),
    "archive": Row(
        "bytes of the archive for each byte of a line; time to find a post by its id beside it (500 ms, aim 200 ms)",
        Asked(0.31, 0.26, most=True, beside={"by_id_p50_ms": Asked(500, 200, most=True)}),
        _alone(archive.archive),
        ("runs", "archived"),
    ),
    "growth": Row(
        "cost of a post at the end of fifty million, as a multiple of the least in them; the page over a thousand days",
        Asked(),
        _alone(growth.growth),
        ("runs", "growth", "growth_days", "most", "requests", "page_seconds"),
    ),
    "backfill_day": Row(
        "a one-day backfill from Airflow's form to its last task, beyond the computing",
        Asked(20, 10, most=True),
        _alone(backfill.backfill_day),
        ("runs", "backfill_posts"),
    ),
}
