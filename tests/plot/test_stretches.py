import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autowisp_xr.plot.figures import FLAGS, SERIES
from autowisp_xr.plot.stretches import Stretch

NAMES = ("asinh", "zscale", "linear")
VALUES = arrays(np.float32, st.integers(1, 40), elements=st.floats(-1e6, 1e6, width=32))


def sky(stars=0):
    image = np.random.default_rng(1).normal(1000, 10, (100, 100))
    image.flat[:stars] = 30_000
    return image


def test_black_and_white_follow_from_what_is_good():
    values = np.arange(1001.0)
    good = values < 1000
    found = Stretch.of(np.where(good, values, 1e9), good, "linear")
    assert (found.low, found.high) == pytest.approx((0.005 * 999, 0.99 * 999))


def test_where_nothing_is_good_black_and_white_follow_from_all_there_is():
    values = np.array([[1.0, 2, np.nan]])
    assert Stretch.of(values, np.zeros((1, 3), bool)) == Stretch.of(values)
    assert Stretch.of(np.full((2, 2), np.nan)) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_few_bright_pixels_on_a_constant_image_can_be_seen(name):
    values = np.zeros((100, 100))
    values[3, 4] = 7.0
    found = Stretch.of(values, name=name)
    assert (found.low, found.high) == (0.0, 7.0)


@given(VALUES, st.sampled_from(NAMES))
def test_shades_rise_with_values_from_black_to_white(values, name):
    found = Stretch.of(values, name=name)
    assert found.low < found.high
    shades = found(np.sort(values))
    assert (np.diff(shades) >= 0).all()
    assert found([found.low - 1, found.low, found.high, found.high + 1]).tolist() == [0, 0, 1, 1]


def test_sky_and_stars_are_seen_at_once_with_asinh():
    found = Stretch.of(sky(stars=50))
    assert found.softening < 0.01
    dark, light = found([990, 1010])
    assert light - dark > 0.05
    assert 0.4 < found(3000) < 0.8


def test_what_has_no_bright_pixels_is_drawn_almost_linearly():
    found = Stretch.of(sky())
    middle = (found.low + found.high) / 2
    assert 0.5 <= found(middle) < 0.7


def test_zscale_is_that_of_astropy_and_faint_stars_do_not_change_it():
    assert Stretch.of(sky(stars=50), name="zscale").high < 1100


@pytest.mark.parametrize("name", NAMES)
def test_matplotlib_is_given_the_same_shades(name):
    found = Stretch.of(sky(stars=50), name=name)
    values = np.linspace(found.low, found.high, 50)
    norm = pickle.loads(pickle.dumps(found.norm()))
    np.testing.assert_allclose(norm(values), found(values), rtol=1e-6, atol=1e-7)


def test_ticks_are_round_and_in_range():
    found = Stretch.of(sky(stars=50))
    ticks = found.ticks()
    assert len(ticks) >= 4
    assert ticks == sorted(set(ticks))
    assert np.diff(found(ticks)).max() < 0.35


def test_limits_that_are_given_hold():
    found = Stretch.of(sky(), name="asinh", limits=(3, 4))
    assert (found.low, found.high) == (3, 4)


def test_a_name_of_no_stretch_is_refused():
    with pytest.raises(ValueError, match="no stretch 'log', only asinh, zscale, linear"):
        Stretch.of(sky(), name="log")


def test_colours_are_all_different():
    for colours in ([colour for _, colour in FLAGS.values()], [colour for colour, _ in SERIES]):
        assert len(set(colours)) == len(colours)
