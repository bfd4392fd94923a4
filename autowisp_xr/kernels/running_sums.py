"""Sums through frames that come in one after the other, from which their mean follows at any time.

A value x that is taken in as the k-th moves the mean m by (x - m) / k and adds (x - m) (x - m') to
the squared distances (B. P. Welford, *Technometrics* 4 (1962) 419), in double precision. With
weights w, and the sums A of w^2, B of w^2 (x - m) and D of w^2 (x - m)^2, a mean that moves by d
makes D - 2 d B + d^2 A of D, and B - d A of B, so that nothing of before is needed. Photons are
those of the mean, which is not known before the end: what else there is of a variance is summed
apart from them.

A value is rejected that lies too far from the mean of those taken in before, in units of what
their scatter (and of frames that state a variance, at least their noise) lets it differ by.
"""

from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.noise_of_frames import (
    SQUARE,
    TILE,
    VARIANCE,
    WIDTH,
    add_frame,
    add_tile,
    own_variance,
)
from autowisp_xr.kernels.pixels import NoiseSums

FEWEST = 5
"""Of fewer values, whose noise nothing states, the scatter rejects none."""


class Judgement(NamedTuple):
    """How a value is judged by those that were taken in before."""

    upper: float
    """How many of its uncertainties it may lie above the mean."""
    lower: float
    """Likewise below it, a negative number."""
    least: float
    """What the noise of a value counts as at least."""
    by_noise: bool
    """Whether that is the noise that values have; so does their variance, where they state it."""


ALL_STAY = Judgement(np.inf, -np.inf, 0.0, False)
"""No value is rejected."""


class RunningSums(NamedTuple):
    """Sums over the values of each pixel that were taken in; of size 0 where not needed."""

    number: Any
    """(pixel) int32: how many there are."""
    mean: Any
    """(pixel) float64: theirs, without weights."""
    squares: Any
    """(pixel) float64: the sum of their squared distances from it."""
    below: Any
    """(pixel) int32: how many values were rejected below the mean."""
    above: Any
    """(pixel) int32: likewise."""
    flags: Any
    """(pixel) uint8: of the values that were taken in."""
    all_flags: Any
    """(pixel) uint8: of all values."""
    total: Any
    """(pixel) float64: sum of the weights w."""
    weighed: Any
    """(pixel) float64: their weighted mean."""
    w2: Any
    """(pixel) float64: A, the sum of w^2, and so on."""
    w2_distance: Any
    """B"""
    w2_square: Any
    """D"""
    variance: Any
    """(pixel) float64: w^2 v, without photons where these are known. All below: of those."""
    slope: Any
    """w^2 s, as :class:`~autowisp_xr.kernels.pixels.NoiseSums` has it."""
    zero: Any
    """w^2 s z"""
    light: Any
    """w^2 s max(x - z, 0)"""
    rest: Any
    """What of v is not photons, over s^2."""
    rest_squares: Any
    """Its square."""


_WEIGHED = ("total", "weighed", "w2", "w2_distance", "w2_square")
_LIGHT = ("slope", "zero", "light", "rest", "rest_squares")


def empty_sums(pixels: int, *, weights: bool, noise: bool, photons: bool) -> RunningSums:
    """Sums of nothing, for so many pixels."""
    needed = dict.fromkeys(_WEIGHED, weights) | {"variance": noise} | dict.fromkeys(_LIGHT, photons)
    kinds: dict[str, Any] = {"flags": np.uint8, "all_flags": np.uint8}
    kinds |= dict.fromkeys(("number", "below", "above"), np.int32)
    rows = (
        np.zeros(pixels if needed.get(name, True) else 0, kinds.get(name, np.float64))
        for name in RunningSums._fields
    )
    return RunningSums(*rows)


