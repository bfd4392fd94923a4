"""One raw frame calibrated by the verbs of the package, as the classes define it; its header."""

import hashlib
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from types import UnionType
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.time import Time

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Image
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning, CalibrationError, HeaderError, ImageMismatchError
from autowisp_xr.expressions import evaluate
from autowisp_xr.headers.cards import ascii_text, write_card
from autowisp_xr.headers.processing import CORRECTIONS
from autowisp_xr.headers.sensor_grid import PixelGrid, moved
from autowisp_xr.image_calibration.parameters import INPUTS
from autowisp_xr.image_calibration.raw_frame import RawFrame, Slices, channel_slices
from autowisp_xr.kinds import KINDS, MASTERS
from autowisp_xr.regions import ChannelSlice, Region
from autowisp_xr.stats.floats import as_floats
from autowisp_xr.steps.calibration import calibrated

_COMPONENTS = {
    "calibrator": "CLIBSHA",
    "mask_utilities": "CMSKSHA",
    "overscan_methods": "COVSSHA",
}
_SECONDS_PER_DAY = 86400


def camera_of(params: Mapping[str, Any]) -> Camera:
    """Return the camera that parameters describe; those that are not given have their defaults."""
    return Camera(
        gain=params.get("gain", 1.0),
        read_noise=params.get("read_noise_electrons"),
        saturation=params.get("saturation_threshold"),
        bias_level=params.get("bias_level_adu", 0.0),
        image_area=params.get("image_area"),
        overscan=(params.get("overscans") or {}).get("areas") or (),
        leak_directions=params.get("leak_directions"),
    )


def measured_overscan(frame: RawFrame, params: Mapping[str, Any]) -> xr.Dataset | None:
    """Return level and variance by the overscan method, over (frame, y, x) or broadcast to these.

    The method sees the raw frame with the bias level subtracted, NaN where nothing was read.
    """
    overscans = params["overscans"]
    if overscans is None:
        return None
    # a copy in floats: methods of users subtract and square, and may write into it
    raw = frame.image.astype(np.float64) - params["bias_level_adu"]
    if frame.unread is not None:
        raw[frame.unread] = np.nan
    area: Region = params["image_area"]
    more = {name: value for name, value in overscans.items() if name not in ("areas", "method")}
    found = overscans["method"](
        raw_image=raw,
        overscans=overscans["areas"],
        image_area=asdict(area),
        gain=params["gain"],
        split_channels=params["split_channels"],
        **more,
    )
    method = f"the overscan method {_named(overscans['method'])}"
    planes = []
    for name in ("correction", "variance"):
        if not isinstance(found, Mapping) or name not in found:
            raise CalibrationError(
                f"{method} gave {found!r}, not a mapping of 'correction' and 'variance'"
            )
        try:
            planes.append(np.atleast_2d(as_floats(found[name])))
            np.broadcast_to(planes[-1], area.shape)
        except ValueError:
            raise ImageMismatchError(
                f"{method} gave a {name} of the shape {np.shape(found[name])}, the image area has "
                f"{area.shape}"
            ) from None
    level, variance = np.broadcast_arrays(*planes)
    if not ((np.isfinite(variance) & (variance >= 0)) | ~np.isfinite(level)).all():
        raise CalibrationError(f"{method} gave a variance that is negative or not finite")
    # with the dim frame: the level belongs to this frame, and is not shared with others
    dims = ("frame", "y", "x")
    return xr.Dataset({"image": (dims, level[None]), "variance": (dims, variance[None])})


