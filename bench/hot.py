"""A steady stream that all names drinks, two in five the same: does each micro-batch end before the next is due?

A micro-batch lasts from the moment that its offsets are fixed to its commit, by Spark's own files in the checkpoint.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Measured, percentile, rounded
from bench.load import load, together
from bench.servers import Servers, log_of, processed, reading, until
from bench.sizes import Sizes
from bench.topic import wrong_counts
from drinkstream.errors import BadInputError
from drinkstream.settings import ROOT, Settings
from stack.environment import environment
from streaming.epochs import checkpoint

HOT_SHARE = 0.4
STREAMS = 2
SAMPLE = 1000
TRIGGER_S = 1.0
LOOK_S = 5.0
"""Spark keeps the files of a hundred micro-batches: they are looked at more often than it forgets them."""


def hot(servers: Servers, sizes: Sizes) -> Measured:
    """The longest micro-batch behind the warm-up, s; with bytes of state and of Cassandra's table for each hit."""
    results = [_run(servers, sizes) for _ in range(sizes.runs)]
    names = ("p50", "p99", "over_trigger", "micro_batches", "state_bytes_per_hit", "cassandra_bytes_per_hit", "cores")
    beside = {name: rounded(statistics.median(told[name] for _, told, _ in results)) for name in names}
    return Measured(
        tuple(longest for longest, _, _ in results),
        "s, longest micro-batch",
        tuple(fault for _, _, wrong in results for fault in wrong),
        {**beside, "hits_per_s": sizes.hot_rate, "hot_share": HOT_SHARE},
    )


def _run(servers: Servers, sizes: Sizes) -> tuple[float, dict[str, float], tuple[str, ...]]:
    options = ("--hit-share", "1.0", "--hot", str(HOT_SHARE), "--sample", str(SAMPLE))
    with (
        servers.live() as live,
        reading(settings := live.model_copy(update={"speed_trigger": TRIGGER_S})) as reader,
        servers.running(settings, "streaming.speed") as speed,
    ):
        log = log_of(settings, "streaming.speed")
        epoch = until(lambda: next((one.epoch for one in reader.epochs()), None), speed, log)
        folder = checkpoint(settings.checkpoints, epoch)
        with load(settings, sizes.hot_rate, *options, parts=STREAMS) as reports:
            until(lambda: durations(folder) or None, speed, log)
            time.sleep(sizes.settle)  # the JVM's warm-up, which is not measured
            since, used = time.time(), servers.cpu_s()
            seen: dict[int, Lasted] = {}
            while (left := since + sizes.seconds - time.time()) > 0:
                time.sleep(min(LOOK_S, left))
                seen |= durations(folder)
            ended = time.time()
            cores = (servers.cpu_s() - used) / (ended - since)
        sent = together(reports)
        until(lambda: True if processed(reader) >= sent.posts else None, speed, log)
        # with the one that was running when the window closed, which may be the longest
        until(lambda: True if all_committed(folder) else None, speed, log)
        seen |= durations(folder)
        lasted = within(seen, since, ended)
        wrong = wrong_counts(reader, epoch, sent.counts)
        state = sum(path.stat().st_size for path in (folder / "state").rglob("*") if path.is_file())
        table = table_bytes(settings)
    if not lasted:
        raise BadInputError(f"no micro-batch ended within {sizes.seconds} s: take more --seconds, or fewer --hot-rate")
    longest = max(lasted)
    told = {
        "p50": percentile(lasted, 0.5),
        "p99": percentile(lasted, 0.99),
        "over_trigger": float(sum(seconds > TRIGGER_S for seconds in lasted)),
        "micro_batches": float(len(lasted)),
        "state_bytes_per_hit": state / sent.hits,
        "cassandra_bytes_per_hit": table / sent.hits,
        "cores": cores,
    }
    print(
        f"  {len(lasted)} micro-batches, p50 {told['p50']:.2f} s, longest {longest:.2f} s, {cores:.2f} cores",
        flush=True,
    )
    return longest, told, wrong


@dataclass(frozen=True, slots=True)
class Lasted:
    """One micro-batch: when its offsets were fixed (s since 1970), and the seconds from then to its commit."""

    began: float
    seconds: float


def durations(folder: Path) -> dict[int, Lasted]:
    """Each micro-batch that has committed and that Spark still has on file, by its number."""
    found = {}
    for commit in (folder / "commits").glob("[0-9]*"):
        offsets = folder / "offsets" / commit.name
        try:
            # version, the batch's own facts, then the offsets of each source
            began = json.loads(offsets.read_text().splitlines()[1])["batchTimestampMs"] / 1000
            found[int(commit.name)] = Lasted(began, commit.stat().st_mtime - began)
        except FileNotFoundError:
            # it was forgotten while we looked
            continue
    return found


def within(seen: Mapping[int, Lasted], since: float, ended: float) -> list[float]:
    """Seconds of each micro-batch whose offsets were fixed from `since` to before `ended`, whenever it committed."""
    return [lasted.seconds for lasted in seen.values() if since <= lasted.began < ended]


def all_committed(folder: Path) -> bool:
    """Whether the newest micro-batch whose offsets are fixed has committed."""
    offsets, commits = ([int(path.name) for path in (folder / name).glob("[0-9]*")] for name in ("offsets", "commits"))
    return max(offsets, default=-1) <= max(commits, default=-1)


def table_bytes(settings: Settings) -> int:
    """Bytes on disk of the speed cells, all of them flushed."""
    command = [sys.executable, "-m", "stack.nodetool", "flush", settings.keyspace, "speed_cells_v1"]
    subprocess.run(command, env=environment(settings), cwd=ROOT, check=True)
    folder = settings.home / "cassandra" / "data" / settings.keyspace
    return sum(path.stat().st_size for path in folder.glob("speed_cells_v1-*/*") if path.is_file())