@kernel
def take_in(judged, by_noise, pixels, noise, weight, dropped, judgement, sums, kept):
    """Take the values of one frame into sums.

    Parameters
    ----------
    judged, by_noise
        The frame as outliers are found in it, as :mod:`autowisp_xr.kernels.pixels` defines them;
        without a variance nothing is known of the noise.
    pixels, noise
        The frame as it is averaged: the same, or where there are weighted sums another.
    weight
        Of the frame, which is left out where it is 0; not looked at where the sums have none.
    dropped : (pixel) uint8, or of size 0
        1 for what is left out.
    judgement
        A :class:`Judgement`.
    sums
        A :class:`RunningSums`, changed.
    kept : (pixel) bool, written
        Which values were taken in.

    Returns
    -------
    How many were rejected.
    """
    rejected = 0
    upper, lower, least, of_noise = judgement
    scratch, dark = np.empty((3, WIDTH)), np.full(WIDTH, -np.inf)
    tile, nothing = np.empty(TILE), np.zeros(WIDTH, noise.variance.dtype)
    tile[SQUARE:VARIANCE] = weight * weight if sums.total.size else 1.0
    for start in range(0, kept.size, WIDTH):
        stop = min(kept.size, start + WIDTH)
        source, alive = judged.values[0, start:stop], kept[start:stop]
        width = alive.size
        number, mean = sums.number[start:stop], sums.mean[start:stop]
        squares, own = sums.squares[start:stop], scratch[0, :width]
        away, limit = scratch[1, :width], scratch[2, :width]
        counts = weight > 0.0 or sums.total.size == 0
        for pixel in range(width):
            alive[pixel] = counts & (source[pixel] - source[pixel] == 0)
        if pixels.mask.size:
            mask = pixels.mask[0, start:stop]
            for pixel in range(width):
                alive[pixel] &= mask[pixel] & pixels.exclude == 0
        if dropped.size:
            for pixel in range(width):
                alive[pixel] &= dropped[start + pixel] == 0
        if upper < np.inf or lower > -np.inf:
            for pixel in range(width):
                scatter = squares[pixel] / (number[pixel] - 1.0) if number[pixel] > 1 else 0.0
                limit[pixel] = max(scatter, least * least)
            if of_noise and by_noise.variance.size:
                own_variance(judged.values, by_noise, mean, 0, start, own)
                for pixel in range(width):
                    limit[pixel] = max(limit[pixel], own[pixel])
            fewest = 1 if of_noise else FEWEST
            for pixel in range(width):
                n = number[pixel]
                limit[pixel] = np.inf if n < fewest else np.sqrt(limit[pixel] * (1.0 + 1.0 / n))
            for pixel in range(width):
                away[pixel] = np.float64(source[pixel]) - mean[pixel]
            above, below = sums.above[start:stop], sums.below[start:stop]
            for pixel in range(width):
                above[pixel] += alive[pixel] & (away[pixel] > upper * limit[pixel])
            for pixel in range(width):
                below[pixel] += alive[pixel] & (away[pixel] < lower * limit[pixel])
            for pixel in range(width):
                inside = away[pixel] <= upper * limit[pixel]
                inside &= away[pixel] >= lower * limit[pixel]
                rejected += alive[pixel] & ~inside
            for pixel in range(width):
                inside = away[pixel] <= upper * limit[pixel]
                alive[pixel] &= inside & (away[pixel] >= lower * limit[pixel])
        if pixels.mask.size:
            mask = pixels.mask[0, start:stop]
            of_kept, of_all = sums.flags[start:stop], sums.all_flags[start:stop]
            for pixel in range(width):
                of_kept[pixel] |= mask[pixel] if alive[pixel] else np.uint8(0)
            for pixel in range(width):
                of_all[pixel] |= mask[pixel]
        for pixel in range(width):
            number[pixel] += alive[pixel]
        for pixel in range(width):
            away[pixel] = np.float64(source[pixel]) - mean[pixel] if alive[pixel] else 0.0
        for pixel in range(width):
            mean[pixel] += away[pixel] / number[pixel] if alive[pixel] else 0.0
        for pixel in range(width):
            # (x - m) (x - m') = (x - m)^2 (1 - 1 / k)
            part = away[pixel] * away[pixel] * (1.0 - 1.0 / number[pixel])
            squares[pixel] += part if alive[pixel] else 0.0
        if sums.total.size:
            weigh_in(pixels.values[0, start:stop], weight, alive, sums, start, away)
        if sums.variance.size == 0:
            continue
        tile[VARIANCE:] = 0.0
        # photons of what lies infinitely low are none
        add_frame(pixels.values, noise, dark, 0, start, alive, True, False, tile, nothing)
        add_tile(tile, start, width, noise.photons.size == 0, noise_of(sums))
    return rejected


@kernel
def weigh_in(source, w, alive, sums, start, moved):
    """Take neighbouring values of the weight w into the weighted sums."""
    stop = start + alive.size
    total, mean, a = sums.total[start:stop], sums.weighed[start:stop], sums.w2[start:stop]
    b, d = sums.w2_distance[start:stop], sums.w2_square[start:stop]
    square = w * w
    for pixel in range(alive.size):
        total[pixel] += w if alive[pixel] else 0.0
    for pixel in range(alive.size):
        away = (np.float64(source[pixel]) - mean[pixel]) * w / total[pixel]
        moved[pixel] = away if alive[pixel] else 0.0
    for pixel in range(alive.size):
        mean[pixel] += moved[pixel]
    for pixel in range(alive.size):
        d[pixel] += moved[pixel] * (moved[pixel] * a[pixel] - 2.0 * b[pixel])
    for pixel in range(alive.size):
        b[pixel] -= moved[pixel] * a[pixel]
    for pixel in range(alive.size):
        a[pixel] += square if alive[pixel] else 0.0
    for pixel in range(alive.size):
        moved[pixel] = np.float64(source[pixel]) - mean[pixel] if alive[pixel] else 0.0
    for pixel in range(alive.size):
        b[pixel] += square * moved[pixel]
    for pixel in range(alive.size):
        d[pixel] += square * moved[pixel] * moved[pixel]


@kernel
def noise_of(sums):
    """Return the sums of noise as :func:`autowisp_xr.kernels.noise_of_frames.add_tile` has them."""
    none = sums.variance[:0]
    return NoiseSums(
        sums.variance, none, sums.slope, sums.zero, sums.light, sums.rest, sums.rest_squares, none
    )


@kernel
def add_amplitudes(plane, values, weight, kept, sums):
    """Add the amplitude of a noise that frames share, w sqrt(v), to the sums of pixels.

    Parameters
    ----------
    plane : (pixel)
        What a frame has of its variance.
    values : (pixel), or of size 0
        What each amplitude is multiplied by.
    weight
        Of the frame.
    kept : (pixel) bool
        Which values count.
    sums : (pixel) float64, changed
    """
    for pixel in range(kept.size):
        part = weight * np.sqrt(np.float64(plane[pixel]))
        part = part * np.float64(values[pixel]) if values.size else part
        sums[pixel] += part if kept[pixel] else 0.0
