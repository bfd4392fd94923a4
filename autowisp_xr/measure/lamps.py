"""What is known of the lamp of flats: steady, drifting, of another brightness now and then.

Flats show the linearity of a camera as far as their light is known. That of a steady lamp is the
exposure. Where it drifts, an exposure that is repeated between the others follows it ("bracketed
repeat exposures", [1]_ [2]_); where it was changed, both flats of a pair have the same. Nothing
has to be known of it where flats are lit unevenly: the ratio of bright and dim zones is one at all
levels.

References
----------
.. [1] Gilliland, R. L., et al., 1993, AJ 106, 2441.
.. [2] Baldry, I. K., 1999, PhD thesis, University of Sydney, appendix on CCD non-linearity.
"""

from collections import Counter
from typing import Literal

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Floats
from autowisp_xr.measure.level_ladder import Zones
from autowisp_xr.measure.response_fit import Model
from autowisp_xr.schema import along_frames

Lamp = Literal["steady", "bracketed", "pairs", "unknown"]

_DIGITS = 4
"""Of an exposure; two that agree in them are one."""

_BRACKETS = 3
"""Flats of the exposure that is repeated."""

_ZONES = 3
_UNEVEN = 1.5
"""So many zones, of which the brightest has so many times the light of the dimmest, show a curve
for themselves."""


def exposures_of(ds: xr.Dataset) -> Floats:
    """Return the exposures in seconds, (frame); NaN where they are not known."""
    given = along_frames(ds, "exposure").astype(np.float64)
    return np.where(given > 0, given, np.nan)


def times_of(ds: xr.Dataset) -> Floats:
    """Return when frames were taken, (frame) from 0 to 1; by their order where nobody states it."""
    number = ds.sizes["frame"]
    times = np.arange(number, dtype=np.float64)
    if "time" in ds.coords and ds["time"].dims == ("frame",) and not np.isnat(ds["time"]).any():
        times = (ds["time"].values - ds["time"].values.min()).astype(np.float64)
    return times / max(times.max(), 1.0)


def model_of(
    lamp: Lamp, exposures: Floats, times: Floats, zones: Zones, floor: float
) -> Model | str:
    """Return what a lamp like this lets flats show, or why they show nothing."""
    number = len(exposures)
    if lamp == "unknown":
        if zones.level.shape[1] < _ZONES or zones.uneven < _UNEVEN:
            return (
                f"the flats are lit too evenly (bright zones have {zones.uneven:.2f} times the "
                f"light of dim ones) to show it without a lamp that is known"
            )
        unknown = np.full(number, np.nan)
        return Model(unknown, np.empty((number, 0)), zones, offset=False, floor=floor)
    if np.isnan(exposures).all():
        return "their exposures are not known"
    columns: Floats | str = np.empty((number, 0))
    if lamp == "bracketed":
        columns = _brackets(exposures, times)
    elif lamp == "pairs":
        columns = _pairs(exposures, times)
    if isinstance(columns, str):
        return columns
    return Model(exposures, columns, zones, offset=lamp != "pairs", floor=floor)


def _rounded(exposures: Floats) -> list[str]:
    return [f"{exposure:.{_DIGITS}g}" for exposure in exposures]


def distinct(exposures: Floats) -> int:
    """Return how many exposures there are."""
    return len(set(_rounded(exposures[np.isfinite(exposures)])))


def _brackets(exposures: Floats, times: Floats) -> Floats | str:
    """Return the lamp between the flats of the exposure that is repeated most, less its mean."""
    keys = _rounded(exposures)
    (often, count), *_ = Counter(keys).most_common(1)
    moments = np.unique(times[[key == often for key in keys]])
    if min(count, moments.size) < _BRACKETS:
        return (
            f"no exposure is repeated {_BRACKETS} times ({often} s most often, {count} times), "
            "which would show how the lamp drifts"
        )
    tent = np.array([np.interp(times, moments, row) for row in np.eye(moments.size)]).T
    # the mean is the brightness of the zones
    return tent[:, 1:] - tent[:, :1]


def _pairs(exposures: Floats, times: Floats) -> Floats | str:
    """Return a lamp for each two neighbours in time, of two exposures."""
    order = np.argsort(times, kind="stable")
    keys = np.array(_rounded(exposures))[order]
    if len(order) % 2 or (keys[::2] == keys[1::2]).any():
        return "in the order of their time, they are no pairs of two exposures each"
    columns = np.zeros((len(order), len(order) // 2))
    columns[order, np.arange(len(order)) // 2] = 1.0
    return columns[:, 1:] - columns[:, :1]
