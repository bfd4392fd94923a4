import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RectBivariateSpline

from autowisp_xr.image_smoothing import bin_image, zoom_image


def slow_zoom(image, zoom, order):
    """Differences of a bivariate spline through the cumulative sums; odd orders."""
    sums = np.zeros(np.add(image.shape, 1))
    sums[1:, 1:] = image.cumsum(axis=0).cumsum(axis=1)
    y, x = (np.arange(size + 1.0) for size in image.shape)
    spline = RectBivariateSpline(y, x, sums, kx=order[0], ky=order[1], s=0)
    fine = [np.arange(n * z + 1) / z for n, z in zip(image.shape, zoom, strict=True)]
    return np.diff(np.diff(spline(*fine), axis=0), axis=1)


@pytest.mark.parametrize("order", [(1, 1), (3, 3), (1, 5), (5, 3)])
@pytest.mark.parametrize("zoom", [(2, 2), (3, 1), (4, 5)])
def test_agrees_with_a_bivariate_spline(zoom, order, rng):
    image = rng.normal(10, 2, (7, 9))
    np.testing.assert_allclose(zoom_image(image, zoom, order), slow_zoom(image, zoom, order))


def test_linear_interpolation_of_sums_divides_pixels_evenly(rng):
    image = rng.normal(size=(3, 4))
    expected = np.kron(image, np.full((2, 3), 1 / 6))
    np.testing.assert_allclose(zoom_image(image, (2, 3), 1), expected, atol=1e-14)


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(5, 9), st.integers(5, 9)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
)
@settings(deadline=None)
def test_binning_undoes_zooming(seed, shape, zoom, order):
    image = np.random.default_rng(seed).normal(100, 10, shape)
    zoomed = zoom_image(image, zoom, order)
    assert zoomed.shape == (shape[0] * zoom[0], shape[1] * zoom[1])
    np.testing.assert_allclose(bin_image(zoomed, zoom), image, rtol=1e-9)


def test_a_slope_stays_a_slope():
    y, x = np.mgrid[0:6, 0:8]
    fine_y, fine_x = (np.mgrid[0:12, 0:24] + 0.5) / np.array([2, 3])[:, None, None] - 0.5
    expected = (5 + 2 * fine_y - 3 * fine_x) / 6
    for order in (2, 3, 4):
        np.testing.assert_allclose(zoom_image(5 + 2 * y - 3 * x, (2, 3), order), expected)


def test_pixels_that_are_not_finite_become_blocks_of_nan_and_spoil_no_others(rng):
    image = rng.normal(100, 1, (8, 9))
    image[2, 3] = image[2, 2]
    expected = zoom_image(image, (2, 3), 3)
    image[2, 3] = np.nan
    image[0, 0] = np.inf
    zoomed = zoom_image(image, (2, 3), 3)
    gaps = np.zeros(zoomed.shape, bool)
    gaps[4:6, 9:12] = gaps[0:2, 0:3] = True
    np.testing.assert_array_equal(np.isnan(zoomed), gaps)
    # another pixel may be the nearest one, of the same noise
    assert np.abs(zoomed - expected)[~gaps].max() < 1
    np.testing.assert_allclose(bin_image(zoomed, (2, 3)), np.where(np.isinf(image), np.nan, image))


def test_nothing_finite_zooms_to_nothing_finite():
    assert np.isnan(zoom_image(np.full((4, 5), np.nan), 2, 3)).all()


def test_the_input_is_untouched_and_never_returned(flat):
    flat[1, 1] = np.nan
    before = flat.copy()
    assert not np.may_share_memory(zoom_image(flat, 1, 1), flat)
    zoom_image(flat, 2, 3)
    np.testing.assert_array_equal(flat, before)


def test_an_image_may_be_as_small_as_the_order_and_no_smaller():
    assert zoom_image(np.ones((3, 3)), 2, 3).shape == (6, 6)
    with pytest.raises(ValueError, match=r"2 pixels along 'x' cannot be zoomed .* order 3; give"):
        zoom_image(np.ones((3, 2)), 2, 3)


@pytest.mark.parametrize("order", [0, 6, (1, 6), 2.5, None])
def test_impossible_orders_are_refused(order):
    with pytest.raises(ValueError, match="interp_order is"):
        zoom_image(np.ones((9, 9)), 2, order)


@pytest.mark.parametrize("zoom", [0, 1.5, (2, 2, 2)])
def test_impossible_zooms_are_refused(zoom):
    with pytest.raises(ValueError, match="zoom is a whole number, at least 1"):
        zoom_image(np.ones((9, 9)), zoom, 3)
