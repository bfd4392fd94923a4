"""Planes of the variance that frames have in common: noise of masters, slope of photons.

Noise that masters lend to all frames alike does not average down in a stack. What steps add to the
variance of all frames is one plane: the kernel adds it, and ``shared_variance`` keeps it apart, in
the same bits. The relative variance of a flat is another.

The noise model gives a value I the variance max(I, 0) / gain before dark and flat. In terms of what
comes out, (I - k D) / F, that is max(s (image - z), 0) with s = 1 / (gain F) and z = -k D / F. Both
are planes that all frames have in common, and they cost next to nothing; a stack needs them to
count the photons of its average in place of those of each noisy value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr._compat import LateArray, OuterKey, late_variable
from autowisp_xr.arrays import Bits, Cube, Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.schema import DIMS, PHOTON_PLANES, SHARED
from autowisp_xr.steps.base import Step, Term, absent, over_frames
from autowisp_xr.steps.dark import SubtractDark
from autowisp_xr.steps.flat import DivideFlat, quotient
from autowisp_xr.steps.noise import AddNoise
from autowisp_xr.steps.noise_sources import noise_sources_of


class MasterNoiseOperands(NamedTuple):
    """The planes that masters of a pass add to the variance of every frame."""

    variance: Cube = absent(4, "f4")
    """(frame, channel, y, x), or of one frame: before any flat."""
    relative: Planes = absent(3, "f4")
    """(channel, y, x): variance of the flat over its square."""


@dataclass(frozen=True)
class MasterNoise:
    """The planes that steps add, and the flat; None where there is none."""

    added: xr.Variable | None
    """To the variance before any flat."""
    variance: xr.Variable | None
    """What of that all frames share."""
    relative: xr.Variable | None
    flat: xr.Dataset | None


def master_noise_of(ds: xr.Dataset, steps: Sequence[Step], dtype: DTypeLike) -> MasterNoise:
    """Return what steps lend to frames."""
    terms = [term for step in steps for term in step.shares(ds)]
    variance = _summed(terms, dtype) if terms else None
    own_terms = [term for step in steps for term in step.lends(ds)]
    added = _summed([*terms, *own_terms], dtype) if own_terms else variance
    flat = next((step.lit for step in steps if isinstance(step, DivideFlat)), None)
    own, image = blocks.plane(flat, "variance"), blocks.plane(flat, "image")
    return MasterNoise(added, variance, _divided(own, image, 2, dtype), flat)


def with_common_planes(
    result: xr.Dataset,
    ds: xr.Dataset,
    steps: Sequence[Step],
    master_noise: MasterNoise,
    dtype: DTypeLike,
    *,
    photons: bool,
    varying: Sequence[xr.Variable] = (),
) -> xr.Dataset:
    """Return ``result`` with the planes that its frames share, and the names of the masters.

    Parameters
    ----------
    result, ds
        Frames after the pass, and before.
    steps, master_noise
        Of the pass, and what they lend.
    dtype
        Of the planes.
    photons
        Whether the planes of the noise of photons are wanted, too.
    varying
        What else frames share of their variance, before any flat; (frame, channel, y, x) each.
    """
    planes = _photon_planes(ds, steps, dtype) if photons else {}
    # with what they shared before, and divided by the flat
    variances, flat = (master_noise.variance, *varying), master_noise.flat
    added = ((variances, flat), ((master_noise.relative,), None))
    for name, (more, divisor) in zip(SHARED, added, strict=True):
        own = blocks.plane(ds, name)
        parts = [Term(one) for one in (own, *more) if one is not None]
        if parts:
            alone = len(parts) == 1 and own is None and divisor is None
            planes[name] = parts[0].plane if alone else _summed(parts, dtype, divisor)
    return result.assign(planes).assign_coords(_noise_source_names(ds, steps))


def _noise_source_names(ds: xr.Dataset, steps: Sequence[Step]) -> dict[str, tuple[str, Floats]]:
    """Return coordinates that name the masters whose noise frames have after some steps."""
    sets = {plane: [set(text.split()) for text in noise_sources_of(ds, plane)] for plane in SHARED}
    for step in steps:
        step.name_noise_sources(sets["shared_variance"], sets["shared_relative_variance"])
    texts = {plane: [" ".join(sorted(names)) for names in own] for plane, own in sets.items()}
    return {
        SHARED[plane]: ("frame", np.array(own, dtype=np.dtypes.StringDType()))
        for plane, own in texts.items()
        if any(own)
    }


def _summed(terms: Sequence[Term], dtype: DTypeLike, flat: xr.Dataset | None = None) -> xr.Variable:
    """Return the sum of terms, divided by the square of a flat.

    Over (channel, y, x), with ``frame`` in front where one of them has it.
    """
    given = [operand for term in terms for operand in term]
    several = any("frame" in operand.dims for operand in given if operand is not None)
    operands = [blocks.plane(flat, "image"), *given]
    dims = DIMS if several else DIMS[1:]
    (total,) = blocks.apply(_sum, operands, dims, [dtype], free=dims)
    return total


def _sum(flat: Planes | None, *given: Any) -> tuple[Floats]:
    total = reduce(add, map(_product, given[::2], given[1::2]))
    return (total if flat is None else quotient(total, flat, 2),)


def _product(plane: Cube, factor: Floats | None) -> Any:
    product = plane.astype(np.float64)
    return product if factor is None else over_frames(factor) * product


def _photon_planes(
    ds: xr.Dataset, steps: Sequence[Step], dtype: DTypeLike
) -> dict[str, xr.Variable]:
    """Return planes of the noise of photons; none where it is not max(s (image - z), 0).

    Parameters
    ----------
    ds
        Frames before the pass, perhaps with such planes.
    steps
        Of the pass. A level that is subtracted after the noise was added is none of the steps of
        calibration.
    dtype
        Of the planes.

    Returns
    -------
    ``photon_slope``, ``photon_zero`` where it is not 0, and ``photon_variance`` where the frames
    came with it; lazy where the frames, the dark or the flat are.
    """
    of = {step.operand: step for step in steps}
    noise, dark, flat = (of.get(operand) for operand in ("noise", "dark", "flat"))
    divisor = blocks.plane(flat.lit, "image") if isinstance(flat, DivideFlat) else None
    slope, zero, known = (blocks.plane(ds, name) for name in PHOTON_PLANES)
    if slope is not None and any(step.before_noise for step in steps):
        return {}
    if not isinstance(noise, AddNoise) or noise.photons == "none":
        if slope is None:
            return {}
        slope, known = _divided(slope, divisor, 1, dtype), _divided(known, divisor, 2, dtype)
    elif noise.photons == "positive" and slope is None:
        slope, zero, known = _slope(ds, noise, divisor, dtype), None, None
    else:
        return {}
    if isinstance(dark, SubtractDark) or (zero is not None and divisor is not None):
        image, k = None, None
        if isinstance(dark, SubtractDark):
            image, k = blocks.plane(dark.master, "image"), dark.factors(ds)
        framed = any("frame" in one.dims for one in (zero, k) if one is not None)
        dims = DIMS if framed else DIMS[1:]
        (zero,) = blocks.apply(_zero, [divisor, zero, image, k], dims, [dtype], free=dims)
    planes = dict(zip(PHOTON_PLANES, (slope, zero, known), strict=True))
    return {name: plane for name, plane in planes.items() if plane is not None}


def _slope(
    ds: xr.Dataset, noise: AddNoise, divisor: xr.Variable | None, dtype: DTypeLike
) -> xr.Variable:
    if divisor is None and noise.reader is None:
        # the same number everywhere
        own = noise.inverse_gain.values[:, 0].astype(dtype)
        return _constant_planes(own, ds["image"].variable)
    operands = [divisor, noise.reader, noise.inverse_gain]
    (slope,) = blocks.apply(_slopes, operands, DIMS[1:], [dtype], free=DIMS[1:])
    return slope


def _divided(
    plane: xr.Variable | None, divisor: xr.Variable | None, power: int, dtype: DTypeLike
) -> xr.Variable | None:
    """Return a plane divided by a power of a flat; as it is where there is none."""
    if plane is None or divisor is None:
        return plane
    dims = DIMS if "frame" in plane.dims else DIMS[1:]
    kernel = partial(_quotient, power=power)
    (result,) = blocks.apply(kernel, [plane, divisor], dims, [dtype], free=dims)
    return result


def _quotient(plane: Cube, flat: Planes, power: int) -> tuple[Floats]:
    return (quotient(plane, flat, power),)


def _slopes(flat: Planes | None, reader: Bits | None, inverse_gain: Floats) -> tuple[Floats]:
    """Return the slope before any flat, divided by it."""
    if reader is None:
        slope = inverse_gain[:, :1, None]
    else:
        last = inverse_gain.shape[1] - 1
        channels = np.arange(len(reader))[:, None, None]
        slope = inverse_gain[channels, np.minimum(reader, last)]
    return (slope if flat is None else quotient(slope, flat),)


def _zero(
    flat: Planes | None, zero: Cube | None, dark: Planes | None, k: Floats | None
) -> tuple[Floats]:
    """Return the value without light, less ``k`` times the dark, divided by a flat."""
    moved: Any = np.float64(0.0) if zero is None else zero.astype(np.float64)
    if dark is not None and k is not None:
        moved = moved - over_frames(k) * dark.astype(np.float64)
    return (moved if flat is None else quotient(moved, flat),)


def _constant_planes(values: Any, like: xr.Variable) -> xr.Variable:
    """Return planes (channel, y, x) of one value a channel, lazy and in chunks like frames are.

    Parameters
    ----------
    values
        One for each channel, or one for all.
    like
        Frames (frame, channel, y, x).
    """
    shape = tuple(like.sizes[dim] for dim in DIMS[1:])
    plane = xr.Variable(DIMS[1:], np.broadcast_to(np.reshape(values, (-1, 1, 1)), shape))
    chunks = blocks.pixelwise(like).chunksizes
    if not chunks:
        return plane
    late = late_variable(_Constant(plane.values[:, 0, 0].copy(), shape), DIMS[1:])
    return blocks.pixelwise(late).chunk({dim: chunks[dim] for dim in DIMS[1:]})


class _Constant(LateArray):
    """Planes at rest that need not be read.

    Parameters
    ----------
    values
        Of each channel.
    shape
        (channel, y, x).
    """

    def __init__(self, values: Planes, shape: tuple[int, ...]) -> None:
        self.values, self.shape, self.dtype = values, shape, values.dtype

    def __dask_tokenize__(self) -> Any:
        from dask.base import normalize_token

        return normalize_token((type(self).__name__, self.values, self.shape))

    def read(self, key: OuterKey) -> Planes:
        """Return the planes at a key."""
        channels, *inside = (
            np.arange(size)[index] for size, index in zip(self.shape, key, strict=True)
        )
        part = self.values[channels]
        sizes = [one.size for one in inside if one.ndim]
        shape = (*part.shape, *sizes)
        return np.broadcast_to(part.reshape(*part.shape, *(1 for _ in sizes)), shape)
