from functools import partial

import numpy as np
import pytest

import autowisp_xr as aw
from tests.kernels.slow import slow_stack

average_of = aw.iterative_rejection_average


def test_the_documented_example():
    average, stdev, count = average_of([1, 2, 3, 4, 100], 1.5, average_func="mean", max_iter=1)
    assert (average, count) == (2.5, 4)
    assert stdev == pytest.approx(np.sqrt(5 / 12))


@pytest.mark.parametrize("spelling", [2, 2.0, -2, (2, -2), [-2, 2], np.array([2.0, -2.0]), (2,)])
def test_thresholds_may_be_spelt_in_many_ways(spelling, rng):
    values = rng.normal(size=(12, 5)) ** 3
    found = average_of(values, spelling)
    for ours, theirs in zip(found, average_of(values, 2.0), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_thresholds_may_be_numpy_numbers(kind, rng):
    values = rng.normal(size=(12, 5)) ** 3
    found = average_of(values, kind(2))
    for ours, theirs in zip(found, average_of(values, 2.0), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("threshold", [0, np.inf, np.nan, (1, 2), (-1, -2), (1, -2, 3), ()])
def test_impossible_thresholds_are_refused(threshold):
    with pytest.raises(ValueError, match="a rejection threshold is a finite number other than"):
        average_of([1.0, 2.0], threshold)


@pytest.mark.parametrize("name", ["median", "mean"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("max_iter", [0, 1, 2, np.inf])
def test_any_axis_agrees_with_the_slow_version(name, axis, max_iter, rng):
    values = rng.normal(size=(9, 8, 7)) ** 3
    values[rng.random(values.shape) < 0.05] = np.nan
    average, stdev, count = average_of(
        values, (1.83, -2.17), average_func=name, max_iter=max_iter, axis=axis
    )
    moved = np.moveaxis(values, axis, 0)
    assert average.shape == stdev.shape == count.shape == moved.shape[1:]
    assert count.dtype == np.int64
    for place in np.ndindex(moved.shape[1:]):
        slow = slow_stack(
            moved[(slice(None), *place)],
            name,
            plus=1.83,
            minus=2.17,
            max_iter=None if max_iter == np.inf else max_iter,
        )
        n = slow.kept.sum()
        assert count[place] == n
        assert average[place] == pytest.approx(slow.average, rel=1e-12)
        error = np.sqrt(slow.squared_deviations / (n * (n - 1))) if n > 1 else np.nan
        assert stdev[place] == pytest.approx(error, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("function", [np.median, np.nanmedian, "median", "nanmedian"])
def test_functions_of_numpy_are_known_by_their_names(function):
    assert average_of([1.0, 2.0, 9.0], 5, average_func=function)[0] == 2.0


@pytest.mark.parametrize(
    "function",
    ["max", np.max, len, "median:2", "quantile", "quantile:x", 1.5, "percentile:170"],
)
def test_other_functions_are_refused(function):
    with pytest.raises(ValueError, match=r"'median'.* quantile"):
        average_of([1.0, 2.0], 5, average_func=function)


@pytest.mark.parametrize(
    "spelling",
    [
        0.7,
        "quantile:0.7",
        "percentile:70",
        partial(np.nanquantile, q=0.7),
        partial(np.percentile, q=70),
    ],
)
def test_a_quantile_may_be_spelt_in_many_ways(spelling, rng):
    values = rng.normal(size=(9, 4))
    average, stdev, count = average_of(values, 100, average_func=spelling)
    np.testing.assert_allclose(average, np.quantile(values, 0.7, axis=0), rtol=1e-12)
    scatter = np.sqrt(((values - average) ** 2).sum(axis=0) / (9 * 8))
    np.testing.assert_allclose(stdev, scatter, rtol=1e-12)
    assert (count == 9).all()


def test_the_axis_may_stay_with_size_one():
    values = np.arange(24.0).reshape(2, 3, 4)
    for axis, shape in [(0, (1, 3, 4)), (1, (2, 1, 4)), (-1, (2, 3, 1))]:
        results = average_of(values, 5, axis=axis, keepdims=True)
        assert [result.shape for result in results] == [shape] * 3
    np.testing.assert_array_equal(
        average_of(values, 5, axis=1, keepdims=True)[0], np.median(values, axis=1, keepdims=True)
    )


def test_rejected_entries_become_nan_in_place_only_if_asked(rng):
    given = np.array([[1.0, 2.0, 3.0, 4.0, 100.0], [5.0, 5.0, 6.0, 6.0, -90.0]])
    values = given.copy()
    average_of(values, 1.5, axis=1, max_iter=1)
    np.testing.assert_array_equal(values, given)
    average_of(values, 1.5, axis=1, max_iter=1, mangle_input=True)
    expected = given.copy()
    expected[:, 4] = np.nan
    np.testing.assert_array_equal(values, expected)
    view = given.T.copy()
    average_of(view, 1.5, axis=0, max_iter=1, mangle_input=True)
    np.testing.assert_array_equal(view, expected.T)


def test_what_is_not_finite_is_left_out_and_nothing_is_nan():
    average, stdev, count = average_of([np.nan, 1.0, np.inf, 3.0, -np.inf], 5)
    assert (average, count) == (2.0, 2)
    assert stdev == 1.0
    average, stdev, count = average_of([[np.nan, 7.0], [np.inf, np.nan]], 5)
    np.testing.assert_array_equal(average, [np.nan, 7.0])
    np.testing.assert_array_equal(stdev, [np.nan, np.nan])
    assert count.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "i8", "u8", "f4"])
def test_any_numbers_are_averaged_in_double_precision(dtype):
    average, stdev, _ = average_of(np.array([1, 2, 4], dtype), 5, average_func="mean")
    assert average == pytest.approx(7 / 3, rel=1e-15)
    assert stdev.dtype == np.float64


def test_convergence_can_be_required():
    values = [1.0, 2.0, 3.0, 4.0, 20.0, 1000.0]
    average_of(values, 1.5, max_iter=1)
    with pytest.raises(aw.ConvergenceError, match=r"1 averages still reject .*after 1 rounds"):
        average_of(values, 1.5, max_iter=1, require_convergence=True)
    average_of(values, 1.5, require_convergence=True)
    # without any round nothing was rejected, and nothing is said about it
    average_of(values, 1.5, max_iter=0, require_convergence=True)


def test_no_round_is_a_plain_average():
    values = [1.0, 2.0, 3.0, 4.0, 1000.0]
    average, _, count = average_of(values, 1.1, max_iter=0, average_func="mean")
    assert (average, count) == (202.0, 5)


@pytest.mark.parametrize("max_iter", [-1, -np.inf, np.nan])
def test_a_negative_number_of_rounds_is_refused(max_iter):
    with pytest.raises(ValueError, match=f"max_iter is at least 0, not {max_iter}"):
        average_of([1.0, 2.0, 3.0, 4.0, 1000.0], 1.5, max_iter=max_iter)


def test_what_is_masked_is_left_out():
    average, _, count = average_of(np.ma.array([1.0, 2, 3, 1000], mask=[0, 0, 0, 1]), 100)
    assert (average, count) == (2, 3)


@pytest.mark.parametrize("given", [[1.0, 2.0], np.array([1, 2])], ids=["list", "integers"])
def test_what_cannot_be_mangled_is_refused_before_the_work(given):
    with pytest.raises(ValueError, match="NumPy array of floats"):
        average_of(given, 3, mangle_input=True)


# ---------------------------------------------------------------------- long lists


@pytest.mark.parametrize("name", ["median", "mean", 0.3])
@pytest.mark.parametrize("max_iter", [0, 1, 3, np.inf])
@pytest.mark.parametrize("number", [1000, 1001, 1500])
def test_long_lists_agree_with_the_slow_version(name, max_iter, number, rng):
    """More than a thousand values are averaged in another way, without sorting."""
    values = rng.normal(size=(number, 2, 3)) ** 3
    values[rng.random(values.shape) < 0.02] = np.nan
    found = average_of(values, (2.83, -3.17), average_func=name, max_iter=max_iter)
    assert [part.shape for part in found] == [(2, 3)] * 3
    assert found[2].dtype == np.int64
    for place in np.ndindex(2, 3):
        slow = slow_stack(
            values[(slice(None), *place)],
            name,
            plus=2.83,
            minus=3.17,
            max_iter=None if max_iter == np.inf else max_iter,
        )
        n = slow.kept.sum()
        assert found[2][place] == n
        assert found[0][place] == pytest.approx(slow.average, rel=1e-12)
        assert found[1][place] == pytest.approx(
            np.sqrt(slow.squared_deviations / (n * (n - 1))), rel=1e-9
        )


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4"])
def test_long_lists_of_any_numbers_are_averaged_in_double_precision(dtype):
    values = np.arange(2001).astype(dtype)
    average, stdev, count = average_of(values, 5, average_func="mean")
    assert average == pytest.approx(np.mean(values.astype(float)), rel=1e-15)
    assert count == 2001
    assert stdev.dtype == np.float64


def test_what_is_left_out_of_long_lists_is_what_is_not_finite_or_masked(rng):
    values = rng.normal(size=3000)
    values[:10], values[10:20] = np.nan, np.inf
    average, _, count = average_of(values, 100, average_func="mean")
    assert count == 2980
    assert average == pytest.approx(values[20:].mean(), rel=1e-12)
    masked = np.ma.array(np.where(np.isfinite(values), values, 1e9), mask=~np.isfinite(values))
    assert average_of(masked, 100, average_func="mean")[2] == 2980
    nothing = average_of(np.full((2000, 2), np.nan), 5)
    assert np.isnan(nothing[:2]).all()
    assert nothing[2].tolist() == [0, 0]


def test_rejected_entries_of_long_lists_become_nan_in_place_only_if_asked(rng):
    given = rng.normal(size=(2, 4000))
    given[:, 7], given[1, 8] = 50.0, -60.0
    values = given.copy()
    average_of(values, 8, axis=1)
    np.testing.assert_array_equal(values, given)
    _, _, count = average_of(values, 8, axis=1, mangle_input=True)
    expected = given.copy()
    expected[:, 7] = expected[1, 8] = np.nan
    np.testing.assert_array_equal(values, expected)
    assert count.tolist() == [3999, 3998]


def test_convergence_of_long_lists_can_be_required(rng):
    values = rng.normal(size=(5000, 2)) ** 3
    average_of(values, 3, max_iter=1)
    with pytest.raises(aw.ConvergenceError, match=r"2 averages still reject .*after 1 rounds"):
        average_of(values, 3, max_iter=1, require_convergence=True)
    average_of(values, 3, require_convergence=True)


def test_the_axis_of_long_lists_may_stay_and_none_of_them_may_be_there(rng):
    results = average_of(rng.normal(size=(3, 2000)), 5, axis=1, keepdims=True)
    assert [result.shape for result in results] == [(3, 1)] * 3
    assert [part.shape for part in average_of(np.empty((2000, 0)), 5)] == [(0,)] * 3
