"""Average each pixel through all frames, rejecting outliers: sort, then move the two ends.

Once the values of a pixel are sorted, what survives rejection is always a range of them: the
median is a look-up, a rejection moves an end of the range, and a glance at the extremes ends nearly
all pixels in the first round. Pixels go through in blocks of neighbours, so that one block
of all frames stays in the fastest cache and each loop over it becomes vector instructions.
Raw integers go in as they are; every sum runs in double precision, in the order of the
sorted values, whatever the blocks, so that the result never depends on how an image is cut.
"""

from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.flags import Flag
from autowisp_xr.kernels._jit import kernel
from autowisp_xr.kernels.clip import MEAN, centre, clip
from autowisp_xr.kernels.network import odd_even_merge_network, sort_rows

__all__ = ["MEAN", "Averages", "average_through_frames", "stack_pixels"]

_BLOCK = 128
# a row stride of a power of two would put every frame of a pixel into one set of the cache
_PADDING = 16
_FAULT = np.uint8(Flag.FAULT)
_NO_LIMIT = -1


@kernel
def gather(values: Any, mask: Any, exclude: Any, start: int, rows: Any, number: Any) -> None:
    """Copy a block of pixels of all frames into ``rows``; what is excluded becomes the largest.

    ``number`` counts the values left of each pixel: those finite and without excluded flags.
    """
    largest = rows[rows.shape[0] - 1, rows.shape[1] - 1]
    width = number.size
    number[:] = 0
    flags = np.zeros(width, np.uint8)
    for frame in range(values.shape[0]):
        into = rows[frame]
        source = values[frame, start : start + width]
        if mask.size:
            flags = mask[frame, start : start + width]
        for pixel in range(width):
            value = source[pixel]
            good = np.isfinite(value) and (flags[pixel] & exclude) == 0
            into[pixel] = value if good else largest
            number[pixel] += good


@kernel
def average_block(rows: Any, number: Any, quantile: float, about: Any, squares: Any) -> None:
    """First average of each pixel, and the sum of squares about it, before any rejection."""
    width = number.size
    if quantile < 0:
        about[:] = 0.0
        for i in range(rows.shape[0]):
            for pixel in range(width):
                about[pixel] += np.float64(rows[i, pixel]) if i < number[pixel] else 0.0
        for pixel in range(width):
            about[pixel] /= number[pixel]
    else:
        for pixel in range(width):
            about[pixel] = np.nan
            if number[pixel]:
                about[pixel] = centre(rows, pixel, 0, number[pixel], quantile)
    squares[:] = 0.0
    for i in range(rows.shape[0]):
        for pixel in range(width):
            distance = np.float64(rows[i, pixel]) - about[pixel]
            squares[pixel] += distance * distance if i < number[pixel] else 0.0


@kernel
def stack_pixels(
    values: Any,
    mask: Any,
    exclude: Any,
    largest: Any,
    quantile: float,
    clipping: tuple[float, float, bool, int],
    network: Any,
    variances: tuple[Any, Any, Any],
    weights: tuple[Any, Any, Any],
    propagate: bool,
    min_values: int,
    out: tuple[Any, Any, Any, Any, Any, Any, Any],
) -> None:
    """Stack frames pixel by pixel.

    Parameters
    ----------
    values : (frame, pixel) array of integers or floats
    mask : (frame, pixel) uint8, or of size 0
    exclude : uint8
        Values with any of these bits in the mask are left out, as are those not finite.
    largest : scalar of the type of ``values``
        Its largest value.
    quantile
        0.5 for the median, or ``MEAN``.
    clipping
        Upper and lower threshold, whether the scale is the MAD, and the largest number of
        rounds (negative: no limit; 0: no rejection).
    network
        Steps that sort as many rows as there are frames.
    variances : variance (frame, pixel), shared variance (1 or frame, pixel), shared relative
        variance (pixel); each of size 0 where there is none
    weights : three (number + 1) tables by the number of survivors
        Variance of the average from the sum of squares (scatter); ratio of the variance of the
        average to that of a mean; share of the arithmetic over the harmonic mean variance.
    propagate
        Whether the variance comes from ``variances`` or from the scatter of the survivors.
    min_values
        A pixel with fewer survivors is flagged FAULT.
    out : (pixel) arrays
        Average, variance, shared variance, number of survivors, mask, whether the last round
        still rejected, and smallest and largest survivor (2, pixel); what is of size 0 is left out.
    """
    frames, pixels = values.shape
    variance, shared, relative = variances
    scatter_weight, ratio, arithmetic_share = weights
    out_average, out_variance, out_shared, out_count, out_mask, out_rejecting, out_kept = out
    rows = np.full((frames, _BLOCK + _PADDING), largest, dtype=values.dtype)
    about = np.empty(_BLOCK)
    squares = np.empty(_BLOCK)
    lowest = np.empty(_BLOCK)
    highest = np.empty(_BLOCK)
    all_numbers = np.empty(_BLOCK, dtype=np.int64)
    variance_sum = np.empty(_BLOCK)
    precision_sum = np.empty(_BLOCK)
    shared_sum = np.empty(_BLOCK)
    flags = np.empty(_BLOCK, dtype=np.uint8)

    for start in range(0, pixels, _BLOCK):
        width = min(_BLOCK, pixels - start)
        number = all_numbers[:width]
        gather(values, mask, exclude, start, rows, number)
        sort_rows(rows, network)
        average_block(rows, number, quantile, about, squares)
        for pixel in range(width):
            low, high = 0, number[pixel]
            if high and clipping[3] != 0:
                low, high, about[pixel], squares[pixel], rejecting = clip(
                    rows, pixel, low, high, about[pixel], squares[pixel], clipping, quantile
                )
                out_rejecting[start + pixel] = rejecting
            if high > low:
                lowest[pixel] = rows[low, pixel]
                highest[pixel] = rows[high - 1, pixel]
            else:
                lowest[pixel] = np.inf
                highest[pixel] = -np.inf
                about[pixel] = np.nan
            number[pixel] = high - low
            if out_kept.size:
                out_kept[0, start + pixel] = lowest[pixel]
                out_kept[1, start + pixel] = highest[pixel]

        flags[:] = 0
        variance_sum[:] = 0.0
        precision_sum[:] = 0.0
        shared_sum[:] = 0.0
        if mask.size or propagate or shared.shape[0] > 1:
            for frame in range(frames):
                for pixel in range(width):
                    value = np.float64(values[frame, start + pixel])
                    bits = mask[frame, start + pixel] if mask.size else np.uint8(0)
                    kept = lowest[pixel] <= value <= highest[pixel] and (bits & exclude) == 0
                    if kept or number[pixel] == 0:
                        flags[pixel] |= bits
                    if not kept:
                        continue
                    common = 0.0
                    if shared.size:
                        common = np.float64(shared[frame % shared.shape[0], start + pixel])
                        shared_sum[pixel] += np.sqrt(common)
                    if propagate:
                        own = np.float64(variance[frame, start + pixel]) - common
                        if relative.size:
                            own -= value * value * relative[start + pixel]
                        own = max(own, 0.0)  # rounding of float32 planes can take it below
                        variance_sum[pixel] += own
                        precision_sum[pixel] += 1.0 / np.sqrt(own)

        for pixel in range(width):
            here = start + pixel
            n = number[pixel]
            common = 0.0
            if shared.shape[0] == 1:
                common = shared[0, here]
            elif shared.size and n:
                common = (shared_sum[pixel] / n) ** 2
            if n == 0:
                common = np.nan
                total = np.nan
            elif propagate:
                share = arithmetic_share[n]
                arithmetic = variance_sum[pixel] / n
                harmonic = (n / precision_sum[pixel]) ** 2
                total = ratio[n] / n * (share * arithmetic + (1.0 - share) * harmonic)
            else:
                total = squares[pixel] * scatter_weight[n]
            if relative.size:
                total += about[pixel] * about[pixel] * relative[here]
            out_average[here] = about[pixel]
            out_variance[here] = total + common
            if out_shared.size:
                out_shared[here] = common
            out_count[here] = n
            out_mask[here] = flags[pixel] | (_FAULT if n < min_values or n == 0 else 0)


