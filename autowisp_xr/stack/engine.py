"""The engine of a stack: planes of frames, arrays of any shape, go in, and named averages come out.

It runs the kernels one after the other. Each part of the result is made in turn of what survives
rejection: its average, flags, weights, noise, and what of that the frames share.
"""

import math
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from autowisp_xr.arrays import Bits, Cube, Floats, Integers, Numbers, Planes
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.kernels.lines import (
    Lines,
    average_numbers,
    left_out,
    numbers_of,
    on_lines,
    shared_on_lines,
)
from autowisp_xr.kernels.pixels import (
    ANY,
    UNKNOWN,
    Block,
    Digitisation,
    Noise,
    NoiseSums,
    Pixels,
    Weights,
    equal_weights,
    marked,
    noise_sums,
    of_some_weight,
)
from autowisp_xr.kernels.sharing import shared_noise, sum_of_counts
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.kernels.survivors import inherit_flags, sum_noise, variances, weigh
from autowisp_xr.kernels.unequal import equalise
from autowisp_xr.outliers.base import Rejection
from autowisp_xr.stats.floats import kernel_type, native, native_type
from autowisp_xr.stats.order_statistics import trimmed_factors, variance_factors
from autowisp_xr.stats.unequal_noise import noise_tables, ranks


class FramePlanes(NamedTuple):
    """Planes of frames, by what they hold; None for those that the frames do not have."""

    values: Cube
    """(frame, ...) integers or floats."""
    mask: Bits | None = None
    """(frame, ...)"""
    variance: Floats | None = None
    """(frame, ...)"""
    shared: Floats | None = None
    """(...) or (frame, ...): what of the variance the frames share."""
    relative: Floats | None = None
    """(...) or (frame, ...): what they share relative to the square of the values."""
    slope: Floats | None = None
    """(...) or (frame, ...): of the noise of photons that the variance holds, max(slope (value -
    zero), 0)."""
    zero: Floats | None = None
    """(...) or (frame, ...)"""
    photons: Floats | None = None
    """(frame, ...): that noise where it is another."""
    counts: Integers | None = None
    """(frame, ...): how many values each is an average of; None for itself alone."""
    weights: Floats | None = None
    """(frame, k), of a mean; each column is for a k-th part of the pixels."""
    lines: Lines | None = None
    """By which the values that are averaged are scaled; None for as they are."""
    to_reject: Lines | None = None
    """By which they are scaled where outliers are found, if that is apart."""


class Averages(NamedTuple):
    """The results of :func:`average_through_frames`."""

    image: Planes
    variance: Planes
    shared_variance: Planes | None
    """None where the frames share none."""
    shared_relative_variance: Planes | None
    """None where the frames share none."""
    light: Floats | None
    """Slope, zero and photon noise of the average, (3, ...) float64; None where not known."""
    number: Integers
    """Number of survivors, int32."""
    total: Integers | None
    """Sum of the counts of the survivors, int32; None without these."""
    mask: Bits
    low: Integers
    """Number rejected below the average, int32."""
    high: Integers
    """Number rejected above it."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules by which frames are averaged, and by which the variance of that is found."""

    quantile: float
    """0.5 for the median, or ``MEAN``."""
    reject: Rejection | None = None
    """How outliers are found; None keeps all."""
    exclude: int = int(Flag.UNUSABLE)
    """Values with any of these bits in the mask are left out, as are those not finite."""
    groups: tuple[Integers | None, Integers | None] = (None, None)
    """Integers (frame) from 0 up: which frames have the noise that is shared, and that of the
    relative one, in common; None for all."""
    propagate: bool = False
    """Whether the variance comes from that of the values, or from the scatter of the survivors."""
    as_mean: bool = False
    """Whether that is the variance of a mean, whatever the average is."""
    unequal: bool = False
    """Whether a quantile looks at how the noise of its values differs, as their variance states it:
    :mod:`autowisp_xr.stats.unequal_noise`."""
    min_values: int = 1
    """A pixel with fewer survivors is flagged FAULT, as is one whose average is not finite."""
    reach: float = math.inf
    """As for :func:`autowisp_xr.kernels.survivors.inherit_flags`."""
    errors: bool = True
    """Whether a pixel whose variance is not finite is flagged FAULT, too."""
    dtype: DTypeLike = np.float32
    """Of image and variances; an average too large for it is NaN."""
    apart: bool = False
    """Whether outliers are found in values that are scaled in another way than those averaged."""
    times: float = 1.0
    """The result is so many times the average, as a sum is."""

    @property
    def dropped(self) -> tuple[int, int]:
        """The numbers of the smallest and of the largest values that go, whatever they are."""
        return self.reject.dropped if self.reject else (0, 0)


Factors = tuple[Floats, Floats, Floats]


