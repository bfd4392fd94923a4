"""Smooth images that are made in bands of rows."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from dask.base import tokenize
from scipy.ndimage import median_filter

from autowisp_xr.image_smoothing import (
    ChainSmoother,
    PolynomialImageSmoother,
    SmoothModel,
    SplineImageSmoother,
    WrapFilterAsSmoother,
)

MEDIAN = WrapFilterAsSmoother(median_filter, size=3)
SPLINE = SplineImageSmoother(num_x_nodes=4, num_y_nodes=3, outlier_threshold=5, max_iterations=1)
SMOOTHERS = [
    MEDIAN,
    SPLINE,
    PolynomialImageSmoother(num_x_terms=3, num_y_terms=2, bin_factor=(3, 2)),
    WrapFilterAsSmoother(median_filter, size=2, bin_factor=4, zoom_interp_order=4),
    ChainSmoother(MEDIAN, SPLINE, bin_factor=2, zoom_interp_order=(1, 5)),
    ChainSmoother(),
    ChainSmoother(bin_factor=5, padding_mode="edge"),
]
each_smoother = pytest.mark.parametrize("smoother", SMOOTHERS, ids=repr)


@each_smoother
def test_any_rows_have_the_bits_of_the_whole(smoother, flat):
    smooth = smoother.smooth(flat)
    model = smoother.model(flat)
    assert isinstance(model, SmoothModel)
    assert model.shape == flat.shape
    for start, stop in [(0, 22), (0, 0), (0, 1), (3, 11), (13, 22), (21, 22), (22, 22)]:
        rows = model.rows(start, np.int64(stop))
        assert rows.dtype == np.float64
        assert rows.shape == (stop - start, 31)
        np.testing.assert_array_equal(rows, smooth[start:stop])


@each_smoother
def test_gaps_are_in_the_rows_where_they_are_in_the_whole(smoother, flat):
    flat[:12, :20] = np.nan
    smooth = smoother.smooth(flat)
    model = smoother.model(flat)
    for band in (slice(0, 5), slice(5, 22), slice(10, 13)):
        np.testing.assert_array_equal(model.rows(band.start, band.stop), smooth[band])
    gone = smoother.model(np.full(flat.shape, np.nan))
    assert np.isnan(gone.rows(2, 9)).all()


def test_options_of_a_call_are_those_of_smooth(flat):
    model = MEDIAN.model(flat, 3, 2, "wrap", size=5)
    np.testing.assert_array_equal(model.rows(0, 22), MEDIAN.smooth(flat, 3, 2, "wrap", size=5))
    with pytest.raises(TypeError, match="'sise'"):
        MEDIAN.model(flat, sise=5)
    with pytest.raises(ValueError, match="bin_factor is a whole number"):
        MEDIAN.model(flat, 0)
    with pytest.raises(ValueError, match="cannot be zoomed with splines of order 5"):
        MEDIAN.model(flat, 6, 5)
    with pytest.raises(ValueError, match=r"an image is an array \[y, x\] of real numbers"):
        MEDIAN.model(flat[0])


@each_smoother
def test_equal_images_have_equal_models_to_the_last_byte(smoother, flat):
    flat[0, 0] = np.nan
    model = smoother.model(flat)
    before = pickle.dumps(model)
    again = pickle.loads(before)
    np.testing.assert_array_equal(again.rows(4, 15), model.rows(4, 15))
    other = pickle.loads(pickle.dumps(smoother)).model(flat.copy())
    for same in (model, again, other):
        assert pickle.dumps(same) == before
        assert tokenize(same) == tokenize(model)
    assert pickle.dumps(smoother.model(flat + 1)) != before


def test_a_binned_model_is_as_small_as_the_binned_image(rng):
    image = rng.normal(100, 1, (240, 320))
    model = WrapFilterAsSmoother(median_filter, size=3, bin_factor=4).model(image)
    assert len(pickle.dumps(model)) < 1.1 * image.nbytes / 16
    model.rows(0, 240)
    assert len(pickle.dumps(model)) < 1.1 * image.nbytes / 16


@each_smoother
def test_rows_are_new_and_neither_image_nor_model_changes(smoother, flat):
    before = flat.copy()
    model = smoother.model(flat)
    expected = model.rows(0, 22)
    model.rows(3, 9)[:] = 0
    smoother.smooth(flat)[:] = 0
    flat[5] = -1
    np.testing.assert_array_equal(model.rows(0, 22), expected)
    flat[5] = before[5]
    np.testing.assert_array_equal(flat, before)


def test_a_binned_model_gives_its_rows_after_it_gave_the_whole(flat):
    model = MEDIAN.model(flat, 2)
    whole = model.released()
    expected = whole.copy()
    whole[:] = 0
    np.testing.assert_array_equal(model.rows(0, 22), expected)


@pytest.mark.parametrize("rows", [(-1, 3), (0, 23), (5, 4), (30, 31)])
@pytest.mark.parametrize("factor", [1, 2])
def test_rows_that_there_are_not_are_refused(rows, factor, flat):
    model = MEDIAN.model(flat, factor)
    with pytest.raises(ValueError, match=rf"rows {rows[0]} to {rows[1]} are not among the 22 rows"):
        model.rows(*rows)
    with pytest.raises(TypeError):
        model.rows(0.0, 2)


def test_threads_may_share_a_model(rng):
    image = rng.normal(100, 1, (200, 150))
    model = MEDIAN.model(image, 4)
    whole = MEDIAN.smooth(image, 4)
    with ThreadPoolExecutor(4) as pool:
        bands = list(pool.map(lambda start: model.rows(start, start + 10), range(0, 200, 10)))
    np.testing.assert_array_equal(np.concatenate(bands), whole)


def test_a_model_states_what_it_is_and_not_all_it_holds(flat):
    assert repr(MEDIAN.model(flat)) == "<PixelModel of 22 x 31 pixels>"
    assert repr(MEDIAN.model(flat, 2)) == "<ZoomModel of 22 x 31 pixels>"
