"""The parameters of a calibration: their names, defaults, and their values for one frame."""

import difflib
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from astropy.io import fits

from autowisp_xr.errors import AutowispWarning, CalibrationError
from autowisp_xr.frames.write import quantize_level
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.bunit import unit_of
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.values import Cards
from autowisp_xr.image_calibration.loaded_masters import traits_of
from autowisp_xr.image_calibration.raw_frame import RawFrame, channel_slices, inside
from autowisp_xr.kinds import MASTERS
from autowisp_xr.regions import Region

DEFAULTS: dict[str, Any] = {
    "allow_overwrite": False,
    "bias_level_adu": 0.0,
    "calibrated_fname": None,
    "compress_calibrated": 16,
    "diagnostic_quantiles": None,
    "dtype": "float64",
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

INPUTS = (*MASTERS, "masks")
"""The masters and masks that a frame is calibrated with."""

_ALIASES = {
    "calibrated": "calibrated_fname",
    "overscan": "overscans",
    **{f"master_{kind}": kind for kind in MASTERS},
}


def normalised(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same parameters under their one name; iterators become lists.

    Raises
    ------
    TypeError
        For a name that is not a parameter, with those near it, or one that is given twice.
    """
    renamed = {
        _ALIASES.get(name, name): list(value) if isinstance(value, Iterator) else value
        for name, value in given.items()
    }
    if len(renamed) != len(given):
        raise TypeError(f"a parameter is given under two names among {', '.join(given)}")
    known = {*DEFAULTS, *INPUTS, *_ALIASES}
    check_names(renamed, known, "parameter of a calibration")
    return renamed


def check_names(given: Collection[str], known: Collection[str], what: str) -> None:
    """Raise TypeError for the first name that is not known, with those near it."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"; near it are {', '.join(near)}" if near else ""
            raise TypeError(f"{name!r} is no {what}{hint} (there are {', '.join(sorted(known))})")


def active_overscans(given: object) -> dict[str, Any] | None:
    """Return areas, method and the further entries for it; None where no overscan is corrected."""
    if given is None:
        return None
    if not (isinstance(given, Mapping) and {"areas", "method"} <= set(given)):
        raise CalibrationError(
            "overscans is None or a dictionary with the entries 'areas' and 'method', not "
            f"{given!r}; None is for no overscan"
        )
    areas, method = given["areas"], given["method"]
    if areas is None or method is None:
        return None
    if isinstance(method, type):
        method = method()
    if not callable(method):
        raise CalibrationError(
            "the method of overscans is an object such as overscan_methods.Median(), not "
            f"{method!r}"
        )
    areas = [areas] if isinstance(areas, Mapping) else list(areas)
    return {**given, "areas": areas, "method": method}


def resolved(params: Mapping[str, Any], frame: RawFrame) -> dict[str, Any]:
    """Return the parameters of one frame: those left open are taken from it, masters assembled.

    Raises
    ------
    CalibrationError
        Where the gain is to come from a header without GAIN; for areas that cannot be parsed.
    ImageMismatchError
        Where masters do not have the shape of the image area.

    Warns
    -----
    AutowispWarning
        For a gain that the header contradicts, and masters that hardly belong to the frame.
    """
    _check_values(params)
    found = dict(params)
    if found["image_area"] is None:
        height, width = frame.image.shape
        found["image_area"] = Region(xmin=0, xmax=width, ymin=0, ymax=height)
    area = found["image_area"] = Region.parse(found["image_area"])
    channels = found["channels"] = inside(channel_slices(params["split_channels"]), area)
    found["overscans"] = active_overscans(params["overscans"])
    readers: dict[str, Callable[[fits.Header], float | None]] = {
        "gain": partial(_gain_of, path=frame.path),
        "saturation_threshold": partial(_saturation_of, bias_level=params["bias_level_adu"]),
    }
    for name, read in readers.items():
        if params[name] is not None:
            continue
        values = {channel: read(header) for channel, header in frame.headers.items()}
        if len(set(values.values())) > 1:
            raise CalibrationError(
                f"{frame.path}: the headers of the channels give {name} as {values}; calibrate one "
                f"channel at a time, or give {name}"
            )
        found[name] = next(iter(values.values()))
    header = next(iter(frame.headers.values()))
    traits = traits_of(header)
    if abs(found["gain"] - traits.egain) > _CONTRADICTED * traits.egain:
        warnings.warn(
            f"{frame.path} states a gain of {traits.egain:g} electrons per ADU (EGAIN); it is "
            f"calibrated with gain={found['gain']:g} all the same",
            AutowispWarning,
            stacklevel=3,
        )
    unit = unit_of(value_of(header, "BUNIT") or "adu")
    if unit == "electron" or unit.endswith("/s"):
        warnings.warn(
            f"{frame.path} is in units of {unit!r} (BUNIT), whose noise is another; it is "
            "calibrated as if they were ADU all the same",
            AutowispWarning,
            stacklevel=3,
        )
    for name in INPUTS:
        loaded = params[name]
        found[name] = None if loaded is None else loaded.assembled(channels, area.shape)
        if loaded is not None and name in MASTERS:
            loaded.warn_of_doubts(name, found, header, traits)
    return found


_CONTRADICTED = 0.2
"""Relative difference of a gain from that of the header, which measurements of it do not reach."""


def _check_values(params: Mapping[str, Any]) -> None:
    for name in ("gain", "read_noise_electrons", "bias_level_adu", "saturation_threshold"):
        value = params[name]
        may_be_none = name in ("gain", "saturation_threshold")
        if not (isinstance(value, Real) or (value is None and may_be_none)):
            raise CalibrationError(f"{name} is a number, not {value!r}")
    if params["dtype"] not in ("float32", "float64"):
        raise CalibrationError(f"dtype is 'float64' or 'float32', not {params['dtype']!r}")
    quantiles = params["diagnostic_quantiles"]
    for quantile in () if quantiles is None else np.atleast_1d(quantiles).tolist():
        if not (isinstance(quantile, Real) and 0 <= float(quantile) <= 1):
            raise CalibrationError(f"diagnostic_quantiles go from 0 to 1, {quantile!r} does not")
    try:
        quantize_level(params["compress_calibrated"])
    except ValueError as error:
        raise CalibrationError(f"compress_calibrated: {error}") from error


def _gain_of(header: fits.Header, path: str) -> float:
    gain = value_of(header, "GAIN")
    try:
        return float(gain)
    except (TypeError, ValueError):
        raise CalibrationError(
            f"{path}: gain=None takes the gain from the header, whose GAIN is {gain!r}; give "
            "gain=... in electrons per ADU"
        ) from None


def _saturation_of(header: fits.Header, bias_level: float) -> float | None:
    """Return the threshold of the header, in ADU above the bias level; None where it has none."""
    level = Cards(header, KeywordAliases()).number("saturation", above=0.0) - bias_level
    return level if level > 0 else None
