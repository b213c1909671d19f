"""The pages without scripts: complete numbers, each beside its denominator, each leading to its posts."""

import html
import re
from datetime import UTC, datetime, timedelta

from drinkstream.merge import Publication
from tests.web.conftest import AT, DAY, Store, Web, post


def text(page: str) -> str:
    """The words of a page, in order."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def rows(page: str, by: str) -> list[str]:
    """The rows of a table of drinks, as words."""
    table = page.split(f'data-by="{by}"')[1].split("</table>")[0]
    return [text(row) for row in re.findall(r"<tr data-value.*?</tr>", table, re.DOTALL)]


def test_the_numbers_stand_on_the_page_with_their_denominators(web: Web) -> None:
    page = web.client.get("/?from=2017-09-14&to=2017-09-16").text
    assert rows(page, "category") == [
        "coffee 3 60.0% of 5 23.1–88.2% 50.0% of 6",
        "tea 2 40.0% of 5 11.8–76.9% 33.3% of 6",
        "water 1 20.0% of 5 3.6–62.4% 16.7% of 6",
    ]
    assert rows(page, "brand") == [
        "starbucks 2 66.7% of 3 20.8–93.9% 66.7% of 3",
        "perrier 1 33.3% of 3 6.1–79.2% 33.3% of 3",
    ]
    said = text(page)
    assert "5 posts that name any drink, reposts excluded" in said
    assert "1 batch · 1 live · 1 missing days, 2017-09-14 to 2017-09-16 (UTC)" in said
    assert "1 of 3 days are missing: no layer can answer for them, and nothing is counted in their place." in said


def test_each_day_says_where_its_numbers_come_from(web: Web) -> None:
    page = web.client.get("/?from=2017-09-14&to=2017-09-16").text
    table = page.split('<table class="days">')[1].split("</tbody>")[0]
    assert [text(row) for row in re.findall(r"<tr class.*?</tr>", table, re.DOTALL)] == [
        "2017-09-14 batch 3 – unknown 2017-09-15 02:30:00 UTC nightly_share: scheduled run-1 rejected records",
        "2017-09-15 live 2 – unknown – – e1",
        "2017-09-16 missing – – unknown – not published, and the live layer cannot answer for it –",
    ]


def test_every_count_links_to_as_many_posts(web: Web) -> None:
    """The links carry the state of the page, so that a publication in between changes nothing."""
    for question in (
        "from=2017-09-14&to=2017-09-15",
        "from=2017-09-14&to=2017-09-15&by=brand&reposts=include&source=x",
    ):
        page = web.client.get(f"/?{question}").text
        links = re.findall(r'<a[^>]*href="(/posts\?[^"]+)"[^>]*>([\d,]+)</a>', page)
        assert len(links) >= 7
        for link, shown in links:
            assert f"at={AT}" in link
            listed = web.client.get(html.unescape(link)).text
            assert (f'<strong id="total">{shown}</strong>' in listed, len(re.findall("<li>", listed))) == (
                True,
                int(shown),
            )


def test_a_list_of_posts_is_paged(web: Web) -> None:
    first = web.client.get("/posts?from=2017-09-14&to=2017-09-14&limit=2").text
    assert re.findall(r"<li>(?:<a[^>]*>)?([^<]+)", first) == ["x:101", "x:102"]
    on = html.unescape(re.search(r'rel="next" href="([^"]+)"', first)[1])
    second = web.client.get(on).text
    assert re.findall(r"<li>(?:<a[^>]*>)?([^<]+)", second) == ["demo:103"]
    assert 'rel="next"' not in second
    assert "CSV of this page (2 of 3)" in text(first)
    assert "CSV of this page (1 of 3)" in text(second)
    assert "CSV of this page" not in text(web.client.get("/posts?from=2017-09-14&to=2017-09-14").text)


def test_a_page_of_nothing_says_that_it_is_missing(web: Web) -> None:
    assert "None of these days can be answered for: they are missing, not empty." in text(
        web.client.get("/posts?from=2017-09-16&to=2017-09-16").text
    )
    assert "No day of this range can be answered for." in text(web.client.get("/?from=2017-09-16&to=2017-09-16").text)


def test_a_chosen_drink_without_posts_is_the_only_one_that_no_post_names(web: Web) -> None:
    page = web.client.get("/?from=2017-09-14&to=2017-09-14&category=milk").text
    assert 'data-mix-total="4"' in page
    assert "Share of 3 posts that name any drink" in text(page)
    assert "No post names milk." in text(page)
    assert "milk no post names it" in text(page)
    with_it = text(web.client.get("/?from=2017-09-14&to=2017-09-14&category=milk&brand=starbucks").text)
    assert "No post names milk with starbucks." in with_it
    assert "No category was named." in text(web.client.get("/?from=2017-09-13&to=2017-09-13").text)


def test_half_of_the_last_digit_of_a_percentage_goes_up(web: Web, store: Store) -> None:
    """As in the charts: 1 of 16 is 6.25 %."""
    named = ["tea", *["coffee"] * 15]
    cells = [post("2017-09-14T08:01", str(n), "x", "original", "en", (name, None)) for n, name in enumerate(named)]
    store.runs["run-1"] = [cell for some in cells for cell in some]
    page = web.client.get("/?from=2017-09-14&to=2017-09-14").text
    assert [(row.split()[2], row.split()[-3]) for row in rows(page, "category")] == [("93.8%",) * 2, ("6.3%",) * 2]


def test_what_the_foot_of_a_page_promises_it_keeps(web: Web) -> None:
    """Records, cells and moves are no posts that a number opens."""
    promise = "Every number counts distinct posts, and opens the posts behind it."
    assert promise in web.client.get("/").text
    assert promise not in web.client.get("/rejections/2017-09-14").text


def test_a_long_span_of_data_can_be_asked_about(web: Web, store: Store) -> None:
    """By its newest days, as many as a question may have."""
    store.runs["old"] = []
    store.log += [
        Publication(DAY - timedelta(days=back), 1, "old", datetime(2017, 9, 15, 2, 30, tzinfo=UTC))
        for back in range(1, 1200)
    ]
    page = web.client.get("/?from=2017-09-14&to=2017-09-14").text
    ranges = page.split('<nav id="ranges"')[1].split("</nav>")[0]
    (link, label) = re.findall(r'href="([^"]+)"[^>]*>([^<]+)</a>', ranges)[-1]
    assert label == "2014-09-12 to 2017-09-15"
    assert web.client.get(html.unescape(link)).status_code == 200


def test_an_earlier_state_is_called_one(web: Web) -> None:
    page = web.client.get("/?from=2017-09-14&to=2017-09-14&as_of=2017-09-15T03:00:00Z").text
    assert "You see an earlier state, as published at 2017-09-15T03:00:00Z. Show the present" in text(page)
    assert rows(page, "category") == [
        "coffee 2 66.7% of 3 20.8–93.9% 50.0% of 4",
        "tea 2 66.7% of 3 20.8–93.9% 50.0% of 4",
    ]


def test_what_came_from_outside_is_text_on_the_page(web: Web, store: Store) -> None:
    """Names in the rows are whatever was written there; none of it becomes markup."""
    cells = store.runs["run-1"]
    store.runs["run-1"] = [cell._replace(brand="<b>x</b>") if cell.brand == "starbucks" else cell for cell in cells]
    page = web.client.get("/?from=2017-09-14&to=2017-09-14").text
    assert "<b>x</b>" not in page
    assert rows(page, "brand") == ["<b>x</b> 2 100.0% of 2 34.2–100.0% 100.0% of 2"]


def test_before_the_store_was_reached_the_page_asks_again(web: Web, store: Store, monkeypatch) -> None:
    monkeypatch.setattr("webapp.view.FIRST_LOOK_S", 0.1)
    store.away = True
    response = web.client.get("/")
    assert response.status_code == 503
    assert "no numbers yet: the store is away" in text(response.text)
    assert '<meta http-equiv="refresh" content="3">' in response.text


def test_once_there_are_numbers_a_page_that_fails_says_so_and_does_not_ask_again(web: Web, store: Store) -> None:
    web.get("status")
    store.away = True
    response = web.client.get("/posts?from=2017-09-14&to=2017-09-14")
    assert response.status_code == 503
    assert "<h1>Cannot be answered now</h1>" in response.text
    assert "No numbers yet" not in response.text
    assert 'http-equiv="refresh"' not in response.text


def test_the_table_of_days_leads_to_the_run_that_it_shows(web: Web, store: Store) -> None:
    """Rejected records are shown of the run in force only, so an earlier one has no link to them."""
    day = "/?from=2017-09-14&to=2017-09-14"
    earlier = f"{day}&as_of=2017-09-15T03:00:00Z"
    assert 'href="/reconciliation/2017-09-14?run=run-1"' in web.client.get(earlier).text
    assert 'href="/rejections/2017-09-14"' in web.client.get(earlier).text
    store.log.append(Publication(DAY, 2, "run-2", datetime(2017, 9, 15, 12, 34, 56, tzinfo=UTC)))
    store.runs["run-2"] = []
    web.view.look()
    for page in (web.client.get(f"{day}&at={AT}").text, web.client.get(earlier).text):
        assert 'href="/reconciliation/2017-09-14?run=run-1"' in page
        assert "/rejections/2017-09-14" not in page
    present = web.client.get(day).text
    assert 'href="/reconciliation/2017-09-14"' in present
    assert 'href="/rejections/2017-09-14"' in present


def test_a_browser_does_not_put_back_what_stood_in_the_form(web: Web) -> None:
    """Else the dates of another day stand over the numbers of this one."""
    assert re.search(r'<form id="filter"[^>]* autocomplete="off">', web.client.get("/").text)
