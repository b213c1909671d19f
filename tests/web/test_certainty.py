"""How certain a share is: its interval, the low base, and its change since the days before."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from drinkstream.interval import difference, wilson
from drinkstream.merge import Publication
from drinkstream.store.read import Run
from tests.web.conftest import Store, Web, post
from tests.web.test_page import rows, text

DAY = "from=2017-09-14&to=2017-09-14"


def crowd(day: str, first: int, **drinks: int) -> list:
    """So many posts about each drink, at one minute of a day."""
    names = [name for name, n in drinks.items() for _ in range(n)]
    made = [post(f"{day}T08:01", str(first + at), "x", "original", "en", (name, None)) for at, name in enumerate(names)]
    return [cell for cells in made for cell in cells]


def certain(answer: dict) -> list[tuple]:
    names = ("category", "share", "interval", "change", "change_interval", "within_noise")
    return [tuple(row[name] for name in names) for row in answer["shares"]]


def test_each_share_has_its_interval_and_a_low_base_is_said(web: Web) -> None:
    answer = web.get(f"share?{DAY}")
    assert (answer["confidence"], answer["low_base"]) == (0.95, True)
    assert [row["interval"] for row in answer["shares"]] == [list(wilson(2, 3)), list(wilson(2, 3))]


def test_the_change_is_against_as_many_days_right_before(web: Web, store: Store) -> None:
    """A share that chance may have moved is within noise; one that it hardly may is not. The page says both."""
    store.runs["run-1"] = crowd("2017-09-14", 1000, coffee=110, tea=90)
    store.lives["e1"] = crowd("2017-09-15", 2000, coffee=118, tea=82, milk=60)
    answer = web.get("share?from=2017-09-15&to=2017-09-15")
    before = {"from": "2017-09-14", "to": "2017-09-14", "total": 200, "reason": None}
    assert (answer["before"], answer["low_base"]) == (before, False)
    coffee, tea, milk = (difference(n, 260, before, 200) for n, before in ((118, 110), (82, 90), (60, 0)))
    assert certain(answer) == [
        ("coffee", 118 / 260, list(wilson(118, 260)), 118 / 260 - 0.55, list(coffee), False),
        ("tea", 82 / 260, list(wilson(82, 260)), 82 / 260 - 0.45, list(tea), False),
        ("milk", 60 / 260, list(wilson(60, 260)), 60 / 260, list(milk), False),
    ]
    page = web.client.get("/?from=2017-09-15&to=2017-09-15").text
    assert rows(page, "category")[0] == "coffee 118 45.4% of 260 39.4–51.5% -9.6 45.4% of 260"
    assert "low base" not in text(page.split("<caption>")[1].split("</caption>")[0])


def test_what_chance_may_have_moved_is_called_noise(web: Web, store: Store) -> None:
    store.runs["run-1"] = crowd("2017-09-14", 1000, coffee=110, tea=90)
    store.lives["e1"] = crowd("2017-09-15", 2000, coffee=10, tea=10)
    answer = web.get("share?from=2017-09-15&to=2017-09-15")
    assert [(row["change"], row["within_noise"]) for row in answer["shares"]] == [
        (0.5 - 0.55, True),
        (0.5 - 0.45, True),
    ]
    page = web.client.get("/?from=2017-09-15&to=2017-09-15").text
    assert rows(page, "category")[0] == "coffee 10 50.0% of 20 29.9–70.1% -5.0 noise 50.0% of 20"
    assert "low base" in text(page.split("<caption>")[1].split("</caption>")[0])
    lines = web.client.get("/api/v1/share?from=2017-09-15&to=2017-09-15&format=csv").text.splitlines()
    assert lines[0].endswith(",low,high,low_base,change,change_low,change_high,within_noise,covered")
    low, high = wilson(10, 20)
    fell = difference(10, 20, 110, 200)
    assert lines[1].endswith(f",{low},{high},yes,{0.5 - 0.55},{fell.low},{fell.high},yes,")


def counted_by(monkeypatch: pytest.MonkeyPatch, store: Store, meanings: dict[str, str]) -> None:
    """Lets other meaning versions than m1 have counted runs. The view keeps what it read of a run."""
    told = store.run

    def run(day: date, run_id: str) -> Run | None:
        found = told(day, run_id)
        return found and replace(found, meaning=meanings.get(run_id, found.meaning))

    monkeypatch.setattr(store, "run", run)


def test_days_that_other_rules_counted_are_not_compared(
    web: Web, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word that the rules learnt between the two would look like a drink that everybody took to."""
    store.runs["run-1"] = crowd("2017-09-14", 1000, coffee=110, tea=90)
    store.lives["e1"] = crowd("2017-09-15", 2000, coffee=118, tea=82, milk=60)
    counted_by(monkeypatch, store, {"run-1": "m0"})
    answer = web.get("share?from=2017-09-15&to=2017-09-15")
    assert answer["before"] == {
        "from": "2017-09-14",
        "to": "2017-09-14",
        "total": 200,
        "reason": "counted by other rules",
    }
    assert [one[1:] for one in certain(answer)] == [
        (n / 260, list(wilson(n, 260)), None, None, None) for n in (118, 82, 60)
    ]
    page = web.client.get("/?from=2017-09-15&to=2017-09-15").text
    assert rows(page, "category")[0] == "coffee 118 45.4% of 260 39.4–51.5% 45.4% of 260"
    assert "Not compared with 2017-09-14: counted by other rules." in text(page)
    lines = web.client.get("/api/v1/share?from=2017-09-15&to=2017-09-15&format=csv").text.splitlines()
    assert lines[1].endswith(",no,,,,,")


