r"""The step that subtracts a master fringe frame, scaled to each frame, and the verb for it.

A fringe pattern is subtracted as a dark is, s times, and has its noise. The scale s is uncertain,
too, by what no other frame shares, and over a frame it is one: with the pattern F,

.. math:: I \leftarrow I - s F \qquad V \leftarrow V + s^2 \sigma_F^2 + \sigma_s^2 F^2

of which :math:`s^2 \sigma_F^2` is noise that frames share.

Decision: the scale is measured when the verb is called, for which lazy frames are read once, by a
grid of their pixels. What comes out is as lazy as it was, in any chunks, and its coordinates,
history and warnings have numbers.
"""

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bits, Cube, Floats, Image, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.sampled_rows import grid_of
from autowisp_xr.errors import AutowispWarning, CalibrationError
from autowisp_xr.stats.instrumental import instrumental_fit
from autowisp_xr.stats.sampling import good_only, grid_step
from autowisp_xr.steps.base import Term
from autowisp_xr.steps.dark import SubtractDark, in_chunks_of
from autowisp_xr.steps.fused_pass import alone
from autowisp_xr.steps.master_matching import matched

LEAST_SIGNIFICANCE = 3.0
"""Scale over its uncertainty, from which on a pattern is seen in a frame."""

_BRIGHT = 0.99
_SHOWN = 5

_PIXELS = 2**18
_BLOCK = 32
"""Side in pixels of a block whose noise may be common: wider than stars, and than fringes are."""
_BLOCKS = 8
"""Least number of blocks a side; the fewer there are, the less is known of how they scatter."""


class Scale(NamedTuple):
    """The scale of a pattern in each frame and channel, and its uncertainty."""

    value: Floats
    """(frame, channel), in the unit of the frames; NaN where it could not be measured."""
    uncertainty: Floats


@dataclass(frozen=True, kw_only=True)
class SubtractFringe(SubtractDark):
    """I -= s F; V += s^2 var(F) + var(s) F^2, of which the frames share the first."""

    scale: Scale
    given: Any = None
    """The scale as the user gave it; None where it was measured."""

    @property
    def line(self) -> dict[str, Any]:
        """The scale that was given, or how it was found."""
        return {"scale": "measured" if self.given is None else np.unique(self.given)}

    @property
    def masters(self) -> dict[str, xr.Dataset]:
        """The fringe frame."""
        return {"fringe": self.master}

    def by_frame(self, ds: xr.Dataset) -> dict[str, dict[str, list[float]]]:
        """Return scale and uncertainty of each frame, by channel."""
        if "frame" not in ds.coords:
            return {}
        both = np.stack(self.scale, axis=-1).tolist()
        channels = schema.names(ds, "channel")
        return {
            name: dict(zip(channels, of_frame, strict=True))
            for name, of_frame in zip(schema.names(ds, "frame"), both, strict=True)
        }

    def factors(self, ds: xr.Dataset) -> xr.Variable:
        """Return the scale (frame, channel), as lazy as the frames."""
        return in_chunks_of(ds, xr.Variable(("frame", "channel"), self.scale.value))

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable | None]:
        """Return the pattern, and its scale in each channel of each frame."""
        scale = xr.Variable(("frame", "channel"), self.scale.value)
        return {"image": blocks.plane(self.master, "image"), "factor": scale}

    def lends(self, ds: xr.Dataset) -> list[Term]:
        """Return the variance of the scale times the square of the pattern."""
        if not self.scale.uncertainty.any():
            return []
        image = blocks.plane(self.master, "image")
        (square,) = blocks.apply(
            _square, [image], schema.DIMS[1:], [np.float64], free=schema.DIMS[1:]
        )
        uncertainty = xr.Variable(("frame", "channel"), np.nan_to_num(self.scale.uncertainty))
        return [Term(square, in_chunks_of(ds, uncertainty**2))]

    def name_noise_sources(self, subtracted: list[set[str]], divided: list[set[str]]) -> None:
        """Name the fringe frame where it was subtracted."""
        scaled = zip(subtracted, self.scale.value, strict=True)
        super().name_noise_sources([own for own, scale in scaled if scale.any()], divided)

    def moved_saturation(self, levels: Floats) -> Floats:
        """Return values that are less by what is brightest of the strongest pattern."""
        return levels - np.abs(self.scale.value).max(axis=0) * self.typical(_BRIGHT)


def _square(image: Planes) -> tuple[Floats]:
    return (np.square(image, dtype=np.float64),)


