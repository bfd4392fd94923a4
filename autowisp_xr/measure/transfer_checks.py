"""What flats and biases must be to tell a gain, and what is said where they are not."""

import operator
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge import blocks
from autowisp_xr.errors import AutowispWarning, CalibrationError, ImageMismatchError
from autowisp_xr.kinds import KINDS
from autowisp_xr.measure.pairs import LEVELS, Frame, Frames
from autowisp_xr.measure.slopes import Slope
from autowisp_xr.measure.transfer_curve import Sample
from autowisp_xr.steps.agreement import OF_PIXELS, reason_between

__all__ = [
    "apart",
    "check_light",
    "check_same_pixels",
    "check_same_setting",
    "check_tiles",
    "ready",
    "warn_if_off",
    "warn_if_poor",
    "warn_if_still",
    "warn_of_ends",
    "whole_number",
]

_LEAST_LIGHT = 5.0
"""Electrons; the level of fewer says as much of the bias as of the light."""

_SURE = 3.0
"""Errors that the noise of light is above none, at least."""

_POOR = 0.05
"""Relative error of a gain that is worth a word."""

_SHOWN = 6

_TYPES = {"flats": "flat", "biases": "bias"}
_STRANGE = {"flats": {"bias", "dark"}, "biases": {"flat", "object"}}
"""Types that cannot be meant."""

_REMEDIES = {
    "flats": "give two flats of one filter, neighbours in time, neither saturated nor masked, and "
    f"of levels that differ by less than a factor of {LEVELS[1]:g}",
    "biases": "give two biases that are neither saturated nor masked",
}


