"""Median, rank and percentile filters of scipy.ndimage, compiled."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, SupportsIndex

import numpy as np
from scipy.ndimage import median_filter, percentile_filter, rank_filter

from autowisp_xr.arrays import Floats, Image
from autowisp_xr.image_smoothing.image import as_pair
from autowisp_xr.kernels.window_rank import windowed_rank

# how numpy.pad calls what scipy does at the edges
_PADDING = {
    "reflect": "symmetric",
    "nearest": "edge",
    "mirror": "reflect",
    "wrap": "wrap",
    "constant": "constant",
}


def ranked(filter: Callable[..., Any], image: Image, options: Mapping[str, Any]) -> Floats | None:
    """What a filter of scipy.ndimage makes of an image, if it is one that is compiled here.

    Parameters
    ----------
    filter, options
        Anything that can be called, and its keyword arguments. Compiled are ``median_filter``,
        ``rank_filter`` and ``percentile_filter`` with a ``size``, and with or without a ``mode``
        and ``cval``.
    image
        Array [y, x], float64 and finite.

    Returns
    -------
    An array of the values that the filter gives. None where only the filter itself can tell: with
    any other option, an impossible one (it refuses in its own words), or an image smaller than the
    window; and for the smallest and largest value, which scipy finds faster.

    Notes
    -----
    A window of n pixels reaches ``n // 2`` pixels before its own, and ``(n - 1) // 2`` beyond. Of
    its N values the median is number ``N // 2`` from 0 on, and the percentile p number
    ``floor(N p / 100)``.
    """
    rank_of = next((rank_of for known, rank_of in _RANKS if filter is known), None)
    if rank_of is None:
        return None
    others = dict(options)
    try:
        size = as_pair(others.pop("size", None), "size")
        padding: dict[str, Any] = {"mode": _PADDING[others.pop("mode", "reflect")]}
        outside = float(others.pop("cval", 0.0))
        # takes what is left, and nothing else
        rank = rank_of(math.prod(size), **others)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return None
    fits = all(part <= whole for part, whole in zip(size, image.shape, strict=True))
    if not (fits and math.isfinite(outside) and 0 < rank < math.prod(size) - 1):
        return None
    if padding["mode"] == "constant":
        padding["constant_values"] = outside
    margins = [(part // 2, (part - 1) // 2) for part in size]
    return windowed_rank(np.pad(image, margins, **padding), size, rank)


def _median(number: int) -> int:
    return number // 2


def _rank(number: int, rank: SupportsIndex) -> int:
    rank = operator.index(rank)
    return rank if rank >= 0 else rank + number


def _percentile(number: int, percentile: float) -> int:
    return int(number * (percentile if percentile >= 0 else percentile + 100) / 100)


_RANKS: tuple[tuple[Callable[..., Any], Callable[..., int]], ...] = (
    (median_filter, _median),
    (rank_filter, _rank),
    (percentile_filter, _percentile),
)
