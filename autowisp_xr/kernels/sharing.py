"""Noise that groups of frames have in common, and what of it is in their average.

Frames that were corrected by the same master have its noise in common, which does not average
down: in an average with the weights p it is (sum of p a)^2, where a^2 is what each frame has of it.
The noise of other masters is another; the squares of the groups add.
"""

from typing import Any

import numpy as np

from autowisp_xr.arrays import Bools, Columns, Floats, Integers
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.pixels import Block, Pixels, Weights


def shared_noise(
    pixels: Pixels,
    shared: Columns,
    groups: Integers,
    weights: Weights,
    block: Block,
    *,
    scaled: bool = False,
) -> Floats:
    """Return the variance of averages that survivors share in groups, (pixel) float64.

    Parameters
    ----------
    pixels, weights
        As :mod:`autowisp_xr.kernels.pixels` defines them.
    shared : (frame, pixel) array
        What each frame has of it.
    groups : (frame) array
        Frames with one number have the same noise.
    block
        What survives.
    scaled
        Whether it is relative to the square of each value.

    Returns
    -------
    NaN where nothing survives.
    """
    total = np.zeros(block.number.size)
    for group in np.unique(groups):
        frames = np.flatnonzero(groups == group)
        _add_share(pixels, shared, frames, weights, block, scaled, np.zeros_like(total), total)
    return total


@kernel
def _add_share(
    pixels: Any,
    shared: Any,
    frames: Any,
    weights: Any,
    block: Any,
    scaled: Any,
    amplitude: Any,
    total: Any,
) -> None:
    """Add what the survivors of a group share; ``amplitude`` is 0 before."""
    weighted = weights.of_frames.size > 0
    repeated = total.size // weights.of_frames.shape[1] if weighted else 1
    flags = np.zeros(total.size, np.uint8)
    for frame in frames:
        if pixels.mask.size:
            flags = pixels.mask[frame]
        for i in range(total.size):
            value = pixels.values[frame, i]
            part = np.sqrt(np.float64(shared[frame, i]))
            if scaled:
                part *= value
            if weighted:
                own = weights.of_frames[frame, i // repeated]
                part *= own * block.number[i] / weights.total[i]
            # without a branch, so that several pixels go at once
            inside = (value >= block.smallest[i]) & (value <= block.largest[i])
            inside &= flags[i] & pixels.exclude == 0
            amplitude[i] += part if inside else 0.0
    for i in range(total.size):
        total[i] += (amplitude[i] / block.number[i]) ** 2


def sum_of_counts(pixels: Pixels, counts: Columns, block: Block) -> Integers:
    """Count the values that went into the survivors of each pixel, (pixel) int32."""
    total = np.zeros(block.number.size, np.int32)
    for frame, own in enumerate(counts):
        total += np.where(_survive(pixels, block, frame), own, 0).astype(np.int32)
    return total


def _survive(pixels: Pixels, block: Block, frame: int) -> Bools:
    """Return which values of a frame survive, (pixel)."""
    values = pixels.values[frame]
    inside = (values >= block.smallest) & (values <= block.largest)
    return inside & (pixels.mask[frame] & pixels.exclude == 0) if pixels.mask.size else inside
