"""Judge whether Datasets go together: by their traits, and by the coordinates of pixels."""

import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import xarray as xr

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import (
    AutowispWarning,
    CalibrationError,
    ImageMismatchError,
    MasterMismatchError,
)
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.sentences import named as card_and_value
from autowisp_xr.headers.values import Cards
from autowisp_xr.kinds import AVERAGED, KINDS, may_be, may_make
from autowisp_xr.matching import (
    ALLOWABLE,
    TYPE,
    Matching,
    Mismatch,
    allowed,
    one_side_adds_up,
    reason_against,
    reason_against_scaling,
    same_exposure,
)
from autowisp_xr.matching.traits import NUMBERS, TEXTS, Traits
from autowisp_xr.options import ScaleDark
from autowisp_xr.steps.foreign_masters import adapted
from autowisp_xr.steps.pedestals import header_of, named, reason_not_to_scale

OF_PIXELS = ("size", "area", "channels")
"""Traits that coordinates show pixel by pixel."""

ONE_SIDE_ADDS_UP = "only one side states that several exposures were added up or averaged"

_COORDINATES = (*TEXTS, *NUMBERS, "exposure", "image_type")


_UNSCALABLE = {
    "not asked": "the master dark was {}; give a dark of the same exposure, scale_dark='any', or "
    "allow_mismatch='exposure'",
    "unknown": "a dark cannot be scaled: the master dark was {}; the exposures of both must be "
    "known",
    "scaled up": "scale_dark='down' needs a dark at least as long as the frames: it was {}; "
    "scale_dark='any' would scale up",
}
"""What is reported where a dark cannot be scaled, with the exposures of it and of a frame."""


def traits_of_frames(ds: xr.Dataset, kind: str | None = None) -> list[Traits]:
    """Return the traits of frames, or of a master, each that is different once.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x), or a master without ``frame``; coordinates in memory.
    kind
        What they are, where coordinates do not state.
    """
    number = ds.sizes.get("frame", 1)
    names = [
        name
        for name in _COORDINATES
        if name in ds.coords and ds.variables[name].dims in ((), ("frame",))
    ]
    columns = [np.broadcast_to(ds.variables[name].values, (number,)).tolist() for name in names]
    given = {"unit": str(ds["image"].attrs.get("units", "")) if "image" in ds else ""}
    given |= {} if kind is None else {"kind": kind}
    rows = dict.fromkeys(zip(*columns, strict=True)) if columns else [()]
    return [Traits.of(dict(zip(names, row, strict=True)), **given) for row in rows]


def reason_between(
    ds: xr.Dataset,
    other: xr.Dataset,
    kind: str,
    names: Collection[str],
    allow: Collection[str] = (),
) -> Mismatch | None:
    """Return why a master (or frames of a kind) does not fit some frames; None if it does.

    Frames that are averaged have the median of their temperatures.
    """
    matching = Matching(allow_mismatch=allow)
    wanted = traits_of_frames(ds)
    temperatures = [one.temperature for one in wanted if one.temperature == one.temperature]
    if temperatures and all(one.kind in AVERAGED for one in wanted):
        middle = float(np.median(temperatures))
        wanted = [replace(one, temperature=middle) for one in wanted]
    for own in traits_of_frames(other, kind):
        for one in wanted:
            found = reason_against(one, own, matching, names)
            if found is not None:
                return found
    return None


def matched(
    ds: xr.Dataset,
    master: xr.Dataset,
    kind: str,
    allow_mismatch: Collection[str] = (),
    *,
    camera: Camera | None = None,
) -> xr.Dataset:
    """Return the master on the scale and in the place of the frames, with their channels.

    Parameters
    ----------
    ds
        Frames, trimmed to the area that the master covers.
    master
        Over (channel, y, x), or with a ``frame`` of size one, as ``open_fits`` gives it.
    kind
        "bias", "dark", "flat" or "fringe".
    allow_mismatch
        Traits that may differ, as for :class:`~autowisp_xr.Matching`.
    camera
        Of the frames; by default the one that travels with them.

    Raises
    ------
    MasterMismatchError
        Where the master is of another type; where channels, place on the sensor, or a trait differ
        that has to agree, with both values; where nobody states how the master is brought to the
        scale of the frames.

    Warns
    -----
    AutowispWarning
        What was done to the master of another program; where only one side states that several
        exposures are in it.
    """
    master = schema.as_master(master, name=f"the master {kind}")
    _check_master_type(master, kind, allow_mismatch)
    master = adapted(ds, master, kind, camera or schema.camera_of(ds))
    # how far exposures may differ depends on whether the dark is scaled
    names = [name for name in KINDS[kind].serves if name not in (*OF_PIXELS, "exposure")]
    unit = KINDS[kind].master_unit
    frames = ds if unit == "adu" else ds.assign(image=ds["image"].assign_attrs(units=unit))
    found = reason_between(frames, master, kind, names, allow_mismatch)
    if found is not None:
        remedy = f"or allow_mismatch={found.trait!r}"
        if found.trait not in ALLOWABLE:
            without_unit = {"flat": "a mean of one", "fringe": "no unit, in shares of the sky"}
            remedy = "or convert one of them"
            if kind in without_unit:
                remedy = f"a master {kind} has {without_unit[kind]}"
        raise MasterMismatchError(
            f"{named(master, kind)} is {found}; give the master that belongs to the frames, "
            f"{remedy}"
        )
    if "coadds" in names and "coadds" not in allowed(allow_mismatch):
        _warn_of_coadds(frames, master, kind)
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


