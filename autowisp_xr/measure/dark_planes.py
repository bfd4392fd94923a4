"""The rate of each pixel in the dark: a line through darks of several exposures, or a bias."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bools, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.flags import Flag
from autowisp_xr.schema import DIMS

_UNUSABLE = np.uint8(Flag.BAD & ~Flag.HOT)
"""Flags of values that are no level of a pixel; a hot one is what is looked for."""

_LEAST = 1e-12


def rate_of_pixels(
    masters: Sequence[xr.Dataset],
    seconds: Sequence[float],
    frames: Sequence[int],
    noise: tuple[xr.Variable, xr.Variable] | None,
) -> xr.Dataset:
    r"""Fit the rate of each pixel by least squares.

    Parameters
    ----------
    masters
        Averages (channel, y, x) of frames of one exposure each, at least two.
    seconds, frames
        Exposure of each, 0 for a bias, and the number of frames in it, by which it is weighted.
    noise
        (channel) each: ADU per electron, and variance of reading in ADU^2; None where they are not
        known, and the variance of the masters has to do.

    Returns
    -------
    ``image`` in ADU per second, ``variance`` and ``mask``; lazy where a master is. A master in
    which the pixel is flagged, but for hot, takes no part in it (one that saturates in a long
    exposure has the rate of the short ones); where fewer than two are left it is NaN, with their
    flags.

    Notes
    -----
    With the exposures t and numbers n of masters m,

    .. math:: R = \sum_j c_j m_j, \quad c_j = n_j\, (t_j - \bar t) / \sum_i n_i (t_i - \bar t)^2,
        \quad \operatorname{var} R = \sum_j c_j^2\, (\max(R t_j, 0) / g + \sigma^2) / n_j
    """
    planes: list[xr.Variable | None] = [
        blocks.plane(one, name)
        for one in masters
        for name in ("image", "mask", "count", "variance")
    ]
    given = list(noise or (None, None))
    kernel = partial(_rates, seconds=tuple(seconds), frames=tuple(frames))
    types = ["f4", "f4", "u1"]
    found = blocks.apply(kernel, [*given, *planes], DIMS[1:], types, free=("y", "x"), alone=True)
    names = ("image", "variance", "mask")
    return xr.Dataset(dict(zip(names, found, strict=True)), masters[0].coords)


def _rates(
    inverse_gain: Any,
    read_variance: Any,
    *planes: Any,
    seconds: tuple[float, ...],
    frames: tuple[int, ...],
) -> tuple[Planes, Planes, Planes]:
    masters = list(zip(*(planes[first::4] for first in range(4)), seconds, frames, strict=True))
    goods = [_good(image, mask) for image, mask, *_ in masters]
    weights = [good * float(n) for good, (*_, n) in zip(goods, masters, strict=True)]
    total = sum(weights)
    every = list(zip(weights, goods, masters, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = sum(w * t for w, _, (*_, t, _) in every) / total
        moment = sum(w * (t - middle) ** 2 for w, _, (*_, t, _) in every)
        moment = np.where(moment > _LEAST * total, moment, np.nan)
        slopes = [w * (t - middle) / moment for w, _, (*_, t, _) in every]
        rate = sum(
            c * np.where(good, image, 0.0)
            for c, (_, good, (image, *_)) in zip(slopes, every, strict=True)
        )
        variance = 0.0
        for c, (_, good, (_, _, count, own, t, n)) in zip(slopes, every, strict=True):
            if inverse_gain is not None:
                of_one = np.maximum(rate * t, 0.0) * _over(inverse_gain) + _over(read_variance)
                own = of_one / np.maximum(n if count is None else count, 1)
            elif own is None:
                own = np.full(good.shape, np.nan)
            variance = variance + c**2 * np.where(good, own, 0.0)
    solved = np.isfinite(rate)
    flags = np.zeros(rate.shape, np.uint8)
    for _, mask, *_ in masters:
        if mask is not None:
            flags |= mask
    unsolved = flags | np.where(flags == 0, np.uint8(Flag.FAULT), np.uint8(0))
    mask = np.where(solved, flags & ~_UNUSABLE, unsolved)
    return rate, np.where(solved, variance, np.nan), mask


def _good(image: Planes, mask: Any) -> Bools:
    good: Bools = np.isfinite(image)
    return good if mask is None else good & (mask & _UNUSABLE == 0)


def _over(values: Any) -> Any:
    """Return numbers (channel) as they go with (channel, y, x)."""
    return values[:, None, None]
