"""Frames without light, or with next to none: pulls of stacks and of master darks."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, SigmaClip
from tests.monte_carlo.night import Sensor, pulls
from tests.steps.frames import frame_set

SHAPE = (1, 200, 300)


def frames_of(number, light, read_noise, gain):
    """Frames (frame, channel, y, x) of float32, with the noise that they have."""
    rng = np.random.default_rng([number, int(10 * light), int(10 * read_noise), int(8 * gain)])
    electrons = rng.poisson(light, (number, *SHAPE)) + rng.normal(0, read_noise, (number, *SHAPE))
    camera = Camera(gain=gain, read_noise=read_noise)
    return aw.add_noise(frame_set((electrons / gain).astype("f4"), camera=camera))


@pytest.mark.parametrize("number", [3, 5, 10, 30])
@pytest.mark.parametrize(("read_noise", "gain"), [(1.2, 0.25), (3.0, 1.5), (8.0, 4.0)])
@pytest.mark.parametrize("light", [0.0, 1.0, 5.0, 50.0])
def test_pulls_of_means_are_of_width_1(number, read_noise, gain, light):
    found = pulls(aw.stack(frames_of(number, light, read_noise, gain), "mean"), light / gain)
    # three frames of 1.2 electrons are off by 0.024, as the docstring states
    assert abs(found.std() - 1) < (0.036 if number == 3 and read_noise < 2 else 0.02)


@pytest.mark.parametrize("reject", [None, SigmaClip(5, scale="mad")])
@pytest.mark.parametrize("number", [10, 30])
@pytest.mark.parametrize(("read_noise", "gain"), [(1.2, 0.25), (3.0, 1.5)])
@pytest.mark.parametrize("light", [0.0, 50.0])
def test_pulls_of_medians_are_of_width_1(number, read_noise, gain, light, reject):
    stack = aw.stack(frames_of(number, light, read_noise, gain), "median", reject=reject)
    assert abs(pulls(stack, light / gain).std() - 1) < 0.02


@pytest.mark.parametrize("read_noise", [1.5, 3.0, 8.0])
def test_pulls_of_darks_and_of_what_is_calibrated_with_them_are_of_width_1(read_noise):
    """The dark has as many frames as the stack, so that half of its noise is shared."""
    sensor = Sensor(3, (250, 320), read_noise)
    bias = aw.master_bias(sensor.frames(100, kind="bias"), average="mean")
    dark = aw.master_dark(sensor.frames(20, kind="dark"), bias=bias, average="mean")
    stack = aw.stack(aw.calibrate(sensor.frames(20), bias=bias, dark=dark), "mean")
    for ds in (dark, stack):
        assert abs(pulls(ds, 0.0).std() - 1) < 0.02


def test_stacks_of_stacks_keep_their_width():
    """Four nights of five frames: what was added to each for its pulls is not added up."""
    nights = []
    for night in range(4):
        rng = np.random.default_rng(night)
        image = (rng.poisson(1.0, (5, *SHAPE)) + rng.normal(0, 1.2, (5, *SHAPE))).astype("f4")
        ds = aw.add_noise(frame_set(image, camera=Camera(gain=1.0, read_noise=1.2)))
        nights.append(aw.stack(ds, "mean"))
    names = ("variance", "photon_slope", "photon_zero", "photon_variance")
    planes = {name: np.stack([night[name] for night in nights]) for name in names}
    joined = frame_set(np.stack([night["image"] for night in nights]), **planes)
    assert abs(pulls(aw.stack(joined, "mean"), 1.0).std() - 1) < 0.02


def test_the_variance_of_a_stack_is_true_on_average_from_150_electrons():
    """Of all frames together, light and the square of the read noise."""
    stack = aw.stack(frames_of(10, 20.0, 1.2, 1.0), "mean", dtype="float64")
    found = float(stack["variance"].mean() / stack["image"].var())
    assert found == pytest.approx(1.0, abs=0.015)


@pytest.mark.parametrize("sky", [5.0, 100.0])
def test_a_sky_that_was_taken_off_the_images_counts(sky):
    """By arithmetic of the user, behind the back of the verbs."""
    ds = frames_of(10, sky, 3.0, 1.5)
    ds = ds.assign(image=ds["image"] - np.float32(sky / 1.5))
    for average in ("mean", "median"):
        assert abs(pulls(aw.stack(ds, average), 0.0).std() - 1) < 0.02