def subtract_fringe(
    ds: xr.Dataset,
    fringe: xr.Dataset,
    scale: ArrayLike | xr.DataArray | Scale | None = None,
    *,
    allow_mismatch: Collection[str] = (),
    dtype: DTypeLike = "float32",
) -> xr.Dataset:
    r"""Subtract a master fringe frame, scaled to the fringes of each frame.

    Parameters
    ----------
    ds
        Calibrated frames (frame, channel, y, x), divided by a flat, of the filter of the master.
    fringe
        Master (channel, y, x) of :func:`~autowisp_xr.master_fringe`: a pattern about zero.
    scale
        How often it is subtracted, in the unit of ``ds``: a number, one a frame, or one for each
        frame and channel, which are taken as known. None: measured in each channel of each frame
        (or as it was measured in these frames before, a pair of value and uncertainty).
    allow_mismatch
        What may differ between frames and master, as for :class:`~autowisp_xr.Matching`.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, in the unit of ``ds``. The coordinates ``fringe_scale`` and
    ``fringe_scale_uncertainty`` (frame, channel) state what was subtracted, and how well it is
    known. Flags of the master are added, as of a bias; a pixel that is NaN in it is NaN and flagged
    FAULT. What the noise of the master adds is recorded in ``shared_variance``. Lazy where ``ds``
    or ``fringe`` is; for a scale that is measured, lazy frames are read once at the call.

    Raises
    ------
    CalibrationError
        For raw frames; for frames from which fringes were subtracted before.
    MasterMismatchError
        Where the master does not belong to the frames.
    ValueError
        For a scale of another shape, or that is not finite.

    Warns
    -----
    AutowispWarning
        Where the scale is less than 3 times its uncertainty, or no scale can be measured (fewer
        good pixels than it takes): nothing is subtracted from that channel of the frame. A scale
        that is far below zero shows that the pattern is another one.

    Notes
    -----
    Of the good pixels on a grid, up to about 260,000 of a channel, with the pattern F and a sky
    that is a plane,

    .. math:: I = a + b x + c y + s F

    is fitted robustly, by the biweight, for which stars are outliers. The noise of F would make s
    too small, and too large in frames that F was made of: the mean of the eight neighbours of a
    pixel, which has the pattern and another noise, is the instrument for F. The uncertainty of s is
    found from how the residuals of blocks of pixels scatter, whose noise may be common (wings of
    stars). With it,

    .. math:: V \leftarrow V + s^2 \sigma_F^2 + \sigma_s^2 F^2

    The error of s is one for all pixels of a frame, and is not kept apart in ``variance``. In
    frames that the master was made of, a part of their noise is in both, and the variance is an
    upper limit.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(64, 64), seed=1)
    >>> bias = aw.master_bias(night.bias(5))
    >>> flat = aw.master_flat(night.flat(5), bias=bias).high
    >>> lights = night.objects(4).autowisp.calibrate(bias=bias, flat=flat)
    >>> clean = aw.subtract_fringe(lights, aw.master_fringe(lights), scale=120.0)
    >>> clean.fringe_scale.values.ravel().tolist()
    [120.0, 120.0, 120.0, 120.0]
    """
    schema.check(ds)
    if schema.is_raw(ds):
        raise CalibrationError(
            "fringes are subtracted from calibrated frames, and these are raw; calibrate them, "
            "with a flat, as by aw.calibrate(frames, bias=..., dark=..., flat=..., fringe=...)"
        )
    if any(step["verb"] == "subtract_fringe" for step in provenance.history(ds)):
        raise CalibrationError(
            "fringes were subtracted from the frames already; take those from before, or leave out "
            "the fringe frame"
        )
    ds = blocks.load_coordinates(ds)
    fringe = matched(ds, fringe, "fringe", allow_mismatch)
    if scale is None:
        found = _measured_scale(ds, fringe)
        subtracted = _significant(ds, found)
    elif isinstance(scale, Scale):
        subtracted, scale = scale, None
    else:
        subtracted = _given(ds, scale)
    step = SubtractFringe(
        master=fringe, factor=np.ones(ds.sizes["frame"]), scale=subtracted, given=scale
    )
    result = alone(ds, "subtract_fringe", step, dtype=dtype)
    dims = ("frame", "channel")
    units = {"units": schema.units_of(ds)}
    return result.assign_coords(
        fringe_scale=(dims, subtracted.value, units),
        fringe_scale_uncertainty=(dims, subtracted.uncertainty, units),
    )


