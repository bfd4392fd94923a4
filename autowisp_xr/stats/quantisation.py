"""The step in which the values of a set of frames are digitised, and the noise of most pixels.

Both are read off the differences of frames, which are free of what differs between pixels: a bias
that was subtracted, a dark, the pixels' own levels. The difference of neighbours in them is free of
what differs between frames, too. Steps are whole multiples of one number in them, whatever the unit
and the type of the values.
"""

from typing import Any

import numpy as np

from autowisp_xr.arrays import Bools, Floats, Numbers
from autowisp_xr.kernels.pixels import Digitisation
from autowisp_xr.stats.rounding import noise_before

_ENOUGH = 2**15
"""Values of a frame that are looked at: those of three give the noise to half a per cent."""

_FEWEST = 24
"""Of fewer differences that are not 0 all may be even by chance."""

_CANDIDATES = 32
"""So many of the smallest differences may be the step."""

_MOST = 0.99
"""Share of the differences that are multiples of it: a few pixels may have been repaired."""

_OFF = 0.02
_NEAR = 64.0
"""How far off a whole number of steps a difference may be by rounding, in steps, and up to how many
this is looked at."""

_ROUNDINGS = 4
_USUAL = 0.75
"""Values in a difference, each with its rounding, and the quantile of all that they are as large
as."""

_FAR = 20.0
"""In units of a difference that a quarter are smaller than: others are of pixels that are bad in
one frame, and would hide the step."""

_QUARTER = 0.3186
"""In units of their noise, what a quarter of normal differences are smaller than."""

_REACH = 5.0
"""In units of their noise, beyond which differences are of other pixels than most."""

_TRIO = 3
_BAD = 2.5
"""A bad frame is in two of the pairs that are looked at, and one is left where these are three.
Noise that is so many times that of the quietest pair is a bad frame's: that of flats whose light
differs by 20 is not."""


def rows_to_look_at(rows: int, pixels: int) -> int:
    """Return how many rows of so many pixels are enough."""
    return min(rows, -(-_ENOUGH // max(pixels, 1)))


def frames_to_look_at(frames: int, pixels: int) -> int:
    """Return how many frames are enough: three, of which one may be bad; of small ones more."""
    return min(frames, max(_TRIO, 1 + -(-_ENOUGH // max(pixels, 1))))


def digitisation_of(values: Any, bad: Bools | None = None) -> Digitisation:
    """Find the step and the noise of frames in their differences.

    Parameters
    ----------
    values : (frame, ..., x) array
        Frames of one exposure; what is not finite is left out.
    bad : bool array of the same shape
        Values that are left out as well; None for none.
    """
    whole = values.dtype.kind in "iub"
    good = values.astype(np.float64)
    if bad is not None:
        good[bad] = np.nan
    pairs, variances, size = _differences(good)
    differences = np.concatenate(pairs)
    rounding = 0.0 if whole else _ROUNDINGS * float(np.finfo(values.dtype).eps) * size
    step = _step(differences, rounding)
    if whole and step == 0.0:
        step = 1.0
    if differences.size == 0:
        return Digitisation(step, 0.0, np.inf)
    square = _square(pairs, step) / variances
    known = step > 0.0 and differences.size >= _FEWEST and _is_common(good, step)
    smooth = noise_before(square / step**2) if known else np.inf
    return Digitisation(step, float(np.sqrt(square)), smooth)


def _is_common(values: Numbers, step: float) -> bool:
    """Return whether frames have their steps at the same values of a pixel.

    A level of its own that was taken off a frame (of its overscan, of its sky) shifts them: no two
    frames then round alike.
    """
    steps = np.diff(values, axis=0, append=values[:1]) / step
    off = [np.abs(each - np.rint(each)) for each in (pair[np.isfinite(pair)] for pair in steps)]
    return all((each <= 2 * _OFF).mean() >= _MOST for each in off if each.size)


def _differences(values: Numbers) -> tuple[list[Any], float, float]:
    """Sizes of differences of pairs of frames, variances of how many values, the size of these.

    The last frame and the first are a pair, too, where there are more than these two.
    """
    found = np.diff(values, axis=0)
    if len(values) >= _TRIO:
        found = np.concatenate([found, values[:1] - values[-1:]])
    variances = 2.0
    if values.shape[-1] > 1:
        last = values.shape[-1] // 2 * 2
        found = found[..., 1:last:2] - found[..., 0:last:2]
        variances = 4.0
    finite = np.abs(values[np.isfinite(values)])
    size = float(np.quantile(finite, _USUAL)) if finite.size else 0.0
    pairs = [np.abs(pair[np.isfinite(pair)]) for pair in found]
    return pairs or [np.empty(0)], variances, size


def _square(pairs: list[Any], step: float) -> float:
    """Mean square of the differences of pairs without a bad frame, of most pixels."""
    known = [pair for pair in pairs if pair.size]
    scales = [_scale(pair, step) for pair in known]
    most = _BAD * min(scales)
    good = [pair for pair, scale in zip(known, scales, strict=True) if scale <= most]
    differences = np.concatenate(good)
    reach = _REACH * _scale(differences, step)
    return float((differences[differences <= reach] ** 2).mean())


def _scale(differences: Floats, step: float) -> float:
    return max(float(np.quantile(differences, 0.25)) / _QUARTER, step)


def _step(differences: Floats, rounding: float) -> float:
    """The largest number that nearly all differences are multiples of; 0 for none."""
    known = differences[differences > rounding]
    if known.size < _FEWEST:
        return 0.0
    known = np.sort(known)
    known = known[known <= _FAR * known[known.size // 4]]
    # of whole numbers many are equal
    known, times = np.unique(known, return_counts=True)
    apart = np.diff(known, prepend=-np.inf) > max(rounding, _OFF * known[0])
    step = 0.0
    for number in known[apart][:_CANDIDATES]:
        near = np.searchsorted(known, _NEAR * number, side="right")
        steps, times_near = known[:near] / number, times[:near]
        whole = np.rint(steps)
        fits = (whole > 0) & (np.abs(steps - whole) <= _OFF)
        share = times_near[fits].sum() / times_near.sum()
        if rounding <= _OFF * number and share >= _MOST:
            step = float(number)
    return step
