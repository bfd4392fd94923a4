"""The step that adds the flags of separate masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import MasterMismatchError
from autowisp_xr.flags import Flag
from autowisp_xr.steps.base import Step

_ALL_FLAGS = int(Flag.BAD)


@dataclass(frozen=True, kw_only=True)
class ApplyMasks(Step):
    """M |= masks."""

    given: list[xr.Variable]
    """As :func:`as_masks` gives them."""

    def masks(self) -> list[xr.Variable]:
        """All of them."""
        return self.given


def _as_flags(plane: xr.Variable, number: int) -> xr.Variable:
    """A mask as bits of one byte: truths are FAULT, of whole numbers only flags are taken."""
    if plane.dtype.kind == "b":
        return plane.astype(np.uint8) * np.uint8(Flag.FAULT)
    if plane.dtype == np.uint8:
        return plane
    known = plane.dtype.kind in "ui" and blocks.in_memory(plane)
    if not known or not plane.size or plane.values.min() < 0 or plane.values.max() > _ALL_FLAGS:
        span = f", not numbers from {plane.values.min()} to {plane.values.max()}" if known else ""
        raise MasterMismatchError(
            f"mask {number} has the type {plane.dtype}, expected uint8{span}: flags are bits of "
            f"one byte, up to {_ALL_FLAGS}; (mask != 0) makes every pixel a FAULT that is not 0, "
            "mask.astype('uint8') keeps numbers that are flags"
        )
    return plane.astype(np.uint8)


def as_masks(ds: xr.Dataset, masks: Any) -> list[xr.Variable]:
    """Masks over (channel, y, x), in the place of the frames."""
    if masks is None:
        return []
    given = masks if isinstance(masks, Sequence) else [masks]
    shape = tuple(ds.sizes[dim] for dim in schema.DIMS[1:])
    found = []
    for number, mask in enumerate(given):
        plane = mask
        if isinstance(plane, xr.Dataset):
            plane = plane["mask"] if "mask" in plane else plane["image"]
        if isinstance(plane, xr.DataArray):
            plane = plane.variable
        if not isinstance(plane, xr.Variable):
            plane = xr.Variable(schema.DIMS[-np.ndim(plane) :], plane)
        if plane.sizes.get("frame") == 1:
            plane = plane.isel(frame=0)
        plane = _as_flags(plane, number)
        plane = plane.transpose(*(dim for dim in schema.DIMS if dim in plane.dims))
        if "channel" not in plane.dims:
            plane = plane.set_dims({"channel": shape[0], **dict(plane.sizes)})
        if plane.shape != shape:
            raise MasterMismatchError(
                f"mask {number} has the shape {plane.shape}, the frames have {shape} along "
                "(channel, y, x)"
            )
        found.append(blocks.pixelwise(plane))
    return found
