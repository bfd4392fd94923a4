"""The data model of frame sets and masters, checked wherever a Dataset comes in.

A *frame set* is a Dataset of ``image``, ``variance`` and ``mask`` over (frame, channel, y, x),
in this order; a *master* is the same without ``frame``. ``y`` and ``x`` hold raw-frame pixel
numbers, so that a crop stays traceable and a master of another place is never re-indexed in
silence. Where a colour camera's planes interleave, ``y`` and ``x`` are the first row and column of
each super-pixel, and ``y_offset``, ``x_offset``, ``y_step`` and ``x_step`` on ``channel`` give
the pixels of it that a plane holds.

``shared_variance`` and ``shared_relative_variance`` are the part of ``variance`` that frames have
in common, with the dim ``frame`` where it differs between them; ``shared_variance_from`` and
``shared_relative_variance_from`` on ``frame`` name the masters that it comes from, and so the
frames that share it. ``count`` has the dim ``frame`` where the frames are stacks.

Of the variance of a frame, max(s (image - z), 0) is the noise of photons, with ``photon_slope`` s
and ``photon_zero`` z, the value without any light (0 where the variable is missing). All frames
have them in common, and with them a stack computes the photon noise of its average, in which the
light is better known than in a noisy frame. A stack has its own, and in ``photon_variance`` the
photon noise in its variance, which for an average is not max(...). FITS files lose all three
(``open_fits`` makes those of frames again); the photon noise of each frame then follows from its
own value, as it does where image and variance do not fit them any more.
"""

import json
import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from autowisp_xr.camera import Camera
from autowisp_xr.checked_numbers import is_whole_number
from autowisp_xr.errors import SchemaError
from autowisp_xr.flags import Flag
from autowisp_xr.regions import ChannelSlice

SCHEMA_VERSION = 1
DIMS = ("frame", "channel", "y", "x")
MONO = "mono"
PHOTON_PLANES = ("photon_slope", "photon_zero", "photon_variance")
NUMBERS_OF_VALUES = ("count", "rejected_low", "rejected_high")
"""What a stack counts of each pixel."""

_LONGEST = 8
"""Largest size of a number, in bytes."""

_NEAR = 5
_ALIKE = 0.4
"""The number of names that a message suggests, and their least likeness to the wanted one."""

_NAMED_FLAGS = [flag for flag in Flag if flag.bit_count() == 1]

_FLOATS, _COUNTS, _REAL = "f", "ui", "uif"
"""Kinds of data types that a variable may have, as numpy abbreviates them."""


class _Variable(NamedTuple):
    """A variable of the data model."""

    dims: tuple[tuple[Hashable, ...], ...]
    """The dims that it may have in a frame set; in a master, it has no ``frame``."""
    units: str
    """"1", or in terms of the unit of the image: "units", "squared"."""
    kinds: str = _FLOATS
    long_name: str = ""


_EACH, _COMMON = DIMS, DIMS[1:]
_VARIABLES = {
    "image": _Variable((_EACH,), "units", _REAL),
    "variance": _Variable((_EACH,), "squared"),
    "mask": _Variable((_EACH,), "", "u"),
    "count": _Variable((_COMMON, _EACH), "1", _COUNTS, "number of values averaged"),
    "rejected_low": _Variable((_COMMON, _EACH), "1", _COUNTS, "number of values rejected below"),
    "rejected_high": _Variable((_COMMON, _EACH), "1", _COUNTS, "number of values rejected above"),
    "shared_variance": _Variable((_EACH, _COMMON), "squared"),
    "shared_relative_variance": _Variable((_COMMON, _EACH), "1"),
    "photon_slope": _Variable(
        (_COMMON, _EACH), "units", long_name="variance of photons per unit of signal"
    ),
    "photon_zero": _Variable((_COMMON, _EACH), "units", long_name="value without any light"),
    "photon_variance": _Variable((_EACH,), "squared"),
    "reason": _Variable((_COMMON,), "1", _COUNTS, "what is wrong with a pixel"),
    "rate": _Variable((_COMMON,), "adu/s", long_name="dark current"),
    "scatter": _Variable((_COMMON,), "1", long_name="scatter through frames by the expected one"),
    "response": _Variable((_COMMON,), "1", long_name="response to light by that around"),
}
VARIABLES = tuple(_VARIABLES)
"""Names of all variables of the data model."""

