"""Masters of whole numbers of little noise: the error of rounding is in their variance."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr.stats.order_statistics import quantile_moments
from tests.steps.frames import frame_set

SHAPE = (1, 150, 250)
FEWER = (1, 75, 200)
MEDIAN = {"average": "median"}


class Digits:
    """Frames of pixels whose levels lie anywhere within a step, of a noise in steps."""

    def __init__(self, noise, step, seed, shape=SHAPE):
        self.shape = shape
        self.rng = np.random.default_rng(seed)
        self.noise, self.step = noise, step
        self.level = 1000 + step * self.rng.random(shape)
        self.camera = aw.Camera(gain=1e9, read_noise=1e9 * step * np.sqrt(noise**2 + 1 / 12))

    def frames(self, number, *, added=0.0, **options):
        noise = self.noise * self.step * self.rng.normal(size=(number, *self.shape))
        drawn = self.level + added + noise
        values = self.step * np.rint(drawn / self.step)
        return frame_set(values.astype("u2"), camera=self.camera, **options)


def width(master, truth):
    return float(np.std((master["image"] - truth) / np.sqrt(master["variance"])))


def claimed_over_true(master, truth):
    true = float(((master["image"].astype("f8") - truth) ** 2).mean())
    return float(master["variance"].mean()) / true


@pytest.mark.parametrize(("noise", "step"), [(0.3, 4), (0.5, 1), (0.7, 4), (1.5, 1), (3.0, 4)])
@pytest.mark.parametrize("number", [5, 6, 11, 50, 200])
@pytest.mark.parametrize("options", [{}, MEDIAN], ids=["default", "median"])
def test_masters_of_little_noise_and_what_is_calibrated_with_them_are_true(
    options, number, noise, step
):
    shape = SHAPE if number < 100 else FEWER
    digits = Digits(noise, step, seed=number, shape=shape)
    raw = digits.frames(number, kind="bias")
    bias = aw.master_bias(raw, **options)
    # as many steps as make the rounding of darks and biases, and of lights and darks, independent
    current = 6 * step * digits.rng.random(shape)
    darks = digits.frames(number, added=current, kind="dark")
    dark = aw.master_dark(darks, bias=bias, **options)
    light = 30 * step * digits.rng.random(shape)
    frames = digits.frames(3, added=current + light)
    done = aw.calibrate(frames, bias=bias, dark=dark)
    found = {
        "bias": width(bias, digits.level),
        "dark": width(dark, current),
        "frame": width(done.isel(frame=0), light),
        "stack": width(aw.stack(done, "mean"), light),
    }
    # below half a step, whether rounding is alike hangs upon the sample that was looked at
    near = 0.02 if noise >= 0.5 else 0.04
    assert found == pytest.approx(dict.fromkeys(found, 1.0), abs=near)
    scatter = {
        "bias": claimed_over_true(aw.master_bias(raw, error="scatter", **options), digits.level),
        "dark": claimed_over_true(
            aw.master_dark(darks, bias=bias, error="scatter", **options), current
        ),
    }
    assert scatter == pytest.approx(dict.fromkeys(scatter, 1.0), abs=2 * near)


@pytest.mark.parametrize("number", [3, 5, 10, 30])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_the_default_rejection_leaves_the_variance_as_it_is(number, dtype):
    """Of values of any fraction, too: their own MAD of few would reject good ones."""
    rng = np.random.default_rng(number)
    values = rng.normal(1000, 5, (number, *SHAPE))
    raw = frame_set(np.rint(values).astype("u2") if dtype == "u2" else values.astype(dtype))
    bias = aw.master_bias(raw.assign_coords(image_type=("frame", ["bias"] * number)))
    assert float((bias["count"] < number).mean()) < 2e-3
    assert claimed_over_true(bias, 1000) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("noise", [0.5, 0.7, 1.5])
@pytest.mark.parametrize("number", [5, 10, 30])
@pytest.mark.parametrize("average", ["mean", "median", 0.3])
@pytest.mark.parametrize("error", ["propagate", "scatter"])
def test_other_stacks_of_whole_numbers_are_true(error, average, number, noise):
    """What extremes leave of very few values is known to 8 % of the variance."""
    digits = Digits(noise, 1, seed=number)
    frames = digits.frames(number)
    variance = frames["image"].astype("f8") * 0 + noise**2 + 1 / 12
    frames = frames.assign(variance=variance)
    for reject, near in {None: 0.04, aw.MinMax(): 0.08, aw.NoiseClip(5): 0.04}.items():
        if reject is not None and average == 0.3:
            continue
        stack = aw.stack(frames, average, reject=reject, error=error)
        shift = 0.0
        if average == 0.3:
            shift = quantile_moments(0.3, number)[0] * noise
        found = claimed_over_true(stack, digits.level + shift)
        assert found == pytest.approx(1, abs=near), reject
