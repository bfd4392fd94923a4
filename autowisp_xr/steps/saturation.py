"""The step that flags saturated pixels, and those that their charge leaks into."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Cube, Floats
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.saturation import Leak, flag_saturated, leaks_between_channels
from autowisp_xr.stats.floats import native
from autowisp_xr.steps.base import Step, absent, per_channel
from autowisp_xr.steps.geometry import unbroken

_OVERSATURATED = np.uint8(Flag.OVERSATURATED)


class SaturationOperands(NamedTuple):
    """The values at which pixels saturate."""

    limit: Floats = absent(2)
    """(frame, channel): a pixel at or above it, less the bias level, is saturated; NaN for none."""


@kernel
def limit_of(saturation: SaturationOperands, frame: int, channel: int) -> float:
    """Return the limit of a frame and channel."""
    return saturation.limit[frame, channel] if saturation.limit.size else np.nan


@kernel
def saturated(signal: float, limit: float, bits: np.uint8) -> np.uint8:
    """Return the flags of a pixel with that of saturation."""
    return bits | _OVERSATURATED if signal >= limit else bits


@dataclass(frozen=True)
class Spill:
    """Charge that leaks from saturated pixels into their neighbours."""

    limits: xr.Variable
    """(frame, channel): values of raw pixels that saturate."""
    leaks: list[Leak]

    @property
    def rows(self) -> int:
        """How many rows away a leak reaches."""
        return max((abs(rows) for _, _, rows, _ in self.leaks), default=0)


@dataclass(frozen=True, kw_only=True)
class FlagSaturated(Step):
    """M |= OVERSATURATED, and LEAKED where charge leaks."""

    operand = "saturation"
    threshold: Floats
    """(frame, channel), as :func:`saturation_threshold` gives it."""
    leak_directions: Any
    spill: "Spill | None" = None
    """How charge leaks, where it does and the pass is to find it."""
    leaked: xr.Variable | None = None
    """Flags of both, where they were found before."""

    @property
    def line(self) -> dict[str, Any]:
        """The threshold, by frame only where frames differ, and the leaks."""
        limits = self.threshold
        same = np.array_equal(limits, np.broadcast_to(limits[0], limits.shape), equal_nan=True)
        limits = limits[0] if same else limits
        return {"saturation": limits, "leak_directions": self.leak_directions}

    def operands(self, ds: xr.Dataset) -> dict[str, xr.Variable]:
        """Return the threshold, unless the flags are set already."""
        if self.leaked is not None or self.spill is not None:
            return {}
        return {"limit": xr.Variable(schema.DIMS[:2], np.asarray(self.threshold, np.float64))}

    def masks(self) -> list[xr.Variable]:
        """Return the flags that were found before."""
        return [] if self.leaked is None else [self.leaked]


def saturation_step(
    ds: xr.Dataset, camera: Camera, level: float = 0.0, *, above: bool = False
) -> FlagSaturated:
    """Return the step for frames from which ``level`` is subtracted."""
    threshold = saturation_threshold(ds, camera, level, above=above)
    spill = leaked = None
    if camera.leak_directions:
        found = _spill(ds, camera, threshold, level)
        if blocks.moved(ds["image"].variable):
            leaked = _leak_flags(ds["image"].variable, found)
        else:
            spill = found
    return FlagSaturated(
        threshold=threshold, leak_directions=camera.leak_directions, spill=spill, leaked=leaked
    )


def saturation_threshold(
    ds: xr.Dataset, camera: Camera, level: float, *, above: bool = False
) -> Floats:
    """Return the value at or above which a pixel, less ``level``, is oversaturated, or NaN.

    (frame, channel) float64: the saturation of the camera, but never more than the largest value
    that the integers of the file can have. ``above`` is for the classes of the original: a pixel at
    the saturation of the camera is not saturated, and what it states is all that counts.
    """
    channels = schema.names(ds, "channel")
    ceiling = ceilings(ds)[:, None] - level
    if camera.saturation is None:
        return np.repeat(ceiling, len(channels), axis=1)
    stated = per_channel(camera.saturation, channels, "saturation")
    if above:
        return np.broadcast_to(np.nextafter(stated, np.inf), (len(ceiling), len(channels)))
    return np.fmin(ceiling, stated)


def ceilings(ds: xr.Dataset) -> Floats:
    """Return the largest value of a pixel of each frame, (frame); NaN where none is known."""
    if "ceiling" in ds.coords:
        known = schema.along_frames(ds, "ceiling").astype(np.float64)
        return np.where(np.isfinite(known), known, np.nan)
    kind = ds["image"].dtype
    largest = float(np.iinfo(kind).max) if kind.kind in "ui" else np.nan
    return np.full(ds.sizes["frame"], largest)


def _spill(ds: xr.Dataset, camera: Camera, threshold: Floats, level: float) -> Spill:
    # what lies next to a pixel in the array has to do so on the sensor
    unbroken(ds)
    slices = schema.channel_slices(ds)
    leaks = leaks_between_channels(
        camera.leak_directions,
        [(where.y_offset, where.x_offset) for where in slices],
        (slices[0].y_step, slices[0].x_step),
    )
    limit = threshold + level
    # where rounding lowers it, a pixel would be flagged here that no other step flags
    limit = np.where(limit - level < threshold, np.nextafter(limit, np.inf), limit)
    return Spill(xr.Variable(schema.DIMS[:2], limit), leaks)


def _leak_flags(image: xr.Variable, spill: Spill) -> xr.Variable:
    """Return the flags of saturated pixels and of their leaks, in chunks that somebody chose.

    Bands of rows borrow from their neighbours the rows that a leak can cross, so that frames need
    not be whole.
    """
    from dask.array import map_overlap

    image = image.chunk(channel=-1, x=-1)
    mask = map_overlap(
        partial(_flagged_block, leaks=spill.leaks),
        image.data,
        spill.limits.chunk(frame=image.chunksizes["frame"]).data[:, :, None, None],
        depth=[{2: min(spill.rows, image.sizes["y"] - 1)}, {}],
        boundary="none",
        dtype=np.uint8,
        meta=np.empty((0,) * 4, np.uint8),
    )
    return xr.Variable(schema.DIMS, mask)


def _flagged_block(image: Cube, limit: Floats, leaks: list[Leak]) -> Bits:
    return flag_saturated(native(image), limit[:, :, 0, 0], leaks)
