"""Masters of other programs, brought to the scale of the frames where their headers state how.

Flats of any level become flats of a mean of one; the pedestal that a program has added is taken
off; electrons become ADU. What cannot be known is refused.
"""

import math
import warnings
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits
from numpy.typing import ArrayLike

from autowisp_xr import provenance, schema
from autowisp_xr.arrays import Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning, MasterMismatchError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.bunit import COUNTED
from autowisp_xr.headers.cards import value_of
from autowisp_xr.headers.processing import stated_by_history, stated_correction
from autowisp_xr.headers.readout import raw_gain
from autowisp_xr.headers.values import Cards, to_number
from autowisp_xr.matching.pixel_types import FRACTIONS, are_fractions
from autowisp_xr.steps.base import per_channel
from autowisp_xr.steps.pedestals import header_of, is_foreign, named, samples

_ABOUT_ONE = (0.7, 1.4)
_SPREAD = (0.05, 5.0)
"""A flat has nine tenths of its pixels between these, as shares of its median."""

_UNSTATED = (
    "nobody states whether the bias was subtracted from it, and what it holds of it, as a raw "
    "frame does, counts as light: make it by master_flat(frames, bias=...), or state that it was "
    "by CALSTAT = 'B' in its header"
)
_GAINS_AGREE = 0.05
_PEDESTAL = "PEDESTAL"


def adapted(ds: xr.Dataset, master: xr.Dataset, kind: str, camera: Camera) -> xr.Dataset:
    """Return the master on the scale of the frames.

    Parameters
    ----------
    ds
        Frames (frame, channel, y, x).
    master
        Over (channel, y, x), of the kind "bias", "dark", "flat" or "fringe". One of this package,
        or that no file stands behind, is left as it is. A sample of the pixels of others is read
        for it.
    camera
        Of the frames, whose gain turns electrons into ADU where the master does not state its own.

    Raises
    ------
    MasterMismatchError
        For floats from 0 to 1 beside counts; for what is no flat, or still holds the bias; where
        the gain is not known, or two gains contradict each other.

    Warns
    -----
    AutowispWarning
        What was done to the master.
    """
    if not is_foreign(master):
        return master
    name = named(master, kind)
    header = header_of(master)
    shift, changes = _pedestal(ds, header, kind)
    factor: Any = 1.0
    if kind == "flat":
        units = "1"
        means = flat_levels(master) + shift
        about_one = _ABOUT_ONE[0] < float(np.mean(means)) < _ABOUT_ONE[1]
        if shift or not about_one or master["image"].attrs.get("units", "1") != "1":
            factor = 1 / means
            changes.append(f"it is divided by its mean, {_listed(means)}")
            if stated_correction(header, "bias") is None and not stated_by_history(header):
                changes.append(_UNSTATED)
    elif kind == "fringe":
        # a pattern of any unit: what is subtracted is scaled to each frame
        units = "1"
        shift = -_middle(master)
        if shift or master["image"].attrs.get("units", "1") != "1":
            changes.append(f"{shift:+.4g} is added to it, so that it is a pattern about zero")
    else:
        units = schema.units_of(ds)
        _check_no_fractions(master, name, units)
        factor, of_units = _per_unit(master, name, header, camera, units)
        changes += of_units
    if not changes:
        return master
    warnings.warn(f"{name}: {'; '.join(changes)}", AutowispWarning, stacklevel=5)
    planes = _rescaled(master, shift, factor)
    master = schema.with_attributes(master.assign(planes), units)
    options = {"shift": shift, "factor": np.broadcast_to(factor, master.sizes["channel"])}
    return provenance.record(master, "rescale", options)


def _middle(master: xr.Dataset) -> float:
    """Return the median of the good pixels of a master; 0 where there are none."""
    values = np.concatenate(samples(master))
    return float(np.median(values)) if values.size else 0.0


