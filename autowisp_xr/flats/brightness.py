"""The brightness of flats relative to each other, where all of them can be compared.

Decision: frames are compared over pixels that are good in *all* frames of a channel. The mean of a
frame's own good pixels is that of its dim rim where its middle saturates, and makes the rim of a
master 4 % too bright. A frame that leaves too few pixels for that is left out, and reported.

Decision: a level is the light in these pixels over that of the median frame, without those whose
ratio is an outlier: stars in twilight flats lie elsewhere in each frame, and hold a per cent of
its light. Without outliers it is the ratio of the means.

Decision: a frame has no light whose level is below the noise of a pixel, beside others that are
more than twenty times as bright: the shutter stayed closed. A bias drifts by some of its
noise, so that an error of a mean of many pixels is no measure. Where all are as faint, none is left
out: it is the light that there is.
"""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Bools, Cube, Duck, Floats
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.sampled_rows import grid_of
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.flats.verdicts import Verdict
from autowisp_xr.kernels.clip import MAD_TO_SIGMA
from autowisp_xr.options import MIN_FLAT
from autowisp_xr.stats.sampling import good_only
from autowisp_xr.steps.flat import mean_of_lit

ALIKE = "mean of the lit pixels, compared where all frames are good"
"""The level that flats are scaled to, for the history."""

_LEAST_IN_COMMON = 0.1
_OUTLIER = 3.0
_ROUNDS = 3

_COLOURS = frozenset(
    (*"rgbcmylw", "g1", "g2", "gr", "gb", "red", "green", "green1", "green2", "blue", "lum")
)


class Levels(NamedTuple):
    """The brightness of frames, over (frame, channel)."""

    level: xr.DataArray
    """Mean of the lit pixels, as if all were good and free of stars; NaN for a frame that takes no
    part, because it has no good pixel, leaves too few of the others', or has no light."""
    share: xr.DataArray
    """The number of good pixels over that of the frame that has most."""
    light: xr.DataArray
    """Mean of the pixels that are good in all frames; NaN for a frame that leaves too few."""


def is_common(level: str | None, ds: xr.Dataset, *, apart: bool) -> bool:
    """Return whether all channels of a frame are scaled by one level.

    Parameters
    ----------
    level
        "channel", "common", or None for what the channels are by their steps and names.
    ds
        The frames.
    apart
        Whether channels choose their frames for themselves, so that they have none in common.
    """
    if level not in (None, "channel", "common"):
        raise ValueError(f"level is 'channel' or 'common', not {level!r}")
    if level == "common" and apart:
        raise ValueError("a level in common takes FlatSelection(together=True)")
    if level is not None or apart or ds.sizes["channel"] == 1:
        return level == "common"
    whole = all((cut.y_step, cut.x_step) == (1, 1) for cut in schema.channel_slices(ds))
    return whole and not _COLOURS & {name.lower() for name in schema.names(ds, "channel")}


def levels_of(ds: xr.Dataset, *, common: bool) -> Levels:
    """Return the levels of frames (frame, channel, y, x), from a regular grid of pixels.

    Lazy where ``ds`` is, the same bits in any chunks; what is left out of lazy frames is reported
    by a warning when they are computed. With ``common``, one level for all channels of a frame.
    """
    names = [name for name in ("image", "mask") if name in ds]
    planes = ds.assign({name: blocks.pixelwise(ds[name].variable) for name in names})
    grid = grid_of(planes, ("image", "mask"))
    operands = [
        _as_samples(grid[name].variable) if name in grid else None for name in ("image", "mask")
    ]
    lazy = any(not blocks.in_memory(operand) for operand in operands if operand is not None)
    labels = schema.names(ds, "frame"), schema.names(ds, "channel")
    kernel = partial(_levels, common=common, warned=labels if lazy else None)
    found = blocks.apply(
        kernel, operands, ("sample", "channel"), [np.float64] * len(Levels._fields)
    )
    return _labelled(ds, [variable.data for variable in found])


def levels_of_samples(ds: xr.Dataset, samples: np.ndarray[Any, Any], *, common: bool) -> Levels:
    """Return the levels of frames, in memory, of samples of their pixels, NaN where not good.

    ``samples`` is a (frame, channel) array of lists of pixels, the same pixels of all frames.
    """
    pixels = np.array([[np.ravel(sample) for sample in of_frame] for of_frame in samples])
    return _labelled(ds, _of_pixels(pixels, common=common))


def verdicts_of(levels: Levels) -> list[Verdict | None]:
    """Return why each frame takes no part, or not in all channels; None where it does."""
    channels = [str(name) for name in levels.level["channel"].values.tolist()]
    found = zip(*(field.values for field in levels), strict=True)
    return [_verdict(level, share, light, channels) for level, share, light in found]


