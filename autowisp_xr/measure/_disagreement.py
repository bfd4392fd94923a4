"""What is said of masters that do not agree: a line for each channel, and where to look."""

import math
import warnings
from collections.abc import Iterator
from typing import Any

import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.measure._differences import CELL
from autowisp_xr.measure._large_scale import LargeScale

__all__ = ["warn_of_disagreement"]

_CHANCE = 3.0
"""Standard deviations of the number of pixels that are beyond the threshold by chance."""

_DEGREE = 1.0
"""Temperatures of a cooled sensor that differ by more are worth a word."""

_UNITS = {"exposure": " s", "temperature": " degC"}


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
    told = []
    for name in ("filter", "gain_setting", "exposure", "temperature"):
        if not all(name in master.coords and master[name].size == 1 for master in (new, old)):
            continue
        one, other = (master[name].values.item() for master in (new, old))
        known = "" not in (one, other) and one == one and other == other
        if known and not _alike(name, one, other):
            unit = _UNITS.get(name, "")
            told.append(f"{name} {_text(one)}{unit}, was {_text(other)}{unit}")
    return f" (they were not taken alike: {'; '.join(told)})" if told else ""


def _alike(name: str, one: Any, other: Any) -> bool:
    if name == "exposure":
        return bool(schema.same_exposure(one, other))
    return bool(abs(one - other) <= _DEGREE if name == "temperature" else one == other)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
