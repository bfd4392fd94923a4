"""What a running stack holds, and the Dataset as which it rests in a store.

The Dataset is a master whose ``image`` is the mean: sums and planes of frames that are held are
variables beside it, and what is known of the frames are coordinates, a dim for each set.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import BadImageError
from autowisp_xr.kernels.pixels import UNKNOWN, Digitisation
from autowisp_xr.stack.frames_so_far import FramesSoFar, Outline, empty_planes
from autowisp_xr.stack.running_average import RunningAverage

ATTRIBUTE = "autowisp_xr_running"
"""Attribute of a group that holds a running stack: all that is no array, as JSON."""

_TIMES = "datetime64[ns]"


@dataclass
class RunningState:
    """What a running stack holds of its frames."""

    known: FramesSoFar
    held: list[xr.Dataset] = field(default_factory=list)
    """Frames that wait to be judged together."""
    average: RunningAverage | None = None
    """Sums through all; None while frames are held."""
    digits: Digitisation = UNKNOWN
    """How they are digitised."""
    judged: Digitisation = UNKNOWN
    """The same where outliers are found."""


def packed(state: RunningState, options: dict[str, Any]) -> xr.Dataset:
    """Return a state, and the options of its stack, as a Dataset that a store takes."""
    pattern = state.known.pattern
    shape = tuple(pattern.sizes[dim] for dim in schema.DIMS[1:])
    planes: dict[str, Any] = {"image": np.zeros(shape, np.float32)}
    about: dict[str, Any] = {"options": options, "held": []}
    about |= {name: list(map(str, getattr(state, name))) for name in ("digits", "judged")}
    about |= {"units": schema.units_of(pattern)}
    if state.average is not None:
        kept, names = state.average.parts()
        planes["image"] = state.average.sums.mean.reshape(shape)
        planes |= {f"sum_{name}": plane.reshape(shape) for name, plane in kept.items()}
        about |= {"average": names}
    for number, frame in enumerate(state.held):
        about["held"].append({name: list(frame[name].dims) for name in map(str, frame.data_vars)})
        planes |= {f"held_{number}_{name}": v.values.reshape(shape) for name, v in frame.items()}
    coords: dict[str, Any] = {
        str(name): coord.variable
        for name, coord in pattern.coords.items()
        if {"y", "x", "channel"} & set(coord.dims) and "frame" not in coord.dims
    }
    about["sets"] = []
    for number, outline in enumerate(state.known.sets):
        of_set, description = _pack_outline(outline, f"set_{number}_")
        coords |= of_set
        about["sets"].append(description)
    variables = {name: (schema.DIMS[1:], plane) for name, plane in planes.items()}
    return xr.Dataset(variables, coords, {ATTRIBUTE: json.dumps(about)})


def unpacked(ds: xr.Dataset) -> tuple[RunningState, dict[str, Any]]:
    """Return the state, and the options of its stack, of a Dataset that :func:`packed` made.

    Raises
    ------
    BadImageError
        For another Dataset.
    """
    if ATTRIBUTE not in ds.attrs:
        raise BadImageError("this is no running stack; aw.open_zarr opens frames and stacks")
    about = json.loads(ds.attrs[ATTRIBUTE])
    place = {
        name: coord
        for name, coord in ds.coords.items()
        if not str(name).startswith("set_") and {"y", "x", "channel"} & set(coord.dims)
    }
    sets = [
        _unpack_outline(ds, f"set_{number}_", description, place, about["units"])
        for number, description in enumerate(about["sets"])
    ]
    whole = _stretched(sets[0].isel(frame=[0]), ds.sizes["y"], ds.sizes["x"], place)
    known = FramesSoFar(whole)
    known.sets = sets
    frames = (one.isel(frame=[i]) for one in sets for i in range(one.sizes["frame"]))
    state = RunningState(known)
    for name in ("digits", "judged"):
        setattr(state, name, Digitisation(*map(float, about[name])))
    if "average" in about:
        kept = {
            str(name).removeprefix("sum_"): np.array(plane.values).reshape(-1)
            for name, plane in ds.data_vars.items()
            if str(name).startswith("sum_")
        }
        shape = tuple(ds.sizes[dim] for dim in schema.DIMS[1:])
        state.average = RunningAverage.of_parts(shape, kept, about["average"])
    for number, (dims, outline) in enumerate(zip(about["held"], frames, strict=False)):
        frame = _stretched(outline, ds.sizes["y"], ds.sizes["x"], place)
        planes = {
            name: (own, ds[f"held_{number}_{name}"].values[None if "frame" in own else ...])
            for name, own in dims.items()
        }
        frame = frame.drop_vars(list(frame.data_vars)).assign(planes)
        state.held.append(schema.with_attributes(frame, about["units"]))
    return state, about["options"]


def _pack_outline(outline: Outline, prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the coordinates of a set by names of their own, and the rest of it for JSON."""
    coords, times = {}, []
    for name, coord in outline.coords.items():
        if {"y", "x"} & set(coord.dims) or coord.dims == ("channel",):
            continue
        variable = coord.variable.to_base_variable()
        if variable.dtype.kind == "M":
            times.append(str(name))
            numbers = variable.values.astype(_TIMES).view(np.int64)
            variable = xr.Variable(variable.dims, numbers, variable.attrs)
        dims = [f"{prefix}{dim}" if dim == "frame" else dim for dim in variable.dims]
        coords[f"{prefix}{name}"] = xr.Variable(dims, variable.values, variable.attrs)
    planes = {str(n): [list(p.dims), str(p.dtype)] for n, p in outline.data_vars.items()}
    number = outline.sizes["frame"]
    return coords, {"attrs": outline.attrs, "planes": planes, "times": times, "number": number}


def _unpack_outline(
    ds: xr.Dataset, prefix: str, description: dict[str, Any], place: dict[Any, Any], units: str
) -> Outline:
    coords: dict[str, Any] = {}
    for label, coord in ds.coords.items():
        name = str(label).removeprefix(prefix)
        if name == label:
            continue
        dims = ["frame" if dim == f"{prefix}frame" else dim for dim in coord.dims]
        values = coord.values
        if name in description["times"]:
            values = values.astype(np.int64).view(_TIMES)
        coords[name] = xr.Variable(dims, values, coord.attrs)
    sizes = {"frame": description["number"], "channel": ds.sizes["channel"], "y": 1, "x": 1}
    planes = {
        name: (dims, np.broadcast_to(np.dtype(kind).type(0), [sizes[dim] for dim in dims]))
        for name, (dims, kind) in description["planes"].items()
    }
    corner = {
        name: coord.isel(y=[0], x=[0], missing_dims="ignore") for name, coord in place.items()
    }
    outline = xr.Dataset(planes, {**corner, **coords}, description["attrs"])
    result = schema.with_attributes(outline, units)
    result.attrs = dict(description["attrs"])
    return result


def _stretched(outline: Outline, height: int, width: int, place: dict[Any, Any]) -> xr.Dataset:
    """Return an outline of as many pixels as its frames had."""
    planes = empty_planes(outline, {**outline.sizes, "y": height, "x": width})
    bare = outline.drop_vars([*map(str, outline.data_vars), *{"y", "x"} & set(outline.coords)])
    return bare.assign(planes).assign_coords(place)
