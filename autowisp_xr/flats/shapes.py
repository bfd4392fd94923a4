"""Flats brought to the large-scale shape of a reference, and held against it."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.bridge import blocks
from autowisp_xr.flags import Flag
from autowisp_xr.flats.brightness import levels_of
from autowisp_xr.flats.classes import by_deviation
from autowisp_xr.flats.large_scale import cloud_map, large_scale_match
from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.flats.scaling import ALIKE, scaled
from autowisp_xr.flats.table import members
from autowisp_xr.options import Masked
from autowisp_xr.stack.averaging import stacked
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stats.grid_step import grid_step

__all__ = ["Matches", "check_clouds", "cloud_maps", "match_frames", "reference_of"]


class Matches(NamedTuple):
    """How each frame and channel is brought to the reference; all in memory."""

    shape: xr.Variable
    """Smooth images (objects), by which frames are multiplied, over (frame, channel)."""
    mean: xr.DataArray
    """Means of the frames after that, by which they are divided."""
    deviation: xr.DataArray
    """Largest deviation from the reference that is left; NaN where not tested."""
    sample: xr.DataArray
    """Pixels on a regular grid after that (objects), NaN where flagged; None where flags are
    not looked at."""


def reference_of(ds: xr.Dataset, in_bands: xr.Dataset, selection: FlatSelection) -> xr.Dataset:
    """Stack of frames, each scaled to a mean of one first; computed.

    The frames come twice: as their levels are taken, and in bands of rows as they are stacked.

    Left as they are, frames of unequal levels make a median that follows one frame here and
    another there.
    """
    level = levels_of(ds, common=False).level.compute()
    plain = in_bands[[name for name in ("image", "mask") if name in in_bands]]
    frames = scaled(plain, level, to=ALIKE)
    return stacked(frames, StackOptions(reject=selection.large_scale_reject)).compute()


def match_frames(
    ds: xr.Dataset, reference: xr.Dataset, selection: FlatSelection, *, masked: Masked
) -> Matches:
    """Match each frame to the reference; computed, a frame at a time in each thread."""
    results = blocks.apply(
        partial(_match, selection=selection, take=masked == "take"),
        _operands(ds, reference),
        ("frame", "channel"),
        [object, np.float64, np.float64, object],
    )
    coords = schema.frame_and_channel(ds)
    shape, mean, deviation, sample = (
        xr.Dataset(dict(zip(Matches._fields, results, strict=True)), coords).compute().values()
    )
    return Matches(shape.variable, mean, deviation, sample)


def check_clouds(
    frames: xr.Dataset,
    table: xr.Dataset,
    kind: str,
    reference: xr.Dataset,
    selection: FlatSelection,
    *,
    masked: Masked = "leave out",
) -> tuple[xr.Dataset, Matches]:
    """Match the frames of one class to the reference, and find the cloudy ones among them.

    Returns
    -------
    The table with the ``deviation`` of these frames, and the class and reason of those found
    cloudy; the matches of the frames that remain.
    """
    chosen = members(table, kind)
    matches = match_frames(frames.isel(frame=chosen), reference, selection, masked=masked)
    verdicts = [
        by_deviation(*numbers, selection)
        for numbers in zip(matches.mean.values, matches.deviation.values, strict=True)
    ]
    deviation = table["deviation"].values.copy()
    deviation[chosen] = matches.deviation.values
    kinds, reasons = (table[name].values.copy() for name in ("class", "reason"))
    for place, verdict in zip(chosen, verdicts, strict=True):
        if verdict is not None:
            kinds[place], reasons[place] = verdict
    columns = {"class": kinds, "reason": reasons, "deviation": deviation}
    table = table.assign({name: table[name].copy(data=data) for name, data in columns.items()})
    kept = [i for i, verdict in enumerate(verdicts) if verdict is None]
    return table, Matches(
        matches.shape.isel(frame=kept),
        matches.mean.isel(frame=kept),
        matches.deviation.isel(frame=kept),
        matches.sample.isel(frame=kept),
    )


def cloud_maps(
    ds: xr.Dataset, reference: xr.Dataset, selection: FlatSelection, *, masked: Masked
) -> xr.DataArray:
    """What each frame differs from the reference by, smooth: (frame, channel, y, x), float32."""
    (maps,) = blocks.apply(
        partial(_map, selection=selection, take=masked == "take"),
        _operands(ds, reference),
        schema.DIMS,
        [np.float32],
    )
    return xr.DataArray(maps, {**ds["image"].coords}, name="clouds", attrs={"units": "1"})


def _operands(ds: xr.Dataset, reference: xr.Dataset) -> list[xr.Variable | None]:
    mask = blocks.framewise(ds["mask"].variable) if "mask" in ds else None
    return [blocks.framewise(ds["image"].variable), mask, reference["image"].variable]


def _match(
    images: Any, masks: Any, references: Any, *, selection: FlatSelection, take: bool
) -> tuple[Any, Any, Any, Any]:
    shape, sample = np.empty((2, *images.shape[:2]), object)
    mean, deviation = np.empty(shape.shape), np.empty(shape.shape)
    for place in np.ndindex(*shape.shape):
        pixels = _pixels(images, masks, place, take)
        step = None if take else grid_step(*pixels.shape)
        found = large_scale_match(pixels, references[place[1]], selection, step=step)
        shape[place], mean[place], deviation[place], sample[place] = found
    return shape, mean, deviation, sample


def _map(
    images: Any, masks: Any, references: Any, *, selection: FlatSelection, take: bool
) -> tuple[Any]:
    maps = np.empty(images.shape, np.float32)
    for place in np.ndindex(*images.shape[:2]):
        pixels = _pixels(images, masks, place, take)
        maps[place] = cloud_map(pixels, references[place[1]], selection)
    return (maps,)


def _pixels(images: Any, masks: Any, place: tuple[int, ...], take: bool) -> Any:
    if masks is None or take:
        return images[place]
    return np.where(masks[place] & np.uint8(Flag.BAD), np.nan, images[place])