def _verdict(
    level: Floats, share: Floats, light: Floats, channels: Sequence[str]
) -> Verdict | None:
    lost = np.isnan(level)
    if not lost.any():
        return None
    stated = []
    for channel in np.flatnonzero(lost).tolist():
        if share[channel] == 0:
            reason = "its pixels are flagged or not finite"
        elif np.isnan(light[channel]):
            reason = (
                f"it is good in {100 * share[channel]:.3g} % of the pixels that another is good "
                "in, and leaves too few to compare their levels"
            )
        else:
            reason = f"it has no light: its mean is {light[channel]:.3g}, no more than noise"
        stated.append(reason if len(channels) == 1 else f"{channels[channel]}: {reason}")
    kind = "high" if not lost.all() else "saturated" if _leaves_few(share, light) else "medium"
    return Verdict(kind, "; ".join(dict.fromkeys(stated)))


def _leaves_few(share: Floats, light: Floats) -> bool:
    """Return whether a frame leaves too few pixels of a channel to compare it."""
    return bool(((share > 0) & np.isnan(light)).any())


def _as_samples(variable: xr.Variable) -> xr.Variable:
    """Return a variable in one piece, since kernels get frames one by one otherwise."""
    whole = variable if blocks.in_memory(variable) else variable.chunk(-1)
    return xr.Variable(("sample", *variable.dims[1:]), whole.data)


def _labelled(ds: xr.Dataset, found: Sequence[Duck]) -> Levels:
    coords = schema.frame_and_channel(ds)
    return Levels(
        *(xr.DataArray(xr.Variable(("frame", "channel"), data), coords=coords) for data in found)
    )


def _levels(
    image: Cube,
    mask: Bits | None,
    *,
    common: bool,
    warned: tuple[Sequence[str], Sequence[str]] | None,
) -> list[Floats]:
    """Return the fields of ``Levels``, and warn of frames where they are named."""
    kind = np.result_type(image.dtype, np.float32)
    pixels = good_only(image, mask).astype(kind).reshape(*image.shape[:2], -1)
    found = _of_pixels(pixels, common=common)
    if warned is None:
        return found
    frames, channels = warned
    for name, level, share, light in zip(frames, *found, strict=True):
        verdict = _verdict(level, share, light, channels)
        if verdict is not None and (verdict.kind != "high" or _leaves_few(share, light)):
            warnings.warn(
                f"the flat {name} takes no part: {verdict.reason}", AutowispWarning, stacklevel=2
            )
    return found


def _of_pixels(pixels: Floats, *, common: bool) -> list[Floats]:
    """Return the fields of ``Levels``, (frame, channel), of pixels (frame, channel, pixel)."""
    shape = pixels.shape[:2]
    if common:
        pixels = pixels.reshape(shape[0], 1, -1)
    found = [_of_channel(pixels[:, channel]) for channel in range(pixels.shape[1])]
    return [
        np.broadcast_to(np.stack(values, axis=1), shape).copy()
        for values in zip(*found, strict=True)
    ]


def _of_channel(pixels: Floats) -> tuple[Floats, Floats, Floats]:
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
        lit = taken.copy()
        lit[taken] = _are_lit(pixels[taken], light[taken])
        level[lit] = _compared(pixels[lit], light[lit])
    return level, number / most, light


def _are_lit(pixels: Floats, light: Floats) -> Bools:
    """Return whether frames hold light, given pixels that are all good, (frame, pixel)."""
    bright, lit = light >= MIN_FLAT * light.max(), light > 0
    if (lit & ~bright).any():
        typical = pixels[bright].sum(axis=0) / light[bright].sum()
        # of neighbours, since light of another shape is no noise
        steps = np.abs(np.diff(pixels - light[:, None] * typical, axis=1))
        noise = MAD_TO_SIGMA / 2**0.5 * (np.median(steps, axis=1) if steps.size else 0.0)
        lit &= bright | (light >= noise)
    return lit


def _compared(pixels: Floats, found: Floats) -> Floats:
    """Return the level of each frame over pixels that are all good, (frame, pixel)."""
    if not found.size:
        return found
    for _ in range(_ROUNDS):
        typical = np.median(pixels / found[:, None], axis=0)
        mean = mean_of_lit(typical, MIN_FLAT)
        bright = typical >= MIN_FLAT * mean
        light, typical = pixels[:, bright], typical[bright] / mean
        found = np.array([_robust_ratio(frame, typical) for frame in light])
    return np.where(found > 0, found, np.nan)


def _robust_ratio(light: Floats, typical: Floats) -> float:
    """Return the light of a frame over that of the typical one, without outliers of the ratio."""
    ratio = light / typical
    middle = np.median(ratio)
    distance = np.abs(ratio - middle)
    inside = distance <= _OUTLIER * MAD_TO_SIGMA * np.median(distance)
    return float(light[inside].sum() / typical[inside].sum())
