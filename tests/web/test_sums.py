"""Sums kept of published days are the sums of their posts, whatever was asked before."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from drinkstream.merge import Choice
from drinkstream.share import KINDS, Filter, Total, shares, shares_of
from webapp.counts import Keys, add, columns, levels, matching, of_totals
from webapp.day import Day
from webapp.sums import Sums

FIRST = date(2017, 9, 1)

KEY = st.tuples(
    st.sampled_from([("*", ""), ("coffee", ""), ("tea", ""), ("coffee", "starbucks"), ("*", "starbucks"), ("*", "*")]),
    st.sampled_from(["x", "demo"]),
    st.sampled_from(KINDS),
    st.sampled_from(["en", "id"]),
)
COUNTED = st.dictionaries(KEY, st.integers(1, 1000), max_size=12)
QUESTION = st.builds(
    Filter,
    st.sampled_from([None, "coffee", "tea"]),
    st.sampled_from([None, "starbucks"]),
    st.sampled_from([None, "x"]),
    st.sampled_from([None, "id"]),
    st.sampled_from([frozenset(KINDS), frozenset(KINDS) - {"repost"}, frozenset(["quote"])]),
)
BY = st.sampled_from(["category", "brand"])


def totals_of(counted: dict) -> list[Total]:
    return [Total(*level, source, kind, lang, n) for (level, source, kind, lang), n in counted.items()]


@given(
    days=st.lists(st.tuples(st.sampled_from(["batch", "speed", "missing"]), COUNTED), min_size=1, max_size=8),
    apart=st.sampled_from([1, 12, 40]),
    ranges=st.lists(st.tuples(st.integers(0, 7), st.integers(1, 8)), min_size=1, max_size=6),
    questions=st.lists(st.tuples(BY, QUESTION), min_size=1, max_size=3),
)
def test_sums_of_any_ranges_asked_in_any_order(days: list, apart: int, ranges: list, questions: list) -> None:
    """Within a month, or over several, whose sums are kept for other ranges."""
    keys, sums = Keys(), Sums()
    made = []
    for number, (layer, counted) in enumerate(days):
        run, epoch = (f"run-{number}" if layer == "batch" else None, "e1" if layer == "speed" else None)
        counts = None if layer == "missing" else of_totals(keys, totals_of(counted))
        made.append(Day(Choice(FIRST + timedelta(days=number * apart), layer, run, epoch), None, counts, "m1"))
    for start, length in ranges * 2:
        asked = made[start : start + length]
        posts = [totals_of(counted) for layer, counted in days[start : start + length]]
        known = [total for day, some in zip(asked, posts, strict=True) if day.counts is not None for total in some]
        whole = sums.whole(asked)
        again = add([day.counts for day in asked if day.counts is not None])
        assert (whole.key.tolist(), whole.n.tolist()) == (again.key.tolist(), again.n.tolist())
        for by, question in questions:
            assert shares_of(levels(keys, whole, question), by, question) == shares(known, by, question)
            parts = sums.parts((by, question), columns(keys, by, question, ()).whole, asked)
            assert parts == [
                None if day.counts is None else shares(some, by, question).total
                for day, some in zip(asked, posts, strict=True)
            ]
            hits = sums.parts(question, matching(keys, question), asked)
            level = (question.category or "*", question.brand or "")
            assert hits == [
                None
                if day.counts is None
                else sum(t.n for t in some if (t.category, t.brand) == level and question.admits(t))
                for day, some in zip(asked, posts, strict=True)
            ]