SHARED = {
    "shared_variance": "shared_variance_from",
    "shared_relative_variance": "shared_relative_variance_from",
}
"""The planes of shared noise, and the coordinates that name the masters that it comes from."""

LOST = "?"
"""The first letter of the name of a master whose share of the noise is unknown."""

_CHANNEL_COORDS = ("y_offset", "y_step", "x_offset", "x_step")


def variable_attributes(name: str, units: str = "adu") -> dict[str, Any]:
    """Return the attributes of the variable of this name, given the unit of the image."""
    if name == "mask":
        return {
            "standard_name": "status_flag",
            "flag_masks": np.array([int(flag) for flag in _NAMED_FLAGS], dtype=np.uint8),
            "flag_meanings": " ".join(str(flag.name).lower() for flag in _NAMED_FLAGS),
        }
    row = _VARIABLES[name]
    squared = "1" if units == "1" else f"({units})2" if "/" in units else f"{units}2"
    found = {"units": {"units": units, "squared": squared}.get(row.units, row.units)}
    if row.long_name:
        found = {"long_name": row.long_name, **found}
    return found | ({"ancillary_variables": "variance mask"} if name == "image" else {})


def with_attributes(ds: xr.Dataset, units: str) -> xr.Dataset:
    """Return a copy of a Dataset whose variables have the attributes of the data model."""
    ds = ds.copy()
    for name in ds.data_vars:
        ds[name].attrs = variable_attributes(str(name), units)
    ds.attrs["schema_version"] = SCHEMA_VERSION
    return ds


def units_of(ds: xr.Dataset) -> str:
    """Return the unit of the image; that of raw frames where it has none."""
    return str(ds["image"].attrs.get("units", "adu")) if "image" in ds else "1"


def names(ds: xr.Dataset, dim: str) -> list[str]:
    """Return the texts of a coordinate, such as the names of frames, however they are stored."""
    return [str(name) for name in np.atleast_1d(ds[dim].values).tolist()]


def scalar(ds: xr.Dataset, name: str) -> Any:
    """Return the value of a coordinate without dims, or None where there is none."""
    return ds.coords[name].values[()] if name in ds.coords and not ds[name].ndim else None


def text(ds: xr.Dataset, name: str) -> str:
    """Return the text of a coordinate without dims, or "" where there is none."""
    value = scalar(ds, name)
    return "" if value is None else str(value)


def along_frames(ds: xr.Dataset, name: str, unknown: Any = np.nan) -> Any:
    """Return a coordinate of each frame, or of a master, (frame); ``unknown`` where there is none.

    What frames have in common is that of each of them.
    """
    values = ds[name].values if name in ds.coords else unknown
    return np.broadcast_to(values, (ds.sizes.get("frame", 1),))


def unique_names(paths: Sequence[str | PathLike[str]], names: Sequence[str]) -> list[str]:
    """Return the names of frames, equal ones behind as much of the path as distinguishes them."""
    result = list(names)
    for name in (name for name, count in Counter(names).items() if count > 1):
        members = [i for i, other in enumerate(names) if other == name]
        for i, tail in zip(members, _unique_tails([paths[i] for i in members], name), strict=True):
            result[i] = tail
    return result


def _unique_tails(paths: Sequence[str | PathLike[str]], name: str) -> list[str]:
    absolute = [os.path.abspath(path) for path in paths]
    folders = [os.path.dirname(path).strip(os.sep).split(os.sep) for path in absolute]
    # files of one directory (a.fits beside a.fits.fz) need their full base name
    for ends in ([name] * len(absolute), [os.path.basename(path) for path in absolute]):
        for depth in range(max(map(len, folders)) + 1):
            tails = [
                "/".join([*parts[max(len(parts) - depth, 0) :], end])
                for parts, end in zip(folders, ends, strict=True)
            ]
            if len(set(tails)) == len(tails):
                return tails
    return absolute


