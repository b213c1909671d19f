"""How soon a post can be read: from Kafka's append time to the moment at which a reader finds its id in Cassandra.

Every hit is looked for, by real reads; the speed query runs with its own trigger, at a steady rate of posts.
"""

import statistics
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from bench.figures import Measured, percentile, rounded
from bench.load import load, together
from bench.seen import EVERY_S, Watch, delays
from bench.servers import Servers, log_of, reading, until
from bench.sizes import Sizes
from bench.topic import wrong_counts
from drinkstream.errors import BadInputError
from drinkstream.store.read import Reader

UNSEEN_S = 60.0
"""How long is waited for the last posts after the stream has ended."""


def freshness(servers: Servers, sizes: Sizes) -> Measured:
    """The 99th percentile of the delay, s; with the median, the greatest, and the cores that all processes took."""
    results = [_run(servers, sizes) for _ in range(sizes.runs)]
    beside = {
        name: rounded(statistics.median(result[name] for _, result, _ in results))
        for name in ("p50", "max", "cores", "hits")
    }
    return Measured(
        tuple(p99 for p99, _, _ in results),
        "s, 99th percentile",
        tuple(fault for _, _, wrong in results for fault in wrong),
        {**beside, "posts_per_s": sizes.rate, "looked_every_s": EVERY_S},
    )


def _run(servers: Servers, sizes: Sizes) -> tuple[float, dict[str, float], tuple[str, ...]]:
    with servers.live() as settings, reading(settings) as reader, servers.running(settings, "streaming.speed") as speed:
        log = log_of(settings, "streaming.speed")
        epoch = until(lambda: next((one.epoch for one in reader.epochs()), None), speed, log)
        began = time.time()
        with Watch(reader, epoch) as watch:
            with load(settings, sizes.rate) as reports:
                until(lambda: watch.seen or None, speed, log)
                time.sleep(sizes.settle)  # the JVM's warm-up, which is not measured
                since, used = time.time(), servers.cpu_s()
                time.sleep(sizes.seconds)
                cores = (servers.cpu_s() - used) / (time.time() - since)
            sent = together(reports)
            measured = {
                number: ms for number, ms in sent.appended.items() if since <= ms / 1000 < since + sizes.seconds
            }
            wait_for(watch, measured, speed, log)
        until(lambda: True if taken(reader) >= sent.posts else None, speed, log)
        unseen = watch.rest(sent.appended, began)
        wrong = wrong_counts(reader, epoch, sent.counts)
    if unseen:
        wrong = (*wrong, f"{unseen} of {len(sent.appended)} posts could not be read")
    # those that were never seen are named as wrong
    waited = list(delays(measured, watch.seen).values())
    if not waited:
        raise BadInputError(f"no post of {sizes.seconds} s could be read: take more --seconds, or a smaller --rate")
    p99 = percentile(waited, 0.99)
    told = {"p50": percentile(waited, 0.5), "max": max(waited), "cores": cores, "hits": float(len(waited))}
    print(f"  p50 {told['p50']:.2f} s, p99 {p99:.2f} s, max {told['max']:.2f} s, {cores:.2f} cores", flush=True)
    return p99, told, wrong


def wait_for(watch: Watch, numbers: Iterable[int], speed: "subprocess.Popen[bytes]", log: Path) -> None:
    """Lets the last of these posts be seen, for UNSEEN_S at most."""
    wanted = set(numbers)
    last = time.time() + UNSEEN_S
    until(lambda: True if wanted <= watch.seen.keys() or time.time() > last else None, speed, log)


def taken(reader: Reader) -> int:
    """How many records the newest epoch has counted."""
    return sum(reader.epochs()[0].processed.values())
