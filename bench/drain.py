"""How fast a full topic drains: Kafka -> cells in Cassandra, every server on this machine, every count checked.

A new epoch of the speed query drains the topic; the posts over which its JVM warms up are not measured. The rate is
that of the full micro-batches behind them, by the store's own records, the processor time that of all processes.
The JVM compiles for minutes: `drain` takes a topic so long that it is done, others are short ones.

With the archive query beside it both begin together with the same backlog. The archive's commits follow one another
without a rest, as a stack's do while a full one is there, and so does the last, which in a stack may wait for its time
(`archive_trigger` 0). The rate is that at which posts are through both (`joint_rate`).
"""

from dataclasses import replace
from datetime import UTC, datetime

from deltalake import DeltaTable

from bench.drained import Drained, summed
from bench.figures import OLD, Measured
from bench.peers.drain import JVM, PEERS, drains, make_ready
from bench.servers import Servers, batches, log_of, processed, reading, until
from bench.sizes import Sizes
from bench.steady import WARM, Step, joint_rate, rate, steps, steps_of
from bench.topic import Topic, filled, wrong_counts
from drinkstream.archive import Archive
from drinkstream.settings import Settings
from drinkstream.store.read import Reader


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
    """Posts/s through both the drain and the archive query, which must end up with every record; each's own beside."""
    long, old = filled(servers, "day", sizes.warm_up + sizes.posts), filled(servers, "b", 2 * sizes.old_posts)
    # a small part is the warm-up: what the slower has left of it, once the other took it, is in the measured time
    a = _runs(servers, sizes, long, sizes.short_warm_up, archive=True)
    return a.beside_it(OLD, _runs(servers, sizes, old, sizes.old_posts // 6, archive=True))


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
        wrong = wrong_counts(reader, reader.epochs()[0].epoch, topic.counts)
    own = rate(done, warm_up, settings.speed_max_offsets)
    return Drained(own, _each_us(usage, topic, _so_far(warm)), wrong)


def _with_archive(servers: Servers, settings: Settings, topic: Topic, warm_up: int) -> Drained:
    # a home of its own below the bench's, so that its table begins empty and its processor time counts
    home = settings.home / settings.keyspace
    # as many as a stack's at most, and no more than a micro-batch of the drain: small sizes make several commits, too
    most = min(settings.archive_max_offsets, settings.speed_max_offsets)
    aside = settings.model_copy(update={"home": home, "archive_trigger": 0, "archive_max_offsets": most})
    archive = Archive(aside.archive)
    with (
        reading(settings) as reader,
        servers.running(aside, "streaming.archive") as query,
        servers.running(settings, "streaming.speed") as speed,
    ):
        log = log_of(settings, "streaming.speed")
        warm = until(lambda: _furthest(reader, archive, WARM * warm_up), speed, log)
        used = servers.cpu_s()
        done = until(lambda: _taken(reader, topic.records), speed, log)
        held = until(lambda: _archived(archive, topic.records), query, log_of(aside, "streaming.archive"))
        usage = servers.cpu_s() - used
        wrong = (*wrong_counts(reader, reader.epochs()[0].epoch, topic.counts), *_wrong_archive(archive, topic))
    own = {
        "drain_posts_per_s": rate(done, warm_up, settings.speed_max_offsets),
        "archive_posts_per_s": rate(held, warm_up, most),
    }
    return Drained(joint_rate((done, held), warm_up), _each_us(usage, topic, warm), wrong, own)


def _each_us(usage: float, topic: Topic, before: int) -> float:
    """Processor time (s) behind the first `before` posts as us a post."""
    return usage / (topic.records - before) * 1e6


def _so_far(taken: list[Step]) -> int:
    return taken[-1].so_far if taken else 0


def _taken(reader: Reader, posts: float) -> list[Step] | None:
    """The micro-batches of the newest epoch that have ended, once it has taken that many posts."""
    return steps_of(batches(reader, reader.epochs()[0].epoch)) if processed(reader) >= posts else None


def _archived(archive: Archive, posts: float) -> list[Step] | None:
    """The commits of the archive, once they hold that many posts."""
    held = commits(archive)
    return held if _so_far(held) >= posts else None


def _furthest(reader: Reader, archive: Archive, posts: float) -> int | None:
    """How many posts one of both has, once that is so many."""
    taken = _taken(reader, posts) or _archived(archive, posts)
    return None if taken is None else _so_far(taken)


def commits(archive: Archive) -> list[Step]:
    """What the archive query committed and when, by the table's own log."""
    if not archive.exists():
        return []
    said = sorted(DeltaTable(archive.uri).history(), key=lambda commit: commit["version"])
    return steps(
        (datetime.fromtimestamp(commit["timestamp"] / 1000, UTC), int(metrics["numOutputRows"]))
        for commit in said
        if "numOutputRows" in (metrics := commit.get("operationMetrics", {}))
    )


def _wrong_archive(archive: Archive, topic: Topic) -> tuple[str, ...]:
    held = sum(archive.rows_by_day(topic.name).values())
    doubled = sum(part.duplicates for part in archive.held().values())
    if held == topic.records and not doubled:
        return ()
    return (f"the archive holds {held} records, {doubled} of them twice, instead of {topic.records}",)
