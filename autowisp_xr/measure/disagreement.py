"""The warnings of masters that do not agree, a line for each channel, and where to look."""

import math
import warnings
from collections.abc import Iterator, Sequence

import xarray as xr

from autowisp_xr import schema
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.matching import ALLOWABLE
from autowisp_xr.measure.master_differences import CELL, Cell
from autowisp_xr.steps.master_fit import reason_between

_CHANCE = 3.0
"""Standard deviations of the number of pixels that are beyond the threshold by chance."""


def warn_of_disagreement(
    new: xr.Dataset,
    old: xr.Dataset,
    result: xr.Dataset,
    cells: Sequence[Cell],
    *,
    threshold: float,
    most: float,
    chance: float,
) -> None:
    """Warn the caller of ``compare_masters`` of every way in which channels do not agree."""
    units = result["median_difference"].attrs["units"]
    unit = "" if units == "1" else f" {units}"
    settings = _settings(new, old)
    for i, (channel, cell) in enumerate(zip(schema.names(new, "channel"), cells, strict=True)):
        found = {str(name): float(values[i]) for name, values in result.data_vars.items()}
        lines = [*_pixels(found, unit, threshold, most, chance), *_large_scale(found, unit, cell)]
        for line in lines:
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
            f"{threshold:g} times their uncertainty, where {100 * granted:.3g} % may (median "
            f"difference {found['median_difference']:.3g}{unit}, scatter {found['scatter']:.3g} "
            f"times the uncertainty); look at new.image - {scaled}"
        )


def _large_scale(found: dict[str, float], unit: str, cell: Cell) -> Iterator[str]:
    if not cell.exceeds:
        return
    size, most, combined = abs(cell.difference), cell.most, "-"
    if not unit:
        size, most, unit, combined = 100 * size, 100 * most, " %", "/"
    side = "lower" if cell.difference < 0 else "higher"
    yield (
        f"about y={found['large_scale_y']:g}, x={found['large_scale_x']:g} the new master is "
        f"{size:.3g}{unit} {side} than the old one in a cell of {CELL} x {CELL} pixels, where "
        f"{most:.3g}{unit} may be beside noise: dust, vignetting or a gradient has changed; "
        f"look at new.image {combined} old.image"
    )


def _settings(new: xr.Dataset, old: xr.Dataset) -> str:
    """Return the settings that both masters know, and that differ, in words."""
    names = [name for name in ALLOWABLE if name not in ("night", "target", "unit")]
    kind = str(new["image_type"].values) if "image_type" in new.coords else "bias"
    found = [reason_between(old, new, kind, [name]) for name in names]
    reasons = "; ".join(str(mismatch) for mismatch in found if mismatch is not None)
    return f" (they were not taken alike: the new master is {reasons})" if reasons else ""
