"""Drains by others, on the same topic, into the same tables, their counts checked in the same way."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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

    Each of its processes says in lines of JSON what it has drained so far: "posts", "at" (s since 1970), and "ended",
    whether all of these are written and none are known to follow. Then it waits to be ended.
    """

    slug: str
    module: str
    given: tuple[str, ...] = ()
    parts: int = 1
    once: bool = False
    ready: Callable[[Settings], str] = _ours

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


def make_ready(settings: Settings) -> None:
    """Fetches, installs and compiles what the peers need. Raises UnavailableError where that cannot be."""
    for peer in PEERS.values():
        peer.ready(settings)


def drains(servers: Servers, sizes: Sizes, topic: Topic, warm_up: int) -> dict[str, Measured]:
    """Posts/s of each peer, behind as many posts as the product's warm-up takes."""
    return {name: measured(servers, sizes, topic, warm_up, name, peer) for name, peer in PEERS.items()}


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
    # what a peer keeps in Kafka under its name, groups above all, is never that of an earlier run
    # what a peer keeps in Kafka under its name, groups above all, is never that of an earlier run
    epoch = f"{peer.slug}{time.time_ns() // 1_000_000}"
    with ExitStack() as stack:
        running: list[tuple[Process, Path]] = []
        for part in range(peer.parts):
            log = f"{peer.slug}.{part}"
            started = servers.running(settings, peer.module, *peer.arguments(epoch, part), python=python, log=log)
            running.append((stack.enter_context(started), log_of(settings, log)))
        warm = [_once(*one, lambda said: said["posts"] >= warm_up // peer.parts) for one in running]
        used = servers.cpu_s()
        last = _ended(running, topic.records)
        usage = servers.cpu_s() - used
    with reading(settings) as reader:
        wrong = wrong_counts(reader, epoch, topic.counts)
    measured = sum(one["posts"] for one in last) - sum(one["posts"] for one in warm)
    seconds = max(one["at"] for one in last) - min(one["at"] for one in warm)
    if not measured:
        raise BadInputError(f"{name} had drained all when it had first written: take more --posts, or a smaller --most")
    return Drained(measured / seconds, usage / measured * 1e6, wrong)


def _once(process: Process, log: Path, so_far: Callable[[Said], bool]) -> Said:
    """The first thing that a process said for which `so_far` holds."""
    return until(lambda: next((said for said in _said(log) if so_far(said)), None), process, log)


def _ended(running: Sequence[tuple[Process, Path]], records: int) -> list[Said]:
    """The last thing that each process said, once all have ended with `records` records in all."""

    def last() -> list[Said] | None:
        found = [said[-1] for _, log in running if (said := _said(log)) and said[-1]["ended"]]
        return found if len(found) == len(running) and sum(said["posts"] for said in found) >= records else None

    def watched() -> list[Said] | None:
        found = last()
        for process, log in running:
            if found is None and process.poll() is not None:
                # it tells how this one failed; the others would wait for ever
                return until(lambda: None, process, log)
        return found

    return until(watched, *running[0])


def _said(log: Path) -> list[Said]:
    # the last line may be half written
    lines = [
        line for line in log.read_text().splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")
    ]
    return [json.loads(line) for line in lines]
