"""The words that X is asked for: packed within its limits, changed without a moment in which one is left out."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tweepy import StreamRule

from drinkstream.errors import BadInputError, UnavailableError
from drinkstream.taxonomy import DEFAULT, load
from streaming.sources.x_rules import MOST_CHARACTERS, Followed, clauses, rules, sync


def test_words_are_quoted_and_joined_within_the_limit() -> None:
    """Each word once, in order; a new rule where 1,024 characters are full."""
    assert rules(['"flat white"', '"té"', '("rum" "coke")', '"té"']) == ['"flat white" OR "té" OR ("rum" "coke")']
    words = [f'"word{n:04}"' for n in range(300)]
    made = rules(words)
    assert max(map(len, made)) <= 1024
    assert " OR ".join(made) == " OR ".join(words)
    assert len(made) == 5


def test_more_words_than_x_takes_are_refused() -> None:
    """One thousand rules, and no rule above 1,024 characters."""
    for words in (["x" * 1025], [f"{n:04}".rjust(1000, "x") for n in range(1001)]):
        with pytest.raises(BadInputError, match="do not fit into 1000 rules of 1024 characters"):
            rules(words)


def test_the_taxonomys_aliases_are_all_asked_for() -> None:
    """Well within the limits; with and without accents, and each of X's words as the classifier spells it."""
    asked = set(clauses(load()))
    assert {'"coffee"', '"flat white"', '"iced latte"'} <= asked
    assert '"*"' not in asked
    assert not any('""' in clause for clause in asked)
    assert len(rules(asked)) < 1000


@dataclass
class Client:
    """X's rules in memory; `calls` in their order."""

    there: list[StreamRule]
    errors: list[dict[str, str]] = field(default_factory=list)
    calls: list[tuple[str, list[str]]] = field(default_factory=list)

    def get_rules(self) -> Any:
        return SimpleNamespace(data=self.there)

    def add_rules(self, add: list[StreamRule]) -> Any:
        self.calls.append(("add", [rule.value for rule in add]))
        return SimpleNamespace(data=add, errors=self.errors)

    def delete_rules(self, ids: list[str]) -> Any:
        self.calls.append(("delete", ids))
        return SimpleNamespace()


def at_once(call: Callable[[], Any]) -> Any:
    """No patience needed."""
    return call()


OURS = StreamRule(value='"tea"', tag="drinkstream", id="7")
STALE = StreamRule(value='"cocoa"', tag="drinkstream", id="8")
FOREIGN = StreamRule(value="cats", tag="pets", id="9")


def test_missing_rules_are_added_before_stale_ones_go() -> None:
    """Rules of others stay; what is there already is not sent again."""
    client = Client([OURS, STALE, FOREIGN])
    sync(client, at_once, ['"tea"', '"coffee"'])
    assert client.calls == [("add", ['"coffee"']), ("delete", ["8"])]


def test_a_rule_that_x_refuses_does_not_keep_a_start_from_the_rules_that_are_there() -> None:
    """As while it runs; with none of ours on the stream it would be silent."""
    refused = [{"title": "UnprocessableEntityRule"}]
    Followed(Client([OURS], refused), DEFAULT).begin(at_once)
    with pytest.raises(BadInputError, match="X refused a rule"):
        Followed(Client([FOREIGN], refused), DEFAULT).begin(at_once)


def test_where_x_has_no_room_for_both_old_rules_make_room_for_new_ones() -> None:
    """At no moment are there more than X takes, and no more go than have to before their successors are there."""
    old = [StreamRule(value=f'"old{n}"', tag="drinkstream", id=str(n)) for n in range(900)]
    client = Client([*old, FOREIGN])
    wanted = [f'"new{n}"' for n in range(500)]
    sync(client, at_once, wanted)
    held = [len(client.there)]
    for what, sent in client.calls:
        assert len(sent) <= 100
        held.append(held[-1] + (len(sent) if what == "add" else -len(sent)))
    last_add = max(n for n, (what, _) in enumerate(client.calls, 1) if what == "add")
    assert (max(held), min(held[: last_add + 1]), held[-1]) == (1000, 900, 501)
    assert [rule for what, added in client.calls if what == "add" for rule in added] == wanted
    assert sorted(one for what, gone in client.calls if what == "delete" for one in gone) == sorted(r.id for r in old)


def test_without_wanted_rules_nothing_changes() -> None:
    """Only a stream without any rule is an error: it would be silent for ever."""
    client = Client([FOREIGN])
    sync(client, at_once)
    assert client.calls == []
    with pytest.raises(BadInputError, match="there are no rules on X's filtered stream"):
        sync(Client([]), at_once)


def test_a_refused_rule_is_an_error_and_a_duplicate_is_not() -> None:
    """X's own words are passed on."""
    sync(Client([], [{"title": "DuplicateRule"}]), at_once, ['"tea"'])
    with pytest.raises(BadInputError, match=r"X refused a rule: .*RulesCapExceeded"):
        sync(Client([], [{"title": "RulesCapExceeded"}]), at_once, ['"tea"'])


HEAD = 'categories = ["tea", "coffee"]\n[context.drinking]\nnear = ["cup"]\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A taxonomy of one word, `tea`."""
    (tmp_path / "taxonomy").mkdir()
    asks(tmp_path / "taxonomy.toml", "tea")
    return tmp_path / "taxonomy.toml"


