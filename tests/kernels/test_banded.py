import numpy as np
import pytest

from autowisp_xr.kernels.banded import add_row, factorise, solve


def band_of(matrix, lower, upper):
    band = np.zeros((len(matrix), lower + upper + 1))
    for i, j in np.ndindex(matrix.shape):
        if -lower <= j - i <= upper:
            band[i, j - i + lower] = matrix[i, j]
    return band


@pytest.mark.parametrize("rows", [1, 2, 3, 20])
@pytest.mark.parametrize(("lower", "upper"), [(0, 0), (1, 1), (3, 2), (0, 4), (2, 0)])
def test_equations_of_any_band_are_solved(rows, lower, upper, rng):
    matrix = np.triu(np.tril(rng.normal(size=(rows, rows)), upper), -lower)
    matrix += 10 * np.eye(rows)
    right = rng.normal(size=(rows, 7))
    band = band_of(matrix, lower, upper)
    factorise(band, lower)
    solution = right.copy()
    solve(band, lower, solution)
    np.testing.assert_allclose(matrix @ solution, right, rtol=1e-12, atol=1e-12)


def test_two_equations_by_hand():
    band = np.array([[0.0, 2.0, 1.0], [4.0, 5.0, 0.0]])
    factorise(band, 1)
    np.testing.assert_array_equal(band, [[0, 2, 1], [2, 3, 0]])
    columns = np.array([[4.0], [14.0]])
    solve(band, 1, columns)
    np.testing.assert_array_equal(columns, [[1], [2]])


def test_a_multiple_of_a_row_is_added():
    row = np.array([1.0, 2.0])
    add_row(row, -2.0, np.array([1.0, 0.5]))
    np.testing.assert_array_equal(row, [-1, 1])
