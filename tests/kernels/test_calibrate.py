import numpy as np
import pytest

from autowisp_xr.flags import Flag
from autowisp_xr.kernels.calibrate import (
    PHOTONS,
    calibrate_planes,
    divide_variance,
    photon_signal,
    transferred,
)
from autowisp_xr.kernels.saturation import flag_saturated, leaks_between_channels


@pytest.mark.parametrize(
    ("photons", "expected"), [("none", [0, 0]), ("positive", [4, 0]), ("absolute", [4, 4])]
)
def test_photons_are_read_off_the_signal(photons, expected):
    assert [photon_signal(value, PHOTONS[photons]) for value in (4.0, -4.0)] == expected


def test_every_mask_of_a_master_becomes_one_without_saturation():
    masks = np.arange(128, dtype="u1")
    inherited = transferred(masks)
    assert inherited.dtype == np.uint8
    for mask, bits in zip(masks.tolist(), inherited.tolist(), strict=True):
        assert bits & ~1 == mask & ~(16 | 32 | 1)
        assert bool(bits & Flag.FAULT) == bool(mask & (1 | 16 | 32))


def test_variance_is_divided_by_the_square_of_a_positive_flat():
    flat = np.array([2.0, 0.0, -1.0, np.nan, 1e-3], "f4")
    expected = [1.0, np.nan, np.nan, np.nan, 4.0 / float(np.float32(1e-3)) ** 2]
    np.testing.assert_allclose(divide_variance(np.full(5, 4.0), flat), expected)


def test_leaks_between_channels_go_both_ways():
    rggb = [(0, 0), (0, 1), (1, 0), (1, 1)]
    down = leaks_between_channels([(0, 1)], rggb, (2, 2))
    assert down == [(0, 2, 0, 0), (1, 3, 0, 0), (2, 0, 1, 0), (3, 1, 1, 0)]
    two_left = leaks_between_channels([(-2, 0)], rggb, (2, 2))
    assert two_left == [(c, c, 0, -1) for c in range(4)]
    # of a channel that is left out nothing comes and nothing is told
    assert leaks_between_channels([(1, 0)], [(0, 0), (1, 1)], (2, 2)) == []


def test_leaks_longer_than_the_frame_are_lost():
    image = np.full((1, 2, 3), 200.0)
    mask = flag_saturated(image, np.array([100.0]), [(0, 0, 2, 0), (0, 0, 0, -3)])
    assert (mask == Flag.OVERSATURATED).all()


def calibrated(raw, overscan, reader):
    """Image, variance and mask of frames from which nothing but an overscan is subtracted."""
    frames, channels = raw.shape[:2]
    none = np.empty((0,) * 4, "f4")
    flags = np.empty((0,) * 4, "u1")
    planes = [np.empty((0,) * 3, "f4") for _ in range(5)]
    masters = (*planes[:3], none, planes[3], np.empty((0,) * 3, "u1"))
    none_of_either = np.zeros((channels, 1))
    limits = (np.full((frames, channels), np.nan), none_of_either, none_of_either)
    out = (np.empty(raw.shape), np.empty(raw.shape), np.empty(raw.shape, "u1"))
    ones = np.ones(frames)
    calibrate_planes(raw, none, flags, overscan, reader, ones, 0.0, limits, 0, masters, out)
    return out


def test_levels_by_row_by_column_and_by_amplifier_are_added_up(rng):
    """Against the same in NumPy: two amplifiers beside each other, and pixels that none reads."""
    raw = rng.normal(100, 5, (2, 3, 4, 5))
    rows, rows_variance = rng.random((2, 2, 2, 3, 4))
    columns, columns_variance = rng.random((2, 2, 2, 3, 5))
    none, alone = np.empty((0,) * 4), np.empty((0,) * 3, "u1")

    def expected(values, more, reader):
        planes = np.full(raw.shape, np.nan)
        for number in range(2):
            whole = values[:, number][..., None] + np.zeros(5)
            if more is not None:
                whole = whole + more[:, number][:, :, None]
            planes = np.where(reader == number, whole, planes)
        return planes

    one = np.zeros((3, 4, 5), "u1")
    two = rng.integers(0, 3, (3, 4, 5)).astype("u1")
    for reader, given in ((one, alone), (two, two)):
        for more, noise in ((none, none), (columns, columns_variance)):
            image, variance, mask = calibrated(
                raw, (rows, rows_variance, more, noise, none, none), given
            )
            level = expected(rows, more if more.size else None, reader)
            np.testing.assert_allclose(image, raw - level, rtol=1e-14)
            total = expected(rows_variance, noise if noise.size else None, reader)
            np.testing.assert_allclose(variance, total, rtol=1e-14)
            lost = np.broadcast_to(reader == 2, raw.shape)
            np.testing.assert_array_equal(mask == Flag.FAULT, lost)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 4, 5), (2, 1, 1, 5), (1, 3, 4, 1)])
@pytest.mark.parametrize("noisy", [True, False])
def test_planes_of_a_correction_are_as_wide_as_they_vary(rng, shape, noisy):
    raw = rng.normal(100, 5, (2, 3, 4, 5))
    none, alone = np.empty((0,) * 4), np.empty((0,) * 3, "u1")
    plane, noise = rng.random(shape), rng.random((2, 3, 1, 1)) if noisy else none
    image, variance, mask = calibrated(raw, (none, none, none, none, plane, noise), alone)
    np.testing.assert_allclose(image, raw - plane, rtol=1e-14)
    expected = np.broadcast_to(noise, raw.shape) if noisy else 0.0
    np.testing.assert_array_equal(variance, expected)
    assert not mask.any()
