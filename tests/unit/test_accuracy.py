"""The figures of accuracy, on a few posts whose scores are counted by hand."""

import pytest

from bench import accuracy
from bench.accuracy import Fires, Judged, Score
from bench.evaluate import error, report
from drinkstream.classify import Decision, Held, Mention
from tests.lib.labelled import Labelled


def post(text: str = "x", lang: str = "en", group: str = "drink", names: tuple = (), trap: str = "") -> Labelled:
    return Labelled(text, lang, group, frozenset(names), trap)


def judged(one: Labelled, *categories: str, brands: tuple[str, ...] = ()) -> Judged:
    return Judged(one, frozenset(categories), frozenset(brands))


COFFEE_RIGHT = judged(post(names=(("coffee", "starbucks"),)), "coffee", brands=("Starbucks",))
TEA_MISSED = judged(post(lang="es", names=(("tea", None), ("milk", None))), "milk")
BEER_FOR_WINE = judged(post(lang="in", names=(("wine", None),)), "beer", brands=("corona",))
CHAIN_ONLY = judged(post(group="trap", names=((None, "costa"),), trap="brand-only"), brands=("costa",))
IDIOM_FIRED = judged(post(group="trap", trap="idiom"), "tea", "milk")
SILENT = judged(post(lang="", group="everyday"))
ALL = [COFFEE_RIGHT, TEA_MISSED, BEER_FOR_WINE, CHAIN_ONLY, IDIOM_FIRED, SILENT]


def test_categories_are_scored_by_post_and_category():
    """Right: coffee, milk. Wrong: beer, and the idiom's tea and milk. Missed: tea, wine."""
    assert accuracy.categories(ALL) == Score(right=2, wrong=3, missed=2)


def test_brands_are_scored_by_post_and_brand_with_or_without_a_drink():
    """Right: starbucks, costa. Wrong: corona. Missed: none."""
    assert accuracy.brands(ALL) == Score(right=2, wrong=1, missed=0)


def test_precision_recall_and_f1_follow_from_a_score():
    """2 of 5 found are right, 2 of 4 true are found; the harmonic mean of 2/5 and 1/2 is 4/9."""
    score = Score(right=2, wrong=3, missed=2)
    assert (score.true, score.precision, score.recall) == (4, 0.4, 0.5)
    assert score.f1 == pytest.approx(4 / 9)


def test_a_share_of_nothing_is_no_number():
    assert (Score().precision, Score().recall, Score().f1, Fires().rate) == (None, None, None, None)
    assert (Score(missed=1).precision, Score(missed=1).recall, Score(missed=1).f1) == (None, 0.0, 0.0)


def test_each_category_has_a_score_of_its_own():
    assert accuracy.by_category(ALL) == {
        "beer": Score(wrong=1),
        "coffee": Score(right=1),
        "milk": Score(right=1, wrong=1),
        "tea": Score(wrong=1, missed=1),
        "wine": Score(missed=1),
    }


def test_a_fire_is_a_category_in_a_post_without_one_and_counts_once():
    """Three posts name no category: the chain's brand is no fire, the idiom's two categories are one."""
    assert accuracy.false_fires(ALL) == Fires(fired=1, posts=3)
    assert Fires(1, 4).rate == 0.25


def test_outside_english_are_the_posts_that_are_tagged_with_another_language():
    undetermined = judged(post(lang="und"))
    assert accuracy.outside_english([*ALL, undetermined]) == [TEA_MISSED, BEER_FOR_WINE]


@pytest.mark.parametrize(
    ("lang", "reported"),
    [("", "none"), ("und", "none"), ("in", "id"), ("ms", "id"), ("iw", "he"), ("pt-BR", "pt"), ("en", "en")],
)
def test_a_language_is_reported_under_todays_tag(lang: str, reported: str):
    assert accuracy.language(post(lang=lang)) == reported


def test_posts_are_grouped_under_their_keys_in_order():
    groups = accuracy.by(lambda one: one.group, ALL)
    assert groups == {
        "drink": [COFFEE_RIGHT, TEA_MISSED, BEER_FOR_WINE],
        "everyday": [SILENT],
        "trap": [CHAIN_ONLY, IDIOM_FIRED],
    }
    assert list(groups) == ["drink", "everyday", "trap"]


def test_spellings_of_a_brand_are_one_brand():
    assert accuracy.brand_key("Peet's") == accuracy.brand_key("peets")
    assert accuracy.brand_key("coca-cola") == accuracy.brand_key("Coca Cola")
    assert accuracy.brand_key("pepsi") != accuracy.brand_key("pepsi max")


def test_a_post_is_wrong_when_a_category_or_a_brand_is():
    assert [accuracy.wrong(one) for one in ALL] == [False, True, True, False, True, False]
    assert accuracy.wrong(judged(post(names=(("beer", "corona"),)), "beer"))


def test_the_report_has_both_splits_side_by_side():
    lines = report((ALL, [COFFEE_RIGHT, SILENT])).splitlines()
    assert lines[:14] == [
        "|  | dev | held out |",
        "| --- | --: | --: |",
        "| posts | 6 | 2 |",
        "| posts that name a drink | 3 | 1 |",
        "| precision | 40.0 % | 100.0 % |",
        "| recall | 50.0 % | 100.0 % |",
        "| F1 | 44.4 % | 100.0 % |",
        "| brand precision | 66.7 % | 100.0 % |",
        "| brand recall | 100.0 % | 100.0 % |",
        "| brand F1 | 80.0 % | 100.0 % |",
        "| recall outside English | 33.3 % | - |",
        "| false fires, posts without a drink | 1 of 3 (33.3 %) | 0 of 1 (0.0 %) |",
        "| false fires, traps | 1 of 2 (50.0 %) | 0 of 0 |",
        "| false fires, everyday posts | 0 of 1 (0.0 %) | 0 of 1 (0.0 %) |",
    ]
    assert "| coffee | 1 | 100.0 % | 100.0 % | 100.0 % | 1 | 100.0 % | 100.0 % | 100.0 % |" in lines
    assert "| wine | 1 | - | 0.0 % | 0.0 % | 0 | - | - | - |" in lines
    assert "| idiom | 1 of 1 (100.0 %) | 0 of 0 |" in lines


def test_an_error_says_what_was_expected_what_was_found_and_by_which_rules():
    one = Labelled("smell the coffee at costa", "en", "trap", frozenset({(None, "costa")}), "idiom", note="an idiom")
    found = Decision((Mention("coffee", None, "coffee", 10, 16, "en.coffee"),), (Held("costa", "needs-cafe-words"),))
    assert error(one, found).splitlines() == [
        "en idiom: smell the coffee at costa",
        "    expected  -:costa",
        "    found     coffee:- (coffee, en.coffee)",
        "    held back costa (needs-cafe-words)",
        "    note      an idiom",
    ]


def test_a_post_without_an_error_has_nothing_to_say():
    assert error(post(names=(("tea", None),)), Decision((Mention("tea", None, "tea", 0, 3, "en.tea"),), ())) == ""
