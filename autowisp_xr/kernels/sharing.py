"""Noise that groups of frames have in common, and what of it is in their average.

Frames that were corrected by the same master have its noise in common, which does not average
down: in an average with the weights p it is (sum of p a)^2, where a^2 is what each frame has of it.
The noise of other masters is another; the squares of the groups add.
"""

from typing import Any

import numpy as np

from autowisp_xr.kernels.block import part_of
from autowisp_xr.kernels.jit import kernel
from autowisp_xr.kernels.survivors import mark

__all__ = ["shared_noise"]

_WIDTH = 1024


def shared_noise(
    values: Any,
    mask: Any,
    exclude: Any,
    shared: Any,
    groups: Any,
    weights: Any,
    total: Any,
    block: Any,
    *,
    scaled: bool = False,
) -> Any:
    """Variance of the average of each pixel that its survivors share in groups, (pixel) float64.

    Parameters
    ----------
    values, mask, exclude, weights, total
        As for :func:`autowisp_xr.kernels.survivors.weigh`; ``weights`` of size 0 for equal ones.
    shared : (frame, pixel) array
        What each frame has of it.
    groups : (frame) array of integers from 0 up
        Frames of one group have the same noise.
    scaled
        Whether it is relative to the square of each value.

    Returns
    -------
    NaN where nothing survives.
    """
    out = np.zeros(values.shape[1])
    numbers = np.ascontiguousarray(groups, np.int64)
    sum_groups(
        values,
        mask,
        exclude,
        shared,
        numbers,
        scaled,
        weights,
        total,
        block,
        numbers.max() + 1,
        out,
    )
    return out


@kernel
def sum_groups(
    values: Any, mask: Any, exclude: Any, shared: Any, groups: Any, scaled: bool, weights: Any,
    total: Any, block: Any, number: int, out: Any,
) -> None:  # fmt: skip
    """Add up what :func:`shared_noise` gives, group by group."""
    kept, amplitude = np.empty(_WIDTH, np.bool_), np.empty(_WIDTH)
    run = 1 if weights.size == 0 else values.shape[1] // weights.shape[1]
    for start in range(0, out.size, _WIDTH):
        stop = min(out.size, start + _WIDTH)
        here, alive, sums = part_of(block, start, stop), kept[: stop - start], out[start:stop]
        for group in range(number):
            amplitude[:] = 0.0
            for frame in range(values.shape[0]):
                if groups[frame] != group:
                    continue
                source, row = values[frame, start:stop], shared[frame, start:stop]
                mark(source, mask[frame, start:stop], exclude, here, alive)
                for pixel in range(alive.size):
                    part = np.sqrt(np.float64(row[pixel]))
                    if scaled:
                        part *= np.float64(source[pixel])
                    if weights.size:
                        weight = weights[frame, (start + pixel) // run]
                        part *= weight * here.number[pixel] / total[start + pixel]
                    amplitude[pixel] += part if alive[pixel] else 0.0
            for pixel in range(alive.size):
                sums[pixel] += (amplitude[pixel] / here.number[pixel]) ** 2
