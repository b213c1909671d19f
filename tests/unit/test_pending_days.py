"""Which days the nightly run takes along, and how they reach the recompute."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from unittest.mock import MagicMock, patch

import pytest

from drinkstream import meaning
from drinkstream.errors import BadInputError
from drinkstream.merge import Publication, snapshot
from drinkstream.store.read import Run
from jobs import recompute
from jobs.pending import (
    MOST_DAYS,
    MOST_RUNS,
    counted,
    missed,
    over,
    rolled_back,
    settled_by_night,
    tonight,
    unpublished,
)
from jobs.recompute import asked_days, require_one_topic, require_same_rules
from tests.lib.archived import archive, row

NOON = datetime(2017, 10, 1, 12, tzinfo=UTC)


class Store:
    """Two months of publications: the 14th twice, one whose run is gone, one whose run kept no position."""

    def published_months(self) -> list[str]:
        return ["2017-09", "2017-10"]

    def publications(self, months: Iterable[str]) -> list[Publication]:
        assert list(months) == ["2017-09", "2017-10"]
        days = [(14, 1, "old"), (14, 2, "new"), (15, 1, "gone"), (16, 1, "bare")]
        entries = [Publication(date(2017, 9, day), seq, run, NOON) for day, seq, run in days]
        return [*entries, Publication(date(2017, 10, 1), 1, "october", NOON)]

    def run(self, day: date, run_id: str) -> Run | None:
        if run_id == "gone":
            return None
        position = {} if run_id == "bare" else {"c/posts/0": len(run_id)}
        return Run(day, run_id, "attempt", "", "m", "complete", NOON, NOON, position=position)


def test_a_day_is_looked_into_behind_the_position_of_the_run_in_force():
    store = Store()
    published = snapshot(store.publications(store.published_months()), None).publications
    found = {day: run.position for day, run in counted(store, published).items()}  # type: ignore[arg-type]
    assert found == {date(2017, 9, 14): {"c/posts/0": 3}, date(2017, 10, 1): {"c/posts/0": 7}}


def test_a_day_that_other_rules_counted_or_that_lies_under_two_topics_is_no_night_s():
    """What the rules change a person approves; and a recompute would read one of the topics."""
    days = ["2017-09-14", "2017-09-15", "2017-09-16"]
    meanings = dict.fromkeys(days, meaning.version())
    assert settled_by_night(days, meanings, {}) == days
    assert settled_by_night(days, meanings | {"2017-09-15": "older"}, {}) == ["2017-09-14", "2017-09-16"]
    assert settled_by_night(days, meanings, {"2017-09-14"}) == ["2017-09-15", "2017-09-16"]


@pytest.mark.parametrize(
    ("runs", "back"),
    [
        ("a", False),
        ("ab", False),
        ("aba", True),
        ("abab", False),  # undone
        ("abca", True),
        ("abcb", True),
        ("abac", False),  # a person had it recomputed
        ("abacb", True),
    ],
)
def test_a_day_is_rolled_back_while_an_earlier_run_answers_than_the_last_one_published(runs: str, back: bool):
    day, other = date(2017, 9, 14), date(2017, 9, 15)
    log = [Publication(day, seq, run, NOON) for seq, run in enumerate(runs, 1)]
    assert rolled_back([Publication(other, 1, "b", NOON), *reversed(log)]) == ({str(day)} if back else frozenset())


def test_a_recompute_refuses_days_of_which_posts_lie_under_another_topic(tmp_path: Path):
    table = archive(tmp_path, [row(0), row(1, day="2017-09-15"), row(0, topic="posts2"), row(1, topic="posts3")])
    require_one_topic(table, "posts", [date(2017, 9, 15)])
    with pytest.raises(BadInputError, match="other topics than posts: 2017-09-14 under posts2 and posts3"):
        require_one_topic(table, "posts", [date(2017, 9, 14), date(2017, 9, 15)])


def test_a_night_s_recompute_refuses_days_of_other_rules_though_they_were_the_same_when_it_chose_them():
    """The rules may be edited between, or while it runs and is tried again."""
    store = Store()
    first, last = store.publications(["2017-09", "2017-10"])[1], store.publications(["2017-09", "2017-10"])[-1]
    gone = store.publications(["2017-09", "2017-10"])[2]
    with patch.object(meaning, "version", lambda: "m"):
        require_same_rules(store, [first, gone, last])  # type: ignore[arg-type]
    words = "rules were changed since: 2017-09-14, 2017-10-01 would change .* Clear `pending`, which leaves them"
    with pytest.raises(BadInputError, match=words):
        require_same_rules(store, [first, gone, last])  # type: ignore[arg-type]


def test_what_a_recompute_counts_by_is_known_before_spark_starts(monkeypatch: pytest.MonkeyPatch):
    """Its workers read the rules when they start: were they edited in between, a run would name the newer ones."""
    told: list[str] = []
    monkeypatch.setattr(meaning, "version", lambda: told.append("meaning") or "m")
    monkeypatch.setattr(recompute, "Settings", MagicMock())
    monkeypatch.setattr(recompute, "connect", lambda *_: MagicMock())
    monkeypatch.setattr(recompute, "session", lambda *_, **__: told.append("session") or MagicMock())
    monkeypatch.setattr(recompute, "wake_workers", lambda _: told.append("workers"))
    monkeypatch.setattr(recompute, "recompute", lambda *_: None)
    assert recompute.main(["--days", "2017-09-14", "--attempt", "a"]) == 0
    assert told[:2] == ["meaning", "session"]


def test_only_more_than_the_limit_is_worth_a_recompute():
    assert over({"2017-09-16": 101, "2017-09-14": 100, "2017-09-13": 500}, 100) == ["2017-09-13", "2017-09-16"]
    assert over({"2017-09-14": 0, "2017-09-15": 1}, 0) == ["2017-09-15"]


def test_the_days_before_the_night_s_own_that_nobody_published_are_looked_into_as_far_back_as_live_rows_live():
    published = [date(2017, 9, 11), date(2017, 9, 14), date(2017, 9, 9)]
    assert unpublished(published, date(2017, 9, 14), 4) == [date(2017, 9, 10), date(2017, 9, 12), date(2017, 9, 13)]
    assert unpublished([], date(2017, 9, 14), 0) == []


def test_a_missed_day_is_taken_if_it_was_counted_live_and_has_not_failed_too_often():
    """Left out without a word is a day of which nothing came in on the day: it was never collected."""
    monday, tuesday, wednesday = (date(2017, 9, day) for day in (11, 12, 13))
    runs = {wednesday: MOST_RUNS - 1, tuesday: MOST_RUNS, monday: 0, date(2017, 9, 10): 0}
    held = {"2017-09-13", "2017-09-12", "2017-09-11", "2017-09-09"}
    assert missed(runs, held) == (["2017-09-11", "2017-09-13"], ["2017-09-12"])


def test_a_night_takes_missed_days_first_then_those_with_most_records_and_leaves_the_others():
    """A replay of years makes more days pending than Airflow maps tasks, or than Spark recomputes in a day."""
    assert tonight(["2017-09-12"], {"2017-09-11": (0, -101)}) == (["2017-09-11", "2017-09-12"], 0)
    never = [f"2017-09-{day:02}" for day in range(20, 0, -1)]
    late = {f"2016-09-{day:02}": (0, day - 200) for day in range(1, 31)} | {"2010-01-01": (0, -195)}
    days, left = tonight(never, late)
    most = ["2010-01-01", *(f"2016-09-{day:02}" for day in range(1, 10))]
    assert (days, left) == ([*most, *sorted(never)], 21)
    # a day that was tried in vain comes behind those that were not, however much is pending for it
    failing = late | {"2010-01-01": (3, -100_000)}
    assert tonight(never, failing)[0] == [*(f"2016-09-{day:02}" for day in range(1, 11)), *sorted(never)]
    never = [f"2017-{month:02}-{day:02}" for month in (9, 8) for day in range(1, 31)]
    assert tonight(never, late) == (sorted(never)[:MOST_DAYS], 61)


def test_a_recompute_takes_a_range_or_a_list_of_days():
    first, last = datetime(2017, 9, 14), datetime(2017, 9, 16)  # noqa: DTZ001 - as click reads them
    assert asked_days(first, last, "") == (date(2017, 9, 14), date(2017, 9, 15), date(2017, 9, 16))
    assert asked_days(None, None, "2017-09-16,2017-09-14,2017-09-16") == (date(2017, 9, 14), date(2017, 9, 16))


@pytest.mark.parametrize(
    ("first", "last", "listed", "words"),
    [
        (None, None, "", "give --from and --to, or --days"),
        (14, None, "", "give --from and --to, or --days"),
        (14, 15, "2017-09-14", "give --from and --to, or --days"),
        (None, None, "2017-09-14,", "--days 2017-09-14,: days like 2017-09-14,2017-09-16"),
        (15, 14, "", "--from 2017-09-15 lies after --to 2017-09-14: exchange them"),
    ],
)
def test_days_that_make_no_sense_are_refused(first: int | None, last: int | None, listed: str, words: str):
    given = [None if day is None else datetime(2017, 9, day) for day in (first, last)]  # noqa: DTZ001 - as click does
    with pytest.raises(BadInputError) as refused:
        asked_days(given[0], given[1], listed)
    assert str(refused.value) == words
