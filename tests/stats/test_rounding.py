"""What rounding adds to averages, against sums and simulations."""

import numpy as np
import pytest

from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.stats.order_statistics import variance_factors
from autowisp_xr.stats.rounding import (
    common_rounding,
    covariance,
    noise_before,
    rounding_factors,
    rounding_variances,
)


def test_the_covariance_of_rounding_is_that_of_all_places_within_a_step():
    truth = (np.arange(20000) + 0.5) / 20000
    for distance in (0.0, 0.1, 0.5, 0.9, 1.25):
        errors = [np.rint(truth + d) - truth - d for d in (0.0, distance)]
        assert np.mean(errors[0] * errors[1]) == pytest.approx(covariance(distance), abs=1e-4)


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.3, 0.45, 0.7, 3.0])
def test_noise_is_found_in_the_scatter_of_what_was_rounded(noise):
    scatter = noise**2 + 1 / 12 - float(common_rounding(noise))
    assert noise_before(scatter) == pytest.approx(noise, rel=1e-3)
    assert noise_before(0.0) == 0.0


def test_a_median_of_odd_numbers_is_rounded_like_one_value_and_of_two_like_a_mean():
    assert rounding_factors(0.5, 5, 0.7)[0] == pytest.approx(1 / 12)
    assert rounding_factors(0.5, 2, 0.3)[0] == pytest.approx(
        1 / 24 + common_rounding(0.3) / 2, rel=1e-3
    )
    assert rounding_factors(MEAN, 10, 2.0)[0] == pytest.approx(1 / 120)


@pytest.mark.parametrize("noise", [0.15, 0.3, 0.5, 0.8, 2.0])
@pytest.mark.parametrize("number", [3, 4, 9, 20])
@pytest.mark.parametrize("quantile", [MEAN, 0.5, 0.3])
def test_variances_of_rounded_values_are_true(quantile, number, noise):
    rng = np.random.default_rng([number, int(100 * noise)])
    pixels = 400_000 // number
    truth = rng.random(pixels)
    values = np.rint(truth + rng.normal(0, noise, (number, pixels)))
    found = values.mean(0) if quantile == MEAN else np.quantile(values, quantile, axis=0)
    squares = ((values - found) ** 2).sum(axis=0).mean()
    scatter, ratio, _ = variance_factors(quantile, number)
    claimed = {
        True: ratio[number] / number * (noise**2 + 1 / 12),
        False: scatter[number] * squares,
    }
    for propagate, claim in claimed.items():
        times, lacks, common = rounding_variances([number], number, quantile, noise, propagate)
        assert np.var(found - truth) == pytest.approx(claim * times[0] + lacks[0], rel=0.03)
        assert 0 <= common[0] <= 1 / 12 + 1e-12
