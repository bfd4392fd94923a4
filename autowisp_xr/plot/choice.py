"""The name of a single frame of a set, and a description of it."""

from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr.headers import cards


def whole_name(one: xr.Dataset) -> str:
    """Return the name of a single frame; of a master, how many frames it was made of."""
    if "frame" in one.coords:
        return str(one["frame"].values)
    number = None
    if "header" in one.coords and one["header"].ndim == 0:
        number = cards.value_of(cards.parse_header(str(one["header"].values)), "NUMFCOMB")
    return "stack" if number is None else f"stack of {number}"


def ending(name: str, longest: int) -> str:
    """Return the end of a long name, in which frames of one night differ."""
    return name if len(name) <= longest else f"…{name[len(name) - longest + 1 :]}"


def description(one: xr.Dataset) -> str:
    """Return type, filter, exposure and date of a frame or master, as far as they are known."""
    kind, name = _text(one, "image_type"), _text(one, "object")
    words = [f"{kind} {name}".strip(), _text(one, "filter")]
    exposure = _scalar(one, "exposure")
    if exposure is not None and np.isfinite(float(exposure)):
        words.append(f"{float(exposure):g} s")
    time = _scalar(one, "time")
    if time is not None and not np.isnat(time):
        words.append(f"{np.datetime_as_string(time, unit='s').replace('T', ' ')} UTC")
    return ", ".join(word for word in words if word)


def _scalar(one: xr.Dataset, name: str) -> Any:
    return one[name].values[()] if name in one.coords and one[name].ndim == 0 else None


def _text(one: xr.Dataset, name: str) -> str:
    found = _scalar(one, name)
    return "" if found is None else str(found).strip()
