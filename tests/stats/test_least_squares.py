import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.stats import (
    iterative_rejection_least_squares as fit,
)
from autowisp_xr.stats import (
    iterative_rejection_polynomial_fit as polynomial_fit,
)


def slow_fit(matrix, rhs, plus, minus, most):
    kept = list(range(len(rhs)))
    rounds = 0
    while True:
        coefficients = np.linalg.lstsq(matrix[kept], rhs[kept], rcond=None)[0]
        distance = rhs - matrix @ coefficients
        residual = math.sqrt(sum(distance[i] ** 2 for i in kept) / len(kept))
        fine = [i for i in kept if -minus * residual <= distance[i] <= plus * residual]
        if rounds == most or len(fine) == len(kept):
            return coefficients, residual
        kept = fine
        rounds += 1


def test_a_line_through_three_points_by_hand():
    coefficients, residual, predicted = fit(
        [[1, 0], [1, 1], [1, 2]], [0.0, 3.0, 0.0], return_predicted=True
    )
    np.testing.assert_allclose(coefficients, [1, 0], atol=1e-14)
    np.testing.assert_allclose(predicted, [1, 1, 1])
    assert residual == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("most", [0, 1, 2, 3, math.inf])
@pytest.mark.parametrize("threshold", [(2.0, -3.0), (2.5, -1.5), 2])
def test_rejection_agrees_with_the_slow_version(threshold, most, rng):
    matrix = rng.normal(size=(60, 4))
    rhs = matrix @ [1.0, -2.0, 3.0, 0.5] + rng.normal(size=60) ** 3
    plus, minus = threshold if isinstance(threshold, tuple) else (threshold, -threshold)
    coefficients, residual = fit(matrix, rhs, threshold, most)
    slow, slow_residual = slow_fit(matrix, rhs, plus, -minus, most)
    np.testing.assert_allclose(coefficients, slow, rtol=1e-10)
    assert residual == pytest.approx(slow_residual, rel=1e-12)


def test_the_number_of_iterations_is_that_of_rejections():
    line = np.ones((9, 1))
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 50, 1000])
    means = [float(fit(line, values, 2.0, most)[0][0]) for most in (0, 1, 2, None)]
    assert means == pytest.approx([values.mean(), values[:8].mean(), 4.0, 4.0])


def test_a_point_on_the_threshold_stays():
    # mean 0, residual 1: both are exactly one residual away
    values = [1.0, -1.0]
    assert fit([[1.0], [1.0]], values, 1.0)[1] == 1.0
    assert math.isnan(fit([[1.0], [1.0]], values, 0.99)[1])


