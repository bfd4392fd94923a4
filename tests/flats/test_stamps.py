import numpy as np
import pytest

from autowisp_xr import FlatSelection
from autowisp_xr.flats.selection import Stamp, stamp_area, statistics_of

PLAIN = {"smoother": None, "outlier_threshold": 3.0, "max_iter": 3}


def stamp(pixels, saturated=False, **options):
    pixels = np.asarray(pixels, dtype=np.float32)
    saturated = np.broadcast_to(np.asarray(saturated, dtype=bool), pixels.shape)
    return statistics_of(pixels, saturated, FlatSelection(**{**PLAIN, **options}))


@pytest.mark.parametrize(
    ("shape", "fraction", "expected"),
    [
        ((8, 8), 0.5, (slice(2, 6), slice(2, 6))),
        ((9, 7), 0.5, (slice(2, 6), slice(2, 5))),
        ((5, 6), 1, (slice(0, 5), slice(0, 6))),
        ((100, 3), 0.25, (slice(37, 62), slice(1, 2))),
        ((1, 1), 0.01, (slice(0, 1), slice(0, 1))),
    ],
)
def test_the_stamp_is_in_the_middle_and_at_least_a_pixel(shape, fraction, expected):
    assert stamp_area(shape, fraction) == expected


def test_a_stamp_by_hand():
    found = stamp([[1.0, 2.0], [3.0, 6.0]], average="mean")
    assert found == Stamp(3.0, (4 + 1 + 0 + 9) / 4, 4, 0.0)
    found = stamp([[1.0, 2.0], [3.0, 6.0]], average="median")
    assert found == Stamp(2.5, (1.5**2 + 0.5**2 + 0.5**2 + 3.5**2) / 4, 4, 0.0)


def test_outliers_are_rejected_in_rounds():
    """Of 1 to 4 and 100 with 1.5: the first round takes 100, whatever comes is allowed."""
    pixels = [[1.0, 2.0, 3.0, 4.0, 100.0]]
    assert stamp(pixels, outlier_threshold=1.5, max_iter=1) == Stamp(2.5, 1.25, 4, 0.0)
    assert stamp(pixels, outlier_threshold=1.5, max_iter=0) == Stamp(22.0, 1522.0, 5, 0.0)
    assert stamp(pixels, outlier_threshold=(1.5, -1e9), max_iter=None).number == 4
    assert stamp(pixels, outlier_threshold=(1e9, -1.5), max_iter=None).number == 5


def test_pixels_that_are_not_finite_are_left_out():
    pixels = [[1.0, 3.0, np.nan, np.inf]]
    assert stamp(pixels) == Stamp(2.0, 1.0, 2, 0.0)


def test_a_stamp_without_a_pixel_is_of_no_use():
    found = stamp(np.full((3, 3), np.nan))
    assert np.isnan([found.mean, found.variance]).all()
    assert (found.number, found.saturated_fraction) == (0, 0.0)


def test_saturated_pixels_are_counted_and_the_limit_itself_is_allowed():
    pixels = np.arange(16.0).reshape(4, 4)
    one = np.zeros((4, 4), bool)
    one[0, 0] = True
    allowed = stamp(pixels, one, max_saturated_fraction=1 / 16)
    assert (allowed.number, allowed.saturated_fraction) == (16, 1 / 16)
    beyond = stamp(pixels, one, max_saturated_fraction=1 / 16 - 1e-9)
    assert np.isnan(beyond.mean)
    assert (beyond.number, beyond.saturated_fraction) == (0, 1 / 16)
    untested = stamp(pixels, True, max_saturated_fraction=None)
    assert (untested.number, untested.saturated_fraction) == (16, 1.0)


def test_the_trend_is_taken_out_before_the_variance():
    """A parabola of light, and noise of one: de-trended, the noise is what is left."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:80j, -1:1:80j]
    pixels = 1000 * (1 + 0.2 * x - 0.1 * y**2) + rng.normal(0, 1, y.shape)
    raw = stamp(pixels)
    flat = stamp(pixels, smoother=FlatSelection().smoother)
    assert raw.variance > 1e4
    assert flat.variance == pytest.approx(1.0, rel=0.05)
    assert flat.mean == pytest.approx(pixels.mean(), rel=1e-2)


def test_the_pixels_are_untouched():
    pixels = np.array([[1.0, 2.0, np.nan], [4.0, 5.0, 60.0]], np.float32)
    before = pixels.copy()
    for smoother in (None, FlatSelection().smoother):
        statistics_of(pixels, np.zeros((2, 3), bool), FlatSelection(smoother=smoother))
        np.testing.assert_array_equal(pixels, before)
