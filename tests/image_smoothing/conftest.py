import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture
def flat(rng):
    """An image of 22 x 31 with a slope, a bow, noise, and a few outliers."""
    y, x = np.mgrid[-1:1:22j, -1:1:31j]
    image = 1000 + 50 * x - 30 * y - 80 * (x**2 + y**2) + rng.normal(0, 5, x.shape)
    image[rng.random(image.shape) < 0.02] += 400
    image[3, 4] = -2000
    return image
