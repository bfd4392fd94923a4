"""Nights of darks, flats and lights without biases: the pedestal that a dark holds is no light."""

import numpy as np
import pytest

import autowisp_xr as aw
from tests.monte_carlo.night import GAIN, Sensor, pulls

LEVELS = [0.0, 5.0, 50.0, 500.0]
"""Electrons of dark current in the exposure."""


@pytest.fixture(scope="module", params=LEVELS)
def night(request):
    sensor = Sensor(11, read_noise=6.0)
    dark = aw.master_dark(sensor.frames(10, dark=request.param, kind="dark"))
    return sensor, dark, request.param


@pytest.mark.parametrize("light", [50.0, 2000.0])
def test_pulls_of_frames_are_standard_normal(night, light):
    sensor, dark, current = night
    frames = aw.calibrate(sensor.frames(2, light=light, dark=current), dark=dark)
    found = pulls(frames, np.tile((light * sensor.response / GAIN).ravel(), 2))
    assert abs(found.std() - 1) < 0.02


def test_pulls_of_flats_and_of_what_they_correct_are_standard_normal(night):
    sensor, dark, current = night
    flats = sensor.frames(9, light=20000.0, dark=current, kind="flat")
    flat = aw.master_flat(flats, dark=dark).high
    assert abs(pulls(flat, sensor.response.ravel()).std() - 1) < 0.02
    frames = aw.calibrate(sensor.frames(1, light=200.0, dark=current), dark=dark, flat=flat)
    assert abs(pulls(frames, 200.0 / GAIN).std() - 1) < 0.02


@pytest.mark.parametrize("average", ["mean", "median"])
def test_pulls_of_stacks_are_standard_normal(night, average):
    sensor, dark, current = night
    frames = aw.calibrate(sensor.frames(8, light=200.0, dark=current), dark=dark)
    stack = aw.stack(frames, average)
    found = pulls(stack, (200.0 * sensor.response / GAIN).ravel())
    assert abs(found.std() - 1) < 0.02


@pytest.mark.parametrize("scale", ["down", False])
def test_a_dark_that_holds_the_bias_may_be_given_beside_one(scale):
    """The bias is subtracted from the dark, too, and its noise cancels as far as it does."""
    sensor = Sensor(12, read_noise=12.0)
    bias = aw.master_bias(sensor.frames(3, kind="bias"), average="mean")
    dark = aw.master_dark(sensor.frames(12, dark=200.0, kind="dark"), average="mean")
    k = 0.5 if scale else 1.0
    raw = sensor.frames(1, light=100.0, dark=200.0 * k, exposure=60.0 * k)
    frames = aw.calibrate(raw, bias=bias, dark=dark, scale_dark=scale)
    found = pulls(frames, (100.0 * sensor.response / GAIN).ravel())
    assert abs(found.std() - 1) < 0.02
    assert abs(found.mean()) < 0.03


def test_hot_pixels_have_the_noise_of_their_own_current():
    sensor = Sensor(13, read_noise=6.0)
    hot = sensor.rng.random(sensor.shape) < 0.01
    current = np.where(hot, sensor.rng.uniform(50, 5000, sensor.shape), 3.0)
    dark = aw.master_dark(sensor.frames(10, dark=current, kind="dark"))
    frames = aw.calibrate(sensor.frames(3, light=100.0, dark=current), dark=dark)
    off = frames["image"].values[:, 0] - 100.0 * sensor.response / GAIN
    found = off / np.sqrt(frames["variance"].values[:, 0])
    assert abs(found[:, hot].std() - 1) < 0.04
    assert abs(found[:, ~hot].std() - 1) < 0.02
