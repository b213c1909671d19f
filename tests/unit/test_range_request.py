"""The form of a range recompute: what it becomes, and every way in which it is refused."""

from datetime import date

import pytest

from drinkstream.errors import BadInputError
from drinkstream.range_request import RangeRequest

TODAY = date(2026, 3, 2)


def form(**fields: object) -> dict[str, object]:
    fields = {"from_": "2026-02-01", "to": "2026-02-03", "reason": "new taxonomy", "dry_run": False} | fields
    return {name.rstrip("_"): value for name, value in fields.items()}


def test_a_form_becomes_days_a_reason_and_a_choice():
    request = RangeRequest.from_form(form(reason="  new\n taxonomy ", dry_run=True), TODAY)
    assert request == RangeRequest(date(2026, 2, 1), date(2026, 2, 3), "new taxonomy", True)
    assert request.days == 3
    assert request.as_text() == {
        "first": "2026-02-01",
        "last": "2026-02-03",
        "reason": "new taxonomy",
        "dry_run": True,
    }


def test_one_day_is_a_range_and_yesterday_is_the_last_one():
    request = RangeRequest.from_form(form(from_="2026-03-01", to="2026-03-01"), TODAY)
    assert request == RangeRequest(date(2026, 3, 1), date(2026, 3, 1), "new taxonomy", False)
    assert request.days == 1


def test_without_a_word_on_it_a_run_is_no_dry_run():
    request = RangeRequest.from_form({"from": "2026-02-01", "to": "2026-02-01", "reason": "x"}, TODAY)
    assert request == RangeRequest(date(2026, 2, 1), date(2026, 2, 1), "x", False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (form(from_="2026-02-04"), "from 2026-02-04 lies after to 2026-02-03: exchange them"),
        (form(from_="2006-02-04"), "2006-02-04 to 2026-02-03 are 7305 days: ask for 366 at most at a time"),
        (
            form(from_="2005-12-31", to="2006-01-01"),
            "from 2005-12-31: there are no posts before 2006-01-01",
        ),
        (
            form(to="2026-03-02"),
            "to 2026-03-02: that day has not ended (UTC); the last one that has is 2026-03-01",
        ),
        (form(from_="2026-02-30"), "from: '2026-02-30' is not a day like 2017-09-14"),
        (form(from_="20260201"), "from: '20260201' is not a day like 2017-09-14"),
        (form(from_="2026-W05-1"), "from: '2026-W05-1' is not a day like 2017-09-14"),
        (form(to=None), "to: None is not a day like 2017-09-14"),
        (form(to=20260201), "to: 20260201 is not a day like 2017-09-14"),
        (form(reason="  "), "reason: say why; it is stored with the publication of each day"),
        (form(reason="x" * 501), "reason: 501 characters are too many, 500 are allowed"),
        (form(dry_run="no"), "dry_run: 'no' is neither true nor false"),
        (form(too="2026-02-03"), "too: there is no such field"),
        (
            {},
            "from: None is not a day like 2017-09-14; to: None is not a day like 2017-09-14; "
            "reason: say why; it is stored with the publication of each day",
        ),
    ],
)
def test_every_fault_of_a_form_is_named(given: dict[str, object], message: str):
    with pytest.raises(BadInputError) as refused:
        RangeRequest.from_form(given, TODAY)
    assert str(refused.value) == message