def whole_number(name: str, value: Any, least: int) -> int:
    """A whole number that is not below the least, or a ValueError that names it."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{name} is a whole number from {least} on, not {value!r}")
    return number


def ready(ds: xr.Dataset, what: str) -> xr.Dataset:
    """The frames with their coordinates in memory, once it is sure that they are raw."""
    schema.check(ds, name=f"the set of {what}")
    if not schema.is_raw(ds):
        raise CalibrationError(
            f"the {what} have a variance, so they have been calibrated; give raw frames, as "
            "open_fits reads them"
        )
    units = ds["image"].attrs.get("units", "adu")
    if units != "adu":
        raise CalibrationError(
            f"the {what} are in units of {units!r}; a gain is told by raw frames in 'adu'"
        )
    if ds.sizes["frame"] < 2:
        raise CalibrationError(
            f"there is one frame among the {what} ({schema.names(ds, 'frame')[0]}), and nothing to "
            "hold it against; give at least two flats of one filter, and two biases"
        )
    ds = blocks.load_coordinates(ds)
    if "image_type" in ds.coords:
        kinds = {str(kind) for kind in np.atleast_1d(ds["image_type"].values).tolist()}
        strange = sorted(kinds & _STRANGE[what])
        if strange:
            raise ImageMismatchError(
                f"among the {what} are frames of the type {' and '.join(strange)}; select them by "
                f"where_type({_TYPES[what]!r})"
            )
    return ds


def check_same_pixels(flats: xr.Dataset, biases: xr.Dataset) -> None:
    """Raise ImageMismatchError for trimmed frames of other pixels or channels, with both."""
    channels, others = schema.names(flats, "channel"), schema.names(biases, "channel")
    if set(channels) != set(others):
        raise ImageMismatchError(
            f"the flats have the channels {channels}, the biases have {others}; select the same "
            "channels in both, or open both with the same Camera"
        )
    if not all(np.array_equal(flats[dim].values, biases[dim].values) for dim in ("y", "x")):
        raise ImageMismatchError(
            f"the flats cover {schema.extent(flats)}, the biases {schema.extent(biases)}; "
            "give biases of the same size, binning and area"
        )


def check_same_setting(flats: xr.Dataset, biases: xr.Dataset) -> None:
    """Raise ImageMismatchError where the camera was set in several ways, with both."""
    # neither filter nor temperature matter, and size and unit are looked at apart
    names = [name for name in KINDS["flat"].serves if name not in ("filter", "unit", *OF_PIXELS)]
    for ds, other, kind, words in (
        (flats, flats, "flat", "one of the flats is"),
        (biases, biases, "bias", "one of the biases is"),
        (flats, biases, "bias", "the biases are"),
    ):
        found = reason_between(ds, other, kind, names)
        if found is not None:
            raise ImageMismatchError(
                f"frames of several settings cannot tell one gain: {words} {found}; select one "
                f"setting, as with ds.isel(frame=ds.{found.trait} == ...)"
            )


def apart(first: Frame, second: Frame) -> str:
    """Why two flats make no pair in any channel; "" where they do in one."""
    if first.group != second.group:
        return f"the next one has the filter {second.group!r}"
    levels = list(zip(first.level, second.level, strict=True))
    if any(b > 0 and LEVELS[0] <= a / b <= LEVELS[1] for a, b in levels):
        return ""
    (a, b), *_ = [pair for pair in levels if np.isfinite(pair).all()] or levels
    return f"its level is {a:.4g} ADU, that of the next one {b:.4g} ADU"


def check_tiles(
    what: str, channels: Sequence[str], found: Sequence[Sample], left_out: Mapping[str, str]
) -> None:
    """Raise CalibrationError for channels without a tile in any pair, with the reasons."""
    without = [name for name, of in zip(channels, found, strict=True) if not of.level.size]
    if not without:
        return
    told = list(_told(left_out)) or ["no tile has good pixels in both frames of a pair"]
    raise CalibrationError(
        f"no pair of {what} can be used in {_of_channels(without)}: {'; '.join(told)}; "
        f"{_REMEDIES[what]}"
    )


def _told(left_out: Mapping[str, str]) -> Iterator[str]:
    for name, reason in list(left_out.items())[:_SHOWN]:
        yield f"{name}: {reason}"
    if len(left_out) > _SHOWN:
        yield f"and {len(left_out) - _SHOWN} more"


def _of_channels(names: Sequence[str]) -> str:
    listed = ", ".join(repr(name) for name in names)
    return f"the channel{'s' if len(names) > 1 else ''} {listed}"


def check_light(channels: Sequence[str], flats: Sequence[Sample], gains: Sequence[Slope]) -> None:
    """Raise CalibrationError for flats whose noise is not that of light."""
    for name, sample, found in zip(channels, flats, gains, strict=True):
        level = float(np.median(sample.level[found.weights > 0]))
        if found.value <= _SURE * found.error or level < _LEAST_LIGHT * found.value:
            excess = found.value * level
            raise CalibrationError(
                f"there is no light in the flats to tell the gain of {_of_channels([name])} by: "
                f"they are {level:.3g} ADU above the biases, and their variance is "
                f"{excess:.3g} +- {found.error * level:.2g} ADU^2 above that of these; give flats "
                "of a thousand electrons and more"
            )


def warn_if_still(channels: Sequence[str], noises: Sequence[Slope], stacklevel: int) -> None:
    """Warn, once, of biases that do not scatter at all, which no camera gives."""
    still = [name for name, found in zip(channels, noises, strict=True) if not found.value > 0]
    if still:
        warnings.warn(
            f"the biases do not differ in any pixel in {_of_channels(still)}, so that the read "
            "noise is not known and 0 is no measurement of it; are they cut off at zero, or "
            "copies of one frame? Raise the offset of the camera, or give the read noise",
            AutowispWarning,
            stacklevel=stacklevel,
        )


def warn_if_poor(channels: Sequence[str], gains: Sequence[Slope], stacklevel: int) -> None:
    """Warn, once, of gains that are not well known."""
    poor = [
        f"{100 * found.error / found.value:.2g} % in {_of_channels([name])}"
        for name, found in zip(channels, gains, strict=True)
        if found.error > _POOR * found.value
    ]
    if poor:
        warnings.warn(
            f"the gain is known to {', '.join(poor)} only; more, brighter or larger flats tell it "
            "better",
            AutowispWarning,
            stacklevel=stacklevel,
        )


def warn_if_off(channels: Sequence[str], misfits: Sequence[float], stacklevel: int) -> None:
    """Warn, once, of curves that are no lines."""
    off = [
        f"{misfit:.1f} times their errors in {_of_channels([name])}"
        for name, misfit in zip(channels, misfits, strict=True)
        if misfit > 1
    ]
    if off:
        warnings.warn(
            f"the photon transfer curve is no line: its points are off by {', '.join(off)}; some "
            "flats may be saturated (say the saturation of the camera), or of other light",
            AutowispWarning,
            stacklevel=stacklevel,
        )


def warn_of_ends(frames: Frames, stacklevel: int) -> None:
    """Warn, once, of flats that stop at a value which no camera says, or of biases cut off."""
    if not frames.ends:
        return
    values = " and ".join(dict.fromkeys(f"{value:g}" for value, _ in sorted(frames.ends)))
    share = f"{100 * max(share for _, share in frames.ends):.3g} % of their pixels"
    if frames.lit:
        text = (
            f"flats stop at {values} ADU (up to {share}), which is taken for saturated: no tile "
            "with such pixels tells the gain; say the saturation of the camera"
        )
    else:
        text = (
            f"pixels of the biases are cut off at {values} ADU (up to {share}), so that the read "
            "noise seems smaller than it is; raise the offset of the camera"
        )
    warnings.warn(text, AutowispWarning, stacklevel=stacklevel)
