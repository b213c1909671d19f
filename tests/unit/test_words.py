"""A classification in words, as `drinkstream classify --explain` writes it."""

from click.testing import CliRunner

from drinkstream.cells import Level
from drinkstream.classify import Classifier
from drinkstream.cli import cli
from drinkstream.explain import installed
from drinkstream.taxonomy import load
from drinkstream.words import named, spoken

LINES = """{"id": 1, "text": "a starbucks latte, spill the tea", "lang": "en"}
{"id": 2, "text": "good morning"}
"""


def test_what_counts_and_what_was_held_back_is_said_with_its_rule() -> None:
    answer = CliRunner().invoke(cli, ["classify", "--explain"], input=LINES)
    assert answer.output.splitlines() == [
        "1:",
        "  counts as coffee with starbucks: 'starbucks' at 2-11, by rule brands.starbucks+en.latte "
        "(the drink beside it, by rule en.latte)",
        "  held back: 'tea', by rule traps.gossip: it is part of a name, an idiom or a thing listed as traps.gossip",
        "2:",
        "  names no drink",
    ]


def test_what_may_not_be_quoted_is_left_out() -> None:
    hidden = {"alias": None, "start": None, "end": None, "rule": "r1"}
    answer = {"mentions": [{"category": None, "brand": "pepsi", **hidden}], "held": [{"alias": None, "rule": "r2"}]}
    assert list(spoken(answer, installed())) == ["counts as pepsi, by rule r1", "held back: an alias, by rule r2"]


def test_a_level_has_a_name() -> None:
    names = [named(Level(*level)) for level in (("*", ""), ("*", "*"), ("tea", ""), ("tea", "lipton"), ("*", "lipton"))]
    assert names == ["any drink", "any brand", "tea", "tea with lipton", "lipton"]


def test_a_drink_held_back_by_the_words_around_it_is_told_so() -> None:
    """None of the reasons that are no context, such as the case of its letters, begins like a context's name."""
    classifier = Classifier(load())
    for text in ("ce n'est pas ma tasse de thé", "c'est pas la tasse de thé de mon père"):
        decision = classifier.decide(text, "fr")
        assert decision.mentions == ()
        assert {installed().held(held.rule) for held in decision.held} == {
            "it is part of a name, an idiom or a thing listed as romance.not-my-tea-fr"
        }
    assert installed().held("romance.tea-fr:pas-ma-tasse") == (
        "romance.tea-fr does not count beside pas-ma-tasse (pas ma tasse de, pas la tasse de, pas leur tasse de, "
        "pas trop ma tasse de, pas vraiment ma tasse de)"
    )
