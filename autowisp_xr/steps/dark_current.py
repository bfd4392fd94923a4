r"""A dark that holds the bias, taken apart: D = P + d, a pedestal and the dark current.

Light L and dark current make photon noise in a frame I = P + d + L, the pedestal does not: with the
read noise r (in ADU) and the gain g its variance is (L + d) / g + r^2, where L + d is I - P. So P
takes the place of a bias in the pass, and d that of a dark that is free of it; their sum, and with
it the image, is D to the last bit or two, and what both add is var(D).

What of D is d is known from how its frames scatter. Their variance S is that of the master times
their number n (over r(n), if it is a median), and

.. math:: E[S] = d / g + r^2 \quad\Rightarrow\quad d = g\, (E[S] - r^2) .

S of a single pixel is far too noisy (of 10 frames, 0.5 of itself), but pixels of one level share
their mean, whatever makes the level: where dark current does (hot pixels, a glow), S goes up with
it; where the structure of the bias does, it does not. So S is a curve over D, through the mean D
and S of pixels that were put into order and cut into up to 32 parts, the last of them into as many
again; above these it goes on as dark current does, by 1 / g. The same curve makes the variance of
the master, S r(n) / n: of the scatter of each pixel for itself, pulls of stacks would be a few
percent too wide. A pixel that scatters by far more than its level explains keeps its own.
"""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Floats, Integers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.stats.averages import quantile_of
from autowisp_xr.stats.order_statistics import trimmed_factors
from autowisp_xr.stats.sampling import is_good
from autowisp_xr.steps.noise import AddNoise

_PLANE = schema.DIMS[1:]

_SAMPLE = 2**20
_PART = 1000
_HOT_PART = 50
_MOST_PARTS = 32
_STRAY = 30.0
"""Over the median of their part: of two frames, 1 in 4000 good pixels scatters by more, and with
few frames nobody has rejected the cosmic rays."""


def pedestal_and_current(dark: xr.Dataset, noise: AddNoise) -> tuple[xr.Dataset, xr.Dataset] | None:
    """Return masters in the places of bias and dark, whose sum is the dark.

    Parameters
    ----------
    dark
        Master (channel, y, x) that holds the bias.
    noise
        Read noise and gain of its frames, by channel and amplifier; each has a curve of its own.

    Returns
    -------
    The pedestal, an ``image`` alone, and the dark with its current as ``image`` and the variance of
    the curve; lazy where the dark is. None where the scatter of its frames is not known: it is
    where this package averaged two at least and took the variance from their scatter. Flagged
    pixels do not shape the curve.
    """
    ratios = _ratios(dark)
    if ratios is None:
        return None
    planes = [blocks.plane(dark, name) for name in ("image", "variance", "mask", "count")]
    operands = [*planes, noise.reader, noise.inverse_gain]
    (curves,) = blocks.apply(partial(_curves, ratios=ratios), operands, ("channel",), [object])
    image, variance, _, count = planes
    kind = dark["image"].dtype
    operands = [image, variance, count, noise.reader, curves]
    operands += [noise.inverse_gain, noise.read_variance]
    apart = partial(_apart, ratios=ratios)
    pedestal, current, smooth = blocks.apply(apart, operands, _PLANE, [kind] * 3)
    own = xr.Dataset({"image": pedestal}, dark.coords)
    rest = dark.assign(image=current, variance=smooth)
    units = schema.units_of(dark)
    return schema.with_attributes(own, units), schema.with_attributes(rest, units)


def _ratios(dark: xr.Dataset) -> Any:
    """Return the variance of the average over that of a mean, by number; None if not known."""
    steps = [step for step in provenance.history(dark) if step.get("verb") == "stack"]
    if not steps or "variance" not in dark:
        return None
    chosen, frames = steps[-1].get("options", {}), len(steps[-1].get("frames", ()))
    if chosen.get("error") != "scatter" or chosen.get("weights") is not None or frames < 2:
        return None
    if chosen.get("average") == "sum":
        return None
    reject = chosen.get("reject") or {}
    ends = (reject["low"], reject["high"]) if reject.get("type") == "MinMax" else (0, 0)
    _, ratio, _ = trimmed_factors(quantile_of(chosen.get("average", "median")), frames, *ends)
    return ratio


