"""Checks of the flats that a linearity is measured from, with their messages."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Floats
from autowisp_xr.camera import Camera
from autowisp_xr.errors import AutowispWarning, CalibrationError
from autowisp_xr.measure import frame_pairs
from autowisp_xr.measure.lamps import distinct
from autowisp_xr.measure.level_ladder import Zones
from autowisp_xr.measure.response_range import Curve
from autowisp_xr.options import OverscanChoice
from autowisp_xr.stack.masters import master_bias
from autowisp_xr.steps.master_matching import check_alike

ACROSS = 8
"""Tiles along the shorter side of small frames, at least."""

_FLOOR = 1.0
"""Uncertainty of the level of a frame in ADU, where no biases show it."""

_LEAST = 0.2
"""The same at the best."""

_SPAN = 4.0
"""The ratio of the highest and the lowest level, at least."""

_STEADY = 0.01
"""The scatter of a lamp that is still one, and of zones that are lit alike."""

_SAME = 0.05
"""Levels that differ by less are one."""

_SHOWN = 6

_REMEDY = (
    "take flats of one lamp and filter at {least} levels and more, from a twentieth of the highest "
    "signal up to saturation, by their exposures, and a flat of one exposure again and again "
    "between them"
)


def ready(flats: xr.Dataset) -> xr.Dataset:
    """Return the flats with their coordinates in memory, or raise for what are none, or differ."""
    flats = frame_pairs.ready(flats, "flats", "linearity")
    more = ", and give biases as bias=..."
    frame_pairs.check_types(flats, "flats", "flat", {"bias", "dark"}, more)
    check_alike(flats, "one curve of linearity", kind="flat", leave_out=("night", "temperature"))
    return flats


def bias_of(
    bias: xr.Dataset | None, camera: Camera, overscan: OverscanChoice
) -> tuple[xr.Dataset | None, float]:
    """Return the master bias of what was given, and how well it knows the level of a frame, in ADU.

    Raises
    ------
    CalibrationError
        Where the level of the frames is not known.
    """
    measured = overscan is not False and (overscan is not None or bool(camera.overscan_areas))
    if bias is None and not measured and camera.bias_level == 0:
        raise CalibrationError(
            "linearity is that of the signal above the bias, whose level is not known; give "
            "bias=..., an overscan, or the bias_level of the camera"
        )
    if bias is None or "frame" not in bias.dims or bias.sizes["frame"] == 1:
        return bias, _LEAST if measured else _FLOOR
    levels = [float(np.median(one["image"].values)) for _, one in bias.groupby("frame")]
    floor = _LEAST if measured else max(_LEAST, float(np.std(levels, ddof=1)))
    return master_bias(bias, camera=camera, overscan=overscan, noise="if known"), floor


def named(flats: xr.Dataset, reasons: Sequence[str]) -> list[str]:
    """Return the flats of no use, each with the reason."""
    names = schema.names(flats, "frame")
    return [f"{name}: {why}" for name, why in zip(names, reasons, strict=True) if why]


def too_few(zones: Zones, degree: int) -> str:
    """Return that flats are too few or too much alike for a curve, in words; "" where not."""
    if not zones.level.shape[1]:
        return "no part of the flats has good pixels in all of them"
    typical = [np.median(of[np.isfinite(of)]) for of in zones.level if np.isfinite(of).any()]
    levels = np.sort([one for one in typical if one > 0])
    apart = 1 + np.count_nonzero(np.diff(np.log(levels)) > np.log1p(_SAME)) if levels.size else 0
    least = degree + 2
    if apart < least:
        return f"levels below saturation are {apart} in number, and {least} are needed"
    if levels[-1] < _SPAN * levels[0]:
        return (
            f"their levels go from {levels[0]:.4g} to {levels[-1]:.4g} ADU only, a factor of "
            f"{_SPAN:g} is needed"
        )
    return ""


def reason_against(curve: Curve, degree: int) -> str:
    """Return why nobody should believe a curve, in words; "" where one may."""
    if curve.fit.flicker > _STEADY:
        return (
            f"the light of the flats is off what is expected of it by "
            f"{100 * curve.fit.flicker:.2g} % from one to the next"
        )
    if curve.fit.pattern > _STEADY:
        return (
            f"bright and dim zones are off one ratio by {100 * curve.fit.pattern:.2g} %, so that "
            "they are not lit alike in all flats"
        )
    flats = np.count_nonzero(curve.used.any(axis=1))
    if flats < degree + 2:
        return f"only {flats} flats agree with a curve, and {degree + 2} are needed"
    return ""


def no_curve(
    why: Mapping[str, str], exposures: Floats, flats: Sequence[str], degree: int
) -> CalibrationError:
    """Return the error of flats that show no curve, with all reasons."""
    reasons = dict.fromkeys(why.values())
    by_lamp = [f"{' and '.join(k for k in why if why[k] == r)} lamp: {r}" for r in reasons]
    listed = [*flats[:_SHOWN], *([f"and {len(flats) - _SHOWN} more"] if flats[_SHOWN:] else [])]
    left_out = f" ({'; '.join(listed)})" if listed else ""
    text = by_lamp[0].split(": ", 1)[1] if len(reasons) == 1 else "; ".join(by_lamp)
    return CalibrationError(
        f"the flats show no linearity: {text}{left_out}; {_REMEDY.format(least=degree + 4)}"
    )


def warn_of_bad(curves: Sequence[Curve], names: Sequence[str]) -> None:
    """Warn of flats that were left out."""
    bad = {names[number] for curve in curves for number in curve.bad}
    if bad:
        off, left = ("is", "was") if len(bad) == 1 else ("are", "were")
        warnings.warn(
            f"{', '.join(sorted(bad))} {off} off the curve of linearity that all other flats agree "
            f"on (another light, a shutter that failed?) and {left} left out",
            AutowispWarning,
            stacklevel=3,
        )


def warn_of_lamp(exposures: Floats) -> None:
    """Warn of a lamp that nobody followed."""
    known = exposures[np.isfinite(exposures)]
    if distinct(known) == known.size:
        warnings.warn(
            "no exposure is repeated among the flats, so that a lamp that drifts by a per cent "
            "would pass as a linearity that bends by it; take a flat of one exposure again and "
            "again between the others",
            AutowispWarning,
            stacklevel=3,
        )
