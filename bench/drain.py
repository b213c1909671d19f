"""How fast a full topic drains: Kafka -> cells in Cassandra, every server on this machine, every count checked.

A new epoch of the speed query drains the topic; the posts over which its JVM warms up are not measured. The rate is
that of the full micro-batches behind them, by the store's own records, the processor time that of all processes.
The JVM compiles for minutes: `drain` takes a topic so long that it is done, others are short ones.
"""

from dataclasses import replace
from itertools import accumulate

from bench.drained import Drained, summed
from bench.figures import OLD, Measured
from bench.peers.drain import JVM, PEERS, drains, make_ready
from bench.servers import Servers, batches, log_of, processed, reading, until
from bench.sizes import Sizes
from bench.topic import Topic, filled, wrong_counts
from drinkstream.archive import Archive
from drinkstream.errors import BadInputError
from drinkstream.settings import Settings
from drinkstream.store.read import Batch, Reader

WARM = 0.99
"""The share of the warm-up that counts as all of it: a micro-batch takes a few records fewer than it may, since each
partition's part is rounded down, and the one behind it is measured."""


def drain(servers: Servers, sizes: Sizes) -> Measured:
    """Posts/s over topic A, and over topic B beside it."""
    _prepare(servers)
    long = filled(servers, "day", sizes.warm_up + sizes.posts)
    short = filled(servers, "a", sizes.short_warm_up + sizes.short_posts)
    a = _runs(servers, sizes, long, sizes.warm_up)
    b = _runs(servers, sizes, filled(servers, "b", 2 * sizes.old_posts), sizes.old_posts)
    peers: dict[str, Measured] = {}
    if servers.peers:
        peers = drains(servers, sizes, long, sizes.warm_up, JVM)
        others = {name: peer for name, peer in PEERS.items() if name not in JVM}
        peers |= drains(servers, sizes, short, sizes.short_warm_up, others)
    return replace(a.beside_it(OLD, b), peers=peers)


def drain_with_archive(servers: Servers, sizes: Sizes) -> Measured:
    """Posts/s over a shorter topic while the archive query takes in the same; it must end up with every record."""
    topic = filled(servers, "a", sizes.short_warm_up + sizes.short_posts)
    a = _runs(servers, sizes, topic, sizes.short_warm_up, archive=True)
    b = _runs(servers, sizes, filled(servers, "b", 2 * sizes.old_posts), sizes.old_posts, archive=True)
    return a.beside_it(OLD, b)


def drain_all_hits(servers: Servers, sizes: Sizes) -> Measured:
    """Posts/s over shorter filtered streams, where every post names a drink."""
    _prepare(servers)
    topic = filled(servers, "hits", 2 * sizes.hits)
    a = _runs(servers, sizes, topic, sizes.hits)
    few = sizes.old_posts // 3  # so that it does not take a quarter of an hour to fill it and to drain it
    b = _runs(servers, sizes, filled(servers, "hits_b", few + sizes.old_posts), few)
    return replace(a.beside_it(OLD, b), peers=drains(servers, sizes, topic, sizes.hits) if servers.peers else {})


def _prepare(servers: Servers) -> None:
    if servers.peers:
        make_ready(servers.settings)


def _runs(servers: Servers, sizes: Sizes, topic: Topic, warm_up: int, archive: bool = False) -> Measured:
    results = []
    for number in range(sizes.runs):
        with servers.fresh(topic.name) as fresh:
            settings = fresh.model_copy(update={"speed_max_offsets": sizes.most})
            if archive:
                results.append(_with_archive(servers, settings, topic, warm_up))
            else:
                results.append(_drained(servers, settings, topic, warm_up))
        said = f"{results[-1].posts_per_s:,.0f} posts/s, {results[-1].core_us:.1f} us a post of all processes"
        print(f"  {topic.name}, run {number + 1}: {said}", flush=True)
    return summed(topic, results)


def _drained(servers: Servers, settings: Settings, topic: Topic, warm_up: int) -> Drained:
    with reading(settings) as reader, servers.running(settings, "streaming.speed") as speed:
        log = log_of(settings, "streaming.speed")
        warm = until(lambda: _taken(reader, WARM * warm_up), speed, log)
        used = servers.cpu_s()
        done = until(lambda: _taken(reader, topic.records), speed, log)
        usage = servers.cpu_s() - used
        epoch = reader.epochs()[0].epoch
        wrong = wrong_counts(reader, epoch, topic.counts)
    seconds, rows, _ = steady(done, warm_up, settings.speed_max_offsets)
    return Drained(rows / seconds, usage / (topic.records - ended(warm)) * 1e6, wrong)


def _with_archive(servers: Servers, settings: Settings, topic: Topic, warm_up: int) -> Drained:
    # a home of its own below the bench's, so that its table begins empty and its processor time counts
    home = settings.home / settings.keyspace
    aside = settings.model_copy(update={"home": home})
    with servers.running(aside, "streaming.archive") as query:
        result = _drained(servers, settings, topic, warm_up)
        archive = Archive(aside.archive)

        def whole() -> int | None:
            held = sum(archive.rows_by_day(topic.name).values()) if archive.exists() else 0
            return held if held >= topic.records else None

        held = until(whole, query, log_of(aside, "streaming.archive"), every=2.0)
        doubled = sum(part.duplicates for part in archive.held().values())
    wrong = [*result.wrong]
    if held != topic.records or doubled:
        wrong.append(f"the archive holds {held} records, {doubled} of them twice, instead of {topic.records}")
    return Drained(result.posts_per_s, result.core_us, tuple(wrong))


def ended(done: list[Batch]) -> int:
    """Records of the micro-batches that have ended."""
    return sum(batch.rows_in for batch in done if batch.ended_at is not None)


def _taken(reader: Reader, posts: float) -> list[Batch] | None:
    """The micro-batches of the newest epoch, once it has taken that many posts."""
    return batches(reader, reader.epochs()[0].epoch) if processed(reader) >= posts else None


def steady(done: list[Batch], warm_up: int, most: int) -> tuple[float, int, int]:
    """Seconds and records of the full micro-batches behind the first `warm_up` records, and how many came before.

    Raises BadInputError where fewer than two full ones are left.
    """
    counted = [
        (batch, so_far)
        for batch, so_far in zip(done, accumulate(batch.rows_in for batch in done), strict=True)
        if batch.ended_at is not None
    ]
    first = next(((batch, so_far) for batch, so_far in counted if so_far >= WARM * warm_up), None)
    # the last batches of a topic that has run dry are only part full
    last = next(((batch, so_far) for batch, so_far in reversed(counted) if batch.rows_in > most / 2), None)
    if first is None or last is None or last[1] - first[1] < 1.9 * most:
        raise BadInputError(
            "fewer than two full micro-batches behind the warm-up: take more posts, or a smaller --most"
        )
    assert first[0].ended_at is not None
    assert last[0].ended_at is not None
    return (last[0].ended_at - first[0].ended_at).total_seconds(), last[1] - first[1], first[1]
