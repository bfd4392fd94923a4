"""Moments of what is left of sorted normal values, against simulations and known sums."""

import numpy as np
import pytest

from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.stats.order_statistics import (
    quantile_moments,
    trimmed_factors,
    trimmed_moments,
    variance_factors,
)

DRAWN = 400_000
CASES = [(3, 1, 1), (4, 1, 1), (5, 0, 2), (5, 2, 0), (6, 3, 1), (10, 1, 1), (10, 4, 5), (30, 5, 2)]


def simulated(n, low, high, average):
    """Variance of the average of what is left, and mean of the squared distances from it."""
    rng = np.random.default_rng([n, low, high])
    left = np.sort(rng.standard_normal((n, DRAWN)), axis=0)[low : n - high]
    found = left.mean(axis=0) if average == MEAN else np.quantile(left, average, axis=0)
    return found.var(), ((left - found) ** 2).sum(axis=0).mean()


@pytest.mark.parametrize("average", [MEAN, 0.5, 0.3, 0.0, 1.0])
@pytest.mark.parametrize(("n", "low", "high"), CASES)
def test_moments_agree_with_a_simulation(n, low, high, average):
    variance, squares = trimmed_moments(average, n, low, high)
    expected, expected_deviations = simulated(n, low, high, average)
    assert variance == pytest.approx(expected, rel=0.01)
    assert squares == pytest.approx(expected_deviations, rel=0.006, abs=1e-12)


@pytest.mark.parametrize("n", [2, 3, 4, 10, 31, 300])
@pytest.mark.parametrize("quantile", [0.5, 0.3, 0.0, 1.0])
def test_with_nothing_dropped_the_squares_are_those_of_all_values(n, quantile):
    """By Basu's theorem: n - 1 about the mean, and n times the square of their distance."""
    mean, variance = quantile_moments(quantile, n)
    expected = n - 2 + n * variance + n * mean**2
    assert trimmed_moments(quantile, n, 0, 0)[1] == pytest.approx(expected, rel=1e-6)


def test_the_mean_of_all_values_is_the_mean():
    assert trimmed_moments(MEAN, 7, 0, 0) == pytest.approx((1 / 7, 6.0), rel=1e-12)


@pytest.mark.parametrize(("n", "low", "high"), [(3, 1, 1), (9, 4, 4), (9, 0, 8), (400, 10, 389)])
def test_one_value_that_is_left_is_an_order_statistic(n, low, high):
    _, expected = quantile_moments(low / (n - 1), n)
    for average in (MEAN, 0.5, 0.2):
        variance, squares = trimmed_moments(average, n, low, high)
        assert variance == pytest.approx(expected, rel=1e-7)
        assert squares == 0.0


def test_sides_change_places_with_the_signs():
    for average in (MEAN, 0.5):
        assert trimmed_moments(average, 12, 4, 1) == pytest.approx(
            trimmed_moments(average, 12, 1, 4), rel=1e-9
        )


def test_of_many_values_a_share_is_dropped_as_the_theory_of_large_samples_states():
    """A tenth on either side of a normal sample: 1.0604 times the variance of the mean."""
    n = 4000
    variance, _ = trimmed_moments(MEAN, n, n // 10, n // 10)
    assert n * variance == pytest.approx(1.0604, abs=2e-4)
    dropping_two, _ = trimmed_moments(MEAN, n, 1, 1)
    assert 1.0 < n * dropping_two < 1.001


def test_tables_are_indexed_by_the_number_left():
    scatter, ratio, share = trimmed_factors(MEAN, 9, 2, 1)
    assert share.tolist() == [1.0] * 10
    for m in range(2, 7):
        variance, squares = trimmed_moments(MEAN, m + 3, 2, 1)
        assert ratio[m] == pytest.approx(m * variance)
        assert scatter[m] == pytest.approx(variance / squares)
    assert np.isnan(scatter[[0, 1, 7, 8, 9]]).all()


def test_tables_of_many_frames_are_as_good_between_the_numbers_that_were_integrated():
    scatter, ratio, _ = trimmed_factors(MEAN, 2000, 5, 20)
    for m in (2, 99, 100, 101, 103, 517, 1203, 1974, 1975):
        variance, squares = trimmed_moments(MEAN, m + 25, 5, 20)
        assert ratio[m] == pytest.approx(m * variance, rel=1e-4)
        assert scatter[m] == pytest.approx(variance / squares, rel=1e-4)
    assert np.isfinite(ratio).all()
    assert np.isnan(scatter[[1, 1976, 2000]]).all()


@pytest.mark.parametrize("average", [MEAN, 0.5])
def test_more_extremes_than_frames_leave_an_empty_table(average):
    scatter, _, _ = trimmed_factors(average, 3, 2, 1)
    assert np.isnan(scatter).all()


def test_the_median_of_what_is_left_on_both_sides_is_the_median_of_all():
    _, ratio, share = trimmed_factors(0.5, 12, 2, 2)
    _, plain, plain_share = variance_factors(0.5, 12)
    for m in range(1, 9):
        assert ratio[m] / m == pytest.approx(plain[m + 4] / (m + 4), rel=1e-12)
        assert share[m] == plain_share[m + 4]
