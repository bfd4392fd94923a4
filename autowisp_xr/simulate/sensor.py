"""The effects of a detector: fixed patterns, charge that spills, cosmic rays, digitisation.

Arrays only, in raw-frame pixels (y, x).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from autowisp_xr.arrays import Bools, Floats

_HOT_RATES = (10.0, 500.0)
"""Electrons per second of a hot pixel, from the faintest to the brightest, evenly in logarithm."""

_JUMPS = (1.0, 50.0)
"""Electrons per second, likewise, by which the dark current of an unstable pixel jumps."""

_SPILL_ROUNDS = 300
"""What then still exceeds the full well has gone into the anti-blooming drain."""

_TRACK_LENGTHS = (1.0, 15.0)
_TRACK_CHARGES = (500.0, 5000.0)
_STEPS = 64


def bias_structure(shape: tuple[int, int], rms: float, rng: np.random.Generator) -> Floats:
    """Draw the fixed pattern of the electronics, in ADU, with a mean of zero.

    Rows, columns and pixels scatter independently, with ``rms`` for the pixels, two thirds of
    it for the columns and half of it for the rows; a slope of ``rms`` runs along both axes.
    """
    height, width = shape
    pattern = rms * rng.standard_normal(shape)
    pattern += rms / 2 * rng.standard_normal((height, 1))
    pattern += rms * 2 / 3 * rng.standard_normal((1, width))
    pattern += rms * (_axis(height)[:, None] + _axis(width)[None, :])
    return pattern - pattern.mean()


def dark_rate(
    shape: tuple[int, int], rate: float, hot_fraction: float, rng: np.random.Generator
) -> tuple[Floats, Bools]:
    """Draw the dark current in electrons per second, and which pixels are hot.

    Ordinary pixels scatter by 10 % about ``rate``; ``hot_fraction`` of all are hot instead.
    """
    dark = rate * np.maximum(1 + 0.1 * rng.standard_normal(shape), 0.1)
    hot = rng.random(shape) < hot_fraction
    low, high = np.log(_HOT_RATES)
    dark[hot] = np.exp(rng.uniform(low, high, np.count_nonzero(hot)))
    return dark, hot


def jumps(shape: tuple[int, int], fraction: float, rng: np.random.Generator) -> Floats:
    """Draw by how many electrons per second the dark current of a pixel jumps; 0 of most."""
    steps = np.zeros(shape)
    unstable = rng.random(shape) < fraction
    low, high = np.log(_JUMPS)
    steps[unstable] = np.exp(rng.uniform(low, high, np.count_nonzero(unstable)))
    return steps


def weakness(
    shape: tuple[int, int], fraction: float, columns: int, rng: np.random.Generator
) -> Floats:
    """Draw the response of dead pixels and of whole bad columns, over that of good ones: 1."""
    dead = rng.random(shape) < fraction
    dead[:, rng.permutation(shape[1])[:columns]] = True
    weak = np.ones(shape)
    weak[dead] = rng.uniform(0, 0.05, np.count_nonzero(dead))
    return weak


def response(
    shape: tuple[int, int], vignetting: float, rms: float, rng: np.random.Generator
) -> Floats:
    """Draw the relative response: 1 in the middle but for scatter of pixels, less in the corners.

    ``vignetting`` is what the very corners lose, quadratic in the distance from the center;
    ``rms`` is the scatter from pixel to pixel.
    """
    height, width = shape
    square = (_axis(height)[:, None] ** 2 + _axis(width)[None, :] ** 2) / 2
    pixels = np.maximum(1 + rms * rng.standard_normal(shape), 0.1)
    return (1 - vignetting * square) * pixels


def spill(charge: Floats, full_well: float, directions: Sequence[tuple[int, int]]) -> Bools:
    """Spill charge of full pixels, in place; return which pixels received some of a neighbour.

    What exceeds ``full_well`` moves in equal parts to the neighbours at the offsets (dx, dy);
    where these are full too, it moves on. What leaves the detector is lost, and so is
    what has not found a place after some hundred steps.
    """
    height, width = charge.shape
    flat = charge.reshape(-1)
    received = np.zeros(flat.shape, dtype=np.bool_)
    over = np.flatnonzero(flat > full_well)
    for _ in range(_SPILL_ROUNDS if directions else 0):
        if over.size == 0:
            break
        share = (flat[over] - full_well) / len(directions)
        flat[over] = full_well
        y, x = np.divmod(over, width)
        touched = []
        for dx, dy in directions:
            inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
            target = (y + dy)[inside] * width + (x + dx)[inside]
            np.add.at(flat, target, share[inside])
            touched.append(target)
        candidates = np.unique(np.concatenate(touched))
        received[candidates] = True
        over = candidates[flat[candidates] > full_well]
    flat[over] = full_well
    return received.reshape(charge.shape)


def add_tracks(charge: Floats, tracks: float, rng: np.random.Generator) -> Bools:
    """Add cosmic rays to ``charge`` (electrons), in place; return which pixels they have hit.

    The number of tracks is Poisson with the mean ``tracks``. Each is straight, 1 to 15 pixels
    long, and leaves in each of its pixels the same charge, 500 to 5000 electrons.
    """
    height, width = charge.shape
    hit = np.zeros(charge.shape, dtype=np.bool_)
    n = rng.poisson(tracks)
    start = rng.uniform((0, 0), (height, width), (n, 2))
    angle = rng.uniform(0, np.pi, n)
    length = rng.uniform(*_TRACK_LENGTHS, n)
    energy = rng.uniform(*_TRACK_CHARGES, n)
    along = length[:, None] * np.linspace(0, 1, _STEPS)
    y = np.floor(start[:, :1] + along * np.sin(angle)[:, None]).astype(np.intp)
    x = np.floor(start[:, 1:] + along * np.cos(angle)[:, None]).astype(np.intp)
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    track = np.broadcast_to(np.arange(n)[:, None], y.shape)
    # a track crosses a pixel in several steps, and leaves its charge once
    pixel = np.unique(np.stack([track[inside], y[inside], x[inside]]), axis=1)
    np.add.at(charge, (pixel[1], pixel[2]), energy[pixel[0]])
    hit[pixel[1], pixel[2]] = True
    return hit


def digitise(adu: Floats) -> npt.NDArray[np.uint16]:
    """Round and clip to the numbers that a converter of 16 bits can give."""
    limits: Any = np.iinfo(np.uint16)
    np.rint(adu, out=adu)
    return np.clip(adu, limits.min, limits.max, out=adu).astype(np.uint16)


def _axis(n: int) -> Floats:
    """Return n steps from -1 to 1; 0 where there is but one."""
    return np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
