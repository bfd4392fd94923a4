"""How bright each flat is against the others, where all of them can be compared.

Decision: frames are compared over pixels that are good in *all* frames of a channel. The mean of a
frame's own good pixels is that of its dim rim where its middle saturates, and makes the rim of a
master 4 % too bright. A frame that leaves too few pixels for that is left out, and told.

Decision: a level is the light in these pixels over that of the median frame, without those whose
ratio is an outlier: stars in twilight flats lie elsewhere in each frame, and hold a per cent of
its light. Without outliers it is the ratio of the means.
"""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.sampled_rows import grid_of
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.flags import Flag
from autowisp_xr.flats.classes import Verdict
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.options import MIN_FLAT
from autowisp_xr.steps.lit_pixels import mean_of_lit

__all__ = ["Levels", "levels_of", "levels_of_samples", "verdicts_of"]

_LEAST_IN_COMMON = 0.1
_OUTLIER = 3.0
_ROUNDS = 3


class Levels(NamedTuple):
    """How bright frames are, over (frame, channel)."""

    level: xr.DataArray
    """Mean of the lit pixels, as if all were good and free of stars; NaN for a frame that takes no
    part, because it has no good pixel, leaves too few of the others', or has no light."""
    share: xr.DataArray
    """Of the pixels that are good in the frame that has most, those good in this one."""
    light: xr.DataArray
    """Mean of the pixels that are good in all frames; NaN for a frame that leaves too few."""


def levels_of(ds: xr.Dataset, *, common: bool) -> Levels:
    """Levels of frames (frame, channel, y, x), from a regular grid of pixels.

    Lazy where ``ds`` is, the same bits in any chunks; what is left out of lazy frames is told by a
    warning when they are computed. With ``common``, one level for all channels of a frame.
    """
    planes = ds.assign(
        {name: blocks.pixelwise(ds[name].variable) for name in ("image", "mask") if name in ds}
    )
    grid = grid_of(planes, ("image", "mask"))
    operands = [
        _as_samples(grid[name].variable) if name in grid else None for name in ("image", "mask")
    ]
    lazy = any(not blocks.in_memory(operand) for operand in operands if operand is not None)
    names = tuple(schema.names(ds, dim) for dim in ("frame", "channel"))
    kernel = partial(_levels, common=common, told=names if lazy else None)
    found = blocks.apply(
        kernel, operands, ("sample", "channel"), [np.float64] * len(Levels._fields)
    )
    return _labelled(ds, [variable.data for variable in found])


def levels_of_samples(ds: xr.Dataset, samples: Any, *, common: bool) -> Levels:
    """Levels of frames, in memory, of samples of their pixels: NaN for what is not good.

    ``samples`` is a (frame, channel) array of lists of pixels, the same pixels of all frames.
    """
    pixels = np.array([[np.ravel(sample) for sample in of_frame] for of_frame in samples])
    return _labelled(ds, _of_pixels(pixels, common=common))


def verdicts_of(levels: Levels) -> list[Verdict | None]:
    """Why a frame takes no part, or not in all channels; None where nothing is to be said."""
    channels = [str(name) for name in levels.level["channel"].values.tolist()]
    return [
        _verdict(numbers, channels)
        for numbers in zip(*(field.values for field in levels), strict=True)
    ]


def _verdict(numbers: Sequence[Any], channels: Sequence[str]) -> Verdict | None:
    level, share, light = numbers
    lost = np.isnan(level)
    if not lost.any():
        return None
    said = []
    for channel in np.flatnonzero(lost).tolist():
        if share[channel] == 0:
            reason = "its pixels are flagged or not finite"
        elif np.isnan(light[channel]):
            reason = (
                f"it is good in {100 * share[channel]:.3g} % of the pixels that another is good "
                "in, and leaves too few to compare their levels"
            )
        else:
            reason = f"it has no light: its mean is {light[channel]:.3g}"
        said.append(reason if len(channels) == 1 else f"{channels[channel]}: {reason}")
    kind = "high" if not lost.all() else "saturated" if _left(share, light).any() else "medium"
    return Verdict(kind, "; ".join(dict.fromkeys(said)))


