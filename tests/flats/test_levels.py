import numpy as np
import pytest

from autowisp_xr import FlatSelection
from autowisp_xr.flats.verdicts import (
    CLASSES,
    VarianceFit,
    Verdict,
    by_deviation,
    classify,
    fit_variance,
)

NAN = np.nan
LEVELS = {"min_high_mean": 6000.0, "max_low_mean": 3000.0}


def verdicts(mean, variance=None, predicted=None, residual=1.0, saturated=0.0, **options):
    """Of frames whose variances are as predicted, unless they are said to differ."""
    mean = np.array(mean, dtype=float)
    variance = mean / 2 if variance is None else np.array(variance, dtype=float)
    predicted = mean / 2 if predicted is None else np.array(predicted, dtype=float)
    fit = VarianceFit(np.zeros(3), residual, predicted)
    saturated = np.broadcast_to(saturated, mean.shape)
    channel, number = options.pop("channel", None), options.pop("number", None)
    number = None if number is None else np.broadcast_to(number, mean.shape)
    selection = FlatSelection(**{**LEVELS, **options})
    return classify(mean, variance, saturated, fit, selection, channel, number)


def kinds(*args, **options):
    return [verdict.kind for verdict in verdicts(*args, **options)]


def test_levels_by_hand_and_the_limits_themselves_are_medium():
    up = np.nextafter
    mean = [2999.9, 3000.0, 4500.0, 6000.0, up(6000.0, 7000), up(3000.0, 0)]
    assert kinds(mean) == ["low", "medium", "medium", "medium", "high", "low"]
    assert [v.reason for v in verdicts([2999.0, 4500.0, 7000.0])] == [
        "mean 2999 ADU below 3000",
        "mean 4500 ADU, between 3000 and 6000",
        "mean 7000 ADU above 6000",
    ]


def test_without_limits_of_level_all_are_high():
    assert kinds([10.0, 1e5], min_high_mean=None, max_low_mean=None) == ["high", "high"]
    assert verdicts([10.0], min_high_mean=None, max_low_mean=None)[0].reason == "mean 10 ADU"
    assert kinds([10.0, 1e5], min_high_mean=None) == ["low", "high"]
    found = verdicts([10.0, 1e5], max_low_mean=None)
    assert [v.kind for v in found] == ["medium", "high"]
    assert found[0].reason == "mean 10 ADU, not above 6000"


def test_each_channel_has_levels_of_its_own():
    levels = {"min_high_mean": {"R": 100.0, "B": 1000.0}, "max_low_mean": {"R": 50.0}}
    assert kinds([40.0, 70.0, 500.0], channel="R", **levels) == ["low", "medium", "high"]
    assert kinds([40.0, 70.0, 5000.0], channel="B", **levels) == ["medium", "medium", "high"]
    assert kinds([40.0], channel="G", **levels) == ["high"]


def test_a_poor_fit_makes_every_frame_of_the_night_cloudy():
    found = verdicts([7e3, 2e3, 4e3], residual=51.0, cloudy_night_threshold=50.0)
    assert {v.kind for v in found} == {"cloudy"}
    assert found[0].reason == (
        "variances lie 51 ADU^2 from their fit, more than 50 on a clear night"
    )
    assert "cloudy" not in kinds([7e3], residual=50.0, cloudy_night_threshold=50.0)
    assert "cloudy" not in kinds([7e3], residual=1e9, cloudy_night_threshold=None)


def test_a_frame_far_from_the_fit_is_cloudy_and_the_limit_itself_is_not():
    of = {"predicted": [3500.0] * 4, "residual": 2.0, "cloudy_frame_threshold": 10.0}
    found = verdicts([7e3] * 4, variance=[3520.0, 3521.0, 3480.0, 3479.0], **of)
    assert [v.kind for v in found] == ["high", "cloudy", "high", "cloudy"]
    assert found[1].reason == "its variance 3521 ADU^2 lies 21 from the fit, more than 10 x 2"
    assert kinds([7e3], [1e9], [1.0], cloudy_frame_threshold=None) == ["high"]


def test_rounding_of_a_perfect_fit_is_no_cloud():
    assert kinds([7e3], [3500.0], [3500.0 + 1e-9], residual=0.0) == ["high"]
    assert kinds([7e3], [3500.0], [3501.0], residual=0.0) == ["cloudy"]


