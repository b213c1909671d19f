"""Drains by others, of the same lines, into the same tables, their counts checked in the same way."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.drained import Drained, summed
from bench.figures import Measured
from bench.peers import environment, jvm
from bench.servers import Servers, log_of, reading, until
from bench.sizes import Sizes
from bench.topic import Topic, wrong_counts
from drinkstream.errors import BadInputError
from drinkstream.settings import Settings

Process = subprocess.Popen[bytes]
Said = dict[str, Any]


def _ours(_: Settings) -> str:
    return sys.executable


def _own(lock: Path) -> Callable[[Settings], str]:
    return lambda settings: environment.python(settings.home, lock)


@dataclass(frozen=True, slots=True)
class Peer:
    """A program that drains the topic: a module, called with `given`, the epoch that it writes, and, where it has
    several parts, which of how many. `ready` makes what it needs, and returns the interpreter that it runs in.

    `once`: it is measured in one run only, because it takes so long.

    Each of its processes says in lines of JSON what it has drained so far: "posts" (read, and all of them written),
    "at" (s since 1970), "ended" (none are known to follow), and "read" where it reads on before it has written. Then it
    waits to be ended, and those of JVM go on with what arrives.
    """

    slug: str
    module: str
    given: tuple[str, ...] = ()
    parts: int = 1
    once: bool = False
    ready: Callable[[Settings], str] = _ours

    def epoch(self) -> str:
        """A new one, so that what a peer keeps in Kafka under its name (groups, topics) is never an earlier run's."""
        return f"{self.slug}{time.time_ns() // 1_000_000}"

    def arguments(self, epoch: str, part: int) -> list[str]:
        """What one of its processes is called with."""
        return [*self.given, epoch, *([str(part), str(self.parts)] if self.parts > 1 else [])]


PEERS = {
    "bare loop": Peer("bare", "bench.peers.bare", parts=2, ready=_own(environment.LOCK)),
    "Flink": Peer("flink", "bench.peers.jvm", ("flink",), ready=jvm.ready),
    "Kafka Streams": Peer("streams", "bench.peers.jvm", ("streams",), ready=jvm.ready),
    "Quix Streams": Peer("quix", "bench.peers.quix", parts=2, ready=_own(environment.QUIX)),
    "Pathway": Peer("pathway", "bench.peers.pathway", ready=_own(environment.PATHWAY)),
    # no competitor: what one gets who follows the tutorials
    "textbook PySpark (apart)": Peer("textbook", "bench.peers.textbook", once=True),
}

JVM = {name: PEERS[name] for name in ("Flink", "Kafka Streams")}
"""Competitors that are compiled as they run, as the product is: they drain the same long topic, behind as many posts.
They also go on with a topic to which posts are still being sent."""


def make_ready(settings: Settings, peers: Mapping[str, Peer] = PEERS) -> None:
    """Fetches, installs and compiles what these peers need. Raises UnavailableError where that cannot be."""
    for peer in peers.values():
        peer.ready(settings)


def drains(
    servers: Servers, sizes: Sizes, topic: Topic, warm_up: int, peers: Mapping[str, Peer] = PEERS
) -> dict[str, Measured]:
    """Posts/s of each of these peers, behind `warm_up` posts."""
    return {name: measured(servers, sizes, topic, warm_up, name, peer) for name, peer in peers.items()}


def measured(servers: Servers, sizes: Sizes, topic: Topic, warm_up: int, name: str, peer: Peer) -> Measured:
    results = []
    for number in range(1 if peer.once else sizes.runs):
        with servers.fresh(topic.name) as fresh:
            settings = fresh.model_copy(update={"speed_max_offsets": sizes.most})
            results.append(_drained(servers, settings, topic, warm_up, name, peer))
        said = f"{results[-1].posts_per_s:,.0f} posts/s, {results[-1].core_us:.1f} us a post of all processes"
        print(f"  {topic.name}, {name}, run {number + 1}: {said}", flush=True)
    return summed(topic, results)


