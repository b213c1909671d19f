"""Questions that are asked of all keys at once are answered as by asking each key."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.cells import ANY, NO_BRAND, Level
from drinkstream.share import KINDS, Filter, Total, denominator, level, numerator
from webapp.counts import Key, Keys, columns, levels, matching, of_totals

CATEGORIES = ("beer", "tea", ANY)
BRANDS = ("acme", "other", NO_BRAND, ANY)
SOURCES = ("x", "demo", "en")
LANGS = ("en", "x", "")

names = st.sampled_from
a_key = st.builds(Key, names(CATEGORIES), names(BRANDS), names(SOURCES), names(KINDS), names(LANGS))
keys_met = st.lists(a_key, max_size=40)
questions = st.builds(
    Filter,
    st.none() | names(CATEGORIES[:2]),
    st.none() | names(BRANDS[:2]),
    st.none() | names((*SOURCES, "never met")),
    st.none() | names((*LANGS, "never met")),
    st.frozensets(names(KINDS)),
)


def total(key: Key, n: int = 0) -> Total:
    """A day's total of a key."""
    return Total(*key, n)


@given(keys_met, keys_met, questions)
def test_of_all_keys_those_match_that_match_one_by_one(first: list[Key], later: list[Key], question: Filter):
    """Whether they were met before the first question or after it."""
    keys = Keys()
    for met in (first, later):
        for key in met:
            keys.number(key)
        known = keys.all()
        wanted = [question.admits(total(key)) and Level(key.category, key.brand) == level(question) for key in known]
        assert matching(keys, question).tolist() == wanted


@given(
    keys_met, questions, names(("category", "brand")), st.lists(names(("beer", "acme", "none of them")), unique=True)
)
def test_each_key_counts_in_the_column_of_its_level(met: list[Key], question: Filter, by: str, values: list[str]):
    keys = Keys()
    for key in met:
        keys.number(key)
    found = columns(keys, by, question, values)  # type: ignore[arg-type]
    columns_of = {numerator(by, question, value): place for place, value in enumerate(values)}  # type: ignore[arg-type]
    for number, key in enumerate(keys.all()):
        counted, of = question.admits(total(key)), Level(key.category, key.brand)
        assert found.column[number] == (columns_of.get(of, -1) if counted else -1)
        assert found.whole[number] == (counted and of == denominator(by, question))  # type: ignore[arg-type]
    assert found.values == tuple(values)


@given(
    st.dictionaries(a_key, st.integers(0, 9)),
    questions,
)
def test_the_posts_of_each_level_are_those_of_its_keys(posts: dict[Key, int], question: Filter):
    keys = Keys()
    counts = of_totals(keys, [total(key, n) for key, n in posts.items()])
    wanted: defaultdict[Level, int] = defaultdict(int)
    for key, n in posts.items():
        if question.admits(total(key)):
            wanted[Level(key.category, key.brand)] += n
    assert levels(keys, counts, question) == {of: n for of, n in wanted.items() if n}
    assert counts.n.dtype == np.int64
