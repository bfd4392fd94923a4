"""Cards of a master that merging the headers of its frames has lost, from its coordinates.

Frames differ by a second or a tenth of a degree, so that their cards do not survive the merge; the
night after, a dark without exposure or temperature matches nothing.
"""

import math
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr.cards import ascii_text, value_of
from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.coordinates import read_coordinates
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.times import time_scale, utc_to_scale

__all__ = ["add_lost_cards"]

_SETTINGS = {"gain_setting": "gain", "offset": "offset", "coadds": "coadds"}
"""Coordinates of numbers in which frames agree, and the spellings that they are read by."""


def add_lost_cards(header: fits.Header, master: xr.Dataset) -> None:
    """Add EXPTIME, CCD-TEMP, GAIN, OFFSET, NCOADD, FILTER, DATE-AVG if read otherwise without.

    Each is the card that is asked first. One that is there already is not replaced, for that is
    what all frames said.
    """
    try:
        told = read_coordinates(header, Spellings())
    except HeaderError:
        # of two exposures that contradict each other, the spellings of the user took one
        told = {"exposure": 0.0}
    exposure, temperature = (_number(master, name) for name in ("exposure", "temperature"))
    if math.isfinite(exposure) and math.isnan(told["exposure"]):
        _add(header, "EXPTIME", exposure, "[s] mean of the frames")
    if math.isfinite(temperature) and not math.isclose(
        temperature, told.get("temperature", math.nan), rel_tol=1e-9
    ):
        _add(header, "CCD-TEMP", temperature, "[degC] mean of the frames")
    for name, field in _SETTINGS.items():
        number = _number(master, name)
        if math.isfinite(number) and math.isnan(told.get(name, math.nan)):
            _add(header, getattr(Spellings(), field)[0], number, "of all frames")
    band = _scalar(master, "filter")
    if band and str(band) != told.get("filter"):
        _add(header, "FILTER", ascii_text(str(band)), "of all frames")
    time = _scalar(master, "time")
    if time is not None and not np.isnat(time) and time != told.get("time"):
        _add(header, "DATE-AVG", _date(header, time), "mean of the middles of the exposures")


def _add(header: fits.Header, keyword: str, value: Any, comment: str) -> None:
    if value_of(header, keyword) is None:
        header[keyword] = (value, comment)


def _scalar(ds: xr.Dataset, name: str) -> Any:
    return ds.coords[name].values[()] if name in ds.coords and not ds[name].ndim else None


def _number(ds: xr.Dataset, name: str) -> float:
    value = _scalar(ds, name)
    return math.nan if value is None else float(value)


def _date(header: fits.Header, time: np.datetime64) -> str:
    """Date and time, UTC unless TIMESYS of the header says that dates are in another scale."""
    time = utc_to_scale(time, time_scale(header, Spellings()) or "utc")
    return str(np.datetime_as_string(time.astype("datetime64[ns]"))).rstrip("0").rstrip(".")
