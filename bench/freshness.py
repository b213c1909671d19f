"""How soon a post can be read: from Kafka's append time to the moment at which a reader finds its id in Cassandra.

Every hit is looked for, by real reads, at a steady rate of posts; each peer writes what changed as often as the speed
query begins a micro-batch.
"""

import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.figures import Measured, percentile, rounded
from bench.load import load, together
from bench.peers.drain import JVM, Peer, make_ready
from bench.seen import EVERY_S, Watch, delays
from bench.servers import Servers, log_of, reading, until
from bench.sizes import Sizes
from bench.topic import Counts, wrong_counts
from drinkstream.errors import BadInputError
from drinkstream.settings import Settings
from drinkstream.store.read import Reader

UNSEEN_S = 60.0
"""How long is waited for the last posts after the stream has ended."""


Running = tuple["subprocess.Popen[bytes]", Path, str]
"""A program that counts, its log, and the epoch that it writes."""

Start = Callable[[Servers, Settings, Reader], AbstractContextManager[Running]]


def freshness(servers: Servers, sizes: Sizes) -> Measured:
    """The 99th percentile of the delay, s; with the median, the greatest, and the cores that all processes took."""
    others = JVM if servers.peers else {}
    make_ready(servers.settings, others)
    own = _measured(servers, sizes, "speed query", _speed)
    return replace(
        own, peers={name: _measured(servers, sizes, name, partial(_peer, one)) for name, one in others.items()}
    )


@contextmanager
def _speed(servers: Servers, settings: Settings, reader: Reader) -> Iterator[Running]:
    with servers.running(settings, "streaming.speed") as speed:
        log = log_of(settings, "streaming.speed")
        yield speed, log, until(lambda: next((one.epoch for one in reader.epochs()), None), speed, log)


@contextmanager
def _peer(peer: Peer, servers: Servers, settings: Settings, _: Reader) -> Iterator[Running]:
    python, epoch = peer.ready(settings), peer.epoch()
    given = (*peer.arguments(epoch, 0), str(round(settings.speed_trigger * 1000)))
    with servers.running(settings, peer.module, *given, python=python, log=peer.slug) as program:
        yield program, log_of(settings, peer.slug), epoch


def _measured(servers: Servers, sizes: Sizes, name: str, start: Start) -> Measured:
    results = [_run(servers, sizes, name, start) for _ in range(sizes.runs)]
    every = servers.settings.speed_trigger
    beside = {
        figure: rounded(statistics.median(told[figure] for _, told, _ in results))
        for figure in ("p50", "max", "cores", "hits")
    }
    return Measured(
        tuple(p99 for p99, _, _ in results),
        "s, 99th percentile",
        tuple(fault for _, _, wrong in results for fault in wrong),
        {**beside, "posts_per_s": sizes.rate, "written_every_s": every, "looked_every_s": EVERY_S},
    )


def _run(servers: Servers, sizes: Sizes, name: str, start: Start) -> tuple[float, dict[str, float], tuple[str, ...]]:
    with (
        servers.live() as settings,
        reading(settings) as reader,
        start(servers, settings, reader) as (program, log, epoch),
    ):
        began = time.time()
        with Watch(reader, epoch) as watch:
            with load(settings, sizes.rate) as reports:
                until(lambda: watch.seen or None, program, log)
                time.sleep(sizes.settle)  # the JVM's warm-up, which is not measured
                since, used = time.time(), servers.cpu_s()
                time.sleep(sizes.seconds)
                cores = (servers.cpu_s() - used) / (time.time() - since)
            sent = together(reports)
            measured = {
                number: ms for number, ms in sent.appended.items() if since <= ms / 1000 < since + sizes.seconds
            }
            wait_for(watch, measured, program, log)
        wrong = _wrong(reader, epoch, sent.counts, program, log)
        unseen = watch.rest(sent.appended, began)
    if unseen:
        wrong = (*wrong, f"{unseen} of {len(sent.appended)} posts could not be read")
    # those that were never seen are named as wrong
    waited = list(delays(measured, watch.seen).values())
    if not waited:
        raise BadInputError(f"no post of {sizes.seconds} s could be read: take more --seconds, or a smaller --rate")
    p99 = percentile(waited, 0.99)
    told = {"p50": percentile(waited, 0.5), "max": max(waited), "cores": cores, "hits": float(len(waited))}
    said = f"p50 {told['p50']:.2f} s, p99 {p99:.2f} s, max {told['max']:.2f} s, {cores:.2f} cores"
    print(f"  {name}, written every {settings.speed_trigger:g} s: {said}", flush=True)
    return p99, told, wrong


def _wrong(
    reader: Reader, epoch: str, counts: Counts, program: "subprocess.Popen[bytes]", log: Path
) -> tuple[str, ...]:
    """The counts that are still wrong UNSEEN_S behind the stream."""
    last = time.time() + UNSEEN_S

    def wrong() -> tuple[str, ...] | None:
        faults = wrong_counts(reader, epoch, counts)
        return faults if not faults or time.time() > last else None

    return until(wrong, program, log)


def wait_for(watch: Watch, numbers: Iterable[int], program: "subprocess.Popen[bytes]", log: Path) -> None:
    """Lets the last of these posts be seen, for UNSEEN_S at most."""
    wanted = set(numbers)
    last = time.time() + UNSEEN_S
    until(lambda: True if wanted <= watch.seen.keys() or time.time() > last else None, program, log)
