import numpy as np
import pytest

from autowisp_xr.kernels.clip import (
    MAD,
    MEAN,
    PERCENTILE,
    RMS,
    Clipping,
    center,
    clip,
    median_distance,
    rounding_of,
    square_sum,
)


@pytest.mark.parametrize("number", range(1, 12))
def test_the_median_distance_is_found_by_merging(number, rng):
    rows = np.sort(rng.integers(0, 20, (number, 40)).astype(float), axis=0)
    for pixel in range(40):
        for about in (*rows[:, pixel], rows[:, pixel].mean(), -5.0, 25.0, 3.25):
            expected = np.median(np.abs(rows[:, pixel] - about))
            assert median_distance(rows, pixel, 0, number, about) == expected


def test_the_median_distance_of_a_part_of_the_range():
    rows = np.array([0.0, 1.0, 2.0, 4.0, 100.0])[:, None]
    assert median_distance(rows, 0, 1, 4, 2.0) == 1.0
    assert median_distance(rows, 0, 0, 2, 0.5) == 0.5


@pytest.mark.parametrize("quantile", [0.0, 0.1, 0.25, 0.3, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 10, 11])
def test_a_quantile_lies_linearly_between_its_neighbours(quantile, number, rng):
    rows = np.sort(rng.normal(size=(number, 1)), axis=0)
    expected = np.quantile(rows[:, 0], quantile)
    np.testing.assert_allclose(center(rows, 0, 0, number, quantile), expected, rtol=1e-13)


def test_the_median_of_two_integers_does_not_overflow():
    rows = np.array([[2**31 - 3], [2**31 - 1]], "i4")
    assert center(rows, 0, 0, 2, 0.5) == 2**31 - 2
    assert center(rows, 0, 0, 2, MEAN) == 2**31 - 2
    assert square_sum(np.array([[0], [255]], "u1"), 0, 0, 2, 127.5) == 2 * 127.5**2


def clipped(values, clipping, quantile=0.5, floor=0.0):
    rows = np.sort(np.array(values, float))[:, None]
    n = len(rows)
    about = center(rows, 0, 0, n, quantile)
    how = Clipping(*clipping, quantile, rounding_of(rows.dtype))
    return clip(rows, 0, n, about, square_sum(rows, 0, 0, n, about), how, floor)


def test_equal_values_are_never_rejected():
    assert clipped([5.0] * 4, (MAD, 1.0, -1.0, -1)) == (0, 4, 5.0, 0.0, False)


def test_where_the_mad_is_zero_the_rms_decides():
    # median and MAD of these are 5 and 0; the rms is 5, and 15 lies two of it away
    low, high, about, squares, rejecting = clipped([5, 5, 5, 15], (MAD, 1.9, -1.9, -1))
    assert (low, high, about, squares, rejecting) == (0, 3, 5.0, 0.0, False)
    assert clipped([5, 5, 5, 15], (MAD, 2.0, -2.0, -1))[:2] == (0, 4)  # not strictly beyond


def test_the_scale_is_at_least_its_floor():
    values = [5.0, 5, 5, 6, 12]
    assert clipped(values, (MAD, 5.0, -5.0, -1), floor=1.0)[:2] == (0, 4)
    assert clipped(values, (MAD, 5.0, -5.0, -1), floor=1.4)[:2] == (0, 5)
    # of the rms there is none
    assert clipped(values, (RMS, 2.0, -2.0, -1), floor=1e3)[:2] == (0, 4)


def test_rounds_are_limited_and_it_is_stated_that_more_would_reject():
    values = [*[10.0] * 5, *[11.0] * 5, 30.0, 1e3, 1e6]
    assert clipped(values, (RMS, 2.0, -2.0, -1)) == (0, 10, 10.5, 2.5, False)
    low, high, *_, rejecting = clipped(values, (RMS, 2.0, -2.0, 1))
    assert (low, high, rejecting) == (0, 12, True)
    low, high, *_, rejecting = clipped(values, (RMS, 2.0, -2.0, 2))
    assert (low, high, rejecting) == (0, 11, True)


def test_only_the_side_that_was_asked_for_is_rejected():
    values = [-50.0, 9.0, 10.0, 10.0, 11.0, 50.0]
    assert clipped(values, (RMS, 1.2, -9.0, 1))[:2] == (0, 5)
    assert clipped(values, (RMS, 9.0, -1.2, 1))[:2] == (1, 6)


def test_shares_of_the_median_are_rejected_once_and_about_the_median():
    # of a median of 10, values from 8 to 11 stay; what is left has a median of 9.5
    values = [7.9, 8.0, 9.0, 10.0, 10.0, 11.5, 30.0]
    low, high, about, _, rejecting = clipped(values, (PERCENTILE, 0.1, -0.2, -1))
    assert (low, high, about, rejecting) == (1, 5, 9.5, False)
    low, high, about, *_ = clipped(values, (PERCENTILE, 0.1, -0.2, -1), quantile=MEAN)
    assert (low, high, about) == (1, 5, 9.25)


@pytest.mark.parametrize("offset", [-20.0, -10.0])
def test_where_the_median_is_not_positive_no_share_of_it_is_an_outlier(offset):
    values = offset + np.array([5.0, 10.0, 10.0, 10.0, 500.0])
    assert clipped(values, (PERCENTILE, 0.1, -0.2, -1))[:2] == (0, 5)