def _curves(
    image: Planes,
    variance: Planes,
    mask: Bits | None,
    count: Integers | None,
    reader: Bits | None,
    inverse_gain: Floats,
    *,
    ratios: Floats,
) -> tuple[Any]:
    """Return for each channel the curves of its amplifiers: levels, and variances of a frame."""
    curves = np.empty(len(image), object)
    for channel in range(len(image)):
        step = max(1, image[channel].size // _SAMPLE) | 1  # odd, to meet all columns
        level, scatter = (
            plane[channel].ravel()[::step].astype(np.float64) for plane in (image, variance)
        )
        scatter /= _share(None if count is None else count[channel].ravel()[::step], ratios)
        flags = None if mask is None else mask[channel].ravel()[::step]
        good = is_good(level, flags) & np.isfinite(scatter)
        numbers = np.zeros(1, int) if reader is None else reader[channel].ravel()[::step]
        own = [good & (numbers == amplifier) for amplifier in range(inverse_gain.shape[1])]
        curves[channel] = [_means_of_parts(level[some], scatter[some]) for some in own]
    return (curves,)


def _share(count: Integers | None, ratios: Floats) -> Floats:
    """Return the variance of an average over that of one value; NaN where that has no scatter."""
    most = len(ratios) - 1
    number = np.asarray(most) if count is None else np.minimum(count, most)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(number > 1, ratios[number] / number, np.nan)


def _means_of_parts(level: Floats, scatter: Floats) -> tuple[Floats, Floats]:
    """Return mean level and scatter of pixels of about one level, in the order of levels."""
    if not level.size:
        return np.zeros(1), np.zeros(1)
    order = np.argsort(level, kind="stable")
    level, scatter = level[order], scatter[order]
    first = _cuts(0, level.size, _PART)
    # hot pixels are few, and far apart
    last = _cuts(int(first[-1]) if first.size else 0, level.size, _HOT_PART)
    # levels of a few whole numbers are in one part each
    edges = np.unique(np.searchsorted(level, level[np.concatenate([first, last])]))
    means = []
    for some, spread in zip(np.split(level, edges), np.split(scatter, edges), strict=True):
        if some.size:
            kept = spread <= _STRAY * np.median(spread)
            means.append((some[kept].mean(), spread[kept].mean()))
    levels, scatters = np.transpose(means)
    return levels, scatters


def _cuts(start: int, stop: int, fewest: int) -> Integers:
    """Return where to cut a row into equal parts of so many at least."""
    parts = int(np.clip((stop - start) // fewest, 1, _MOST_PARTS))
    return start + np.arange(1, parts) * (stop - start) // parts


def _apart(
    image: Planes,
    variance: Planes,
    count: Integers | None,
    reader: Bits | None,
    curves: Any,
    inverse_gain: Floats,
    read_variance: Floats,
    *,
    ratios: Floats,
) -> tuple[Planes, Planes, Planes]:
    pedestal, smooth = np.empty(image.shape, image.dtype), np.empty(image.shape, image.dtype)
    for channel, of_amplifiers in enumerate(curves):
        plane = image[channel].astype(np.float64)
        scatter, current = np.zeros_like(plane), np.zeros_like(plane)
        for amplifier, (levels, scatters) in enumerate(of_amplifiers):
            own = ... if reader is None else reader[channel] == amplifier
            adu, read = inverse_gain[channel, amplifier], read_variance[channel, amplifier]
            level = plane[own]
            beyond = np.maximum(level - levels[-1], 0.0)
            scatter[own] = np.interp(level, levels, scatters) + beyond * adu
            current[own] = np.maximum((scatter[own] - read) / adu, 0.0)
        pedestal[channel] = plane - current
        scatter *= _share(None if count is None else count[channel], ratios)
        measured = variance[channel]
        smooth[channel] = np.where(measured > _STRAY * scatter, measured, scatter)
    return pedestal, image - pedestal, smooth
