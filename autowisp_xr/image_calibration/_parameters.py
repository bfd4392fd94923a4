"""Parameters of a calibration: their names and defaults, and what a frame adds to them."""

import difflib
import math
from collections.abc import Collection, Iterator, Mapping
from numbers import Real
from typing import Any

from autowisp_xr.cards import value_of
from autowisp_xr.errors import CalibrationError
from autowisp_xr.image_calibration._channels import channel_slices, inside
from autowisp_xr.image_calibration._masters import KINDS
from autowisp_xr.image_calibration._raw import RawFrame
from autowisp_xr.io.spellings import Spellings
from autowisp_xr.io.values import first_number
from autowisp_xr.regions import Region

__all__ = ["DEFAULTS", "check_names", "normalised", "settled"]

DEFAULTS: dict[str, Any] = {
    "allow_overwrite": False,
    "bias_level_adu": 0.0,
    "calibrated_fname": None,
    "compress_calibrated": 16,
    "diagnostic_quantiles": None,
    "exposure_seconds": None,
    "exposure_start_jd": None,
    "exposure_start_utc": None,
    "extra_header": None,
    "fnum": None,
    "gain": 1.0,
    "image_area": None,
    "leak_directions": [],
    "overscans": {"areas": None, "method": None},
    "project_home": None,
    "raw_hdu": None,
    "read_noise_electrons": 0.0,
    "saturation_threshold": None,
    "split_channels": False,
}

_ALIASES = {
    "calibrated": "calibrated_fname",
    "overscan": "overscans",
    **{f"master_{kind}": kind for kind in KINDS},
}


def normalised(given: Mapping[str, Any], *, defaults: Collection[str]) -> dict[str, Any]:
    """The same parameters under their one name; what is used up by reading is kept as a list.

    Raises
    ------
    TypeError
        For a name that is no parameter, with those near it, or one that is given twice.
    """
    renamed = {
        _ALIASES.get(name, name): list(value) if isinstance(value, Iterator) else value
        for name, value in given.items()
    }
    if len(renamed) != len(given):
        raise TypeError(f"a parameter is given under two names among {', '.join(given)}")
    known = {*defaults, *KINDS, *_ALIASES, "masks"}
    check_names(renamed, known, "parameter of a calibration")
    return renamed


def check_names(given: Collection[str], known: Collection[str], what: str) -> None:
    """Raise TypeError for the first name that is not known, with those near it."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"; near it are {', '.join(near)}" if near else ""
            raise TypeError(f"{name!r} is no {what}{hint} (there are {', '.join(sorted(known))})")


def active_overscans(given: Any) -> dict[str, Any] | None:
    """Areas, method and whatever the method takes besides; None where nothing is to be done."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise CalibrationError(
            f'overscans is None or {{"areas": [...], "method": ...}}, not {given!r}'
        )
    areas, method = given.get("areas"), given.get("method")
    if areas is None or method is None:
        return None
    if isinstance(areas, Mapping):
        areas = [areas]
    return {
        **given,
        "areas": list(areas),
        "method": method() if isinstance(method, type) else method,
    }


def settled(params: Mapping[str, Any], frame: RawFrame) -> dict[str, Any]:
    """Parameters for one frame: what was left open is taken from it, masters are assembled.

    Raises
    ------
    CalibrationError
        Where the gain is to come from a header without GAIN; for areas that are none.
    ImageMismatchError
        Where masters have not the shape of the image area.
    """
    height, width = frame.image.shape
    header = next(iter(frame.headers.values()))
    found = dict(params)
    _check_values(params)
    area = params["image_area"]
    area = {"xmin": 0, "xmax": width, "ymin": 0, "ymax": height} if area is None else area
    area = found["image_area"] = Region.parse(area)
    channels = found["channels"] = inside(channel_slices(params["split_channels"]), area)
    found["overscans"] = active_overscans(params["overscans"])
    if params["gain"] is None:
        found["gain"] = _gain_of(header, frame.path)
    if params["saturation_threshold"] is None:
        found["saturation_threshold"] = _saturation_of(header, params["bias_level_adu"])
    shape = (area.ymax - area.ymin, area.xmax - area.xmin)
    for name in (*KINDS, "masks"):
        loaded = params[name]
        found[name] = None if loaded is None else loaded.assembled(channels, shape)
    return found


def _check_values(params: Mapping[str, Any]) -> None:
    for name in ("gain", "read_noise_electrons", "bias_level_adu", "saturation_threshold"):
        value = params[name]
        may_be_none = name in ("gain", "saturation_threshold")
        if not (isinstance(value, Real) or (value is None and may_be_none)):
            raise CalibrationError(f"{name} is a number, not {value!r}")
    for quantile in params["diagnostic_quantiles"] or ():
        if not (isinstance(quantile, Real) and 0 <= float(quantile) <= 1):
            raise CalibrationError(f"diagnostic_quantiles go from 0 to 1, {quantile!r} does not")
    compress = params["compress_calibrated"]
    if compress and not (isinstance(compress, Real) and float(compress) > 0):
        raise CalibrationError(
            f"compress_calibrated is None, True or a positive number, not {compress!r}"
        )


def _gain_of(header: Any, path: str) -> float:
    gain = value_of(header, "GAIN")
    try:
        return float(gain)
    except (TypeError, ValueError):
        raise CalibrationError(
            f"{path}: gain=None takes the gain from the header, whose GAIN is {gain!r}; give "
            "gain=... in electrons per ADU"
        ) from None


def _saturation_of(header: Any, bias_level: float) -> float | None:
    """Threshold that the header names, in ADU above the bias level; None where it names none."""
    level = first_number(header, Spellings().saturation, above=0.0) - bias_level
    return None if math.isnan(level) or level <= 0 else level