def _drained(servers: Servers, settings: Settings, topic: Topic, warm_up: int, name: str, peer: Peer) -> Drained:
    python = peer.ready(settings)
    epoch = peer.epoch()
    used, read = servers.cpu_s(), 0
    with ExitStack() as stack:
        running: list[tuple[Process, Path]] = []
        for part in range(peer.parts):
            log = f"{peer.slug}.{part}"
            started = servers.running(settings, peer.module, *peer.arguments(epoch, part), python=python, log=log)
            running.append((stack.enter_context(started), log_of(settings, log)))
        for process, file in running:
            until(partial(_passed, file, warm_up // peer.parts), process, file)
        warm_read = sum(said[-1].get("read", said[-1]["posts"]) for said in _all(running))
        # one that had read all when it first wrote is not without cost: it is that of its whole life
        if warm_read < topic.records:
            used, read = servers.cpu_s(), warm_read
        _ended(running, topic.records)
        usage = servers.cpu_s() - used
        said = _all(running)
    with reading(settings) as reader:
        wrong = wrong_counts(reader, epoch, topic.counts)
    return Drained(rate(name, said, warm_up), usage / (topic.records - read) * 1e6, wrong)


def rate(name: str, said: Sequence[Sequence[Said]], warm_up: int) -> float:
    """Posts/s behind the first `warm_up` posts, by what each process of a peer said.

    Each process counts from when its share of these was written to its last full write: what is left at the end is
    less, and waits as long. Of several the time counts that they have in common, so that none is waited for while it
    starts or has ended; what a write brought came evenly since the one before. Raises BadInputError where a process
    wrote once only.
    """
    spans = [_full(name, lines, warm_up // len(said)) for lines in said]
    began, ended = max(writes[0][0] for writes in spans), min(writes[-1][0] for writes in spans)
    if began >= ended:
        # sizes that small only show that all works: each by itself
        return sum((writes[-1][1] - writes[0][1]) / (writes[-1][0] - writes[0][0]) for writes in spans)
    return sum(_posts_at(writes, ended) - _posts_at(writes, began) for writes in spans) / (ended - began)


def _full(name: str, lines: Sequence[Said], warm_up: int) -> list[tuple[float, float]]:
    """The writes of a process, as (moment in s, posts so far): from the first with its warm-up to the last full one.

    Where too few follow the warm-up these are the last two.
    """
    # a line for each write, whose number it is the first to say
    writes = [line for before, line in pairwise([{"posts": -1}, *lines]) if line["posts"] > before["posts"]]
    last = len(writes) - 1
    first = next((at for at, line in enumerate(writes) if line["posts"] >= warm_up), last)
    if last - first > 1:
        last -= 1
    first = min(first, last - 1)
    if first < 0:
        raise BadInputError(f"{name} had drained all when it first wrote: take more posts, or a smaller --most")
    return [(line["at"], line["posts"]) for line in writes[first : last + 1]]


def _posts_at(writes: Sequence[tuple[float, float]], moment: float) -> float:
    """How many posts a process had taken by then, a moment between its first write and its last."""
    return next(
        before + (after - before) * (moment - earlier) / (later - earlier)
        for (earlier, before), (later, after) in pairwise(writes)
        if moment <= later
    )


def _passed(log: Path, posts: int) -> bool | None:
    """Whether a process has written so many posts; None as long as it has not."""
    return any(line["posts"] >= posts for line in _said(log)) or None


def _all(running: Sequence[tuple[Process, Path]]) -> list[list[Said]]:
    return [_said(log) for _, log in running]


def _ended(running: Sequence[tuple[Process, Path]], records: int) -> None:
    """Waits until each process has ended, with `records` records in all."""

    def whole() -> bool | None:
        last = [said[-1] for said in _all(running) if said and said[-1]["ended"]]
        if len(last) == len(running) and sum(line["posts"] for line in last) >= records:
            return True
        for process, log in running:
            if process.poll() is not None:
                # it tells how this one failed; the others would wait for ever
                until(lambda: None, process, log)
        return None

    until(whole, *running[0])


def _said(log: Path) -> list[Said]:
    # the last line may be half written
    lines = [
        line for line in log.read_text().splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")
    ]
    return [json.loads(line) for line in lines]
