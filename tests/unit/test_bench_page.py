"""What the page row compares: each number that the web shows with what was written and sent, by other code."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from bench import page
from bench.questions import (
    DENOMINATOR,
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
from bench.topic import wrong_cells
from drinkstream.cells import pack
from drinkstream.packed import part_rows
from drinkstream.settings import Settings
from drinkstream.store.read import Reader
from drinkstream.store.write import Writer
from drinkstream.taxonomy import load as taxonomy
from stack.cassandra import SCHEMA, statements
from tests.lib.cassandra_in_memory import Store
from webapp import create_app

FIRST, UNTIL = date(2017, 9, 10), date(2017, 9, 13)
TOTALS: Totals = {
    ("*", "", "x", "original", "en"): 10,
    ("*", "", "x", "repost", "en"): 4,
    ("*", "", "x", "original", "de"): 3,
    ("beer", "", "x", "original", "en"): 7,
    ("beer", "", "x", "repost", "en"): 2,
    ("beer", "guinness", "x", "original", "en"): 5,
    ("tea", "", "x", "original", "de"): 3,
    ("*", "guinness", "x", "original", "en"): 5,
    ("*", "*", "x", "original", "en"): 5,
}
THREE = Published(FIRST, UNTIL, TOTALS)


@pytest.mark.parametrize(
    ("question", "numbers"),
    [
        (Question(FIRST, FIRST), {DENOMINATOR: 13, "beer": 7, "tea": 3}),
        (Question(FIRST, FIRST, reposts=True), {DENOMINATOR: 17, "beer": 9, "tea": 3}),
        (Question(date(2017, 9, 1), date(2017, 9, 30)), {DENOMINATOR: 39, "beer": 21, "tea": 9}),
        (Question(UNTIL, UNTIL), {DENOMINATOR: 0}),
        (Question(FIRST, FIRST, kind="repost"), {DENOMINATOR: 4, "beer": 2}),
        (Question(FIRST, FIRST, lang="de", category="tea"), {DENOMINATOR: 3, "tea": 3}),
        (Question(FIRST, FIRST, brand="guinness"), {DENOMINATOR: 5, "beer": 5}),
        (Question(FIRST, FIRST, "brand"), {DENOMINATOR: 5, "guinness": 5}),
        (Question(FIRST, FIRST, "brand", category="beer"), {DENOMINATOR: 7, "guinness": 5}),
        (Question(FIRST, FIRST, "brand", category="tea"), {DENOMINATOR: 3}),
    ],
    ids=lambda value: value.path if isinstance(value, Question) else "",
)
def test_what_a_question_must_be_answered(question: Question, numbers: dict[str, int]) -> None:
    assert expected(question, THREE, {}) == numbers


def test_what_was_sent_counts_beside_the_published_days() -> None:
    sent = {("*", ""): 2, ("beer", ""): 1, ("soda", ""): 1}
    assert expected(Question(FIRST, UNTIL), THREE, sent) == {DENOMINATOR: 41, "beer": 22, "tea": 9, "soda": 1}


def test_a_question_has_its_address_and_an_answer_its_numbers() -> None:
    asked = Question(FIRST, UNTIL, "brand", "beer", kind="quote", reposts=True)
    assert asked.path == (
        "/api/v1/share?from=2017-09-10&to=2017-09-13&by=brand&reposts=include&category=beer&kind=quote"
    )
    answer = {"total": 9, "shares": [{"brand": "guinness", "category": "beer", "n": 4}]}
    assert shown(asked, answer) == {DENOMINATOR: 9, "guinness": 4}
    assert shown(asked, {"total": None, "shares": []}) == {DENOMINATOR: 0}


YEAR = Published(date(2017, 1, 1), date(2019, 1, 1), TOTALS)


def test_the_mix_is_the_same_each_time_and_asks_for_many_ranges_and_filters() -> None:
    asked = mixed(YEAR, 300, ("beer", "tea"))
    assert asked == mixed(YEAR, 300, ("beer", "tea"))
    assert len(set(asked)) == len(asked) == QUESTIONS
    plain, others = asked[:10], asked[10:]
    assert plain == [
        Question(YEAR.until - timedelta(days=length), YEAR.until, by)
        for length in (1, 7, 30, 90, 300)
        for by in ("category", "brand")
    ]
    assert all(q.category or q.brand or q.kind or q.lang for q in others)
    live = [q for q in others if q.last == YEAR.until]
    assert 0.4 < len(live) / len(others) < 0.6
    lengths = {(min(q.last, YEAR.until - timedelta(days=1)) - q.first).days + 1 for q in asked}
    assert lengths == {1, 7, 30, 90, 300}
    for question in asked:
        days = (min(question.last, YEAR.until - timedelta(days=1)) - question.first).days + 1
        assert question.first - timedelta(days=days) >= YEAR.first


def test_the_first_question_is_asked_most_and_half_of_the_requests_name_an_etag() -> None:
    asked = mixed(YEAR, 300, ("beer", "tea"))
    requests = drawn(asked, 10_000)
    assert requests == drawn(asked, 10_000)
    of_path = Counter(path for path, _ in requests)
    times = [of_path[question.path] for question in asked]
    assert max(times) == times[0]
    # 1/n of 10,000 over the sum of 1/1 to 1/300
    assert times[0] == pytest.approx(10_000 / 6.28, rel=0.1)
    assert times[9] == pytest.approx(1_000 / 6.28, rel=0.3)
    assert sum(conditional for _, conditional in requests) == pytest.approx(5_000, rel=0.05)


@pytest.mark.parametrize("length", [1, 365])
def test_a_question_for_a_first_answer_is_about_days_that_no_other_asked_for_or_compares_itself_with(
    length: int,
) -> None:
    runs = [list(islice(unasked(YEAR, length, run * page.FIRSTS, ("beer",)), page.FIRSTS)) for run in range(3)]
    asked = [question for run in runs for question in run]
    ranges = {(q.first, q.last) for q in asked}
    before = {(q.first - timedelta(days=length), q.last - timedelta(days=length)) for q in asked}
    assert len(ranges | before) == 2 * len(asked) == 120
    assert all((q.last - q.first).days + 1 == length and q.last < YEAR.until for q in asked)


def test_the_web_answers_every_question_of_the_mix_as_expected(site: page.Site) -> None:
    asked = mixed(site.published, 1, taxonomy().categories)
    site.asked.update(dict.fromkeys(asked))
    assert wrong(site, {}) == ()
    settled = [question for question in asked if question.last < site.today]
    assert len(settled) > 100
    site.published.totals["beer", "", "x", "quote", "ja"] += 1
    told = {fault.partition(": ")[0] for fault in wrong(site, {})}
    narrowed = [q for q in settled if q.counts("quote", "ja") and q.category == "beer" and q.brand is None]
    assert narrowed
    assert {question.path for question in narrowed} <= told


class Connected:
    """A session to the store in memory, as the driver opens one."""

    def __init__(self, store: Store) -> None:
        self._session = store.session()
        self.cluster = SimpleNamespace(shutdown=lambda: None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[page.Site]:
    """Three days before today, published as the row publishes them; the web above them answers `page._get`."""
    settings = Settings(home=tmp_path, cassandra_password=SecretStr("any"))
    store = Store(statements(SCHEMA, settings), lambda: 1_000_000)
    monkeypatch.setattr(page, "connect", lambda *_: Connected(store))
    monkeypatch.setattr(page, "TOLD_S", 0.0)
    today = datetime.now(UTC).date()
    first = today - timedelta(days=3)
    totals = page.publish_days(settings, first, 3)
    app = create_app(settings, lambda: Reader(cast(Any, Connected(store))), count_pending=lambda *_: {})
    client: FlaskClient = app.test_client()
    monkeypatch.setattr(page, "_get", lambda _, path: json.loads(client.get(path).data))
    yield page.Site(settings, Published(first, today, totals), today)
    app.extensions.clear()


def wrong(site: page.Site, sent: dict[tuple[str, str], int]) -> tuple[str, ...]:
    running: Any = SimpleNamespace(poll=lambda: None)
    return page.wrong_answers(site, sent, running, Path("log"))


def test_a_page_that_shows_what_was_written_is_right(site: page.Site) -> None:
    assert wrong(site, {}) == ()


def test_a_number_that_differs_is_told_with_its_address(site: page.Site) -> None:
    site.published.totals["tea", "", "x", "original", "en"] += 1
    yesterday = site.today - timedelta(days=1)
    address = f"/api/v1/share?from={yesterday}&to={yesterday}&by=category"
    (told,) = [fault for fault in wrong(site, {}) if fault.startswith(f"{address}: ")]
    assert told.startswith(f"{address}: tea: ")


def test_a_post_that_was_sent_and_is_not_shown_is_told_of_each_answer_that_it_counts_in(site: page.Site) -> None:
    faults = wrong(site, {("*", ""): 1, ("beer", ""): 1})
    today = f"/api/v1/share?from={site.today}&to={site.today}&by=category"
    assert [fault for fault in faults if fault.startswith(f"{today}: ")] == [
        f"{today}: beer: 0 instead of 1",
        f"{today}: {DENOMINATOR}: 0 instead of 1",
    ]
    assert not any("by=brand" in fault for fault in faults)


def test_cells_of_a_run_are_read_back_and_counted_by_their_ids() -> None:
    store = Store(statements(SCHEMA, Settings()), lambda: 1_000_000)
    day = date(2017, 9, 14)
    at = [
        (("2017-09-14T08", category), (5, "", "x", "original", "en", 0), pack(["1", "2"])) for category in ("*", "tea")
    ]
    Writer(cast(Any, store.session())).batch_cells("duckdb-2017-09-14", part_rows(at))
    reader = Reader(cast(Any, store.session()))
    assert wrong_cells(reader, day, "duckdb-2017-09-14", {("*", ""): 2, ("tea", ""): 2}) == ()
    assert wrong_cells(reader, day, "duckdb-2017-09-14", {("*", ""): 2, ("beer", ""): 1}) == (
        "2017-09-14 beer/: 0 instead of 1 in the cells of duckdb-2017-09-14",
        "2017-09-14 tea/: 2 instead of 0 in the cells of duckdb-2017-09-14",
    )
    assert len(wrong_cells(reader, day, "other", {("*", ""): 2})) == 1
