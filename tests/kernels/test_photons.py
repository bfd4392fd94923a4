"""Variances of averages of few photons: exact widths of their pulls, and where nothing is added."""

import numpy as np
import pytest

from autowisp_xr.kernels.photons import fit_the_line, photon_noise
from tests.kernels.photon_noise import variance_of_sum, width


@pytest.mark.parametrize("photons", [0.0, 1.0, 3.0, 10.0, 50.0, 300.0])
@pytest.mark.parametrize(("rest", "off"), [(4.32, 0.025), (7.2, 0.01), (28.8, 0.01), (180.0, 0.01)])
def test_pulls_are_as_wide_as_they_should(rest, off, photons):
    """The read noise of 3 to 120 frames of 1.2 electrons."""
    found, mean = width(rest, photons)
    assert found == pytest.approx(1.0, abs=off)
    if rest + photons >= 150:
        assert mean == pytest.approx(1.0, abs=0.005)


def test_many_photons_are_counted_as_they_are():
    assert photon_noise(200.0, 7.0, 160.0, 1.0, False) == (200.0, 160.0)
    total, photons = photon_noise(140.0, 0.0, 100.0, 1.0, False)
    assert 140.0 < total < 140.5
    assert total - photons == pytest.approx(40.0)


def test_what_is_far_below_no_light_keeps_the_noise_of_no_light():
    near, far = (photon_noise(400.0, 0.0, signal, 1.0, False) for signal in (-50.0, -61.0))
    assert near == (350.0, -50.0)
    assert far == (400.0, 0.0)


def test_the_average_of_one_value_states_what_its_frame_stated():
    assert photon_noise(9.0, 0.0, -2.0, 1.0, True) == (9.0, 0.0)
    assert photon_noise(12.0, 0.0, 3.0, 1.0, True) == (12.0, 3.0)


def test_less_is_added_where_most_of_the_noise_is_not_that_of_the_average():
    alone, half = (variance_of_sum(0.0, 30.0, other) - other for other in (0.0, 32.0))
    # f + 2 f^2 is 3 for f = 1, and 1 for f = 1 / 2
    assert alone - 30 == pytest.approx(3.1 * 30 / 32.5 * (1 - 0.2**2), rel=1e-12)
    assert half - 30 == pytest.approx((alone - 30) / 3, rel=0.05)


def test_values_whose_rest_differs_have_lost_their_zero():
    rests = np.array([4.0, 4.0, 4.0])
    assert fit_the_line(3, rests.sum(), (rests**2).sum())
    rests[1] = 2.0
    assert not fit_the_line(3, rests.sum(), (rests**2).sum())
