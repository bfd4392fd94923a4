"""Sums over the noise of survivors against their formulas, in NumPy."""

import numpy as np
import pytest

from autowisp_xr.kernels.clip import MEDIAN
from autowisp_xr.kernels.noise_of_frames import WIDTH, own_variance
from autowisp_xr.kernels.pixels import Noise, Pixels, equal_weights, noise_sums
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.kernels.survivors import sum_noise

FRAMES, PIXELS = 5, 2 * WIDTH + 3


def planes(rng, number, low, high):
    return rng.uniform(low, high, (number, PIXELS)).astype("f4")


@pytest.fixture(params=["of all", "of each", "known", "none"])
def noise(request, rng):
    """Noise with planes of all frames or of each, with photons of a line, known ones or none."""
    none, number = np.empty((0, 0), "f4"), FRAMES if request.param == "of each" else 1
    shared, relative = planes(rng, number, 0, 3), planes(rng, number, 0, 1e-4)
    slope, zero, photons = planes(rng, number, 0.5, 2), planes(rng, number, 0, 20), none
    if request.param == "none":
        shared = relative = slope = zero = none
    if request.param == "known":
        photons = planes(rng, FRAMES, 0, 50)
    variance = planes(rng, FRAMES, 10, 200)
    variance[1, ::7] = -1
    return Noise(variance, shared, relative, slope, zero, photons)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("harmonic", [False, True])
def test_sums_are_those_of_their_formulas(noise, masked, harmonic, rng):
    values, mask = planes(rng, FRAMES, -5, 100), np.zeros((FRAMES, PIXELS), "u1")
    # some neighbours have all their values or none, others some
    mask[:, WIDTH:] = masked * rng.integers(0, 2, mask[:, WIDTH:].shape)
    mask[:, 4] = masked
    block = average_pixels(Pixels(values, mask, np.uint8(1)), MEDIAN)
    sums = noise_sums(PIXELS, photons=noise.slope.size > 0)
    none = np.empty((0, 0, 0)), np.empty((0, PIXELS))
    pixels = Pixels(values, mask, np.uint8(1))
    sum_noise(pixels, noise, equal_weights(), block, harmonic, sums, *none)

    total, shared, relative, slope, zero, photons = (
        one.astype(float) if one.size else np.zeros((1, PIXELS)) for one in noise
    )
    x = values.astype(float)
    here, there = slope * np.maximum(x - zero, 0), slope * np.maximum(block.about - zero, 0)
    lost = photons if noise.photons.size else here
    own = np.where(total < 0, np.nan, total) - shared - x**2 * relative - lost
    own = np.where(own < 0, 0, own) + there
    rest = (own - there) / (slope**2 if len(noise.slope) > 1 else 1)
    alive = mask == 0
    expected = {"variance": own, "slope": slope, "zero": slope * zero}
    if harmonic:
        with np.errstate(divide="ignore"):
            expected["roots"] = 1 / np.sqrt(own)
    if not noise.photons.size:
        expected |= {"excess": here - there, "rest": rest, "rest_squares": rest**2}
    for name, parts in expected.items():
        found = getattr(sums, name)
        if found.size:
            wanted = np.where(alive, parts, 0).sum(axis=0)
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=name)

    mine = np.empty(7)
    for frame in range(FRAMES):
        own_variance(values, noise, block.about[9:16], frame, 9, mine)
        wanted = np.broadcast_to(own, values.shape)[frame, 9:16]
        ok = np.isfinite(block.about[9:16])
        np.testing.assert_allclose(mine[ok], wanted[ok], rtol=1e-12, atol=1e-12)


def test_an_infinite_square_has_no_noise_where_there_is_none_of_it():
    values, none = np.full((1, 3), 1e200), np.empty((0, 0))
    noise = Noise(np.ones((1, 3)), none, none, none, none, none)
    own = np.empty(3)
    own_variance(values, noise, values[0], 0, 0, own)
    np.testing.assert_array_equal(own, 1.0)
