"""What a pixel would have read, as its good neighbours in the same image show it.

Decision: a plane through the neighbours, weighted by a Gaussian as wide as the gap. The usual
linear interpolation along the shorter side of a gap (``fixpix`` of IRAF) takes two pixels, whose
scatter states next to nothing of the error; the mean under a Gaussian of one width
(``interpolate_replace_nans`` of astropy) draws a pixel of a gap that is wider towards its nearer
side. The plane does neither: across a column of any width it is that linear interpolation, and of
some nine pixels or more.
"""

from math import ceil
from typing import Any

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Image, Integers

_SIDES = ((0, -1), (0, 1), (-1, 0), (1, 0))
"""Steps (y, x) to the neighbours of a pixel, opposite ones in turn."""

_NARROWEST = 0.8
_WIDTHS = 1.7
"""Standard deviations of the Gaussian from a pixel to the far side of its gap; of gaps of one pixel
the deviation is the narrowest, and the four nearest neighbours have six tenths of the weight."""

_REACH = 2.2
"""Standard deviations that neighbours are taken from."""

_LEVERAGE = 1.0
"""A plane that would be followed further away from its pixels than these lie apart is none."""

_SPREAD = 1e-2
"""Pixels to the fourth: neighbours in a line, or as good as one alone, show no plane."""

_FREE = 1e-3
"""As many as three pixels lie in a plane whatever they read, and show no scatter."""

_VALUES = 2**20
"""Of neighbours, at a time."""


def estimates(
    image: Image, variance: Floats, good: Bools, places: Integers, reach: int
) -> tuple[Floats, Floats]:
    r"""Return what pixels would have read, and the variance of that; NaN where nothing shows it.

    Parameters
    ----------
    image, variance : (y, x)
        A variance that is not finite is not known, and that of the scatter stands for it.
    good : (y, x)
        Which pixels show anything; they are finite.
    places : (pixel, 2)
        Row and column of each pixel in question.
    reach
        A pixel without a good one among so many to the left, right, below and above is not shown.

    Notes
    -----
    With the weights g of the neighbours, whose sum is one, their mean place m and its covariance C,
    a plane fitted to them has at the pixel the value :math:`\sum w x`, with :math:`w = g (1 - m
    C^{-1} (d - m))` of a neighbour at the distance d. Where m lies outside of them, as at the edge
    of an image, w = g. The variance

    .. math:: \sum w^2 v + \max\left(\frac{\sum g r^2}{1 - \sum g^2 (1 + (d - m) C^{-1} (d - m))},
       \sum g v\right)

    is that of the difference from what the pixel itself would have read: the error of the plane,
    and what one pixel scatters about it, by noise or because the image has structure, with the
    residuals r and their degrees of freedom.
    """
    value, spread = np.full((2, len(places)), np.nan)
    span = max(_window(far) for far in (1, reach))
    padded: list[Any] = [np.pad(plane, span) for plane in (image, variance, good)]
    inside = places + span
    far = _far_sides(padded[2], inside, reach)
    for distance in np.unique(far[far > 0]).tolist():
        offsets, weights = _neighbours(distance)
        where = np.flatnonzero(far == distance)
        for start in range(0, where.size, max(1, _VALUES // len(offsets))):
            some = where[start : start + max(1, _VALUES // len(offsets))]
            y, x = (inside[some, None, axis] + offsets[:, axis] for axis in (0, 1))
            cut = [plane[y, x] for plane in padded]
            value[some], spread[some] = _estimated(cut, offsets, weights)
    return value, spread


def _far_sides(good: Bools, places: Integers, reach: int) -> Integers:
    """Return how far away the far side of each gap is, across its narrower direction.

    That of the nearest good pixel where no direction has one on both sides; 0 for none in reach.
    """
    gaps = np.zeros((4, len(places)), np.int64)
    for distance in range(reach, 0, -1):
        for gap, side in zip(gaps, _SIDES, strict=True):
            y, x = (places + distance * np.array(side)).T
            gap[good[y, x]] = distance
    never = reach + 1
    gaps[gaps == 0] = never
    across = np.minimum(np.maximum(gaps[0], gaps[1]), np.maximum(gaps[2], gaps[3]))
    far = np.where(across < never, across, gaps.min(axis=0))
    return np.where(far < never, far, 0)


def _width(far: int) -> float:
    return max(_NARROWEST, far / _WIDTHS)


def _window(far: int) -> int:
    """Return how far away the neighbours of a pixel with a gap may be."""
    return max(far, ceil(_REACH * _width(far)))


def _neighbours(far: int) -> tuple[Integers, Floats]:
    """Return the steps (neighbour, 2) to the neighbours of a pixel, and the weight of each."""
    steps = np.arange(-_window(far), _window(far) + 1)
    offsets = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    offsets = offsets[offsets.any(axis=1)]
    return offsets, np.exp(-(offsets**2).sum(axis=1) / (2 * _width(far) ** 2))


def _estimated(cut: list[Image], offsets: Integers, weights: Floats) -> tuple[Floats, Floats]:
    """Return values and variances of pixels of which each has a row of neighbours."""
    image, variance, good = cut
    share = np.where(good, weights, 0.0)
    share /= share.sum(axis=1, keepdims=True)
    values = np.where(good, image, 0.0)
    y, x = offsets.T.astype(np.float64)
    y_mean, x_mean = share @ y, share @ x
    y, x = y - y_mean[:, None], x - x_mean[:, None]
    yy, xx, xy = ((share * product).sum(axis=1) for product in (y * y, x * x, y * x))
    spread = yy * xx - xy**2
    inverse = np.stack([xx, yy, -xy]) / np.where(spread > _SPREAD, spread, np.inf)
    surrounded = _form(inverse, y_mean, x_mean, y_mean, x_mean) <= _LEVERAGE
    inverse = np.where(surrounded, inverse, 0.0)[:, :, None]
    plane = share * (1 - _form(inverse, y, x, y_mean[:, None], x_mean[:, None]))

    mean = (share * values).sum(axis=1, keepdims=True)
    slopes = ((share * values * along).sum(axis=1, keepdims=True) for along in (y, x))
    residual = np.where(good, values - mean - _form(inverse, y, x, *slopes), 0.0)
    free = 1 - (share**2 * (1 + _form(inverse, y, x, y, x))).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scatter = np.where(free > _FREE, (share * residual**2).sum(axis=1) / free, np.nan)
    noise = np.where(good & np.isfinite(variance), variance, scatter[:, None])
    noise = np.where(good, noise, 0.0)
    one = np.fmax(scatter, (share * noise).sum(axis=1))
    return (plane * values).sum(axis=1), (plane**2 * noise).sum(axis=1) + one


def _form(inverse: Floats, y1: Floats, x1: Floats, y2: Floats, x2: Floats) -> Floats:
    """Return a C^-1 b of vectors (y, x), with C^-1 as its elements yy, xx and yx."""
    form: Floats = inverse[0] * y1 * y2 + inverse[1] * x1 * x2
    return form + inverse[2] * (y1 * x2 + x1 * y2)
