"""Whether a dark, or frames, hold the bias, and what becomes of a dark that does.

A bias is neither subtracted twice nor left in. Where a bias is subtracted from the frames and the
dark D holds it, it is subtracted from the dark as well: I - B - k (D - B) is free of it whatever k
is, and of the variance of B (1 - k)^2 is left, as for a dark that was made with B.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from autowisp_xr import provenance
from autowisp_xr.cards import parse_header
from autowisp_xr.errors import AutowispWarning, CalibrationError
from autowisp_xr.flags import Flag
from autowisp_xr.headers.corrections import Said, bias_said, correction_said

__all__ = [
    "bias_said_of",
    "check_bias_free",
    "check_goes_with_dark",
    "check_levels",
    "check_raw",
    "holds_bias",
    "is_foreign",
    "level_is_subtracted",
    "named",
    "samples",
    "warn_if_unsaid",
]

_REMEDY = "make it with master_dark(frames, bias=...)"
_READ = ("open_fits", "rescale")
_ALL = 2**20
_LEVEL, _SPREADS = 20.0, 5.0
"""A level in ADU, and in median deviations, that no master without one has."""

_LEVELS = ("subtract_bias_level", "subtract_overscan")


def bias_said_of(ds: xr.Dataset) -> Said | None:
    """Whether the bias was subtracted from a master or from frames; None where nothing says it."""
    text = str(np.atleast_1d(ds["header"].values)[0]) if "header" in ds.coords else ""
    return bias_said(parse_header(text), provenance.history(ds))


def holds_bias(dark: xr.Dataset) -> bool:
    """Whether a dark is known to hold the bias."""
    said = bias_said_of(dark)
    return said is not None and not said.made


def named(master: xr.Dataset, kind: str = "dark") -> str:
    """What a message calls a master: by its file, where it comes from one."""
    path = str(np.atleast_1d(master["path"].values)[0]) if "path" in master.coords else ""
    return f"the master {kind} {path}" if path else f"the master {kind}"


def warn_if_unsaid(dark: xr.Dataset) -> None:
    """Warn of a dark from a file that does not tell whether it holds the bias."""
    if "header" in dark.coords and bias_said_of(dark) is None:
        warnings.warn(
            f"nobody says whether the bias was subtracted from {named(dark)}; it is taken for free "
            "of bias. If it is, CALSTAT = 'B' in its header says so, if not, ZEROCOR = 'no'",
            AutowispWarning,
            stacklevel=4,
        )


def check_raw(frames: xr.Dataset, masters: Mapping[str, xr.Dataset | None]) -> None:
    """Raise CalibrationError where cards of the first frame say that a correction was made."""
    if "header" not in frames.coords:
        return
    header = parse_header(str(np.atleast_1d(frames["header"].values)[0]))
    for kind, master in masters.items():
        said = None if master is None else correction_said(header, kind)
        if said is not None and said.made:
            raise CalibrationError(
                f"the frames are corrected by a {kind} already ({said.by}), and would be a second "
                f"time; leave out {kind}=, or take that card away if it is not true"
            )


def check_goes_with_dark(frames: xr.Dataset, dark: xr.Dataset) -> None:
    """Raise CalibrationError where a bias would be subtracted twice, or left in."""
    own, other = bias_said_of(frames), bias_said_of(dark)
    if own is None or other is None or own.made == other.made:
        return
    if own.made:
        raise CalibrationError(
            f"the bias was subtracted from the frames ({own.by}), and {named(dark)} holds it "
            f"({other.by}): it would be subtracted twice; {_REMEDY}, or let "
            "calibrate(bias=..., dark=...) subtract it from both"
        )
    if level_is_subtracted(frames):
        return
    raise CalibrationError(
        f"the bias was subtracted from {named(dark)} ({other.by}), and not from the frames "
        f"({own.by}): it would be left in; subtract it from them, too (bias=...)"
    )


def check_levels(subtracted: bool, master: xr.Dataset, kind: str) -> None:
    """Hold a master that has the level of the bias against what is subtracted from the frames.

    Parameters
    ----------
    subtracted
        Whether a constant level or the overscan is subtracted from the frames.
    master
        A bias, or a dark that holds it.
    kind
        Which of the two.

    Raises
    ------
    CalibrationError
        Where the history of the master tells that the level would be subtracted twice, or left in.

    Warns
    -----
    AutowispWarning
        Where a master of another program still seems to have a level that is subtracted already.
    """
    made_here = any(step.get("verb") == "calibrate" for step in provenance.history(master))
    if made_here and level_is_subtracted(master) != subtracted:
        name = named(master, kind)
        one, other = ("the frames", name) if subtracted else (name, "the frames")
        raise CalibrationError(
            f"a level (overscan or bias_level) is subtracted from {one}, and none from {other}; "
            "make both with the same camera and overscan"
        )
    if not subtracted or not is_foreign(master):
        return
    values = np.concatenate(samples(master))
    level = float(np.median(values)) if values.size else 0.0
    if level > max(_LEVEL, _SPREADS * float(np.median(np.abs(values - level)))):
        warnings.warn(
            f"{named(master, kind)} has a median of {level:.4g}, and a level (overscan or "
            "bias_level) is subtracted from the frames already: if it was not from the master, "
            "subtract none (overscan=False) or take it off the master, too",
            AutowispWarning,
            stacklevel=5,
        )


def is_foreign(master: xr.Dataset) -> bool:
    """Whether a master comes from a file that this package has not made."""
    made = any(step.get("verb") not in _READ for step in provenance.history(master))
    return "header" in master.coords and not made


def samples(master: xr.Dataset) -> list[Any]:
    """Good pixels of each channel of a master; of large ones one of sixteen."""
    step = 1 if master["image"].size <= _ALL else 4
    part = {"y": slice(None, None, step), "x": slice(None, None, step)}
    image = master["image"].isel(part).values
    good = np.isfinite(image)
    if "mask" in master:
        good &= master["mask"].isel(part).values & np.uint8(Flag.BAD) == 0
    return [plane[kept] for plane, kept in zip(image, good, strict=True)]


def level_is_subtracted(frames: xr.Dataset) -> bool:
    """Whether a constant level or an overscan was subtracted, so that no level is left."""
    steps = provenance.history(frames)
    options = [step.get("options", {}) for step in steps]
    return any(step.get("verb") in _LEVELS for step in steps) or any(
        chosen.get("bias_level") or chosen.get("overscan_areas") for chosen in options
    )


def check_bias_free(dark: xr.Dataset, scale: Any) -> None:
    """Raise CalibrationError if a dark that may hold the bias is to be scaled."""
    if np.all(np.asarray(scale) == 1.0):
        return
    said = bias_said_of(dark)
    if said is None and not provenance.history(dark):
        return
    if said is None or not said.made:
        reason = "nobody says whether it is" if said is None else said.by
        raise CalibrationError(
            "a dark can be scaled only when it is free of bias, which does not grow with exposure; "
            f"of {named(dark)}, {reason}; {_REMEDY}, or say CALSTAT = 'B' in its header if it is"
        )
