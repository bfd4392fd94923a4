"""Flag pixels: saturated, leaked into, or named by a mask."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import MasterMismatchError
from autowisp_xr.flags import Flag
from autowisp_xr.kernels.saturation import flag_saturated as flag_planes
from autowisp_xr.kernels.saturation import leaks_between_channels
from autowisp_xr.stats.floats import native
from autowisp_xr.steps.fused_pass import Steps, one_pass
from autowisp_xr.steps.noise_model import per_channel

__all__ = [
    "apply_masks",
    "as_masks",
    "flag_saturated",
    "leak_flags",
    "one_for_all_frames",
    "saturation_threshold",
]

_ALL_FLAGS = int(Flag.BAD)


def flag_saturated(
    ds: xr.Dataset, *, camera: Camera | None = None, dtype: Any = "float32"
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
    threshold = saturation_threshold(ds, camera, level=0.0)
    flags = leak_flags(ds, camera, threshold)
    steps = Steps(saturation=threshold) if flags is None else Steps(masks=[flags])
    result = one_pass(ds, steps, dtype=dtype)
    options = {
        "saturation": one_for_all_frames(threshold),
        "leak_directions": camera.leak_directions,
    }
    return provenance.record(result, "flag_saturated", options, source=ds)


def apply_masks(ds: xr.Dataset, masks: Any, *, dtype: Any = "float32") -> xr.Dataset:
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
    result = one_pass(ds, Steps(masks=as_masks(ds, masks)), dtype=dtype)
    return provenance.record(result, "apply_masks", source=ds)


def saturation_threshold(
    ds: xr.Dataset, camera: Camera, level: float, *, above: bool = False
) -> Any:
    """Level at or above which a pixel, less ``level``, is oversaturated; NaN where there is none.

    (frame, channel) float64: the saturation of the camera, but never more than the largest value
    that the integers of the file can have. ``above`` is for the classes of the original: a pixel at
    the saturation of the camera is not saturated, and what it says is all that counts.
    """
    channels = schema.names(ds, "channel")
    ceiling = _ceilings(ds)[:, None] - level
    if camera.saturation is None:
        return np.repeat(ceiling, len(channels), axis=1)
    said = per_channel(camera.saturation, channels, "saturation")
    if above:
        return np.broadcast_to(np.nextafter(said, np.inf), (len(ceiling), len(channels)))
    return np.fmin(ceiling, said)


def _ceilings(ds: xr.Dataset) -> Any:
    """Largest value that a pixel of each frame can have, (frame); NaN where none is known."""
    if "ceiling" in ds.coords:
        known = np.broadcast_to(ds["ceiling"].values, (ds.sizes["frame"],)).astype(np.float64)
        return np.where(np.isfinite(known), known, np.nan)
    kind = ds["image"].dtype
    largest = float(np.iinfo(kind).max) if kind.kind in "ui" else np.nan
    return np.full(ds.sizes["frame"], largest)


def one_for_all_frames(threshold: Any) -> Any:
    """Thresholds (frame, channel) as they are written down: (channel) where frames agree."""
    same = np.array_equal(threshold, np.broadcast_to(threshold[0], threshold.shape), equal_nan=True)
    return threshold[0] if same else threshold


def leak_flags(
    ds: xr.Dataset, camera: Camera, threshold: Any, level: float = 0.0
) -> xr.Variable | None:
    """Flags of saturated pixels and of their leaks; None where nothing leaks.

    Bands of rows borrow from their neighbours the rows that a leak can cross, so that frames need
    not be whole.
    """
    if not camera.leak_directions:
        return None
    slices = schema.channel_slices(ds)
    leaks = leaks_between_channels(
        camera.leak_directions,
        [(where.y_offset, where.x_offset) for where in slices],
        (slices[0].y_step, slices[0].x_step),
    )

    limit = threshold + level
    # where rounding lowers it, a pixel would be flagged here that no other step flags
    limit = np.where(limit - level < threshold, np.nextafter(limit, np.inf), limit)
    limits = xr.Variable(schema.DIMS[:2], limit)
    flags = partial(_flagged, leaks=leaks)
    image = blocks.pixelwise(ds["image"].variable)
    if image.chunks is None:
        (mask,) = blocks.apply(flags, [image, limits], schema.DIMS, [np.uint8])
        return mask
    from dask.array import map_overlap

    image = image.chunk(channel=-1, x=-1)
    reach = max((abs(rows) for _, _, rows, _ in leaks), default=0)
    mask = map_overlap(
        partial(_flagged_block, leaks=leaks),
        image.data,
        limits.chunk(frame=image.chunksizes["frame"]).data[:, :, None, None],
        depth=[{2: min(reach, ds.sizes["y"] - 1)}, {}],
        boundary="none",
        dtype=np.uint8,
        meta=np.empty((0,) * 4, np.uint8),
    )
    return xr.Variable(schema.DIMS, mask)


def _flagged(image: Any, limit: Any, leaks: Any) -> tuple[Any]:
    return (flag_planes(image, limit, leaks),)


def _flagged_block(image: Any, limit: Any, leaks: Any) -> Any:
    return flag_planes(native(image), limit[:, :, 0, 0], leaks)


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
