"""Mean and scatter of each pixel through raw frames of one level, without what particles hit.

Frames are read once, in bands of rows; what is known of their pixels is in memory then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Bools, Cube, Floats, Integers, Numbers, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.sampled_rows import grid_of
from autowisp_xr.camera import Camera
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.pixel_moments import pixel_moments, without_hits
from autowisp_xr.options import OverscanChoice
from autowisp_xr.steps.calibration import calibrated
from autowisp_xr.steps.geometry import trim
from autowisp_xr.steps.noise import check_counted
from autowisp_xr.steps.overscan_choice import overscan_step
from autowisp_xr.steps.saturation import saturation_threshold

_ROWS = 256
"""Of a chunk of frames that are in memory."""


def of_pixels(
    kernel: Callable[..., Sequence[Any]],
    planes: Sequence[Any],
    dtypes: Sequence[DTypeLike] = (np.float64,),
    *,
    reach: int = 0,
) -> list[Any]:
    """Return what a kernel makes of planes (channel, y, x) in memory, in threads over their rows.

    So what it makes in between is small. With a ``reach`` it is given so many rows more.
    """
    operands = [xr.Variable(schema.DIMS[1:], plane) for plane in planes]
    return list(blocks.at_once(kernel, operands, schema.DIMS[1:], dtypes, reach=reach))


def variance_of(number: Integers, squares: Floats) -> Floats:
    """Return the variance of one value by the scatter of so many; NaN of fewer than two."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(number > 1, squares / (number - 1.0), np.nan)


@dataclass(frozen=True)
class FrameMoments:
    """The moments of pixels through frames, (channel, y, x), in float64."""

    number: Integers
    """Values that took part."""
    mean: Floats
    squares: Floats
    """Sum of squared deviations from the mean."""
    usable: Integers
    """Values that there are, those that are apart included."""
    apart: tuple[Floats, ...] = ()
    """The two largest values, which took no part; NaN where there are too few for that."""
    origin: tuple[Integers, ...] = ()
    """The frames that they are from."""
    interleaved: bool = False
    """Whether the pixels of the channels lie among each other, as colours of a mosaic do."""

    def normal_variance(self, usual: Floats) -> Floats:
        """Return the variance of one value, whatever hit a pixel, by what is ``usual`` of so many.

        Parameters
        ----------
        usual
            By the number of values, from 0 on.
        """
        planes = [self.number, self.mean, self.squares, *self.apart, *self.origin]
        return of_pixels(partial(_normal_variance, usual=usual), planes)[0]

    def without_hits(self, variance: Floats) -> "FrameMoments":
        """Take in the values that are apart, but for those of pixels that a particle hit.

        Parameters
        ----------
        variance
            Of one value, by (channel, y, x), as it is expected.
        """
        number, mean, squares = of_pixels(
            partial(_without_hits, interleaved=self.interleaved),
            [variance, self.number, self.mean, self.squares, *self.apart, *self.origin],
            [np.uint16, np.float64, np.float64],
            reach=1,
        )
        return FrameMoments(number, mean, squares, self.usable)


@dataclass(frozen=True)
class LeveledFrames:
    """Frames of one level, or flats of several, and by what they differ."""

    kind: str
    frames: xr.Dataset
    """``image`` with ``mask`` or ``limit``, as :func:`prepared` gives them, in any chunks."""
    level: Floats
    """(frame, channel): what of a frame is subtracted, or what a flat is divided by; NaN where
    that is not known."""
    zero: Floats
    """(channel, 1, 1): the level that most pixels have."""
    grid: Floats
    """(channel, y, x): the mean of the frames on a grid of pixels."""
    exposure: float
    """Mean of the frames, in seconds; 0 where it is not known."""
    held: Planes | None = None
    rate: Planes | None = None
    """What :meth:`without` takes off."""

    def rows(self, rows: slice) -> "LeveledFrames":
        """Return the same frames with some of their rows."""
        return replace(self, frames=self.frames.isel(y=rows))

    def without(self, bias: Planes, rate: Planes) -> "LeveledFrames":
        """Return the same frames less what they hold beside the light.

        Parameters
        ----------
        bias, rate
            (channel, y, x): what every frame holds, and what is added in each second of its own
            exposure (which is none where it is not known).
        """
        return replace(self, held=bias, rate=rate)

    def some(self, which: Bools) -> "LeveledFrames":
        """Return some of the frames."""
        frames = self.frames.isel(frame=np.flatnonzero(which))
        return replace(self, frames=frames, level=self.level[which], exposure=_exposure_of(frames))


