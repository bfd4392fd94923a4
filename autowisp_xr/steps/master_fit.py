"""Whether Datasets go together: their traits, for the judge; their pixels, by their coordinates."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Bools, Floats
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import ImageMismatchError, MasterMismatchError
from autowisp_xr.headers.cards import parse_header
from autowisp_xr.kinds import KINDS, MASTERS
from autowisp_xr.matching import (
    ALLOWABLE,
    Matching,
    Mismatch,
    allowed,
    reason_against,
    same_exposure,
)
from autowisp_xr.traits import NUMBERS, TEXTS, Traits

OF_PIXELS = ("size", "area", "channels")
"""Traits that coordinates tell pixel by pixel."""

_COORDINATES = (*TEXTS, *NUMBERS, "exposure", "image_type")


def traits_of_frames(ds: xr.Dataset, kind: str | None = None) -> list[Traits]:
    """Traits of the frames of a set, or of a master, each that is different once.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x), or a master without ``frame``; coordinates in memory.
    kind
        What they are, where coordinates do not say.
    """
    number = ds.sizes.get("frame", 1)
    columns = [
        np.broadcast_to(ds[name].values, (number,)).tolist()
        for name in _COORDINATES
        if name in ds.coords and ds[name].dims in ((), ("frame",))
    ]
    names = [name for name in _COORDINATES if name in ds.coords]
    unit = str(ds["image"].attrs.get("units", "")) if "image" in ds else ""
    rows = dict.fromkeys(zip(*columns, strict=True)) if columns else [()]
    return [
        Traits.of(
            dict(zip(names, row, strict=True)),
            unit=unit,
            **({} if kind is None else {"kind": kind}),
        )
        for row in rows
    ]


def reason_between(
    ds: xr.Dataset,
    other: xr.Dataset,
    kind: str,
    names: Collection[str],
    allow: Collection[str] = (),
) -> Mismatch | None:
    """Why a master (or frames of a kind) does not fit any one of some frames; None if it does.

    Frames that are averaged have the median of their temperatures.
    """
    matching = Matching(allow_mismatch=allow)
    wanted = traits_of_frames(ds)
    temperatures = [one.temperature for one in wanted if one.temperature == one.temperature]
    if temperatures and all(one.kind in MASTERS for one in wanted):
        middle = float(np.median(temperatures))
        wanted = [replace(one, temperature=middle) for one in wanted]
    for own in traits_of_frames(other, kind):
        for one in wanted:
            found = reason_against(one, own, matching, names)
            if found is not None:
                return found
    return None


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
        Traits that may differ, as for :class:`~autowisp_xr.Matching`.

    Raises
    ------
    MasterMismatchError
        Where channels, place on the sensor, or a trait differ that has to agree, with both values.
    """
    master = schema.as_master(master, name=f"the master {kind}")
    # how far exposures may differ depends on whether the dark is scaled
    names = [name for name in KINDS[kind].serves if name not in (*OF_PIXELS, "exposure")]
    unit = KINDS[kind].master_unit
    frames = ds if unit == "adu" else ds.assign(image=ds["image"].assign_attrs(units=unit))
    found = reason_between(frames, master, kind, names, allow_mismatch)
    if found is not None:
        remedy = f"or allow_mismatch={found.trait!r}"
        if found.trait not in ALLOWABLE:
            flat = KINDS[kind].master_unit == "1"
            remedy = "a master flat has a mean of one" if flat else "or convert one of them"
        raise MasterMismatchError(
            f"the master {kind} is {found}; give the master that belongs to the frames, {remedy}"
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
    return _in_place(ds, master, kind)


def check_alike(
    ds: xr.Dataset,
    what: str,
    allow_mismatch: Collection[str] = (),
    *,
    kind: str | None = None,
    leave_out: Sequence[str] = (),
) -> None:
    """Raise ImageMismatchError for frames that do not go together, with all values and how many.

    Parameters
    ----------
    ds
        Frames of one kind.
    what
        What they are to make: "one stack", "one master".
    kind
        What they are taken for; None for what they say they are.
    allow_mismatch, leave_out
        Traits that may differ, by the wish of the user and by the nature of what is made.
    """
    kinds = traits_of_frames(blocks.load_coordinates(ds), kind)
    name = kinds[0].kind if kinds[0].kind in KINDS else "object"
    apart = (*OF_PIXELS, "night", *leave_out)
    names = [trait for trait in KINDS[name].alike if trait not in apart]
    matching = Matching(allow_mismatch=allow_mismatch)
    for other in kinds[1:]:
        found = reason_against(
            replace(kinds[0], kind=name), replace(other, kind=name), matching, names
        )
        if found is not None:
            values = np.atleast_1d(ds[found.trait].values).tolist()
            counts = ", ".join(f"{number} of {value}" for value, number in Counter(values).items())
            words = found.trait.replace("_", " ")
            raise ImageMismatchError(
                f"frames of several {words}s cannot make {what}: {counts}; select one, as with "
                f"where_type(..., exposure=60, band='V'), or allow_mismatch={found.trait!r}"
            )


def exposure_ratio(
    ds: xr.Dataset, dark: xr.Dataset, scale_dark: bool | str, allow_mismatch: Collection[str] = ()
) -> Floats:
    """Factor of the dark for each frame, (frame) float64.

    Raises
    ------
    MasterMismatchError
        Where exposures differ by more than 1 % and no scaling was asked for, or "down" was and a
        frame is longer than the dark; where scaling is asked for and an exposure is not known.
    """
    frames = np.asarray(ds["exposure"].values if "exposure" in ds.coords else np.nan, dtype=float)
    frames = np.broadcast_to(frames, (ds.sizes["frame"],))
    own = float(dark["exposure"]) if "exposure" in dark.coords else np.nan
    if scale_dark not in (False, "down", "any"):
        raise ValueError(f"scale_dark is False, 'down' or 'any', not {scale_dark!r}")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = frames / own
    # what is not known does not differ
    differ = ~same_exposure(frames, own) & np.isfinite(frames - own)
    if not scale_dark:
        if differ.any() and "exposure" not in allowed(allow_mismatch):
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


def _example(ds: xr.Dataset, exposures: Floats, which: Bools) -> str:
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
