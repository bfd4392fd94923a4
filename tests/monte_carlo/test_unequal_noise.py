"""Variances of medians and quantiles of frames of unequal noise, against many pixels."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import MinMax, NoiseClip
from tests.stack.variance_table import gaussian, ratio

FEW = {
    "1, 5": (1, 5),
    "1, 1, 3": (1, 1, 3),
    "1, 2, 3": (1, 2, 3),
    "1, 5, 5": (1, 5, 5),
    "1, 1, 1, 3": (1, 1, 1, 3),
    "two of 1, two of 5": (1, 1, 5, 5),
    "four of 1, one of 3": (1, 1, 1, 1, 3),
    "seven from 1 to 5": np.linspace(1, 5, 7),
    "five of 1, five of 5": np.repeat((1, 5), 5),
}
MANY = {
    "1, 2, 3": (np.resize((1, 2, 3), 15), 0.02),
    "1, 1, 5": (np.resize((1, 1, 5), 15), 0.03),
    "1, 5": (np.resize((1, 5), 30), 0.03),
}


@pytest.fixture(params=["propagate", "scatter"])
def error(request):
    return request.param


@pytest.mark.parametrize("average", ["median", 0.3, 0.1])
@pytest.mark.parametrize("noise", FEW)
def test_quantiles_of_few_frames_are_true_to_two_percent(noise, average, error):
    frames = gaussian(10.0 * np.array(FEW[noise]), (1, 400, 500))
    assert ratio(frames, average, error) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("average", ["median", 0.3])
@pytest.mark.parametrize("noise", MANY)
def test_quantiles_of_many_frames_are_nearly_as_true(noise, average, error):
    sigma, within = MANY[noise]
    frames = gaussian(10.0 * sigma, (1, 400, 500))
    assert ratio(frames, average, error) == pytest.approx(1, abs=within + 0.01)


@pytest.mark.parametrize(("sigma", "average"), [((1, 1, 100), "median"), ((1, 100, 100), 0.3)])
def test_noise_that_differs_by_any_factor_is_no_exception(sigma, average):
    assert ratio(gaussian(sigma, (1, 400, 500)), average, "propagate") == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("reject", [MinMax(), MinMax(0, 1), NoiseClip(9)])
@pytest.mark.parametrize("average", ["median", 0.3])
def test_what_rejection_leaves_is_as_true(average, reject):
    """Of extremes that were dropped the noise counts, too: it states where the others are."""
    frames = gaussian(10.0 * np.resize((1, 2, 3), 10), (1, 400, 500))
    assert ratio(frames, average, "propagate", reject) == pytest.approx(1, abs=0.02)


def test_the_noise_of_values_left_out_does_not_count():
    frames = gaussian((1.0, 1.0, 5.0, 1.0, 1.0, 5.0), (1, 200, 400))
    good = (frames["variance"] < 2) | (frames["x"] % 2 == 0)
    masked = frames.assign(mask=(~good).astype("u1"), image=frames["image"].where(good, 1030.0))
    left = frames.isel(frame=[0, 1, 3, 4])
    for average in ("median", 0.3):
        found, whole, few = (
            aw.stack(each, average)["variance"].isel(x=slice(None, 4))
            for each in (masked, frames, left)
        )
        np.testing.assert_array_equal(found[..., ::2], whole[..., ::2])
        np.testing.assert_allclose(found[..., 1::2], few[..., 1::2], rtol=1e-6)


def test_the_scatter_of_frames_that_nothing_gives_the_noise_of_is_off():
    """Four frames of noise 1 and one of noise 3: the docstring states by how much."""
    frames = gaussian((10.0, 10.0, 10.0, 10.0, 30.0), (1, 400, 500))
    blind = frames.drop_vars("variance")
    assert ratio(blind, "median", "scatter") == pytest.approx(1.97, abs=0.03)
    assert ratio(blind, "mean", "scatter") == pytest.approx(1, abs=0.02)
