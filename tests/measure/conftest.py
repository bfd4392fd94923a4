"""Pairs of masters of the same truth, with true variances."""

import numpy as np
import pytest

from autowisp_xr import Camera, Flag
from tests.steps.frames import TWO_CHANNELS, master

SHAPE = (2, 40, 70)


@pytest.fixture
def rng():
    return np.random.default_rng(12)


@pytest.fixture
def pair(rng):
    """A new and an old flat of two channels with every trouble; the old one at another level."""
    camera = Camera(channels=TWO_CHANNELS)
    truth = rng.normal(1, 0.1, SHAPE)
    flats = []
    for level in (1.0, 1.25):
        variance = (level * rng.uniform(0.01, 0.02, SHAPE)) ** 2
        image = level * truth + rng.normal(0, 1, SHAPE) * np.sqrt(variance)
        mask = np.where(rng.random(SHAPE) < 0.05, Flag.HOT, 0).astype(np.uint8)
        image[:, 3, 4 if level == 1 else 5], mask[:, 3, 4 if level == 1 else 5] = np.nan, Flag.FAULT
        planes = (image.astype("f4"), variance.astype("f4"), mask)
        flats.append(master(*planes, camera=camera, units="1", corner=(8, 16)))
    return tuple(flats)
