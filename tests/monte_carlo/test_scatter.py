"""Variances from the scatter of the frames, against the scatter of many pixels."""

import functools

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import AutowispWarning, MinMax, NoiseClip, Percentile, SigmaClip
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.stats.order_statistics import quantile_moments, variance_factors
from tests.stack import variance_table
from tests.stack.variance_table import gaussian
from tests.steps.frames import frame_set


@functools.cache
def noise(number):
    rng = np.random.default_rng(100 + number)
    return frame_set(rng.normal(1000, 10, (number, 1, 500, 800)).astype("f4"))


def reported_over_true(number, average, reject=None, **options):
    stack = aw.stack(noise(number), average, reject=reject, dtype="float64", **options)
    return float(stack["variance"].mean()) / stack["image"].values.var()


@pytest.mark.parametrize("number", [3, 5, 10, 30])
@pytest.mark.parametrize("average", ["mean", "median", 0.3])
def test_the_mean_variance_is_the_true_one(average, number):
    assert abs(reported_over_true(number, average) - 1) < 0.01


@pytest.mark.parametrize("threshold", [4, 5, (4, -5)])
@pytest.mark.parametrize("average", ["mean", "median", 0.3])
def test_the_mean_variance_is_the_true_one_when_outliers_are_rejected(average, threshold):
    assert abs(reported_over_true(30, average, SigmaClip(threshold)) - 1) < 0.01


@pytest.mark.parametrize("number", [3, 5, 10])
@pytest.mark.parametrize("average", ["mean", "median", 0.3])
def test_a_threshold_out_of_reach_warns_and_changes_nothing(average, number):
    with pytest.warns(AutowispWarning, match=f"no value among {number} can lie 4 rms"):
        clipped = aw.stack(noise(number), average, reject=SigmaClip(4))
    plain = aw.stack(noise(number), average)
    np.testing.assert_array_equal(clipped["image"], plain["image"])
    np.testing.assert_array_equal(clipped["variance"], plain["variance"])


@pytest.mark.parametrize("average", ["mean", "median", 0.3])
def test_the_mean_variance_is_the_true_one_when_the_mad_of_many_rejects(average):
    assert abs(reported_over_true(30, average, SigmaClip(5, scale="mad")) - 1) < 0.01


@pytest.mark.parametrize(
    ("number", "threshold", "mean", "median", "quantile"),
    [
        (3, 4, 0.995, 0.671, 0.730),
        (3, 5, 0.995, 0.729, 0.778),
        (5, 4, 0.969, 0.801, 0.844),
        (5, 5, 0.988, 0.865, 0.896),
        (10, 4, 0.966, 0.918, 0.946),
        (10, 5, 0.988, 0.965, 0.977),
        (30, 4, 0.980, 0.978, 0.989),
    ],
)
def test_how_far_the_mad_of_few_values_narrows_the_scatter(
    number, threshold, mean, median, quantile
):
    """It rejects good values: here the 1 % of the tests above is not promised."""
    for average, ratio in {"mean": mean, "median": median, 0.3: quantile}.items():
        found = reported_over_true(number, average, SigmaClip(threshold, scale="mad"))
        assert found == pytest.approx(ratio, abs=0.005), average


@pytest.mark.parametrize("reject", [MinMax(), MinMax(0, 1), MinMax(3, 1)])
@pytest.mark.parametrize("number", [6, 10, 30])
@pytest.mark.parametrize("average", ["mean", "median", 0.3])
def test_the_mean_variance_is_the_true_one_when_extremes_are_rejected(average, number, reject):
    assert abs(reported_over_true(number, average, reject) - 1) < 0.01


def test_pixels_of_which_some_values_are_masked_lose_their_extremes_as_truly():
    ds = noise(10)
    rng = np.random.default_rng(14)
    mask = (rng.random(ds["image"].shape) < 0.3).astype(np.uint8)
    stack = aw.stack(ds.assign(mask=(ds["image"].dims, mask)), "mean", reject=MinMax())
    for left in (3, 5, 8):
        chosen = stack["count"].values == left
        true = stack["image"].values[chosen].astype("f8").var()
        reported = stack["variance"].values[chosen].astype("f8").mean()
        assert reported / true == pytest.approx(1, abs=6 / np.sqrt(chosen.sum()))


