"""Mean and scatter of each pixel through frames, apart from its two largest values.

A cosmic ray makes a value large, and so does a pixel that jumps. Which it was shows in the
neighbours of the pixel, which a block of rows may not have; so the two largest values are handed
out, to be taken in again once that is known.
"""

from typing import Any

import numpy as np

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.kernels.jit import kernel

HIT, BESIDE_HIT = 6.0, 3.5
"""Noise by which a pixel, and one beside it in the same frame, stand out where a cosmic ray hit
them. A pixel that jumps does so alone."""

_TOGETHER = 256
"""Pixels of a row, whose values in some frames stay in the cache."""


@kernel
def pixel_moments(
    image: Any,
    mask: Any,
    excluded: int,
    limit: Any,
    level: Any,
    scale: Any,
    held: Any,
    rate: Any,
    seconds: Any,
) -> tuple[Floats, Integers]:
    """Return the moments of pixels through frames.

    Parameters
    ----------
    image, mask
        (frame, channel, y, x); a pixel takes part that is finite and has no flag of ``excluded``.
        A mask of no size has none.
    limit
        (frame, channel): from which value on a pixel takes no part; NaN for none.
    level, scale
        (frame, channel): what is subtracted from a frame, and what it is divided by then.
    held, rate
        (channel, y, x), or of no size: what of each pixel is subtracted first, and what of it for
        each of the ``seconds``, (frame).

    Returns
    -------
    moments
        (4, channel, y, x): the mean of the values without those apart, the sum of their squared
        deviations from it, and those apart: the largest value and the second. NaN where there are
        too few: one value always is among the others.
    counts
        (4, channel, y, x): how many values took part without those apart, the frames that these
        are from, and how many values there are.
    """
    frames, channels, height, width = image.shape
    moments = np.empty((4, channels, height, width))
    counts = np.empty((4, channels, height, width), np.uint16)
    no_flags = np.zeros(_TOGETHER, np.uint8)
    # frame by frame, a few pixels at a time: compilers make one instruction of several of them
    values = np.empty((frames, _TOGETHER))
    largest, second, total, middle = (
        np.empty(_TOGETHER), np.empty(_TOGETHER), np.empty(_TOGETHER), np.empty(_TOGETHER)
    )  # fmt: skip
    from_first, from_second, known, left = (
        np.empty(_TOGETHER, np.int64), np.empty(_TOGETHER, np.int64),
        np.empty(_TOGETHER, np.int64), np.empty(_TOGETHER, np.int64),
    )  # fmt: skip
    for c in range(channels):
        for y in range(height):
            for start in range(0, width, _TOGETHER):
                size = min(_TOGETHER, width - start)
                largest[:], second[:], total[:] = -np.inf, -np.inf, 0.0
                from_first[:], from_second[:], known[:], left[:] = -1, -1, 0, 0
                for f in range(frames):
                    row, bits = image[f, c, y, start:], no_flags
                    if mask.size:
                        bits = mask[f, c, y, start:]
                    row_values, off, by = values[f], level[f, c], scale[f, c]
                    most = limit[f, c]
                    if held.size:
                        base, more = held[c, y, start:], rate[c, y, start:]
                        for x in range(size):
                            light = np.float64(row[x]) - base[x] - more[x] * seconds[f]
                            row_values[x] = (light - off) / by
                    else:
                        for x in range(size):
                            row_values[x] = (np.float64(row[x]) - off) / by
                    for x in range(size):
                        value = row_values[x]
                        good = ((bits[x] & excluded) == 0) & (abs(value) < np.inf)
                        good &= not np.float64(row[x]) >= most
                        row_values[x] = value if good else np.nan
                        known[x] += 1 if good else 0
                    for x in range(size):
                        # a comparison with NaN is false
                        value = row_values[x]
                        first, follows = value > largest[x], value > second[x]
                        from_second[x] = (
                            from_first[x] if first else (f if follows else from_second[x])
                        )
                        second[x] = largest[x] if first else (value if follows else second[x])
                        from_first[x] = f if first else from_first[x]
                        largest[x] = value if first else largest[x]
                for x in range(size):
                    from_second[x] = from_second[x] if known[x] > 2 else -1
                    from_first[x] = from_first[x] if known[x] > 1 else -1
                for f in range(frames):
                    row_values = values[f]
                    for x in range(size):
                        value = row_values[x]
                        taken = value == value and f != from_first[x] and f != from_second[x]
                        row_values[x] = value if taken else np.nan
                        total[x] += value if taken else 0.0
                        left[x] += 1 if taken else 0
                for x in range(size):
                    middle[x] = total[x] / left[x] if left[x] else np.nan
                    total[x] = 0.0
                for f in range(frames):
                    row_values = values[f]
                    for x in range(size):
                        off = row_values[x] - middle[x]
                        total[x] += off * off if off == off else 0.0
                for x in range(size):
                    at = start + x
                    moments[0, c, y, at] = middle[x]
                    moments[1, c, y, at] = total[x] if left[x] else np.nan
                    moments[2, c, y, at] = largest[x] if from_first[x] >= 0 else np.nan
                    moments[3, c, y, at] = second[x] if from_second[x] >= 0 else np.nan
                    counts[0, c, y, at] = left[x]
                    counts[1, c, y, at] = max(from_first[x], 0)
                    counts[2, c, y, at] = max(from_second[x], 0)
                    counts[3, c, y, at] = known[x]
    return moments, counts


