"""Noise that groups of frames have in common, and what of it is in their average.

Frames that were corrected by the same master have its noise in common, which does not average
down: in an average with the weights p it is (sum of p a)^2, where a^2 is what each frame has of it.
The noise of other masters is another; the squares of the groups add.
"""

import numpy as np

from autowisp_xr.arrays import Bools, Columns, Floats, Integers
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
    with np.errstate(invalid="ignore", divide="ignore"):
        for group in np.unique(groups):
            amplitude = np.zeros(block.number.size)
            for frame in np.flatnonzero(groups == group):
                part = np.sqrt(shared[frame].astype(np.float64))
                if scaled:
                    part *= pixels.values[frame]
                if weights.of_frames.size:
                    own = weights.of_frames[frame]
                    own = np.repeat(own, part.size // own.size)
                    part *= own * block.number / weights.total
                amplitude += np.where(_survive(pixels, block, int(frame)), part, 0.0)
            total += (amplitude / block.number) ** 2
    return total


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
