"""The generalised ESD test against the example of NIST, by hand, and its rate of false alarms."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import GeneralizedESD
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.outliers.base import average_columns
from autowisp_xr.outliers.generalized_esd import critical_values, moments
from tests.steps.frames import frame_set

ROSNER = [
    *(-0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58),
    *(1.65, 1.69, 1.70, 1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15),
    *(2.23, 2.24, 2.26, 2.35, 2.37, 2.40, 2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93, 3.21),
    *(3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01),
]
"""The example of Rosner (1983), as the handbook of NIST has it, section 1.3.5.17.3."""

STATISTICS = [3.118, 2.942, 3.179, 2.810, 2.815, 2.848, 2.279, 2.310, 2.101, 2.067]
CRITICAL = [3.158, 3.151, 3.143, 3.136, 3.128, 3.120, 3.111, 3.103, 3.094, 3.085]
"""R and lambda for 1 to 10 outliers, as printed there."""


def counts(values, reject):
    found = average_columns(np.reshape(values, (-1, 1)).astype(float), MEAN, reject)
    return found.below[0], found.number[0], found.above[0]


def test_the_example_of_nist_has_three_outliers():
    for turn in (1, -1):
        expected = (0, 51, 3) if turn == 1 else (3, 51, 0)
        assert counts(turn * np.array(ROSNER), GeneralizedESD(0.05, outliers=10)) == expected
    # two of them hide the third
    assert counts(ROSNER, GeneralizedESD(0.05, outliers=2)) == (0, 54, 0)


def test_statistics_and_critical_values_are_those_of_nist():
    # which cuts them off
    critical = critical_values(0.05, len(ROSNER))[54 - np.arange(10)]
    assert (np.floor(1000 * critical) / 1000).tolist() == CRITICAL
    left, statistics = np.array(ROSNER), []
    for _ in STATISTICS:
        mean, squared_deviations = moments(left)
        distance = np.abs(left - mean)
        statistics.append(distance.max() / np.sqrt(squared_deviations / (left.size - 1)))
        left = np.delete(left, np.argmax(distance))
    assert (np.floor(1000 * np.array(statistics)) / 1000).tolist() == STATISTICS


def test_a_fraction_is_of_the_values_that_a_pixel_has():
    assert GeneralizedESD().most(10).tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3]
    assert GeneralizedESD(outliers=0.29).most(100)[-1] == 29
    assert GeneralizedESD(outliers=4).most(10).tolist() == [0, 0, 0, 1, 2, 2, 3, 3, 4, 4, 4]


def test_three_values_are_judged_and_equal_outliers_go_together():
    assert counts([1.0, 1.01, 90.0], GeneralizedESD()) == (0, 2, 1)
    assert counts([1.0, 1.2, 3.0], GeneralizedESD()) == (0, 3, 0)
    values = [*np.linspace(0, 1, 12), 40.0, 40.0, -40.0]
    assert counts(values, GeneralizedESD()) == (1, 12, 2)


def test_of_equal_values_the_first_frames_go():
    values = np.array([3.0, 50.0, 1.0, 2.0, 50.0, 1.5, 2.5, 2.0, 1.0, 3.0, 2.0])
    mask = np.zeros(values.size, "u1")
    mask[1] = aw.Flag.HOT
    planes = values.reshape(-1, 1, 1, 1), mask.reshape(-1, 1, 1, 1)
    frames = frame_set(planes[0], mask=planes[1])
    # one that may be an outlier hides in the other
    ds = aw.stack(frames, "mean", reject=GeneralizedESD(0.9, outliers=1), exclude=0)
    assert (ds["count"].item(), ds["mask"].item()) == (10, 0)


@pytest.mark.parametrize("outliers", [1, 0.3])
@pytest.mark.parametrize(("number", "rate"), [(5, 0.05), (30, 0.05), (30, 0.01)])
def test_as_many_good_pixels_lose_values_as_the_significance_has_it(number, rate, outliers, rng):
    values = rng.normal(100, 10, (number, 30_000))
    found = average_columns(values, MEAN, GeneralizedESD(rate, outliers))
    assert (found.number < number).mean() == pytest.approx(rate, rel=0.15)


def test_values_a_step_apart_are_neighbours(rng):
    values = (100 + (rng.random((9, 400)) < 0.1)).astype("u2")
    values[5, ::2] = 200
    found = aw.stack(frame_set(values[:, None, None]), "mean", reject=GeneralizedESD())
    assert found["count"].values.ravel().tolist() == [8, 9] * 200


def test_two_frames_are_warned_of():
    with pytest.warns(aw.AutowispWarning, match="GeneralizedESD rejects none of two values, so"):
        aw.stack(frame_set(np.ones((2, 1, 1, 3))), reject=GeneralizedESD())


def test_options_check_themselves():
    assert GeneralizedESD() == GeneralizedESD(0.05, 0.3)
    for wrong in (0, 1, -0.1, True, "0.05", np.nan):
        with pytest.raises(ValueError, match="significance is a probability between 0 and 1, not"):
            GeneralizedESD(wrong)
    for wrong in (0, -1, 0.6, 1.0, True, np.nan, None):
        with pytest.raises(ValueError, match="outliers is a whole number from 1, or a fraction"):
            GeneralizedESD(outliers=wrong)
