"""Heaps of simulated twilight flats, held against the response that was put in."""

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import uniform_filter

import autowisp_xr as aw
from autowisp_xr import FlatSelection, SigmaClip
from autowisp_xr.flats.large_scale import match_frames, reference_of
from autowisp_xr.stack.scaling import scaled

MEDIAN = np.sqrt(np.pi / 2)
"""How much noisier a median is than a mean."""


def blocks(image, good, side=64):
    """Means of squares of pixels."""
    height, width = image.shape[0] // side, image.shape[1] // side
    cut = (slice(height * side), slice(width * side))
    parts = (np.where(good, image, 0)[cut], good[cut])
    total, number = (part.reshape(height, side, width, side).sum((1, 3)) for part in parts)
    return total / number


def without_shape(ratio, good):
    """A ratio over its large-scale shape, the running mean of its good pixels."""
    total = uniform_filter(np.where(good, ratio, 0.0), 65)
    return ratio / (total / uniform_filter(good.astype(float), 65))


# ---------------------------------------------------------------------- a night of forty

KINDS = {"high": 17, "low": 8, "cloudy": 4, "colocated": 3, "saturated": 2, "medium": 6}
DEPTHS = (0.03, 0.10, 0.20, 0.35)
SEED = 1


class FlatSet:
    """Forty flats of a night, in an order of the seed, and what each should be found to be.

    A cloud of 3 % leaves between 0.6 and 2 % of itself, as it lies: seeds 1, 2 and 3 were looked
    at, in all of which all forty classes are right; 1 has the most room (1.6 %).
    """

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.kinds = rng.permutation([k for k, n in KINDS.items() for _ in range(n)]).tolist()
        # charge does not spill: the simulator takes minutes to move that of whole frames
        self.night = aw.simulate.Night(
            shape=(1024, 1024), seed=seed, cosmic_rays=20, leak_directions=()
        )
        ranges = {
            "high": (15e3, 35e3),
            "low": (1.5e3, 2.8e3),
            "medium": (3.3e3, 5.5e3),
            "cloudy": (15e3, 30e3),
            "colocated": (15e3, 35e3),
            "saturated": (8e4, 8e4),
        }
        self.options = {
            "level": [rng.uniform(*ranges[kind]) for kind in self.kinds],
            "clouds": dict(zip(self.of("cloudy"), DEPTHS, strict=True)),
            "pointings": [
                (50.0, 20.0) if kind == "colocated" else (100 + 0.5 * i, 20.0)
                for i, kind in enumerate(self.kinds)
            ],
        }

    def of(self, kind):
        return [i for i, other in enumerate(self.kinds) if other == kind]


@pytest.fixture(scope="module")
def flat_set():
    return FlatSet(SEED)


@pytest.fixture(scope="module")
def made(flat_set):
    bias = aw.master_bias(flat_set.night.bias(12))
    dark = aw.master_dark(flat_set.night.dark(6, exposure=5.0), bias=bias)
    raw = flat_set.night.flat(40, **flat_set.options)
    selection = FlatSelection(large_scale_deviation_threshold=0.006, min_high_mean=1e4)
    return aw.master_flat(raw, bias=bias, dark=dark, select=selection)


def good_pixels(flat_set, master):
    good = np.isfinite(master["image"].values[0]) & (master["mask"].values[0] == 0)
    return good & ~flat_set.night.hot.values[0]


def test_every_frame_of_the_night_is_what_it_was_made_to_be(flat_set, made):
    assert made.frames["class"].values.tolist() == flat_set.kinds
    assert made.notes == []
    assert int(made.high["count"].max()) == 17
    assert int(made.low["count"].max()) == 8


@pytest.mark.parametrize("kind", ["high", "low"])
def test_what_is_left_of_the_response_is_the_noise_of_the_photons(flat_set, made, kind):
    master = getattr(made, kind)
    good = good_pixels(flat_set, master)
    assert good.mean() > 0.99
    response = (flat_set.night.response / flat_set.night.mean_response).values[0]
    left = without_shape(master["image"].values[0] / response, good)[good] - 1
    used = np.array([flat_set.options["level"][i] for i in flat_set.of(kind)]) * flat_set.night.gain
    # a mean of 17 frames; and of eight a median, which loses less than one of many
    relative = (1 / used).sum() / used.size**2 if kind == "high" else MEDIAN**2 / used.sum()
    limit = np.sqrt(np.mean(relative / response[good]))
    assert 0.9 * limit < left.std() < 1.1 * limit


@pytest.mark.parametrize("kind", ["high", "low"])
def test_masters_have_the_large_scale_shape_of_the_reference(flat_set, made, kind):
    master = getattr(made, kind)
    good = good_pixels(flat_set, master)
    ratio = blocks((master["image"] / made.reference["image"]).values[0], good)
    np.testing.assert_allclose(ratio / ratio.mean(), 1.0, atol=1e-3)


def test_the_errors_of_the_masters_are_those_of_their_pixels(flat_set, made):
    response = (flat_set.night.response / flat_set.night.mean_response).values[0]
    for master in (made.high, made.low):
        good = good_pixels(flat_set, master)
        left = without_shape(master["image"].values[0] / response, good)[good] - 1
        error = np.sqrt(master["variance"].values[0][good]) / master["image"].values[0][good]
        assert (left / error).std() == pytest.approx(1.0, abs=0.02)


# ---------------------------------------------------------------------- unequal levels


@pytest.fixture(scope="module")
def unequal():
    """Eleven flats from 8000 to 40000 ADU under light of unequal slopes, without clouds."""
    rng = np.random.default_rng(7)
    night = aw.simulate.Night(shape=(384, 384), seed=7, overscan=0, hot_pixels=0.0)
    slopes = rng.permutation(np.linspace(-0.05, 0.05, 11))
    # by level the frame in the middle is one of the steepest, as it may well be
    slopes[[5, int(np.argmax(slopes))]] = slopes[[int(np.argmax(slopes)), 5]]
    parts = [
        night.flat(1, level=level, gradient=slope, start=i + 1)
        for i, (level, slope) in enumerate(zip(np.linspace(8e3, 4e4, 11), slopes, strict=True))
    ]
    raw = xr.concat(
        parts, "frame", data_vars="minimal", coords="minimal", compat="override"
    ).assign_attrs(parts[0].attrs)
    bias = aw.master_bias(night.bias(10))
    return night, aw.calibrate(raw, bias=bias)


def large_scale_error(night, image):
    """Root mean square distance from the response, in means of 32 x 32 pixels, relative."""
    ratio = image.values[0] / night.response.values[0]
    ratio = blocks(ratio, np.isfinite(ratio), side=32)
    return float((ratio / ratio.mean()).std())


def test_frames_of_unequal_levels_are_scaled_before_they_make_the_reference(unequal):
    """The median of what was not scaled is the frame of the median level, with its own slope."""
    night, frames = unequal
    selection = FlatSelection(min_pointing_separation=None)
    unscaled = aw.stack(frames[["image", "mask"]], reject=SigmaClip(4, scale="mad", max_iter=1))
    ours = reference_of(frames, selection)
    errors = {}
    for name, reference in (("scaled", ours), ("unscaled", unscaled)):
        matches = match_frames(frames, reference, selection, masked="leave out")
        master = aw.stack(scaled(frames, matches.mean, matches.shape, to="mean"))
        errors[name] = large_scale_error(night, master["image"])
    made = aw.master_flat(frames, select=selection)
    assert large_scale_error(night, made.high["image"]) == pytest.approx(errors["scaled"], rel=0.1)
    assert errors["unscaled"] > 20 * errors["scaled"]
