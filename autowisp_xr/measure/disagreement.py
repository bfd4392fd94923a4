"""What is said of masters that do not agree: a line for each channel, and where to look."""

import math
import warnings
from collections.abc import Iterator
from typing import Any

import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.matching import ALLOWABLE
from autowisp_xr.measure.differences import CELL
from autowisp_xr.measure.large_scale import LargeScale
from autowisp_xr.steps.agreement import reason_between

__all__ = ["warn_of_disagreement"]

_CHANCE = 3.0
"""Standard deviations of the number of pixels that are beyond the threshold by chance."""


def warn_of_disagreement(
    new: xr.Dataset,
    old: xr.Dataset,
    result: xr.Dataset,
    shape: LargeScale,
    *,
    threshold: float,
    most: float,
    chance: float,
) -> None:
    """Warn the caller of ``compare_masters`` of every way in which channels do not agree."""
    units = result["median_difference"].attrs["units"]
    unit = "" if units == "1" else f" {units}"
    settings = _settings(new, old)
    for i, channel in enumerate(schema.names(new, "channel")):
        found = {str(name): float(values[i]) for name, values in result.data_vars.items()}
        for line in (
            *_pixels(found, unit, threshold, most, chance),
            *_cell(found, unit, float(shape.difference[i]), float(shape.most[i]), shape.exceeds[i]),
        ):
            warnings.warn(f"channel {channel!r}: {line}{settings}", AutowispWarning, stacklevel=3)


def _pixels(
    found: dict[str, float], unit: str, threshold: float, most: float, chance: float
) -> Iterator[str]:
    number = found["number"]
    if not number:
        yield "no pixel is good in both masters, nothing was compared; look at both masks"
        return
    granted = most + chance
    if found["fraction"] > granted + _CHANCE * math.sqrt(chance * (1 - chance) / number):
        scaled = "old.image" if found["ratio"] == 1 else f"{found['ratio']:.6g} * old.image"
        yield (
            f"{100 * found['fraction']:.3g} % of {number:.0f} pixels differ by more than "
            f"{threshold:g} times their error, where {100 * granted:.3g} % may (median difference "
            f"{found['median_difference']:.3g}{unit}, scatter {found['scatter']:.3g} errors); "
            f"look at new.image - {scaled}"
        )


def _cell(
    found: dict[str, float], unit: str, difference: float, most: float, exceeds: Any
) -> Iterator[str]:
    if not exceeds:
        return
    size, combined = abs(difference), "-"
    if not unit:
        size, most, unit, combined = 100 * size, 100 * most, " %", "/"
    side = "lower" if difference < 0 else "higher"
    yield (
        f"about y={found['large_scale_y']:g}, x={found['large_scale_x']:g} the new master is "
        f"{size:.3g}{unit} {side} than the old one in a cell of {CELL} x {CELL} pixels, where "
        f"{most:.3g}{unit} may be beside noise: dust, vignetting or a gradient has changed; "
        f"look at new.image {combined} old.image"
    )


def _settings(new: xr.Dataset, old: xr.Dataset) -> str:
    """Words on settings that both masters know, and that differ."""
    names = [name for name in ALLOWABLE if name not in ("night", "target", "unit")]
    kind = str(new["image_type"].values) if "image_type" in new.coords else "bias"
    found = [reason_between(old, new, kind, [name]) for name in names]
    told = [str(mismatch) for mismatch in found if mismatch is not None]
    return f" (they were not taken alike: the new master is {'; '.join(told)})" if told else ""
