"""From a number to its posts, and from a post to the reason why it counts, on a real Cassandra."""

import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from drinkstream.settings import ROOT
from drinkstream.standing import NOT_ARCHIVED
from tests.browser.conftest import Open, Site
from tests.browser.rows import SAID, SAID_DAY, SAID_IDS
from tests.browser.test_dashboard import IMAGES, LISTED, api, settled, settled_range
from tests.lib.programs import environment

POSTS = f"/posts?from={SAID_DAY}&to={SAID_DAY}"
LATTE = f"/why/x:{SAID_IDS[0]}"


def fetched(site: Site, path: str) -> str:
    with urllib.request.urlopen(site.url + path, timeout=30) as response:  # noqa: S310 - our own server
        return response.read().decode()


def listed(page: str) -> tuple[int, int]:
    """The number that a page of posts says, and how many posts are on it."""
    said = re.search(r'<strong id="total">([\d,]+)</strong>', page)
    return int(said[1].replace(",", "")), len(re.findall(r'<li><a href="/why/', page))


def test_every_count_on_the_page_opens_as_many_posts(site: Site, open_page: Open) -> None:
    """In tiles, both tables, the days and the trend's table: rows, denominators and points."""
    page = settled(open_page(f"/?{settled_range(site)}&grain=day&reposts=include"))
    page.get_by_text("Trend as a table").click()
    page.get_by_text("Days as a table").click()
    # a minute of the last hour is a hole once the live layer is called quiet, which may be before it is opened
    links = page.evaluate(
        "[...document.querySelectorAll('main a[href^=\"/posts\"]:not(#now-table a)')]"
        ".map(a => [a.getAttribute('href'), a.textContent])"
    )
    where = ("#total", ".tile .muted", "#categories caption", "#categories td.share", "#brands td.num", "#days")
    places = {one: page.locator(f"{one} a[href^='/posts']").count() for one in (*where, "#trend-table")}
    assert min(places.values()) >= 1, places
    counted = [day for day in api(site, f"days?{settled_range(site)}")["days"] if day["layer"] == "batch"]
    assert places["#trend-table"] == len(counted) * 11
    for href in {href for href, _ in links}:
        (shown,) = {int(text.replace(",", "")) for link, text in links if link == href}
        assert listed(fetched(site, f"{href}&texts=0")) == (shown, min(shown, 100)), href


def test_every_cell_of_a_day_opens_as_many_posts_as_it_counts(site: Site) -> None:
    """Each minute, level, source, kind and language: ids == n == what the page shows."""
    day = min(day for day in site.rows.published if day.year > 2017)
    for (minute, source, level, kind, lang), ids in site.rows.published[day].items():
        period = f"{day}T{minute // 60:02}:{minute % 60:02}"
        asked = {"period": period, "source": source, "kind": kind, "lang": lang, "brand": level.brand}
        question = urlencode({**asked, **({} if level.category == "*" else {"category": level.category})})
        answer = api(site, f"posts?{question}")
        assert set(answer["ids"]) == {f"{source}:{one}" for one in ids}
        assert answer["total"] == len(answer["ids"]) == len(ids)
        assert listed(fetched(site, f"/posts?{question}&texts=0")) == (len(ids), len(ids))


def point(page: Page, chart: str, series: str, at: int) -> tuple[float, float]:
    """Where on the screen a point of a chart lies."""
    page.locator(f"#{chart}").scroll_into_view_if_needed()
    x, y = page.evaluate(
        f"""() => {{
          const chart = echarts.getInstanceByDom(document.getElementById('{chart}'));
          const number = chart.getOption().series.findIndex(one => one.name === '{series}');
          return chart.convertToPixel({{ seriesIndex: number }}, chart.getOption().series[number].data[{at}]);
        }}"""
    )
    box = page.locator(f"#{chart}").bounding_box()
    return box["x"] + x, box["y"] + y


def test_a_point_of_the_trend_opens_its_posts(site: Site, open_page: Open) -> None:
    question = settled_range(site)
    answer = api(site, f"trend?{question}&grain=day")
    page = settled(open_page(f"/?{question}&grain=day"))
    (coffee,) = (one for one in answer["series"] if one["category"] == "coffee")
    page.mouse.click(*point(page, "trend", "coffee", 3))
    expect(page).to_have_url(re.compile(r"/posts\?.*category=coffee.*period=" + answer["periods"][3]))
    assert page.locator("#total").inner_text() == f"{coffee['n'][3]:,}"


