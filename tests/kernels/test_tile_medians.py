"""Medians of tiles, and bad neighbours, against NumPy and counting."""

import warnings

import numpy as np
import pytest

from autowisp_xr.kernels.tile_medians import beside_bad, tile_medians

NOTHING = np.empty((0, 0, 0))


@pytest.mark.parametrize("largest", [3, 10**6])
def test_medians_of_tiles_are_those_of_numpy_with_ties_and_nan_and_at_the_edges(largest):
    rng = np.random.default_rng(largest)
    planes = rng.integers(0, largest, (2, 21, 18)).astype(np.float64)
    planes[rng.random(planes.shape) < 0.3] = np.nan
    planes[1, :8, 8:16] = np.nan
    about = rng.normal(size=planes.shape)
    for values, base in ((planes, NOTHING), (np.abs(planes - about), about)):
        found = tile_medians(planes, base, 8)
        assert found.shape == (2, 3, 3)
        for c, row, column in np.ndindex(found.shape):
            tile = values[c, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                np.testing.assert_equal(found[c, row, column], np.nanmedian(tile))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7])
def test_bad_lines_and_neighbours_are_those_that_are_counted(share):
    bad = np.random.default_rng(1).random((2, 12, 15)) < share
    in_line, among = beside_bad(bad, 5, 6)
    for c, y, x in np.ndindex(bad.shape):
        top, left = max(y - 2, 0), max(x - 2, 0)
        lines = bad[c, top : y + 3, x], bad[c, y, left : x + 3]
        assert in_line[c, y, x] == any(2 * line.sum() > line.size for line in lines)
        around = bad[c, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].sum() - bad[c, y, x]
        assert among[c, y, x] == (around >= 6)
