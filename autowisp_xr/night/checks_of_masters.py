"""What it costs to have no dark of the exposure: noise of a scaled one, dark current that stays."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr.flags import Flag
from autowisp_xr.night.sentences import sentence


class KnownDark(NamedTuple):
    """A dark that is there, though it may not fit."""

    name: str
    seconds: float
    level: float
    """Median of its good pixels, free of bias, in ADU."""

    @classmethod
    def of(
        cls, name: str, dark: xr.Dataset, *, holds_bias: bool, bias: xr.Dataset | None
    ) -> "KnownDark | None":
        """What is known of a master dark; None where it holds a bias that is not at hand."""
        seconds = float(dark["exposure"]) if "exposure" in dark.coords else math.nan
        level = _median(dark, "image")
        if holds_bias:
            if bias is None:
                return None
            level -= _median(bias, "image")
        return cls(name=name, seconds=seconds, level=level) if seconds > 0 else None


def price_of_scaling(name: str, dark: xr.Dataset, seconds: tuple[float, float]) -> str:
    """That a dark is scaled to the shortest and longest exposure of frames, and what it costs."""
    own = float(dark["exposure"])
    low, high = (float(f"{one / own:.3g}") for one in seconds)
    factor = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    noise = math.sqrt(_median(dark, "variance")) if "variance" in dark else math.nan
    added = "" if math.isnan(noise) else f", which adds {high * noise:.2g} ADU to their noise"
    shown = f"{seconds[0]:g}" if low == high else f"{seconds[0]:g} to {seconds[1]:g}"
    return sentence("dark_scaled", name=name, own=own, factor=factor, seconds=shown, added=added)


def current_left(seconds: float, level: float, darks: Iterable[KnownDark]) -> str:
    """How much dark current flats hold that no dark fits; "" where no dark tells.

    Parameters
    ----------
    seconds
        Exposure of the flats; the longest, if they differ.
    level
        Their mean level in ADU, free of bias.
    darks
        That there are; the one nearest in exposure tells.
    """
    known = [dark for dark in darks if math.isfinite(dark.level)]
    if not (known and seconds > 0 and level > 0):
        return ""
    nearest = min(known, key=lambda dark: abs(math.log(dark.seconds / seconds)))
    current = max(nearest.level, 0.0) * seconds / nearest.seconds
    return sentence(
        "dark_current",
        seconds=seconds,
        current=current,
        share=current / level,
        name=nearest.name,
        own=nearest.seconds,
    )


def _median(master: xr.Dataset, name: str) -> float:
    values = master[name].values
    good = np.isfinite(values)
    if "mask" in master:
        good &= master["mask"].values & np.uint8(Flag.BAD) == 0
    return float(np.median(values[good])) if good.any() else math.nan