def calibrate_frame(
    frame: RawFrame, params: Mapping[str, Any], overscan: xr.Dataset | None
) -> xr.Dataset:
    """Calibrate the image area of a frame, as one monochrome frame."""
    camera = camera_of(params)
    raw = _opened({"image": frame.image}, "adu", [frame.path])
    raw = raw.expand_dims(frame=[frame.path])
    masks = params["masks"]
    result = calibrated(
        raw,
        noise="required",
        masters={kind: _master(params, kind) for kind in MASTERS},
        masks=None if masks is None else masks["image"],
        overscan=False if overscan is None else overscan,
        camera=camera,
        photons="absolute",
        # FITS files do not hold it
        shared=False,
        above=True,
        dtype=params["dtype"],
    )
    chosen = {kind: params[kind] for kind in INPUTS if params[kind]}
    how = params["overscans"] and {
        **params["overscans"],
        "method": _named(params["overscans"]["method"]),
    }
    options = {"overscan": how, **{kind: one["filenames"] for kind, one in chosen.items()}}
    files = [entry for one in chosen.values() for entry in one["files"]]
    return provenance.record(result, "Calibrator", options, files=files)


def _master(params: Mapping[str, Any], kind: str) -> xr.Dataset | None:
    """Return an assembled master as a verb takes it; None where there is none."""
    master = params[kind]
    if master is None:
        return None
    names = {"image": "correction", "variance": "variance", "mask": "mask"}
    planes = {name: master[key] for name, key in names.items()}
    return _opened(planes, KINDS[kind].master_unit, master["files"], params["image_area"])


def _opened(
    planes: Mapping[str, Image],
    units: str,
    files: Sequence[str | dict[str, Any]],
    area: Region | None = None,
) -> xr.Dataset:
    """Return planes as a verb takes them, (channel, y, x), in an area of the raw frame.

    Their history is their files alone. The classes add the variance of every master in full, as the
    original does; the verbs would take out what a dark shares with the bias that it was made with.
    """
    height, width = planes["image"].shape
    y, x = (0, 0) if area is None else (area.ymin, area.xmin)
    coords = schema.place({schema.MONO: ChannelSlice()}, height, width, y, x)
    ds = xr.Dataset({n: (schema.DIMS[1:], plane[None]) for n, plane in planes.items()}, coords)
    ds = schema.with_attributes(ds, units)
    return provenance.record(ds, "open_planes", source=xr.Dataset(), files=files)


def _named(method: object) -> str:
    """Return the name of an overscan method, without the address of an object."""
    if hasattr(method, "__qualname__"):
        return str(method.__qualname__)
    plain = repr(method) == object.__repr__(method)
    return type(method).__qualname__ if plain else repr(method)


def _blob_id(module: str) -> str:
    """Return the name that Git gives to the source of a module."""
    source = Path(__file__).with_name(f"{module}.py").read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(source) + source, usedforsecurity=False).hexdigest()


module_git_ids = {module: _blob_id(module) for module in _COMPONENTS}
"""The SHA-1 of the source of each component, as Git computes it."""


def document_exposure(header: fits.Header, params: Mapping[str, Any]) -> None:
    """Add JD-OBS, FNUM, EXPTIME and PROJHOME, as far as ``params`` define them.

    The start of the exposure (``exposure_start_utc``, else ``exposure_start_jd``) and its length
    are expressions over the header; JD-OBS is the Julian date of the middle, UTC. ``fnum`` may
    use it as JD_OBS.

    Raises
    ------
    HeaderError
        Where an expression cannot be evaluated, or gives no time.
    """
    start: float | None = None
    if params["exposure_start_utc"] is not None:
        text = _value(header, params, "exposure_start_utc", str, "a date and time as text")
        start = _julian_date(text, params["exposure_start_utc"])
    elif params["exposure_start_jd"] is not None:
        start = float(_value(header, params, "exposure_start_jd", Real, "a Julian date"))
    seconds: Any = None
    if start is not None or params["exposure_seconds"] is not None:
        seconds = _value(header, params, "exposure_seconds", Real, "a number of seconds")
    if start is not None:
        middle = start + seconds / 2 / _SECONDS_PER_DAY
        header["JD-OBS"] = (middle, "Julian date (UTC) of the middle of the exposure")
    if params["fnum"] is not None:
        number = _value(header, params, "fnum", Real | str, "a number or a text")
        header["FNUM"] = (number, "Number of the frame")
    if seconds is not None:
        header["EXPTIME"] = (seconds, header.comments["EXPTIME"] if "EXPTIME" in header else "s")
    if params["project_home"] is not None:
        header["PROJHOME"] = (ascii_text(str(params["project_home"])), "Home of the project")


