import numpy as np
import pytest

from autowisp_xr.errors import ConvergenceError
from autowisp_xr.kernels.overscan import median_level


def test_the_level_is_the_median_and_its_variance_that_of_a_mean():
    level = median_level([3.0, 1.0, 8.0, 2.0], min_pixels=1)
    assert level.value == 2.5
    # about the median: 0.25 + 2.25 + 30.25 + 0.25, over 3, over 4
    assert level.variance == 33.0 / 12
    assert (level.iterations, level.pixels, level.converged) == (0, 4, True)


def test_outliers_are_rejected_until_there_are_none():
    pixels = np.r_[np.tile([9.0, 11.0], 50), 60.0, 1e4]
    level = median_level(pixels, reject_threshold=5)
    assert level.value == 10.0
    assert (level.iterations, level.pixels, level.converged) == (2, 100, True)
    assert level.variance == pytest.approx(100 / 99 / 100)


def test_the_level_after_the_last_rejection_is_that_of_the_survivors():
    pixels = np.r_[np.tile([9.0, 11.0], 50), 60.0, 1e4]
    level = median_level(pixels, max_reject_iterations=1)
    assert (level.iterations, level.pixels, level.converged) == (1, 101, False)
    assert level.value == 11.0
    none = median_level(pixels, max_reject_iterations=0)
    assert (none.iterations, none.pixels, none.converged) == (0, 102, False)
    with pytest.raises(ConvergenceError, match=r"frame x: .* after 1 iterations"):
        median_level(pixels, max_reject_iterations=1, require_convergence=True, name="frame x")


def test_what_is_not_finite_is_left_out():
    level = median_level([np.nan, 1.0, np.inf, 3.0, -np.inf], min_pixels=2)
    assert (level.value, level.pixels) == (2.0, 2)


@pytest.mark.parametrize("pixels", [[], [1.0], [np.nan] * 200])
def test_too_few_pixels_are_an_error(pixels):
    with pytest.raises(ConvergenceError, match="pixels are left after 0 rejections, min_pixels"):
        median_level(pixels, min_pixels=1)


def test_equal_pixels_have_no_variance():
    level = median_level(np.full(200, 7, "u2"))
    assert (level.value, level.variance, level.converged) == (7.0, 0.0, True)
