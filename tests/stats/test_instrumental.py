"""Regression by instruments: its slope, its uncertainty, and what outliers do to it."""

import numpy as np
import pytest

from autowisp_xr.stats.instrumental import instrumental_fit


def drawn(rng, number=4000, slope=3.0, noise=0.5):
    """Values of a true regressor that is seen twice, each time with other noise."""
    true = rng.normal(0, 1, number)
    seen, again = (true + rng.normal(0, noise, number) for _ in range(2))
    values = 10 + slope * true + rng.normal(0, 1, number)
    ones = np.ones(number)
    return values, np.array([ones, seen]), np.array([ones, again]), np.arange(number)


def test_the_noise_of_a_regressor_does_not_make_the_slope_smaller(rng):
    pulls = []
    for _ in range(60):
        fit = instrumental_fit(*drawn(rng))
        pulls.append((fit.coefficients - [10, 3]) / np.sqrt(np.diag(fit.covariance)))
    assert np.mean(pulls, axis=0) == pytest.approx([0, 0], abs=0.5)
    assert np.std(pulls, axis=0) == pytest.approx([1, 1], abs=0.3)
    values, regressors, _, groups = drawn(rng)
    by_itself = instrumental_fit(values, regressors, regressors, groups)
    assert by_itself.coefficients[1] == pytest.approx(3 / 1.25, abs=0.1)


def test_it_is_least_squares_where_nothing_is_noisy_or_off(rng):
    values, regressors, _, groups = drawn(rng, noise=0.0)
    fit = instrumental_fit(values, regressors, regressors, groups)
    expected, *_ = np.linalg.lstsq(regressors.T, values, rcond=None)
    assert fit.coefficients == pytest.approx(expected, abs=0.02)
    assert np.sqrt(fit.covariance[1, 1]) == pytest.approx(1 / np.sqrt(values.size), rel=0.1)


def test_outliers_in_values_and_in_regressors_take_no_part(rng):
    values, regressors, instruments, groups = drawn(rng)
    values[:300] += 200.0
    regressors[1, 300:500] += 50.0
    instruments[1, 300:500] += 50.0
    fit = instrumental_fit(values, regressors, instruments, groups)
    assert fit.coefficients == pytest.approx([10, 3], abs=0.2)


def test_noise_that_is_common_to_groups_counts(rng):
    number, size = 400, 25
    common = np.repeat(rng.normal(0, 1, number), size)
    groups = np.repeat(np.arange(number), size)
    slow = np.repeat(rng.normal(0, 1, number), size)
    columns = np.array([np.ones(slow.size), slow])
    values = slow + common + rng.normal(0, 0.1, slow.size)
    together = instrumental_fit(values, columns, columns, groups).covariance[1, 1]
    apart = instrumental_fit(values, columns, columns, np.arange(slow.size)).covariance[1, 1]
    assert np.sqrt(together) == pytest.approx(1 / np.sqrt(number), rel=0.2)
    assert together > 15 * apart


def test_exact_values_have_no_uncertainty_and_too_few_no_fit():
    x = np.linspace(-1, 1, 30)
    columns = np.array([np.ones(30), x])
    fit = instrumental_fit(5 + 2 * x, columns, columns, np.arange(30))
    assert fit.coefficients == pytest.approx([5, 2])
    assert np.abs(fit.covariance).max() < 1e-20
    few = instrumental_fit(x[:2], columns[:, :2], columns[:, :2], np.arange(2))
    assert np.isnan(few.coefficients).all()
    flat = np.ones((2, 30))
    assert np.isnan(instrumental_fit(x, flat, flat, np.arange(30)).coefficients).all()
