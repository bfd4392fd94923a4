import numpy as np
import pytest

from autowisp_xr.stats.quantiles import good_quantiles

WANTED = [0.0, 0.1, 0.5, 0.999, 1.0]


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (200, 301)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_quantiles_of_good_pixels_have_the_bits_of_numpy(rng, shape, dtype):
    values = rng.normal(1000, 30, shape).astype(dtype)
    values += (rng.random(shape) < 0.01) * dtype(3e6)
    mask = (rng.random(shape) < 0.2).astype(np.uint8)
    mask[0, 0] = 0
    expected = np.quantile(values[mask == 0].astype(np.float64), WANTED)
    np.testing.assert_array_equal(good_quantiles(values, mask, WANTED), expected)


def test_values_far_beyond_the_sample_and_equal_ones_count(rng):
    values = np.full((64, 64), 7.0)
    values[1, 1:3] = -1e9, 1e300
    mask = np.zeros(values.shape, np.uint8)
    assert good_quantiles(values, mask, [0.5, 1.0]).tolist() == [7.0, 1e300]
    assert good_quantiles(values, mask + np.uint8(1), [0.5]) is None
