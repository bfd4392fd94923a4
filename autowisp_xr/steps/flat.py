r"""The step that divides by a master flat, and which pixels of a flat are lit.

To first order in the noise of both, with i the image before:

.. math:: V \leftarrow V / F^2 + \sigma_F^2 i^2 / F^4

What no light reaches is no response to divide by.

Decision: a pixel is lit where it is at least ``min_flat`` of the mean of the lit pixels *and* at
least three times its own uncertainty. The first finds the corners of a round field, whatever
scattered light or residual of a bias is there: the vignetted corner of a fast lens keeps a fifth of
the light, a fiftieth is none. The second finds, in flats that are all noise, what is not
significantly above zero, where propagating errors to first order means nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Bools, Floats, Numbers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.stats.sampling import is_good
from autowisp_xr.steps.base import MasterStep, absent

_LEAST_OVER_NOISE = 3.0
_ROUNDS = 3
_CAST = 2**13
_BRIGHT = 0.99
"""Quantile of a flat that few pixels exceed, noise or not."""


class FlatOperands(NamedTuple):
    """The planes by which frames are divided."""

    image: Planes = absent(3, "f4")
    """(channel, y, x), with a mean of one."""


@kernel
def divided(image: float, variance: float, flat: float, relative: float) -> tuple[float, float]:
    """Return image and variance after a flat; ``relative`` is its variance over its square."""
    if not flat > 0.0:
        return np.nan, np.nan
    image = image / flat
    return image, variance / (flat * flat) + relative * image * image


@dataclass(frozen=True, kw_only=True)
class DivideFlat(MasterStep):
    """I /= F; what is not lit in F is NaN. The relative variance of F is shared."""

    operand = "flat"
    min_flat: float | None
    """Share of the mean from which on a pixel is lit; None takes the flat as it is."""

    @cached_property
    def lit(self) -> xr.Dataset:
        """The flat, NaN where it is not lit."""
        return self.master if self.min_flat is None else lit_only(self.master, self.min_flat)

    @property
    def line(self) -> dict[str, Any]:
        """The share from which on pixels counted as lit."""
        return {} if self.min_flat is None else {"min_flat": self.min_flat}

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable | None]:
        """Return the image of the flat where it is lit."""
        return {"image": blocks.plane(self.lit, "image")}

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Name the flat, which lends its relative noise to all frames."""
        super().name_noise_sources(divided, subtracted)

    def moved_saturation(self, levels: Floats) -> Floats:
        """Return values divided by what the brightest pixels of the flat have."""
        with np.errstate(divide="ignore"):
            return levels / self.typical(_BRIGHT)


