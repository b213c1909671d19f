"""The texts of the posts behind a number: from the archive only, never of a deleted post, and never in the way."""

import html
import json
import random
import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from drinkstream.archive import Archive
from drinkstream.archive_change import erase
from drinkstream.cells import levels, pack
from drinkstream.errors import UnavailableError
from drinkstream.share import KINDS
from drinkstream.standing import ERASED_FOR_GOOD, NOT_ARCHIVED
from drinkstream.store.read import CellIds
from tests.lib.archived import archive, row
from tests.web.conftest import Store, Web, post
from webapp.serving import serving
from webapp.texts import Patiently

TEXTS = "posts?from=2017-09-14&to=2017-09-14&reposts=include&texts=1"
DELETED = {"delete": {"status": {"id_str": "102"}}}


def line(post_id: str, text: str, *edits: str) -> dict[str, object]:
    history = {"edit_history_tweet_ids": [post_id, *edits]} if edits else {}
    return {"data": {"id": post_id, "text": text, "created_at": "2017-09-14T08:01:00.000Z", **history}}


def archived(home: Path, *lines: tuple[str, dict[str, object]], day: str = "2017-09-14") -> None:
    rows = [
        row(offset, day=day, key=f"x:{post_id}", value=json.dumps(value).encode())
        for offset, (post_id, value) in enumerate(lines)
    ]
    archive(home / "archive", rows)


def test_a_delete_by_the_id_of_a_later_version_hides_the_text(web: Web, tmp_path: Path) -> None:
    archived(tmp_path, ("101", line("101", "a latte", "105")))
    archived(tmp_path, ("105", {"delete": {"status": {"id_str": "105"}}}), day="none")
    texts = {text["id"]: (text["state"], text["text"]) for text in web.get(TEXTS)["texts"]}
    assert texts["x:101"] == ("withheld", None)


def test_each_id_has_its_text_or_the_reason_why_not(web: Web, tmp_path: Path) -> None:
    """Also what lies under the day of none; but nothing of another day is looked into."""
    archived(tmp_path, ("101", line("101", "a latte")), ("102", line("102", "tea")), ("104", line("104", "beer?")))
    archived(tmp_path, ("102", DELETED), ("103", line("103", "not this network's")), day="none")
    archived(tmp_path, ("104", {"delete": {"status": {"id_str": "104"}}}), day="2017-09-13")
    archived(tmp_path, ("101", line("101", "a latte", "105")), ("106", {"delete": {"status": {"id_str": "106"}}}))
    answer = web.get(TEXTS)
    assert (answer["texts_failing"], answer["total"]) == (None, 4)
    assert answer["texts"] == [
        {"id": "x:101", "state": "shown", "text": "a latte", "why": None},
        {"id": "x:102", "state": "withheld", "text": None, "why": "deleted"},
        {"id": "demo:103", "state": "absent", "text": None, "why": NOT_ARCHIVED},
        {"id": "x:104", "state": "shown", "text": "beer?", "why": None},
    ]
    assert [text["id"] for text in answer["texts"]] == answer["ids"]
    plain = web.get(TEXTS.removesuffix("&texts=1"))
    assert {name: answer[name] for name in plain} == plain
    assert set(answer) - set(plain) == {"texts", "texts_failing"}


def test_an_erased_text_is_said_to_be_erased_and_its_id_stays_listed(web: Web, tmp_path: Path) -> None:
    """The run in force was counted before; its list is the same."""
    archived(tmp_path, ("101", line("101", "a latte")), ("102", line("102", "tea")))
    before = web.get(TEXTS)
    erase(str(tmp_path / "archive"), ["x:102"], datetime(2017, 9, 20, tzinfo=UTC))
    after = web.get(TEXTS)
    assert (after["ids"], after["total"]) == (before["ids"], before["total"])
    gone = {"id": "x:102", "state": "erased", "text": None, "why": ERASED_FOR_GOOD}
    assert [text for text in after["texts"] if text["id"] == "x:102"] == [gone]  # type: ignore[union-attr, index]
    page = web.client.get("/posts?from=2017-09-14&to=2017-09-14").text
    assert f"Text erased: {ERASED_FOR_GOOD}." in page
    assert "tea</p>" not in page


def test_a_line_that_can_be_read_by_now_is_the_text_of_its_post_until_it_is_deleted(web: Web, tmp_path: Path) -> None:
    """Its key, given when it could not be read, names no post; so may the key of the order that deletes it."""
    late = {"day": "none", "shape": "rejected.shape", "event_ms": None}
    lines = [line("101", "a latte"), line("102", "tea"), {"delete": {"status": {"id_str": "101"}}}, line("104", "beer")]
    rows = [row(at, key=f"x:?{at}badcafe", value=json.dumps(value).encode(), **late) for at, value in enumerate(lines)]
    cut = row(4, key="x:104", value=b'{"data"', **late)
    archive(tmp_path / "archive", [*rows[:2], cut])
    assert [(one["id"], one["state"], one["text"]) for one in web.get(TEXTS)["texts"]] == [  # type: ignore[index, union-attr]
        ("x:101", "shown", "a latte"),
        ("x:102", "shown", "tea"),
        ("demo:103", "absent", None),
        ("x:104", "absent", None),
    ]
    archive(tmp_path / "archive", rows[2:])
    first, *_, last = web.get(TEXTS)["texts"]  # type: ignore[misc]
    assert (first["state"], first["text"], first["why"]) == ("withheld", None, "deleted")
    assert (last["state"], last["text"]) == ("shown", "beer")


