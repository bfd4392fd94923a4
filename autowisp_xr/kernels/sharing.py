"""Noise that groups of frames have in common, and what of it is in their average.

Frames that were corrected by the same master have its noise in common, which does not average
down: in an average with the weights p it is (sum of p a)^2, where a^2 is what each frame has of it.
The noise of other masters is another; the squares of the groups add.
"""

import numpy as np

from autowisp_xr.arrays import Floats, Integers
from autowisp_xr.kernels.block import Block, part_of
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.pixels import Pixels, Weights
from autowisp_xr.kernels.survivors import WIDTH, mark, relative_weights

__all__ = ["shared_noise"]


def shared_noise(
    pixels: Pixels,
    shared: Floats,
    groups: Integers,
    weights: Weights,
    block: Block,
    *,
    scaled: bool = False,
) -> Floats:
    """Variance of the average of each pixel that its survivors share in groups, (pixel) float64.

    Parameters
    ----------
    pixels, weights
        As :mod:`autowisp_xr.kernels.pixels` defines them.
    shared : (frame, pixel) array
        What each frame has of it.
    groups : (frame) array of integers from 0 up
        Frames of one group have the same noise.
    block
        What survives.
    scaled
        Whether it is relative to the square of each value.

    Returns
    -------
    NaN where nothing survives.
    """
    out = np.zeros(shared.shape[1])
    numbers = np.ascontiguousarray(groups, np.int64)
    sum_groups(pixels, shared, numbers, numbers.max() + 1, scaled, weights, block, out)
    return out


@kernel
def sum_groups(pixels, shared, groups, number, scaled, weights, block, out):
    """Add up what :func:`shared_noise` gives, group by group."""
    kept, amplitude, c = np.empty(WIDTH, np.bool_), np.empty(WIDTH), np.ones(WIDTH)
    for start in range(0, out.size, WIDTH):
        stop = min(out.size, start + WIDTH)
        here, alive, sums = part_of(block, start, stop), kept[: stop - start], out[start:stop]
        for group in range(number):
            amplitude[:] = 0.0
            for frame in range(shared.shape[0]):
                if groups[frame] != group:
                    continue
                source, row = pixels.values[frame, start:stop], shared[frame, start:stop]
                mark(pixels, here, frame, start, alive)
                relative_weights(weights, here, frame, start, c)
                for pixel in range(alive.size):
                    part = np.sqrt(np.float64(row[pixel]))
                    if scaled:
                        part *= np.float64(source[pixel])
                    amplitude[pixel] += part * c[pixel] if alive[pixel] else 0.0
            for pixel in range(alive.size):
                sums[pixel] += (amplitude[pixel] / here.number[pixel]) ** 2