def quotient(plane: Numbers, flat: Planes, power: int = 1) -> Floats:
    """Return planes divided by (a power of) a flat; NaN where it is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = np.asarray(flat, dtype=np.float64)
        return np.where(flat > 0, plane / flat**power, np.nan)


def is_lit(image: Planes, variance: Planes | None, min_flat: float) -> Bools:
    """Return whether pixels of a flat with a mean of one are lit; unknown variances do not count.

    ``variance`` may be None, and with a ``min_flat`` of 0 only zero and what is below are unlit.
    """
    with np.errstate(invalid="ignore"):
        lit = np.isfinite(image) & (image > 0)
        if min_flat > 0:
            lit &= image >= min_flat
            if variance is not None:
                lit &= _significant(image, variance)
    return lit


def _significant(image: Planes, variance: Planes) -> Bools:
    return ~(np.square(image, dtype=np.float64) < _LEAST_OVER_NOISE**2 * variance)


def mean_of_lit(values: Numbers, share: float) -> float:
    """Return the mean of values that are at least a share of it; NaN if it is not positive."""
    level = float(values.mean(dtype=np.float64)) if values.size else np.nan
    for _ in range(_ROUNDS if share > 0 else 0):
        if not level > 0:
            break
        level = float(values[values >= share * level].mean(dtype=np.float64))
    return level if level > 0 else np.nan


def of_mean_one(master: xr.Dataset, min_flat: float, *, common: bool) -> xr.Dataset:
    """Return a master flat (channel, y, x) whose good and lit pixels have a mean of one.

    What is not lit is flagged FAULT. With ``common``, the mean is one over all channels together,
    which keep their ratio. Lazy where ``master`` is.
    """
    given = [blocks.plane(master, name) for name in ("image", "mask", "variance")]
    kernel, dims = partial(_comparable, min_flat=min_flat), schema.DIMS[1:]
    (values,) = blocks.apply(kernel, given, dims, [master["image"].dtype], free=dims)
    level = _level_of(values, min_flat, common=common)
    names = [name for name in ("image", "variance", "shared_variance") if name in master]
    planes = [blocks.plane(master, name) for name in (*names, "mask")]
    results = blocks.apply(
        partial(_divided, min_flat=min_flat),
        [level, *planes],
        schema.DIMS[1:],
        [*(master[name].dtype for name in names), np.uint8],
        free=schema.DIMS[1:],
    )
    return master.assign(
        {
            name: master[name].copy(data=result.data)
            for name, result in zip((*names, "mask"), results, strict=True)
        }
    )


def lit_only(flat: xr.Dataset, min_flat: float) -> xr.Dataset:
    """Return a flat (channel, y, x) that is NaN where it is not lit."""
    planes = [blocks.plane(flat, name) for name in ("image", "variance")]
    kind = np.result_type(flat["image"].dtype, np.float32)
    kernel, dims = partial(_lit_only, least=min_flat), schema.DIMS[1:]
    (image,) = blocks.apply(kernel, planes, dims, [kind], free=dims)
    return flat.assign(image=flat["image"].copy(data=image.data))


def _lit_only(image: Planes, variance: Planes | None, *, least: float) -> tuple[Planes]:
    return (np.where(is_lit(image, variance, least), image, np.nan),)


def _comparable(image: Planes, mask: Bits, variance: Planes, *, min_flat: float) -> tuple[Planes]:
    good = is_good(image, mask)
    # of no level yet, so that uncertainties alone can show it
    good &= _significant(image, variance) if min_flat > 0 else True
    return (np.where(good, image, np.nan),)


def _level_of(values: xr.Variable, share: float, *, common: bool) -> xr.Variable:
    """Return the mean of the lit pixels (channel), of values (channel, y, x), NaN where not good.

    Lazy ones stay in the chunks in which the rest of their master is made.
    """
    kernel = partial(_means, share=share, common=common)
    if blocks.in_memory(values):
        return xr.Variable("channel", kernel([values.values]))
    from dask.array import blockwise

    whole = values.chunk({"x": -1} | ({"channel": -1} if common else {})).data
    found = blockwise(kernel, "c", whole, "cyx", concatenate=False, dtype=np.float64)
    return xr.Variable("channel", found)


def _means(bands: Sequence[Any], *, share: float, common: bool) -> Floats:
    """Return the mean of the lit pixels of each channel, of bands of rows of all."""
    planes = [one[0] if isinstance(one, list) else one for one in bands]
    channels = range(len(planes[0]))
    if common:
        level = _mean_of_pieces([one[number] for number in channels for one in planes], share)
        return np.full(len(channels), level)
    return np.array([_mean_of_pieces([one[n] for one in planes], share) for n in channels])


def _mean_of_pieces(pieces: Sequence[Planes], share: float) -> float:
    """Return what :func:`mean_of_lit` does of the values that are known, to the bit."""
    if pieces[0].dtype != np.float32:
        values = np.concatenate([one[~np.isnan(one)] for one in pieces])
        return mean_of_lit(values, share)
    level = _mean(one[~np.isnan(one)] for one in pieces)
    for _ in range(_ROUNDS if share > 0 else 0):
        if not level > 0:
            break
        least = share * level
        level = _mean(one[one >= least] for one in pieces)
    return level if level > 0 else np.nan


def _mean(pieces: Iterable[Numbers]) -> float:
    """Return the mean in float64 of pieces of float32, as NumPy sums them where they are one.

    It casts so many at a time, and sums these pairwise.
    """
    total, number, left = 0.0, 0, np.empty(0, np.float32)
    for piece in pieces:
        number += piece.size
        values = np.concatenate([left, piece])
        whole = values.size // _CAST * _CAST
        sums = values[:whole].reshape(-1, _CAST).sum(axis=1, dtype=np.float64)
        total = float(np.add.accumulate([total, *sums])[-1])
        left = values[whole:]
    return (total + float(left.sum(dtype=np.float64))) / number if number else np.nan


def _divided(
    level: Floats, image: Planes, variance: Planes, *rest: Any, min_flat: float
) -> list[Planes]:
    *shared, mask = rest
    level = np.reshape(level, (-1, 1, 1))
    image, variance = image / level, variance / level**2
    dark = ~is_lit(image, variance, min_flat)
    shared = [plane / level**2 for plane in shared]
    return [image, variance, *shared, mask | (dark * np.uint8(Flag.FAULT))]
