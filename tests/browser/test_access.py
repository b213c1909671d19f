"""The dashboard for everybody: by keyboard, by screen reader, on a phone, in the dark."""

from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.rows import SAID_DAY, SAID_IDS
from tests.browser.test_dashboard import settled

# Each text that a reader sees, whose contrast with what lies behind it is below what WCAG 2.2 AA asks for:
# 4.5, or 3 for large text.
FAINT = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
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
    const [a, b] = [light(rgb(style.color)), light(behind(node))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) faint.push(walker.currentNode.data.trim());
  }
  return faint;
}"""

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


def test_the_focus_stays_where_it_is_while_numbers_move(open_page: Open, site) -> None:
    page = settled(open_page("/"))
    name = page.locator("#categories").get_by_role("link", name="coffee", exact=True)
    name.focus()
    total = page.locator("#total").inner_text()
    site.rows.now(3)
    expect(page.locator("#total")).not_to_have_text(total, timeout=15_000)
    expect(name).to_be_focused()


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_scrolls_in_one_direction_only(open_page: Open, path: str) -> None:
    page: Page = open_page(path, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_chart_has_a_table(open_page: Open) -> None:
    page = settled(open_page("/"))
    page.get_by_text("Trend as a table").click()
    expect(page.locator("#trend-table table")).to_be_visible()
    assert page.locator("#trend-table tbody tr").count() == 30
    assert page.locator("table.drinks").count() == 2
