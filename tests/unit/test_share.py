"""Denominators, shares and mixes, on numbers small enough to count by hand."""

import pytest

from drinkstream.cells import Level
from drinkstream.errors import BadInputError
from drinkstream.share import By, Filter, Share, Shares, Total, concerns, count, kinds, shares


def totals(kind: str, lang: str, **levels: int) -> list[Total]:
    """Totals written as category__brand=n, with `any` for '*' and nothing for ''."""
    found = []
    for name, n in levels.items():
        category, _, brand = name.partition("__")
        star = {"any": "*"}
        found.append(Total(star.get(category, category), star.get(brand, brand), "x", kind, lang, n))
    return found


# ten posts name a drink: seven coffee (three of them with starbucks), five tea, so two name both;
# six posts name a brand: starbucks five times (two without a drink), costa twice, so one names both
DAY = totals(
    "original", "en",
    any__=10, coffee__=7, tea__=5, coffee__starbucks=3, any__starbucks=5, any__costa=2, tea__costa=1, any__any=6,
)  # fmt: skip
REPOSTS = totals("repost", "en", any__=4, coffee__=4)
GERMAN = totals("original", "de", any__=2, tea__=2)
PLAIN = Filter(kinds=kinds(None, None))


def test_share_by_category_divides_by_posts_that_name_any_drink():
    assert shares(DAY, "category", PLAIN) == Shares(
        10, 12, (Share("coffee", None, 7, 0.7, 7 / 12), Share("tea", None, 5, 0.5, 5 / 12))
    )


def test_share_by_brand_divides_by_posts_that_name_any_brand():
    assert shares(DAY, "brand", PLAIN) == Shares(
        6, 7, (Share(None, "starbucks", 5, 5 / 6, 5 / 7), Share(None, "costa", 2, 2 / 6, 2 / 7))
    )


def test_the_other_dimension_narrows_numerator_and_denominator_alike():
    by_category = shares(DAY, "category", Filter(brand="starbucks", kinds=PLAIN.kinds))
    assert by_category == Shares(5, 3, (Share("coffee", "starbucks", 3, 3 / 5, 1.0),))
    by_brand = shares(DAY, "brand", Filter(category="coffee", kinds=PLAIN.kinds))
    assert by_brand == Shares(7, 3, (Share("coffee", "starbucks", 3, 3 / 7, 1.0),))


def test_a_filter_on_the_dimension_itself_only_selects_rows():
    assert shares(DAY, "category", Filter(category="tea", kinds=PLAIN.kinds)) == Shares(
        10, 12, (Share("tea", None, 5, 0.5, 5 / 12),)
    )
    assert shares(DAY, "category", Filter(category="milk", kinds=PLAIN.kinds)) == Shares(10, 12, ())


@pytest.mark.parametrize("by", ["category", "brand"])
@pytest.mark.parametrize(
    "narrowed", [PLAIN, Filter(brand="starbucks"), Filter(category="coffee"), Filter("tea", "costa")]
)
def test_the_levels_that_an_answer_reads_give_it_without_the_others(by: By, narrowed: Filter):
    """Each of them is needed: without it the answer is another one."""
    read = [total for total in DAY if concerns(by, narrowed, Level(total.category, total.brand))]
    assert shares(read, by, narrowed) == shares(DAY, by, narrowed)
    if narrowed == PLAIN:
        for total in read:
            assert shares([other for other in read if other != total], by, narrowed) != shares(DAY, by, narrowed)
    assert len(read) < len(DAY)


def test_reposts_are_left_out_unless_asked_for_and_a_kind_overrides_them():
    both = DAY + REPOSTS
    assert shares(both, "category", PLAIN).total == 10
    assert shares(both, "category", Filter(kinds=kinds(None, "include"))).total == 14
    assert shares(both, "category", Filter(kinds=kinds("repost", "exclude"))) == Shares(
        4, 4, (Share("coffee", None, 4, 1.0, 1.0),)
    )


def test_language_narrows_everything():
    assert shares(DAY + GERMAN, "category", Filter(lang="de", kinds=PLAIN.kinds)) == Shares(
        2, 2, (Share("tea", None, 2, 1.0, 1.0),)
    )


def test_nothing_counted_gives_no_rows_and_no_division():
    assert shares([], "category", PLAIN) == Shares(0, 0, ())


def test_count_is_the_level_that_the_question_names():
    assert [
        count(DAY, PLAIN),
        count(DAY, Filter(category="coffee", kinds=PLAIN.kinds)),
        count(DAY, Filter(category="coffee", brand="starbucks", kinds=PLAIN.kinds)),
        count(DAY, Filter(brand="starbucks", kinds=PLAIN.kinds)),
        count(DAY, Filter(category="beer", kinds=PLAIN.kinds)),
    ] == [10, 7, 3, 5, 0]


def test_unknown_kinds_and_reposts_are_refused_with_what_is_allowed():
    with pytest.raises(BadInputError, match="kind: one of original, reply, quote, repost, not 'retweet'"):
        kinds("retweet", None)
    with pytest.raises(BadInputError, match="reposts: include or exclude, not 'yes'"):
        kinds(None, "yes")
