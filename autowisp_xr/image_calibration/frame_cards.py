"""The header of a calibrated frame: when it was exposed, and how it was calibrated."""

import hashlib
import math
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from types import UnionType
from typing import Any

from astropy.io import fits
from astropy.time import Time

from autowisp_xr.errors import AutowispWarning, HeaderError
from autowisp_xr.expressions import evaluate
from autowisp_xr.headers.cards import ascii_text, write_card
from autowisp_xr.headers.processing import CORRECTIONS
from autowisp_xr.headers.sensor_grid import PixelGrid, moved
from autowisp_xr.image_calibration.channels import Slices, channel_slices
from autowisp_xr.kinds import MASTERS
from autowisp_xr.regions import Region

_COMPONENTS = {
    "calibrator": "CLIBSHA",
    "mask_utilities": "CMSKSHA",
    "overscan_methods": "COVSSHA",
}
_SECONDS_PER_DAY = 86400


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
