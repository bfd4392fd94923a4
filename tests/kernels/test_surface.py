import numpy as np
import pytest

from autowisp_xr.kernels.surface import (
    add_moments,
    drop_outliers,
    square_distances,
    surface_rows,
)


@pytest.fixture
def pixels(rng):
    image = rng.normal(10, 3, (6, 5))
    image[2, 3] = np.nan
    image[4, 0] = -np.inf
    return image


@pytest.fixture
def kept(pixels):
    kept = np.isfinite(pixels)
    kept[0, 1] = False
    return kept


@pytest.fixture
def surface(rng):
    return 10.0, rng.normal(size=(6, 2)), rng.normal(size=(2, 5))


def test_moments_are_those_of_the_kept_pixels_above_the_level(pixels, kept, rng):
    terms = rng.normal(size=(6, 3))
    sums = np.ones((3, 5))
    add_moments(pixels, kept, 4.0, terms, sums)
    expected = 1 + terms.T @ np.where(kept, pixels - 4.0, 0.0)
    np.testing.assert_allclose(sums, expected, rtol=1e-13)


def test_rows_of_a_surface_are_the_level_and_a_product(surface):
    level, down, along = surface
    out = np.empty((6, 5))
    surface_rows(surface, out)
    np.testing.assert_allclose(out, level + down @ along, rtol=1e-13)


def test_distances_are_those_of_the_kept_pixels(pixels, kept, surface):
    level, down, along = surface
    squares, largest = square_distances(pixels, kept, surface)
    distance = (pixels - level - down @ along)[kept]
    assert squares == pytest.approx(np.sum(distance**2), rel=1e-13)
    assert largest == np.abs(pixels[kept]).max()


def test_what_is_beyond_a_limit_is_dropped_and_what_is_at_it_stays():
    pixels = np.array([[1.0, 2.0, 3.0, 4.0, np.nan]])
    kept = np.array([[True, True, True, True, True]])
    nothing = np.zeros((1, 1)), np.zeros((1, 5))
    drop_outliers(pixels, kept, (2.0, *nothing), 0.0, 1.0)
    np.testing.assert_array_equal(kept, [[False, True, True, False, False]])
    # what was dropped does not come back
    drop_outliers(pixels, kept, (2.0, *nothing), -9.0, 9.0)
    np.testing.assert_array_equal(kept, [[False, True, True, False, False]])