@kernel
def without_hits(
    number: Any, mean: Any, squares: Any, apart: Any, origin: Any, sigma: Any, interleaved: bool
) -> tuple[Any, Any, Any]:
    """Take in the values that are apart, but for those of pixels that a particle hit.

    Parameters
    ----------
    number, mean, squares
        Of the values that are not apart.
    apart, origin
        The largest value and the second, and the frames that they are from.
    sigma
        (channel, y, x): noise of one value, as it is expected.
    interleaved
        Whether what is beside a pixel is in the other channels, too, as in a mosaic.

    Returns
    -------
    number, mean, squares
        Of all values that are left.
    """
    channels, height, width = mean.shape
    all_number = np.empty(mean.shape, np.uint16)
    all_mean, all_squares = np.empty(mean.shape), np.empty(mean.shape)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                count, middle = float(number[c, y, x]), mean[c, y, x]
                deviations = squares[c, y, x]
                for which in range(len(apart)):
                    value, step, after = apart[which][c, y, x], 0.0, 0.0
                    # what is apart is so from the mean of the others, whatever was taken in
                    taken = np.isfinite(value) and not (
                        (value - mean[c, y, x]) / sigma[c, y, x] > HIT
                        and _beside_hit(mean, apart, origin, sigma, which, c, y, x, interleaved)
                    )
                    if taken:
                        count += 1.0
                        step = value - middle
                    middle += step / count
                    if taken:
                        after = value - middle
                    deviations += step * after
                all_number[c, y, x], all_mean[c, y, x] = count, middle
                all_squares[c, y, x] = deviations
    return all_number, all_mean, all_squares


@kernel
def _beside_hit(
    mean: Any,
    apart: Any,
    origin: Any,
    sigma: Any,
    which: int,
    channel: int,
    y: int,
    x: int,
    interleaved: bool,
) -> bool:
    """Return whether a pixel beside one stands out in the same frame."""
    channels, height, width = mean.shape
    frame = origin[which][channel, y, x]
    for c in range(channels):
        if c != channel and not interleaved:
            continue
        for row in range(max(y - 1, 0), min(y + 2, height)):
            for column in range(max(x - 1, 0), min(x + 2, width)):
                if c == channel and row == y and column == x:
                    continue
                for other in range(len(apart)):
                    far = apart[other][c, row, column] - mean[c, row, column]
                    if (
                        origin[other][c, row, column] == frame
                        and far / sigma[c, row, column] > BESIDE_HIT
                    ):
                        return True
    return False