def number_of(wanted: object, names: Sequence[str], dim: str) -> int:
    """Return the number of a frame or channel that is given by its number or name.

    Parameters
    ----------
    wanted
        A number, negative ones counted from the end, or a name.
    names
        The names of all.
    dim
        "frame" or "channel".

    Raises
    ------
    ValueError
        If there is none; the message lists those with the nearest names.
    """
    missing = f"there is no {dim} {wanted!r} "
    if is_whole_number(wanted):
        number = int(wanted)
        if -len(names) <= number < len(names):
            return number % len(names)
        raise ValueError(f"{missing}among {len(names)}, counted from 0")
    if str(wanted) not in names:
        near = get_close_matches(str(wanted), names, _NEAR, _ALIKE)
        listed = ", ".join(near or names[:_NEAR])
        more = ", ..." if not near and len(names) > _NEAR else ""
        hint = "the nearest of" if near else "among"
        raise ValueError(f"{missing}{hint} {len(names)}: {listed}{more}")
    return list(names).index(str(wanted))


def frame_and_channel(ds: xr.Dataset) -> dict[str, xr.Variable]:
    """Return the coordinates of a table by frame and channel: their names."""
    return {name: ds.coords[name].variable for name in ("frame", "channel") if name in ds.coords}


def lost_noise_sources(steps: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the coordinates of a frame that name the masters of some steps, as lost ones."""
    found: dict[str, set[str]] = {}
    for step in steps:
        for kind, made in step.get("masters", {}).items():
            plane = "shared_relative_variance" if kind == "flat" else "shared_variance"
            found.setdefault(SHARED[plane], set()).add(f"{LOST}{made}")
    return {name: " ".join(sorted(names)) for name, names in found.items()}


def is_raw(ds: xr.Dataset) -> bool:
    """Return whether these are raw frames, which have no variance yet; what defects never have."""
    return "variance" not in ds and text(ds, "image_type") != "defects"


def camera_of(ds: xr.Dataset) -> Camera:
    """Return the camera that travels with a Dataset; one without any facts where none does."""
    text = ds.attrs.get("camera")
    try:
        return Camera.from_json(text) if text else Camera()
    except (TypeError, json.JSONDecodeError):
        raise SchemaError(
            f"attrs['camera'] is the text of Camera.to_json(), not {text!r}; keep what else it "
            "states under another name, or delete it"
        ) from None


def channel_slices(ds: xr.Dataset) -> list[ChannelSlice]:
    """Return the place of each channel inside its super-pixel, in the order of ``channel``."""
    known = [name for name in _CHANNEL_COORDS if name in ds.coords]
    return [
        ChannelSlice(**{name: int(ds.coords[name].values[i]) for name in known})
        for i in range(ds.sizes["channel"])
    ]


def place(
    channels: Mapping[str, ChannelSlice], height: int, width: int, y: int = 0, x: int = 0
) -> dict[str, Any]:
    """Return the coordinates of planes of this size whose first super-pixel is at (y, x)."""
    slices = list(channels.values())
    return {
        "channel": ("channel", np.array(list(channels), dtype=np.dtypes.StringDType())),
        "y": ("y", y + slices[0].y_step * np.arange(height)),
        "x": ("x", x + slices[0].x_step * np.arange(width)),
        **{
            name: ("channel", np.array([getattr(where, name) for where in slices]))
            for name in _CHANNEL_COORDS
        },
    }


def extent(ds: xr.Dataset) -> str:
    """Return the extent of frames or a master in words: sizes, and raw-frame pixel numbers."""
    return " and ".join(
        f"{ds.sizes[dim]} along {dim!r} (raw pixels {ds[dim].values[0]} to {ds[dim].values[-1]})"
        for dim in ("y", "x")
    )


def on_same_pixels(ds: xr.Dataset, other: xr.Dataset) -> bool:
    """Return whether frames or masters have the same rows and columns of the raw frame."""
    return all(np.array_equal(ds[dim].values, other[dim].values) for dim in ("y", "x"))


def as_master(ds: xr.Dataset, name: str = "master") -> xr.Dataset:
    """Return a master without ``frame``: as it is, or the only frame of an opened file."""
    if isinstance(ds, xr.Dataset) and ds.sizes.get("frame") == 1:
        ds = ds.isel(frame=0)
    check(ds, master=True, name=name)
    return ds


def check(ds: object, *, master: bool = False, name: str = "the Dataset") -> None:
    """Check that a Dataset follows the data model.

    Raises
    ------
    SchemaError
        With every fault: what was found, and what was expected.
    """
    faults = _faults(ds, master)
    if faults:
        kind = "a master (channel, y, x)" if master else "a frame set (frame, channel, y, x)"
        listed = "".join(f"\n  - {fault}" for fault in faults)
        raise SchemaError(f"{name} is not {kind}:{listed}")


def _faults(ds: object, master: bool) -> list[str]:
    if not isinstance(ds, xr.Dataset):
        parts = [name for name in ("high", "low") if getattr(ds, name, None) is not None]
        if isinstance(ds, xr.DataTree):
            parts = ["to_dataset()"]
        hint = f" (its .{' or .'.join(parts)} is one)" if parts else ""
        return [f"it is a {type(ds).__name__}, an xarray.Dataset was expected{hint}"]
    faults = [fault] if (fault := fault_of_version(ds.attrs)) else []
    if "image" not in ds and "reason" not in ds:
        faults.append(f"there is no variable 'image' among {sorted(map(str, ds.data_vars))}")
    for name, row in _VARIABLES.items():
        if name not in ds:
            continue
        allowed = (_COMMON,) if master else row.dims
        # a DataArray looks through all coordinates, which takes longer than all checks
        variable = ds.variables[name]
        if variable.dims not in allowed:
            # xr.concat gives the new dim to all variables
            joined = variable.dims == DIMS and not master
            hint = " (xr.concat does that; join sets of frames, or stacks, by aw.concat)"
            faults.append(
                f"{name!r} has the dims {variable.dims}, expected {allowed[0]}{hint * joined}"
            )
        fault = _fault_of_type(name, variable.dtype)
        faults += [f"{name!r} has the type {variable.dtype}, {fault}"] if fault else []
    faults += [
        f"{name!r} holds bytes; ds.assign_coords({name}=ds[{name!r}].astype(str)) makes texts"
        for name in ds.coords
        if ds.variables[name].dtype.kind == "S"
    ]
    faults += [
        f"{dim!r} holds other things than numbers of raw-frame pixels"
        for dim in ("y", "x")
        if dim in ds.coords and not _are_numbers(ds.variables[dim].values)
    ]
    faults += [f"there is nothing along {dim!r}" for dim in DIMS if ds.sizes.get(dim) == 0]
    for dim in ("frame", "channel"):
        if dim in ds.dims and dim in ds.coords:
            repeated = [name for name, times in Counter(names(ds, dim)).items() if times > 1]
            if repeated:
                faults.append(f"{dim!r} names {repeated} more than once")
    return faults


def _are_numbers(values: npt.NDArray[Any]) -> bool:
    return values.dtype.kind in _REAL and bool(np.isfinite(values).all())


def fault_of_version(attrs: Mapping[Any, Any]) -> str:
    """Return what is wrong with the version of the data model; "" for this one, or none."""
    version = attrs.get("schema_version", SCHEMA_VERSION)
    if version == SCHEMA_VERSION:
        return ""
    return (
        f"schema_version is {version}, and this version of autowisp_xr knows {SCHEMA_VERSION}: "
        "open it with the version that wrote it, or a later one"
    )


_MASKS = {
    "b": "astype('uint8') makes what is True a FAULT",
    "f": "a mask of floats has been through where(); select frames by isel",
}
"""Remedies for masks of other kinds than whole numbers."""


def _fault_of_type(name: str, dtype: np.dtype[Any]) -> str:
    kinds = _VARIABLES[name].kinds
    if name == "mask":
        remedy = _MASKS.get(dtype.kind, "astype('uint8') keeps numbers that are flags")
        return "" if dtype == np.uint8 else f"expected uint8 ({remedy})"
    remedy = f"if it is one, ds.assign({name}=ds[{name!r}].astype('float64'))"
    if dtype.kind not in kinds:
        counts = kinds == _COUNTS
        return "expected whole numbers" if counts else f"which is no real number ({remedy})"
    too_long = dtype.kind == "f" and dtype.itemsize > _LONGEST
    return f"which files have not ({remedy})" if too_long else ""
