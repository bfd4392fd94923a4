import copy
import math
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autowisp_xr.image_smoothing import PolynomialImageSmoother, SplineImageSmoother
from tests.image_smoothing.slow import slow_polynomials, slow_splines, slow_surface

REJECTIONS = [
    ({}, (math.inf, math.inf, 0)),
    ({"outlier_threshold": 3.0}, (3, 3, math.inf)),
    ({"outlier_threshold": (-4, 2.5), "max_iterations": 1}, (2.5, 4, 1)),
    ({"outlier_threshold": [2.0], "max_iter": 2}, (2, 2, 2)),
    ({"outlier_threshold": 3.0, "max_iterations": 0}, (3, 3, 0)),
]


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize(("options", "slow"), REJECTIONS)
def test_polynomials_agree_with_the_slow_version(options, slow, gaps, flat, rng):
    flat[rng.random(flat.shape) < gaps] = np.nan
    smoother = PolynomialImageSmoother(num_x_terms=4, num_y_terms=3, **options)
    expected, _ = slow_surface(flat, slow_polynomials(22, 3), slow_polynomials(31, 4), *slow)
    np.testing.assert_allclose(smoother.smooth(flat), expected, rtol=1e-10)


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@pytest.mark.parametrize(("options", "slow"), REJECTIONS)
def test_splines_agree_with_the_slow_version(options, slow, degree, gaps, flat, rng):
    flat[rng.random(flat.shape) < gaps] = np.nan
    smoother = SplineImageSmoother(num_x_nodes=6, num_y_nodes=5, spline_degree=degree, **options)
    expected, _ = slow_surface(
        flat, slow_splines(22, 5, degree), slow_splines(31, 6, degree), *slow
    )
    np.testing.assert_allclose(smoother.smooth(flat), expected, rtol=1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.integers(0, 29))
@settings(deadline=None)
def test_missing_rows_columns_corners_and_pixels_agree_with_the_slow_version(seed, rows, columns):
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 10, (22, 31))
    kind = rng.integers(4)
    if kind == 0:
        image[:rows] = np.nan
    if kind == 1:
        image[:, columns:] = np.nan
    if kind == 2:
        image[:rows, :columns] = np.nan
    image[rng.random(image.shape) < 0.1] = np.nan
    y_terms, x_terms = slow_polynomials(22, 3), slow_polynomials(31, 3)
    expected, kept = slow_surface(image, y_terms, x_terms)
    # two rows and two columns of pixels, state, leave a surface free
    terms = np.einsum("yi,xj->yxij", y_terms, x_terms)[kept].reshape(-1, 9)
    determined = len(terms) >= 9 and np.linalg.cond(terms) < 1e6
    smooth = PolynomialImageSmoother(num_x_terms=3, num_y_terms=3).smooth(image)
    if determined and kept.sum() > 30:
        scale = np.abs(expected).max()
        np.testing.assert_allclose(smooth, expected, rtol=1e-7, atol=1e-9 * scale)
    assert np.isnan(smooth).all() == (kept.sum() < 9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None)
def test_what_is_smooth_already_stays_as_it_is(seed, y_number, x_number):
    coefficients = np.random.default_rng(seed).normal(size=(y_number, x_number))
    y_terms, x_terms = slow_polynomials(9, y_number), slow_polynomials(12, x_number)
    image = 10 + y_terms @ coefficients @ x_terms.T
    gone = image.copy()
    gone[::3, ::4] = np.nan
    for given_image in (image, gone):
        smoother = PolynomialImageSmoother(num_x_terms=x_number, num_y_terms=y_number)
        np.testing.assert_allclose(smoother.smooth(given_image), image, rtol=1e-9)
        # unlimited rejection must not eat up rounding errors
        rejecting = smoother.smooth(given_image, outlier_threshold=0.5)
        np.testing.assert_allclose(rejecting, image, rtol=1e-9)


def test_one_outlier_in_a_constant_image_is_rejected_by_hand():
    image = np.full((4, 5), 7.0)
    image[1, 2] = 107
    smoother = PolynomialImageSmoother(num_x_terms=1, num_y_terms=1)
    np.testing.assert_allclose(smoother.smooth(image), 12)
    # sqrt(mean of squares) = sqrt((95^2 + 19 * 5^2) / 20) = 21.8; 95 / 21.8 = 4.36
    np.testing.assert_allclose(smoother.smooth(image, outlier_threshold=4.4), 12)
    np.testing.assert_allclose(smoother.smooth(image, outlier_threshold=4.3), 7)
    np.testing.assert_allclose(smoother.smooth(image, outlier_threshold=(5, -4.3)), 12)
    np.testing.assert_allclose(smoother.smooth(image, outlier_threshold=4.3, max_iter=0), 12)