def flat_levels(flat: xr.Dataset) -> Floats:
    """Return the mean of each channel of a flat of another program, (channel) float64.

    Raises
    ------
    MasterMismatchError
        For one that still holds the bias, or is plainly no flat.
    """
    name = named(flat, "flat")
    stated = stated_correction(header_of(flat), "bias")
    if stated is not None and not stated.made:
        raise MasterMismatchError(
            f"{name} holds the bias ({stated.by}), which is no response of the pixels; make it of "
            "its frames by master_flat(frames, bias=..., dark=...)"
        )
    means = []
    for values in samples(flat):
        found = np.quantile(values, (0.05, 0.5, 0.95)) if values.size else np.full(3, np.nan)
        low, middle, high = found.tolist()
        if not (middle > 0 and _SPREAD[0] * middle < low and high < _SPREAD[1] * middle):
            raise MasterMismatchError(
                f"{name} has a median of {middle:.4g}, and nine tenths of its pixels lie from "
                f"{low:.4g} to {high:.4g}: that is no flat; is it of another kind, or not made yet?"
            )
        means.append(float(np.mean(values, dtype=np.float64)))
    return np.array(means)


def _pedestal(ds: xr.Dataset, header: fits.Header, kind: str) -> tuple[float, list[str]]:
    """Return what to add to a master to have the zero of the frames, and a sentence on it.

    MaxIm DL and others add a constant to what they write, lest it be negative: PEDESTAL is what
    makes pixels zero-based when it is added (-100), of PixInsight when it is subtracted (100).
    Frames with the same card have it in what their bias holds.
    """
    own = to_number(value_of(header, _PEDESTAL))
    if math.isnan(own):
        return 0.0, []
    shift = -abs(own)
    stated = stated_correction(header, "bias")
    if kind == "bias" or (kind == "dark" and stated is not None and not stated.made):
        raw = header_of(ds)
        other = to_number(value_of(raw, _PEDESTAL))
        shift += 0.0 if math.isnan(other) else abs(other)
    if not shift:
        return 0.0, []
    return shift, [f"{shift:+g} is added to it, as {_PEDESTAL} = {own:g} states"]


def _per_unit(
    master: xr.Dataset, name: str, header: fits.Header, camera: Camera, units: str
) -> tuple[Any, list[str]]:
    """Return the factor that brings a master to the unit of the frames, and a sentence on it."""
    own = master["image"].attrs.get("units", units)
    if own == units or own not in COUNTED or units not in COUNTED:
        return 1.0, []
    gain: Any = raw_gain(Cards(header, KeywordAliases()))
    known = camera.gain
    if math.isnan(gain):
        if known is None:
            raise MasterMismatchError(
                f"{name} is in units of {own!r}, the frames of {units!r}, and the gain is not "
                "known: give EGAIN in its header, or Camera(gain=...)"
            )
        gain, source = per_channel(known, schema.names(master, "channel"), "gain"), "the camera"
    else:
        source = "its header"
        if isinstance(known, int | float) and abs(known / gain - 1) > _GAINS_AGREE:
            raise MasterMismatchError(
                f"{name} is in units of {own!r} with a gain of {gain:g} e/ADU, the frames of "
                f"{units!r} have one of {known:g} e/ADU; bring it to {units!r} yourself"
            )
    factor = 1 / gain if units == "adu" else gain
    return factor, [f"{own} become {units} by the gain of {source}, {_listed(gain)} e/ADU"]


def _check_no_fractions(master: xr.Dataset, name: str, units: str) -> None:
    if master["image"].dtype.kind != "f" or units not in COUNTED:
        return
    if are_fractions(np.concatenate(samples(master))):
        raise MasterMismatchError(
            f"{name} is in {FRACTIONS}, the frames are in {units}; multiply it by what 1 stands "
            "for (often 65535)"
        )


def _rescaled(master: xr.Dataset, shift: float, factor: ArrayLike) -> dict[str, xr.Variable]:
    kind = master["image"].dtype if master["image"].dtype.kind == "f" else np.dtype(np.float32)
    numbers = np.broadcast_to(np.asarray(factor, dtype=np.float64), master.sizes["channel"])
    scale = xr.Variable(("channel",), numbers)
    planes = {}
    for name, added, by in (("image", shift, scale), ("variance", 0.0, scale**2)):
        if name in master:
            scaled, operands = partial(_scaled, shift=added), [blocks.plane(master, name), by]
            dims = schema.DIMS[1:]
            (planes[name],) = blocks.apply(scaled, operands, dims, [kind], free=dims)
    return planes


def _scaled(plane: Planes, factor: Floats, *, shift: float) -> tuple[Planes]:
    return ((plane.astype(np.float64) + shift) * np.reshape(factor, (-1, 1, 1)),)


def _listed(numbers: ArrayLike) -> str:
    return ", ".join(f"{number:.4g}" for number in np.atleast_1d(numbers).tolist())
