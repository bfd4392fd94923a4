import numpy as np
import pytest

from autowisp_xr.kernels.zoom import zoom_rows


def dense(first, weights, columns):
    matrix = np.zeros((len(first), columns))
    for row, start in enumerate(first):
        matrix[row, start : start + weights.shape[1]] = weights[row]
    return matrix


@pytest.fixture
def parts(rng):
    down = np.array([0, 0, 1, 1, 4, 5, 5]), rng.normal(size=(7, 3))
    along = np.array([2, 0, 1, 1]), rng.normal(size=(4, 2))
    return rng.normal(size=(8, 5)), down, along


def test_rows_are_the_product_of_three_matrices(parts):
    small, down, along = parts
    out = np.empty((7, 4))
    zoom_rows(small, down, along, out)
    expected = dense(*down, 8) @ small @ dense(*along, 5).T
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-13)


def test_a_row_has_the_same_bits_whichever_others_are_made(parts):
    small, down, along = parts
    whole = np.empty((7, 4))
    zoom_rows(small, down, along, whole)
    for start in range(8):
        for stop in range(start, 8):
            band = np.empty((stop - start, 4))
            zoom_rows(small, tuple(part[start:stop] for part in down), along, band)
            np.testing.assert_array_equal(band, whole[start:stop])
