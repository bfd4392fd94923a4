"""Find out whether a dark, or frames, hold the bias, and refuse what would be wrong by it.

A bias is neither subtracted twice nor left in. Where a bias is subtracted from the frames and the
dark D holds it, it is subtracted from the dark as well: I - B - k (D - B) is free of it whatever k
is, and of the variance of B (1 - k)^2 is left, as for a dark that was made with B.
"""

import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance
from autowisp_xr.arrays import Floats
from autowisp_xr.bridge.blocks import in_memory
from autowisp_xr.errors import AutowispWarning, CalibrationError
from autowisp_xr.headers.cards import parse_header
from autowisp_xr.headers.processing import Statement, stated_bias, stated_correction
from autowisp_xr.stats.sampling import is_good

_MADE = {"calibrate", "stack", "subtract_bias_level", "subtract_overscan"}
_REMEDY = "make it with master_dark(frames, bias=...)"
_READ = ("open_fits", "rescale")
_ALL = 2**20
_LEVEL, _SPREADS = 20.0, 5.0
"""A level in ADU, and in median deviations, that no master without one has."""
_PART, _NEARLY_ALL = 4, 0.99
LEVEL_IS_LEFT = "no bias, dark or level is subtracted"


class Level(NamedTuple):
    """The level without light that is subtracted beside a bias."""

    constant: float
    """``bias_level``, in ADU; what the overscan shows stands in its place."""
    measured: bool
    """Whether it was measured in an overscan."""

    def __bool__(self) -> bool:
        return self.measured or self.constant != 0.0

    def __str__(self) -> str:
        if self.measured:
            return "the level of its overscan"
        return f"a level of {self.constant:g} ADU" if self else "no level"

    def agrees_with(self, other: "Level") -> bool:
        """Return whether both leave the same of the level, as far as anybody knows."""
        if self.measured or other.measured:
            return bool(self) == bool(other)
        return self.constant == other.constant


def stated_bias_of(ds: xr.Dataset) -> Statement | None:
    """Return whether the bias was subtracted from a Dataset; None where nothing states it."""
    return stated_bias(header_of(ds), provenance.history(ds))


def header_of(ds: xr.Dataset) -> fits.Header:
    """Return the header of a master, or of the first of frames; else an empty one."""
    text = str(np.atleast_1d(ds["header"].values)[0]) if "header" in ds.coords else ""
    return parse_header(text)


def holds_bias(dark: xr.Dataset) -> bool:
    """Return whether a dark is known to hold the bias."""
    stated = stated_bias_of(dark)
    return stated is not None and not stated.made


def named(master: xr.Dataset, kind: str = "dark") -> str:
    """Return what a message calls a master: by its file, where it comes from one."""
    path = str(np.atleast_1d(master["path"].values)[0]) if "path" in master.coords else ""
    return f"the master {kind} {path}" if path else f"the master {kind}"


def warn_if_unstated(dark: xr.Dataset) -> None:
    """Warn of a dark from a file that does not state whether it holds the bias."""
    if "header" in dark.coords and stated_bias_of(dark) is None:
        warnings.warn(
            f"nobody states whether the bias was subtracted from {named(dark)}; it is taken for "
            "free of bias. If it is, CALSTAT = 'B' in its header states it, if not, ZEROCOR = 'no'",
            AutowispWarning,
            stacklevel=4,
        )


def warn_if_level_is_left(raw: xr.Dataset, frames: xr.Dataset, what: str) -> None:
    """Warn of calibrated frames from which no level without light was subtracted.

    Parameters
    ----------
    raw
        What they were before. Whole numbers are as the camera gave them; from floats another
        program may have taken it off.
    frames
        Frames whose history, and cards, show what was subtracted.
    what
        What is wrong by it.
    """
    if raw["image"].dtype.kind == "f":
        return
    header = header_of(frames)
    cards = (stated_correction(header, kind) for kind in ("bias", "dark"))
    given = {kind for step in provenance.history(frames) for kind in step.get("masters", {})}
    if level_of(frames) or given & {"bias", "dark"} or any(one and one.made for one in cards):
        return
    warnings.warn(
        f"{LEVEL_IS_LEFT} from the frames: what they hold of it counts as light, and {what} is "
        "wrong by it; give bias=..., dark=... or Camera(bias_level=...), or CALSTAT = 'B' in their "
        "headers where it was before",
        AutowispWarning,
        stacklevel=3,
    )


def warn_of_high_level(frames: xr.Dataset, level: float) -> None:
    """Warn of a constant level above nearly all pixels of frames; lazy ones are not read for it."""
    if not (level and in_memory(frames["image"].variable)):
        return
    values = frames["image"].values[0, :, ::_PART, ::_PART]
    highest = float(np.nanquantile(values, _NEARLY_ALL)) if np.isfinite(values).any() else level
    if highest < level:
        warnings.warn(
            f"Camera(bias_level={level:g}) is above nearly all pixels of the frames, of which 99 % "
            f"are below {highest:g} ADU: it is not their level without light",
            AutowispWarning,
            stacklevel=4,
        )


