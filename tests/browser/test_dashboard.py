"""The dashboard in a browser: what it shows is what the API says, and it moves by itself."""

import json
import math
import os
import re
import urllib.request
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Page, expect

from drinkstream.bundle import unpack
from drinkstream.cells import levels
from tests.browser.conftest import CHROMIUM, Open, Site
from tests.browser.rows import SAID_DAY, Cells
from tests.lib.programs import until

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def test_there_is_a_browser() -> None:
    """One failure that names what is missing, instead of one for each test of this folder."""
    assert CHROMIUM is not None, (
        "no Chromium: install it with `apt-get install --no-install-recommends chromium`, "
        "or leave these tests out knowingly with `make test ARGS=--ignore=tests/browser`"
    )


def api(site: Site, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{site.url}/api/v1/{path}", timeout=30) as response:  # noqa: S310 - our own server
        return json.load(response)


DRAWN = """() => ['pie', 'now', 'trend'].every(
  id => window.echarts?.getInstanceByDom(document.getElementById(id))?.getOption()?.series?.length)"""

LISTED = "main ol[aria-label=Posts] li > a:first-child"

SINCE = """(since) => echarts.getInstanceByDom(document.getElementById('now')).getOption().series
  .find(one => one.name === 'coffee').data.reduce((sum, [at, n]) => sum + (at < since ? 0 : n), 0)"""


def settled(page: Page) -> Page:
    """The page once its charts are drawn."""
    # asked again and again from here: a condition that waits inside the page would need what its policy forbids
    until(lambda: page.evaluate(DRAWN), 30)
    return page


def option(page: Page, chart: str) -> dict[str, Any]:
    """What a chart was told to draw."""
    return page.evaluate(f"echarts.getInstanceByDom(document.getElementById('{chart}')).getOption()")


def lines(page: Page, chart: str) -> dict[str, list]:
    return {one["name"]: [n for _, n in one["data"]] for one in option(page, chart)["series"]}


def shown(page: Page, by: str) -> list[tuple[str, str, str, str]]:
    """The rows of a table of drinks: name, posts, share and mix, each percentage with its denominator."""
    rows = page.locator(f"table.drinks[data-by={by}] tbody tr").all()
    return [tuple(" ".join(cell.inner_text().split()) for cell in row.locator("th, td").all()) for row in rows]


def percent(part: float) -> str:
    """A share as it is shown everywhere."""
    return f"{math.floor(part * 1000 + 0.5) / 10:.1f}%"


def certain(row: dict[str, Any]) -> str:
    """What stands below a share: its interval and, where the days before can be answered, its change."""
    low, high = map(percent, row["interval"])
    said = f"{low.removesuffix('%')}–{high}"
    if row["change"] is None:
        return said
    return f"{said} {row['change'] * 100:+.1f}{' noise' if row['within_noise'] else ''}"


def expected(answer: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (
            row[answer["by"]],
            f"{row['n']:,}",
            f"{percent(row['share'])} of {answer['total']:,} {certain(row)}",
            f"{percent(row['mix'])} of {answer['mix_total']:,}",
        )
        for row in answer["shares"]
    ]


def settled_range(site: Site) -> str:
    """Published days only, so that no number moves while it is compared; the same ones once midnight has passed."""
    first, last = (site.rows.today - timedelta(days=back) for back in (29, 2))
    return f"from={first}&to={last}"


def test_the_numbers_on_the_page_are_the_api_s(site: Site, open_page: Open) -> None:
    """Every count, share and mix of both tables, each with its denominator, and what counts is said."""
    question = settled_range(site)
    page = settled(open_page(f"/?{question}"))
    categories, brands = api(site, f"share?{question}"), api(site, f"share?{question}&by=brand")
    assert len(categories["shares"]) == 10
    assert len(brands["shares"]) == 13
    assert shown(page, "category") == expected(categories)
    assert shown(page, "brand") == expected(brands)
    assert page.locator("#total").inner_text() == f"{categories['total']:,}"
    expect(page.get_by_text("reposts excluded").first).to_be_visible()
    expect(page.get_by_text("All days, hours and minutes are UTC.")).to_be_visible()


def test_the_pie_is_the_mix(site: Site, open_page: Open) -> None:
    question = settled_range(site)
    page = settled(open_page(f"/?{question}"))
    slices = option(page, "pie")["series"][0]["data"]
    assert [(one["name"], one["value"]) for one in slices] == [
        (row["category"], row["n"]) for row in api(site, f"share?{question}")["shares"]
    ]
    assert len({one["itemStyle"]["color"] for one in slices}) == 10
    expect(page.locator("#pie canvas")).to_be_visible()


def sixteen(site: Site) -> str:
    """The question of a day that is published with 16 posts, of which one is about tea and the others about coffee."""
    cells: Cells = {}
    for number in range(16):
        for level in levels([("tea" if number == 0 else "coffee", None)]):
            cells.setdefault((480, "x", level, "original", "en"), set()).add(str(10**17 + number))
    question = "from=2017-08-01&to=2017-08-01"
    if api(site, f"share?{question}")["total"] != 16:
        site.rows.publish(date(2017, 8, 1), "run-sixteen", cells)
        until(lambda: api(site, f"share?{question}")["total"] == 16, 15)
    return question


def test_a_percentage_reads_the_same_in_the_table_the_trend_and_the_pie(site: Site, open_page: Open) -> None:
    """1 of 16 is 6.25 %: it would be rounded up here and down there."""
    page = settled(open_page(f"/?{sixteen(site)}&grain=day"))
    name, n, share, mix = shown(page, "category")[1]
    assert (name, n, share.split()[0], mix.split()[0]) == ("tea", "1", "6.3%", "6.3%")
    page.get_by_text("Trend as a table").click()
    page.locator("[data-measure=share]").click()
    expect(page.locator("[data-key='2017-08-01 tea']")).to_have_text("6.3%")
    pie, trend = (
        f"echarts.getInstanceByDom(document.getElementById('{name}')).getOption()" for name in ("pie", "trend")
    )
    hit = "{name: 'tea', value: 1, percent: 6.25}"
    assert page.evaluate(f"{pie}.series[0].label.formatter({hit})") == "tea 6.3%"
    assert page.evaluate(f"{pie}.tooltip[0].formatter({hit})") == "tea: 1 posts\n6.3% of the mix"
    assert "tea: 1 (6.3% of 16)" in page.evaluate(f"{trend}.tooltip[0].formatter([{{dataIndex: 0}}])")


def test_the_axis_of_shares_has_a_label_for_each_tick(site: Site, open_page: Open) -> None:
    """With as many decimals as it needs: of small shares two ticks had the same."""
    page = settled(open_page(f"/?{settled_range(site)}&grain=day"))
    label = "echarts.getInstanceByDom(document.getElementById('trend')).getOption().yAxis[0].axisLabel.formatter"
    page.locator("[data-measure=share]").click()
    expect(page.locator("[data-measure=share]")).to_have_attribute("aria-pressed", "true")
    labels = page.evaluate(f"[0, 0.0025, 0.005, 0.01, 0.07, 1].map({label})")
    assert labels == ["0%", "0.25%", "0.5%", "1%", "7%", "100%"]


def test_with_one_drink_chosen_the_pie_is_still_of_the_whole_mix(site: Site, open_page: Open) -> None:
    """The others are one slice, and nothing is said to lead that was merely picked."""
    question = settled_range(site)
    page = settled(open_page(f"/?{question}&category=water"))
    answer = api(site, f"share?{question}&category=water")
    water = answer["shares"][0]["n"]
    slices = [(one["name"], one["value"]) for one in option(page, "pie")["series"][0]["data"]]
    assert slices == [("water", water), ("all others", answer["mix_total"] - water)]
    expect(page.get_by_text("leads with")).to_have_count(0)
    none = open_page(f"/?from={SAID_DAY}&to={SAID_DAY}&category=milk")
    until(
        lambda: none.evaluate("echarts.getInstanceByDom(document.getElementById('pie'))?.getOption()?.series.length"),
        30,
    )
    assert [(one["name"], one["value"]) for one in option(none, "pie")["series"][0]["data"]] == [("all others", 5)]


def test_a_line_that_was_hidden_stays_hidden_while_numbers_move(site: Site, open_page: Open) -> None:
    """Each answer draws the lines anew."""
    page = settled(open_page(f"/?{settled_range(site)}&grain=day"))
    chart = "window.echarts.getInstanceByDom(document.getElementById('trend'))"
    page.evaluate(f"{chart}.dispatchAction({{type: 'legendUnSelect', name: 'coffee'}})")
    page.locator("[data-measure=share]").click()
    expect(page.locator("[data-measure=share]")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(f"{chart}.getOption().legend[0].selected.coffee") is False
    page.locator("[data-key=category-coffee]").click()
    until(lambda: page.evaluate(f"{chart}.getOption().series.length") == 1, 30)
    assert page.evaluate(f"{chart}.getOption().legend[0].selected.coffee") is not False


def test_the_trend_shows_a_hole_as_a_hole(site: Site, open_page: Open) -> None:
    """The missing days are null in every line, no line crosses them, and the page says which they are."""
    question = settled_range(site)
    page = settled(open_page(f"/?{question}&grain=day"))
    answer = api(site, f"trend?{question}&grain=day")
    missing = [str(day) for day in site.rows.missing]
    assert [
        period for period, total in zip(answer["periods"], answer["totals"], strict=True) if total is None
    ] == missing
    assert lines(page, "trend") == {one["category"]: one["n"] for one in answer["series"]}
    assert {one["connectNulls"] for one in option(page, "trend")["series"]} == {False}
    assert [rect.get_attribute("data-day") for rect in page.locator(".strip rect.missing").all()] == missing
    expect(page.get_by_text("2 of 28 days are missing: no layer can answer for them")).to_be_visible()
    page.get_by_text("Days as a table").click()
    row = page.locator("table.days tr.missing").first
    assert row.inner_text().split("\t")[:3] == [missing[0], " missing", "–"]


def test_the_days_say_how_much_of_them_was_covered_and_the_answer_comes_with_its_evidence(
    site: Site, open_page: Open
) -> None:
    """What a feed told, or that nobody knows; the button hands out the bundle of what is shown."""
    page = settled(open_page(f"/?{settled_range(site)}&grain=day"))
    page.get_by_text("Days as a table").click()
    covered = [row.inner_text().split("\t")[4] for row in page.locator("table.days tbody tr").all()]
    assert set(covered[:17]) == {"75.0%"}
    assert set(covered[17:]) == {"unknown"}
    expect(page.locator("#coverage")).to_have_text(
        re.compile(r"feeds connected 75\.0% of the time, not known of \d+ days")
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="Evidence bundle").click()
    parts = unpack(download.value.path().read_bytes())
    expected_answer = api(site, f"share?{settled_range(site)}")
    assert json.loads(parts["answer.json"])["shares"] == expected_answer["shares"]


def test_new_posts_appear_without_a_reload(site: Site, open_page: Open) -> None:
    """The counts, the line of this hour and the moment of the last look move by themselves."""
    today = datetime.now(UTC).date()
    page = settled(open_page(f"/?from={today}&to={today}&category=coffee"))
    page.evaluate("window.mark = 'not reloaded'")
    count = page.locator("tr[data-value=coffee] td.num a").first
    # from this minute on: the oldest minute of the line leaves it as soon as a new one begins
    since = datetime.now(UTC).replace(second=0, microsecond=0).timestamp() * 1000
    before, line = int(count.inner_text().replace(",", "")), page.evaluate(SINCE, since)
    site.rows.now(4)
    expect(count).to_have_text(f"{before + 4:,}")
    until(lambda: page.evaluate(SINCE, since) == line + 4, 15)
    assert page.evaluate("window.mark") == "not reloaded"
    expect(page.locator("#live")).to_contain_text("live")
    expect(page.locator("#now-updated")).to_have_text(re.compile(r"updated \d\d:\d\d:\d\d"))


def test_the_address_says_what_is_shown(site: Site, open_page: Open) -> None:
    """A choice changes the address; the address brings the choice back, in a new window and by the back button."""
    page = settled(open_page(f"/?{settled_range(site)}"))
    whole = shown(page, "category")
    page.get_by_label("Source").select_option("demo")
    expect(page).to_have_url(re.compile(r"source=demo"))
    narrowed = f"{settled_range(site)}&source=demo"
    expect(page.locator("#categories a[href*='source=demo']")).not_to_have_count(0)
    assert shown(page, "category") == expected(api(site, f"share?{narrowed}"))
    shared = settled(open_page(page.url.removeprefix(site.url)))
    assert shown(shared, "category") == shown(page, "category")
    assert shared.get_by_label("Source").input_value() == "demo"
    page.go_back()
    expect(page.locator("#categories a[href*='source=demo']")).to_have_count(0)
    assert shown(page, "category") == whole
    assert page.get_by_label("Source").input_value() == ""


def test_a_choice_is_one_step_back(site: Site, open_page: Open) -> None:
    """Enter in a field changes it and submits the form, which are the same choice."""
    page = settled(open_page(f"/?{settled_range(site)}"))
    page.get_by_label("Language").press_sequentially("en")
    page.get_by_label("Language").press("Enter")
    expect(page).to_have_url(re.compile("lang=en"))
    page.go_back()
    expect(page).not_to_have_url(re.compile("lang=en"))
    assert page.get_by_label("Language").input_value() == ""


def test_what_is_so_unless_chosen_may_stand_in_the_address(site: Site, open_page: Open) -> None:
    """The fields show it, also once a link was followed."""
    page = settled(open_page(f"/?{settled_range(site)}&reposts=exclude&by=category"))
    page.locator("[data-key=category-coffee]").click()
    expect(page).to_have_url(re.compile("reposts=exclude.*category=coffee|category=coffee.*reposts=exclude"))
    chosen = "name => document.getElementById('filter').elements[name].selectedOptions[0]?.textContent"
    assert [page.evaluate(chosen, name) for name in ("category", "reposts", "by")] == ["coffee", "excluded", "category"]


def drawn_days(page: Page) -> tuple[str, str]:
    """The first and last day of the trend, which is drawn by day."""
    first, *_, last = [at for at, _ in option(page, "trend")["series"][0]["data"]]
    return tuple(str(datetime.fromtimestamp(at / 1000, UTC).date()) for at in (first, last))


def chosen_days(page: Page) -> tuple[str, str]:
    """The days in the form."""
    return page.locator("[name=from]").input_value(), page.locator("[name=to]").input_value()


def test_after_the_back_button_everything_is_of_the_same_days(open_page: Open) -> None:
    """The form, the trend and the title follow the numbers to an address that names no day."""
    page = settled(open_page("/"))
    days, title = chosen_days(page), page.title()
    assert drawn_days(page) == days
    page.get_by_role("link", name="Today", exact=True).click()
    expect(page).to_have_title(f"DrinkStream · {days[1]} to {days[1]}")
    until(lambda: len(option(page, "trend")["series"][0]["data"]) == 24, 15)
    page.go_back()
    expect(page).to_have_title(title)
    until(lambda: len(option(page, "trend")["series"][0]["data"]) == 30, 15)
    assert (drawn_days(page), chosen_days(page)) == (days, days)


def test_at_midnight_an_open_page_moves_on_to_the_new_day(site: Site, open_page: Open) -> None:
    """The server answers other days for the same address; the trend and the form go with it."""
    page = settled(open_page("/"))
    today = chosen_days(page)
    before = tuple(str(date.fromisoformat(day) - timedelta(days=1)) for day in today)
    earlier = f"{site.url}/numbers?from={before[0]}&to={before[1]}"
    page.route(re.compile("/numbers"), lambda route: route.fulfill(response=route.fetch(url=earlier)))
    until(lambda: drawn_days(page) == chosen_days(page) == before, 15)
    expect(page).to_have_title(f"DrinkStream · {before[0]} to {before[1]}")
    page.unroute(re.compile("/numbers"))
    until(lambda: drawn_days(page) == chosen_days(page) == today, 15)
    page.get_by_label("Source").select_option("demo")
    expect(page).to_have_url(re.compile(f"from={today[0]}&to={today[1]}"))


@pytest.mark.parametrize("back", ["Show the present", "7 days"])
def test_the_way_back_to_the_present_lasts(site: Site, open_page: Open, back: str) -> None:
    """An earlier state is kept while the question changes, until it is left; then no choice brings it back."""
    token = api(site, f"share?{settled_range(site)}")["at"]
    page = settled(open_page(f"/?{settled_range(site)}&at={token}"))
    page.get_by_label("Source").select_option("demo")
    expect(page).to_have_url(re.compile(f"source=demo.*at={token}|at={token}.*source=demo"))
    page.get_by_role("link", name=back).click()
    expect(page.get_by_text("You see an earlier state")).to_have_count(0)
    page.locator("[name=kind]").select_option("original")
    expect(page).to_have_url(re.compile("kind=original"))
    assert "at=" not in page.url
    expect(page.locator("#categories a[href*='kind=original']")).not_to_have_count(0)
    expect(page.get_by_text("You see an earlier state")).to_have_count(0)


def test_no_choice_brings_back_what_was_published_once(site: Site, open_page: Open) -> None:
    page = settled(open_page(f"/?{settled_range(site)}&as_of={site.rows.today}T00:00:00Z"))
    page.get_by_role("link", name="Show the present").click()
    page.get_by_label("Source").select_option("demo")
    expect(page.locator("#categories a[href*='source=demo']")).not_to_have_count(0)
    assert "as_of" not in page.url
    assert shown(page, "category") == expected(api(site, f"share?{settled_range(site)}&source=demo"))


def test_a_drink_s_name_narrows_to_it_and_back(site: Site, open_page: Open) -> None:
    page = settled(open_page(f"/?{settled_range(site)}"))
    page.locator("#categories").get_by_role("link", name="tea", exact=True).click()
    expect(page).to_have_url(re.compile("category=tea"))
    expect(page.locator("table.drinks[data-by=category] tbody tr")).to_have_count(1)
    page.locator("#categories").get_by_role("link", name="tea", exact=True).click()
    expect(page.locator("table.drinks[data-by=category] tbody tr")).to_have_count(10)


def test_a_refused_choice_is_said_and_the_numbers_stay(site: Site, open_page: Open) -> None:
    page = settled(open_page(f"/?{settled_range(site)}", fails="400"))
    before = shown(page, "category")
    page.evaluate("document.getElementById('filter').elements.from.value = '2001-01-01'")
    with page.expect_response(re.compile("/numbers")):
        page.get_by_role("button", name="Show").click()
    expect(page.locator("#lost")).to_contain_text("from, to: at most 1100 days")
    assert shown(page, "category") == before


def test_a_drawn_trend_opens_the_posts_of_the_question_that_it_was_drawn_for(site: Site, open_page: Open) -> None:
    """Another one that was refused since has changed the address, and not the lines."""
    page = settled(open_page(f"/?{settled_range(site)}&grain=day&category=tea&lang=en", fails="400"))
    page.get_by_text("Trend as a table").click()
    links = page.locator("#trend-table a")

    def asked() -> set[tuple[str | None, ...]]:
        found = [
            dict(parse_qsl(urlsplit(link).query)) for link in links.evaluate_all("all => all.map(one => one.href)")
        ]
        return {tuple(one.get(name) for name in ("category", "source", "lang")) for one in found}

    assert asked() == {("tea", None, "en"), (None, None, "en")}
    page.route(re.compile("/numbers"), lambda route: route.fulfill(status=400, body='{"error": "not so"}'))
    page.get_by_label("Source").select_option("demo")
    expect(page.locator("#lost")).to_contain_text("not so")
    page.locator("[data-measure=share]").click()
    expect(links.first).to_contain_text("%")
    assert asked() == {("tea", None, "en"), (None, None, "en")}


ANSWERS = [
    ("/api/v1/trend", 503, '{"error": "2017-09-14: the store is away"}', "2017-09-14: the store is away"),
    ("/numbers", 503, "<main><p>no numbers yet: the store is away</p></main>", "no numbers yet: the store is away"),
    ("/numbers", 400, "<html><h1>Bad Request</h1></html>", '"400 Bad Request" comes instead of an answer'),
    ("/numbers", 502, "", '"502 Bad Gateway" comes instead of an answer of the dashboard\'s server.'),
    ("/numbers", 200, "<html><h1>Sign in</h1></html>", "Something else answers in place of the dashboard's server."),
]
"""Where another answer comes, which, and what the page says of it."""


@pytest.mark.parametrize(("path", "status", "body", "said"), ANSWERS)
def test_why_the_numbers_stand_still_is_said_until_they_move_again(
    open_page: Open, path: str, status: int, body: str, said: str
) -> None:
    """In the server's words where they are the server's, and whoever stands before it."""
    page = settled(open_page("/", fails=str(status)))
    page.route(re.compile(path), lambda route: route.fulfill(status=status, body=body, content_type="text/html"))
    expect(page.locator("#lost")).to_contain_text(said)
    page.unroute(re.compile(path))
    expect(page.locator("#lost")).to_be_hidden()


def test_a_server_that_keeps_silent_is_not_waited_for(open_page: Open) -> None:
    page = settled(open_page("/"))
    page.route(re.compile("/numbers"), lambda _: None)
    expect(page.locator("#lost")).to_contain_text("The dashboard's server does not answer.")
    page.unroute_all(behavior="ignoreErrors")
    expect(page.locator("#lost")).to_be_hidden()


def test_a_fault_in_drawing_is_not_told_as_the_server_s(site: Site, open_page: Open) -> None:
    """It is said as long as it lasts, and goes to the console; then the trend is drawn after all."""
    page = settled(open_page(f"/?{settled_range(site)}", fails="no ink"))
    chart = "echarts.getInstanceByDom(document.getElementById('trend'))"
    page.evaluate(f"void ({chart}.setOption = () => {{ throw new Error('no ink') }})")
    page.get_by_label("Source").select_option("demo")
    expect(page.locator("#lost")).to_contain_text("this page cannot draw them: no ink.")
    page.evaluate(f"delete {chart}.setOption")
    expect(page.locator("#lost")).to_be_hidden()
    answer = api(site, f"trend?{settled_range(site)}&grain=day&source=demo")
    assert lines(page, "trend") == {one["category"]: one["n"] for one in answer["series"]}


def test_a_count_opens_the_posts_behind_it(site: Site, open_page: Open) -> None:
    """As many ids as the number says, over all pages."""
    page = settled(open_page(f"/?{settled_range(site)}"))
    link = page.locator("tr[data-value=starbucks] td.num a").first
    number = int(link.inner_text().replace(",", ""))
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Posts that name starbucks")
    assert page.locator("#total").inner_text() == f"{number:,}"
    ids = [item.inner_text() for item in page.locator(LISTED).all()]
    while page.get_by_role("link", name="Next page").count():
        page.get_by_role("link", name="Next page").click()
        ids += [item.inner_text() for item in page.locator(LISTED).all()]
    assert (len(ids), len(set(ids))) == (number, number)


def test_a_publication_turns_a_live_day_into_a_batch_day(site: Site, open_page: Open) -> None:
    """The day's colour and number change on the open page."""
    day = site.rows.today.fromordinal(site.rows.today.toordinal() - 1)
    page = settled(open_page(f"/?from={day}&to={day}"))
    expect(page.locator(".strip rect.speed")).to_have_count(1)
    site.rows.publish(day, f"run-{day}", site.rows.posts(160, 1440))
    expect(page.locator(".strip rect.batch")).to_have_count(1)
    assert shown(page, "category") == expected(api(site, f"share?from={day}&to={day}"))


def test_a_picture_for_the_readme(site: Site, open_page: Open) -> None:
    """The whole page is drawn; with SCREENSHOTS=1 the picture is kept in docs/images."""
    site.rows.now(1)
    page = settled(open_page("/"))
    expect(page.locator("#now-updated")).to_contain_text("updated")
    picture = page.screenshot(full_page=True)
    assert len(picture) > 50_000
    if os.environ.get("SCREENSHOTS"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / "dashboard.png").write_bytes(picture)
