"""Darks sorted by temperature and exposure, each temperature with the biases that go with it."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.errors import CalibrationError, ImageMismatchError
from autowisp_xr.first_names import first_of
from autowisp_xr.kinds import KINDS, TEMPERATURE_TOLERANCE
from autowisp_xr.matching import lowest_of_parts, same_exposure
from autowisp_xr.measure import frame_pairs
from autowisp_xr.steps.master_matching import OF_PIXELS, check_alike, reason_between

_SHOWN = 4


class DarkSet(NamedTuple):
    """Darks of one temperature, and the biases that are of about the same."""

    temperature: float
    """Mean of the darks, in C; NaN where that is not known."""
    parts: list[list[int]]
    """Numbers of darks of one exposure each."""
    biases: list[int]
    """Numbers of biases."""

    @property
    def darks(self) -> list[int]:
        """The numbers of all darks."""
        return [number for part in self.parts for number in part]


def ready(ds: xr.Dataset, kind: str) -> xr.Dataset:
    """Return raw darks or biases with their coordinates in memory; raise where they are none."""
    what = {"dark": "darks", "bias": "biases"}[kind]
    ds = frame_pairs.ready(ds, what, "a dark current")
    stated = ds["image_type"].values if "image_type" in ds.coords else kind
    strange = _names(ds, np.atleast_1d(stated) != kind)
    if strange:
        raise ImageMismatchError(
            f"among the {what} are frames of another type ({strange}); select them by "
            f"where_type({kind!r})"
        )
    leave_out = ("temperature", "exposure") if kind == "dark" else ("temperature",)
    check_alike(ds, "one dark current", kind=kind, leave_out=leave_out)
    return ds


def check_same_camera(darks: xr.Dataset, biases: xr.Dataset) -> None:
    """Raise ImageMismatchError for biases of other pixels or another setting than the darks."""
    names = [name for name in KINDS["bias"].serves if name not in ("temperature", *OF_PIXELS)]
    found = reason_between(darks, biases, "bias", names)
    if found is not None:
        raise ImageMismatchError(
            f"the biases do not go with the darks: one is {found}; select one setting, as with "
            f"ds.isel(frame=ds.{found.trait} == ...)"
        )
    same_channels = schema.names(darks, "channel") == schema.names(biases, "channel")
    if not (same_channels and schema.on_same_pixels(darks, biases)):
        raise ImageMismatchError(
            f"the darks cover {schema.extent(darks)}, the biases {schema.extent(biases)}; give "
            "biases of the same size, binning and channels"
        )


def sorted_darks(
    darks: xr.Dataset, biases: xr.Dataset | None, tolerance: float
) -> tuple[list[DarkSet], dict[str, str]]:
    """Sort darks into sets whose rate can be measured, the coldest first.

    Parameters
    ----------
    darks, biases
        As :func:`ready` gives them.
    tolerance
        Degrees that the temperatures of one set span at most.

    Returns
    -------
    The sets, and why other darks are in none, by their names.

    Raises
    ------
    CalibrationError
        For darks of no exposure, or of which only some state their temperature; where no set has
        two exposures, or one and biases.
    """
    exposure = along_frames(darks, "exposure")
    unknown = _names(darks, ~(exposure > 0))
    if unknown:
        raise CalibrationError(
            f"the exposure of darks is not known, or 0 ({unknown}: EXPTIME, EXPOSURE or the like); "
            "leave them out, or give it: darks.assign_coords(exposure=('frame', [...]))"
        )
    temperature = along_frames(darks, "temperature")
    silent = ~np.isfinite(temperature)
    if silent.any() and not silent.all():
        raise CalibrationError(
            f"some darks do not state their temperature ({_names(darks, silent)}: CCD-TEMP or the "
            "like), others do; leave them out, or give it: "
            "darks.assign_coords(temperature=('frame', [...]))"
        )
    coldest = lowest_of_parts(sorted(temperature[~silent].tolist()), tolerance)
    place = np.searchsorted(coldest, temperature, "right")
    sets: list[DarkSet] = []
    left_out: dict[str, str] = {}
    for number in np.unique(place).tolist():
        members = np.flatnonzero(place == number)
        mean = float(temperature[members].mean())
        one = DarkSet(mean, _by_exposure(members.tolist(), exposure), _biases_at(mean, biases))
        if len(one.parts) > 1 or one.biases:
            sets.append(one)
        else:
            why = _why_not(exposure[members[0]], mean, biases)
            left_out |= {schema.names(darks, "frame")[i]: why for i in one.darks}
    if not sets:
        first = next(iter(left_out))
        raise CalibrationError(f"{first} {left_out[first]}")
    return sets, left_out


def along_frames(ds: xr.Dataset, name: str) -> Floats:
    """Return a number of each frame; NaN where it is not known."""
    found: Floats = schema.along_frames(ds, name).astype(np.float64)
    return found


def _by_exposure(numbers: list[int], exposure: Floats) -> list[list[int]]:
    """Part darks whose exposures differ, the shortest first."""
    parts: list[list[int]] = []
    for number in sorted(numbers, key=lambda number: exposure[number]):
        if parts and same_exposure(exposure[parts[-1][0]], exposure[number]):
            parts[-1].append(number)
        else:
            parts.append([number])
    return parts


def _biases_at(temperature: float, biases: xr.Dataset | None) -> list[int]:
    """Return the numbers of biases of about a temperature; of what is not known, all fit."""
    if biases is None:
        return []
    off = np.abs(along_frames(biases, "temperature") - temperature)
    return np.flatnonzero(~(off > TEMPERATURE_TOLERANCE)).tolist()


def _why_not(exposure: float, temperature: float, biases: xr.Dataset | None) -> str:
    at = f" at {temperature:.1f} C" if np.isfinite(temperature) else ""
    why = "and there are no biases"
    if biases is not None:
        degrees = along_frames(biases, "temperature")
        why = f"and the biases are at {np.nanmin(degrees):.1f} to {np.nanmax(degrees):.1f} C"
    return (
        f"is of the only exposure{at}, {exposure:g} s, {why}, so that its dark current cannot be "
        "distinguished from its bias; give biases of this temperature, or darks of another exposure"
    )


def _names(ds: xr.Dataset, which: object) -> str:
    """List a few of the frames for which something holds; "" for none."""
    every = np.broadcast_to(np.asarray(which), (ds.sizes["frame"],))
    names = [name for name, one in zip(schema.names(ds, "frame"), every, strict=True) if one]
    return first_of(names, _SHOWN)
