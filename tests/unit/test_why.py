"""All about one post: how it was read, what it mentions, which cells hold it, and whether that fits the rules."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from drinkstream import meaning
from drinkstream.archive import Row
from drinkstream.errors import BadInputError, NotFoundError
from drinkstream.merge import Choice, Publication
from drinkstream.post import ERASED
from drinkstream.standing import ERASED_FOR_GOOD
from drinkstream.store.read import EpochRow, Run
from drinkstream.why import CellName, EpochFacts, Facts, RunFacts, explain, parse
from drinkstream.words import told

ID = "908300000000000000"  # 2017-09-14T12:02:50.054Z
KEY = f"x:{ID}"
DAY = date(2017, 9, 14)
HOUR, MINUTE = "2017-09-14T12", 2
ARRIVED_MS = 1505390580000  # 2017-09-14T12:03:00Z
HERE = meaning.version()
CHOICE = Choice(DAY, "batch", run="run-1")
DELETE = json.dumps({"delete": {"status": {"id_str": ID}}}).encode()


def line(text: str, version: int = 0) -> bytes:
    data = {"id": str(int(ID) + version), "edit_history_tweet_ids": [ID], "text": text, "lang": "en"}
    return json.dumps({"data": data}).encode()


def row(offset: int, value: bytes, day: str = "2017-09-14") -> Row:
    return Row(day, "c1", "posts", 3, offset, ARRIVED_MS + offset, KEY, "x", "post.x.v2", None, value)


def cells(*names: tuple[str, str]) -> frozenset[CellName]:
    return frozenset((HOUR, MINUTE, category, brand, "x", "original", "en") for category, brand in names)


TEA = cells(("*", ""), ("tea", ""))
LATTE = cells(("*", ""), ("coffee", ""), ("coffee", "starbucks"), ("*", "starbucks"), ("*", "*"))


def run(found: frozenset[CellName], until: int, by: str = HERE, gone: bool = False) -> RunFacts:
    at = datetime(2017, 9, 15, 2, 30, tzinfo=UTC)
    position = {"c1/posts/3": until}
    row = Run(DAY, "run-1", "attempt", "airflow", by, "complete", at, at, position=position)
    return RunFacts(Publication(DAY, 2, "run-1", at, "nightly_share", "scheduled"), None if gone else row, found)


def epoch(
    found: frozenset[CellName], until: int, first: int = 0, blind: frozenset[date] = frozenset(), by: str = HERE
) -> EpochFacts:
    at = datetime(2017, 9, 14, tzinfo=UTC)
    return EpochFacts(EpochRow("e1", "current", by, "c1", at, {"3": first}, {}, {"3": until}, 600, blind), found)


def facts(
    *rows: Row, runs: tuple[RunFacts, ...] = (), live: EpochFacts | None = None, held: tuple[str, ...] = ()
) -> Facts:
    files = {one: f"day={one.day}/part-{one.offset}.parquet" for one in rows}
    return Facts("x", ID, rows, files, ("2017-09-14", "none"), held, (CHOICE,), runs, live, "posts")


def cell(category: str, brand: str, name: str) -> dict[str, str]:
    minute = "2017-09-14T12:02Z"
    level = {"category": category, "brand": brand}
    return {"minute": minute, **level, "source": "x", "kind": "original", "lang": "en", "name": name}


def test_all_that_is_known_of_a_post() -> None:
    text = "a starbucks latte, spill the tea"
    answer = explain(facts(row(7, line(text)), runs=(run(LATTE, 8),), live=epoch(LATTE, 8)))
    counted = [
        cell("*", "", "any drink"),
        cell("*", "*", "any brand"),
        cell("*", "starbucks", "starbucks"),
        cell("coffee", "", "coffee"),
        cell("coffee", "starbucks", "coffee with starbucks"),
    ]
    says = "counts it in 5 cells, as the rules say of the records that it read"
    assert answer == {
        "post": KEY,
        "meaning": HERE,
        "state": "shown",
        "text": text,
        "why": None,
        "searched": ["2017-09-14", "none"],
        "records": [
            {
                "cluster": "c1",
                "topic": "posts",
                "partition": 3,
                "offset": 7,
                "arrived": "2017-09-14T12:03:00.007Z",
                "day": "2017-09-14",
                "file": "day=2017-09-14/part-7.parquet",
                "shape": "post.x.v2",
                "what": "post",
                "says": "an original post in en, written 2017-09-14T12:02:50.054Z",
                "taken_for": ["2017-09-14"],
                "mentions": [
                    {
                        "category": "coffee",
                        "brand": "starbucks",
                        "alias": "starbucks",
                        "start": 2,
                        "end": 11,
                        "rule": "brands.starbucks+en.latte",
                    }
                ],
                "held": [{"alias": "tea", "rule": "traps.gossip"}],
                "levels": [{"category": c["category"], "brand": c["brand"], "name": c["name"]} for c in counted],
                "version": ID,
                "event_time": "2017-09-14T12:02:50.054Z",
                "kind": "original",
                "lang": "en",
                "edited": False,
                "text": text,
            }
        ],
        "days": [{"day": "2017-09-14", "record": 1, "why": "the only version"}],
        "answered": [{"day": "2017-09-14", "layer": "batch", "run": "run-1", "epoch": None}],
        "runs": [
            {
                "run": "run-1",
                "day": "2017-09-14",
                "seq": 2,
                "published_at": "2017-09-15T02:30:00Z",
                "by": "nightly_share",
                "why": "scheduled",
                "meaning": HERE,
                "cells": counted,
                "expected": counted,
                "agrees": True,
                "says": says,
            }
        ],
        "epoch": {"epoch": "e1", "meaning": HERE, "cells": counted, "expected": counted, "agrees": True, "says": says},
    }
    assert list(told(answer)) == [
        f"{KEY}:",
        f"  says {text!r}",
        "  record 1: posts/3 offset 7, arrived 2017-09-14T12:03:00.007Z",
        "    in day=2017-09-14/part-7.parquet",
        "    an original post in en, written 2017-09-14T12:02:50.054Z",
        "    counts as coffee with starbucks: 'starbucks' at 2-11, by rule brands.starbucks+en.latte "
        "(the drink beside it, by rule en.latte)",
        "    held back: 'tea', by rule traps.gossip: it is part of a name, an idiom or a thing listed as traps.gossip",
        "    counts for any drink, any brand, starbucks, coffee, coffee with starbucks",
        "  a recompute of 2017-09-14 takes record 1, the only version",
        f"  run run-1, in force for 2017-09-14 (meaning {HERE}): {says}",
        f"  live count e1 (meaning {HERE}): {says}",
        "  2017-09-14 is answered by run-1",
        f"  explained by the rules of meaning {HERE}",
    ]


def test_an_order_by_the_id_of_a_later_version_is_shown_as_such_and_binds_the_next_run() -> None:
    order = row(9, DELETE.replace(ID.encode(), str(int(ID) + 5).encode()))
    order = replace(order, key=f"x:{int(ID) + 5}")
    first, edit = row(7, line("a cup of tea")), row(8, line("a starbucks latte", 5))
    answer = explain(facts(first, edit, order, runs=(run(LATTE, 9),), live=epoch(TEA | LATTE, 10)))
    assert (answer["state"], answer["why"], answer["text"]) == ("withheld", "deleted", None)
    assert answer["records"][2]["says"] == f"an order about the post by the id of its version {int(ID) + 5}: deleted"
    assert answer["days"] == [{"day": "2017-09-14", "record": None, "why": "deleted"}]
    assert answer["runs"][0]["says"] == (
        "counts it in 5 cells, as the rules say of the records that it read; 1 record came since, and the next "
        "recompute will leave it out"
    )
    assert answer["epoch"]["agrees"] is True


def test_an_edit_is_taken_and_both_versions_count_live() -> None:
    first, edit = row(7, line("a cup of tea")), row(9, line("a starbucks latte", 5))
    answer = explain(facts(first, edit, runs=(run(LATTE, 10),), live=epoch(TEA | LATTE, 10)))
    assert [record["taken_for"] for record in answer["records"]] == [[], ["2017-09-14"]]
    assert answer["records"][1]["says"] == (
        f"an original post in en, written 2017-09-14T12:02:50.054Z, edited as version {int(ID) + 5}"
    )
    assert answer["days"] == [{"day": "2017-09-14", "record": 2, "why": "the only edit among 2 deliveries"}]
    assert answer["runs"][0]["agrees"] is True
    assert answer["epoch"]["says"] == (
        "counts it in 6 cells, as the rules say of the records that it read; each of its versions counts live, until "
        "the recompute takes one"
    )


def test_of_a_deleted_post_no_word_is_quoted() -> None:
    """The run that read it before the delete came still counts it; the next one will not."""
    answer = explain(facts(row(7, line("a starbucks latte, spill the tea")), row(8, DELETE), runs=(run(LATTE, 8),)))
    assert (answer["state"], answer["text"], answer["why"]) == ("withheld", None, "deleted")
    post, order = answer["records"]
    assert (post["text"], post["held"]) == (None, [{"alias": None, "rule": "traps.gossip"}])
    assert (order["what"], order["says"], order["mentions"]) == ("tombstone", "an order about the post: deleted", None)
    assert answer["days"] == [{"day": "2017-09-14", "record": None, "why": "deleted"}]
    assert answer["runs"][0]["says"] == (
        "counts it in 5 cells, as the rules say of the records that it read; 1 record came since, and the next "
        "recompute will leave it out"
    )
    told_of_it = "\n".join(told(answer))
    assert "  text withheld: deleted" in told_of_it
    assert "    counts as coffee with starbucks, by rule brands.starbucks+en.latte" in told_of_it
    for words in ("a starbucks latte", "spill", "'tea'", "'starbucks'"):
        assert words not in told_of_it + json.dumps(answer).replace('"brand": "starbucks"', "")


@pytest.mark.parametrize(
    ("found", "until", "by", "gone", "says"),
    [
        (frozenset(), 7, HERE, False, "does not count it, as the rules say of the records that it read; "
         "1 record came since, and the next recompute will count it"),
        (TEA, 8, "0123", False, "counts it in 2 cells, by the rules of another meaning version (0123) than those "
         "used here"),
        (TEA, 8, HERE, True, "counts it in 2 cells; its own row is gone, so it cannot be said by which rules"),
        (TEA, 8, HERE, False, "counts it in 2 cells, which the rules of its own meaning version do not explain: "
         "compare `cells` with `expected`"),
    ],
)  # fmt: skip
def test_what_a_run_does_with_it_is_held_against_the_rules(
    found: frozenset[CellName], until: int, by: str, gone: bool, says: str
) -> None:
    answer = explain(facts(row(7, line("a starbucks latte")), runs=(run(found, until, by, gone),)))
    assert answer["runs"][0]["says"] == says


def test_what_the_live_count_does_with_it_is_held_against_the_rules() -> None:
    """By the records that lie between its first and its present offsets, and the days that it can answer for."""

    def says(live: EpochFacts) -> str:
        return explain(facts(row(7, line("a starbucks latte")), live=live))["epoch"]["says"]

    read = "as the rules say of the records that it read"
    none_counted = f"does not count it, {read}; none of its records is among those that it has counted"
    assert says(epoch(frozenset(), 7)) == none_counted
    assert says(epoch(frozenset(), 20, first=8)) == none_counted
    assert says(epoch(LATTE, 8, blind=frozenset([DAY]))) == (
        f"counts it in 5 cells, {read}; it cannot answer for 2017-09-14"
    )


def test_what_lies_under_another_topic_was_never_counted_live() -> None:
    """Its offsets may be those of others there: the topic was changed, and the archive keeps both."""
    before = replace(row(7, line("a starbucks latte")), topic="tweets")
    answer = explain(facts(before, live=epoch(frozenset(), 20)))["epoch"]
    assert (answer["agrees"], answer["expected"]) == (True, [])
    assert answer["says"].endswith("; none of its records is among those that it has counted")


def test_a_post_that_names_nothing_counts_nowhere() -> None:
    answer = explain(facts(row(7, line("good morning")), runs=(run(frozenset(), 8),)))
    assert answer["runs"][0]["says"] == "does not count it, as the rules say of the records that it read"
    assert "    names no drink" in told(answer)


def test_a_record_that_cannot_be_read_says_why() -> None:
    answer = explain(facts(row(7, b'{"data":'), row(8, b"")))
    assert [record["says"] for record in answer["records"]] == [
        "rejected for the reason cut_off: it counts nowhere",
        "a notice (keepalive), which counts nowhere",
    ]
    assert (answer["state"], answer["why"]) == ("absent", "its record could not be read: cut_off")


def test_a_record_about_another_post_counts_there() -> None:
    """Another program may send one under a key that is not its own."""
    other = str(int(ID) + 1)
    data = {"id": other, "edit_history_tweet_ids": [other], "text": "a starbucks latte", "lang": "en"}
    answer = explain(facts(row(7, json.dumps({"data": data}).encode()), runs=(run(frozenset(), 8),)))
    assert answer["records"][0]["says"].endswith(
        f"it is about x:{other}, though its key says otherwise, and counts there"
    )
    assert (answer["days"], answer["runs"][0]["agrees"]) == ([], True)


def test_what_only_the_numbers_know_is_not_unknown() -> None:
    """Counted live before it is archived, or erased since."""
    answer = explain(facts(live=epoch(TEA, 8)))
    assert (answer["state"], answer["records"]) == ("absent", [])
    assert [one["name"] for one in answer["epoch"]["cells"]] == ["any drink", "tea"]


def test_an_unknown_post_is_told_what_there_is() -> None:
    with pytest.raises(NotFoundError) as told_so:
        explain(facts(runs=(run(frozenset(), 8),), live=epoch(frozenset(), 8), held=("2017-09-13", "2017-09-15")))
    assert str(told_so.value) == (
        f"{KEY}: no record of it is under 2017-09-14 and none in the archive, which holds 2017-09-13 to 2017-09-15; "
        "it is not counted by run run-1 or the live count e1"
    )
    with pytest.raises(NotFoundError, match=r"in the archive, which is empty$"):
        explain(facts())


@pytest.mark.parametrize(
    "key", ["", "x", "x:", ":1", "X:1", "x:1 2", "x:01", "x:-1", "x:1e3", "x:９", "x:99999999999999999999"]
)
def test_what_names_no_post_is_refused(key: str) -> None:
    with pytest.raises(BadInputError):
        parse(key)


def test_a_post_is_named_by_its_source_and_id() -> None:
    assert parse(KEY) == ("x", ID)
    assert parse("bluesky:at://did:plc:abc/app.bsky.feed.post/3k") == (
        "bluesky",
        "at://did:plc:abc/app.bsky.feed.post/3k",
    )


def test_of_an_erased_post_nothing_is_left_but_what_counts_it() -> None:
    """A run of before still does, and nobody can say whether it should have; a later one leaves it out."""
    erased = row(7, ERASED)
    before = explain(facts(erased, runs=(run(TEA, 8),), live=epoch(TEA, 8)))
    assert (before["state"], before["text"], before["why"]) == ("erased", None, ERASED_FOR_GOOD)
    assert before["records"][0]["says"] == "an order about the post: erased"
    says = "counts it in 2 cells; its records were erased since then, so nothing is left to check that against"
    for layer in (before["runs"][0], before["epoch"]):
        assert (layer["agrees"], layer["says"], len(layer["cells"])) == (None, says, 2)
    assert before["days"] == []
    later = explain(facts(erased, runs=(run(frozenset(), 8),)))
    assert (later["runs"][0]["agrees"], later["runs"][0]["cells"]) == (True, [])
    assert f"  text erased: {ERASED_FOR_GOOD}" in list(told(before))
    # while another copy of it is not replaced yet, nothing of that is shown
    both = explain(facts(erased, row(8, line("a cup of tea"))))
    assert (both["text"], both["records"][1]["text"], both["records"][1]["mentions"][0]["alias"]) == (None, None, None)


def test_a_line_that_could_not_be_read_is_asked_about_by_its_key() -> None:
    assert parse("x:?0badcafe") == ("x", "?0badcafe")
    cut = replace(row(7, line("a cup of tea")[:-5], day="none"), key="x:?0badcafe")
    answer = explain(replace(facts(cut), id="?0badcafe"))
    assert (answer["post"], answer["state"]) == ("x:?0badcafe", "absent")
    assert answer["records"][0]["says"] == "rejected for the reason cut_off: it counts nowhere"