def average_through_frames(
    frames: FramePlanes, rules: Rules, digits: Digitisation = UNKNOWN
) -> Averages:
    """Average planes of any shape along their first axis.

    Parameters
    ----------
    frames
        The planes.
    rules
        How they are averaged.
    digits
        How the values are digitised.
    """
    shape, quantile, reject = frames.values.shape[1:], rules.quantile, rules.reject
    alone = all(other is None for other in frames[1:])
    in_place = alone and (reject is None or reject.in_place)
    as_read = pixels_of(frames, rules.exclude, in_place=in_place)
    flags = as_read.mask
    if frames.weights is not None:
        as_read = of_some_weight(as_read, frames.weights)
    noise_as_read = noise_of(frames, np.dtype(rules.dtype))
    given, noise = _scaled(as_read, noise_as_read, frames.lines, rules.dtype)
    if reject is None:
        block, pixels = average_pixels(given, quantile), given
    elif rules.apart:
        judged, by_noise = _scaled(as_read, noise_as_read, frames.to_reject, rules.dtype)
        found, judged = reject.average(judged, by_noise, quantile, digits)
        pixels = given._replace(mask=left_out(judged, found), exclude=ANY)
        block = average_pixels(pixels, quantile)
        block = block._replace(below=found.below, above=found.above)
    else:
        block, pixels = reject.average(given, noise, quantile, digits)
    mask = np.zeros(block.number.size, np.uint8)
    if flags.size:
        inherit_flags(pixels, flags, block, rules.reach, mask)
    mask |= (block.number < max(rules.min_values, 1)) * np.uint8(Flag.FAULT)
    weights = equal_weights()
    if frames.weights is not None:
        weights = Weights(np.array(frames.weights, np.float64), np.empty(block.number.size))
        weigh(pixels, weights, block)
    known = block.number.size if rules.propagate else 0
    of_photons = noise.slope.size > 0
    numbers = numbers_of(noise_as_read, frames.lines)
    averages = np.empty((len(numbers), block.number.size))
    sums = noise_sums(known, photons=of_photons)
    if len(numbers) and not rules.propagate:
        if rules.unequal:
            aside = noise_sums(block.number.size, photons=of_photons)
            sum_noise(pixels, noise, weights, block, True, aside, numbers, averages)
        else:
            average_numbers(pixels, weights, block, numbers, averages)
    if rules.propagate:
        harmonic = quantile != MEAN
        sum_noise(pixels, noise, weights, block, harmonic, sums, numbers, averages)
        sums.unequal[:] = sums.variance[: sums.unequal.size]
    of_shared, of_relative = rules.groups
    no_sky = frames.lines is None or frames.lines.sky is None
    share = noise_as_read.relative if no_sky else np.empty(0)
    share = _in_common(pixels, share, of_relative, weights, block)
    if frames.lines is None:
        common = _in_common(pixels, noise.shared, of_shared, weights, block)
    else:
        common = shared_on_lines(
            pixels,
            noise_as_read,
            rules.groups,
            weights,
            block,
            frames.lines,
            averages,
            of_mean=quantile == MEAN,
        )
    added, factor = common, share
    if quantile == MEAN and noise_as_read.relative.shape[0] > 1 and share.size:
        # frames of other exposures have other values, and no average stands for them all
        relative = noise_as_read.relative
        added = _in_common(pixels, relative, of_relative, weights, block, scaled=True)
        added, factor = added + common if common.size else added, np.empty(0)
    if rules.as_mean:
        factors = variance_factors(MEAN, len(given.values))
    else:
        factors = trimmed_factors(quantile, len(given.values), *rules.dropped)
    if rules.unequal:
        _equalise(given, pixels, noise, block, rules, factors, sums)
    single, shared = not noise.photons.size, Common(common, share, added, factor)
    flat = finished(block, sums, factors, shared, mask, rules, single=single)
    if frames.counts is not None:
        flat = flat._replace(total=sum_of_counts(pixels, _flat(frames.counts, shape), block))
    return in_shape(flat, shape)


class Common(NamedTuple):
    """Noise that frames share in averages, (pixel) float64 each, of size 0 where there is none."""

    common: Floats
    """Their ``shared_variance``."""
    share: Floats
    """Their ``shared_relative_variance``."""
    added: Floats
    """What is added to the variance."""
    factor: Floats
    """What is added to it times the square of the average."""


def finished(
    block: Block,
    sums: NoiseSums,
    factors: Factors,
    shared: Common,
    mask: Bits,
    rules: Rules,
    *,
    single: bool,
) -> Averages:
    """Return averages, (pixel), of what is known of their survivors.

    Parameters
    ----------
    block, sums, factors, single
        As :func:`autowisp_xr.kernels.survivors.variances` takes them.
    shared
        What of the noise is shared.
    mask : (pixel)
        Flags, to which FAULT comes where an average or its variance is not known; changed.
    """
    common, share, added, factor = shared
    variance = np.empty(block.number.size, rules.dtype)
    light = np.empty((3, sums.slope.size if rules.propagate else 0))
    variances(rules.propagate, block, sums, factors, added, factor, variance, light, single)
    common = np.where(block.number == 0, np.nan, common) if common.size else common
    about = block.about
    if rules.times != 1.0:
        square = rules.times**2
        about, variance, common = about * rules.times, variance * square, common * square
        # of the photons of n m the slope is n s, and the zero n z
        light = light * np.array([[rules.times], [rules.times], [square]])
    with np.errstate(over="ignore"):
        image = about.astype(rules.dtype)
    good = np.isfinite(image)
    if rules.errors:
        good &= np.isfinite(variance)
    if not good.all():
        mask[~good] |= np.uint8(Flag.FAULT)
        image[np.isinf(image)] = np.nan
    return Averages(
        image=image,
        variance=variance,
        shared_variance=common.astype(rules.dtype) if common.size else None,
        shared_relative_variance=share.astype(rules.dtype) if share.size else None,
        light=light if light.size else None,
        number=block.number,
        total=None,
        mask=mask,
        low=block.below,
        high=block.above,
    )


