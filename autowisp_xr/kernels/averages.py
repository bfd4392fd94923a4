"""The door to the stack of pixels: arrays of any shape in, named results out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autowisp_xr.flags import Flag
from autowisp_xr.kernels.block import Block
from autowisp_xr.kernels.clip import MAD, MEAN, PERCENTILE, RMS, Clipping, rounding_of
from autowisp_xr.kernels.drop import drop_extremes, drop_noisy, drop_unfit
from autowisp_xr.kernels.order_moments import Ranks, Tables
from autowisp_xr.kernels.sharing import shared_noise
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.kernels.survivors import (
    inherit_flags,
    raise_to_noise,
    sum_counts,
    sum_noise,
    variances,
    weigh,
)
from autowisp_xr.kernels.unequal import equalise

__all__ = ["MEAN", "Averages", "Rejection", "average_through_frames"]

_NO_LIMIT = -1
_MEDIAN = 0.5
_AT_THE_ENDS = {"rms": RMS, "mad": MAD, "percentile": PERCENTILE}
_ANY = np.uint8(255)


class Rejection(NamedTuple):
    """How outliers of a pixel are found."""

    kind: str
    """"rms", "mad", "percentile": at the ends of the sorted values, see
    :mod:`autowisp_xr.kernels.clip`; "minmax": so many of the extremes; "noise": in units of the
    noise of each value."""
    upper: float
    """Threshold above 0; for "minmax" how many of the largest."""
    lower: float
    """Threshold below 0; for "minmax" how many of the smallest."""
    rounds: int | None = None
    """Largest number of rounds; None for as many as it takes."""
    about_median: bool = False
    """Whether "rms" and "mad" take distances from the median, whatever the average; "percentile"
    and "noise" do so anyway."""
    floor: float = 0.0
    """What the scale of "mad" is at least, or the distance that is far for "noise"."""
    noise_too: bool = False
    """Whether the scale of "mad" is at least the noise of the noisiest value, where that is known,
    too."""


class Averages(NamedTuple):
    """What comes of frames that went through :func:`average_through_frames`."""

    image: Any
    variance: Any
    shared_variance: Any
    """None where the frames share none."""
    shared_relative_variance: Any
    """None where the frames share none."""
    light: Any
    """Slope, zero and photon noise of the average, (3, ...) float64; None where not known."""
    count: Any
    """Number of survivors, int32."""
    total: Any
    """Sum of the ``counts`` of the survivors, int32; None without these."""
    mask: Any
    rejecting: Any
    """Whether the last round at the ends still rejected."""
    low: Any
    """Number rejected below the average, int32."""
    high: Any
    """Number rejected above it."""
    kept: tuple[Any, Any]
    """Smallest and largest survivor; infinities the wrong way round for none."""


def average_through_frames(
    values: Any,
    mask: Any,
    *,
    quantile: float,
    reject: Rejection | None,
    factors: tuple[Any, Any, Any],
    exclude: int = int(Flag.BAD),
    variance: Any = None,
    shared: Any = None,
    relative: Any = None,
    light: tuple[Any, Any, Any] = (None, None, None),
    groups: Any = (None, None),
    counts: Any = None,
    frame_weights: Any = None,
    propagate: bool = False,
    unequal: tuple[Ranks, Tables] | None = None,
    min_values: int = 1,
    reach: float = np.inf,
    errors: bool = True,
    dtype: Any = np.float32,
) -> Averages:
    """Stack an array of any shape along its first axis.

    Parameters
    ----------
    values : (frame, ...) array of integers or floats
    mask : (frame, ...) uint8, or None
    quantile
        0.5 for the median, or ``MEAN``.
    reject
        How outliers are found; None keeps all.
    factors : three (number + 1) tables by the number of survivors
        See :mod:`autowisp_xr.kernels.survivors`.
    exclude
        Values with any of these bits in the mask are left out, as are those not finite.
    variance, shared, relative : (frame, ...), and (...) or (frame, ...), or None
        Variance of the values; what of it they share; what they share relative to their square.
    light : (...) or (frame, ...) twice, (frame, ...); each may be None
        Slope and zero of the noise of photons that the variance holds, and that noise where it is
        not max(slope (value - zero), 0), as for :func:`autowisp_xr.kernels.survivors.own_variance`.
    groups : two (frame) arrays of integers from 0 up, or None
        Which frames have the noise of ``shared``, and of ``relative``, in common; None for all.
    counts : (frame, ...) array, or None
        How many values each value is an average of; None for itself alone.
    frame_weights : (frame, k) array, or None
        Of a mean; each column is for a k-th part of the pixels.
    propagate
        Whether the variance comes from that of the values, or from the scatter of the survivors.
    unequal
        What a quantile of values of unequal noise needs, of :mod:`autowisp_xr.stats.unequal_noise`;
        None for a mean, or where the variance of the values does not say how their noise differs.
    min_values
        A pixel with fewer survivors is flagged FAULT, as is one whose average is not finite.
    reach
        As for :func:`autowisp_xr.kernels.survivors.inherit_flags`.
    errors
        Whether a pixel whose variance is not finite is flagged FAULT, too.
    dtype
        Of image and variances; an average too large for it is NaN.
    """
    frames, *shape = values.shape
    pixels = int(np.prod(shape))

    def flat(array: Any, rows: int, kind: Any) -> Any:
        if array is None:
            return np.empty((0, 0), dtype=kind)
        return np.ascontiguousarray(_known_to_kernels(array)).reshape(rows, pixels)

    kind = variance.dtype if variance is not None else np.dtype(dtype)

    def rows_of(plane: Any) -> int:
        return 1 if plane is not None and plane.ndim == len(shape) else frames

    given, flags = flat(values, frames, None), flat(mask, frames, np.uint8)
    noise = (
        flat(variance, frames, kind),
        flat(shared, rows_of(shared), kind),
        flat(relative, rows_of(relative), kind),
        _light_of(light, lambda plane: flat(plane, rows_of(plane), kind)),
    )
    left_out, chosen = flags, np.uint8(exclude)
    if reject is not None and reject.kind not in _AT_THE_ENDS:
        block, left_out = _averages_of_the_rest(given, flags, chosen, quantile, reject, noise)
        chosen = _ANY
    else:
        clipping = _clipping(reject, quantile, given.dtype)
        # of zeros no memory is touched unless they are asked for
        floor = np.zeros(pixels)
        if reject is not None and reject.floor:
            floor += reject.floor
        if reject is not None and reject.noise_too and noise[0].size:
            raise_to_noise(given, flags, chosen, *noise[:3], floor)
        block = average_pixels(given, flags, chosen, quantile, clipping, floor)
    out_mask = np.zeros(pixels, np.uint8)
    if flags.size:
        inherit_flags(given, left_out, chosen, flags, block, reach, out_mask)
    out_mask |= (block.number < max(min_values, 1)) * np.uint8(Flag.FAULT)
    if not left_out.size:
        left_out = np.zeros(given.shape, np.uint8)
    weights = np.empty((0, 0)) if frame_weights is None else np.array(frame_weights, np.float64)
    total = np.empty(pixels if weights.size else 0)
    if weights.size:
        weigh(given, left_out, chosen, weights, block, total)
    slopes, _, photons = noise[3]
    sums = np.empty((8 if slopes.size else 2, pixels if propagate else 0))
    if propagate:
        harmonic = quantile != MEAN
        sum_noise(given, left_out, chosen, *noise, weights, total, block, harmonic, sums)
        if slopes.size:
            sums[7] = sums[0]

    def in_common(planes: Any, of_frames: Any, *, scaled: bool = False) -> Any:
        """What the average has of a noise, (pixel): all of it where there is one for all frames."""
        if planes.shape[0] < 2:
            return planes.reshape(-1)
        numbers = np.zeros(frames, np.int64) if of_frames is None else of_frames
        survivors = (given, left_out, chosen, planes, numbers, weights, total, block)
        return shared_noise(*survivors, scaled=scaled)

    common, share = in_common(noise[1], groups[0]), in_common(noise[2], groups[1])
    added, factor = common, share
    if quantile == MEAN and noise[2].shape[0] > 1:
        # frames of other exposures have other values, and no average stands for them all
        added, factor = in_common(noise[2], groups[1], scaled=True), np.empty(0)
        added = added + common if common.size else added
    sum_of_counts = None
    if counts is not None:
        sum_of_counts = np.zeros(pixels, np.int32)
        own_counts = flat(counts, frames, np.uint16)
        sum_counts(given, left_out, chosen, own_counts, block, sum_of_counts)
    if unequal is not None:
        dropped, among, spread = 0, block, sums
        squares = block.squares[:0] if propagate else block.squares
        if reject is not None and reject.kind == "minmax":
            # the quantile of what is left is one of all, whose distances from it are not known
            dropped, squares = int(reject.lower + reject.upper), squares[:0]
            left_out, among = _before_dropping(given, flags, np.uint8(exclude), block)
        if dropped or not propagate:
            spread = np.empty((len(sums), pixels))
            alike = np.empty((0, 0)), np.empty(0)
            sum_noise(given, left_out, chosen, *noise, *alike, among, True, spread)
        survivors = (given, left_out, chosen, noise, among)
        equalise(*survivors, *unequal, factors, dropped, sums, squares, spread)
    out_variance = np.empty(pixels, dtype)
    out_light = np.empty((3, pixels if propagate and slopes.size else 0))
    single = not photons.size
    variances(propagate, block, sums, factors, added, factor, out_variance, out_light, single)
    common = np.where(block.number == 0, np.nan, common) if common.size else common
    with np.errstate(over="ignore"):
        image = block.about.astype(dtype)
    good = np.isfinite(image)
    if errors:
        good &= np.isfinite(out_variance)
    if not good.all():
        out_mask[~good] |= np.uint8(Flag.FAULT)
        image[np.isinf(image)] = np.nan
    return Averages(
        image=image.reshape(shape),
        variance=out_variance.reshape(shape),
        shared_variance=None if shared is None else common.astype(dtype).reshape(shape),
        shared_relative_variance=None if relative is None else share.astype(dtype).reshape(shape),
        light=out_light.reshape(3, *shape) if out_light.size else None,
        count=block.number.reshape(shape),
        total=None if sum_of_counts is None else sum_of_counts.reshape(shape),
        mask=out_mask.reshape(shape),
        rejecting=block.rejecting.reshape(shape),
        low=block.below.reshape(shape),
        high=block.above.reshape(shape),
        kept=(block.smallest.reshape(shape), block.largest.reshape(shape)),
    )


def _light_of(light: tuple[Any, Any, Any], flat: Callable[[Any], Any]) -> tuple[Any, Any, Any]:
    """Slope, zero and photon noise for the kernels; a zero of 0 where none is given."""
    slope, zero, photons = map(flat, light)
    if slope.size and not zero.size:
        zero = np.zeros((1, slope.shape[1]), slope.dtype)
    return slope, zero, photons


def _known_to_kernels(array: Any) -> Any:
    """The same numbers in native byte order, half-precision ones in float32."""
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise TypeError(f"images are of integers, float32 or float64, not of {array.dtype}")
    kind = np.float32 if array.dtype == np.float16 else array.dtype.newbyteorder("=")
    return array.astype(kind, copy=False)


def _clipping(reject: Rejection | None, quantile: float, kind: Any) -> Clipping:
    """Rejection at the ends of the sorted values; no rounds for none."""
    if reject is None:
        return Clipping(RMS, 1.0, -1.0, 0, quantile, 0.0)
    return Clipping(
        measure=_AT_THE_ENDS[reject.kind],
        upper=float(reject.upper),
        lower=float(reject.lower),
        rounds=_NO_LIMIT if reject.rounds is None else reject.rounds,
        origin=_MEDIAN if reject.about_median else quantile,
        rounding=rounding_of(kind),
    )


def _averages_of_the_rest(
    values: Any,
    mask: Any,
    exclude: Any,
    quantile: float,
    reject: Rejection,
    noise: tuple[Any, Any, Any, tuple[Any, Any, Any]],
) -> tuple[Block, Any]:
    """Averages after rejection value by value, and which values are left out, (frame, pixel)."""
    dropped = np.empty(values.shape, np.uint8)
    below, above = np.zeros((2, values.shape[1]), np.int32)
    drop_unfit(values, mask, exclude, dropped)
    if reject.kind == "minmax":
        drop_extremes(values, int(reject.lower), int(reject.upper), dropped, below, above)
    none = _clipping(None, quantile, values.dtype)
    rounds = 0
    while reject.kind == "noise" and rounds != reject.rounds:
        # about the median: a mean lies far from all values once one of them is far enough
        middle = average_pixels(values, dropped, _ANY, _MEDIAN, none).about
        limits = reject.upper, reject.lower, reject.floor, rounding_of(noise[0].dtype)
        if not drop_noisy(values, *noise, middle, *map(float, limits), dropped, below, above):
            break
        rounds += 1
    block = average_pixels(values, dropped, _ANY, quantile, none)
    return block._replace(below=below, above=above), dropped


def _before_dropping(values: Any, mask: Any, exclude: Any, block: Block) -> tuple[Any, Block]:
    """Which values were left out, (frame, pixel), before extremes were dropped, and all others."""
    unfit = np.empty(values.shape, np.uint8)
    drop_unfit(values, mask, exclude, unfit)
    whole = {"smallest": -np.inf, "largest": np.inf, "number": len(values) - unfit.sum(axis=0)}
    kinds = block._asdict()
    return unfit, block._replace(
        **{name: np.full_like(kinds[name], value) for name, value in whole.items()}
    )
