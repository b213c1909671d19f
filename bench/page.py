"""The merged view over HTTP at a fixed rate of requests: published days beside a live one, from the web's own server.

The published days are written as a recompute writes them; today is counted by the speed query while posts arrive.
"""

import json
import statistics
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bench.figures import Measured, percentile, rounded
from bench.load import load
from bench.servers import Servers, log_of, reading, until
from bench.sizes import Sizes
from drinkstream import meaning
from drinkstream.errors import DrinkStreamError
from drinkstream.merge import Publication
from drinkstream.settings import ROOT, Settings
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from drinkstream.taxonomy import load as taxonomy
from stack.programs import web as web_of

ARRIVING = 100
"""Posts a second that arrive meanwhile."""

KINDS = ("original", "reply", "quote", "repost")
LANGS = ("ar", "de", "en", "es", "fr", "id", "ja", "ko", "pt", "ru", "th", "tr")
BRANDS = (("beer", "guinness"), ("coffee", "starbucks"), ("soda", "pepsi"))
WARM_S = 5.0

Totals = dict[tuple[str, str, str, str, str], int]


def page(servers: Servers, sizes: Sizes) -> Measured:
    """The 99th percentile of one day, ms; and that of a long range beside it."""
    results = []
    with serving(servers, sizes.page_days) as (settings, wrong):
        today = datetime.now(UTC).date()
        ranges = {"day": today - timedelta(days=1), "long": today - timedelta(days=sizes.page_days)}
        for _ in range(sizes.runs):
            results.append({name: asked(settings, sizes, first, today) for name, first in ranges.items()})
            said = ", ".join(
                f"{name}: p50 {one['p50']:.1f} p99 {one['p99']:.1f} ms" for name, one in results[-1].items()
            )
            print(f"  {said}", flush=True)
    failed = [one["failed"] for result in results for one in result.values() if one["failed"]]
    if failed:
        wrong = (*wrong, f"{sum(failed):.0f} requests were not answered, or not with 200")
    long = [result["long"] for result in results]
    also = Measured(tuple(one["p99"] for one in long), "ms, 99th percentile", (), _beside(long))
    day = [result["day"] for result in results]
    times = statistics.median(one["p50"] for one in long) / statistics.median(one["p50"] for one in day)
    beside = {**_beside(day), "requests_per_s": sizes.requests, "long_to_day": rounded(times)}
    own = Measured(tuple(one["p99"] for one in day), "ms, 99th percentile", wrong, beside)
    return own.beside_it(f"{sizes.page_days} days", also)


@contextmanager
def serving(servers: Servers, days: int) -> Iterator[tuple[Settings, tuple[str, ...]]]:
    """A web over `days` published days and a live one; with what is wrong about the numbers that it shows."""
    with servers.live() as settings, reading(settings) as reader, servers.running(settings, "streaming.speed") as speed:
        today = datetime.now(UTC).date()
        expected = publish_days(settings, today - timedelta(days=days), days)
        with (
            load(settings, ARRIVING),
            servers.running(settings, "granian", *web_of(settings)[3:]) as web,
        ):
            until(reader.current_epoch, speed, log_of(settings, "streaming.speed"))
            first, last = today - timedelta(days=days), today - timedelta(days=1)
            log = log_of(settings, "granian")
            found = until(lambda: _get(settings, f"/api/v1/share?from={first}&to={last}&reposts=include"), web, log)
            total = sum(n for (category, brand, *_), n in expected.items() if (category, brand) == ("*", "")) * days
            wrong = () if found["total"] == total else (f"the page shows {found['total']} posts instead of {total}",)
            # the live day, once it counts
            until(lambda: _live(settings, today), web, log)
            yield settings, wrong


def publish_days(settings: Settings, first: date, days: int) -> Totals:
    """Writes and publishes a run for each of `days` days from `first` on; returns the totals, the same for each."""
    totals = totals_of_a_day()
    session = connect(settings, settings.writer_login())
    writer = Writer(session)
    try:
        for number in range(days):
            day = first + timedelta(days=number)
            run_id = f"bench-{day:%Y%m%d}"
            writer.day_totals(day, run_id, totals)
            writer.run(
                day,
                run_id,
                attempt="bench",
                asked_by="bench",
                meaning=meaning.version(),
                archive_version=0,
                position={},
                fingerprint={"seq": 0},
                totals={"drinks": 0},
                rejected={},
                status="complete",
                started_at=datetime.now(UTC),
                completed_at=datetime.now(UTC),
            )
            if not writer.publish(Publication(day, 1, run_id, datetime.now(UTC), "bench", "")):
                raise DrinkStreamError(f"{day} was published before: the keyspace is not fresh")
    finally:
        session.cluster.shutdown()
    return totals


def totals_of_a_day() -> Totals:
    """A day's totals of every category, some brands, each kind and a dozen languages."""
    levels = [("*", ""), *((category, "") for category in taxonomy().categories)]
    levels += [*BRANDS, *(("*", brand) for _, brand in BRANDS), ("*", "*")]
    return {
        (category, brand, "x", kind, lang): 1000 + 10 * number + len(kind)
        for category, brand in levels
        for kind in KINDS
        for number, lang in enumerate(LANGS)
    }


def asked(settings: Settings, sizes: Sizes, first: date, last: date) -> dict[str, float]:
    """Percentiles (ms) of requests at the fixed rate, for shares by category and by brand in turn."""
    paths = [f"/api/v1/share?from={first}&to={last}&by={by}" for by in ("category", "brand")]
    _sent(settings, sizes.requests, WARM_S, paths)
    said = _sent(settings, sizes.requests, sizes.page_seconds, paths)
    return {
        "p50": percentile(said["ms"], 0.5),
        "p99": percentile(said["ms"], 0.99),
        "max": max(said["ms"]),
        "failed": said["failed"],
    }


def _sent(settings: Settings, rate: int, seconds: float, paths: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.openloop", settings.host, str(settings.web_port), str(rate), str(seconds)]
    done = subprocess.run([*command, *paths], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _live(settings: Settings, today: date) -> bool | None:
    found = _get(settings, f"/api/v1/share?from={today}&to={today}")
    return True if found and found["days"][0]["layer"] == "speed" and found["total"] else None


def _get(settings: Settings, path: str) -> dict[str, Any] | None:
    """The answer of the web; None while it does not listen yet, or has not read the store."""
    try:
        with urllib.request.urlopen(f"http://{settings.host}:{settings.web_port}{path}", timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return None
    except urllib.error.URLError:
        return None


def _beside(results: list[Mapping[str, float]] | list[dict[str, float]]) -> dict[str, float]:
    return {name: rounded(statistics.median(one[name] for one in results)) for name in ("p50", "max")}