def _given(ds: xr.Dataset, scale: ArrayLike | xr.DataArray) -> Scale:
    shape = ds.sizes["frame"], ds.sizes["channel"]
    if isinstance(scale, xr.DataArray):
        scale = scale.transpose("frame", ...).values
    numbers = np.asarray(scale, dtype=np.float64)
    if numbers.ndim == 1:
        numbers = numbers[:, None]
    try:
        value = np.broadcast_to(numbers, shape).copy()
    except ValueError:
        raise ValueError(
            f"scale is a number, one a frame ({shape[0]}), or one for each frame and channel "
            f"{shape}, not of the shape {np.shape(scale)}"
        ) from None
    if not np.isfinite(value).all():
        raise ValueError("scale has to be finite; 0 subtracts nothing from a frame")
    return Scale(value, np.zeros(shape))


def _significant(ds: xr.Dataset, found: Scale) -> Scale:
    """Return the scale to subtract: 0 where a pattern is not seen, with a warning."""
    seen = found.value > LEAST_SIGNIFICANCE * found.uncertainty
    if seen.all():
        return found
    names, channels = schema.names(ds, "frame"), schema.names(ds, "channel")
    places = np.argwhere(~seen).tolist()
    shown = [
        f"{names[i]}{f' {channels[j]}' if len(channels) > 1 else ''}: "
        f"{found.value[i, j]:.3g} +- {found.uncertainty[i, j]:.2g}"
        for i, j in places[:_SHOWN]
    ]
    more = f", and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    opposite = found.value < -LEAST_SIGNIFICANCE * found.uncertainty
    cause = (
        "a scale below zero shows that the master is of another pattern"
        if opposite.any()
        else "scale=... subtracts what you know to be there"
    )
    warnings.warn(
        f"the fringes of {len(places)} of {seen.size} planes are not significant, and none are "
        f"subtracted there ({'; '.join(shown)}{more}); {cause}",
        AutowispWarning,
        stacklevel=3,
    )
    return Scale(np.where(seen, found.value, 0.0), found.uncertainty)


def _measured_scale(ds: xr.Dataset, fringe: xr.Dataset) -> Scale:
    """Measure the scale of a fringe frame in each channel of frames, which are read for it.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x).
    fringe
        Master (channel, y, x) in the same place.
    """
    step = grid_step(ds.sizes["y"], ds.sizes["x"], _PIXELS)
    grid = grid_of(ds, ("image", "mask"), step)
    mask = fringe["mask"].values if "mask" in fringe else None
    good = good_only(fringe["image"].values, mask).astype(np.float64)
    pattern, instrument = good[:, ::step, ::step], _of_neighbours(good, step)
    dims = ("channel", "y", "x")
    found = blocks.apply(
        partial(_fitted, step=step),
        [
            *blocks.whole_frames(grid, ("image", "mask")),
            xr.Variable(dims, pattern),
            xr.Variable(dims, instrument),
        ],
        ("frame", "channel"),
        [np.float64, np.float64],
    )
    return Scale(*(one.values for one in found))


def _of_neighbours(good: Planes, step: int) -> Planes:
    """Return the mean of the eight neighbours of the pixels of a grid, as far as they are good."""
    height, width = good.shape[1:]
    wide = np.pad(good, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    shifts = [(y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    near = np.array([wide[:, y : y + height : step, x : x + width : step] for y, x in shifts])
    with np.errstate(invalid="ignore"):
        mean: Planes = np.nansum(near, axis=0) / np.isfinite(near).sum(axis=0)
    return mean


def _fitted(
    image: Cube, mask: Bits | None, pattern: Planes, instrument: Planes, *, step: int
) -> tuple[Floats, Floats]:
    value = np.full(image.shape[:2], np.nan)
    uncertainty = value.copy()
    for place in np.ndindex(*value.shape):
        channel = place[1]
        values = good_only(image[place], None if mask is None else mask[place])
        value[place], uncertainty[place] = _scale_of(
            values.astype(np.float64), pattern[channel], instrument[channel], step
        )
    return value, uncertainty


def _scale_of(values: Floats, pattern: Image, instrument: Image, step: int) -> tuple[float, float]:
    good = np.isfinite(values + pattern + instrument)
    if not good.any():
        return np.nan, np.nan
    shape = values.shape
    rows, columns = np.nonzero(good)
    # along an axis with one pixel there is no slope
    slopes = [
        2.0 * along / (size - 1) - 1.0
        for along, size in zip((rows, columns), shape, strict=True)
        if size > 1
    ]
    sky = [np.ones(rows.size), *slopes]
    side = [max(1, min(_BLOCK // step, size // _BLOCKS)) for size in shape]
    across = -(-shape[1] // side[1])
    groups = rows // side[0] * across + columns // side[1]
    fit = instrumental_fit(
        values[good],
        np.array([*sky, pattern[good]]),
        np.array([*sky, instrument[good]]),
        groups,
    )
    return float(fit.coefficients[-1]), float(np.sqrt(fit.covariance[-1, -1]))