@pytest.mark.parametrize(
    ("meanings", "gone", "reason"),
    [
        ({}, set(), None),
        ({"run-11": "m0", "run-13": "m0"}, set(), "counted by other rules"),
        ({"run-11": "m0", "run-12": "m0"}, set(), "counted by other rules"),
        ({"run-1": "m2"}, set(), "counted by other rules"),
        ({}, {"run-12"}, "by which rules it was counted is not known any more"),
    ],
)
def test_periods_are_compared_where_one_meaning_counted_all_of_both(
    web: Web,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    meanings: dict[str, str],
    gone: set[str],
    reason: str | None,
) -> None:
    """Not even where the same several did: which rules counted how much of each is another matter."""
    for day in (11, 12, 13):
        store.log.append(Publication(date(2017, 9, day), 1, f"run-{day}", datetime(2017, 9, 15, 2, tzinfo=UTC)))
        store.runs[f"run-{day}"] = crowd(f"2017-09-{day}", 1000 * day, coffee=100, tea=100)
    store.runs["run-1"] = crowd("2017-09-14", 20_000, coffee=150, tea=50)
    store.gone = gone
    counted_by(monkeypatch, store, meanings)
    web.view.look()
    answer = web.get("share?from=2017-09-13&to=2017-09-14")
    assert answer["before"] == {"from": "2017-09-11", "to": "2017-09-12", "total": 400, "reason": reason}
    changes = {row["category"]: row["change"] for row in answer["shares"]}  # type: ignore[attr-defined]
    assert changes == ({"coffee": 0.125, "tea": -0.125} if reason is None else {"coffee": None, "tea": None})


def test_a_missing_day_in_the_range_or_before_it_leaves_no_change(web: Web, store: Store) -> None:
    """Nor do days before the calendar begins."""
    for question in ("from=2017-09-15&to=2017-09-16", "from=2017-09-17&to=2017-09-17", "from=0001-01-01&to=0001-01-02"):
        answer = web.get(f"share?{question}")
        assert answer["before"] is None
        assert all(row["change"] is None and row["within_noise"] is None for row in answer["shares"])
    store.rows[0] = replace(store.rows[0], status="building")
    web.view.look()
    assert web.get(f"share?{DAY}")["before"] is None


def test_no_posts_before_are_no_share_to_compare_with(web: Web) -> None:
    answer = web.get(f"share?{DAY}")
    assert answer["before"] is None
    assert certain(answer)[0][3:] == (None, None, None)
