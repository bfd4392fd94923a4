import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.flats.pointings import nearest_pointings


def test_distances_along_a_meridian_and_along_the_equator():
    separation, nearest = nearest_pointings([10.0, 10.0, 11.0], [0.0, 0.5, 0.0])
    np.testing.assert_allclose(separation, [1800.0, 1800.0, 3600.0], rtol=1e-12)
    assert nearest.tolist() == [1, 0, 0]


def test_right_ascensions_crowd_at_the_pole_and_go_round():
    separation, _ = nearest_pointings([0.0, 90.0, 180.0, 359.9], [89.9, 89.9, 89.9, -89.0])
    # 0.1 degree from the pole, at right angles
    np.testing.assert_allclose(separation[:3], 360 * np.sqrt(2), rtol=1e-5)
    assert separation[3] > 178 * 3600
    separation, _ = nearest_pointings([0.001, 359.999], [0.0, 0.0])
    np.testing.assert_allclose(separation, 7.2, rtol=1e-9)


def test_a_thousandth_of_an_arcsecond_keeps_its_digits():
    separation, _ = nearest_pointings([150.0, 150.0], [40.0, 40.0 + 1e-3 / 3600])
    np.testing.assert_allclose(separation, 1e-3, rtol=1e-5)


def test_the_other_side_of_the_sky_is_half_a_circle_away():
    separation, _ = nearest_pointings([0.0, 180.0], [0.0, 0.0])
    np.testing.assert_allclose(separation, 180 * 3600)


def test_frames_that_do_not_state_where_they_point_are_near_nothing():
    nan = np.nan
    separation, nearest = nearest_pointings([1.0, nan, 1.0, 2.0], [0.0, 0.0, nan, 0.0])
    np.testing.assert_allclose(separation, [3600, nan, nan, 3600])
    assert nearest.tolist() == [3, -1, -1, 0]


@pytest.mark.parametrize("ra", [[], [5.0], [5.0, np.nan]])
def test_a_frame_alone_is_near_nothing(ra):
    separation, nearest = nearest_pointings(ra, np.zeros(len(ra)))
    assert np.isnan(separation).all()
    assert nearest.tolist() == [-1] * len(ra)


def test_equal_pointings_are_at_no_distance():
    separation, nearest = nearest_pointings([7.0, 7.0, 7.0], [-30.0] * 3)
    assert separation.tolist() == [0.0] * 3
    assert all(nearest != np.arange(3))


angles = st.tuples(
    st.floats(0, 360, exclude_max=True, allow_subnormal=False), st.floats(-89, 89)
).map(lambda place: (round(place[0], 6), round(place[1], 6)))


@given(st.lists(angles, min_size=2, max_size=8))
def test_astropy_states_the_same(places):
    ra, dec = np.array(places).T
    separation, nearest = nearest_pointings(ra, dec)
    sky = SkyCoord(ra * units.deg, dec * units.deg)
    apart = sky[:, None].separation(sky[None, :]).arcsec
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_allclose(separation, apart.min(axis=1), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(
        apart[np.arange(len(places)), nearest], apart.min(axis=1), rtol=1e-7, atol=1e-8
    )


def test_many_pointings_are_reckoned_in_parts():
    """More than the rows of one part: the neighbour may lie in another one."""
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(0, 360, 1100), rng.uniform(-60, 60, 1100)
    ra[1099], dec[1099] = ra[0], dec[0] + 1 / 3600
    separation, nearest = nearest_pointings(ra, dec)
    assert (nearest[0], nearest[1099]) == (1099, 0)
    np.testing.assert_allclose(separation[[0, 1099]], 1.0, rtol=1e-6)
    part, _ = nearest_pointings(ra[:500], dec[:500])
    assert (separation[:500] <= part * (1 + 1e-12)).all()