def test_a_slice_of_the_pie_opens_its_posts(site: Site, open_page: Open) -> None:
    question = settled_range(site)
    page = settled(open_page(f"/?{question}"))
    box = page.locator("#pie").bounding_box()
    # it begins at three o'clock and goes down to the right with the largest slice
    where = {"x": box["width"] / 2 + 0.21 * box["height"], "y": box["height"] / 2 + 12}
    page.locator("#pie").click(position=where)
    first = api(site, f"share?{question}")["shares"][0]
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Posts that name {first['category']}")
    assert page.locator("#total").inner_text() == f"{first['n']:,}"


def test_the_posts_behind_a_number_show_their_texts(open_page: Open) -> None:
    """As text whatever they hold; not of a deleted post, nor of one that is not in the archive, which is said."""
    page = open_page(POSTS)
    assert page.locator("#total").inner_text() == str(len(SAID))
    assert page.locator("main .posts .text").all_inner_texts() == [
        *(text for text, _ in SAID[:3]),
        "Text withheld: deleted.",
        f"No text: {NOT_ARCHIVED}.",
    ]
    assert page.locator("main img").count() == 0


def test_a_post_leads_to_the_reason_why_it_counts(open_page: Open) -> None:
    page = open_page(POSTS)
    page.locator(LISTED).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"x:{SAID_IDS[0]}")
    assert page.locator("mark").all_inner_texts() == ["starbucks"]
    for words in (
        "2017-09-14 is answered by the batch layer, run run-said.",
        "counts as coffee with starbucks: 'starbucks' at 2-11",
        "held back: 'tea', by rule",
        "posts/0 offset 0 · arrived 2017-09-14 12:00:00 UTC · day=2017-09-14/part-",
        "It counts it in 5 cells, as the rules say of the records that it read.",
    ):
        expect(page.locator("main")).to_contain_text(words)
    assert [" ".join(text.split()) for text in page.locator("table.cells tbody th").all_inner_texts()] == [
        "any drink", "any brand", "starbucks", "coffee", "coffee with starbucks",
    ]  # fmt: skip


def test_of_a_deleted_post_the_page_quotes_nothing(open_page: Open) -> None:
    """The run that counts it read it before the delete came, and the page says what the next one will do."""
    page = open_page(f"/why/x:{SAID_IDS[3]}")
    main = page.locator("main")
    expect(main).to_contain_text("Text withheld: deleted.")
    expect(main).to_contain_text("1 record came since, and the next recompute will leave it out.")
    assert "iced" not in page.content()


def test_what_is_counted_but_not_archived_is_found_in_the_numbers(site: Site) -> None:
    answer = api(site, f"why/x:{SAID_IDS[4]}")
    assert (answer["records"], [cell["name"] for cell in answer["runs"][0]["cells"]]) == ([], ["any drink", "wine"])


def test_a_live_post_is_found_in_the_epoch(site: Site) -> None:
    """As its id says the minute, in all cells of it; slots united."""
    minute = 1_505_476_800_000  # 2017-09-15T12:00, which is not published
    post_id = str((minute - 1_288_834_974_657) << 22)
    level = next(key[2] for key in site.rows.published[SAID_DAY] if key[2].category == "tea")
    site.rows.live(SAID_DAY.replace(day=15), {(720, "x", level, "original", "en"): {post_id, "7"}})
    answer = api(site, f"why/x:{post_id}")
    assert [(cell["minute"], cell["name"]) for cell in answer["epoch"]["cells"]] == [("2017-09-15T12:00Z", "tea")]
    assert [day["layer"] for day in answer["answered"]] == ["speed"]


@pytest.mark.parametrize(("number", "code"), [(0, 0), (3, 0), (None, 2)])
def test_the_command_says_the_same(site: Site, number: int | None, code: int) -> None:
    """In words; an unknown post ends with 2 and is told what there is."""
    key = f"x:{SAID_IDS[number]}" if number is not None else "x:1"
    command = [sys.executable, "-m", "drinkstream.cli", "why", key]
    ran = subprocess.run(command, env=environment(site.settings), cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == code, ran.stderr
    if number is None:
        assert "no record of it is under any day in the archive, which holds 2017-09-14" in ran.stderr
        return
    (run,) = api(site, f"why/{key}")["runs"]
    assert f"  run run-said, in force for 2017-09-14 (meaning m1): {run['says']}" in ran.stdout.splitlines()
    assert ("  text withheld: deleted" in ran.stdout.splitlines()) == (number == 3)


def test_pictures_of_a_list_and_of_a_reason(open_page: Open) -> None:
    """Both pages are drawn; with SCREENSHOTS=1 the pictures are kept in docs/images."""
    for name, path in (("posts", POSTS), ("why", LATTE)):
        picture = open_page(path).screenshot(full_page=True)
        assert len(picture) > 20_000
        if os.environ.get("SCREENSHOTS"):
            Path(IMAGES).mkdir(parents=True, exist_ok=True)
            (IMAGES / f"{name}.png").write_bytes(picture)