def test_too_few_pixels_give_nan_everywhere():
    image = np.full((5, 6), np.nan)
    image[2, :3] = 1
    smoother = PolynomialImageSmoother(num_x_terms=2, num_y_terms=2)
    assert np.isnan(smoother.smooth(image)).all()
    image[3, 3] = 1
    np.testing.assert_allclose(smoother.smooth(image), 1)
    assert np.isnan(smoother.smooth(np.full((5, 6), np.nan))).all()
    # rejected until nothing is left: both signs are one residual away from the mean
    checks = np.array([[1.0, -1.0], [-1.0, 1.0]])
    constant = PolynomialImageSmoother(num_x_terms=1, num_y_terms=1, outlier_threshold=0.9)
    assert np.isnan(constant.smooth(checks)).all()


def test_where_nothing_determines_a_spline_it_is_the_mean():
    image = np.full((40, 50), 100.0)
    image[:20, :30] = np.nan
    smoother = SplineImageSmoother(num_x_nodes=12, num_y_nodes=12)
    np.testing.assert_allclose(smoother.smooth(image), 100, rtol=1e-8)
    image[:, 20:] = np.inf
    np.testing.assert_allclose(smoother.smooth(image), 100, rtol=1e-8)


def test_more_terms_than_rows_go_through_all_pixels(rng):
    image = rng.normal(size=(2, 60))
    smooth = PolynomialImageSmoother(num_x_terms=3, num_y_terms=4).smooth(image)
    expected, _ = slow_surface(image, np.eye(2), slow_polynomials(60, 3))
    np.testing.assert_allclose(smooth, expected, atol=1e-12)


@pytest.mark.parametrize(("nodes", "degree"), [(1, 3), (2, 3), (3, 3), (3, 5)])
def test_few_nodes_lower_the_degree(nodes, degree, flat):
    spline = SplineImageSmoother(num_x_nodes=nodes, num_y_nodes=nodes, spline_degree=degree)
    polynomial = PolynomialImageSmoother(num_x_terms=nodes, num_y_terms=nodes)
    np.testing.assert_allclose(spline.smooth(flat), polynomial.smooth(flat), rtol=1e-10)


@pytest.mark.parametrize("dtype", ["f4", "u2", "i4", ">f4", "f2"])
def test_any_numbers_are_fitted_in_double_precision(dtype, flat):
    image = np.abs(flat).astype(dtype)
    smoother = SplineImageSmoother(num_x_nodes=4, num_y_nodes=4, outlier_threshold=3)
    smooth = smoother.smooth(image)
    assert smooth.dtype == np.float64
    np.testing.assert_allclose(smooth, smoother.smooth(image.astype(float)), rtol=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.floats(-1e4, 1e4))
@settings(deadline=None)
def test_scaling_and_shifting_an_image_does_the_same_to_its_smooth_version(seed, scale, shift):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(8, 9)) ** 3
    smoother = SplineImageSmoother(num_x_nodes=4, num_y_nodes=2, outlier_threshold=(2.2, -2.7))
    moved = smoother.smooth(scale * image + shift)
    np.testing.assert_allclose(moved, scale * smoother.smooth(image) + shift, rtol=1e-6, atol=1e-6)


def test_x_and_y_are_not_mixed_up(flat):
    one = PolynomialImageSmoother(num_x_terms=1, num_y_terms=4).smooth(flat)
    assert np.ptp(one, axis=1).max() < 1e-9 < np.ptp(one, axis=0).min()
    other = PolynomialImageSmoother(num_x_terms=4, num_y_terms=1).smooth(flat.T)
    np.testing.assert_allclose(other, one.T)


def test_bands_of_rows_change_nothing(monkeypatch, flat):
    flat[4:9, 3] = np.nan
    smoother = PolynomialImageSmoother(num_x_terms=3, num_y_terms=3, outlier_threshold=3)
    whole = smoother.smooth(flat)
    monkeypatch.setattr("autowisp_xr.image_smoothing.image._BAND", 50)
    np.testing.assert_allclose(smoother.smooth(flat), whole, rtol=1e-12)