def check_raw(frames: xr.Dataset, masters: Mapping[str, xr.Dataset | None]) -> None:
    """Raise CalibrationError where cards of the first frame state that a correction was made."""
    header = header_of(frames)
    for kind, master in masters.items():
        stated = None if master is None else stated_correction(header, kind)
        if stated is not None and stated.made:
            raise CalibrationError(
                f"the frames were corrected by a {kind} before ({stated.by}), and would be "
                f"a second time; leave out {kind}=, or take that card away if it is not true"
            )


def check_goes_with_dark(frames: xr.Dataset, dark: xr.Dataset) -> None:
    """Raise CalibrationError where a bias, or a level, would be subtracted twice, or left in.

    A dark of which nobody states whether it holds the bias is warned of.
    """
    warn_if_unstated(dark)
    own, other = stated_bias_of(frames), stated_bias_of(dark)
    if other is not None and not other.made and not (own is not None and own.made):
        check_levels(level_of(frames), dark, "dark")
    if own is None or other is None or own.made == other.made:
        return
    if own.made:
        raise CalibrationError(
            f"the bias was subtracted from the frames ({own.by}), and {named(dark)} holds it "
            f"({other.by}): it would be subtracted twice; {_REMEDY}, or let "
            "calibrate(bias=..., dark=...) subtract it from both"
        )
    if not level_of(frames):
        raise CalibrationError(
            f"the bias was subtracted from {named(dark)} ({other.by}), and not from the frames "
            f"({own.by}): it would be left in; subtract it from them, too (bias=...)"
        )


def level_of(ds: xr.Dataset) -> Level | None:
    """Return the level subtracted from a master or frames, beside a bias; None if unknown."""
    steps = provenance.history(ds)
    # a master that is only opened, and rescaled, is of another program
    if not steps or ("frame" not in ds.dims and not {step.get("verb") for step in steps} & _MADE):
        return None
    constant, measured = 0.0, False
    for step in steps:
        options = step.get("options", {})
        if step.get("verb") in ("calibrate", "subtract_overscan"):
            areas = options.get("overscan_areas") or "overscan" in step.get("masters", {})
            measured |= bool(areas) or step["verb"] == "subtract_overscan"
            constant += options.get("bias_level") or 0.0
        elif step.get("verb") == "subtract_bias_level":
            constant += options.get("level") or 0.0
    return Level(constant, measured)


def check_levels(frames: Level | None, master: xr.Dataset, kind: str, of: str = "frames") -> None:
    """Hold a master that has the level of the bias against what is subtracted from the frames.

    Parameters
    ----------
    frames
        What was, or will be, subtracted from them; None if unknown.
    master
        Bias, or dark that holds the bias.
    kind, of
        What they are called.

    Raises
    ------
    CalibrationError
        Where a level was subtracted from one side only, or another one, as the histories show.

    Warns
    -----
    AutowispWarning
        Where a master of another program still seems to have a level that is subtracted already.
    """
    own = level_of(master)
    if own is not None and frames is not None and not own.agrees_with(frames):
        raise CalibrationError(
            f"from {named(master, kind)} {own} was subtracted, from the {of} {frames}: the "
            "difference would stay in the image; make the master with the same Camera (bias_level, "
            "overscan)"
        )
    if not frames or not is_foreign(master):
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
    """Return whether a master comes from a file that this package has not made."""
    made = any(step.get("verb") not in _READ for step in provenance.history(master))
    return "header" in master.coords and not made


def samples(master: xr.Dataset) -> list[Floats]:
    """Return good pixels of each channel of a master; of large ones one of sixteen."""
    step = 1 if master["image"].size <= _ALL else 4
    part = {"y": slice(None, None, step), "x": slice(None, None, step)}
    image = master["image"].isel(part).values
    good = is_good(image, master["mask"].isel(part).values if "mask" in master else None)
    return [plane[kept] for plane, kept in zip(image, good, strict=True)]


def reason_not_to_scale(dark: xr.Dataset) -> str:
    """Return why a dark may hold the bias, and cannot be scaled; "" if it is free of it."""
    stated = stated_bias_of(dark)
    if stated.made if stated else not provenance.history(dark):
        return ""
    reason = stated.by if stated else "nobody states whether it is"
    return (
        "a dark can be scaled only when it is free of bias, which does not grow with exposure; "
        f"of {named(dark)}, {reason}; {_REMEDY}, or give CALSTAT = 'B' in its header if it is"
    )
