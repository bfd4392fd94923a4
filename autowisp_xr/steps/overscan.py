"""Measure and subtract the level of pixels that see no light."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr._compat import apart
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError
from autowisp_xr.options import Overscan, OverscanChoice
from autowisp_xr.overscan_fits.passes import measure
from autowisp_xr.overscan_fits.plan import Plan, plan_passes, within
from autowisp_xr.regions import Region
from autowisp_xr.steps.channels import check_covers, covered
from autowisp_xr.steps.fused_pass import Steps, one_pass
from autowisp_xr.steps.level_planes import AMPLIFIER, LINE, Levels, given_levels
from autowisp_xr.steps.readers import raw_lines, readers
from autowisp_xr.steps.saturation_level import on_scale

__all__ = [
    "overscan_options",
    "overscan_passes",
    "overscan_steps",
    "subtract_overscan",
]


def subtract_overscan(
    ds: xr.Dataset,
    overscan: OverscanChoice = None,
    *,
    camera: Camera | None = None,
    dtype: Any = "float32",
) -> xr.Dataset:
    """Subtract from each frame the level of its own overscan pixels.

    Parameters
    ----------
    ds
        Untrimmed frames (frame, channel, y, x), in ADU.
    overscan
        How the level is found. None: the median of the frame, with rejection at 5 standard
        deviations. An :class:`~autowisp_xr.Overscan`, or several: passes one after the other, each
        measured on pixels that the passes before have corrected, such as rows, then columns.
        A Dataset: a correction measured by other means (see below). False: none.
    camera
        Whose ``overscan`` areas are used, each pixel of their union once, all channels together,
        and whose ``amplifiers`` have a level each, of areas of their own where they have any; by
        default the one that travels with ``ds``.
    dtype
        Type of the planes that come out.

    Returns
    -------
    Frames of the same shape, lazy where ``ds`` is: the level of each frame subtracted, its variance
    added. Pixels that are not finite are left out of the level, and flagged FAULT. A level is
    demanded for all pixels of the camera's ``image_area`` (all of the frame without one). Rows and
    columns outside have none where each has its own: they are NaN and flagged FAULT, as is a row
    or column that has lost all its overscan pixels.

    Raises
    ------
    CalibrationError
        If there are no overscan areas; where they cannot tell the level of a part of the image.
    OutsideImageError
        If an area reaches outside the frames (they may have been trimmed already).
    MasterMismatchError
        Where a Dataset that was given does not belong to the frames.
    ConvergenceError
        If too few pixels are left; found when the frames are computed, and naming the frame.

    Notes
    -----
    What rejection does, and how large the variance is, :func:`~autowisp_xr.overscan_correction`
    says. The noise of a level is common to the pixels that it was subtracted from, and not told
    apart in ``variance``: it does not average down over the pixels of a star, as it does over
    frames.

    A Dataset has ``image`` and ``variance`` (in ADU and its square) over some of frame, channel, y
    and x; what is not there or of size one does not vary. Without ``frame``, all frames share its
    noise, which goes into ``shared_variance``. It is subtracted as it is, beside any
    ``bias_level``; a mask in it takes no part.
    """
    schema.check(ds)
    camera = camera or schema.camera_of(ds)
    if overscan is None and not camera.overscan_areas:
        raise CalibrationError("the camera has no overscan areas; give Camera(overscan=...)")
    steps = overscan_steps(ds, ds, camera, overscan, level=0.0)
    result = one_pass(ds, Steps(overscan=steps, reader=readers(ds, camera)), dtype=dtype)
    own = schema.camera_of(ds)
    if (moved := on_scale(own, ds, overscan=steps)) != own:
        result.attrs["camera"] = moved.to_json()
    method, areas = overscan_options(overscan, camera)
    options = {
        "areas": areas,
        "overscan": method,
        "amplifiers": [amplifier.record() for amplifier in camera.amplifiers],
    }
    masters = {"overscan": overscan} if isinstance(overscan, xr.Dataset) else None
    return provenance.record(result, "subtract_overscan", options, source=ds, masters=masters)


def overscan_passes(overscan: Any, camera: Camera) -> tuple[Overscan, ...]:
    """Passes that are asked for; none where the overscan is not to be measured.

    Raises
    ------
    CalibrationError
        For a method without areas, or what is no method.
    """
    if overscan is False or isinstance(overscan, xr.Dataset):
        return ()
    if overscan is None:
        return (_default(camera),) if camera.overscan_areas else ()
    methods = tuple(overscan) if isinstance(overscan, Sequence) else (overscan,)
    if not methods or not all(isinstance(method, Overscan) for method in methods):
        raise CalibrationError(
            "overscan is None, False, an Overscan, a sequence of them, or a Dataset with image and "
            f"variance, not {overscan!r}"
        )
    if not camera.overscan_areas and any(method.areas is None for method in methods):
        raise CalibrationError(
            "an overscan method was given, but the camera has no overscan areas; give "
            "Camera(overscan=...) or Overscan(areas=...)"
        )
    return methods


def _default(camera: Camera) -> Overscan:
    """The median of a frame; of amplifiers with strips of their own, however small these are."""
    usual = Overscan()
    sizes = [sum(a.size for a in one.overscan) for one in camera.amplifiers if one.overscan]
    fewest = max(min(sizes, default=usual.min_pixels) // 2, 2)
    return replace(usual, min_pixels=min(usual.min_pixels, fewest)) if sizes else usual


def overscan_options(overscan: Any, camera: Camera) -> tuple[Any, list[str]]:
    """What the history says: method or passes, and the areas that were used."""
    methods = overscan_passes(overscan, camera)
    if not methods:
        return ("Dataset" if isinstance(overscan, xr.Dataset) else None), []
    return methods[0] if len(methods) == 1 else list(methods), _texts(_areas(methods, camera))


def overscan_steps(
    raw: xr.Dataset, ds: xr.Dataset, camera: Camera, overscan: Any, *, level: float
) -> Levels | None:
    """Levels of the overscan of ``raw``, to be subtracted from ``ds``.

    Parameters
    ----------
    raw, ds
        Untrimmed frames, and the same or a part of them.
    camera, overscan
        As for :func:`subtract_overscan`.
    level
        A constant that is subtracted from ``ds`` anyway; measured levels are less by it.

    Returns
    -------
    None where nothing is to be subtracted; lazy where ``raw`` is.
    """
    if isinstance(overscan, xr.Dataset):
        return given_levels(ds, overscan)
    methods = overscan_passes(overscan, camera)
    if not methods:
        return None
    raw = blocks.load_coordinates(raw)
    extent = covered(raw)
    areas = _areas(methods, camera)
    for number, area in enumerate(areas):
        check_covers(extent, area, f"overscan area {number}")
        if area in camera.overscan and camera.image_area and area.overlaps(camera.image_area):
            raise CalibrationError(
                f"the overscan {area} overlaps the image area {camera.image_area}, which sees "
                "light; give a Camera in which they are apart (in the headers they are BIASSEC and "
                "TRIMSEC)"
            )
    boxes, picked, y, x = _pixels(raw, areas)
    rows, columns = raw_lines(ds, "y"), raw_lines(ds, "x")
    image = camera.image_area if raw is ds or ds.sizes == raw.sizes else None
    plan = plan_passes(
        y,
        x,
        methods,
        camera.overscan,
        extent=extent,
        image=(
            _inside(np.unique(rows), image and (image.ymin, image.ymax)),
            _inside(np.unique(columns), image and (image.xmin, image.xmax)),
        ),
        amplifiers=camera.amplifiers,
    )
    by_column = any(method.per == "column" for method in methods)
    start = np.zeros((plan.amplifiers, plan.shape[0] + by_column * plan.shape[1]))
    start[:, : plan.shape[0]] = -level
    names = xr.Variable(("frame",), raw["frame"].values.astype(object))
    found = blocks.apply(
        partial(_measured, plan=plan, picked=picked),
        [xr.Variable((AMPLIFIER, LINE), start), names, *boxes],
        ("frame", AMPLIFIER, LINE),
        [np.float64, np.float64],
    )
    return Levels(
        level=found[0],
        variance=found[1],
        rows=xr.Variable(("channel", "y"), rows - extent.ymin),
        columns=xr.Variable(("channel", "x"), columns - extent.xmin + plan.shape[0])
        if by_column
        else None,
    )


def _measured(start: Any, frames: Any, *boxes: Any, plan: Plan, picked: Any) -> tuple[Any, Any]:
    """Levels and variances of frames, from the pixels that were picked from each box."""
    level = np.empty((len(frames), *start.shape))
    variance = np.empty_like(level)
    for number, name in enumerate(frames):
        parts = [box[number].ravel()[index] for box, index in zip(boxes, picked, strict=True)]
        values = np.concatenate([part.astype(np.float64) for part in parts])
        table, noise, _ = measure(values, plan, f"frame {name!r}")
        level[number] = start + table[:, : start.shape[1]]
        variance[number] = noise[:, : start.shape[1]]
    return level, variance


def _pixels(
    ds: xr.Dataset, areas: Sequence[Region]
) -> tuple[list[xr.Variable], list[Any], Any, Any]:
    """Boxes of the planes around each area, which of their pixels count, and where those lie.

    Each area has its own box, so that of frames with overscan on both sides the middle is not
    read; a pixel of several areas is picked from the first.
    """
    extent = covered(ds)
    taken = np.zeros((extent.ymax - extent.ymin, extent.xmax - extent.xmin), bool)
    rows, columns = raw_lines(ds, "y"), raw_lines(ds, "x")
    boxes, picked, places = [], [], []
    for number, area in enumerate(areas):
        y = np.flatnonzero(((rows >= area.ymin) & (rows < area.ymax)).any(axis=0))
        x = np.flatnonzero(((columns >= area.xmin) & (columns < area.xmax)).any(axis=0))
        if not y.size or not x.size:
            continue
        box = {"y": slice(int(y[0]), int(y[-1]) + 1), "x": slice(int(x[0]), int(x[-1]) + 1)}
        all_y, all_x = np.broadcast_arrays(rows[:, box["y"], None], columns[:, None, box["x"]])
        free = ~taken[all_y - extent.ymin, all_x - extent.xmin]
        index = np.flatnonzero(within(all_y, all_x, area) & free)
        where = (all_y.ravel()[index], all_x.ravel()[index])
        taken[where[0] - extent.ymin, where[1] - extent.xmin] = True
        plane = blocks.framewise(_read_apart(ds["image"].variable, number).isel(box))
        dims = ("frame", *(f"area_{number}_{dim}" for dim in schema.DIMS[1:]))
        boxes.append(xr.Variable(dims, plane.data))
        picked.append(index)
        places.append(where)
    y, x = (np.concatenate([np.empty(0, np.int64), *(p[axis] for p in places)]) for axis in (0, 1))
    return boxes, picked, y, x


def _read_apart(image: xr.Variable, number: int) -> xr.Variable:
    """The same frames; where they come in bands of rows, by tasks that nothing else depends on.

    A level needs pixels of all bands, and every band needs the levels: with tasks in common, all
    bands would be read first, and be in memory at once. Tasks for a single area read no more
    than its box, where the frames come straight from files.
    """
    if image.chunks is None or len(image.chunksizes["y"]) == 1:
        return image
    return xr.Variable(image.dims, apart(image.data, f"overscan {number}"))


def _areas(methods: Sequence[Overscan], camera: Camera) -> list[Region]:
    """Areas of all passes, each once."""
    return list(
        dict.fromkeys(area for method in methods for area in method.areas or camera.overscan_areas)
    )


def _inside(numbers: Any, limits: tuple[int, int] | None) -> Any:
    """Numbers within the limits of the image; all where frames show nothing of it."""
    if limits is None:
        return numbers
    inside = numbers[(numbers >= limits[0]) & (numbers < limits[1])]
    return inside if inside.size else numbers


def _texts(areas: Sequence[Region]) -> list[str]:
    return [str(area) for area in areas]
