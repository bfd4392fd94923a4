"""Flag saturated pixels, and those that their charge spills into."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Bits, Cube
from autowisp_xr.flags import Flag

Leak = tuple[int, int, int, int]
"""Source channel, target channel, and the step in rows and columns of their planes."""


def leaks_between_channels(
    directions: Sequence[tuple[int, int]],
    offsets: Sequence[tuple[int, int]],
    steps: tuple[int, int],
) -> list[Leak]:
    """Return leaks in raw-frame pixels as steps between the interleaved planes of channels.

    Parameters
    ----------
    directions
        Offsets (dx, dy) in raw-frame pixels.
    offsets, steps
        Row and column of each channel in its super-pixel, and the size (y, x) of a super-pixel.

    Returns
    -------
    One leak for each direction and source channel whose neighbour belongs to a channel listed.

    Examples
    --------
    A leak to the right in a Bayer mosaic goes from R to G1 beside it, and from G1 to the next R:

    >>> leaks_between_channels([(1, 0)], [(0, 0), (0, 1)], (2, 2))
    [(0, 1, 0, 0), (1, 0, 0, 1)]
    """
    leaks = []
    for dx, dy in directions:
        for source, (y, x) in enumerate(offsets):
            for target, (target_y, target_x) in enumerate(offsets):
                rows, y_rest = divmod(y + dy - target_y, steps[0])
                columns, x_rest = divmod(x + dx - target_x, steps[1])
                if y_rest == x_rest == 0:
                    leaks.append((source, target, rows, columns))
    return leaks


def flag_saturated(image: Cube, threshold: ArrayLike, leaks: Sequence[Leak] = ()) -> Bits:
    """Return a mask of what is oversaturated, and of what it leaks into.

    Parameters
    ----------
    image : (..., channel, y, x) array
    threshold : (channel) or (..., channel) array
        A pixel at or above it is OVERSATURATED. NaN is not.
    leaks
        As from :func:`leaks_between_channels`. Every oversaturated pixel leaks in all directions,
        also where it has been leaked into itself; nothing leaks around the edge.

    Returns
    -------
    uint8 array of the shape of ``image``.
    """
    saturated = image >= np.asarray(threshold)[..., None, None]
    mask = saturated.astype(np.uint8) * np.uint8(Flag.OVERSATURATED)
    height, width = image.shape[-2:]
    for source, target, rows, columns in leaks:
        if abs(rows) >= height or abs(columns) >= width:
            continue
        from_y, to_y = _overlap(rows, height)
        from_x, to_x = _overlap(columns, width)
        spilt = saturated[..., source, from_y, from_x].astype(np.uint8)
        mask[..., target, to_y, to_x] |= spilt * np.uint8(Flag.LEAKED)
    return mask


def _overlap(step: int, size: int) -> tuple[slice, slice]:
    """Return slices of what moves by ``step`` and stays inside, and of where it arrives."""
    if step >= 0:
        return slice(0, size - step), slice(step, size)
    return slice(-step, size), slice(0, size + step)
