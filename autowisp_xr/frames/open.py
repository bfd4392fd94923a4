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
from autowisp_xr.fits.lazy_pixels import Planes, as_variable
from autowisp_xr.frames.arrange import Arrangement, arrange
from autowisp_xr.frames.resolve import settle_camera
from autowisp_xr.frames.scanning import FileRecord
from autowisp_xr.headers.bunit import unit_of
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.coordinates import NUMBER_COORDS, TEXT_COORDS

__all__ = ["open_records"]

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
    _check(on_error, dtype)
    if not records:
        raise ValueError("there is no record to open; give those of scan")
    asked = {name: value for record in reversed(records) for name, value in record.options.items()}
    hdu = asked.get("hdu") if hdu is None else hdu
    records, skipped = _readable(records, on_error)
    camera = settle_camera(records, camera, hdu)
    order = arrange(records, camera, hdu)
    units, guesses = _units(records)
    ds = xr.Dataset(_variables(order, dtype), _coordinates(order))
    ds = schema.with_attributes(ds, units).assign_attrs(camera=camera.to_json())
    options: dict[str, Any] = {
        "hdu": hdu,
        "spellings": asked.get("spellings"),
        "types": asked.get("types"),
        "dtype": None if dtype is None else np.dtype(dtype).name,
        "skipped": skipped,
        "left_out": order.left_out,
        "guesses": guesses,
    }
    options = {name: value for name, value in options.items() if value not in (None, {})}
    texts = dict.fromkeys(record.layout.history for record in records if record.layout)
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


def _check(on_error: str, dtype: npt.DTypeLike | None) -> None:
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error is 'raise' or 'skip', not {on_error!r}")
    if dtype is not None and np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype is float32 or float64, or None for as stored, not {dtype!r}")


def _readable(
    records: Sequence[FileRecord], on_error: str
) -> tuple[list[FileRecord], dict[str, str]]:
    good = [record for record in records if record.error is None]
    bad = [record for record in records if record.error is not None]
    if bad and on_error == "raise" and bad[0].error is not None:
        raise bad[0].error
    skipped = {record.path: str(record.error) for record in bad}
    if not good:
        reasons = "".join(f"\n  - {reason}" for reason in skipped.values())
        raise BadImageError(f"none of the {len(bad)} files can be opened:{reasons}")
    return good, skipped


def _valid_history(text: str) -> list[dict[str, Any]] | None:
    try:
        records = json.loads(text) if text else None
    except json.JSONDecodeError:
        # cards were lost or changed on the way; what is left is no history
        return None
    return records if records and isinstance(records, list) else None


def _units(records: Sequence[FileRecord]) -> tuple[str, dict[str, list[str]]]:
    guesses: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for record in records:
        for guess in record.guesses:
            guesses.setdefault(guess, []).append(record.path)
        written = value_of(record.header, "BUNIT")
        if written is not None:
            units = unit_of(written)
        elif record.is_master and record.coordinates["image_type"] == "flat":
            units = "1"
            guesses.setdefault("a master flat without BUNIT is dimensionless", []).append(
                record.path
            )
        else:
            units = "adu"
        found.setdefault(units, record.path)
    if len(found) > 1:
        listed = ", ".join(f"{units!r} in {path}" for units, path in found.items())
        raise ImageMismatchError(f"the files differ in units (BUNIT): {listed}; open them apart")
    return next(iter(found)), guesses


def _variables(order: Arrangement, dtype: npt.DTypeLike | None) -> dict[str, xr.Variable]:
    shape = (order.height, order.width)
    wanted = None if dtype is None else np.dtype(dtype)
    planes = order.planes("image")
    if planes is None:
        raise BadImageError(f"{order.frames[0][0].path} holds no image")
    image = Planes(planes, order.cuts, shape, wanted)
    variables = {"image": as_variable(image)}
    errors = order.planes("error")
    if errors is not None:
        kind = image.dtype if image.dtype.kind == "f" else np.dtype(np.float32)
        variables["variance"] = as_variable(Planes(errors, order.cuts, shape, kind))
    masks = order.planes("mask")
    if masks is not None:
        variables["mask"] = as_variable(Planes(masks, order.cuts, shape, np.dtype(np.uint8)))
    if all("count" in record.planes for records in order.frames for record in records):
        counts = order.planes("count") or []
        variables["count"] = as_variable(Planes(counts, order.cuts, shape, np.dtype(np.uint16)))
    return variables


def _lost_lenders(order: Arrangement) -> dict[str, Any]:
    """Masters whose noise calibrated frames share, and of which nobody has looked for the files."""
    texts: dict[str, list[str]] = {name: [] for name in schema.SHARED.values()}
    for records in order.frames:
        layout = records[0].layout
        text = layout.history if layout is not None and "error" in layout.planes else ""
        lost = schema.lost_lenders(provenance.steps_of(text))
        for name, column in texts.items():
            column.append(lost.get(name, ""))
    return {
        name: ("frame", np.array(column, dtype=_STRING))
        for name, column in texts.items()
        if any(column)
    }


def _ceiling(order: Arrangement) -> dict[str, Any]:
    """Largest value that the integers of each file can have; nothing where none are integers."""
    planes = order.planes("image") or []
    ceilings = np.array([min(plane.ceiling for plane in of_frame) for of_frame in planes])
    if not np.isfinite(ceilings).any():
        return {}
    return {"ceiling": ("frame", ceilings, {"units": "adu"})}


def _channel_paths(order: Arrangement) -> dict[str, Any]:
    """The file of each channel, where these are several."""
    paths = [[record.path for record in records] for records in order.frames]
    if all(len(set(of_frame)) == 1 for of_frame in paths):
        return {}
    return {"channel_path": (("frame", "channel"), np.array(paths, dtype=_STRING))}


def _coordinates(order: Arrangement) -> dict[str, Any]:
    heads = [records[0] for records in order.frames]
    columns = [record.coordinates for record in heads]

    def text(values: Sequence[str]) -> tuple[str, npt.NDArray[Any]]:
        return ("frame", np.array(values, dtype=_STRING))

    return {
        **schema.place(order.channels, order.height, order.width, order.y, order.x),
        "frame": text(order.names),
        "time": ("frame", np.array([c["time"] for c in columns], dtype="datetime64[ns]")),
        **{
            name: (
                "frame",
                np.array([c[name] for c in columns], dtype=np.float64),
                {"units": units} if units else {},
            )
            for name, units in NUMBER_COORDS.items()
        },
        **{name: text([c[name] for c in columns]) for name in TEXT_COORDS},
        **_ceiling(order),
        **_lost_lenders(order),
        "path": text([record.path for record in heads]),
        **_channel_paths(order),
        "header": text([record.layout.header if record.layout else "" for record in heads]),
    }