def test_what_a_stamp_of_few_pixels_scatters_by_is_no_cloud():
    """800 pixels: a variance of 4000 is known to 5 %, which is 200; five times that is allowed."""
    of = {"predicted": [4000.0] * 3, "residual": 1.0, "number": 800}
    assert kinds([7e3] * 3, [4999.0, 5001.0, 2999.0], **of) == ["high", "cloudy", "cloudy"]
    of["cloudy_frame_significance"] = 2.0
    assert kinds([7e3] * 3, [4399.0, 4401.0, 3599.0], **of) == ["high", "cloudy", "cloudy"]
    of["cloudy_frame_significance"] = None
    assert kinds([7e3] * 3, [4009.0, 4011.0, 3989.0], **of) == ["high", "cloudy", "cloudy"]


def test_too_few_frames_to_fit_are_not_cloudy():
    assert kinds([7e3, 1e3], residual=NAN, predicted=[NAN, NAN]) == ["high", "low"]
    assert kinds([7e3], residual=NAN, predicted=[NAN], cloudy_night_threshold=1.0) == ["high"]


def test_stamps_without_use_are_saturated_or_medium_even_on_a_cloudy_night():
    found = verdicts(
        [NAN, NAN, 7e3], residual=99.0, saturated=[0.5, 0.0, 0.0], cloudy_night_threshold=1.0
    )
    assert [v.kind for v in found] == ["saturated", "medium", "cloudy"]
    assert found[0].reason == "50 % of its stamp is saturated, more than 0.01 %"
    assert found[1].reason == "its stamp cannot be measured: pixels are flagged, zero or not finite"
    assert kinds([NAN], saturated=1.0, max_saturated_fraction=None) == ["medium"]
    assert kinds([NAN], saturated=0.25, max_saturated_fraction=0.25) == ["medium"]


# ---------------------------------------------------------------------- fit_variance


def test_the_parabola_is_that_of_the_frames_without_outliers():
    mean = np.linspace(1e3, 3e4, 12)
    variance = 40 + 0.7 * mean + 1e-6 * mean**2
    variance[5] += 1e4
    fit = fit_variance(mean, variance, FlatSelection())
    np.testing.assert_allclose(fit.coefficients, [40, 0.7, 1e-6], rtol=1e-6)
    assert fit.residual < 1e-6
    np.testing.assert_allclose(fit.predicted[5], variance[5] - 1e4, rtol=1e-6)
    poor = fit_variance(mean, variance, FlatSelection(var_mean_fit_iterations=0))
    assert poor.residual > 1e3
    untested = fit_variance(mean, variance, FlatSelection(var_mean_fit_threshold=None))
    assert untested.residual == pytest.approx(poor.residual)


def test_frames_without_statistics_do_not_shape_the_parabola():
    mean = np.array([1e3, NAN, 5e3, 1e4, 2e4, 3e4])
    fit = fit_variance(mean, 10 + 0.5 * mean, FlatSelection())
    np.testing.assert_allclose(fit.coefficients, [10, 0.5, 0], rtol=1e-6, atol=1e-6)
    assert np.isnan(fit.predicted[1])
    np.testing.assert_allclose(np.delete(fit.predicted, 1), 10 + 0.5 * np.delete(mean, 1))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_too_few_frames_have_no_residual(number):
    mean = np.linspace(1e3, 2e3, number)
    assert np.isnan(fit_variance(mean, mean, FlatSelection()).residual)


# ---------------------------------------------------------------------- by_deviation


def test_what_is_left_after_matching_decides_and_the_limit_itself_is_clear():
    selection = FlatSelection(large_scale_deviation_threshold=0.02)
    assert by_deviation(np.ones(2), np.array([0.02, 0.01]), selection) is None
    assert by_deviation(np.ones(2), np.array([0.01, 0.0214]), selection) == Verdict(
        "cloudy", "structure of 2.14 % is left after matching, more than 2 %"
    )


def test_a_frame_that_cannot_be_matched_is_cloudy():
    found = by_deviation(np.array([1.0, NAN]), np.array([0.0, NAN]), FlatSelection())
    assert found == Verdict("cloudy", "no pixel of it can be matched to the reference")
    found = by_deviation(np.array([1.0]), np.array([NAN]), FlatSelection())
    assert found == Verdict("cloudy", "what it differs from the reference by is not a number")


@pytest.mark.parametrize("name", ["large_scale_deviation_threshold", "cloud_check_smoother"])
def test_none_switches_the_check_of_the_whole_frame_off(name):
    assert by_deviation(np.ones(1), np.array([9.0]), FlatSelection(**{name: None})) is None


def test_every_class_is_named():
    assert CLASSES == ("high", "low", "medium", "colocated", "cloudy", "saturated")
