"""Flats brought to the large-scale shape of a reference, and held against it."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Cube, Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.flats.brightness import ALIKE, levels_of
from autowisp_xr.flats.large_scale import cloud_map, large_scale_match
from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.flats.table import mark, members
from autowisp_xr.flats.verdicts import by_deviation
from autowisp_xr.options import Masked
from autowisp_xr.stack.averaging import stacked
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stack.scaling import scaled
from autowisp_xr.stats.sampling import good_only, grid_step


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
        partial(_match, selection=selection, sampled=masked == "leave out"),
        _operands(ds, reference, masked),
        ("frame", "channel"),
        [object, np.float64, np.float64, object],
    )
    found = xr.Dataset(
        dict(zip(Matches._fields, results, strict=True)), schema.frame_and_channel(ds)
    ).compute()
    return Matches(found["shape"].variable, found["mean"], found["deviation"], found["sample"])


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
    deviation = table["deviation"].copy(deep=True)
    deviation[chosen] = matches.deviation.values
    table = table.assign(deviation=deviation)
    for place, verdict in zip(chosen, verdicts, strict=True):
        if verdict is not None:
            table = mark(table, place, *verdict)
    kept = [i for i, verdict in enumerate(verdicts) if verdict is None]
    return table, Matches._make(found.isel(frame=kept) for found in matches)


def cloud_maps(
    ds: xr.Dataset, reference: xr.Dataset, selection: FlatSelection, *, masked: Masked
) -> xr.DataArray:
    """What each frame differs from the reference by, smooth: (frame, channel, y, x), float32."""
    (maps,) = blocks.apply(
        partial(_map, selection=selection),
        _operands(ds, reference, masked),
        schema.DIMS,
        [np.float32],
    )
    return xr.DataArray(maps, {**ds["image"].coords}, name="clouds", attrs={"units": "1"})


def _operands(ds: xr.Dataset, reference: xr.Dataset, masked: Masked) -> list[xr.Variable | None]:
    looked_at = "mask" in ds and masked == "leave out"
    mask = blocks.framewise(ds["mask"].variable) if looked_at else None
    return [blocks.framewise(ds["image"].variable), mask, reference["image"].variable]


def _match(
    images: Cube, masks: Bits | None, references: Planes, *, selection: FlatSelection, sampled: bool
) -> list[np.ndarray[Any, Any]]:
    kinds = (object, np.float64, np.float64, object)
    results = [np.empty(images.shape[:2], kind) for kind in kinds]
    step = grid_step(*images.shape[2:]) if sampled else None
    for place in np.ndindex(*images.shape[:2]):
        pixels = good_only(images[place], None if masks is None else masks[place])
        found = large_scale_match(pixels, references[place[1]], selection, step=step)
        for result, value in zip(results, found, strict=True):
            result[place] = value
    return results


def _map(
    images: Cube, masks: Bits | None, references: Planes, *, selection: FlatSelection
) -> tuple[Floats]:
    maps = np.empty(images.shape, np.float32)
    for place in np.ndindex(*images.shape[:2]):
        pixels = good_only(images[place], None if masks is None else masks[place])
        maps[place] = cloud_map(pixels, references[place[1]], selection)
    return (maps,)
