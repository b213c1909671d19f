"""Intervals against the figures of the papers that they are from, and against samples drawn from known shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drinkstream.errors import BadInputError
from drinkstream.interval import CONFIDENCE, LOW_BASE, difference, wilson
from drinkstream.share import Change, Filter, Share, Shares, Total, changes, shares

# Newcombe 1998, Statistics in Medicine 17, 857-872, table I: method 3, the score method without continuity correction
SINGLE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
# Newcombe 1998, Statistics in Medicine 17, 873-890, table II: method 10, the cases (a) to (h)
DIFFERENCES = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0),
    (10, 10, 0, 10, 0.6075, 1.0),
]
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


@pytest.mark.parametrize(("n", "total", "low", "high"), SINGLE)
def test_the_interval_of_a_share_is_the_published_one(n: int, total: int, low: float, high: float) -> None:
    found = wilson(n, total)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(("n", "total", "before", "total_before", "low", "high"), DIFFERENCES)
def test_the_interval_of_a_change_is_the_published_one(
    n: int, total: int, before: int, total_before: int, low: float, high: float
) -> None:
    found = difference(n, total, before, total_before)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_without_posts_there_is_no_interval() -> None:
    assert (wilson(0, 0), difference(0, 0, 3, 9), difference(3, 9, 0, 0)) == (None, None, None)


@pytest.mark.parametrize(("n", "total"), [(-1, 5), (6, 5), (1, 0)])
def test_what_is_no_proportion_is_refused(n: int, total: int) -> None:
    with pytest.raises(BadInputError, match=f"{n} of {total}"):
        wilson(n, total)


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_an_interval_lies_within_0_and_1_and_holds_the_share(n: int, total: int) -> None:
    n = min(n, total)
    found = wilson(n, total)
    assert found is not None
    assert 0 <= found.low <= n / total <= found.high <= 1


def covered(total: int, p: float, draws: int, random: np.random.Generator) -> float:
    """How often, of so many samples, the interval holds the share that they were drawn from."""
    counts = random.binomial(total, p, draws)
    holds = {n: (found := wilson(n, total)) is not None and found.low <= p <= found.high for n in set(counts.tolist())}
    return float(np.mean([holds[n] for n in counts.tolist()]))


@pytest.mark.parametrize("total", [1000, 3000, 10_000, 100_000])
@pytest.mark.parametrize("p", SHARES)
def test_it_holds_the_true_share_as_often_as_it_says(total: int, p: float) -> None:
    """In 93 to 97 of 100 samples, for each share from 1 % up, of 1,000 posts and more. 20,000 samples each."""
    assert 0.93 <= covered(total, p, 20_000, np.random.default_rng([total, int(p * 1000)])) <= 0.97


@pytest.mark.parametrize("total", [10, 20, 50, LOW_BASE, 300])
def test_of_few_posts_it_does_so_on_average_over_the_shares(total: int) -> None:
    """For a single share the coverage of few posts jumps with it, since counts are whole: below 93 % at some, near
    0 and 1 above all, and above 97 % at others. Over shares spread evenly from 0 to 1 it is within 93 to 97 %."""
    random = np.random.default_rng(total)
    rates = [covered(total, p, 1_000, random) for p in random.uniform(0, 1, 300)]
    assert 0.93 <= np.mean(rates) <= 0.97
    assert CONFIDENCE == 0.95


@pytest.mark.parametrize(("total", "total_before"), [(1000, 1000), (3000, 400), (20_000, 5000)])
@pytest.mark.parametrize("p", [0.02, 0.1, 0.5])
def test_an_unchanged_share_is_called_noise_as_often_as_it_says(total: int, total_before: int, p: float) -> None:
    """Two samples of one share differ by more than noise in 3 to 7 of 100 cases."""
    random = np.random.default_rng([total, total_before])
    pairs = zip(random.binomial(total, p, 4000).tolist(), random.binomial(total_before, p, 4000).tolist(), strict=True)
    found = [difference(n, total, before, total_before) for n, before in pairs]
    assert 0.93 <= np.mean([one is not None and one.holds_zero for one in found]) <= 0.97


def day(*counts: tuple[str, int]) -> Shares:
    totals = [Total(category, "", "x", "original", "en", n) for category, n in counts]
    return shares(totals, "category", Filter())


def test_each_row_says_how_it_changed() -> None:
    """One that is new changed from nothing; the sign is that of the gain."""
    now, before = (
        day(("*", 1000), ("coffee", 520), ("tea", 301), ("milk", 50)),
        day(("*", 900), ("coffee", 360), ("tea", 270)),
    )
    coffee, tea, milk = changes(now, before)
    assert coffee == Change(0.4, 0.52 - 0.4, difference(520, 1000, 360, 900))
    assert (tea and tea.within_noise, coffee and coffee.within_noise) == (True, False)
    assert milk is not None
    assert (milk.before, milk.change, milk.within_noise) == (0.0, 0.05, False)
    assert changes(now, day()) == (None, None, None)


def test_a_low_base_is_said() -> None:
    assert (day(("*", LOW_BASE - 1)).low_base, day(("*", LOW_BASE)).low_base) == (True, False)


def test_a_live_count_ahead_of_its_denominator_is_taken_as_all_of_it() -> None:
    """The two are read one after the other, and posts come in between."""
    ahead = Shares(10, 11, (Share("coffee", None, 11, 1.1, 1.0),))
    assert ahead.interval(ahead.rows[0]) == wilson(10, 10)
    assert changes(ahead, ahead)[0] == Change(1.1, 0.0, difference(10, 10, 10, 10))