def asks(path: Path, word: str) -> None:
    """Make `word` the taxonomy's one word."""
    path.write_text(f'{HEAD}[[drink]]\nid = "hot"\ncategory = "tea"\nwords = ["{word}"]\n')


def test_an_edit_is_followed_once_it_stands_still(path: Path) -> None:
    """In the head or in a part; X is asked nothing while nothing changes."""
    client = Client([OURS, FOREIGN])
    followed = Followed(client, path)
    followed.begin(at_once)
    for _ in range(3):
        followed.look(at_once)
    assert client.calls == []
    asks(path, "coff")
    followed.look(at_once)
    asks(path, "coffee")
    followed.look(at_once)
    assert client.calls == []
    for _ in range(3):
        followed.look(at_once)
    assert client.calls == [("add", ['"coffee"']), ("delete", ["7"])]
    client.there, client.calls = [StreamRule(value='"coffee"', tag="drinkstream", id="10")], []
    part = path.parent / "taxonomy" / "en.toml"
    part.write_text('[[drink]]\nid = "cold"\ncategory = "tea"\nwords = ["mate"]\n')
    for _ in range(3):
        followed.look(at_once)
    assert client.calls == [("add", ['"coffee" OR "mate"']), ("delete", ["10"])]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda path: path.write_text(f"{HEAD}words = "), "not TOML"),
        (lambda path: asks(path, "x" * MOST_CHARACTERS), "do not fit into 1000 rules"),
        (lambda path: path.unlink(), "no taxonomy at"),
    ],
)
def test_what_does_not_load_or_fit_leaves_the_rules_and_is_said_once(
    path: Path, caplog: pytest.LogCaptureFixture, edit: Callable[[Path], object], said: str
) -> None:
    """While connected, and at the start; the next edit that loads is followed."""
    running, starting = Client([OURS]), Client([OURS, FOREIGN])
    followed = Followed(running, path)
    followed.begin(at_once)
    edit(path)
    for _ in range(4):
        followed.look(at_once)
    started = Followed(starting, path)
    started.begin(at_once)
    for _ in range(4):
        started.look(at_once)
    assert (running.calls, starting.calls) == ([], [])
    told = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [said in record.getMessage() for record in told] == [True, True]
    asks(path, "coffee")
    for one in (followed, started):
        one.look(at_once)
        one.look(at_once)
    assert running.calls == starting.calls == [("add", ['"coffee"']), ("delete", ["7"])]


def test_what_does_not_load_ends_the_start_where_no_rule_is_ours(path: Path) -> None:
    """What other programs ask for would be taken for drinks' posts."""
    path.write_text("words = ")
    with pytest.raises(BadInputError, match="not TOML"):
        Followed(Client([FOREIGN]), path).begin(at_once)


def test_rules_that_somebody_changed_are_repaired_and_told_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An older version with the same token adds its words and deletes ours."""
    client = Client([OURS, FOREIGN])
    followed = Followed(client, path)
    followed.begin(at_once)
    followed.check(at_once)
    assert (client.calls, caplog.text.count("event=rules_repaired")) == ([], 0)
    client.there = [STALE, FOREIGN]
    followed.check(at_once)
    assert client.calls == [("add", ['"tea"']), ("delete", ["8"])]
    assert "event=rules_repaired changed=2 note=another program with the same token" in caplog.text


def test_an_edit_that_nobody_has_looked_at_twice_is_not_synced_by_a_check(path: Path) -> None:
    """It may be half saved."""
    client = Client([OURS])
    followed = Followed(client, path)
    followed.begin(at_once)
    asks(path, "coff")
    followed.check(at_once)
    followed.check(at_once)
    assert client.calls == []


def test_what_x_refused_is_tried_again_by_a_check(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reason may have passed, as another program's rules that took the room; a taxonomy that makes none has not."""
    client = Client([OURS])
    followed = Followed(client, path)
    followed.begin(at_once)
    client.there = []

    def away(_: Callable[[], Any]) -> Any:
        raise UnavailableError("no route")

    followed.check(away)
    client.errors = [{"title": "RulesCapExceeded"}]
    for _ in range(2):
        followed.check(at_once)
    client.errors = []
    followed.check(at_once)
    assert client.calls == [("add", ['"tea"'])] * 3
    assert caplog.text.count("event=rules_refused note=the rules on the stream stay and are tried again") == 2
    assert caplog.text.count("event=rules_repaired") == 1
    path.write_text("no taxonomy")
    for _ in range(2):
        followed.look(at_once)
    client.calls.clear()
    client.there = []
    followed.check(at_once)
    assert client.calls == []
    assert caplog.text.count("stay until the taxonomy is mended") == 1


def test_where_x_is_out_of_reach_the_next_look_tries_again(path: Path) -> None:
    """But not where it refuses a rule: it would refuse it again."""
    client = Client([OURS])
    followed = Followed(client, path)
    followed.begin(at_once)
    asks(path, "coffee")

    def away(_: Callable[[], Any]) -> Any:
        raise UnavailableError("no route")

    for _ in range(3):
        followed.look(away)
    client.errors = [{"title": "RulesCapExceeded"}]
    for _ in range(3):
        followed.look(at_once)
    assert client.calls == [("add", ['"coffee"'])]