@pytest.mark.parametrize("share", [0.04, 0.05])
@pytest.mark.parametrize("average", ["mean", "median"])
def test_the_mean_variance_is_the_true_one_when_percentiles_are_beyond_the_noise(average, share):
    """Four and five times the noise."""
    assert abs(reported_over_true(5, average, Percentile(share, share)) - 1) < 0.01


@pytest.mark.parametrize(
    ("number", "threshold"), [(3, 5), (10, 4), (10, (4, -5)), (30, 4), (30, 5)]
)
@pytest.mark.parametrize("average", ["mean", "median", 0.3])
def test_the_mean_variance_is_the_true_one_when_noise_rejects(average, number, threshold):
    ds = noise(number)
    ds = ds.assign(variance=ds["image"] * 0 + 100)
    for error in ("scatter", "propagate"):
        stack = aw.stack(ds, average, reject=NoiseClip(threshold), error=error, dtype="float64")
        ratio = float(stack["variance"].mean()) / stack["image"].values.var()
        assert abs(ratio - 1) < 0.01, error


@pytest.mark.parametrize("number", [3, 5, 10])
def test_the_scatter_of_the_best_weights_is_the_true_one(number):
    sigma = np.linspace(1, 3, number)
    unequal = gaussian(10 * sigma, (1, 500, 800), seed=1)
    for weights in (1 / sigma**2, "variance"):
        assert abs(variance_table.ratio(unequal, "mean", "scatter", weights=weights) - 1) < 0.01


def test_how_far_other_weights_are_off_from_the_scatter():
    """The docstring states 0.95 of five frames of one noise, of weights 1 to 5."""
    found = reported_over_true(5, "mean", weights=np.arange(1.0, 6.0))
    assert found == pytest.approx(0.951, abs=0.006)


@pytest.mark.parametrize("quantile", [0.5, 0.3, 0.05, 0.0, 1.0])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 7, 10, 30, 101])
def test_order_statistics_agree_with_a_simulation(number, quantile):
    rng = np.random.default_rng([number, int(quantile * 100)])
    pixels = 200_000 if number <= 30 else 60_000
    drawn = np.quantile(rng.standard_normal((number, pixels)), quantile, axis=0)
    mean, variance = quantile_moments(quantile, number)
    assert drawn.mean() == pytest.approx(mean, abs=4.5 * np.sqrt(variance / pixels))
    assert drawn.var() == pytest.approx(variance, rel=6.5 / np.sqrt(pixels))
    _, ratio, _ = variance_factors(quantile, number)
    assert ratio[number] == pytest.approx(number * variance, rel=1e-12)


def test_outliers_that_are_rejected_leave_the_variance_of_the_rest():
    """One value in fifty is a cosmic ray."""
    rng = np.random.default_rng(9)
    image = rng.normal(1000, 10, (30, 1, 300, 400))
    hit = rng.random(image.shape) < 0.02
    image[hit] += 5000
    stack = aw.stack(frame_set(image), "median", reject=SigmaClip(5, scale="mad"), dtype="float64")
    ratio = float(stack["variance"].mean()) / stack["image"].values.var()
    assert abs(ratio - 1) < 0.015
    assert float(stack["count"].mean()) == pytest.approx(30 * 0.98, abs=0.05)


def test_the_mean_needs_no_order_statistics():
    scatter, ratio, share = variance_factors(MEAN, 5)
    assert ratio.tolist() == [1.0] * 6
    assert share.tolist() == [1.0] * 6
    np.testing.assert_allclose(scatter[2:], [1 / 2, 1 / 6, 1 / 12, 1 / 20])
    assert np.isnan(scatter[:2]).all()
