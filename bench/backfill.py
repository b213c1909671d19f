"""What Airflow adds to a day: the wall time of a one-day backfill from its form to its last task, beyond the computing.

The computing is what the recompute itself took, by its run's row: from its first record read to the last one written.
"""

import threading
import time
from datetime import UTC, date, datetime, timedelta

from bench.figures import Measured, rounded
from bench.posts import CHUNK, SEED, START_MS, headers, lines, truth
from bench.servers import DEADLINE_S, Servers, reading
from bench.sizes import Sizes
from bench.topic import Counts, wrong_totals
from drinkstream.archive import Archive
from drinkstream.errors import DrinkStreamError, UnavailableError
from drinkstream.settings import Settings
from drinkstream.store.read import Reader, Run
from streaming.offsets import look
from streaming.producer import Producer
from tests.lib.airflow_api import AirflowApi

DAG = "nightly_share"
AIRFLOW = ("postgres", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
LOOK_S = 0.5


def backfill_day(servers: Servers, sizes: Sizes) -> Measured:
    """Seconds beyond the computing, for one day after the other; the first is not measured, as Airflow warms up."""
    try:
        settings = servers.start("kafka", "cassandra", "archive", *AIRFLOW)
        results, wrong = _results(settings, sizes)
    finally:
        servers.end("archive", *AIRFLOW)
    computing_s = sorted(computing for _, computing in results)[len(results) // 2]
    beside = {"computing_s": rounded(computing_s), "posts": sizes.backfill_posts}
    return Measured(tuple(beyond for beyond, _ in results), "s beyond the computing", wrong, beside)


def _results(settings: Settings, sizes: Sizes) -> tuple[list[tuple[float, float]], tuple[str, ...]]:
    """Of each day (s): the wall time beyond the computing, and the computing; and the wrong counts."""
    ops = AirflowApi(settings, "ops")
    results = []
    wrong: list[str] = []
    with reading(settings) as reader:
        first = _first_free(reader)
        for number in range(sizes.runs + 1):
            day = first + timedelta(days=number)
            expected = _sent(settings, day, sizes.backfill_posts)
            _archived(settings)
            wall, run = _backfilled(ops, reader, day)
            wrong += wrong_totals(reader, run, expected)
            assert run.completed_at is not None
            computing = (run.completed_at - run.started_at).total_seconds()
            print(f"  {day}: {wall:.1f} s, {computing:.1f} s of them computing", flush=True)
            if number:
                results.append((wall - computing, computing))
    return results, tuple(wrong)


def _first_free(reader: Reader) -> date:
    """The first day behind all that earlier calls have published: their posts are in the archive for good."""
    days = [entry.day for entry in reader.publications(reader.published_months())]
    return max(days, default=datetime.fromtimestamp(START_MS / 1000, UTC).date()) + timedelta(days=1)


def _sent(settings: Settings, day: date, posts: int) -> Counts:
    """Sends a day's posts through the product's producer; returns what must be counted of them."""
    chunks = -(-posts // CHUNK)
    counts: Counts = {}
    day_ms = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    with Producer(settings, threading.Event(), wait=60) as producer:
        for chunk in range(chunks):
            made = list(lines(chunk, chunks, SEED, day_ms=day_ms))
            for line in made:
                producer.send(settings.posts_topic, line.value, line.key, headers(line.event_ms))
            for level, n in truth(made).items():
                counts[level] = counts.get(level, 0) + n
        producer.flush()
    return counts


def _archived(settings: Settings) -> None:
    """Waits until the archive has all that Kafka holds."""
    seen = look(settings.bootstrap, (settings.posts_topic,), 60)
    archive = Archive(settings.archive)
    deadline = time.monotonic() + DEADLINE_S
    while True:
        held = archive.positions(seen.cluster) if archive.exists() else {}
        if all(held.get(place, 0) >= offset for place, offset in seen.end.items()):
            return
        if time.monotonic() > deadline:
            raise UnavailableError(f"the archive is not at Kafka's end: see {settings.home}/log/archive.log")
        time.sleep(LOOK_S)


def _backfilled(ops: AirflowApi, reader: Reader, day: date) -> tuple[float, Run]:
    """Seconds from the request to the end of the day's last task, and the run that is in force then."""
    asked = {"dag_id": DAG, "from_date": f"{day}T00:00:00Z", "to_date": f"{day}T00:00:00Z"}
    how = {"reprocess_behavior": "completed", "max_active_runs": 1, "run_backwards": False, "dag_run_conf": {}}
    began = datetime.now(UTC)
    done = ops.call("POST", "/backfills", {**asked, **how})
    if not done.ok:
        raise DrinkStreamError(f"Airflow does not take the backfill: {done.text}")
    ended = _ended(ops, day, began)
    entry = max((p for p in reader.publications([str(day)[:7]]) if p.day == day), key=lambda p: p.seq, default=None)
    run = reader.run(day, entry.run_id) if entry is not None and entry.at > began else None
    if run is None:
        raise DrinkStreamError(f"the backfill of {day} ended and published nothing")
    return (ended - began).total_seconds(), run


def _ended(ops: AirflowApi, day: date, began: datetime) -> datetime:
    """When the backfill's run of the day ended."""
    where = f"?logical_date_gte={day}T00:00:00Z&logical_date_lte={day}T00:00:00Z"
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = ops.call("GET", f"/dags/{DAG}/dagRuns{where}").json()["dag_runs"]
        for run in found:
            ended = run["end_date"] and datetime.fromisoformat(run["end_date"])
            if ended and ended > began and run["state"] == "failed":
                raise DrinkStreamError(f"Airflow's run {run['dag_run_id']} failed: see its tasks' logs")
            if ended and ended > began and run["state"] == "success":
                return ended
        time.sleep(LOOK_S)
    raise UnavailableError(f"the backfill of {day} did not end within {DEADLINE_S:.0f} s")
