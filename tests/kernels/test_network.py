import itertools

import numpy as np
import pytest

from autowisp_xr.kernels.network import odd_even_merge_network, sort_rows


@pytest.mark.parametrize("number", range(1, 15))
def test_every_column_of_zeros_and_ones_is_sorted(number):
    """A network that sorts all of these sorts everything (the zero-one principle)."""
    columns = np.array(list(itertools.product([0, 1], repeat=number)), "u1").T.copy()
    sort_rows(columns, columns.shape[1], odd_even_merge_network(number))
    assert (np.diff(columns.astype(int), axis=0) >= 0).all()


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("number", [1, 2, 17, 31, 32, 33, 100, 129])
def test_any_number_and_type_is_sorted(number, dtype, rng):
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "ui" else np.finfo(dtype)
    rows = (rng.normal(size=(number, 50)) * 1e3).clip(float(info.min), float(info.max))
    rows = rows.astype(dtype)
    rows[0], rows[-1] = info.max, info.min
    expected = np.sort(rows, axis=0)
    sort_rows(rows, rows.shape[1], odd_even_merge_network(number))
    np.testing.assert_array_equal(rows, expected)


def test_infinities_are_sorted_to_the_ends():
    rows = np.array([[np.inf], [1.0], [-np.inf], [np.inf], [0.0]])
    sort_rows(rows, rows.shape[1], odd_even_merge_network(5))
    assert rows.ravel().tolist() == [-np.inf, 0.0, 1.0, np.inf, np.inf]


def comparisons(number):
    """How many rows are compared: three in a step of four rows, one in a step of two."""
    return sum(1 if step[2] < 0 else 3 for step in odd_even_merge_network(number))


def test_the_network_has_the_comparisons_of_batcher():
    assert [comparisons(number) for number in (2, 4, 8, 16, 32)] == [1, 5, 19, 63, 191]
    assert odd_even_merge_network(1).shape == (0, 4)


def test_most_comparisons_are_done_three_at_a_time():
    network = odd_even_merge_network(100)
    assert (network[:, 2] >= 0).mean() > 0.3
    fours = network[network[:, 2] >= 0]
    assert (np.diff(fours, axis=1) > 0).all()


def test_columns_beyond_the_width_are_left_alone(rng):
    rows = rng.normal(size=(9, 20))
    before = rows.copy()
    sort_rows(rows, 12, odd_even_merge_network(9))
    np.testing.assert_array_equal(rows[:, :12], np.sort(before[:, :12], axis=0))
    np.testing.assert_array_equal(rows[:, 12:], before[:, 12:])
