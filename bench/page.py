"""The merged view over HTTP at a fixed rate of requests: published days beside a live one, from the web's own server.

The published days are written as a recompute writes them; today is counted by the speed query while posts arrive. What
is asked is a mix of many questions (bench/questions.py), so that answers are computed and not only given again; beside
it stands what a first answer takes, to a question that was never asked before.
"""

import json
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any

from bench.figures import Measured, differences, percentile, rounded
from bench.load import load, together
from bench.openloop import Ask
from bench.questions import (
    APART,
    BRANDS,
    KINDS,
    LANGS,
    QUESTIONS,
    Published,
    Question,
    Totals,
    drawn,
    expected,
    mixed,
    shown,
    unasked,
)
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
from stack.programs import PROGRAMS
from stack.programs import web as web_of
from webapp.query import MAX_DAYS

ARRIVING = 100
"""Posts a second that arrive meanwhile."""

WARM_S = 5.0

DRAWN = 10_000
"""Requests that are drawn; behind the last of them the first comes again."""

FIRSTS = 20
"""Questions about so many different ranges tell what a first answer takes."""

LONGEST = timedelta(days=MAX_DAYS - 1)
ANSWER_S = 30.0
TOLD_S = 60.0
"""How long the web may take to show the last posts of a stream that has ended."""


@dataclass(frozen=True, slots=True)
class Site:
    """A web, what it has to show, what it was asked, and what was wrong about it.

    That is known once its stream of posts has ended.
    """

    settings: Settings
    published: Published
    today: date
    asked: dict[Question, None] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def page(servers: Servers, sizes: Sizes) -> Measured:
    """The 99th percentile of the mix, ms; first answers about a day and about a long range beside it."""
    loads, firsts = [], []
    lengths = (1, sizes.page_days)
    with serving(servers, sizes.page_days, sizes.runs) as site:
        # the live layer's JVM compiles what it runs on the cores of the web
        _warm(site, sizes.requests, sizes.settle, mixed(site.published, sizes.page_days, taxonomy().categories))
        for number in range(sizes.runs):
            firsts.append([first_ms(site, length, number) for length in lengths])
            loads.append(asked(site, sizes, sizes.page_days))
            day, long = firsts[-1]
            print(
                f"  p50 {loads[-1]['p50']:.1f} p99 {loads[-1]['p99']:.1f} ms, {loads[-1]['unchanged']:.0%} unchanged; "
                f"a first answer {day:.1f} ms for a day, {long:.1f} ms for {sizes.page_days} days",
                flush=True,
            )
    beside = {name: rounded(statistics.median(one[name] for one in loads)) for name in ("p50", "max", "unchanged")}
    by_length = list(zip(*firsts, strict=True))
    days, longs = map(statistics.median, by_length)
    beside |= {"requests_per_s": sizes.requests, "questions": QUESTIONS, "first_long_to_day": rounded(longs / days)}
    found = Measured(tuple(one["p99"] for one in loads), "ms, 99th percentile", tuple(site.wrong), beside)
    for length, runs in zip(lengths, by_length, strict=True):
        told = "a day" if length == 1 else f"{length} days"
        found = found.beside_it(f"a first answer, {told}", Measured(runs, f"ms, median of {FIRSTS}"))
    return found


@contextmanager
def serving(servers: Servers, longest: int, runs: int) -> Iterator[Site]:
    """A web over published days and a live one, whose answers are checked once the block has ended.

    There are as many published days as `first_ms` of ranges of `longest` days takes in so many `runs`, each range with
    as many days before it, which its answer compares itself with.
    """
    days = 2 * longest + runs * FIRSTS * APART
    with (
        servers.live() as settings,
        reading(settings) as reader,
        servers.running(settings, "streaming.speed", niceness=PROGRAMS["speed"].niceness) as speed,
    ):
        today = datetime.now(UTC).date()
        first = today - timedelta(days=days)
        site = Site(settings, Published(first, today, publish_days(settings, first, days)), today)
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
    # what is narrowed to a kind or a language is not known of the posts that were sent
    questions = {question: {} for question in site.asked if question.last <= before}
    for by in ("category", "brand"):
        for reposts in (False, True):
            for first, end, live in (
                (site.published.first, before, {}),
                (before, before, {}),
                (site.today, now, sent),
                (site.published.first, now, sent),
            ):
                questions[Question(max(first, end - LONGEST), end, by, reposts=reposts)] = live
    faults: list[str] = []
    for question, live in questions.items():
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


def asked(site: Site, sizes: Sizes, longest: int) -> dict[str, float]:
    """Times (ms) of the mix at the fixed rate, over ranges of up to `longest` days: p50, p99, max.

    `unchanged` is the share of requests that named the ETag of the answer. What was asked, and what was not answered,
    is noted with the site.
    """
    questions = mixed(site.published, longest, taxonomy().categories)
    site.asked.update(dict.fromkeys(questions))
    _warm(site, sizes.requests, WARM_S, questions)
    said = _sent(site.settings, sizes.requests, sizes.page_seconds, drawn(questions, DRAWN))
    if said["failed"]:
        site.wrong.append(f"{said['failed']} requests were not answered, or not with 200 or 304")
    return {
        "p50": percentile(said["ms"], 0.5),
        "p99": percentile(said["ms"], 0.99),
        "max": max(said["ms"]),
        "unchanged": said["unchanged"] / len(said["ms"]),
    }


def _warm(site: Site, rate: int, seconds: float, questions: list[Question]) -> None:
    _sent(site.settings, rate, seconds, drawn(questions, round(rate * seconds)))


def first_ms(site: Site, length: int, run: int) -> float:
    """The median time (ms) of FIRSTS answers about `length` published days, each over days that were never asked for.

    One after the other on one connection, each measured from the request to the end of its answer. Raises
    DrinkStreamError where one is refused.
    """
    categories = taxonomy().categories
    took = []
    connection = HTTPConnection(site.settings.host, site.settings.web_port, timeout=ANSWER_S)
    try:
        for question in islice(unasked(site.published, length, run * FIRSTS, categories), FIRSTS):
            began = time.perf_counter()
            connection.request("GET", question.path)
            answer = connection.getresponse()
            body = answer.read()
            took.append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                raise DrinkStreamError(f"{question.path} was answered by {answer.status}: {body[:200]!r}")
            site.asked[question] = None
    finally:
        connection.close()
    return statistics.median(took)


def _sent(settings: Settings, rate: int, seconds: float, asks: list[Ask]) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.openloop", settings.host, str(settings.web_port), str(rate), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(asks), stdout=subprocess.PIPE, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _live(settings: Settings, today: date) -> bool | None:
    found = _get(settings, f"/api/v1/share?from={today}&to={today}")
    return True if found and found["days"][0]["layer"] == "speed" and found["total"] else None


def _get(settings: Settings, path: str) -> dict[str, Any] | None:
    """The answer of the web; None while it does not listen yet, or has not read the store."""
    try:
        with urllib.request.urlopen(f"http://{settings.host}:{settings.web_port}{path}", timeout=ANSWER_S) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return None
    except urllib.error.URLError:
        return None
