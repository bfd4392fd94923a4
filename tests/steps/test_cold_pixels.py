"""Pixels that lie below all that is around them."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import Flag, simulate
from tests.steps.frames import frame_set

SHAPE = (9, 11)


def sky(image=None, mask=None, level=100.0, noise=2.0):
    image = np.full(SHAPE, level) if image is None else np.asarray(image, float)
    mask = np.zeros(image.shape, np.uint8) if mask is None else mask
    return frame_set(image, variance=np.full(image.shape, noise**2), mask=mask)


def cold(ds, **options):
    return np.argwhere(aw.flag_cold_pixels(ds, **options)["mask"].values[0, 0]).tolist()


def test_a_pixel_is_cold_that_is_ten_uncertainties_below_those_around_it():
    image = np.full(SHAPE, 100.0)
    image[2, 3], image[5, 5], image[8, 10] = 79.9, 80.1, 70
    assert cold(sky(image)) == [[2, 3], [8, 10]]
    assert cold(sky(image), threshold=9.9) == [[2, 3], [5, 5], [8, 10]]
    out = aw.flag_cold_pixels(sky(image))
    assert out["mask"].values[0, 0, 2, 3] == Flag.FAULT
    np.testing.assert_array_equal(out["image"], sky(image)["image"])
    assert aw.provenance.history(out)[-1]["verb"] == "flag_cold_pixels"


def test_two_beside_each_other_are_both_cold():
    image = np.full(SHAPE, 100.0)
    image[4, 4:6] = 50
    assert cold(sky(image)) == [[4, 4], [4, 5]]


def test_no_light_makes_a_pixel_cold():
    y, x = np.indices(SHAPE)
    slope = 1000.0 * x + 300 * y
    two_stars = sum(1e5 * np.exp(-((y - 4) ** 2 + (x - at) ** 2) / 2) for at in (3, 7))
    edge = np.where(x > 5, 1e4, 0.0)
    ring = 1e4 * np.exp(-((np.hypot(y - 4, x - 5) - 3) ** 2) / 1.5)
    for image in (slope, two_stars, edge, ring):
        assert cold(sky(image)) == []


def test_flagged_pixels_are_neither_cold_nor_surroundings():
    image = np.full(SHAPE, 100.0)
    image[4, 4] = 50
    mask = np.zeros(SHAPE, np.uint8)
    mask[4, 4] = Flag.HOT
    assert (aw.flag_cold_pixels(sky(image, mask))["mask"].values[0, 0, 4, 4]) == Flag.HOT | 1
    mask[4, 4] = Flag.COSMIC
    assert aw.flag_cold_pixels(sky(image, mask))["mask"].values[0, 0, 4, 4] == Flag.COSMIC
    mask[4, 4] = 0
    mask[2:7, 2:7] = Flag.FAULT
    mask[4, 4] = 0
    np.testing.assert_array_equal(aw.flag_cold_pixels(sky(image, mask))["mask"][0, 0], mask)
    image[3, 3], mask[...] = np.nan, 0
    assert cold(sky(image)) == [[4, 4]]


def test_of_noise_and_stars_no_pixel_is_cold():
    night = simulate.Night(shape=(120, 150), seed=2, overscan=8, fwhm=2.0, cosmic_rays=0)
    frames = aw.calibrate(night.objects(2, stars=300), camera=night.camera)
    np.testing.assert_array_equal(aw.flag_cold_pixels(frames)["mask"], frames["mask"])


@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 4, "x": 5}, {"frame": 2, "channel": 1}])
def test_it_is_lazy_and_chunks_change_no_bit(chunks):
    rng = np.random.default_rng(1)
    image = rng.normal(100, 2, (3, 2, *SHAPE))
    image[rng.random(image.shape) < 0.02] = 20
    ds = frame_set(
        image, variance=np.full(image.shape, 4.0), mask=np.zeros(image.shape, np.uint8),
        camera=aw.Camera(channels={"A": (slice(0, None), slice(0, None, 2)),
                                   "B": (slice(0, None), slice(1, None, 2))}),
    )  # fmt: skip
    before = ds.copy(deep=True)
    eager, lazy = aw.flag_cold_pixels(ds), aw.flag_cold_pixels(ds.chunk(chunks))
    assert lazy["mask"].chunks is not None
    assert (eager["mask"].values & 1).any()
    np.testing.assert_array_equal(eager["mask"], lazy["mask"])
    xr.testing.assert_identical(ds, before)


@given(st.integers(0, 8), st.integers(0, 10), st.floats(0.5, 50))
def test_a_lone_pixel_is_found_anywhere_whatever_the_unit(y, x, unit):
    image = np.full(SHAPE, 100.0)
    image[y, x] = 70
    assert cold(sky(image * unit, noise=2 * unit)) == [[y, x]]


def test_raw_frames_and_thresholds_of_nothing_are_refused():
    with pytest.raises(aw.CalibrationError, match=r"no variance.*calibrate them"):
        aw.flag_cold_pixels(frame_set(np.ones(SHAPE)))
    with pytest.raises(ValueError, match=r"positive number of uncertainties, not 0"):
        aw.flag_cold_pixels(sky(), threshold=0)
