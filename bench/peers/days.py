"""Archived days recomputed by other engines, a process for each core, their cells read back and checked alike."""

import subprocess
import time
from contextlib import ExitStack

from bench.archived import TOPIC, Days
from bench.figures import Measured
from bench.memory import resident_mib
from bench.peers import environment
from bench.peers.recompute import run_id
from bench.servers import Servers, log_of, reading
from bench.topic import wrong_cells
from drinkstream.errors import DrinkStreamError
from drinkstream.settings import Settings

ENGINES = ("duckdb", "polars", "chdb")
PARTS = 2
LOOK_S = 0.5


def engines(servers: Servers, runs: int, days: Days) -> dict[str, Measured]:
    """Posts/s of each engine from the start of its processes to their end, with the most memory that they held."""
    return {engine: _measured(servers, runs, days, engine) for engine in ENGINES}


def _measured(servers: Servers, runs: int, days: Days, engine: str) -> Measured:
    results = []
    for _ in range(runs):
        with servers.fresh(TOPIC) as fresh:
            results.append(_run(servers, days.settings(fresh), days, engine))
        print(f"  {engine}: {results[-1][0]:,.0f} posts/s, {results[-1][1]:,.0f} MiB at most", flush=True)
    memory = {"memory_mib": round(max(mib for _, mib, _ in results))}
    wrong = tuple(fault for _, _, faults in results for fault in faults)
    return Measured(tuple(rate for rate, _, _ in results), "posts/s", wrong, memory)


def _run(servers: Servers, settings: Settings, days: Days, engine: str) -> tuple[float, float, tuple[str, ...]]:
    python = environment.python(settings.home)
    listed = sorted(map(str, days.counts))
    shares = [share for part in range(PARTS) if (share := listed[part::PARTS])]
    logs = [log_of(settings, f"{engine}.{part}") for part in range(len(shares))]
    most = 0.0
    with ExitStack() as stack:
        began = time.monotonic()
        processes: list[subprocess.Popen[bytes]] = [
            stack.enter_context(
                servers.running(
                    settings,
                    "bench.peers.recompute",
                    *(engine, TOPIC, ",".join(share)),
                    python=python,
                    log=f"{engine}.{part}",
                )
            )
            for part, share in enumerate(shares)
        ]
        while any(process.poll() is None for process in processes):
            most = max(most, sum(resident_mib(process.pid) for process in processes))
            time.sleep(LOOK_S)
        seconds = time.monotonic() - began
    for process, log in zip(processes, logs, strict=True):
        if process.returncode:
            raise DrinkStreamError(f"{engine} ended with {process.returncode}: see {log}")
    with reading(settings) as reader:
        wrong = tuple(
            fault
            for day, expected in days.counts.items()
            for fault in wrong_cells(reader, day, run_id(engine, str(day)), expected)
        )
    return days.records_a_day * len(days.counts) / seconds, most, wrong
