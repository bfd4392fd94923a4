"""Checks of the flats and biases that a gain is measured from, with their messages."""

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import AutowispWarning, CalibrationError, ImageMismatchError
from autowisp_xr.kinds import KINDS
from autowisp_xr.measure import frame_pairs
from autowisp_xr.measure.frame_pairs import LEVELS, Frame, Frames, Pairs
from autowisp_xr.measure.transfer_curve import Curve, MeanBias, Sample, Slope, samples
from autowisp_xr.steps.master_matching import OF_PIXELS, reason_between

_LEAST_LIGHT = 5.0
"""Electrons; a level below depends on the bias as much as on the light."""

_SURE = 3.0
"""Uncertainties that the noise of light is above none, at least."""

_POOR = 0.05
"""Relative uncertainty of a gain that is worth a warning."""

_SHOWN = 6

_TYPES = {"flats": "flat", "biases": "bias"}
_STRANGE = {"flats": {"bias", "dark", "darkflat"}, "biases": {"flat", "object"}}
"""Types that cannot be meant."""

_REMEDIES = {
    "flats": "give two flats of one filter, neighbours in time, neither saturated nor masked, and "
    f"of levels that differ by less than a factor of {LEVELS[1]:g}",
    "biases": "give two biases that are neither saturated nor masked",
}


def ready(ds: xr.Dataset, what: str) -> xr.Dataset:
    """Return the frames with their coordinates in memory, or raise where they are not raw."""
    ds = frame_pairs.ready(ds, what, "a gain")
    if ds.sizes["frame"] < 2:
        raise CalibrationError(
            f"there is one frame among the {what} ({schema.names(ds, 'frame')[0]}), and nothing to "
            "hold it against; give at least two flats of one filter, and two biases"
        )
    frame_pairs.check_types(ds, what, _TYPES[what], _STRANGE[what])
    return ds


def check_same_pixels(flats: xr.Dataset, biases: xr.Dataset) -> None:
    """Raise ImageMismatchError for trimmed frames of other pixels or channels, with both."""
    channels, others = schema.names(flats, "channel"), schema.names(biases, "channel")
    if set(channels) != set(others):
        raise ImageMismatchError(
            f"the flats have the channels {channels}, the biases have {others}; select the same "
            "channels in both, or open both with the same Camera"
        )
    if not schema.on_same_pixels(flats, biases):
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
                f"frames of several settings have no gain in common: {words} {found}; select one "
                f"setting, as with ds.isel(frame=ds.{found.trait} == ...)"
            )


def apart(first: Frame, second: Frame) -> str:
    """Return why two flats make no pair in any channel; "" where they do in one."""
    if first.group != second.group:
        return f"the next one has the filter {second.group!r}"
    levels = list(zip(first.level, second.level, strict=True))
    if any(b > 0 and LEVELS[0] <= a / b <= LEVELS[1] for a, b in levels):
        return ""
    (a, b), *_ = [pair for pair in levels if np.isfinite(pair).all()] or levels
    return f"its level is {a:.4g} ADU, that of the next one {b:.4g} ADU"


def checked_samples(
    what: str, pairs: Pairs, bias: MeanBias | None = None
) -> tuple[list[Sample], list[str]]:
    """Measure all pairs of flats or biases, as :func:`~.transfer_curve.samples` does.

    Raises
    ------
    CalibrationError
        For channels without a tile in any pair, with the reasons.

    Warns
    -----
    AutowispWarning
        Of flats that stop at a value which no camera states, or of biases that are cut off.
    """
    found, names = samples(pairs, scaled=pairs.frames.lit, bias=bias)
    _warn_of_ends(pairs.frames)
    channels = zip(pairs.frames.channels, found, strict=True)
    without = [name for name, sample in channels if not sample.level.size]
    if without:
        reasons = [f"{name}: {reason}" for name, reason in pairs.left_out.items()]
        if len(reasons) > _SHOWN:
            reasons[_SHOWN:] = [f"and {len(reasons) - _SHOWN} more"]
        why = "; ".join(reasons) or "no tile has good pixels in both frames of a pair"
        raise CalibrationError(
            f"no pair of {what} can be used in {_channels(*without)}: {why}; {_REMEDIES[what]}"
        )
    return found, names


def _channels(*names: str) -> str:
    listed = ", ".join(map(repr, names))
    return f"the channel{'s' if len(names) > 1 else ''} {listed}"


def check_light(channel: str, flats: Sample, gain: Slope) -> None:
    """Raise CalibrationError for flats of a channel whose noise is not that of light."""
    level = float(np.median(flats.level[gain.weights > 0]))
    if gain.value <= _SURE * gain.error or level < _LEAST_LIGHT * gain.value:
        raise CalibrationError(
            f"there is no light in the flats to measure the gain of {_channels(channel)} by: they "
            f"are {level:.3g} ADU above the biases, and their variance is "
            f"{gain.value * level:.3g} +- {gain.error * level:.2g} ADU^2 above that of these; give "
            "flats of a thousand electrons and more"
        )


def warn_of_curves(curves: Sequence[Curve]) -> None:
    """Warn, once each, of biases that do not scatter, of poor gains, and of what is no line."""
    still = [curve.channel for curve in curves if not curve.noise.value > 0]
    poor = [
        f"{100 * gain.error / gain.value:.2g} % in {_channels(channel)}"
        for channel, gain in ((curve.channel, curve.gain) for curve in curves)
        if gain.error > _POOR * gain.value
    ]
    off = [
        f"{curve.misfit:.1f} times their uncertainties in {_channels(curve.channel)}"
        for curve in curves
        if curve.misfit > 1
    ]
    for found, text in (
        (
            still,
            f"the biases do not differ in any pixel in {_channels(*still)}, so that the read "
            "noise is not known and 0 is no measurement of it; are they cut off at zero, or "
            "copies of one frame? Raise the offset of the camera, or give the read noise",
        ),
        (
            poor,
            f"the gain is known to {', '.join(poor)} only; more, brighter or larger flats give a "
            "better one",
        ),
        (
            off,
            f"the photon transfer curve is no line: its points are off by {', '.join(off)}; some "
            "flats may be saturated (give the saturation of the camera), or of other light",
        ),
    ):
        if found:
            warnings.warn(text, AutowispWarning, stacklevel=3)


def _warn_of_ends(frames: Frames) -> None:
    if not frames.ends:
        return
    values = " and ".join(dict.fromkeys(f"{value:g}" for value, _ in sorted(frames.ends)))
    share = f"{100 * max(share for _, share in frames.ends):.3g} % of their pixels"
    if frames.lit:
        text = (
            f"flats stop at {values} ADU (up to {share}), which is taken for saturated: no tile "
            "with such pixels is used for the gain; give the saturation of the camera"
        )
    else:
        text = (
            f"pixels of the biases are cut off at {values} ADU (up to {share}), so that the read "
            "noise seems smaller than it is; raise the offset of the camera"
        )
    warnings.warn(text, AutowispWarning, stacklevel=4)
