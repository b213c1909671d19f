"""The merged view over HTTP at a fixed rate of requests: published days beside a live one, from the web's own server.

The published days are written as a recompute writes them; today is counted by the speed query while posts arrive.
"""

import json
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.figures import Measured, differences, percentile, rounded
from bench.load import load, together
from bench.questions import Published, Question, Totals, expected, shown
from bench.servers import Servers, log_of, reading, until
from bench.sizes import Sizes
from bench.topic import Counts
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

TOLD_S = 60.0
"""How long the web may take to show the last posts of a stream that has ended."""


@dataclass(frozen=True, slots=True)
class Site:
    """A web, what it has to show, and what was wrong about it, which is known once its stream of posts has ended."""

    settings: Settings
    published: Published
    today: date
    wrong: list[str]


def page(servers: Servers, sizes: Sizes) -> Measured:
    """The 99th percentile of one day, ms; and that of a long range beside it."""
    results = []
    with serving(servers, sizes.page_days) as site:
        ranges = {"day": site.today - timedelta(days=1), "long": site.today - timedelta(days=sizes.page_days)}
        for _ in range(sizes.runs):
            results.append({name: asked(site.settings, sizes, first, site.today) for name, first in ranges.items()})
            said = ", ".join(
                f"{name}: p50 {one['p50']:.1f} p99 {one['p99']:.1f} ms" for name, one in results[-1].items()
            )
            print(f"  {said}", flush=True)
    wrong = tuple(site.wrong)
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
def serving(servers: Servers, days: int) -> Iterator[Site]:
    """A web over `days` published days and a live one, whose answers are checked once the block has ended."""
    with servers.live() as settings, reading(settings) as reader, servers.running(settings, "streaming.speed") as speed:
        today = datetime.now(UTC).date()
        first = today - timedelta(days=days)
        site = Site(settings, Published(first, today, publish_days(settings, first, days)), today, [])
        log = log_of(settings, "granian")
        with servers.running(settings, "granian", *web_of(settings)[3:]) as web:
            with load(settings, ARRIVING) as reports:
                until(reader.current_epoch, speed, log_of(settings, "streaming.speed"))
                # the live day, once it counts
                until(lambda: _live(settings, today), web, log)
                yield site
            site.wrong.extend(wrong_answers(site, together(reports).counts, web, log))


def wrong_answers(site: Site, sent: Counts, web: "subprocess.Popen[bytes]", log: Path) -> tuple[str, ...]:
    """What the web says of published and live days that is not as it was written and sent, with the address.

    The last posts that were sent may take TOLD_S to be shown.
    """
    last = time.monotonic() + TOLD_S
    now = datetime.now(UTC).date()  # the stream may have gone on into the next day

    def wrong(question: Question, live: Counts) -> tuple[str, ...] | None:
        answer = _get(site.settings, question.path)
        if answer is None:
            return None
        found = differences(expected(question, site.published, live), shown(question, answer))
        return tuple(f"{question.path}: {fault}" for fault in found) if not found or time.monotonic() > last else None

    before = site.published.until - timedelta(days=1)
    faults: list[str] = []
    for by in ("category", "brand"):
        for reposts in (False, True):
            for first, end, live in (
                (site.published.first, before, {}),
                (before, before, {}),
                (site.today, now, sent),
                (site.published.first, now, sent),
            ):
                question = Question(first, end, by, reposts=reposts)
                faults += until(lambda q=question, n=live: wrong(q, n), web, log)  # type: ignore[misc]
    return tuple(faults)


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
