"""Archived days recomputed by one application: read, parse, classify, cells, write; from its start to its end."""

import statistics
import time
from dataclasses import replace

from bench.archived import TOPIC, Days, archived
from bench.figures import OLD, Measured, rounded
from bench.memory import resident_mib
from bench.peers.days import engines
from bench.servers import Servers, log_of, reading
from bench.sizes import Sizes
from bench.topic import let_through, wrong_cells, wrong_totals
from drinkstream.errors import DrinkStreamError
from drinkstream.store.read import Reader

ATTEMPT = "bench"
OLD_DAYS = 2
LOOK_S = 0.5


def recompute(servers: Servers, sizes: Sizes) -> Measured:
    """Posts/s from the start of the process to its end, with the most memory that it and its workers held.

    Two days of v1.1 lines beside them.
    """
    days = archived(servers, sizes.days, sizes.day_posts)
    ours = _runs(servers, sizes, days)
    old = _runs(servers, sizes, archived(servers, OLD_DAYS, sizes.old_posts // OLD_DAYS, "post.x.v1"))
    peers = engines(servers, sizes.runs, days) if servers.peers else {}
    return replace(ours.beside_it(OLD, old), peers=peers)


def _runs(servers: Servers, sizes: Sizes, days: Days) -> Measured:
    results = [_run(servers, days) for _ in range(sizes.runs)]
    line = days.bytes / (days.records_a_day * len(days.counts))
    rates = tuple(rate for rate, _, _ in results)
    beside = {
        "memory_mib": round(max(mib for _, mib, _ in results)),
        "days": len(days.counts),
        "posts_a_day": days.records_a_day,
        "bytes_per_post": round(line),
        "mb_per_s": round(statistics.median(rates) * line / 1e6, 1),
        "let_through": let_through(days.shape),
    }
    return Measured(rates, "posts/s", tuple(fault for _, _, faults in results for fault in faults), beside)


def _run(servers: Servers, days: Days) -> tuple[float, float, tuple[str, ...]]:
    with servers.fresh(TOPIC) as fresh, reading(fresh) as reader:
        settings = days.settings(fresh)
        listed = ",".join(map(str, days.counts))
        began = time.monotonic()
        with servers.running(settings, "jobs.recompute", "--days", listed, "--attempt", ATTEMPT) as job:
            most = 0.0
            while job.poll() is None:
                most = max(most, resident_mib(job.pid))
                time.sleep(LOOK_S)
        seconds = time.monotonic() - began
        if job.returncode:
            log = log_of(settings, "jobs.recompute")
            raise DrinkStreamError(f"the recompute ended with {job.returncode}: see {log}")
        wrong = wrong_days(reader, days)
    rate = days.records_a_day * len(days.counts) / seconds
    print(f"  {rate:,.0f} posts/s, {rounded(most)} MiB at most", flush=True)
    return rate, most, wrong


def wrong_days(reader: Reader, days: Days) -> tuple[str, ...]:
    """Each level of each day whose run does not count what it must, by its totals or by its cells."""
    runs = {run.day: run for run in reader.runs_of_attempt(ATTEMPT)}
    wrong: list[str] = []
    for day, expected in days.counts.items():
        if day not in runs or runs[day].status != "complete":
            wrong.append(f"{day} has no complete run")
            continue
        wrong += wrong_totals(reader, runs[day], expected)
        wrong += wrong_cells(reader, day, runs[day].run_id, expected)
    return tuple(wrong)
