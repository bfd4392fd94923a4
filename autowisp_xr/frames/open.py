"""Files that were scanned as a frame set whose pixels are read when they are asked for."""

import json
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.errors import BadImageError, ImageMismatchError
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.lazy_pixels import variables_of
from autowisp_xr.frames.arrange import Arrangement, arrange
from autowisp_xr.frames.camera_of_files import resolve_camera
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.headers.bunit import unit_of
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.coordinates import NUMBER_COORDS, TEXT_COORDS

_STRING = np.dtypes.StringDType()


def open_records(
    records: Sequence[FileRecord],
    *,
    camera: Camera | None = None,
    hdu: HduChoice = None,
    dtype: npt.DTypeLike | None = None,
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
    if dtype is not None and np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype is float32 or float64, or None for as stored, not {dtype!r}")
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
    ds = schema.with_attributes(ds, units).assign_attrs(camera=camera.to_json())
    options: dict[str, Any] = {
        "hdu": hdu,
        "aliases": asked.get("aliases"),
        "types": asked.get("types"),
        "dtype": None if dtype is None else np.dtype(dtype).name,
        "skipped": {path: str(error) for path, error in skipped.items()},
        "left_out": order.left_out,
        "guesses": guesses,
    }
    options = {name: value for name, value in options.items() if value not in (None, {})}
    texts = dict.fromkeys(record.layout.history for record in records)
    histories = [_valid_history(text) for text in texts]
    shared = None if None in histories else provenance.united(filter(None, histories))
    if shared is not None:
        ds.attrs["history"] = json.dumps(shared)
        if not skipped:
            return ds
    # what the record stands upon has no pixels: their digest would read every file
    source = ds.drop_vars(list(ds.data_vars))
    return provenance.record(ds, "open_fits", options, source=source, files=_files(order, records))


def _files(order: Arrangement, records: Sequence[FileRecord]) -> list[Any]:
    """Files that are read; where a frame has several, with its name."""
    if all(len({record.path for record in frame}) == 1 for frame in order.frames):
        return [record.path for record in records]
    return [
        provenance.file_entry(path) | {"frame": name}
        for name, frame in zip(order.names, order.frames, strict=True)
        for path in dict.fromkeys(record.path for record in frame)
    ]


def _valid_history(text: str) -> list[dict[str, Any]] | None:
    try:
        records = json.loads(text) if text else None
    except json.JSONDecodeError:
        # cards were lost or changed on the way; what is left is no history
        return None
    return records if records and isinstance(records, list) else None


def _units(records: Sequence[FileRecord]) -> tuple[str, dict[str, list[str]]]:
    """The unit of all files, and what was guessed, of which of them."""
    guesses: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for record in records:
        guessed = record.guesses
        written = value_of(record.header, "BUNIT")
        units = "adu" if written is None else unit_of(written)
        if written is None and record.is_master and record.coordinates["image_type"] == "flat":
            units = "1"
            guessed += ("a master flat without BUNIT is dimensionless",)
        for guess in guessed:
            guesses.setdefault(guess, []).append(record.path)
        found.setdefault(units, record.path)
    if len(found) > 1:
        listed = ", ".join(f"{units!r} in {path}" for units, path in found.items())
        raise ImageMismatchError(f"the files differ in units (BUNIT): {listed}; open them apart")
    return next(iter(found)), guesses


def _variables(order: Arrangement, dtype: npt.DTypeLike | None) -> dict[str, xr.Variable]:
    planes = {kind: found for kind in ("image", "error", "mask") if (found := order.planes(kind))}
    if "image" not in planes:
        raise BadImageError(f"{order.frames[0][0].path} holds no image")
    if all("count" in record.layout.planes for records in order.frames for record in records):
        planes["count"] = order.planes("count")
    return variables_of(planes, order.cuts, (order.height, order.width), dtype)


def _coordinates(order: Arrangement) -> dict[str, Any]:
    """Place, names and what the headers say; what all files lack is left out."""
    heads = [records[0] for records in order.frames]
    columns = [record.coordinates for record in heads]
    found: dict[str, Any] = {
        **schema.place(order.channels, order.height, order.width, order.y, order.x),
        "frame": _texts(order.names),
        "time": ("frame", np.array([c["time"] for c in columns], dtype="datetime64[ns]")),
    }
    for name, units in NUMBER_COORDS.items():
        numbers = np.array([c[name] for c in columns], dtype=np.float64)
        found[name] = ("frame", numbers, {"units": units} if units else {})
    for name in TEXT_COORDS:
        found[name] = _texts([c[name] for c in columns])
    # the largest value that the integers of each file can have
    ceilings = [min(plane.ceiling for plane in planes) for planes in order.planes("image")]
    if np.isfinite(ceilings).any():
        found["ceiling"] = ("frame", np.array(ceilings), {"units": "adu"})
    # masters whose noise calibrated frames share, and of which nobody has looked for the files
    lost = [
        schema.lost_lenders(provenance.steps_of(head.layout.history))
        if "error" in head.layout.planes
        else {}
        for head in heads
    ]
    for name in schema.SHARED.values():
        if any(of_frame.get(name) for of_frame in lost):
            found[name] = _texts([of_frame.get(name, "") for of_frame in lost])
    found["path"] = _texts([record.path for record in heads])
    paths = [[record.path for record in records] for records in order.frames]
    if any(len(set(of_frame)) > 1 for of_frame in paths):
        found["channel_path"] = (("frame", "channel"), np.array(paths, dtype=_STRING))
    found["header"] = _texts([record.layout.header for record in heads])
    return found


def _texts(values: Sequence[str]) -> tuple[str, Any]:
    return "frame", np.array(values, dtype=_STRING)