def _julian_date(text: str, expression: str) -> float:
    try:
        date = float(Time(text, scale="utc").jd)
    except ValueError:
        raise HeaderError(
            f"exposure_start_utc, {expression!r}, gives {text!r}, which is no time such as "
            "2024-03-01T01:02:03.5"
        ) from None
    if ":" not in text:
        warnings.warn(
            f"exposure_start_utc, {expression!r}, gives the date {text} without a time of day, "
            "which is taken for midnight",
            AutowispWarning,
            stacklevel=4,
        )
    return date


def _value(
    header: fits.Header,
    params: Mapping[str, Any],
    name: str,
    kind: type | UnionType,
    expected: str,
) -> Any:
    """Return the value of a parameter that is an expression, or a number itself."""
    expression = params[name]
    if expression is None and name == "exposure_seconds":
        expression = "EXPTIME"
    try:
        value = evaluate(expression, header) if isinstance(expression, str) else expression
    except HeaderError as error:
        raise HeaderError(f"{name}: {error}") from None
    if not isinstance(value, kind) or (isinstance(value, Real) and not math.isfinite(value)):
        raise HeaderError(f"{name}, {expression!r}, gives {value!r}, not {expected}")
    return value


def document_channel(
    header: fits.Header, name: str | None, slices: Slices, params: Mapping[str, Any]
) -> fits.Header:
    """Return the header of a channel: its cards count the pixels of the channel, and place them.

    Parameters
    ----------
    header
        That of the raw frame, or of the HDU of the channel where each has its own. Its cards of the
        sky, and LTV and LTM, are moved to the channel.
    name
        For CLRCHNL, if the channel has one.
    slices
        Rows and columns of the channel in the image area.
    params
        The resolved parameters.
    """
    stored = PixelGrid()
    if isinstance(params["raw_hdu"], Mapping):
        stored = _grid(channel_slices(params["split_channels"])[name])
    area: Region = params["image_area"]
    header = moved(header, stored, _grid(slices, area.ymin, area.xmin))
    if name is not None:
        write_card(header, "CLRCHNL", name)
    for axis, part in (("X", slices[1]), ("Y", slices[0])):
        write_card(header, f"CHNL{axis}OFF", part.start or 0)
        write_card(header, f"CHNL{axis}STP", part.step or 1)
    return header


def _grid(slices: Slices, y: int = 0, x: int = 0) -> PixelGrid:
    rows, columns = slices
    return PixelGrid(
        x=x + (columns.start or 0),
        y=y + (rows.start or 0),
        x_step=columns.step or 1,
        y_step=rows.step or 1,
    )


def document_calibration(header: fits.Header, params: Mapping[str, Any]) -> None:
    """Add how a frame was calibrated: masters with SHA-1, overscan, image area, gain, versions."""
    channel = header.get("CLRCHNL")
    for kind in MASTERS:
        if params[kind] is None:
            continue
        loaded = {ascii_text(str(name)): own for name, own in params[kind]["loaded"].items()}
        own = loaded.get(str(channel), next(iter(loaded.values())))
        header[CORRECTIONS[kind].own] = (ascii_text(own.name), f"Master {kind} used")
        header[f"M{kind.upper()}SHA"] = (own.sha1, f"SHA-1 of the master {kind}")
    overscans = params["overscans"]
    if overscans is not None:
        for number, given in enumerate(overscans["areas"]):
            header[f"OVRSCN{number:02d}"] = (str(Region.parse(given)), "Overscan region")
        document = getattr(overscans["method"], "document_in_fits_header", None)
        if document is not None:
            document(header)
    write_card(header, "IMAGAREA", str(params["image_area"]))
    write_card(header, "CALBGAIN", params["gain"])
    write_card(header, "BUNIT", "adu")
    for module, keyword in _COMPONENTS.items():
        header[keyword] = (module_git_ids[module], f"Git blob of {module}.py")
    header["AXRVERS"] = (version("autowisp-xr"), "Version of autowisp-xr")