def test_without_a_threshold_nothing_is_rejected():
    values = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 700.0]
    assert fit(np.ones((8, 1)), values)[0] == pytest.approx(87.5)
    assert fit(np.ones((8, 1)), values, 2.0)[0] == pytest.approx(0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_left_out(bad, rng):
    matrix = rng.normal(size=(9, 2))
    rhs = rng.normal(size=9)
    expected = fit(matrix[2:], rhs[2:], 1.5)
    matrix[0, 1] = rhs[1] = bad
    coefficients, residual, predicted = fit(matrix, rhs, 1.5, return_predicted=True)
    np.testing.assert_allclose(coefficients, expected[0])
    assert residual == pytest.approx(expected[1])
    assert np.isnan(predicted[0])
    np.testing.assert_allclose(predicted[1:], matrix[1:] @ coefficients)


def test_as_many_points_as_coefficients_are_fitted_exactly():
    coefficients, residual = polynomial_fit([1.0, 2.0, 4.0], [1.0, 4.0, 16.0], 2, 3.0)
    np.testing.assert_allclose(coefficients, [0, 0, 1], atol=1e-13)
    assert residual == 0.0
    assert isinstance(residual, float)


def test_fewer_points_than_coefficients_give_nan():
    results = polynomial_fit([1.0, 2.0, np.nan], [1.0, 4.0, 3.0], 2, 3.0, return_predicted=True)
    for result, shape in zip(results, [(3,), (), (3,)], strict=True):
        assert np.shape(result) == shape
        assert np.isnan(result).all()


def test_no_points_give_nan():
    coefficients, residual, predicted = fit(np.ones((0, 2)), [], 3.0, return_predicted=True)
    assert np.isnan(coefficients).all()
    assert coefficients.shape == (2,)
    assert math.isnan(residual)
    assert predicted.shape == (0,)
    assert np.isnan(polynomial_fit([], [], 1)[1])


def test_rejecting_too_much_gives_nan():
    # two points, each farther from their mean than a tenth of the residual
    assert math.isnan(fit(np.ones((2, 1)), [0.0, 2.0], 0.1)[1])


def test_columns_that_depend_on_each_other_still_give_a_number():
    matrix = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    coefficients, residual, predicted = fit(matrix, [1.0, 2.0, 6.0], return_predicted=True)
    np.testing.assert_allclose(predicted, 3.0)
    np.testing.assert_allclose(matrix @ coefficients, 3.0)
    assert residual == pytest.approx(math.sqrt(14 / 3))
    assert fit(np.zeros((2, 1)), [1.0, 1.0]) == (0.0, 1.0)


def test_a_polynomial_of_one_place_is_its_mean():
    coefficients, residual = polynomial_fit([5.0, 5.0, 5.0], [1.0, 2.0, 6.0], 2, 3.0)
    assert np.polynomial.Polynomial(coefficients)(5.0) == pytest.approx(3.0)
    assert residual == pytest.approx(math.sqrt(14 / 3))


def test_an_exact_fit_rejects_none_of_its_rounding_errors(rng):
    x = rng.uniform(1e4, 6e4, 12)
    y = 3.0 + 0.7 * x + 1e-6 * x**2
    coefficients, residual = polynomial_fit(x, y, 2, 0.5)
    assert residual == 0.0
    np.testing.assert_allclose(coefficients, [3.0, 0.7, 1e-6], rtol=1e-6)


def test_dates_lose_no_digits():
    days = 2_460_000.5 + np.arange(12) / 1000
    y = 5 + 3 * (days - 2_460_000.5)
    y[4] += 1
    predicted = polynomial_fit(days, y, 1, 3.0, return_predicted=True)[2]
    np.testing.assert_allclose(predicted, 5 + 3 * (days - 2_460_000.5), rtol=1e-9)


def test_points_without_a_place_count_at_no_order():
    for order in (0, 1):
        with_gap = polynomial_fit([1.0, np.nan, 2.0, np.inf], [3.0, 90.0, 5.0, 90.0], order)
        np.testing.assert_allclose(with_gap[0], polynomial_fit([1, 2], [3, 5], order)[0])


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=4),
    st.lists(st.integers(-20, 20), min_size=5, max_size=12, unique=True),
)
def test_a_polynomial_is_found_again(truth, places):
    y = np.polynomial.Polynomial(truth)(np.array(places, float))
    coefficients, residual = polynomial_fit(places, y, len(truth) - 1, 3.0)
    found = np.polynomial.Polynomial(coefficients)(np.array(places, float))
    np.testing.assert_allclose(found, y, rtol=1e-9, atol=1e-9 * (1 + np.abs(y).max()))
    assert residual <= 1e-12 * np.abs(y).max()


@given(st.integers(0, 2**32 - 1), st.floats(0.5, 50), st.floats(-1e4, 1e4))
def test_scaling_and_shifting_values_does_the_same_to_the_fit(seed, scale, shift):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=20), rng.normal(size=20) ** 3
    plain, residual = polynomial_fit(x, y, 2, (2.0, -2.3), 2)
    moved, moved_residual = polynomial_fit(x, scale * y + shift, 2, (2.0, -2.3), 2)
    np.testing.assert_allclose(moved, scale * plain + [shift, 0, 0], rtol=1e-6, atol=1e-6)
    assert moved_residual == pytest.approx(scale * residual, rel=1e-6)


def test_inputs_are_untouched(rng):
    matrix, rhs = rng.normal(size=(9, 2)), rng.normal(size=9) ** 3
    rhs[3] = np.nan
    before = matrix.copy(), rhs.copy()
    fit(matrix, rhs, 1.0, 2, return_predicted=True)
    polynomial_fit(matrix[:, 0], rhs, 1, 1.0)
    np.testing.assert_array_equal(matrix, before[0])
    np.testing.assert_array_equal(rhs, before[1])


@pytest.mark.parametrize(
    ("matrix", "rhs"),
    [(np.ones(3), np.ones(3)), (np.ones((3, 0)), np.ones(3)), (np.ones((3, 1)), np.ones(4))],
)
def test_shapes_that_do_not_belong_together_are_refused(matrix, rhs):
    with pytest.raises(ValueError, match="one value for each point, not shapes"):
        fit(matrix, rhs)


def test_lists_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match=r"two lists of one length, not shapes \(2,\) and \(3,\)"):
        polynomial_fit([1, 2], [1, 2, 3], 1)


def test_a_negative_order_is_refused():
    with pytest.raises(ValueError, match="at least 0, not -1"):
        polynomial_fit([1, 2], [1, 2], -1)


@pytest.mark.parametrize("most", [-1, np.nan])
def test_impossible_numbers_of_iterations_are_refused(most):
    with pytest.raises(ValueError, match="max_iterations is None or at least 0, not"):
        fit([[1.0]], [1.0], 3.0, most)


def test_impossible_thresholds_are_refused():
    with pytest.raises(ValueError, match="rejection threshold"):
        fit([[1.0]], [1.0], (1, 2))
