"""Variances that were propagated, against the scatter of many pixels about the truth."""

import warnings

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, MinMax, NoiseClip, SigmaClip
from autowisp_xr.stats.order_statistics import position_moments
from tests.monte_carlo.night import GAIN, Sensor, pulls, read_noise_with_digitisation
from tests.stack.variance_table import gaussian
from tests.steps.frames import frame_set, master

DARK = 30.0


@pytest.fixture(scope="module")
def night():
    """A sensor, and masters of nine frames each, noisy enough to matter."""
    sensor = Sensor(1)
    bias = aw.master_bias(sensor.frames(9, kind="bias"), average="mean")
    dark = aw.master_dark(sensor.frames(9, dark=DARK, kind="dark"), bias=bias)
    flat = aw.master_flat(sensor.frames(9, light=20000.0, kind="flat"), bias=bias).high
    return sensor, {"bias": bias, "dark": dark, "flat": flat}


@pytest.mark.parametrize("light", [20.0, 100.0, 1000.0, 30000.0])
def test_pulls_of_calibrated_frames_are_standard_normal(night, light):
    sensor, masters = night
    frames = aw.calibrate(sensor.frames(1, light=light, dark=DARK), **masters)
    found = pulls(frames, light / GAIN)
    assert found.size == frames["image"].size
    assert abs(found.std() - 1) < 0.02
    if light >= 1000:
        # the median of counts lies a sixth of one below their mean, 0.023 errors of this stack
        assert abs(found.mean()) < 0.03


def test_noise_of_another_bias_counts_twice(night):
    """A dark made with this bias cancels its noise; were it forgotten, pulls would be too narrow,
    and with another bias of other noise they would be too wide."""
    sensor, masters = night
    other = aw.master_bias(sensor.frames(9, kind="bias"), average="mean")
    raw = sensor.frames(1, light=20.0, dark=DARK)
    same = aw.calibrate(raw, bias=masters["bias"], dark=masters["dark"])
    another = aw.calibrate(raw, bias=other, dark=masters["dark"])
    for frames in (same, another):
        # light / response stays: no flat was applied
        found = pulls(frames, (20.0 * sensor.response / GAIN).ravel())
        assert abs(found.std() - 1) < 0.02
    assert float((another["variance"] - same["variance"]).mean()) > 4.0


@pytest.mark.parametrize(("exposure", "scale"), [(20.0, "down"), (150.0, "any")])
@pytest.mark.parametrize("same_bias", [True, False])
def test_pulls_with_a_scaled_dark_are_standard_normal(exposure, scale, same_bias):
    """Few dark frames and few bias frames, so that what they add matters."""
    sensor = Sensor(5, read_noise=12.0)
    bias = aw.master_bias(sensor.frames(2, kind="bias"), average="mean")
    dark = aw.master_dark(sensor.frames(2, dark=400.0, kind="dark"), bias=bias, average="mean")
    if not same_bias:
        bias = aw.master_bias(sensor.frames(2, kind="bias"), average="mean")
    k = exposure / 60
    raw = sensor.frames(1, light=300.0, dark=400.0 * k, exposure=exposure)
    frames = aw.calibrate(raw, bias=bias, dark=dark, scale_dark=scale)
    assert float(frames["shared_variance"].mean() / frames["variance"].mean()) > 0.05
    found = pulls(frames, (300.0 * sensor.response / GAIN).ravel())
    assert abs(found.std() - 1) < 0.02


CLIPS = {
    "none": None,
    "rms 4": SigmaClip(4),
    "rms 5": SigmaClip(5),
    "mad 4": SigmaClip(4, scale="mad"),
    "mad 5": SigmaClip(5, scale="mad"),
    "min and max": MinMax(),
    "noise 5": NoiseClip(5),
}


@pytest.fixture(scope="module")
def stacked_sensor():
    sensor = Sensor(2, shape=(250, 320))
    bias = aw.master_bias(sensor.frames(9, kind="bias"), average="mean")
    dark = aw.master_dark(sensor.frames(9, dark=DARK, kind="dark"), bias=bias)
    flat = aw.master_flat(sensor.frames(9, light=20000.0, kind="flat"), bias=bias).high
    return {
        light: aw.calibrate(
            sensor.frames(30, light=light, dark=DARK), bias=bias, dark=dark, flat=flat
        )
        for light in (20.0, 1000.0, 10000.0)
    }


@pytest.mark.parametrize("light", [20.0, 1000.0, 10000.0])
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("average", ["mean", "median", 0.3])
def test_pulls_of_stacks_are_standard_normal(stacked_sensor, average, clip, light):
    """They share the noise of bias, dark and flat, which is as large as what is left of theirs."""
    sigma = np.sqrt(light + DARK + read_noise_with_digitisation(8.0) ** 2) / GAIN
    dropped = 1 if clip == "min and max" else 0
    shift = 0.0
    if isinstance(average, float):
        shift = position_moments(dropped + average * (29 - 2 * dropped), 30)[0]
    stack = aw.stack(stacked_sensor[light], average, reject=CLIPS[clip])
    found = pulls(stack, light / GAIN + shift * sigma)
    assert found.size == stack["image"].size
    assert abs(found.std() - 1) < 0.02
    if light >= 1000:
        # the median of counts lies a sixth of one below their mean, 0.023 errors of this stack
        assert abs(found.mean()) < 0.03


