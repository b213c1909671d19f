"""The page of what a run changes, in a real browser: read, narrowed, and for everybody."""

import os
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from drinkstream.difference import Change, Move, Moved, Report, Row, Ruled, Said
from drinkstream.reconcile import Cause, CellName, Place
from drinkstream.store.session import connect
from drinkstream.store.write import Writer
from tests.browser.conftest import Open, Site
from tests.browser.rows import SAID_DAY, SAID_IDS
from tests.browser.test_access import FAINT, UNNAMED
from tests.browser.test_posts import IMAGES

PATH = f"/difference/{SAID_DAY}"
LATTE, GONE = SAID_IDS[0], SAID_IDS[3]


def cell(minute: int, category: str, brand: str) -> CellName:
    return (f"{SAID_DAY}T12", minute, category, brand, "x", "original", "en")


@pytest.fixture(scope="module", autouse=True)
def report(site: Site) -> None:
    """A run that awaits its approval: starbucks became a brand, and a coffee was deleted."""
    latte = frozenset(cell(2, *level) for level in (("*", "*"), ("*", "starbucks"), ("coffee", "starbucks")))
    gone = frozenset(cell(5, *level) for level in (("*", ""), ("coffee", "")))
    place = Place("c1", "posts", 0, 0)
    moved = [
        Moved(
            Move("x", LATTE, frozenset(), latte),
            *(Cause.MEANING_CHANGED, place, place, ()),
            *((Said("brands.starbucks", "coffee", "starbucks", 2, 11),), True, True),
        ),
        Moved(
            Move("x", GONE, gone, frozenset()),
            *(Cause.DELETED, Place("c1", "posts", 0, 3), None),
            *((Said("en.coffee", "coffee", None, 13, 19),), (), True, True),
        ),
    ]
    changed = [Change(one, 1, 0, (GONE,), ()) for one in sorted(gone)]
    changed += [Change(one, 0, 1, (), (LATTE,)) for one in sorted(latte)]
    causes = {str(why): 0 for why in Cause if why != Cause.SPEED_COULD_NOT_ANSWER}
    found = Report(
        *(SAID_DAY, "run-waiting", datetime(2026, 1, 2, 2, 31, tzinfo=UTC), "run-said", 1, "m1", "m2", 5, 2, 2),
        (
            Row(None, None, 5, 4, 5, 4),
            Row("coffee", None, 2, 1, 5, 4),
            Row("tea", None, 1, 1, 5, 4),
            Row(None, "starbucks", 0, 1, 0, 1),
            Row("coffee", "starbucks", 0, 1, 2, 1),
        ),
        {**causes, "meaning_changed": 1, "deleted": 1},
        (
            Ruled("deleted", ("en.coffee",), (), 1),
            Ruled("meaning_changed", (), ("brands.starbucks",), 1),
        ),
    )
    session = connect(site.settings, site.settings.writer_login())
    Writer(session).difference(found, changed, moved)
    session.cluster.shutdown()


def test_a_person_sees_what_would_change_why_and_by_which_word(open_page: Open) -> None:
    """The word of a deleted post is not shown; a cause opens its posts, a post opens why it counts."""
    page = open_page(PATH)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{SAID_DAY}: what a new run changes")
    rows = page.locator("table.changes tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [
        ["any drink", "5", "4", "-1", "", ""],
        ["coffee", "2", "1", "-1", "40.0%", "25.0%"],
        ["tea", "1", "1", "–", "20.0%", "25.0%"],
        ["starbucks", "0", "1", "+1", "–", "100.0%"],
        ["coffee with starbucks", "0", "1", "+1", "0.0%", "100.0%"],
    ]
    moved = page.locator("table.moved tbody tr")
    expect(moved.filter(has_text=LATTE).locator("q")).to_have_text("starbucks")
    assert moved.filter(has_text=GONE).locator("q").count() == 0
    page.get_by_role("link", name="deleted").click()
    expect(moved).to_have_count(1)
    page.get_by_role("link", name=f"x:{GONE}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"x:{GONE}")


@pytest.mark.parametrize("dark", [False, True])
def test_everybody_can_read_it(open_page: Open, dark: bool) -> None:
    page = open_page(PATH, dark=dark)
    assert page.evaluate(FAINT) == []
    assert page.evaluate(UNNAMED) == []
    assert page.locator("th:not([scope])").count() == 0
    phone = open_page(PATH, width=360, dark=dark)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_picture_of_it(open_page: Open) -> None:
    """The page is drawn; with SCREENSHOTS=1 the picture is kept in docs/images."""
    picture = open_page(PATH).screenshot(full_page=True)
    assert len(picture) > 20_000
    if os.environ.get("SCREENSHOTS"):
        (IMAGES / "difference.png").write_bytes(picture)
