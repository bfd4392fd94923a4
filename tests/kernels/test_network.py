import itertools

import numpy as np
import pytest

from autowisp_xr.kernels.network import odd_even_merge_network, sort_rows


@pytest.mark.parametrize("number", range(1, 15))
def test_every_column_of_zeros_and_ones_is_sorted(number):
    """A network that sorts all of these sorts everything (the zero-one principle)."""
    columns = np.array(list(itertools.product([0, 1], repeat=number)), "u1").T.copy()
    sort_rows(columns, odd_even_merge_network(number))
    assert (np.diff(columns.astype(int), axis=0) >= 0).all()


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("number", [1, 2, 17, 31, 32, 33, 100, 129])
def test_any_number_and_type_is_sorted(number, dtype, rng):
    info = np.iinfo(dtype) if np.dtype(dtype).kind in "ui" else np.finfo(dtype)
    rows = (rng.normal(size=(number, 50)) * 1e3).clip(float(info.min), float(info.max))
    rows = rows.astype(dtype)
    rows[0], rows[-1] = info.max, info.min
    expected = np.sort(rows, axis=0)
    sort_rows(rows, odd_even_merge_network(number))
    np.testing.assert_array_equal(rows, expected)


def test_infinities_are_sorted_to_the_ends():
    rows = np.array([[np.inf], [1.0], [-np.inf], [np.inf], [0.0]])
    sort_rows(rows, odd_even_merge_network(5))
    assert rows.ravel().tolist() == [-np.inf, 0.0, 1.0, np.inf, np.inf]


def test_the_network_of_sixteen_has_the_steps_of_batcher():
    assert len(odd_even_merge_network(16)) == 63
    assert len(odd_even_merge_network(8)) == 19
    assert odd_even_merge_network(1).shape == (0, 2)
    assert (odd_even_merge_network(100)[:, 0] < odd_even_merge_network(100)[:, 1]).all()
