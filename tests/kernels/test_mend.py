import numpy as np
import pytest

from autowisp_xr.kernels.mend import mend_blocks


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_only_sums_that_are_not_finite_are_made_anew(dtype):
    image = np.array([[1, 2, np.nan, 6], [3, 4, np.inf, -np.inf]], dtype)
    sums = np.array([[99.0, np.nan]])
    mend_blocks(image, 2, 2, sums)
    np.testing.assert_array_equal(sums, [[99, 24]])
    sums = np.array([[np.inf, 99.0, np.nan, 99.0]])
    mend_blocks(image, 2, 1, sums)
    np.testing.assert_array_equal(sums, [[4, 99, np.nan, 99]])
