"""Drains by others, on the same topic, into the same tables, their counts checked in the same way."""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.drained import Drained, summed
from bench.figures import Measured
from bench.peers import environment
from bench.servers import Servers, log_of, reading, until
from bench.topic import Topic, wrong_counts
from drinkstream.settings import Settings

EPOCH = "bare"
PARTS = 2


def bare_loop(servers: Servers, runs: int, topic: Topic, warm_up: int) -> Measured:
    """Posts/s of bare.py, behind as many posts as the product's warm-up takes."""
    results = []
    for number in range(runs):
        with servers.fresh(topic.name) as settings:
            results.append(_drained(servers, settings, topic, warm_up))
        said = f"{results[-1].posts_per_s:,.0f} posts/s, {results[-1].core_us:.1f} us a post of all processes"
        print(f"  {topic.name}, bare loop, run {number + 1}: {said}", flush=True)
    return summed(topic, results)


def _drained(servers: Servers, settings: Settings, topic: Topic, warm_up: int) -> Drained:
    python = environment.python(settings.home)
    logs = [log_of(settings, f"bare.{part}") for part in range(PARTS)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                servers.running(
                    settings, "bench.peers.bare", EPOCH, str(part), str(PARTS), python=python, log=f"bare.{part}"
                )
            )
            for part in range(PARTS)
        ]
        warm = [_when(process, log, warm_up // PARTS) for process, log in zip(processes, logs, strict=True)]
        used = servers.cpu_s()
        last = [_when(process, log, None) for process, log in zip(processes, logs, strict=True)]
        usage = servers.cpu_s() - used
    with reading(settings) as reader:
        wrong = wrong_counts(reader, EPOCH, topic.counts)
    measured = sum(one["posts"] for one in last) - sum(one["posts"] for one in warm)
    seconds = max(one["at"] for one in last) - min(one["at"] for one in warm)
    return Drained(measured / seconds, usage / measured * 1e6, wrong)


def _when(process: "subprocess.Popen[bytes]", log: Path, posts: int | None) -> dict[str, Any]:
    """The first thing that a process said once it had drained that many posts (None: all of its)."""

    def said() -> dict[str, Any] | None:
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        return next((line for line in lines if (line["ended"] if posts is None else line["posts"] >= posts)), None)

    return until(said, process, log)
