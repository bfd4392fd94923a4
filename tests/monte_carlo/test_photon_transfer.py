"""Errors of gain and read noise, against the scatter of what is measured of many cameras."""

import warnings

import numpy as np
import pytest

from autowisp_xr import AutowispWarning
from autowisp_xr.measure import gain_and_read_noise
from tests.measure.flats_and_biases import Sensor, digitised
from tests.monte_carlo.trials import trials

NIGHTS = trials(25)
GAIN, NOISE = 1.5, 8.0

LIGHT = {
    "bright": [40e3] * 4,
    "a lamp that drifts": [40e3, 30e3, 22e3, 16e3],
    "of three levels": [300, 300, 3e3, 3e3, 30e3, 30e3],
    "hardly more than the read noise": [60] * 4,
}


def nights(levels, shape=(96, 96), **options):
    """Gain and read noise in ADU, each with its error, of many cameras."""
    rows = []
    for seed in range(NIGHTS):
        sensor = Sensor(seed=seed, shape=shape, gain=GAIN, read_noise=NOISE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AutowispWarning)
            found = gain_and_read_noise(sensor.flats(*levels), sensor.biases(), **options)
        names = ("gain", "gain_error", "read_noise_adu", "read_noise_adu_error")
        rows.append([found[name].item() for name in (*names, "read_noise", "read_noise_error")])
    return np.array(rows).T


def check(value, error, truth):
    pulls = (value - truth) / error
    # three times what so many nights tell of the width, and of the mean, and what is allowed
    assert abs(pulls.std() - 1) < 0.05 + 3 / np.sqrt(2 * NIGHTS)
    assert abs(pulls.mean()) < 0.15 + 3 / np.sqrt(NIGHTS)


@pytest.mark.parametrize("levels", LIGHT.values(), ids=LIGHT)
def test_pulls_of_gain_and_read_noise_are_as_wide_as_one(levels):
    gain, gain_error, adu, adu_error, noise, noise_error = nights(levels)
    check(gain, gain_error, GAIN)
    check(adu, adu_error, digitised(NOISE, GAIN))
    check(noise, noise_error, GAIN * digitised(NOISE, GAIN))


@pytest.mark.parametrize(
    ("shape", "tile"), [((40, 60), 8), ((24, 30), 32), ((96, 64), 48)], ids=str
)
def test_so_they_are_in_few_tiles_and_in_small_ones(shape, tile):
    gain, gain_error, adu, adu_error, *_ = nights([30e3] * 4, shape=shape, tile=tile)
    check(gain, gain_error, GAIN)
    check(adu, adu_error, digitised(NOISE, GAIN))