def test_the_input_is_untouched(flat):
    flat[0, 0] = np.nan
    before = flat.copy()
    smoother = SplineImageSmoother(num_x_nodes=4, num_y_nodes=4, outlier_threshold=3)
    smoother.smooth(flat)
    smoother.detrend(flat)
    np.testing.assert_array_equal(flat, before)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_fit_takes_less_memory_than_two_images_in_double_precision(dtype):
    image = np.random.default_rng(0).normal(100, 1, (1500, 1000)).astype(dtype)
    smoother = PolynomialImageSmoother(num_x_terms=5, num_y_terms=5, outlier_threshold=3)
    smoother.smooth(image[:10])
    tracemalloc.start()
    try:
        smoother.smooth(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # the result, a byte for each pixel, and a few bands; a design matrix would be 25
    assert peak < 2.2 * 8 * image.size


def test_two_names_for_one_option():
    terms = {"num_x_terms": 2, "num_y_terms": 2}
    nodes = {"num_x_nodes": 2, "num_y_nodes": 2}
    for kind, options in ((PolynomialImageSmoother, terms), (SplineImageSmoother, nodes)):
        assert kind(**options, max_iter=1) == kind(**options, max_iterations=1)
        with pytest.raises(TypeError, match="max_iter is another name of max_iterations"):
            kind(**options, max_iter=1, max_iterations=1)
        with pytest.raises(TypeError, match="max_iter is another name of max_iterations"):
            kind(**options).smooth(np.ones((5, 5)), max_iter=1, max_iterations=1)


def test_unknown_options_are_refused_by_name(flat):
    with pytest.raises(TypeError, match="max_itr"):
        SplineImageSmoother(num_x_nodes=3, num_y_nodes=3, max_itr=1)
    with pytest.raises(TypeError, match="num_x_nodes"):
        PolynomialImageSmoother(num_x_terms=3, num_y_terms=3, num_x_nodes=3)
    smoother = PolynomialImageSmoother(num_x_terms=3, num_y_terms=3)
    with pytest.raises(TypeError, match="has no option 'size', 'sigma'; it has 'num_x_terms', "):
        smoother.smooth(flat, size=3, sigma=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_x_nodes": 0}, "num_x_nodes is a whole number from 1 on, not 0"),
        ({"num_y_nodes": 2.5}, "num_y_nodes is a whole number from 1 on, not 2.5"),
        ({"spline_degree": 0}, "spline_degree is a whole number from 1 on, not 0"),
        ({"spline_degree": 6}, "spline_degree is at most 5, not 6"),
        ({"outlier_threshold": 0}, "rejection threshold"),
        ({"max_iterations": -1}, "max_iterations is None or at least 0, not -1"),
    ],
)
def test_impossible_options_are_refused_in_the_constructor_and_in_calls(options, message):
    valid = {"num_x_nodes": 3, "num_y_nodes": 3}
    with pytest.raises(ValueError, match=message):
        SplineImageSmoother(**{**valid, **options})
    with pytest.raises(ValueError, match=message):
        SplineImageSmoother(**valid).smooth(np.ones((9, 9)), **options)


def test_options_of_a_call_hold_for_that_call_only(flat):
    smoother = SplineImageSmoother(num_x_nodes=5, num_y_nodes=5, outlier_threshold=3)
    before = copy.deepcopy(smoother)
    first = smoother.smooth(flat)
    options = {"num_x_nodes": 8, "max_iter": 1, "outlier_threshold": None}
    other = smoother.smooth(flat, **options)
    expected = SplineImageSmoother(num_x_nodes=8, num_y_nodes=5).smooth(flat)
    np.testing.assert_array_equal(other, expected)
    np.testing.assert_array_equal(smoother.smooth(flat), first)
    assert smoother == before


def test_smoothers_are_values():
    smoother = PolynomialImageSmoother(num_x_terms=3, num_y_terms=2, outlier_threshold=(3, -3))
    same = PolynomialImageSmoother(
        num_x_terms=3, num_y_terms=np.int64(2), outlier_threshold=3, max_iterations=math.inf
    )
    assert smoother == same == pickle.loads(pickle.dumps(smoother)) == copy.copy(smoother)
    assert smoother != PolynomialImageSmoother(num_x_terms=2, num_y_terms=3, outlier_threshold=3)
    assert smoother != SplineImageSmoother(num_x_nodes=3, num_y_nodes=2)
    assert smoother != "smoother"
    assert repr(smoother) == (
        "PolynomialImageSmoother(num_x_terms=3, num_y_terms=2, outlier_threshold=3.0, "
        "max_iterations=None)"
    )
    assert eval(repr(smoother)) == smoother
    smoother.options["num_x_terms"] = 9
    assert smoother == same
