r"""How pixels scatter through frames, against what their noise explains.

The sample variance of n normal values, by the true one, is :math:`\chi^2_{n-1} / (n - 1)`. So a
share p of good pixels is above :math:`\chi^2_{n-1}(1 - p) / (n - 1)`. Its quantiles are those of
the incomplete gamma function, for which ``scipy.stats`` need not be imported.
"""

from functools import partial

import bottleneck
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy.special import chdtri, gammaincinv

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.camera import Camera
from autowisp_xr.measure.frame_moments import FrameMoments, of_pixels, variance_of
from autowisp_xr.measure.pixel_neighbours import surroundings
from autowisp_xr.steps.noise import noise_of

_PARTS = 32
"""Levels, by which the noise goes where neither gain nor read noise is known."""

REGION = 64
"""Pixels a side of what has the noise of most of its pixels."""


def median_ratio(number: ArrayLike) -> Floats:
    """Return the median of the sample variance of so many normal values, by the true one."""
    free = np.maximum(np.asarray(number, np.float64) - 1.0, 1.0)
    return np.asarray(2.0 * gammaincinv(free / 2.0, 0.5) / free)


def limits(most: int, chance: float) -> Floats:
    """Return the ratio of variances above which a share of good pixels is, by number of values."""
    free = np.arange(1, most, dtype=np.float64)
    return np.concatenate([[np.inf] * 2, chdtri(free, chance) / free])


def found_factor(number: int, chance: float) -> float:
    """Return by which factor an uncertainty is too small where 99 % of such pixels are found."""
    free = number - 1.0
    return float(np.sqrt(chdtri(free, chance) / (2.0 * gammaincinv(free / 2.0, 0.01))))


def expected_variance(
    frames: xr.Dataset, camera: Camera, moments: FrameMoments, signal: Floats
) -> Floats:
    """Return the variance of a value of each pixel (channel, y, x), given its signal.

    Where the camera does not know its noise, that of most pixels of the level takes its place.
    ``signal``, which is NaN where it is not known, is overwritten.
    """
    if not camera.unknown_noise:
        return noise_of(frames, camera, "positive").in_place(signal)
    if frames.sizes["frame"] < 2:
        return np.full(signal.shape, np.nan)
    np.nan_to_num(signal, copy=False)
    number = frames.sizes["frame"]
    usual = np.full(number + 1, median_ratio(number))
    pairs = zip(signal, moments.normal_variance(usual), strict=True)
    return np.stack([_by_level(*of_channel) for of_channel in pairs])


def _by_level(signal: Floats, variance: Floats) -> Floats:
    order = np.argsort(signal, axis=None, kind="stable")
    parts = np.array_split(variance.ravel()[order], min(_PARTS, order.size))
    found = np.empty(order.size)
    medians = [bottleneck.nanmedian(part) for part in parts]
    found[order] = np.repeat(medians, [part.size for part in parts])
    return found.reshape(signal.shape)


def scatter_ratio(moments: FrameMoments, expected: Floats) -> Floats:
    """Return the variance of pixels by the expected one, or by that of most pixels around.

    That of a region counts where it is larger: what most pixels have is the noise of the camera,
    whatever its header states.
    """
    usual = np.append([np.nan] * 2, median_ratio(np.arange(2, moments.number.max() + 1)))
    planes = [moments.number, moments.squares, expected]
    ratio, normal = of_pixels(partial(_ratios, usual=usual), planes, [np.float64] * 2)
    around = surroundings(normal, REGION)
    return np.divide(ratio, np.fmax(around, 1.0, out=around), out=ratio)


def _ratios(number: Integers, squares: Floats, expected: Floats, *, usual: Floats) -> list[Floats]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = variance_of(number, squares) / expected
    return [ratio, ratio / usual[number]]
