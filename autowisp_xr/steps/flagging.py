"""The verbs that flag pixels: saturated, leaked into, or named by a mask."""

from typing import Any

import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import schema
from autowisp_xr.camera import Camera
from autowisp_xr.steps.fused_pass import alone
from autowisp_xr.steps.masks import ApplyMasks, as_masks
from autowisp_xr.steps.saturation import saturation_step


def flag_saturated(
    ds: xr.Dataset, *, camera: Camera | None = None, dtype: DTypeLike = "float32"
) -> xr.Dataset:
    """Flag what is OVERSATURATED, and LEAKED what its charge spills into.

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
    """
    schema.check(ds)
    return alone(ds, "apply_masks", ApplyMasks(given=as_masks(ds, masks)), dtype=dtype)
