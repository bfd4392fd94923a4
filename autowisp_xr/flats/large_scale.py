"""Flats brought to the large-scale shape of a reference, and what clouds then leave."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from autowisp_xr import schema
from autowisp_xr.arrays import Bits, Cube, Floats, Image, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.flats.brightness import ALIKE, levels_of
from autowisp_xr.flats.options import FlatSelection
from autowisp_xr.flats.verdicts import by_deviation, mark, members
from autowisp_xr.image_smoothing.image import SmoothModel, bands
from autowisp_xr.kernels.flat_fields import deviation_of, ratio_of, total_of
from autowisp_xr.options import Masked
from autowisp_xr.stack.averaging import stacked
from autowisp_xr.stack.options import StackOptions
from autowisp_xr.stack.scaling import scaled
from autowisp_xr.stats.sampling import good_only, grid_step

_NONE = np.empty((0, 0))
_KINDS = (object, np.float64, np.float64, object)
"""Types of the fields of a match."""


class Match(NamedTuple):
    """The factor that brings a flat to the shape of the reference, and what is left."""

    shape: SmoothModel | None
    """Smooth image that the frame is multiplied by, with a method ``rows``; None for one."""
    mean: float
    """The mean of the frame after that, which it is divided by. NaN where no pixel is left."""
    deviation: float
    """Largest deviation from the reference that is left, relative; NaN where it is not tested."""
    sample: Image | None
    """Each ``step``-th pixel of each ``step``-th row of the frame after that; None without one."""


def large_scale_match(
    image: Image, reference: Image, selection: FlatSelection, *, step: int | None = None
) -> Match:
    r"""Match one frame to the reference, and look for clouds in it.

    Parameters
    ----------
    image, reference : (y, x) arrays
        Pixels that are not finite take no part.
    selection
        The smoothers; the deviation is found only where it has a threshold.
    step
        Of the sample; None for none.

    Notes
    -----
    With the smoothers :math:`S_l` and :math:`S_c`, the reference R and the frame I,

    .. math:: C = I \cdot S_l(R / I), \qquad d = \max |S_c(C / R - 1)|

    Without the first smoother, C is I with the mean of R. The mean is over the finite pixels of C;
    it is NaN where it is not positive.
    """
    # one array of the size of the frame: getting memory takes as long as filling it
    scratch = np.empty(image.shape)
    shape = _shape(image, reference, selection, scratch)
    mean, sample = _compare(image, shape, reference, scratch, step)
    deviation = np.nan
    smoother = selection.cloud_check_smoother
    tested = selection.large_scale_deviation_threshold is not None and np.isfinite(mean)
    if smoother is not None and tested:
        clouds = smoother.model(scratch)
        # NaN of any band stays NaN
        deviation = float(
            np.max(
                [np.abs(clouds.rows(band.start, band.stop)).max() for band in bands(clouds.shape)]
            )
        )
    return Match(shape, mean, deviation, sample)


def matched(image: Image, shape: SmoothModel | None) -> Image:
    """Return the frame with the shape of the reference, (y, x) float64."""
    return np.array(image, np.float64) if shape is None else image * shape.rows(0, image.shape[0])


def cloud_map(image: Image, reference: Image, selection: FlatSelection) -> Floats:
    """Return the smooth relative difference of a frame from the reference, in its shape.

    (y, x) float64; without a smoother of clouds, as it is.
    """
    left = np.empty(image.shape)
    shape = _shape(image, reference, selection, left)
    _compare(image, shape, reference, left)
    smoother = selection.cloud_check_smoother
    return left if smoother is None else smoother.smooth(left)


def _shape(
    image: Image, reference: Image, selection: FlatSelection, scratch: Floats
) -> SmoothModel | None:
    if selection.large_scale_smoother is None:
        return None
    ratio_of(reference, image, scratch)
    return selection.large_scale_smoother.model(scratch)


def _compare(
    image: Image, shape: SmoothModel | None, reference: Image, out: Floats, step: int | None = None
) -> tuple[float, Image | None]:
    """Return the mean and a sample of the frame with its new shape.

    What it differs from the reference by goes to ``out``.
    """
    level = 1.0
    if shape is None:
        # the frame has not been brought to the level of the reference
        level = _mean([total_of(reference, _NONE)]) / _mean([total_of(image, _NONE)])
    totals, pieces = [], []
    for band in bands(image.shape):
        rows = _NONE if shape is None else shape.rows(band.start, band.stop)
        totals.append(total_of(image[band], rows))
        deviation_of(image[band], rows, level, reference[band], out[band])
        if step is not None:
            part = np.s_[-band.start % step :: step, ::step]
            piece = image[band][part]
            pieces.append(piece * rows[part] if rows.size else piece)
    if not pieces:
        return _mean(totals), None
    return _mean(totals), np.concatenate(pieces).astype(np.result_type(image.dtype, np.float32))


def _mean(totals: Sequence[tuple[float, int]]) -> float:
    total, number = (sum(parts) for parts in zip(*totals, strict=True))
    mean = total / number if number else np.nan
    return mean if mean > 0 else np.nan


class Matches(NamedTuple):
    """The matches of all frames and channels to the reference, in memory."""

    shape: xr.Variable
    """Smooth images (objects), by which frames are multiplied, over (frame, channel)."""
    mean: xr.DataArray
    """Means of the frames after that, by which they are divided."""
    deviation: xr.DataArray
    """Largest deviation from the reference that is left; NaN where not tested."""
    sample: xr.DataArray
    """Pixels on a regular grid after that (objects), NaN where flagged; None where flags are
    not looked at."""


def reference_of(ds: xr.Dataset, selection: FlatSelection) -> xr.Dataset:
    """Stack frames, each scaled to a mean of one first; computed.

    Left as they are, frames of unequal levels make a median that follows one frame here and
    another there.
    """
    level = levels_of(ds, common=False).level.compute()
    plain = ds[[name for name in ("image", "mask") if name in ds]]
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
        _KINDS,
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
    """Map the smooth difference of frames from the reference: (frame, channel, y, x), float32."""
    (maps,) = blocks.apply(
        partial(_map, selection=selection),
        _operands(ds, reference, masked),
        schema.DIMS,
        [np.float32],
    )
    return xr.DataArray(maps, {**ds["image"].coords}, name="clouds", attrs={"units": "1"})


def _operands(ds: xr.Dataset, reference: xr.Dataset, masked: Masked) -> list[xr.Variable | None]:
    image, mask = blocks.whole_frames(ds, ("image", "mask"))
    return [image, mask if masked == "leave out" else None, reference["image"].variable]


def _match(
    images: Cube, masks: Bits | None, references: Planes, *, selection: FlatSelection, sampled: bool
) -> list[np.ndarray[Any, Any]]:
    results = [np.empty(images.shape[:2], kind) for kind in _KINDS]
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
