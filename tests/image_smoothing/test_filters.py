import functools
import pickle

import numpy as np
import pytest
from scipy import ndimage

from autowisp_xr.image_smoothing import WrapFilterAsSmoother, bin_image, zoom_image


def half(image):
    return image / 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("median_filter", {"size": 5}),
        ("uniform_filter", {"size": (3, 7), "mode": "nearest"}),
        ("gaussian_filter", {"sigma": 2.0}),
        ("percentile_filter", {"percentile": 30, "size": 4}),
        ("median_filter", {"footprint": np.eye(3, dtype=bool)}),
    ],
)
def test_a_filter_is_called_with_its_options(name, options, flat):
    function = getattr(ndimage, name)
    smoother = WrapFilterAsSmoother(function, **options)
    np.testing.assert_array_equal(smoother.smooth(flat), function(flat, **options))


def test_a_filter_sees_double_precision_whatever_the_image_is():
    image = np.arange(20, dtype="u1").reshape(4, 5) * 12
    smooth = WrapFilterAsSmoother(ndimage.uniform_filter, size=2).smooth(image)
    np.testing.assert_array_equal(smooth, ndimage.uniform_filter(image.astype(float), 2))


def test_binning_sums_filters_and_zooms_back(flat):
    image = np.pad(flat, ((0, 2), (0, 1)))
    smoother = WrapFilterAsSmoother(ndimage.median_filter, size=3, bin_factor=(2, 4))
    expected = zoom_image(ndimage.median_filter(bin_image(image, (2, 4)), 3), (2, 4), 3)
    np.testing.assert_array_equal(smoother.smooth(image), expected)


def test_pixels_that_are_not_finite_take_the_value_of_the_nearest_one(flat):
    image = flat.copy()
    image[5, 6] = image[5, 5]
    smoother = WrapFilterAsSmoother(ndimage.median_filter, size=3)
    flat[5, 6] = np.nan
    flat[0, 0], flat[0, 1] = np.inf, -np.inf
    smooth = smoother.smooth(flat)
    assert np.isfinite(smooth).all()
    neighbours = [flat[4, 6], flat[6, 6], flat[5, 5], flat[5, 7]]
    candidates = []
    for value in neighbours:
        image = flat.copy()
        image[5, 6] = value
        candidates.append(ndimage.median_filter(image, 3)[5, 6])
    assert smooth[5, 6] in candidates


def test_a_whole_missing_corner_is_continued_from_its_edge():
    image = np.full((9, 9), 3.0)
    image[:, 5:] = 8.0
    image[:, 7:] = np.nan
    smooth = WrapFilterAsSmoother(ndimage.uniform_filter, size=3).smooth(image)
    np.testing.assert_allclose(smooth[:, :4], 3)
    np.testing.assert_allclose(smooth[:, 6:], 8)


def test_an_image_without_finite_pixels_stays_without(flat):
    for options in ({}, {"bin_factor": 2}):
        smoother = WrapFilterAsSmoother(ndimage.median_filter, size=3, **options)
        assert np.isnan(smoother.smooth(np.full((8, 9), np.nan))).all()


def test_one_nan_does_not_spread_through_bins_and_zoom(flat):
    image = np.pad(flat, ((0, 2), (0, 1)), mode="edge")
    smoother = WrapFilterAsSmoother(ndimage.median_filter, size=3, bin_factor=4)
    whole = smoother.smooth(image)
    image[8:12, 8:12] = np.nan
    image[0, 0] = np.nan
    holed = smoother.smooth(image)
    assert np.isfinite(holed).all()
    np.testing.assert_allclose(holed, whole, rtol=0.2)


def test_options_of_a_call_hold_for_that_call_only(flat):
    smoother = WrapFilterAsSmoother(ndimage.median_filter, size=3)
    first = smoother.smooth(flat)
    np.testing.assert_array_equal(
        smoother.smooth(flat, size=9, mode="wrap"), ndimage.median_filter(flat, 9, mode="wrap")
    )
    np.testing.assert_array_equal(smoother.smooth(flat), first)


def test_options_that_the_filter_does_not_have_are_refused_by_name(flat):
    with pytest.raises(TypeError, match=r"the filter is median_filter\(input.*'sise'"):
        WrapFilterAsSmoother(ndimage.median_filter, sise=3)
    with pytest.raises(TypeError, match="'sigma'"):
        WrapFilterAsSmoother(ndimage.median_filter, size=3).smooth(flat, sigma=3)


def test_options_of_a_filter_without_a_signature_are_its_own_matter():
    assert WrapFilterAsSmoother(np.maximum.reduce, anything=1).options["anything"] == 1


def test_padding_mode_of_the_constructor_is_honoured(flat):
    function = functools.partial(ndimage.uniform_filter, size=2)
    edge = WrapFilterAsSmoother(function, bin_factor=4, padding_mode="edge")
    plain = WrapFilterAsSmoother(function, bin_factor=4)
    np.testing.assert_array_equal(edge.smooth(flat), plain.smooth(flat, padding_mode="edge"))
    assert not np.allclose(edge.smooth(flat), plain.smooth(flat))


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="called with an image, 'median' cannot be"):
        WrapFilterAsSmoother("median")


def test_a_filter_that_changes_the_shape_is_refused(flat):
    with pytest.raises(ValueError, match=r"made an array of shape \(11, 31\) of an image of"):
        WrapFilterAsSmoother(lambda image: image[::2]).smooth(flat)


def test_the_input_is_neither_changed_nor_returned(flat):
    before = flat.copy()
    same = WrapFilterAsSmoother(lambda image: image)
    assert not np.may_share_memory(same.smooth(flat), flat)
    same.detrend(flat)
    np.testing.assert_array_equal(flat, before)


def test_smoothers_are_values():
    smoother = WrapFilterAsSmoother(half, bin_factor=4, zoom_interp_order=(3, 2))
    assert repr(smoother) == "WrapFilterAsSmoother(half, bin_factor=4, zoom_interp_order=(3, 2))"
    assert smoother == WrapFilterAsSmoother(half, bin_factor=(4, 4), zoom_interp_order=(3, 2))
    assert smoother != WrapFilterAsSmoother(half, bin_factor=4)
    median = WrapFilterAsSmoother(ndimage.median_filter, footprint=np.ones((3, 3)))
    assert median == pickle.loads(pickle.dumps(median))
    assert median != WrapFilterAsSmoother(ndimage.median_filter, footprint=np.eye(3))
    assert median != WrapFilterAsSmoother(ndimage.maximum_filter, footprint=np.ones((3, 3)))
    assert "partial(" in repr(WrapFilterAsSmoother(functools.partial(half)))
