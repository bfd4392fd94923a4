"""The verbs that flag pixels, and the step that adds the flags of separate masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import MasterMismatchError
from autowisp_xr.flags import Flag
from autowisp_xr.steps.base import Step
from autowisp_xr.steps.fused_pass import alone
from autowisp_xr.steps.saturation import saturation_step

_ALL_FLAGS = np.iinfo(np.uint8).max


@dataclass(frozen=True, kw_only=True)
class ApplyMasks(Step):
    """M |= masks."""

    given: list[xr.Variable]
    """As :func:`as_masks` gives them."""

    def masks(self) -> list[xr.Variable]:
        """Return all of them."""
        return self.given


def flag_saturated(
    ds: xr.Dataset, *, camera: Camera | None = None, dtype: DTypeLike = "float32"
) -> xr.Dataset:
    """Flag saturated pixels OVERSATURATED, and those that their charge bleeds into LEAKED.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x), the bias level subtracted and nothing else.
    camera
        A pixel at its ``saturation`` or above is oversaturated, and one that has the largest value
        of the integers of its file (the coordinate ``ceiling``, else the type of ``image``),
        whatever it is read as. Its ``leak_directions`` are in raw-frame pixels, so that charge
        leaks into the neighbouring colour of a mosaic.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames with the flags added to their mask, lazy where ``ds`` is. What leaks in from outside the
    image area counts, unless the frames are trimmed first (as ``calibrate`` does).

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> raw = night.bias(1)
    >>> raw.image[0, 0, 3, 5] = 65535
    >>> flagged = aw.flag_saturated(raw, camera=aw.Camera(saturation=60_000))
    >>> int(flagged.autowisp.flagged("SATURATED").sum())
    1
    """
    schema.check(ds)
    camera = camera or schema.camera_of(ds)
    return alone(ds, "flag_saturated", saturation_step(ds, camera), dtype=dtype)


def apply_masks(ds: xr.Dataset, masks: Any, *, dtype: DTypeLike = "float32") -> xr.Dataset:
    """Add the flags of separate masks to those of all frames.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x).
    masks
        One mask or a list of them: arrays (channel, y, x) or (y, x) of flags in uint8 (or other
        whole numbers, in memory, that are flags), or of truths, which are FAULT; or Datasets with a
        ``mask`` (or, as a file with nothing else reads, an ``image``) of that kind.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames with the union of all flags in their mask, lazy where ``ds`` or masks are.

    Raises
    ------
    MasterMismatchError
        Where a mask has another shape than the frames, or holds what are no flags.

    Examples
    --------
    >>> import autowisp_xr as aw
    >>> night = aw.simulate.Night(shape=(16, 24), seed=1)
    >>> lights = aw.calibrate(night.objects(3), camera=night.camera)
    >>> bad = aw.Flag.HOT * (lights.image[0] > lights.image[0].quantile(0.99)).astype("uint8")
    >>> marked = aw.apply_masks(lights, bad)
    >>> int(marked.autowisp.flagged("HOT").isel(frame=0).sum()) > 0
    True
    """
    schema.check(ds)
    return alone(ds, "apply_masks", ApplyMasks(given=as_masks(ds, masks)), dtype=dtype)


def _as_flags(plane: xr.Variable, number: int) -> xr.Variable:
    """Return a mask as bits of one byte: truths are FAULT, whole numbers have to be flags."""
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


def mask_identities(masks: Any, planes: Sequence[xr.Variable]) -> list[str]:
    """Return what stands for masks in a history, given what :func:`as_masks` makes of them."""
    given = masks if isinstance(masks, Sequence) else [masks]
    return [
        provenance.identity(one if provenance.has_history(one) else xr.Dataset({"mask": plane}))
        for one, plane in zip(given, planes, strict=False)
    ]


def as_masks(ds: xr.Dataset, masks: Any) -> list[xr.Variable]:
    """Return masks over (channel, y, x), in the place of the frames."""
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
        plane = plane.transpose(*schema.DIMS, missing_dims="ignore")
        if "channel" not in plane.dims:
            plane = plane.set_dims({"channel": shape[0], **dict(plane.sizes)})
        if plane.shape != shape:
            raise MasterMismatchError(
                f"mask {number} has the shape {plane.shape}, the frames have {shape} along "
                "(channel, y, x)"
            )
        found.append(blocks.pixelwise(plane))
    return found
