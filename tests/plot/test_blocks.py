import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from autowisp_xr import Flag
from autowisp_xr.plot.block_means import Blocks, factors_for

IMAGES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.floats(-1e6, 1e6, width=32) | st.just(np.nan) | st.just(np.inf),
)
FACTORS = st.tuples(st.integers(1, 4), st.integers(1, 4))


def test_blocks_of_one_pixel_are_the_pixels():
    image = np.arange(12, dtype=np.uint16).reshape(3, 4)
    mask = np.zeros((3, 4), np.uint8)
    mask[1, 2] = Flag.HOT | Flag.COSMIC
    blocks = Blocks.of(image, mask, Flag.BAD, (1, 1))
    np.testing.assert_array_equal(blocks.values, image)
    np.testing.assert_array_equal(blocks.flags, mask)
    np.testing.assert_array_equal(blocks.good, mask == 0)


def test_a_block_is_the_mean_of_its_pixels_without_a_flag():
    image = np.array([[1.0, 2, 10, 20, 7], [3, 900, 30, np.nan, 9]])
    mask = np.zeros((2, 5), np.uint8)
    mask[1, 1] = Flag.HOT
    blocks = Blocks.of(image, mask, Flag.BAD, (2, 2))
    np.testing.assert_allclose(blocks.values, [[2, 20, 8]])
    np.testing.assert_array_equal(blocks.flags, [[Flag.HOT, Flag.FAULT, 0]])


def test_a_block_in_which_all_is_flagged_is_the_mean_of_what_is_a_number():
    image = np.array([[5.0, 7, np.nan], [np.inf, 9, np.nan]])
    blocks = Blocks.of(image, np.full((2, 3), 16, np.uint8), Flag.BAD, (2, 2))
    np.testing.assert_allclose(blocks.values, [[7, np.nan]])
    assert not blocks.good.any()


def test_pixels_are_counted_once_for_each_flag_and_once_in_all():
    mask = np.array([[2, 6, 4, 0, 64]], np.uint8)
    blocks = Blocks.of(np.array([[1.0, 1, 1, np.nan, 1]]), mask, Flag.BAD, (1, 3))
    counts = {flag: number for flag, number in blocks.counts.items() if number}
    assert counts == {Flag.FAULT: 1, Flag.HOT: 2, Flag.COSMIC: 2, Flag.INTERPOLATED: 1}
    assert (blocks.marked, blocks.pixels) == (5, 5)


def test_flags_that_were_not_asked_for_are_not_counted_but_still_spoil_a_mean():
    image, mask = np.array([[1.0, 99, np.nan]]), np.array([[0, 2, 0]], np.uint8)
    blocks = Blocks.of(image, mask, Flag.SATURATED, (1, 3))
    assert (blocks.marked, blocks.flags[0, 0], blocks.values[0, 0]) == (0, 0, 1.0)
    assert set(blocks.counts) == {Flag.OVERSATURATED, Flag.LEAKED}


def test_a_pixel_that_is_only_nonlinear_is_good():
    blocks = Blocks.of(np.ones((1, 2)), np.array([[128, 129]], np.uint8), Flag.BAD, (1, 1))
    assert (blocks.flags == [[0, 1]]).all()
    assert (blocks.good == [[True, False]]).all()
    assert blocks.marked == 1
    marked = Blocks.of(np.ones((1, 1)), np.array([[128]], np.uint8), Flag.NONLINEAR, (1, 1))
    assert (marked.flags[0, 0], marked.marked) == (128, 1)


@given(IMAGES, FACTORS, st.randoms(use_true_random=False))
@example(np.array([[0, 1e-45]], np.float32), (1, 2), random.Random(2))
def test_no_flag_is_lost_and_means_lie_between_their_pixels(image, factors, choices):
    mask = np.array([choices.choice([0, 0, 0, 1, 2, 36]) for _ in image.flat], np.uint8)
    mask = mask.reshape(image.shape)
    blocks = Blocks.of(image, mask, Flag.BAD, factors)
    for y, x in np.ndindex(blocks.values.shape):
        here = np.s_[y * factors[0] : (y + 1) * factors[0], x * factors[1] : (x + 1) * factors[1]]
        finite = np.isfinite(image[here])
        expected = np.bitwise_or.reduce(np.where(finite, mask[here], mask[here] | 1), axis=None)
        assert blocks.flags[y, x] == expected
        good = finite & (mask[here] == 0)
        assert blocks.good[y, x] == good.any()
        pixels = image[here][good if good.any() else finite]
        mean = pixels.mean(dtype=np.float64) if pixels.size else np.nan
        np.testing.assert_allclose(blocks.values[y, x], mean, 1e-6)
    assert blocks.marked == np.count_nonzero((mask != 0) | ~np.isfinite(image))


@pytest.mark.parametrize(
    ("shape", "factors"),
    [
        ((500, 500), (1, 1)),
        ((500, 524), (1, 1)),
        ((500, 526), (2, 2)),
        ((6336, 9504), (19, 19)),
        ((1, 3), (1, 1)),
        ((3, 5000), (1, 10)),
        ((5000, 1), (10, 1)),
    ],
)
def test_blocks_are_about_as_large_as_pixels_of_the_screen(shape, factors):
    assert factors_for(shape, 500.0) == factors
