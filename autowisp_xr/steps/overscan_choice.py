"""The choice of an overscan, made into levels of a step: measured in each frame, or given."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr._compat import apart
from autowisp_xr.arrays import Cube, Floats, Integers
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import CalibrationError, MasterMismatchError
from autowisp_xr.options import Overscan
from autowisp_xr.overscan_fits.plan import Plan, plan_passes, within
from autowisp_xr.overscan_fits.subtraction import measure
from autowisp_xr.regions import Region
from autowisp_xr.steps.geometry import amplifier_map, check_covers, covered, raw_lines
from autowisp_xr.steps.overscan import SubtractOverscan

_DIMS = ("frame", "overscan_amplifier", "overscan_line")


def _passes(overscan: Any, camera: Camera) -> tuple[Overscan, ...]:
    """Return the passes that are asked for; none where no overscan is to be measured.

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
    """Return the median of a frame, also of strips of amplifiers, however small these are."""
    usual = Overscan()
    sizes = [sum(a.size for a in one.overscan) for one in camera.amplifiers if one.overscan]
    fewest = max(min(sizes, default=usual.min_pixels) // 2, 2)
    return replace(usual, min_pixels=min(usual.min_pixels, fewest)) if sizes else usual


def overscan_options(overscan: Any, camera: Camera) -> tuple[Any, list[str]]:
    """Return what the history records: method or passes, and the areas that were used."""
    methods = _passes(overscan, camera)
    areas = [str(area) for area in _areas(methods, camera)]
    if not methods:
        return ("Dataset" if isinstance(overscan, xr.Dataset) else None), areas
    return methods[0] if len(methods) == 1 else list(methods), areas


def overscan_step(
    raw: xr.Dataset, ds: xr.Dataset, camera: Camera, overscan: Any, *, level: float = 0.0
) -> SubtractOverscan:
    """Return the step that subtracts the overscan of ``raw`` from ``ds``; lazy where it is.

    Parameters
    ----------
    raw, ds
        Untrimmed frames, and the same or a part of them.
    camera, overscan
        As for :func:`~autowisp_xr.subtract_overscan`.
    level
        A constant that is subtracted from ``ds`` anyway; measured levels are less by it.
    """
    method, areas = overscan_options(overscan, camera)
    amplifiers = [amplifier.record() for amplifier in camera.amplifiers]
    chosen = {"areas": areas, "overscan": method, "amplifiers": amplifiers}
    if isinstance(overscan, xr.Dataset):
        planes, shared = _given_levels(ds, overscan)
        return SubtractOverscan(levels=planes, shared=shared, given=overscan, chosen=chosen)
    methods = _passes(overscan, camera)
    levels = _measured_levels(raw, ds, camera, methods, level) if methods else {}
    return SubtractOverscan(levels=levels, chosen=chosen)


def _measured_levels(
    raw: xr.Dataset, ds: xr.Dataset, camera: Camera, methods: Sequence[Overscan], level: float
) -> dict[str, xr.Variable | None]:
    """Return operands of the step: levels of the lines that show them, by their areas."""
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
    seen = camera.image_area if raw is ds or ds.sizes == raw.sizes else None
    image = (
        _inside(np.unique(rows), seen and (seen.ymin, seen.ymax)),
        _inside(np.unique(columns), seen and (seen.xmin, seen.xmax)),
    )
    plan = plan_passes(
        y, x, methods, camera.overscan, extent=extent, image=image, amplifiers=camera.amplifiers
    )
    by_column = any(method.per == "column" for method in methods)
    start = np.zeros((plan.amplifiers, plan.shape[0] + by_column * plan.shape[1]))
    start[:, : plan.shape[0]] = -level
    names = xr.Variable(("frame",), raw["frame"].values.astype(object))
    found = blocks.apply(
        partial(_measured, plan=plan, picked=picked),
        [xr.Variable(_DIMS[1:], start), names, *boxes],
        _DIMS,
        [np.float64, np.float64],
        free=("frame",),
        alone=True,
    )
    below = columns - extent.xmin + plan.shape[0]
    return {
        "level": found[0],
        "variance": found[1],
        "rows": xr.Variable(("channel", "y"), rows - extent.ymin),
        "columns": xr.Variable(("channel", "x"), below) if by_column else None,
        "reader": amplifier_map(ds, camera),
    }


def _measured(
    start: Floats, frames: Any, *boxes: Cube, plan: Plan, picked: list[Integers]
) -> tuple[Floats, Floats]:
    """Return levels and variances of frames, from the pixels picked from each box."""
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
    """Return boxes of planes around each area, which of their pixels count, and their places.

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
    """Return the same frames; where they come in chunks, by tasks that nothing else depends on.

    A level needs pixels of all bands, and every band needs the levels: with tasks in common, all
    bands would be read first, and be in memory at once. Tasks for a single area read no more
    than its box, where the frames come straight from files.
    """
    if not blocks.moved(image):
        return image if image.chunks is None else image.chunk({"frame": 1})
    if len(image.chunksizes["y"]) == 1:
        return image
    return xr.Variable(image.dims, apart(image.data, f"overscan {number}"))


def _areas(methods: Sequence[Overscan], camera: Camera) -> list[Region]:
    """Return the areas of all passes, each once."""
    return list(
        dict.fromkeys(area for method in methods for area in method.areas or camera.overscan_areas)
    )


def _inside(numbers: Any, limits: tuple[int, int] | None) -> Any:
    """Return numbers within the limits of the image; all where frames show nothing of it."""
    if limits is None:
        return numbers
    inside = numbers[(numbers >= limits[0]) & (numbers < limits[1])]
    return inside if inside.size else numbers


def _given_levels(
    ds: xr.Dataset, correction: xr.Dataset
) -> tuple[dict[str, xr.Variable], xr.Variable | None]:
    """Return operands of the step for a correction, and the variance that all frames share.

    Parameters
    ----------
    ds
        Frames that it is to be subtracted from.
    correction
        ``image`` and ``variance`` over some of (frame, channel, y, x). An axis that is not there,
        or of size one, does not vary; the others must be those of the frames.

    Raises
    ------
    CalibrationError
        For a Dataset without both, or over other axes.
    MasterMismatchError
        Where units, frames, channels or place differ from those of the frames, with both.
    """
    missing = [name for name in ("image", "variance") if name not in correction]
    if missing:
        raise CalibrationError(
            f"an overscan correction has an image and a variance; {' and '.join(missing)} is "
            f"missing among {sorted(map(str, correction.data_vars))}"
        )
    expected = schema.units_of(ds)
    units = correction["image"].attrs.get("units", expected)
    if units != expected:
        raise MasterMismatchError(
            f"the overscan correction is in units of {units!r}, {expected!r} was expected"
        )
    correction = blocks.load_coordinates(correction)
    image, variance = (_placed(ds, correction, name) for name in ("image", "variance"))
    if "frame" in image.dims or "frame" in variance.dims:
        return {"plane": image, "plane_variance": variance}, None
    varying = variance.squeeze([dim for dim in schema.DIMS[1:] if variance.sizes[dim] == 1])
    full = varying.set_dims({dim: ds.sizes[dim] for dim in schema.DIMS[1:]})
    return {"plane": image}, blocks.pixelwise(full.transpose(*schema.DIMS[1:]))


def _placed(ds: xr.Dataset, correction: xr.Dataset, name: str) -> xr.Variable:
    """Return a plane with all of (channel, y, x), and frame where it varies with it."""
    plane = correction[name]
    strange = [str(dim) for dim in plane.dims if dim not in schema.DIMS]
    if strange:
        raise CalibrationError(
            f"the {name} of the overscan correction is over {', '.join(map(str, plane.dims))}; it "
            "can vary along frame, channel, y and x"
        )
    for dim in schema.DIMS:
        if dim not in plane.dims:
            continue
        named = dim in ("frame", "channel") and dim in plane.coords
        if plane.sizes[dim] == 1 and not named and (ds.sizes[dim] > 1 or dim in ("y", "x")):
            plane = plane.isel({dim: 0}, drop=True)
        elif dim in ("frame", "channel"):
            plane = _in_order(ds, plane, dim)
        else:
            _check_place(ds, plane, dim)
    variable = plane.variable
    variable = variable.set_dims({**dict.fromkeys(schema.DIMS[1:], 1), **variable.sizes})
    return blocks.pixelwise(variable.transpose(*schema.DIMS, missing_dims="ignore"))


def _in_order(ds: xr.Dataset, plane: xr.DataArray, dim: str) -> xr.DataArray:
    """Return the plane with the frames or channels of the frames, by name, in their order."""
    wanted = schema.names(ds, dim)
    if dim not in plane.coords:
        if plane.sizes[dim] == len(wanted):
            return plane
        available = [f"{plane.sizes[dim]} without names"]
    else:
        available = [str(given) for given in plane[dim].values.tolist()]
        if set(wanted) <= set(available):
            return plane.isel({dim: [available.index(one) for one in wanted]})
    raise MasterMismatchError(
        f"the overscan correction has the {dim}s {available}, the frames have {wanted}"
    )


def _check_place(ds: xr.Dataset, plane: xr.DataArray, dim: str) -> None:
    """Raise MasterMismatchError unless the plane has the rows or columns of the frames."""
    own: Any = plane[dim].values if dim in plane.coords else None
    same = own is None or dim not in ds.coords or np.array_equal(own, ds[dim].values)
    if same and plane.sizes[dim] == ds.sizes[dim]:
        return
    extent = "" if own is None else f" (raw pixels {own[0]} to {own[-1]})"
    raise MasterMismatchError(
        f"the overscan correction covers {plane.sizes[dim]} along {dim!r}{extent}, the frames "
        f"cover {ds.sizes[dim]} (raw pixels {ds[dim].values[0]} to {ds[dim].values[-1]}); "
        "select the same area in both"
    )
