"""The labelled posts are enough, of every kind, and consistent with themselves."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.lib.labelled import Labelled, labelled, read_labelled

POSTS = labelled()
CATEGORIES = set("coffee tea beer wine spirits soda juice water energy milk".split())
BRANDS = {
    "starbucks", "dunkin", "costa", "nescafe", "kopi kenangan", "fore", "tomoro", "point coffee", "tuku",
    "flash coffee", "coca-cola", "pepsi", "sprite", "dr pepper", "mountain dew", "red bull", "monster", "rockstar",
    "gatorade", "powerade", "5-hour energy", "lacroix", "perrier", "evian", "budweiser", "bud light", "coors", "corona",
    "guinness", "heineken", "steinlager", "patron", "jack daniels", "crown royal", "captain morgan", "fireball",
    "hendricks", "ketel one", "innocent",
}  # fmt: skip
"""Those that the counting rules name."""

TRAPS = set(
    "name idiom colour food battery gossip meal cocaine fuel java virus sprite sake chocolate-bar shot team arena "
    "token museum handle link brand-only alcohol emoji syllable foreign-word object water-use other".split()
)
LANGUAGES = set("en es pt fr de it nl id ja ko th ar tr ru lv".split())
SAME_LANGUAGE = {"in": "id", "ms": "id"}


def test_a_line_is_read_into_its_post():
    line = '{"text": "no tea at Costa", "group": "drink", "names": [["tea", null], [null, "costa"]], "note": "why"}'
    post = Labelled("no tea at Costa", "", "drink", frozenset({("tea", None), (None, "costa")}), note="why")
    assert read_labelled(line) == post
    assert (post.categories, post.brands) == ({"tea"}, {"costa"})


def test_a_field_that_nobody_knows_is_refused():
    with pytest.raises(TypeError, match="brend"):
        read_labelled('{"text": "x", "group": "trap", "names": [], "brend": 1}')


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path):
    for name, text in (("b", "second"), ("a", "first")):
        (tmp_path / f"{name}.jsonl").write_text(f'{{"text": "{text}", "group": "everyday", "names": []}}\n')
    assert [post.text for post in labelled(tmp_path)] == ["first", "second"]


def test_there_are_enough_posts_of_each_group():
    groups = Counter(post.group for post in POSTS)
    assert set(groups) == {"drink", "trap", "everyday"}
    assert sum(groups.values()) >= 1500
    assert groups["everyday"] >= 500
    assert 0.4 <= groups["drink"] / len(POSTS) <= 0.6


def test_no_post_comes_twice():
    assert [text for text, times in Counter(post.text.casefold() for post in POSTS).items() if times > 1] == []


def test_a_post_of_each_group_names_what_its_group_may():
    wrong = [
        post.text
        for post in POSTS
        if bool(post.categories) != (post.group == "drink")
        or bool(post.trap) != (post.group == "trap")
        or bool(post.brands and not post.categories) != (post.trap == "brand-only")
    ]
    assert wrong == []


def test_every_category_and_every_brand_of_the_rules_is_named():
    assert {category for post in POSTS for category in post.categories} == CATEGORIES
    assert BRANDS - {brand for post in POSTS for brand in post.brands} == set()


def test_every_kind_of_trap_is_there():
    assert {post.trap for post in POSTS} - {""} == TRAPS


def test_every_language_of_the_rules_has_posts_of_each_group():
    groups = defaultdict(Counter)
    for post in POSTS:
        groups[SAME_LANGUAGE.get(post.lang, post.lang)][post.group] += 1
    assert {lang for lang in LANGUAGES if sum(groups[lang].values()) < 25} == set()
    assert {lang for lang in LANGUAGES if len(groups[lang]) < 3} == set()


def test_brands_are_spelled_in_lower_case_without_apostrophes():
    brands = {brand for post in POSTS for brand in post.brands}
    assert {brand for brand in brands if brand != brand.strip().lower() or "'" in brand} == set()


def test_the_two_posts_of_a_pair_differ_in_one_word_and_in_truth():
    pairs = defaultdict(list)
    for post in POSTS:
        if post.pair:
            pairs[post.pair].append(post)
    assert len(pairs) >= 50
    for pair in pairs.values():
        one, other = pair
        words, others = one.text.split(), other.text.split()
        assert len(words) == len(others), one.text
        assert sum(a != b for a, b in zip(words, others, strict=True)) == 1, one.text
        assert one.categories != other.categories, one.text
        assert one.held_out == other.held_out


def test_about_a_third_is_held_out():
    assert 0.3 <= sum(post.held_out for post in POSTS) / len(POSTS) <= 0.37


def test_the_split_is_by_the_pair_or_else_by_the_text():
    """The CRC-32 of `123456789` is published as cbf43926 (mod 3: 2), that of `abc` as 352441c2 (mod 3: 0)."""
    assert not Labelled("123456789", "", "trap", frozenset()).held_out
    assert Labelled("abc", "", "trap", frozenset()).held_out
    assert Labelled("123456789", "", "trap", frozenset(), pair="abc").held_out
