"""Open files that were scanned as a frame set whose pixels are read when they are asked for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from os.path import expanduser
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import DTypeLike

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import BadImageError
from autowisp_xr.fits.hdu_choice import HduChoice, HduName
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.lazy_pixels import variables_of
from autowisp_xr.fits.planes import Hdu, Mosaic
from autowisp_xr.frames.arrange import Arrangement, arrange, in_common, shape_in_common
from autowisp_xr.frames.camera_of_files import resolve_camera
from autowisp_xr.frames.names import bare_name
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.headers.bunit import unit_of
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.coordinates import NUMBER_COORDS, TEXT_COORDS
from autowisp_xr.options import plane_type
from autowisp_xr.provenance.frame_records import read_steps, united
from autowisp_xr.regions import ChannelSlice

_STRING = np.dtypes.StringDType()


def open_records(
    records: Sequence[FileRecord],
    *,
    camera: Camera | None = None,
    hdu: HduChoice = None,
    dtype: DTypeLike | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> xr.Dataset:
    """Open files that were scanned as a frame set, without looking into them again.

    Parameters
    ----------
    records
        Of :func:`~autowisp_xr.frames.scan`, in the order of the frames.
    hdu
        As it was given to ``scan``; None for what the records remember.
    camera, dtype, on_error
        As for :func:`autowisp_xr.open_fits`.

    Returns
    -------
    What :func:`autowisp_xr.open_fits` gives, with the same history, in which is what ``scan`` was
    asked for; of calibrated frames without what they share of their variance.

    Raises
    ------
    ValueError
        If there is no record.
    BadImageError, HeaderError, ImageMismatchError
        As by :func:`autowisp_xr.open_fits`.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is 'raise' or 'skip', not {on_error!r}")
    if dtype is not None:
        plane_type(dtype)
    if not records:
        raise ValueError("there is no record to open; give those of scan")
    asked = {name: value for record in reversed(records) for name, value in record.options.items()}
    hdu = asked.get("hdu") if hdu is None else hdu
    skipped = {record.path: record.error for record in records if record.error is not None}
    for error in skipped.values() if on_error == "raise" else ():
        raise error
    records = [record for record in records if record.error is None]
    if not records:
        reasons = "".join(f"\n  - {reason}" for reason in skipped.values())
        raise BadImageError(f"none of the {len(skipped)} files can be opened:{reasons}")
    camera = resolve_camera(records, camera, hdu)
    order = arrange(records, camera, hdu)
    units, guesses = _units(records)
    ds = xr.Dataset(_variables(order, dtype), _coordinates(order))
    for name, variable in ds.variables.items():
        if name in ds.data_vars:
            variable.attrs = schema.variable_attributes(str(name), units)
    ds.attrs = {"schema_version": schema.SCHEMA_VERSION, "camera": camera.to_json()}
    options: dict[str, Any] = {
        "hdu": hdu,
        "aliases": asked.get("aliases"),
        "types": asked.get("types"),
        "dtype": None if dtype is None else np.dtype(dtype).name,
        "left_out": order.left_out,
    }
    options = {name: value for name, value in options.items() if value not in (None, {})}
    shared = _history_in_common(order)
    if shared is not None:
        ds.attrs["history"] = json.dumps(shared)
        if not skipped and not schema.is_raw(ds):
            return ds
    aside = {"skipped": {path: str(error) for path, error in skipped.items()}} if skipped else None
    files = list(_files(order, guesses))
    given: dict[str, Any] = {"files": files, "of_set": aside, "begins": schema.is_raw(ds)}
    return provenance.record(ds, "open_fits", options, **given)


def check_together(records: Sequence[FileRecord], camera: Camera | None = None) -> None:
    """Raise what :func:`open_records` would, in a fraction of the time."""
    hdu = next((record.options["hdu"] for record in records if "hdu" in record.options), None)
    order = arrange(records, resolve_camera(records, camera, hdu), hdu)
    _units(records)
    _variables(order, None)