def _warn_of_coadds(ds: xr.Dataset, master: xr.Dataset, kind: str) -> None:
    (own,) = traits_of_frames(master)[:1]
    if any(one_side_adds_up(one, own) for one in traits_of_frames(ds)):
        warnings.warn(
            f"{ONE_SIDE_ADDS_UP} (NCOADD, COADDS, NDIT ...), of the frames and "
            f"{named(master, kind)}: level and noise of the other are those of one, it seems; "
            "allow_mismatch='coadds' if it is of as many",
            AutowispWarning,
            stacklevel=5,
        )


def check_type(ds: xr.Dataset, kind: str, allow_mismatch: Collection[str] = ()) -> None:
    """Raise ImageMismatchError for frames that state a type of which no such master is made."""
    stated, *others = {one.kind for one in traits_of_frames(blocks.load_coordinates(ds))}
    # a stack refuses frames of several types
    if not (others or may_make(stated, kind) or TYPE in allowed(allow_mismatch)):
        raise ImageMismatchError(
            f"frames of the type {stated!r} make no master {kind}; select by where_type({kind!r}), "
            f"or give allow_mismatch={TYPE!r}, or their type when they are opened, by "
            f"open_fits(types={{'NAME*': {kind!r}}})"
        )


def _check_master_type(master: xr.Dataset, kind: str, allow_mismatch: Collection[str]) -> None:
    stated = traits_of_frames(master)[0].kind
    if not may_be(stated, kind) and TYPE not in allowed(allow_mismatch):
        written = Cards(header_of(master), KeywordAliases()).values("image_type")
        card = "".join(f" ({card_and_value(*entry)})" for entry in islice(written, 1))
        raise MasterMismatchError(
            f"{named(master, kind)} is of the type {stated!r}{card}; give the master that belongs "
            f"there, or allow_mismatch={TYPE!r}"
        )


def with_type(master: xr.Dataset, kind: str) -> xr.Dataset:
    """Return a master that states its kind, where its frames stated one that it is not."""
    if may_be(traits_of_frames(master)[0].kind, kind):
        return master
    return master.assign_coords(image_type=((), np.array(kind, np.dtypes.StringDType())))


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
        What they are taken for; None for what they state they are.
    allow_mismatch, leave_out
        Traits that may differ, by the wish of the user and by the nature of what is made.
    """
    kinds = traits_of_frames(blocks.load_coordinates(ds), kind)
    name = kinds[0].kind if kinds[0].kind in KINDS else "object"
    apart = (*OF_PIXELS, "night", *leave_out)
    names = [trait for trait in KINDS[name].alike if trait not in apart]
    matching = Matching(allow_mismatch=allow_mismatch)
    first, *others = (replace(one, kind=name) for one in kinds)
    for other in others:
        found = reason_against(first, other, matching, names)
        if found is not None:
            values = np.atleast_1d(ds[found.trait].values).tolist()
            counts = ", ".join(f"{number} of {value}" for value, number in Counter(values).items())
            words = found.trait.replace("_", " ")
            raise ImageMismatchError(
                f"frames of several {words}s cannot make {what}: {counts}; select one, as with "
                f"where_type(..., exposure=60, band='V'), or allow_mismatch={found.trait!r}"
            )


def exposure_ratio(
    ds: xr.Dataset, dark: xr.Dataset, scale_dark: ScaleDark, allow_mismatch: Collection[str] = ()
) -> Floats:
    """Return the factor of the dark for each frame, (frame) float64.

    Raises
    ------
    MasterMismatchError
        Where exposures differ by more than 1 % and no scaling was asked for, or "down" was and a
        frame is longer than the dark; where scaling is asked for and an exposure is not known.
    CalibrationError
        Where a dark that may hold the bias would be scaled.
    """
    frames = schema.along_frames(ds, "exposure").astype(float)
    own = float(dark["exposure"]) if "exposure" in dark.coords else np.nan
    matching = Matching(scale_dark=scale_dark, allow_mismatch=allow_mismatch)
    bias = reason_not_to_scale(dark)
    found = reason_against_scaling(frames, own, matching, holds_bias=bool(bias))
    if found is None and not scale_dark:
        return np.ones(frames.shape)
    if found is None:
        return np.where(same_exposure(frames, own), 1.0, frames / own)
    reason, which = found
    if reason == "holds bias":
        raise CalibrationError(bias)
    first = int(np.flatnonzero(which)[0])
    name = str(ds["frame"].values[first]) if "frame" in ds.coords else str(first)
    exposures = f"exposed {own:g} s, frame {name!r} {frames[first]:g} s"
    raise MasterMismatchError(_UNSCALABLE[reason].format(exposures))


def _in_place(ds: xr.Dataset, master: xr.Dataset, kind: str) -> xr.Dataset:
    """Return the master with the coordinates of the frames, once it is sure that they agree."""
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
    """Return whether coordinates of a master come from more than counting its own pixels.

    They do not where it was opened from a file that does not state where it lies.
    """
    steps = provenance.history(master)
    made_here = bool(steps) and steps[-1]["verb"] != "open_fits"
    if made_here or "header" not in master.coords:
        return True
    return any(keyword in header_of(master) for keyword in ("IMAGAREA", "CHNLXOFF"))
