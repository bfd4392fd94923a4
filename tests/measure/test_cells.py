"""Cells of planes, and ranks of what is in them, by hand."""

import numpy as np

from autowisp_xr.measure.tile_scatter import cut, median, ranked


def test_cells_are_cut_row_by_row_and_what_is_left_over_is_left_out():
    planes = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    cells = cut(planes, 2, 2)
    assert cells.shape == (2, 1, 2, 4)
    np.testing.assert_array_equal(cells[0, 0], [[0, 1, 5, 6], [2, 3, 7, 8]])
    np.testing.assert_array_equal(cells[1, 0, 0], [15, 16, 20, 21])


def test_a_rank_is_that_of_the_finite_values_along_the_last_axis():
    values = np.array([[5.0, np.nan, 1.0, 3.0, 2.0], [np.nan] * 5])
    np.testing.assert_array_equal(ranked(values, 0.8), [5, np.nan])
    np.testing.assert_array_equal(ranked(values, 0.0), [1, np.nan])
    np.testing.assert_array_equal(median(values), [3, np.nan])
    np.testing.assert_array_equal(median(values.reshape(1, 2, 5)), [[3, np.nan]])