def test_what_frames_share_does_not_average_down():
    """A dark of variance 4 in 25 frames of variance 25: 5.0 is true, the naive sum states 1.16."""
    rng = np.random.default_rng(3)
    shape = (1, 300, 400)
    dark_noise = rng.normal(0, 2, shape)
    dark = master(10 + dark_noise, np.full(shape, 4.0))
    frames = frame_set(10 + rng.normal(0, 5, (25, *shape)), variance=np.full((1, *shape), 25.0))
    frames = aw.subtract_dark(frames, dark, dtype="float64")
    stack = aw.stack(frames, "mean", dtype="float64")
    np.testing.assert_allclose(stack["variance"], 5.0, rtol=1e-12)
    assert stack["image"].values.var() == pytest.approx(5.0, rel=0.02)
    forgotten = aw.stack(frames.drop_vars("shared_variance"), "mean", dtype="float64")
    np.testing.assert_allclose(forgotten["variance"], 29 / 25, rtol=1e-12)
    scatter = aw.stack(frames, "mean", error="scatter", dtype="float64")
    assert float(scatter["variance"].mean()) == pytest.approx(5.0, rel=0.02)


def test_what_frames_share_by_their_flat_does_not_average_down():
    rng = np.random.default_rng(4)
    shape = (1, 300, 400)
    flat = master(1 + rng.normal(0, 0.01, shape), np.full(shape, 1e-4), units="1")
    frames = frame_set(500 + rng.normal(0, 5, (25, *shape)), variance=np.full((1, *shape), 25.0))
    stack = aw.stack(aw.divide_flat(frames, flat), "median")
    assert abs(pulls(stack, 500.0).std() - 1) < 0.01
    assert float(stack["variance"].mean()) > 25.0


def test_frames_of_different_exposures_share_by_amplitude():
    rng = np.random.default_rng(6)
    shape = (1, 300, 400)
    exposures = [30.0, 60.0, 90.0, 120.0]
    dark_noise = rng.normal(0, 4, shape)
    raw = [60.0 * e / 60 + rng.normal(0, 3, shape) for e in exposures]
    frames = frame_set(np.stack(raw), variance=np.full((1, *shape), 9.0), exposure=exposures)
    dark = master(60.0 + dark_noise, np.full(shape, 16.0))
    stack = aw.stack(aw.subtract_dark(frames, dark, scale_dark="any"), "mean")
    # (0.5 + 1 + 1.5 + 2)^2 / 4^2 of 16, and 9 / 4
    np.testing.assert_allclose(stack["variance"], 16 * 25 / 16 + 2.25, rtol=1e-5)
    assert stack["image"].values.var() == pytest.approx(27.25, rel=0.02)


@pytest.mark.parametrize("weights", ["variance", "exposure", "numbers"])
def test_pulls_of_weighted_means_are_standard_normal(weights):
    """Frames of 20 to 80 s under one dark, scaled, in rates, whose noise is shared by amplitude."""
    rng = np.random.default_rng(15)
    shape = (1, 300, 400)
    exposures = np.array([20.0, 30.0, 50.0, 80.0])
    sigma = np.array([9.0, 7.0, 6.0, 4.0])[:, None, None, None]
    dark = master(10 + rng.normal(0, 2, shape), np.full(shape, 4.0), exposure=60.0)
    image = 100 + 10 * exposures[:, None, None, None] / 60 + sigma * rng.normal(0, 1, (4, *shape))
    variance = np.broadcast_to(sigma**2, image.shape)
    frames = frame_set(image, variance=variance, exposure=exposures)
    frames = aw.subtract_dark(frames, dark, scale_dark="any")
    given = np.array([1.0, 0.0, 5.0, 2.0]) if weights == "numbers" else weights
    stack = aw.stack(frames, "mean", weights=given)
    found = pulls(stack, 100.0)
    assert abs(found.std() - 1) < 0.01
    assert abs(found.mean()) < 0.02


def test_the_best_weights_are_better_than_none_and_the_variance_states_so():
    frames = gaussian([10.0, 10.0, 30.0, 50.0])
    best = aw.stack(frames, "mean", weights="variance", dtype="float64")
    none = aw.stack(frames, "mean", dtype="float64")
    for stack in (best, none):
        assert float(stack["variance"].mean()) == pytest.approx(
            stack["image"].values.var(), rel=0.01
        )
    assert float(none["variance"].mean() / best["variance"].mean()) > 4


def test_faint_and_noiseless_frames_are_off_by_what_the_docstring_states():
    """20 electrons without read noise: the noise of the variance itself is 2 % of the error."""
    rng = np.random.default_rng(8)
    electrons = rng.poisson(20.0, (10, 1, 400, 500)).astype("f4")
    frames = frame_set(electrons, camera=Camera(gain=1.0, read_noise=0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stack = aw.stack(aw.add_noise(frames), "mean", dtype="float64")
    ratio = float(stack["variance"].mean()) / stack["image"].values.var()
    assert ratio == pytest.approx(1.0, abs=0.01)
    assert abs(pulls(stack, 20.0).std() - 1) < 0.03
