"""Whether a master belongs to the frames that it is to correct."""

from collections.abc import Collection
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.cards import parse_header
from autowisp_xr.errors import MasterMismatchError

__all__ = ["allowed", "exposure_ratio", "matched"]

ALLOWABLE = ("binning", "exposure", "filter", "gain_setting")


def matched(
    ds: xr.Dataset, master: xr.Dataset, kind: str, allow_mismatch: Collection[str] = ()
) -> xr.Dataset:
    """The master, with the channels of the frames in their order.

    Parameters
    ----------
    ds
        Frames, trimmed to the area that the master covers.
    master
        Over (channel, y, x), or with a ``frame`` of size one, as ``open_fits`` gives it.
    kind
        "bias", "dark" or "flat".
    allow_mismatch
        Names out of ``ALLOWABLE`` that may differ.

    Raises
    ------
    MasterMismatchError
        Where units, channels, place on the sensor, binning, gain setting, or (flat) filter differ,
        with both values.
    """
    allow_mismatch = allowed(allow_mismatch)
    master = schema.as_master(master, name=f"the master {kind}")
    expected = "1" if kind == "flat" else ds["image"].attrs.get("units", "adu")
    units = master["image"].attrs.get("units", expected)
    if units != expected:
        raise MasterMismatchError(
            f"the master {kind} is in units of {units!r}, {expected!r} was expected; "
            + ("a master flat has a mean of one" if kind == "flat" else "convert one of them")
        )
    channels = schema.names(ds, "channel")
    available = schema.names(master, "channel")
    missing = [channel for channel in channels if channel not in available]
    if missing:
        raise MasterMismatchError(
            f"the master {kind} has the channels {available}, the frames have {channels}; "
            "make the master with the same Camera"
        )
    if channels != available:
        master = master.isel(channel=[available.index(channel) for channel in channels])
    master = _in_place(ds, master, kind)
    checks = ["binning", "gain_setting", *(["filter"] if kind == "flat" else [])]
    for name in checks:
        if name not in allow_mismatch:
            _check_setting(ds, master, kind, name)
    return master


def allowed(allow_mismatch: Collection[str]) -> frozenset[str]:
    """Names that were allowed: one, or several; ValueError for one that cannot be."""
    names = frozenset((allow_mismatch,) if isinstance(allow_mismatch, str) else allow_mismatch)
    if "gain" in names:
        names = names - {"gain"} | {"gain_setting"}
    unknown = sorted(names - set(ALLOWABLE))
    if unknown:
        raise ValueError(
            f"no mismatch of {unknown} can be allowed; what can be is {', '.join(ALLOWABLE)}"
        )
    return names


def exposure_ratio(
    ds: xr.Dataset, dark: xr.Dataset, scale_dark: bool | str, allow_mismatch: Collection[str] = ()
) -> Any:
    """Factor of the dark for each frame, (frame) float64.

    Raises
    ------
    MasterMismatchError
        Where exposures differ by more than 1 % and no scaling was asked for, or "down" was and a
        frame is longer than the dark; where scaling is asked for and an exposure is not known.
    """
    allow_mismatch = allowed(allow_mismatch)
    frames = np.asarray(ds["exposure"].values if "exposure" in ds.coords else np.nan, dtype=float)
    frames = np.broadcast_to(frames, (ds.sizes["frame"],))
    own = float(dark["exposure"]) if "exposure" in dark.coords else np.nan
    if scale_dark not in (False, "down", "any"):
        raise ValueError(f"scale_dark is False, 'down' or 'any', not {scale_dark!r}")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = frames / own
    # what is not known does not differ
    differ = ~schema.same_exposure(frames, own) & np.isfinite(frames - own)
    if not scale_dark:
        if differ.any() and "exposure" not in allow_mismatch:
            raise MasterMismatchError(
                f"the master dark was exposed {own:g} s, {_example(ds, frames, differ)}; give a "
                "dark of the same exposure, scale_dark='any', or allow_mismatch='exposure'"
            )
        return np.ones(frames.shape)
    unknown = ~np.isfinite(ratio)
    if unknown.any():
        raise MasterMismatchError(
            f"a dark cannot be scaled: the master dark was exposed {own:g} s, "
            f"{_example(ds, frames, unknown)}; the exposures of both must be known"
        )
    longer = differ & (ratio > 1)
    if scale_dark == "down" and longer.any():
        raise MasterMismatchError(
            f"scale_dark='down' needs a dark at least as long as the frames: it was exposed "
            f"{own:g} s, {_example(ds, frames, longer)}; scale_dark='any' would scale up"
        )
    return np.where(differ, ratio, 1.0)


def _example(ds: xr.Dataset, exposures: Any, which: Any) -> str:
    first = int(np.flatnonzero(which)[0])
    name = str(ds["frame"].values[first]) if "frame" in ds.coords else str(first)
    return f"frame {name!r} {exposures[first]:g} s"


def _in_place(ds: xr.Dataset, master: xr.Dataset, kind: str) -> xr.Dataset:
    """The master with the coordinates of the frames, once it is sure that they agree."""
    same_size = all(ds.sizes[dim] == master.sizes[dim] for dim in ("y", "x"))
    same_place = same_size and all(
        np.array_equal(ds[dim].values, master[dim].values)
        for dim in ("y", "x")
        if dim in ds.coords and dim in master.coords
    )
    if same_place and schema.channel_slices(ds) == schema.channel_slices(master):
        return master
    if same_size and not _knows_its_place(master):
        return master.assign_coords(
            {name: ds[name] for name in ("y", "x", "y_offset", "x_offset") if name in ds.coords}
        )
    raise MasterMismatchError(
        f"the master {kind} covers {schema.extent(master)}, the frames cover {schema.extent(ds)}; "
        "select the same area and channels in both"
    )


def _knows_its_place(master: xr.Dataset) -> bool:
    """Whether coordinates of a master come from more than the counting of its own pixels.

    They do not where it was opened from a file that does not say where it lies.
    """
    steps = provenance.history(master)
    made_here = bool(steps) and steps[-1]["verb"] != "open_fits"
    if made_here or "header" not in master.coords:
        return True
    header = parse_header(str(master["header"].values))
    return any(keyword in header for keyword in ("IMAGAREA", "CHNLXOFF"))


def _check_setting(ds: xr.Dataset, master: xr.Dataset, kind: str, name: str) -> None:
    if name not in ds.coords or name not in master.coords:
        return
    own = master[name].values.tolist()
    for value in np.atleast_1d(ds[name].values).tolist():
        known = value == value and own == own and value != "" and own != ""
        if known and value != own:
            raise MasterMismatchError(
                f"the master {kind} has {name} {own!r}, the frames have {value!r}; give the "
                f"master that belongs to them, or allow_mismatch={name!r}"
            )
