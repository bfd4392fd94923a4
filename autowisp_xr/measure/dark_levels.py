"""The levels of darks against their exposures, in pixels that are neither hot nor odd."""

from collections.abc import Sequence
from typing import NamedTuple

import bottleneck
import numpy as np
import xarray as xr

from autowisp_xr.arrays import Bools, Floats, Planes
from autowisp_xr.bridge import blocks
from autowisp_xr.bridge.rows import pieces
from autowisp_xr.camera import Camera
from autowisp_xr.measure.tile_scatter import OF_MEDIAN, cut, near_median, size_of_sorted
from autowisp_xr.options import OverscanChoice
from autowisp_xr.steps.calibration import calibrated

_TILE, _LEAST_TILE = 32, 8
_TILES = 64
"""Pixels a side of tiles: in small frames fewer, so that there are about so many tiles."""

_PIXELS = 2**19
"""Pixels of a channel that are worked on at once."""

_GOOD = 0.5
"""Of the pixels of a tile; one with fewer that count is left out."""

_NEAR = 5.0
"""Standard deviations from the median of the rates, within which a pixel is typical."""

_SURE = 3.0
"""Exposures that are assumed to be off as their frames scatter: two or three alone mean little."""


class Line(NamedTuple):
    """The line through the levels of frames of one temperature, of each channel."""

    rate: Floats
    """(channel) ADU per second."""
    levels: Floats
    """(frame, channel) above that of no exposure, in ADU."""
    slopes: Floats
    """(frame): what the level of each frame counts for in the rate."""
    scatter: Floats
    """(channel): sum of the squared deviations of levels from the line."""
    misfit: Floats
    """(channel): the same of the means of frames of one exposure, each times their number."""
    exposures: int
    """How many there are, that of biases included."""
    freedom: int
    """Degrees of freedom of the scatter."""
    tile_noise: Floats
    """(channel): variance of the level of one frame by the noise of its pixels."""


def typical_pixels(maps: Sequence[xr.Dataset]) -> Bools:
    """Return the pixels (channel, y, x) whose rate is near the median at all temperatures."""
    near = np.ones(maps[0]["image"].shape, bool)
    for one in maps:
        planes = (one["image"].values, one["mask"].values, near)
        for rates, mask, near_here in zip(*planes, strict=True):
            good = (mask == 0) & np.isfinite(rates)
            near_here &= good
            known = rates[good]
            if not known.size:
                continue
            # maps are large: in order, the rates show the distances as well
            known.sort()
            middle = float(known[[(known.size - 1) // 2, known.size // 2]].mean(dtype=np.float64))
            limit = _NEAR * size_of_sorted(known, middle)
            for row, of_row in zip(rates, near_here, strict=True):
                of_row &= np.abs(row.astype(np.float64) - middle) <= limit
    return near


def tile_means(raw: xr.Dataset, typical: Bools, camera: Camera, overscan: OverscanChoice) -> Floats:
    """Return the means of the typical pixels of each tile, (frame, channel, tile) in ADU.

    Frames are read one at a time; a pixel that is flagged in a frame takes no part in it.
    """
    found = []
    side = int(np.clip((typical[0].size / _TILES) ** 0.5, _LEAST_TILE, _TILE))
    height, width = (min(side, size) for size in typical.shape[1:])
    for number in range(raw.sizes["frame"]):
        one = calibrated(
            blocks.bands(raw.isel(frame=[number])), noise=None, camera=camera, overscan=overscan
        )
        means = []
        for rows, (image, mask) in pieces([one[n].variable for n in ("image", "mask")], height):
            good = typical[:, rows] & (mask[0] == 0)
            means.append(_means(image[0], good, height, width))
        found.append(np.concatenate(means, axis=1).reshape(len(typical), -1))
    return np.stack(found)


def _means(image: Planes, good: Bools, height: int, width: int) -> Floats:
    """Return the means (channel, down, across) of tiles."""
    step = height * max(1, _PIXELS // (height * image.shape[2]))
    parts = [
        _means_of_rows(image[:, rows], good[:, rows], height, width)
        for rows in (slice(start, start + step) for start in range(0, image.shape[1], step))
    ]
    return np.concatenate(parts, axis=1)


def _means_of_rows(image: Planes, good: Bools, height: int, width: int) -> Floats:
    """Return the means (channel, down, across) of the tiles of some rows; NaN of bad ones."""
    pixels = cut(np.where(good, image.astype(np.float64), np.nan), height, width)
    # without cosmic rays
    near = near_median(pixels) & np.isfinite(pixels)
    number = near.sum(axis=-1)
    means = np.where(near, pixels, 0.0).sum(axis=-1) / np.maximum(number, 1)
    return np.where(number >= _GOOD * pixels.shape[-1], means, np.nan)


def line_of(seconds: Floats, means: Floats) -> Line:
    r"""Fit the levels of frames by least squares, tile by tile; the median of the tiles counts.

    Parameters
    ----------
    seconds
        (frame), of which two differ; 0 for biases.
    means
        (frame, channel, tile) as :func:`tile_means` gives them.

    Notes
    -----
    The level of a whole frame wanders by more than the noise of a mean of a million pixels, so
    that what frames scatter by about the line is the uncertainty of each, and not what pixels do.
    """
    off = seconds - seconds.mean()
    slopes = off / (off**2).sum()
    rates = np.einsum("f,fct->ct", slopes, means)
    above = means - means.mean(axis=0) + rates * seconds.mean()
    left = above - rates * seconds[:, None, None]
    freedom = len(seconds) - 2
    common = _median(left)
    noise = np.zeros(means.shape[1])
    if freedom > 0:
        tiles = np.maximum(np.isfinite(left).sum(axis=(0, 2)) / len(seconds), 1)
        of_tile = np.nansum((left - common[:, :, None]) ** 2, axis=(0, 2)) / tiles / freedom
        noise = OF_MEDIAN * of_tile / tiles
    scatter = (common**2).sum(axis=0)
    alike = [common[seconds == one] for one in np.unique(seconds)]
    misfit = sum(len(some) * some.mean(axis=0) ** 2 for some in alike)
    return Line(_median(rates), _median(above), slopes, scatter, misfit, len(alike), freedom, noise)


def errors_of(lines: Sequence[Line]) -> list[Floats]:
    """Return the uncertainties of rates (channel), by what levels of all temperatures scatter.

    NaN where no more frames than unknowns show it.
    """
    freedom = sum(line.freedom for line in lines)
    if not freedom:
        return [np.full(line.rate.shape, np.nan) for line in lines]
    variance = sum(line.scatter for line in lines) / freedom
    found = []
    for line in lines:
        own = np.maximum(variance, line.tile_noise)
        with np.errstate(divide="ignore", invalid="ignore"):
            off = np.where(own > 0, line.misfit / own, 0.0)
        # frames that were taken together wander together
        factor = (_SURE + off) / (_SURE + line.exposures - 2)
        found.append(np.sqrt(own * factor * (line.slopes**2).sum()))
    return found


def _median(values: Floats) -> Floats:
    found: Floats = bottleneck.nanmedian(values, axis=-1)
    return found


def checked_tiles(means: Floats, channels: Sequence[str]) -> list[str]:
    """Return the channels without a tile that counts in all frames."""
    known = np.atleast_1d(np.isfinite(means).all(axis=0).any(axis=-1))
    return [name for name, one in zip(channels, known, strict=True) if not one]
