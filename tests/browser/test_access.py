"""The dashboard for everybody: by keyboard, by screen reader, on a phone, in the dark."""

from datetime import timedelta
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Site
from tests.browser.rows import SAID_DAY, SAID_IDS
from tests.browser.test_dashboard import settled
from tests.lib.programs import until

CONTRAST = """
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (one, other) => {
    const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
"""

# Each text that a reader sees, whose contrast with what lies behind it is below what WCAG 2.2 AA asks for:
# 4.5, or 3 for large text.
FAINT = (
    f"""() => {{{CONTRAST}"""
    + """
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest('svg, canvas, script')) continue;
    const style = getComputedStyle(node);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast(rgb(style.color), behind(node)) < (large ? 3 : 4.5)) faint.push(walker.currentNode.data.trim());
  }
  return faint;
}"""
)

# Each colour of a line, slice or bar whose contrast with its card is below 3, which WCAG 2.2 AA asks of what is drawn
# (1.4.11): those of the categories and of brands, those of the layers, and the outline of a missing day.
PALE = (
    f"""() => {{{CONTRAST}"""
    + """
  const probe = document.body.appendChild(document.createElement('i'));
  const painted = colour => { probe.style.color = colour; return rgb(getComputedStyle(probe).color); };
  const root = getComputedStyle(document.documentElement);
  const drinks = [...document.querySelectorAll('[name=category] option')].map(one => one.value).filter(Boolean);
  const names = [...drinks, ...[...Array(10).keys()].map(n => `o${n}`), 'batch', 'speed', 'missing', 'accent'];
  const colours = Object.fromEntries(names.map(name => [name, root.getPropertyValue(`--${name}`)]));
  const missing = getComputedStyle(document.querySelector('rect.missing'));
  colours['missing day'] = missing.strokeOpacity === '1' ? missing.stroke : 'none';
  const pale = Object.entries(colours)
    .filter(([, colour]) => !colour || colour === 'none' || contrast(painted(colour), painted('var(--card)')) < 3);
  probe.remove();
  return pale;
}"""
)

UNNAMED = """() => [...document.querySelectorAll('a, button, input, select, summary, [role=img], img')]
  .filter(node => node.checkVisibility() && node.type !== 'hidden')
  .filter(node => !(node.getAttribute('aria-label') || node.labels?.length || node.textContent.trim() || node.title
    || node.hasAttribute('alt') || node.querySelector('title')))
  .map(node => node.outerHTML)"""


PAGES = [
    "/",
    "/posts?category=coffee&limit=10",
    f"/posts?from={SAID_DAY}&to={SAID_DAY}",
    f"/why/x:{SAID_IDS[0]}",
    f"/why/x:{SAID_IDS[3]}",
]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read(open_page: Open, path: str, dark: bool) -> None:
    page = open_page(path, dark=dark)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    assert page.evaluate(FAINT) == []


@pytest.mark.parametrize("dark", [False, True])
def test_what_is_drawn_can_be_seen(open_page: Open, dark: bool) -> None:
    assert open_page("/", dark=dark).evaluate(PALE) == []


@pytest.mark.parametrize("path", PAGES)
def test_everything_has_a_name_and_a_place(open_page: Open, path: str) -> None:
    page = open_page(path)
    assert page.evaluate(UNNAMED) == []
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("main").count() == 1
    assert page.locator("h1").count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(node => Number(node.tagName[1]))")
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(node => node.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("th:not([scope])").count() == 0


def test_the_keyboard_reaches_the_numbers_first(open_page: Open) -> None:
    """The first stop skips to the numbers; each stop can be seen."""
    page = settled(open_page("/"))
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the numbers")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


STOPS = [
    "#categories [data-value=coffee] th a",
    "#total a",
    "#days summary",
    "table.days tr:last-child td.num a",
    "#trend-table tbody tr:first-child td:last-child a",
    "#now-table tbody tr:first-child td:last-child a",
]
"""Where the keyboard may stand when a post about coffee of this minute is counted."""


@pytest.mark.parametrize("stop", STOPS)
def test_the_focus_stays_where_it_is_while_numbers_move(open_page: Open, site: Site, stop: str) -> None:
    """On the same link of the new numbers, in a table that stays open."""
    page = settled(open_page("/"))
    for name in ("Trend as a table", "Last hour as a table", "Days as a table"):
        page.get_by_text(name).click()
    page.locator(stop).focus()
    key = page.evaluate("document.activeElement.dataset.key")
    page.evaluate("document.activeElement.was = true")
    site.rows.now(3)
    until(lambda: page.evaluate("!document.activeElement.was"), 15)
    assert (page.evaluate("document.activeElement.dataset.key"), bool(key)) == (key, True)
    expect(page.locator(f"[data-key='{key}']")).to_be_focused()


def test_a_table_whose_numbers_are_the_same_is_left_alone(open_page: Open, site: Site) -> None:
    """How far the live numbers reach moves with every look; while no number of the trend does, its table stays."""
    today = site.rows.today
    page = settled(open_page(f"/?from={today - timedelta(days=1)}&to={today}&grain=day&source=demo"))
    page.evaluate("document.querySelector('#trend-table table').was = true")
    for _ in range(2):  # what the first look brought is drawn before the second
        looked = page.locator("#now-updated").inner_text()
        site.rows.now(1)
        expect(page.locator("#now-updated")).not_to_have_text(looked)
    assert page.evaluate("document.querySelector('#trend-table table').was")


def test_a_table_that_is_read_stays_where_it_was_scrolled_to(open_page: Open, site: Site) -> None:
    """While its own numbers move it is put in anew, and where only others do it is left alone, open as it is."""
    today = site.rows.today
    page = settled(open_page(f"/?from={today}&to={today}", width=360))
    page.get_by_text("Days as a table").click()
    page.evaluate("document.querySelector('#days .scroll').scrollLeft = 200")
    count = page.locator("table.days td.num a").first
    before = count.inner_text()
    site.rows.now(1)
    expect(count).not_to_have_text(before)
    assert page.evaluate("document.querySelector('#days .scroll').scrollLeft") == 200
    day = today - timedelta(days=3)
    page = settled(open_page(f"/?from={day}&to={day}", width=360))
    page.get_by_text("Days as a table").click()
    page.evaluate("document.querySelector('#days table').was = true")
    for _ in range(2):  # what the first look brought is put in before the second
        looked = page.locator("#now-updated").inner_text()
        site.rows.now(1)
        expect(page.locator("#now-updated")).not_to_have_text(looked)
    assert page.evaluate("document.querySelector('#days table').was")


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_scrolls_in_one_direction_only(open_page: Open, path: str) -> None:
    page: Page = open_page(path, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_chart_has_a_table(open_page: Open) -> None:
    page = settled(open_page("/"))
    for name, table, rows in (("Trend as a table", "#trend-table", 30), ("Last hour as a table", "#now-table", 60)):
        page.get_by_text(name).click()
        expect(page.locator(f"{table} table")).to_be_visible()
        assert page.locator(f"{table} tbody tr").count() == rows
    assert page.locator("table.drinks").count() == 2
    assert page.locator("[role=img]").count() == 4  # these two, the pie and the strip of days
    expect(page.locator("table.days tbody tr")).to_have_count(30)
