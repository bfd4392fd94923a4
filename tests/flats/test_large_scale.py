"""The shape of a reference on a flat, and what a cloud leaves, on frames of known light."""

import numpy as np
import pytest

from autowisp_xr import FlatSelection
from autowisp_xr.flats.large_scale import cloud_map, large_scale_match, matched
from autowisp_xr.image_smoothing import PolynomialImageSmoother

SHAPE = (96, 120)
Y, X = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
PLANE = PolynomialImageSmoother(num_x_terms=2, num_y_terms=2)
PARABOLA = PolynomialImageSmoother(num_x_terms=3, num_y_terms=3)
SELECTION = FlatSelection(large_scale_smoother=PLANE, cloud_check_smoother=PARABOLA)


@pytest.fixture
def reference():
    rng = np.random.default_rng(4)
    return (1 - 0.2 * (X**2 + Y**2)) * (1 + rng.normal(0, 0.01, SHAPE))


def test_a_frame_of_other_light_gets_the_shape_of_the_reference(reference):
    light = 5000 / (1 + 0.05 * X - 0.03 * Y)  # the plane is what it takes to undo it
    image = light * reference
    match = large_scale_match(image, reference, SELECTION)
    np.testing.assert_allclose(matched(image, match.shape), reference, rtol=1e-9)
    assert match.mean == pytest.approx(reference.mean(), rel=1e-9)
    assert match.deviation < 1e-9
    np.testing.assert_allclose(cloud_map(image, reference, SELECTION), 0, atol=1e-9)


def test_structure_that_the_shape_cannot_follow_is_left(reference):
    cloud = 1 / (1 - 0.04 * Y**2)  # beyond a plane, within the parabola of the check
    match = large_scale_match(3000 * cloud * reference, reference, SELECTION)
    left = cloud_map(3000 * cloud * reference, reference, SELECTION)
    assert match.deviation == pytest.approx(np.abs(left).max(), rel=1e-12)
    assert 0.01 < match.deviation < 0.04
    assert left.shape == SHAPE
    assert left[0].mean() > 0.005 > -0.005 > left[SHAPE[0] // 2].mean()


def test_without_a_smoother_the_frame_only_gets_the_level_of_the_reference(reference):
    plain = FlatSelection(large_scale_smoother=None, cloud_check_smoother=PARABOLA)
    match = large_scale_match(7000 * reference, reference, plain)
    assert match.shape is None
    assert match.mean == pytest.approx(7000 * reference.mean())
    assert match.deviation < 1e-9
    np.testing.assert_array_equal(matched(7000 * reference, None), 7000 * reference)


@pytest.mark.parametrize("name", ["large_scale_deviation_threshold", "cloud_check_smoother"])
def test_clouds_are_not_looked_for_where_they_decide_nothing(reference, name):
    selection = FlatSelection(
        **{"large_scale_smoother": PLANE, "cloud_check_smoother": PARABOLA, name: None}
    )
    match = large_scale_match(reference, reference, selection)
    assert np.isnan(match.deviation)
    assert match.mean == pytest.approx(reference.mean())


def test_without_a_smoother_of_clouds_the_map_shows_each_pixel(reference):
    selection = FlatSelection(large_scale_smoother=None, cloud_check_smoother=None)
    image = 100 * reference
    image[3, 4] *= 1.5
    left = cloud_map(image, reference, selection)
    level = reference.mean() / (image.mean() / 100)
    assert left[3, 4] == pytest.approx(1.5 * level - 1)
    assert np.delete(left.ravel(), 3 * SHAPE[1] + 4) == pytest.approx(level - 1)


def test_pixels_that_are_nan_in_either_take_no_part(reference):
    image = 5000 * reference / (1 + 0.05 * X)
    expected = large_scale_match(image, reference, SELECTION)
    broken, gappy = image.copy(), reference.copy()
    broken[10:20, 30:50] = np.nan
    gappy[50, 60] = np.nan
    match = large_scale_match(broken, gappy, SELECTION)
    rows, wanted = (m.shape.rows(0, SHAPE[0]) for m in (match, expected))
    np.testing.assert_allclose(rows, wanted, rtol=1e-9)
    # the mean is that of the pixels that the frame has
    assert match.mean == pytest.approx(np.nanmean(np.where(np.isnan(broken), np.nan, reference)))
    assert match.deviation < 1e-9


def test_a_frame_without_a_pixel_matches_nothing(reference):
    for selection in (SELECTION, FlatSelection(large_scale_smoother=None)):
        match = large_scale_match(np.full(SHAPE, np.nan), reference, selection)
        assert np.isnan([match.mean, match.deviation]).all()


def test_the_arrays_are_untouched(reference):
    image = (4000 * reference).astype(np.float32)
    before = image.copy(), reference.copy()
    match = large_scale_match(image, reference, SELECTION)
    matched(image, match.shape)
    matched(image, None)[:] = 0
    cloud_map(image, reference, SELECTION)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(reference, before[1])


def test_any_rows_of_the_shape_are_those_of_the_whole():
    """Masters are made band by band; the default smoothers, which bin and zoom."""
    rng = np.random.default_rng(5)
    reference = 1 + rng.normal(0, 0.01, SHAPE)
    shape = large_scale_match(4000 * reference * (1 + 0.1 * X), reference, FlatSelection()).shape
    whole = shape.rows(0, SHAPE[0])
    assert whole.shape == SHAPE
    for start, stop in ((0, 1), (7, 33), (95, 96)):
        np.testing.assert_array_equal(shape.rows(start, stop), whole[start:stop])
