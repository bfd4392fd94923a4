import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowisp_xr.image_smoothing import bin_image
from autowisp_xr.image_smoothing.binning import Binning


def test_blocks_are_summed_by_hand():
    image = np.arange(24).reshape(4, 6)
    np.testing.assert_array_equal(bin_image(image, 2), [[14, 22, 30], [62, 70, 78]])
    np.testing.assert_array_equal(bin_image(image, (1, 3)), image.reshape(4, 2, 3).sum(axis=2))


def test_a_pair_is_y_first():
    assert bin_image(np.ones((4, 6)), (2, 3)).shape == (2, 2)
    assert bin_image(np.ones((4, 6)), [4, 1]).shape == (1, 6)


def test_a_block_without_some_pixels_is_scaled_up_and_without_all_is_nan():
    image = np.array([[1, 2, np.nan, np.nan], [3, np.inf, np.nan, -np.inf], [0, 1, 2, np.nan]])
    image = np.vstack([image, [[4, 5, np.inf, -np.inf]]])
    np.testing.assert_array_equal(bin_image(image, 2), [[8, np.nan], [10, 8]])


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.floats(0, 1))
@settings(deadline=None)
def test_any_gaps_agree_with_the_mean_of_the_others(seed, y, x, share):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(3 * y, 2 * x))
    image[rng.random(image.shape) < share] = np.nan
    binned = bin_image(image, (y, x))
    for row, column in np.ndindex(3, 2):
        block = image[row * y : (row + 1) * y, column * x : (column + 1) * x]
        valid = block[np.isfinite(block)]
        expected = valid.mean() * y * x if valid.size else np.nan
        assert binned[row, column] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("dtype", ["f4", "u2", "i8", "?", ">f4"])
def test_sums_are_made_in_double_precision(dtype):
    image = np.ones((4, 4), dtype)
    binned = bin_image(image, 4)
    assert binned.dtype == np.float64
    assert binned[0, 0] == 16


def test_many_ones_in_single_precision_are_counted():
    assert bin_image(np.ones((4100, 4100), "f4"), 4100)[0, 0] == 4100**2


def test_a_factor_of_one_gives_a_copy(flat):
    binned = bin_image(flat, 1)
    np.testing.assert_array_equal(binned, flat)
    assert not np.may_share_memory(binned, flat)


def test_the_input_is_untouched(flat):
    flat[2, 2] = np.nan
    before = flat.copy()
    bin_image(flat, (2, 31))
    np.testing.assert_array_equal(flat, before)


def test_blocks_that_do_not_divide_the_image_are_refused():
    with pytest.raises(ValueError, match="do not divide an image of 4 x 6; pad or crop it"):
        bin_image(np.ones((4, 6)), 4)


@pytest.mark.parametrize("factor", [0, -1, 2.0, (2, 0), (1, 2, 3), "2", None, [[2, 2]]])
def test_impossible_factors_are_refused(factor):
    with pytest.raises(ValueError, match="bin_factor is a whole number, at least 1"):
        bin_image(np.ones((4, 6)), factor)


@pytest.mark.parametrize(
    "image", [np.ones(4), np.ones((2, 2, 2)), np.ones((0, 3)), [["a"]], [[1j]]]
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ValueError, match=r"an image is an array \[y, x\] of real numbers"):
        bin_image(image, 1)


def test_masked_pixels_of_a_masked_array_do_not_count():
    image = np.ma.masked_greater(np.array([[1, 2], [3, 99]]), 50)
    assert bin_image(image, 2) == [[8.0]]


def test_padding_is_half_before_and_the_odd_pixel_after():
    image = np.arange(5.0) * np.ones((4, 1))
    binned = Binning(4).binned(image)
    # three columns are missing: one before, two after, mirrored about the edge pixels
    np.testing.assert_array_equal(binned, [[4 * (1 + 0 + 1 + 2), 4 * (3 + 4 + 3 + 2)]])
    np.testing.assert_array_equal(Binning(4, padding_mode="edge").binned(image), [[12, 60]])


def test_whole_numbers_are_padded_with_fractions():
    image = np.array([[1, 2]], "u1")
    np.testing.assert_array_equal(Binning((1, 3), padding_mode="mean").binned(image), [[4.5]])


def test_an_unknown_padding_mode_is_refused():
    with pytest.raises(ValueError, match=r"one of constant, edge, .*not 'mirror'"):
        Binning(2, padding_mode="mirror")