def test_a_post_that_is_listed_twice_has_its_text_twice(web: Web, store: Store, tmp_path: Path) -> None:
    """An edit whose versions fall in two cells of a live day: ids, texts, the table and the total agree."""
    archived(tmp_path, ("201", line("201", "coffee")))
    store.lives["e1"] += post("2017-09-15T00:05", "201", "x", "original", "pt", ("coffee", None))
    answer = web.get("posts?from=2017-09-15&to=2017-09-15&category=coffee&texts=1")
    assert answer["ids"] == [row["id"] for row in answer["texts"]] == ["x:201"] * answer["total"] == ["x:201"] * 2
    csv = web.client.get("/api/v1/posts?from=2017-09-15&to=2017-09-15&category=coffee&texts=1&format=csv").text
    assert csv.count("x:201") == 2


def test_texts_come_as_csv(web: Web, tmp_path: Path) -> None:
    archived(tmp_path, ("101", line("101", '=tea, "hot"')), ("102", DELETED))
    csv = web.client.get(f"/api/v1/{TEXTS}&limit=2&format=csv").text
    assert csv == 'id,state,text,why\r\nx:101,shown,"\'=tea, ""hot""",\r\nx:102,withheld,,deleted\r\n'


def test_a_text_is_text_on_the_page_whatever_it_holds(web: Web, tmp_path: Path) -> None:
    archived(tmp_path, ("101", line("101", '<script>alert(1)</script> tea & "milk" {{ 1 }}')), ("102", DELETED))
    page = web.client.get("/posts?from=2017-09-14&to=2017-09-14").text
    assert "<script>alert" not in page
    said = [html.unescape(text) for text in re.findall(r'<p class="text \w+" dir="auto">(.*?)</p>', page)]
    assert said == [
        '<script>alert(1)</script> tea & "milk" {{ 1 }}',
        "Text withheld: deleted.",
        f"No text: {NOT_ARCHIVED}.",
    ]
    assert 'class="text' not in web.client.get("/posts?from=2017-09-14&to=2017-09-14&texts=0").text


def test_without_an_archive_the_ids_come_with_a_message(web: Web) -> None:
    answer = web.get(TEXTS)
    assert (answer["ids"], answer["texts"]) == (["x:101", "x:102", "demo:103", "x:104"], None)
    assert answer["texts_failing"].startswith("no archive at ")
    page = web.client.get("/posts?from=2017-09-14&to=2017-09-14")
    assert (page.status_code, len(re.findall("<li>", page.text))) == (200, 3)
    assert "The texts cannot be shown now: no archive at " in page.text
    assert web.client.get(f"/api/v1/{TEXTS}&format=csv").text.splitlines()[0] == "id"


def test_a_slow_archive_does_not_hold_the_page(web: Web, monkeypatch) -> None:
    """Not even where all that may ask it at once already wait."""
    released = Event()
    slow = type("Slow", (), {"records": lambda *_: released.wait(30) and []})()
    app = web.client.application
    monkeypatch.setitem(app.extensions, "drinkstream", replace(serving(app), archive=Patiently(slow, 0.05)))
    for _ in range(6):
        answer = web.get(TEXTS)
        assert (len(answer["ids"]), answer["texts"]) == (4, None)
        assert answer["texts_failing"] == "the archive did not answer within 0.05 seconds"
    released.set()


def test_patience_passes_on_what_the_archive_says(tmp_path: Path) -> None:
    archived(tmp_path, ("101", line("101", "a latte")))
    here = Archive(str(tmp_path / "archive"))
    rows = Patiently(here).records(["x:101"], "2017-09-14")
    assert (rows, Patiently(here).days()) == (here.records(["x:101"]), {"2017-09-14": 1})
    assert Patiently(here).files_of(rows) == here.files_of(rows)
    with pytest.raises(UnavailableError, match="no archive at"):
        Patiently(Archive(str(tmp_path))).days()


def test_a_page_of_texts_is_short(web: Web) -> None:
    assert web.refused("posts?texts=1&limit=1001") == "limit: at most 1000 with texts=1, not 1001"
    assert web.refused("posts?texts=yes") == "texts: one of 0, 1; not 'yes'"
    page = web.client.get("/posts?from=2017-09-14&to=2017-09-14&limit=1001").text
    assert "A page shows texts for at most 1,000 posts." in page


def test_every_cell_of_a_day_opens_as_many_posts_as_it_counts(web: Web, store: Store, tmp_path: Path) -> None:
    """For each minute, level, source, kind and language: ids == n == what the page shows, each with its text."""
    dice = random.Random(7)
    truth: dict[tuple[str, ...], set[str]] = defaultdict(set)
    lines = []
    for number in range(300, 420):
        named = dice.sample(
            [("coffee", "starbucks"), ("coffee", None), ("tea", None), (None, "pepsi")], dice.choice((1, 2))
        )
        where = (f"2017-09-14T08:{dice.randrange(4):02}", "x", dice.choice(KINDS), dice.choice(("en", "pt")))
        for level in levels(named):
            truth[(*level, *where)].add(str(number))
        lines.append((str(number), line(str(number), f"text {number}")))
    store.runs["run-1"] = [
        CellIds(minute[:13], int(minute[14:]), category, brand, source, kind, lang, (pack(ids),))
        for (category, brand, minute, source, kind, lang), ids in truth.items()
    ]
    archived(tmp_path, *lines)
    for (category, brand, minute, source, kind, lang), ids in truth.items():
        level = {"category": category if category != "*" else "", "brand": brand}
        question = f"period={minute}&source={source}&kind={kind}&lang={lang}&" + "&".join(
            f"{name}={value}" for name, value in level.items()
        )
        answer = web.get(f"posts?{question}&texts=1")
        assert {text["text"] for text in answer["texts"]} == {f"text {one}" for one in ids}
        shown = re.findall(r'<p class="text shown"', web.client.get(f"/posts?{question}").text)
        assert len(answer["ids"]) == answer["total"] == len(ids) == len(shown)
