"""How a report reads: whole in a log, and in a form with what a person needs to decide, the rest behind a link."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from drinkstream.difference import Move, Moved, Report, Row, Ruled, Said
from drinkstream.difference_text import FORM, LOG, form, in_full
from drinkstream.reconcile import Cause

DAY = date(2017, 9, 14)
AT = datetime(2017, 9, 20, 2, 31, tzinfo=UTC)
REPORT = Report(
    *(DAY, "run-2", AT, "run-1", 1, "m1", "m2", 33, 12, 12),
    (
        Row(None, None, 1200, 1190, 1200, 1190),
        Row("soda", None, 0, 10, 1200, 1190),
        Row("tea", None, 400, 399, 1200, 1190),
        Row("milk", None, 6, 6, 1200, 1190),
        Row("beer", None, 500, 500, 1200, 1190),
        Row("soda", "pepsi", 0, 10, 0, 10),
    ),
    {"meaning_changed": 10, "deleted": 2},
    (Ruled("meaning_changed", (), ("brands.pepsi",), 10), Ruled("deleted", ("unknown",), (), 2)),
)
MOVED = [
    Moved(
        Move("x", str(n), frozenset(), frozenset()),
        *(Cause.MEANING_CHANGED, None, None, (), (Said("brands.pepsi", "soda", "pepsi", 0, 5),), True, True),
    )
    for n in range(10)
]
FIRST = replace(REPORT, day=DAY - timedelta(days=1), seq=0, old_run="", moved=0, cells=0, explained=0, rules=())


def test_a_day_in_full():
    """The largest changes first; what only divides by another number is counted."""
    assert in_full(REPORT, MOVED) == (
        "### 2017-09-14\n\n"
        "Run run-2 (meaning m2) against publication 1, run run-1 (meaning m1, other rules): "
        "12 posts moved in 33 cells.\n\n"
        "| posts without reposts of | old | new | change | old share | new share |\n"
        "|---|--:|--:|--:|--:|--:|\n"
        "| any drink | 1,200 | 1,190 | -10 |  |  |\n"
        "| soda | 0 | 10 | +10 | 0.0% | 0.8% |\n"
        "| soda with pepsi | 0 | 10 | +10 | – | 100.0% |\n"
        "| tea | 400 | 399 | -1 | 33.3% | 33.5% |\n\n"
        "1 other share moved with what they divide by.\n\n"
        "| posts | why | counted by | counts by | such as |\n"
        "|--:|---|---|---|---|\n"
        "| 10 | meaning changed | – | brands.pepsi | x:0, x:1, x:2 |\n"
        "| 2 | deleted | unknown | – |  |"
    )


def test_a_share_reads_as_it_does_on_the_page():
    """Half of the last place goes up: 1 of 16 is 6.25 %."""
    rows = (Row(None, None, 16, 16, 16, 16), Row("tea", None, 1, 3, 16, 16))
    assert "| tea | 1 | 3 | +2 | 6.3% | 18.8% |" in in_full(replace(REPORT, rows=rows), ())


def test_what_is_left_out_of_a_table_is_counted():
    assert "\n\n(2 more rows)\n\n" in in_full(REPORT, MOVED, replace(LOG, rows=2))


def test_only_some_looked_up_and_a_fault_are_said_first():
    report = replace(REPORT, moved=9000, explained=2000, causes={"unexplained": 7})
    first = in_full(report, MOVED).splitlines()[2]
    assert first.endswith(
        "9,000 posts moved in 33 cells, of which 2,000 of every kind were looked up; "
        "**nothing explains 7 of them: a fault, do not approve before it is looked into**."
    )


def test_reposts_that_move_change_no_count():
    text = in_full(replace(REPORT, rows=(Row(None, None, 9, 9, 9, 9),)), MOVED)
    assert "No count without reposts changes." in text
    assert "| old |" not in text


def test_a_first_run_has_only_its_number():
    assert in_full(FIRST, ()) == "### 2017-09-13\n\nNever published: run run-2 would be its first, 1,190 posts."


def test_a_form_shows_the_days_that_change_and_names_the_others():
    same = replace(REPORT, day=date(2017, 9, 15), moved=0)
    text = form([(FIRST, ()), (REPORT, MOVED), (same, ())], "http://web")
    head, rest = text.split("\n\n", 1)
    assert head == (
        "**2 days published before would change for everybody: 12 posts moved.** 1 day would be published for the "
        "first time."
    )
    assert rest == in_full(REPORT, MOVED, FORM, "http://web") + "\n\nNo post moves on 2017-09-15."
    assert "http://web/difference/2017-09-14?run=run-2" in rest


def test_a_form_names_the_days_that_an_approval_no_longer_publishes():
    text = form([(FIRST, ())], "http://web", ["2017-09-14", "2017-09-20"], ["2017-09-21"])
    assert text.endswith(
        "\n\nNot published by this: 2017-09-14, 2017-09-20. Another run came into force, and this one was dropped."
        "\n\nNot published by this: 2017-09-21. Another run came into force since this one began."
    )


def test_a_form_names_the_days_that_the_audit_left_to_who_approves():
    text = form([(FIRST, ())], "http://web", asks={"2017-09-13": "batch counts 400 posts, the speed layer 1000"})
    assert text == (
        "**0 days published before would change for everybody: 0 posts moved.** 1 day would be published for the first "
        "time.\n\n**2017-09-13 is beyond the audit's bounds: batch counts 400 posts, the speed layer 1000. Approve it "
        "only if you know which of them is right.**"
    )


def test_a_form_of_a_year_stays_short():
    """A week in full, a line and a link for each of the others."""
    year = [(replace(REPORT, day=date(2017, 1, 1) + timedelta(days=n)), MOVED) for n in range(365)]
    lines = form(year, "http://web").splitlines()
    assert sum(line.startswith("### ") for line in lines) == FORM.days
    links = [line for line in lines if line.startswith("- [")]
    assert len(links) == 365 - FORM.days
    assert links[0] == "- [2017-01-08](http://web/difference/2017-01-08?run=run-2): 12 posts moved in 33 cells"