def in_shape(flat: Averages, shape: tuple[int, ...]) -> Averages:
    """Return averages whose pixels were flat in their shape."""
    planes: Any = (p if p is None else p.reshape((*p.shape[:-1], *shape)) for p in flat)
    return Averages(*planes)


def _scaled(
    pixels: Pixels, noise: Noise, lines: Lines | None, dtype: DTypeLike
) -> tuple[Pixels, Noise]:
    return (pixels, noise) if lines is None else on_lines(pixels, noise, lines, np.dtype(dtype))


def _flat(plane: Numbers | None, shape: tuple[int, ...], kind: DTypeLike | None = None) -> Any:
    """Return a plane as (1 or frame, pixel); of size 0 and of a type for none."""
    if plane is None:
        return np.empty((0, 0), kind)
    rows = len(plane) if plane.ndim > len(shape) else 1
    return np.ascontiguousarray(native(plane)).reshape(rows, prod(shape))


def pixels_of(frames: FramePlanes, exclude: int, *, in_place: bool = False) -> Pixels:
    """Return the values of planes, (frame, pixel), and which of them are left out.

    Those of a part of larger frames are copied, unless they may be ``in_place``.
    """
    shape, kind = frames.values.shape[1:], frames.values.dtype
    if kind.kind not in "buif" or kind.itemsize > 8:
        raise TypeError(f"images are of integers, float32 or float64, not of {kind}")
    mask = _flat(frames.mask, shape, np.uint8)
    values = frames.values.astype(kernel_type(kind), copy=False)
    flat = values.reshape(len(values), prod(shape)) if in_place else _flat(values, shape)
    return Pixels(flat, mask, np.uint8(exclude))


def noise_of(frames: FramePlanes, dtype: DTypeLike) -> Noise:
    """Return what is known of the noise; a zero of 0 where only a slope is given."""
    kind = dtype if frames.variance is None else native_type(frames.variance.dtype)
    shape = frames.values.shape[1:]
    noise = Noise(*(_flat(getattr(frames, name), shape, kind) for name in Noise._fields))
    if noise.slope.size and not noise.zero.size:
        noise = noise._replace(zero=np.zeros_like(noise.slope[:1]))
    return noise


def _in_common(
    pixels: Pixels,
    plane: Floats,
    groups: Integers | None,
    weights: Weights,
    block: Block,
    *,
    scaled: bool = False,
) -> Floats:
    """Return the part of a shared noise in the average, (pixel); all if there is one for all."""
    if len(plane) < 2:
        return plane.reshape(-1)
    numbers = np.zeros(len(plane), np.int64) if groups is None else groups
    return shared_noise(pixels, plane, numbers, weights, block, scaled=scaled)


def _equalise(
    given: Pixels,
    pixels: Pixels,
    noise: Noise,
    block: Block,
    rules: Rules,
    factors: Factors,
    sums: NoiseSums,
) -> None:
    """Make sums over unequal noise those of equal noise, in place.

    Where the variance comes from the scatter there are no sums, and that of the block is changed.
    """
    dropped, propagate = sum(rules.dropped), rules.propagate
    # a mean of one is any quantile of it
    where = ranks(
        max(rules.quantile, 0.0), len(given.values), *rules.dropped, scatter=not propagate
    )
    among, spread = block, sums
    squared_deviations = block.squared_deviations[: 0 if propagate or dropped else None]
    if dropped:
        # the quantile of what is left is one of all, whose distances from it are not known
        unfit = marked(given)
        pixels = Pixels(given.values, unfit, ANY)
        among = block._replace(
            smallest=np.full_like(block.smallest, -np.inf),
            largest=np.full_like(block.largest, np.inf),
            number=(len(unfit) - unfit.sum(axis=0)).astype(np.int32),
        )
    if dropped or not propagate:
        spread = noise_sums(among.number.size, photons=noise.slope.size > 0)
        none = np.empty((0, 0, 0)), np.empty((0, among.number.size))
        sum_noise(pixels, noise, equal_weights(), among, True, spread, *none)
    tables = noise_tables()
    equalise(
        pixels, noise, among, where, tables, factors, dropped, sums, squared_deviations, spread
    )