def prepared(ds: xr.Dataset, camera: Camera, overscan: OverscanChoice) -> xr.Dataset:
    """Return ``image`` and ``mask`` of frames: raw ones trimmed and less their overscan, lazily.

    Where nothing is subtracted from raw integers, they stay as they are, without a ``mask``; the
    ``limit`` (frame, channel) is the value at or above which they are saturated.
    """
    if schema.is_raw(ds):
        frames = _as_read(ds, camera, overscan)
        if "limit" in frames:
            # in bands of rows only where others chose other chunks
            return frames if frames["image"].chunks is None else blocks.bands(frames)
    if blocks.in_memory(ds["image"].variable):
        # what is made of them should not be in memory as a whole
        ds = ds.chunk({dim: _ROWS if dim == "y" else -1 for dim in ds["image"].dims})
    if schema.is_raw(ds):
        ds = calibrated(ds, noise=None, camera=camera, overscan=overscan)
    return blocks.bands(ds[[name for name in ("image", "mask") if name in ds]])


def _as_read(ds: xr.Dataset, camera: Camera, overscan: OverscanChoice) -> xr.Dataset:
    """Return raw frames with their ``limit``, unless they are to be calibrated."""
    check_counted(ds)
    frames = trim(ds, camera=camera)
    kind = ds["image"].dtype
    # that float32 holds all of them makes both ways the same to the bit
    known = kind.kind in "iu" and kind.itemsize <= np.dtype(np.int16).itemsize
    if (
        not known
        or "mask" in ds
        or camera.bias_level
        or camera.leak_directions
        or overscan_step(ds, frames, camera, overscan)
    ):
        return frames
    return frames[["image"]].assign(
        limit=(schema.DIMS[:2], saturation_threshold(frames, camera, 0.0))
    )


def leveled(kind: str, frames: xr.Dataset, bias: LeveledFrames | None) -> LeveledFrames:
    """Measure by what frames differ, on a grid of their pixels.

    Parameters
    ----------
    kind
        "flat" for frames whose level is their light.
    frames
        As :func:`prepared` gives them.
    bias
        What flats hold beside the light.
    """
    grid = grid_of(frames, ["image", "mask", "limit"])
    if grid["image"].chunks is not None:
        grid = grid.compute()
    operands = [
        grid[name].variable if name in grid else None for name in ("image", "mask", "limit")
    ]
    (values,) = blocks.at_once(_usable, operands, schema.DIMS, [np.float64])
    mean = values.mean(axis=0)
    if kind == "flat":
        level = _middles(values if bias is None else values - bias.grid)
    else:
        level = np.nan_to_num(_middles(values - mean))
    known = np.where(np.isnan(mean).all(axis=(1, 2), keepdims=True), 0.0, mean)
    zero = np.nanmedian(known, axis=(1, 2), keepdims=True)
    return LeveledFrames(kind, frames, level, zero, mean, _exposure_of(frames))


def _usable(image: Cube, mask: Bits | None, limit: Floats | None) -> list[Floats]:
    """Return the values of pixels in float64, NaN where they take no part."""
    values = image.astype(np.float64)
    if mask is not None:
        values[(mask & np.uint8(Flag.UNUSABLE)) != 0] = np.nan
    if limit is not None:
        values[values >= limit[..., None, None]] = np.nan
    return [values]