def _files(order: Arrangement, guesses: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Yield the files that are read, with their frames, and what is guessed of them."""
    for name, frame in zip(order.names, order.frames, strict=True):
        for path in dict.fromkeys(record.path for record in frame):
            entry = provenance.file_entry(path) | {"frame": name}
            yield entry | ({"guesses": list(guesses[path])} if path in guesses else {})


def _history_in_common(order: Arrangement) -> list[dict[str, Any]] | None:
    """Return the history that this package wrote into the files; None where it is not one."""
    known: dict[str, list[dict[str, Any]] | None] = {}
    histories = []
    for name, frame in zip(order.names, order.frames, strict=True):
        for text in dict.fromkeys(record.layout.history for record in frame):
            steps = known[text] if text in known else known.setdefault(text, _valid_history(text))
            if steps is None:
                return None
            histories.append((name, steps))
    return united(histories)


def _valid_history(text: str) -> list[dict[str, Any]] | None:
    # where cards were lost or changed on the way, what is left is no history
    return read_steps(text) or None


def _units(records: Sequence[FileRecord]) -> tuple[str, dict[str, Sequence[str]]]:
    """Return the unit of all files, and what was guessed about each, by its path."""
    guesses: dict[str, Sequence[str]] = {}
    found: list[tuple[str, str]] = []
    for record in records:
        guessed = record.guesses
        written = value_of(record.header, "BUNIT")
        units = "adu" if written is None else unit_of(written)
        if written is None and record.is_master and record.coordinates["image_type"] == "flat":
            units = "1"
            guessed += ("a master flat without BUNIT is dimensionless",)
        if guessed:
            guesses[record.path] = guessed
        found.append((record.path, units))
    return in_common(found, "{0!r}", "the files differ in units (BUNIT)"), guesses


def _variables(order: Arrangement, dtype: DTypeLike | None) -> dict[str, xr.Variable]:
    planes = {kind: found for kind in ("image", "error", "mask") if (found := order.planes(kind))}
    if "image" not in planes:
        raise BadImageError(f"{order.frames[0][0].path} holds no image")
    for kind in schema.NUMBERS_OF_VALUES:
        if all(kind in record.layout.planes for records in order.frames for record in records):
            planes[kind] = order.planes(kind)
    return variables_of(planes, order.cuts, (order.height, order.width), dtype)


def _coordinates(order: Arrangement) -> dict[str, Any]:
    """Return place, names and coordinates of the headers; what all files lack is left out."""
    heads = [records[0] for records in order.frames]
    columns = [record.coordinates for record in heads]
    found: dict[str, Any] = {
        **schema.place(order.channels, order.height, order.width, order.y, order.x),
        "frame": texts(order.names),
        "time": ("frame", np.array([c["time"] for c in columns], dtype="datetime64[ns]")),
    }
    for name, units in NUMBER_COORDS.items():
        numbers = np.array([c[name] for c in columns], dtype=np.float64)
        found[name] = ("frame", numbers, {"units": units} if units else {})
    for name in TEXT_COORDS:
        found[name] = texts([c[name] for c in columns])
    # the largest value that the integers of each file can have
    ceilings = [min(plane.ceiling for plane in planes) for planes in order.planes("image")]
    if np.isfinite(ceilings).any():
        found["ceiling"] = ("frame", np.array(ceilings), {"units": "adu"})
    # masters whose noise calibrated frames share, and of which nobody has looked for the files
    lost = [
        schema.lost_noise_sources(provenance.steps_of(head.layout.history))
        if "error" in head.layout.planes
        else {}
        for head in heads
    ]
    for name in schema.SHARED.values():
        if any(of_frame.get(name) for of_frame in lost):
            found[name] = texts([of_frame.get(name, "") for of_frame in lost])
    found["path"] = texts([record.path for record in heads])
    paths = [[record.path for record in records] for records in order.frames]
    if any(len(set(of_frame)) > 1 for of_frame in paths):
        found["channel_path"] = (("frame", "channel"), np.array(paths, dtype=_STRING))
    found["header"] = texts([record.layout.header for record in heads])
    return found


def open_planes(
    paths: Sequence[str | PathLike[str]],
    *,
    hdu: HduName | None = None,
    dtype: DTypeLike | None = None,
    exact: bool = False,
) -> xr.Dataset:
    """Open FITS files as frames of the one channel "mono", in the order given.

    Where :func:`~autowisp_xr.open_fits` makes sense of headers, and of how files belong together,
    this takes every file for a frame of its own and its header for text.

    Parameters
    ----------
    paths
        Files, not patterns.
    hdu
        Which HDU is the image; None for the first that holds one.
    dtype
        As for :func:`~autowisp_xr.open_fits`.
    exact
        Whether None for ``dtype`` means float64, not float32, for short integers that BSCALE, BZERO
        or BLANK makes floating point.

    Returns
    -------
    ``image``; ``variance`` (error squared) where all files have errors; ``mask`` where any has one,
    0 in files without: over (frame, channel, y, x), lazily indexed. ``path`` and ``header`` along
    ``frame``; the files in the history.

    Raises
    ------
    FileNotFoundError, BadImageError
        For a file that is not there, or cannot be read.
    ImageMismatchError
        If the images differ in shape.
    ValueError
        If no file is named.
    """
    if not paths:
        raise ValueError("no file is named")
    names = [expanduser(path) for path in paths]
    layouts = [read_layout(name, hdu) for name in names]
    images = [layout.planes["image"] for layout in layouts]
    height, width = shape_in_common((one.path, (one.height, one.width)) for one in images)
    if dtype is None and exact and any(_is_rounded(hdu) for one in images for hdu in one.hdus):
        dtype = np.float64
    planes = {"image": [[image] for image in images]}
    if all("error" in layout.planes for layout in layouts):
        planes["error"] = [[layout.planes["error"]] for layout in layouts]
    if any("mask" in layout.planes for layout in layouts):
        # frames without a mask are clear
        clear = Mosaic(tiles=(), height=height, width=width)
        planes["mask"] = [[layout.planes.get("mask", clear)] for layout in layouts]
    coords: dict[str, Any] = {
        **schema.place({schema.MONO: ChannelSlice()}, height, width),
        "frame": texts(schema.unique_names(names, [bare_name(name) for name in names])),
        "path": texts(names),
        "header": texts([layout.header for layout in layouts]),
    }
    variables = variables_of(planes, [ChannelSlice()], (height, width), dtype)
    ds = schema.with_attributes(xr.Dataset(variables, coords), "adu")
    source = ds.drop_vars(list(ds.data_vars))
    known = zip(names, schema.names(ds, "frame"), strict=True)
    files = [provenance.file_entry(path) | {"frame": frame} for path, frame in known]
    return provenance.record(ds, "open_planes", {"hdu": hdu}, source=source, files=files)


def _is_rounded(plane: Hdu) -> bool:
    """Return whether integers are read as float32."""
    return plane.stored.kind in "iu" and plane.dtype == np.float32


def texts(values: Sequence[str]) -> tuple[str, Any]:
    """Return a coordinate of text along ``frame``."""
    return "frame", np.array(values, dtype=_STRING)