def _left(share: Any, light: Any) -> Any:
    """Whether a frame leaves too few pixels to compare it."""
    return (share > 0) & np.isnan(light)


def _as_samples(variable: xr.Variable) -> xr.Variable:
    """The same in one piece: kernels get frames one by one, and these are to be compared."""
    whole = variable if blocks.in_memory(variable) else variable.chunk(-1)
    return xr.Variable(("sample", *variable.dims[1:]), whole.data)


def _labelled(ds: xr.Dataset, found: Sequence[Any]) -> Levels:
    coords = schema.frame_and_channel(ds)
    return Levels(
        *(xr.DataArray(xr.Variable(("frame", "channel"), data), coords=coords) for data in found)
    )


def _levels(image: Any, mask: Any, *, common: bool, told: Any) -> list[Any]:
    kind = np.result_type(image.dtype, np.float32)
    pixels = np.where(mask & np.uint8(Flag.BAD), np.nan, image) if mask is not None else image
    found = _of_pixels(pixels.astype(kind).reshape(*image.shape[:2], -1), common=common)
    if told is not None:
        _tell(found, *told)
    return found


def _tell(found: Sequence[Any], frames: Sequence[str], channels: Sequence[str]) -> None:
    for name, *numbers in zip(frames, *found, strict=True):
        verdict = _verdict(numbers, channels)
        if verdict is not None and _left(*numbers[1:]).any():
            warnings.warn(
                f"the flat {name} takes no part: {verdict.reason}", AutowispWarning, stacklevel=2
            )


def _of_pixels(pixels: Any, *, common: bool) -> list[Any]:
    """Fields of ``Levels``, (frame, channel), of pixels (frame, channel, pixel)."""
    shape = pixels.shape[:2]
    if common:
        pixels = pixels.reshape(shape[0], 1, -1)
    found = [_of_channel(pixels[:, channel]) for channel in range(pixels.shape[1])]
    return [
        np.broadcast_to(np.stack(values, axis=1), shape).copy()
        for values in zip(*found, strict=True)
    ]


def _of_channel(pixels: Any) -> tuple[Any, Any, Any]:
    good = np.isfinite(pixels)
    number = good.sum(axis=1)
    most = max(int(number.max(initial=0)), 1)
    taken = number > 0
    while True:
        together = good[taken].all(axis=0)
        if together.sum() >= _LEAST_IN_COMMON * most or taken.sum() < 2:
            break
        taken[np.argmin(np.where(taken, number, most + 1))] = False
    level, light = np.full((2, len(pixels)), np.nan)
    if taken.any():
        pixels = pixels[:, together].astype(np.float64)
        light[taken] = pixels[taken].mean(axis=1)
        lit = light > 0
        level[lit] = _compared(pixels[lit], light[lit])
    return level, number / most, light


def _compared(pixels: Any, found: Any) -> Any:
    """Level of each frame, (frame), over pixels that are all good, (frame, pixel), from means."""
    if not found.size:
        return found
    for _ in range(_ROUNDS):
        typical = np.median(pixels / found[:, None], axis=0)
        mean = mean_of_lit(typical, MIN_FLAT)
        bright = typical >= MIN_FLAT * mean
        light, typical = pixels[:, bright], typical[bright] / mean
        found = np.array([_robust_ratio(frame, typical) for frame in light])
    return np.where(found > 0, found, np.nan)


def _robust_ratio(light: Any, typical: Any) -> float:
    """Sum of the light of a frame over that of the typical one, without outliers of the ratio."""
    ratio = light / typical
    middle = np.median(ratio)
    distance = np.abs(ratio - middle)
    inside = distance <= _OUTLIER * MAD_TO_SIGMA * np.median(distance)
    return float(light[inside].sum() / typical[inside].sum())