def _middles(values: Floats) -> Floats:
    """Return the mean of the middle half of the pixels, (frame, channel); NaN without any.

    The median of whole numbers is one, which is too coarse.
    """
    found = np.full(values.shape[:2], np.nan)
    for place in np.ndindex(*found.shape):
        known = np.sort(values[place], axis=None)
        known = known[np.isfinite(known)]
        if known.size:
            found[place] = known[known.size // 4 : known.size - known.size // 4].mean()
    return found


def _exposure_of(frames: xr.Dataset) -> float:
    known = "exposure" in frames.coords
    return float(np.nan_to_num(np.mean(frames["exposure"].values))) if known else 0.0


def frame_moments(one: LeveledFrames) -> FrameMoments:
    """Return the moments of the pixels of frames, each brought to the level of the others.

    Flats are divided by their level, so that the mean is the response of a pixel.
    """
    shift, scale = one.level, np.ones_like(one.level)
    if one.kind == "flat":
        shift, scale = np.zeros_like(one.level), one.level
    seconds = np.zeros(len(shift))
    if "exposure" in one.frames.coords:
        seconds = np.nan_to_num(one.frames["exposure"].values.astype(np.float64), posinf=np.inf)
    off = (None if of is None else xr.Variable(schema.DIMS[1:], of) for of in (one.held, one.rate))
    image = one.frames["image"].variable
    mask, limit = (
        one.frames[name].variable if name in one.frames else None for name in ("mask", "limit")
    )
    operands = [
        image,
        mask,
        limit,
        *(xr.Variable(("frame", "channel"), of_frames) for of_frames in (shift, scale)),
        xr.Variable("frame", seconds),
        *off,
    ]
    dims, dtypes = schema.DIMS[1:], [*[np.float64] * 4, *[np.uint16] * 4]
    if image.chunks is None:
        planes = blocks.at_once(_moments, operands, dims, dtypes)
    else:
        operands[:2] = (one if one is None else blocks.stackwise(one) for one in (image, mask))
        made = blocks.apply(_moments, operands, dims, dtypes, alone=True)
        together = xr.Dataset({str(number): plane for number, plane in enumerate(made)})
        planes = [plane.values for plane in together.compute().values()]
    mean, squares, *apart, number = planes[:5]
    *origin, usable = planes[5:]
    steps = [one.frames[name].values for name in ("y_step", "x_step") if name in one.frames.coords]
    interleaved = any((step > 1).any() for step in steps)
    return FrameMoments(number, mean, squares, usable, tuple(apart), tuple(origin), interleaved)


def _moments(
    image: Cube,
    mask: Bits | None,
    limit: Floats | None,
    level: Floats,
    scale: Floats,
    seconds: Floats,
    held: Planes | None,
    rate: Planes | None,
) -> Sequence[Numbers]:
    flags = np.empty((0,) * 4, np.uint8) if mask is None else mask
    most = np.full(level.shape, np.nan) if limit is None else limit
    off = (np.empty((0, 0, 0)) if of is None else np.nan_to_num(of) for of in (held, rate))
    moments, counts = pixel_moments(
        np.ascontiguousarray(image), flags, int(Flag.UNUSABLE), most, level, scale, *off, seconds
    )
    return [*moments, *counts]


def _without_hits(variance: Floats, *planes: Any, interleaved: bool) -> Sequence[Numbers]:
    number, mean, squares, largest, second, *origin = map(np.ascontiguousarray, planes)
    with np.errstate(invalid="ignore"):
        sigma = np.sqrt(np.ascontiguousarray(variance))
    found: Sequence[Numbers] = without_hits(
        number, mean, squares, (largest, second), tuple(origin), sigma, interleaved
    )
    return found


def _normal_variance(*planes: Any, usual: Floats) -> Sequence[Numbers]:
    number, mean, squares, *apart = planes
    if apart:
        every = np.broadcast_to(np.inf, mean.shape)
        number, mean, squares = _without_hits(every, *planes, interleaved=False)
    return [variance_of(number, squares) / usual[number]]
