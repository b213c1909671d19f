"""/api/v1/why and its page: the archive and the numbers, put together for one post."""

import html
import json
import re
from pathlib import Path

import pytest

from drinkstream import meaning
from drinkstream.standing import NOT_ARCHIVED
from tests.lib.archived import archive, row
from tests.web.conftest import Store, Web, post

TEXT = "<b>a starbucks latte</b> & spill the tea"


def archived(home: Path, *values: dict[str, object], day: str = "2017-09-14", first: int = 0) -> None:
    """Records of x:101, which the run of the store counts at 08:01 for a coffee of Starbucks."""
    rows = [
        row(offset, day=day, cluster="cluster", key="x:101", value=json.dumps(value).encode())
        for offset, value in enumerate(values, first)
    ]
    archive(home / "archive", rows)


POST = {"data": {"id": "101", "text": TEXT, "lang": "en", "created_at": "2017-09-14T08:01:00.000Z"}}
DELETE = {"delete": {"status": {"id_str": "101"}}}


def text(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_post_with_its_record_its_rules_and_what_counts_it(web: Web, tmp_path: Path) -> None:
    archived(tmp_path, POST)
    answer = web.get("why/x:101")
    assert (answer["state"], answer["text"], answer["searched"]) == ("shown", TEXT, None)
    (record,) = answer["records"]
    assert (record["topic"], record["partition"], record["offset"]) == ("posts", 0, 0)
    assert (tmp_path / "archive" / record["file"]).is_file()
    assert [(m["category"], m["brand"], m["alias"]) for m in record["mentions"]] == [
        ("coffee", "starbucks", "starbucks")
    ]
    assert record["held"] == [{"alias": "tea", "rule": "traps.gossip"}]
    (run,) = answer["runs"]
    assert (run["run"], run["meaning"], run["agrees"], len(run["cells"])) == ("run-1", "m1", True, 5)
    assert run["cells"] == run["expected"]
    assert answer["answered"] == [{"day": "2017-09-14", "layer": "batch", "run": "run-1", "epoch": None}]
    assert (answer["epoch"]["epoch"], answer["epoch"]["cells"]) == ("e1", [])


def test_a_live_post_is_found_in_the_epoch_before_it_is_archived(web: Web, store: Store, tmp_path: Path) -> None:
    """Its id says at which minute to look."""
    archived(tmp_path, POST)
    number = str((1505433900000 - 1_288_834_974_657) << 22)  # 2017-09-15T00:05
    store.lives["e1"] += post("2017-09-15T00:05", number, "x", "original", "en", ("tea", None))
    answer = web.get(f"why/x:{number}")
    assert (answer["state"], answer["why"], answer["records"]) == ("absent", NOT_ARCHIVED, [])
    assert [cell["name"] for cell in answer["epoch"]["cells"]] == ["any drink", "tea"]
    assert "No record of it is in the archive" in text(web.client.get(f"/why/x:{number}").text)


def test_the_page_says_it_in_words(web: Web, tmp_path: Path) -> None:
    archived(tmp_path, POST)
    page = web.client.get("/why/x:101").text
    said = text(page)
    for words in (
        TEXT,
        "2017-09-14 is answered by the batch layer, run run-1 .",
        "A recompute of 2017-09-14 takes record 1, the only version.",
        "An original post in en, written 2017-09-14T08:01:00.000Z.",
        "counts as coffee with starbucks: 'starbucks' at 5-14, by rule brands.starbucks+en.latte",
        "held back: 'tea', by rule traps.gossip",
        "Counts for any drink, any brand, starbucks, coffee, coffee with starbucks.",
        "posts/0 offset 0 · arrived 2017-09-14 12:00:00 UTC · day=2017-09-14/part-",
        "It counts it in 5 cells, as the rules say of the records that it read.",
        "coffee with starbucks 2017-09-14 08:01 original en",
        f"Explained by the rules of meaning {meaning.version()} .",
    ):
        assert words in said
    assert "<b>a starbucks" not in page
    assert '<mark title="brands.starbucks+en.latte">starbucks</mark>' in page


def test_of_a_deleted_post_neither_page_nor_api_quotes_a_word(web: Web, tmp_path: Path) -> None:
    archived(tmp_path, POST)
    archived(tmp_path, DELETE, day="none", first=3)
    answer = web.get("why/x:101")
    assert (answer["state"], answer["text"], answer["records"][0]["text"]) == ("withheld", None, None)
    page = web.client.get("/why/x:101").text
    assert "Text withheld: deleted." in text(page)
    assert "A recompute of 2017-09-14 leaves it out: deleted." in text(page)
    for words in ("a starbucks latte", "spill the tea", "'tea'"):
        assert words not in text(page) + json.dumps(answer)


def test_a_list_of_posts_leads_there(web: Web, tmp_path: Path) -> None:
    archived(tmp_path, POST)
    page = web.client.get("/posts?from=2017-09-14&to=2017-09-14&brand=starbucks").text
    link = re.search(r'<li><a href="(/why/[^"]+)"', page)[1]
    assert "<h1>x:101</h1>" in web.client.get(link).text


def test_an_id_with_slashes_is_one_id(web: Web, tmp_path: Path) -> None:
    """As those of Bluesky are."""
    key = "bluesky:at://did:plc:abc/app.bsky.feed.post/3k"
    archive(tmp_path / "archive", [row(0, key=key, value=b"?")])
    assert web.get(f"why/{key}")["post"] == key
    assert web.client.get(f"/why/{key}").status_code == 200


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("why/101", 400, "a post is named source:id, such as x:908300000000000000, not '101'"),
        ("why/x:1O1", 400, "an id of x is a whole number without a sign or leading zeros, not '1O1'"),
        ("why/x:101?at=A", 400, "at: not a parameter here; why takes none"),
        (
            "why/x:102",
            404,
            "x:102: no record of it is under any day in the archive, which holds 2017-09-14; it "
            "is not counted by the live count e1",
        ),
        (
            "why/x:908300000000000000",
            404,
            "x:908300000000000000: no record of it is under any day in the archive, which holds "
            "2017-09-14; it is not counted by run run-1 or the live count e1",
        ),
    ],
)
def test_what_is_no_post_or_not_known(web: Web, tmp_path: Path, path: str, code: int, message: str) -> None:
    archived(tmp_path, POST)
    response = web.client.get(f"/api/v1/{path}")
    assert (response.status_code, response.get_json()) == (code, {"error": message})
    page = web.client.get(f"/{path}")
    assert (page.status_code, message in html.unescape(page.text)) == (code, True)


def test_without_archive_or_store_it_says_which(web: Web, store: Store, tmp_path: Path) -> None:
    response = web.client.get("/api/v1/why/x:101")
    assert (response.status_code, response.get_json()["error"][:14]) == (503, "no archive at ")
    archived(tmp_path, POST)
    store.away = True
    response = web.client.get("/api/v1/why/x:101")
    assert (response.status_code, response.get_json()) == (503, {"error": "the store is away"})
