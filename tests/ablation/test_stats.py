"""Intervals over seeds against scipy.stats, a calculation by hand, and their stated coverage in simulated draws."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from zoo.ablation.stats import Interval, mean_ci, paired_difference

finite = st.floats(-1e3, 1e3).map(lambda value: round(value, 6))


def test_mean_ci_by_hand() -> None:
    # mean 2, s = 1, standard error 1/sqrt(3); t(0.975, 2) = 4.302653 in any printed table
    interval = mean_ci([1.0, 2.0, 3.0])
    assert interval is not None
    assert interval.mean == 2.0 and interval.n == 3
    assert interval.low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-6)
    assert interval.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-6)


@settings(deadline=None)
@given(st.lists(finite, min_size=2, max_size=12), st.sampled_from([0.8, 0.95, 0.99]))
def test_mean_ci_is_the_t_interval_of_scipy(values: list[float], level: float) -> None:
    interval = mean_ci(values, level)
    assert interval is not None and interval.low is not None and interval.high is not None
    assert interval.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    scale = stats.sem(values)
    if scale < 1e-9:  # scipy gives NaN for values that do not scatter: the interval is a point
        assert interval.high - interval.low < 1e-6
        return
    low, high = stats.t.interval(level, len(values) - 1, loc=interval.mean, scale=scale)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-7), pytest.approx(high, abs=1e-7))


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 99), st.tuples(finite, finite), min_size=2, max_size=10))
def test_paired_difference_is_the_paired_t_test_of_scipy(pairs: dict[int, tuple[float, float]]) -> None:
    arm, baseline = {s: a for s, (a, _) in pairs.items()}, {s: b for s, (_, b) in pairs.items()}
    interval = paired_difference(arm, baseline)
    assert interval is not None and interval.low is not None and interval.high is not None
    if interval.high - interval.low < 1e-6:
        return
    expected = stats.ttest_rel(list(arm.values()), list(baseline.values())).confidence_interval(0.95)
    assert interval.low == pytest.approx(expected.low, abs=1e-7)
    assert interval.high == pytest.approx(expected.high, abs=1e-7)


def test_pairing_is_by_seed_not_by_order() -> None:
    arm, baseline = {0: 2.0, 1: 3.0, 2: 4.0}, {2: 3.5, 0: 1.5, 1: 2.5}
    assert paired_difference(arm, baseline) == Interval(0.5, 0.5, 0.5, 3)


def test_only_shared_seeds_count() -> None:
    assert paired_difference({0: 2.0, 1: 3.0, 5: 99.0}, {0: 1.0, 1: 2.0, 7: -99.0}) == Interval(1.0, 1.0, 1.0, 2)


def test_one_value_has_no_interval_and_none_has_no_mean() -> None:
    assert mean_ci([2.5]) == Interval(2.5, None, None, 1)
    assert paired_difference({3: 2.0}, {3: 1.5}) == Interval(0.5, None, None, 1)
    assert mean_ci([]) is None
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"expected a confidence level between 0 and 1, such as 0\.95"):
        mean_ci([1.0, 2.0], level)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected finite values, got \[1.0, nan\]"):
        mean_ci([1.0, float("nan")])


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_coverage_is_what_it_says(num_seeds: int) -> None:
    """Of 95 % intervals of differences between arms that share a seed's luck, 95 % hold the true difference."""
    rng, true_difference, draws = random.Random(num_seeds), -0.02, 6000
    covered = 0
    for _ in range(draws):
        luck = [rng.gauss(2.1, 0.05) for _ in range(num_seeds)]  # common to both arms
        baseline = {seed: value + rng.gauss(0, 0.01) for seed, value in enumerate(luck)}
        arm = {seed: value + true_difference + rng.gauss(0, 0.01) for seed, value in enumerate(luck)}
        interval = paired_difference(arm, baseline)
        assert interval is not None and interval.low is not None and interval.high is not None
        covered += interval.low <= true_difference <= interval.high
    assert 0.94 <= covered / draws <= 0.96


def test_pairing_narrows_the_interval_when_seeds_share_their_luck() -> None:
    baseline = {0: 2.00, 1: 2.10, 2: 2.20}
    arm = {0: 1.98, 1: 2.09, 2: 2.18}
    paired, alone = paired_difference(arm, baseline), mean_ci(list(arm.values()))
    assert paired is not None and paired.high is not None and paired.low is not None
    assert alone is not None and alone.high is not None and alone.low is not None
    assert paired.high - paired.low < (alone.high - alone.low) / 5
