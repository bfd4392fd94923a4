import numpy as np
import pytest

from autowisp_xr.flags import Flag
from autowisp_xr.night.checks_of_masters import (
    KnownDark,
    current_left,
    doubts_on_flat,
    price_of_scaling,
)
from tests.steps.frames import master

DARK = master(np.full((5, 7), 30.0), np.full((5, 7), 4.0), np.zeros((5, 7)), exposure=120.0)


def test_a_scaled_dark_gives_its_factor_and_the_noise_that_it_adds():
    stated = price_of_scaling("dark_120s", DARK, (60.0, 60.0))
    assert "dark_120s of 120 s is scaled by 0.5 to frames of 60 s, which adds 1 ADU" in stated
    assert "--scale-dark no" in stated
    stated = price_of_scaling("d", DARK.drop_vars("variance"), (30.0, 60.0))
    assert "scaled by 0.25 to 0.5 to frames of 30 to 60 s; hot" in stated


def test_flats_without_a_dark_give_how_much_dark_current_they_hold():
    bias = master(np.full((5, 7), 1000.0))
    free = KnownDark.of("free", DARK, holds_bias=False, bias=None)
    held = DARK.assign(image=DARK["image"] + 1000.0)
    assert KnownDark.of("free", held, holds_bias=True, bias=bias) == free
    assert KnownDark.of("held", held, holds_bias=True, bias=None) is None
    stated = current_left(240.0, 20_000.0, [free])
    assert "flats of 240 s contain about 60 ADU of dark current, 0.30% of their level" in stated
    assert "by the dark free of 120 s" in stated


@pytest.mark.parametrize(("seconds", "level"), [(np.nan, 1e4), (10.0, np.nan)])
def test_what_is_not_known_is_not_reported(seconds, level):
    dark = KnownDark(name="d", seconds=60.0, level=3.0)
    assert current_left(seconds, level, [dark]) == ""
    assert current_left(10.0, 1e4, []) == ""


def test_the_dark_nearest_in_exposure_gives():
    darks = [KnownDark(name=f"{t}", seconds=t, level=t / 10) for t in (1.0, 300.0)]
    assert "by the dark 300.0" in current_left(200.0, 1e4, darks)


@pytest.mark.parametrize(("columns", "share"), [(0, ""), (1, ""), (240, "50 %")])
def test_a_flat_of_which_much_is_saturated_is_doubtful(columns, share):
    mask = np.zeros((90, 480), np.uint8)
    mask[:, :columns] = Flag.OVERSATURATED
    doubts = doubts_on_flat(master(np.ones(mask.shape), np.ones(mask.shape), mask)).notes
    assert [f"{share} of the pixels of this flat are saturated" in one for one in doubts] == (
        [True] * bool(share)
    )
