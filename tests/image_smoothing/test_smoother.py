"""What holds for all smoothers, and the examples of the documentation of the original."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.ndimage

import autowisp_xr.image_smoothing as room
from autowisp_xr.image_smoothing import (
    ChainSmoother,
    ImageSmoother,
    PolynomialImageSmoother,
    SplineImageSmoother,
    WrapFilterAsSmoother,
    bin_image,
    zoom_image,
)
from tests.image_smoothing.slow import slow_polynomials, slow_splines, slow_surface


class Scaled(ImageSmoother):
    """A smoother of a user: nothing but options and one method."""

    def __init__(self, factor, **binning):
        super().__init__(factor=factor, **binning)

    def _smooth(self, image, *, factor):
        return factor * image


@pytest.fixture
def sky(rng):
    y, x = np.mgrid[-1:1:100j, -1:1:130j]
    return 20_000 * (1 - 0.2 * x**2 - 0.1 * y**2 + 0.05 * x * y) + rng.normal(0, 100, x.shape)


def test_the_documented_smoother_of_large_scales(sky):
    smoother = ChainSmoother(
        WrapFilterAsSmoother(scipy.ndimage.median_filter, size=12),
        SplineImageSmoother(num_x_nodes=3, num_y_nodes=3, outlier_threshold=5.0, max_iter=1),
        bin_factor=4,
        zoom_interp_order=3,
    )
    assert smoother[1].options["max_iterations"] == 1
    padded = np.pad(sky, ((0, 0), (1, 1)), mode="reflect")
    median = scipy.ndimage.median_filter(bin_image(padded, 4), size=12)
    inner, _ = slow_surface(median, slow_splines(25, 3, 2), slow_splines(33, 3, 2), 5, 5, 1)
    expected = zoom_image(inner, 4, 3)[:, 1:-1]
    smooth = smoother.smooth(sky)
    np.testing.assert_allclose(smooth, expected, rtol=1e-9)
    assert abs(smooth / sky - 1).mean() < 0.02


def test_the_documented_smoother_of_clouds(sky):
    smoother = WrapFilterAsSmoother(
        scipy.ndimage.median_filter, size=8, bin_factor=4, zoom_interp_order=3
    )
    smooth = smoother.smooth(sky[:, :128])
    binned = scipy.ndimage.median_filter(bin_image(sky[:, :128], 4), size=8)
    np.testing.assert_allclose(smooth, zoom_image(binned, 4, 3))
    assert smooth.shape == (100, 128)


def test_the_documented_smoother_of_stamps(sky):
    smoother = PolynomialImageSmoother(
        num_x_terms=3, num_y_terms=3, outlier_threshold=3.0, max_iterations=3
    )
    sky[50, 60] = 60_000
    terms = slow_polynomials(100, 3), slow_polynomials(130, 3)
    expected, kept = slow_surface(sky, *terms, 3, 3, 3)
    np.testing.assert_allclose(smoother.smooth(sky), expected, rtol=1e-11)
    assert not kept[50, 60]
    detrended = smoother.detrend(sky)
    np.testing.assert_allclose(detrended, sky / expected * expected.mean(), rtol=1e-11)
    assert detrended[kept].std() == pytest.approx(100, rel=0.1)


def test_detrending_is_division_that_keeps_the_level():
    image = np.array([[1.0, 2.0], [3.0, np.nan]])
    np.testing.assert_array_equal(
        ChainSmoother(Scaled(2)).detrend([[1, 2], [3, 6]]), np.full((2, 2), 3)
    )
    plane = PolynomialImageSmoother(num_x_terms=1, num_y_terms=1)
    np.testing.assert_allclose(plane.detrend(image), image)


def test_detrending_by_zero_is_not_finite_and_no_warning():
    detrended = Scaled(0).detrend([[0.0, 1.0]])
    assert not np.isfinite(detrended).any()


@pytest.mark.parametrize(
    "smoother",
    [
        PolynomialImageSmoother(num_x_terms=3, num_y_terms=3),
        SplineImageSmoother(num_x_nodes=4, num_y_nodes=3, outlier_threshold=3),
        WrapFilterAsSmoother(scipy.ndimage.median_filter, size=3),
        ChainSmoother(SplineImageSmoother(num_x_nodes=4, num_y_nodes=3)),
    ],
    ids=lambda smoother: type(smoother).__name__,
)
@pytest.mark.parametrize("factor", [1, 2, 3, (3, 4), (1, 5)])
def test_gaps_of_any_size_are_given_values_also_when_binned(smoother, factor, sky):
    truth = smoother.smooth(sky, factor)
    sky[20:24, 30:42] = np.nan
    sky[70, 80] = np.inf
    smooth = smoother.smooth(sky, factor)
    assert smooth.shape == sky.shape
    np.testing.assert_allclose(smooth, truth, rtol=0.05)
    assert np.isnan(smoother.detrend(sky)[20:24, 30:42]).all()


def test_a_bin_factor_alone_zooms_with_cubic_splines(sky):
    plane = PolynomialImageSmoother(num_x_terms=3, num_y_terms=3)
    np.testing.assert_array_equal(plane.smooth(sky, 5), plane.smooth(sky, 5, 3))
    assert not np.array_equal(plane.smooth(sky, 5), plane.smooth(sky))


def test_options_for_binning_of_a_call_hold_for_that_call_only(sky):
    options = {"bin_factor": 5, "zoom_interp_order": 2, "padding_mode": "edge"}
    plain, binned = Scaled(1), Scaled(1, **options)
    first = binned.smooth(sky)
    np.testing.assert_array_equal(plain.smooth(sky, **options), first)
    np.testing.assert_array_equal(plain.smooth(sky, 5, 2, "edge"), first)
    np.testing.assert_array_equal(binned.smooth(sky, bin_factor=1), sky)
    binned.smooth(sky, (2, 3), (1, 2), "wrap")
    np.testing.assert_array_equal(binned.smooth(sky), first)
    np.testing.assert_array_equal(plain.smooth(sky), sky)
    assert binned.options == {"factor": 1, **options}


def test_padding_only_matters_where_the_factor_does_not_divide(sky):
    median = WrapFilterAsSmoother(scipy.ndimage.median_filter, size=3)
    for factor, same in [((4, 5), True), ((4, 4), False)]:
        reflected = median.smooth(sky, factor)
        wrapped = median.smooth(sky, factor, padding_mode="wrap")
        assert np.array_equal(reflected, wrapped) == same


def test_an_image_smaller_than_a_bin_is_padded_to_one():
    smooth = Scaled(1).smooth(np.full((3, 2), 4.0), 5, 1)
    np.testing.assert_allclose(smooth, 4)
    with pytest.raises(ValueError, match="an image of 1 pixels along 'y' cannot be zoomed"):
        Scaled(1).smooth(np.ones((3, 2)), 5)


def test_an_image_of_one_pixel_is_smooth():
    for smoother in (
        PolynomialImageSmoother(num_x_terms=1, num_y_terms=1),
        SplineImageSmoother(num_x_nodes=1, num_y_nodes=1),
        WrapFilterAsSmoother(scipy.ndimage.median_filter, size=3),
    ):
        assert smoother.smooth([[7]]) == [[7.0]]


def test_smoothers_of_users_are_values_too():
    smoother = Scaled(2, bin_factor=(1, 2))
    assert repr(smoother) == "Scaled(factor=2, bin_factor=(1, 2))"
    assert smoother == Scaled(2, bin_factor=(1, 2))
    assert smoother != Scaled(3, bin_factor=(1, 2))
    with pytest.raises(TypeError, match="has no option 'power'"):
        smoother.smooth(np.ones((2, 2)), power=3)
    np.testing.assert_array_equal(Scaled(2).smooth(np.ones((2, 2)), factor=3), 3 * np.ones((2, 2)))


def test_the_base_makes_no_smooth_images():
    with pytest.raises(TypeError, match="abstract"):
        ImageSmoother()


@pytest.mark.parametrize("image", [np.ones(5), np.ones((2, 3, 4)), [[1j]], np.ones((3, 0))])
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ValueError, match=r"an image is an array \[y, x\] of real numbers"):
        Scaled(1).smooth(image)
    with pytest.raises(ValueError, match=r"an image is an array \[y, x\] of real numbers"):
        Scaled(1).detrend(image)


@pytest.mark.parametrize(
    ("binning", "message"),
    [
        ({"bin_factor": 0}, "bin_factor is a whole number"),
        ({"zoom_interp_order": 6}, "zoom_interp_order is at most 5, not 6"),
        ({"zoom_interp_order": 0}, "zoom_interp_order is a whole number, at least 1"),
        ({"padding_mode": "mirror"}, "padding_mode is one of"),
    ],
)
def test_impossible_binning_is_refused_in_the_constructor_and_in_calls(binning, message):
    with pytest.raises(ValueError, match=message):
        Scaled(1, **binning)
    with pytest.raises(ValueError, match=message):
        Scaled(1).smooth(np.ones((4, 4)), **binning)


def test_masked_arrays_and_lists_are_images_too():
    plane = PolynomialImageSmoother(num_x_terms=1, num_y_terms=1)
    masked = np.ma.masked_greater(np.array([[1, 3], [2, 90]]), 50)
    np.testing.assert_allclose(plane.smooth(masked), 2)
    assert np.isnan(plane.detrend(masked)[1, 1])


def test_every_public_name_is_there_and_documented():
    for name in room.__all__:
        assert getattr(room, name).__doc__


def test_the_room_is_entered_without_loading_scipy():
    code = (
        "import sys, autowisp_xr.image_smoothing, autowisp_xr.stats; print('scipy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
