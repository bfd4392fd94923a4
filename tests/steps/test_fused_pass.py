import numpy as np
import pytest

from autowisp_xr.flags import Flag
from autowisp_xr.kernels.saturation import flag_saturated, leaks_between_channels
from autowisp_xr.steps.base import transferred
from autowisp_xr.steps.flat import quotient
from autowisp_xr.steps.fused_pass import Calibrated, Operands, calibrate_planes
from autowisp_xr.steps.noise import PHOTONS, photon_signal
from autowisp_xr.steps.overscan import OverscanOperands


@pytest.mark.parametrize(
    ("photons", "expected"), [("none", [0, 0]), ("positive", [4, 0]), ("absolute", [4, 4])]
)
def test_photons_are_read_off_the_signal(photons, expected):
    assert [photon_signal(value, PHOTONS[photons]) for value in (4.0, -4.0)] == expected


def test_every_mask_of_a_master_becomes_one_without_saturation():
    masks = np.arange(256).astype("u1")
    inherited = transferred(masks)
    assert inherited.dtype == np.uint8
    for mask, bits in zip(masks.tolist(), inherited.tolist(), strict=True):
        assert bits & ~1 == mask & ~(16 | 32 | 1)
        assert bool(bits & Flag.FAULT) == bool(mask & (1 | 16 | 32))


def test_variance_is_divided_by_the_square_of_a_positive_flat():
    flat = np.array([2.0, 0.0, -1.0, np.nan, 1e-3], "f4")
    expected = [1.0, np.nan, np.nan, np.nan, 4.0 / float(np.float32(1e-3)) ** 2]
    np.testing.assert_allclose(quotient(np.full(5, 4.0), flat, 2), expected)


def test_leaks_between_channels_go_both_ways():
    rggb = [(0, 0), (0, 1), (1, 0), (1, 1)]
    down = leaks_between_channels([(0, 1)], rggb, (2, 2))
    assert down == [(0, 2, 0, 0), (1, 3, 0, 0), (2, 0, 1, 0), (3, 1, 1, 0)]
    two_left = leaks_between_channels([(-2, 0)], rggb, (2, 2))
    assert two_left == [(c, c, 0, -1) for c in range(4)]
    # of a channel that is left out nothing comes and nothing is reported
    assert leaks_between_channels([(1, 0)], [(0, 0), (1, 1)], (2, 2)) == []


def test_leaks_longer_than_the_frame_are_lost():
    image = np.full((1, 2, 3), 200.0)
    mask = flag_saturated(image, np.array([100.0]), [(0, 0, 2, 0), (0, 0, 0, -3)])
    assert (mask == Flag.OVERSATURATED).all()


def calibrated(raw, **overscan):
    """Image, variance and mask of frames from which nothing but an overscan is subtracted."""
    planes = [np.empty(raw.shape), np.empty(raw.shape), np.empty(raw.shape, "u1")]
    out = Calibrated(*planes, shared=np.empty((0, 0, 0, 0)))
    given = Operands()
    given = Operands(
        *(
            type(part)(*(d.astype("f8") if d.dtype == np.float32 else d for d in part))
            for part in given
        )
    )
    given = given._replace(
        frames=given.frames._replace(image=raw), overscan=OverscanOperands(**overscan)
    )
    calibrate_planes(given, out)
    return out[: len(planes)]


def test_levels_by_row_by_column_and_by_amplifier_are_added_up(rng):
    """Against the same in NumPy: two amplifiers beside each other, and pixels that none reads."""
    raw = rng.normal(100, 5, (2, 3, 4, 5))
    # lines in another order than those of the planes, some of them of no pixel
    level, noise = rng.random((2, 2, 2, 12))
    lines = {"rows": rng.permutation(6)[:4] + np.zeros((3, 1), "i8")}
    columns = rng.permutation(6)[:5] + 6 + np.zeros((3, 1), "i8")

    def expected(values, both, reader):
        planes = np.full(raw.shape, np.nan)
        for number in range(2):
            whole = values[:, number][:, lines["rows"]][..., None] + np.zeros(5)
            if both:
                whole = whole + values[:, number][:, columns][:, :, None]
            planes = np.where(reader == number, whole, planes)
        return planes

    two = rng.integers(0, 3, (3, 4, 5)).astype("u1")
    for reader, several in ((np.zeros_like(two), {}), (two, {"reader": two})):
        for more in ({}, {"columns": columns}):
            image, variance, mask = calibrated(
                raw, level=level, variance=noise, **lines, **more, **several
            )
            np.testing.assert_allclose(image, raw - expected(level, more, reader), rtol=1e-14)
            np.testing.assert_allclose(variance, expected(noise, more, reader), rtol=1e-14)
            lost = np.broadcast_to(reader == 2, raw.shape)
            np.testing.assert_array_equal(mask == Flag.FAULT, lost)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 4, 5), (2, 1, 1, 5), (1, 3, 4, 1)])
@pytest.mark.parametrize("noisy", [True, False])
def test_planes_of_a_correction_are_as_wide_as_they_vary(rng, shape, noisy):
    raw = rng.normal(100, 5, (2, 3, 4, 5))
    plane, noise = rng.random(shape), rng.random((2, 3, 1, 1))
    given = {"plane": plane, "plane_variance": noise} if noisy else {"plane": plane}
    image, variance, mask = calibrated(raw, **given)
    np.testing.assert_allclose(image, raw - plane, rtol=1e-14)
    expected = np.broadcast_to(noise, raw.shape) if noisy else 0.0
    np.testing.assert_array_equal(variance, expected)
    assert not mask.any()
