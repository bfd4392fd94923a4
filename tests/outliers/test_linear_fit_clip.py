"""Linear fit clipping by hand, its line against SciPy, and how many values it needs."""

import numpy as np
import pytest
from scipy.stats import theilslopes

import autowisp_xr as aw
from autowisp_xr import LinearFitClip
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.outliers.base import average_columns
from autowisp_xr.outliers.linear_fit_clip import distances_off_line
from tests.steps.frames import frame_set


def counts(values, reject):
    found = average_columns(np.reshape(values, (-1, 1)).astype(float), MEAN, reject)
    return found.below[0], found.number[0], found.above[0]


def test_a_lone_outlier_lies_as_many_mean_deviations_off_as_there_are_values():
    # levels of a sky that rises, and a cosmic ray
    values = [10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 300.0]
    assert counts(values, LinearFitClip(6.9)) == (0, 6, 1)
    assert counts(values, LinearFitClip(7.1)) == (0, 7, 0)
    assert counts(np.negative(values), LinearFitClip((7.1, -6.9))) == (1, 6, 0)
    # two of them hide each other
    assert counts([*values, 302.0], LinearFitClip(5)) == (0, 8, 0)
    assert counts([*values, 22.0, 24.0, 26.0, 28.0, 302.0], LinearFitClip(5)) == (0, 10, 2)


def test_frames_of_different_levels_keep_them_all():
    levels = np.linspace(100, 900, 20)
    assert counts(levels, LinearFitClip()) == (0, 20, 0)
    assert counts([*levels, 2000.0], LinearFitClip()) == (0, 20, 1)


def test_the_line_is_nearly_that_of_all_slopes(rng):
    for number in (6, 11, 30, 101):
        values = np.sort(np.linspace(0, 50, number) + rng.uniform(0, 1, number))
        distances = np.empty(number)
        mean = distances_off_line(values, np.empty(number), distances)
        fit = theilslopes(values, np.arange(number))
        rest = values - fit.slope * np.arange(number)
        expected = np.abs(rest - np.median(rest))
        assert mean == pytest.approx(np.abs(distances).mean())
        assert np.median(distances) == pytest.approx(0, abs=1e-12)
        assert mean == pytest.approx(expected.mean(), rel=0.15)


def test_fewer_than_a_quarter_of_the_values_do_not_tilt_the_line():
    values = np.array([*np.linspace(0, 15, 16), 1e3, 2e3, 3e3, 4e3])
    distances = np.empty(20)
    distances_off_line(values, np.empty(20), distances)
    np.testing.assert_allclose(distances[:16], distances[0], atol=1e-12)


def test_what_lies_between_values_that_stay_is_no_outlier():
    # of a few at one level and many at another, the edge of the step is far off the line
    values = [*np.linspace(0, 0.2, 4), *np.linspace(100, 101, 40)]
    low, left, high = counts(values, LinearFitClip(3))
    assert (low, high) == (4, 0)
    assert left == 40


@pytest.mark.parametrize("number", range(1, 6))
def test_of_fewer_than_six_values_none_is_rejected(number):
    values = [*range(number - 1), 1e6]
    assert counts(values, LinearFitClip(0.5))[1] == number
    frames = frame_set(np.reshape(values, (-1, 1, 1, 1)), variance=np.ones((number, 1, 1, 1)))
    if number == 1:
        assert aw.stack(frames, reject=LinearFitClip())["count"].item() == 1
        return
    with pytest.warns(aw.AutowispWarning, match=rf"LinearFitClip needs 6 .* {number} frames, so"):
        assert aw.stack(frames, reject=LinearFitClip())["count"].item() == number


def test_a_threshold_out_of_reach_is_warned_of():
    frames = frame_set(np.ones((8, 1, 1, 3)))
    with pytest.warns(aw.AutowispWarning, match=r"no value among 8 .* a threshold below 8 can"):
        aw.stack(frames, reject=LinearFitClip(8))
    aw.stack(frames, reject=LinearFitClip((7.9, -20)))
    aw.stack(frames, reject=LinearFitClip(8, max_iter=0))


def test_values_a_step_apart_are_neighbours(rng):
    values = (100 + (rng.random((9, 400)) < 0.1)).astype("u2")
    values[5, ::2] = 200
    found = aw.stack(frame_set(values[:, None, None]), "mean", reject=LinearFitClip(5))
    assert found["count"].values.ravel().tolist() == [8, 9] * 200


def test_options_check_themselves():
    assert LinearFitClip() == LinearFitClip(5.0, None)
    with pytest.raises(ValueError, match="a rejection threshold is a finite number"):
        LinearFitClip(0)
    with pytest.raises(ValueError, match="max_iter is None or at least 0, not -1"):
        LinearFitClip(3, max_iter=-1)