class Averages(NamedTuple):
    """What comes of frames that went through :func:`average_through_frames`."""

    image: Any
    variance: Any
    shared_variance: Any
    """None where the frames share none."""
    count: Any
    """Number of survivors, int32."""
    mask: Any
    rejecting: Any
    """Whether the last round still rejected."""
    kept: Any
    """Smallest and largest survivor, (2, ...); infinities the wrong way round for none."""


def average_through_frames(
    values: Any,
    mask: Any,
    *,
    quantile: float,
    clipping: tuple[float, float, bool, int | None] | None,
    weights: tuple[Any, Any, Any],
    exclude: int = int(Flag.BAD),
    variance: Any = None,
    shared: Any = None,
    relative: Any = None,
    propagate: bool = False,
    min_values: int = 1,
    kept: bool = False,
    dtype: Any = np.float32,
) -> Averages:
    """Stack an array of any shape along its first axis; see :func:`stack_pixels`.

    ``mask``, ``variance``, ``shared`` (with or without the first axis) and ``relative`` (without)
    have the shape of ``values``, or are None; ``kept`` asks for the range of the survivors.
    """
    frames, *shape = values.shape
    pixels = int(np.prod(shape))

    def flat(array: Any, rows: int, kind: Any) -> Any:
        if array is None:
            return np.empty((0, 0), dtype=kind)
        return np.ascontiguousarray(array).reshape(rows, pixels)

    plain = flat(values, frames, None)
    shared_rows = 1 if shared is not None and shared.ndim == len(shape) else frames
    kind = variance.dtype if variance is not None else np.dtype(dtype)
    largest = np.inf if plain.dtype.kind == "f" else np.iinfo(plain.dtype).max
    upper, lower, use_mad, rounds = clipping or (1.0, -1.0, False, 0)
    out = (
        np.empty(pixels, dtype),
        np.empty(pixels, dtype),
        np.empty(pixels if shared is not None else 0, dtype),
        np.empty(pixels, np.int32),
        np.empty(pixels, np.uint8),
        np.zeros(pixels, np.bool_),
        np.empty((2, pixels if kept else 0)),
    )
    stack_pixels(
        plain,
        flat(mask, frames, np.uint8),
        np.uint8(exclude),
        plain.dtype.type(largest),
        float(quantile),
        (float(upper), float(lower), bool(use_mad), _NO_LIMIT if rounds is None else rounds),
        odd_even_merge_network(frames),
        (
            flat(variance, frames, kind),
            flat(shared, shared_rows, kind),
            flat(relative, 1, kind)[0] if relative is not None else np.empty(0, kind),
        ),
        weights,
        propagate,
        min_values,
        out,
    )
    image, total, common, count, flags, rejecting = (
        array.reshape(shape) if array.size == pixels else None for array in out[:-1]
    )
    ends = out[-1].reshape(2, *shape) if kept else None
    return Averages(image, total, common, count, flags, rejecting, ends)
