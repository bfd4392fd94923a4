"""Pixels that take part in what is measured: good ones, neighbours, or those of a regular grid."""

import numpy as np

from autowisp_xr.arrays import Bools, Mask, Numbers
from autowisp_xr.flags import Flag

_PIXELS = 2**16
"""Of a plane, about."""

_TWO_THIRDS = (15.865, 84.135)
_FAR = 5.0
"""Standard deviations, beyond which neighbours differ by a star or a defect."""


def good_only(image: Numbers, mask: Mask | None) -> Numbers:
    """The pixels of an image, NaN where its mask has a flag; as they are where there is no mask."""
    return image if mask is None else np.where(mask & np.uint8(Flag.BAD), np.nan, image)


def is_good(image: Numbers, mask: Mask | None) -> Bools:
    """Whether the pixels of an image are finite, and have no flag where there is a mask."""
    good = np.isfinite(image)
    if mask is not None:
        good &= mask & np.uint8(Flag.BAD) == 0
    return good


def scatter_of_neighbours(image: Numbers, good: Bools) -> float:
    """Return the standard deviation of a pixel by what differs between neighbours along the rows.

    Slopes do not count, nor do the few pixels that stand out; NaN where no neighbours are good.

    Examples
    --------
    >>> image = np.arange(6.0) + np.array([0, 1, 0, 1, 0, 1])
    >>> round(scatter_of_neighbours(image, np.ones(6, bool)), 3)
    0.894
    """
    apart = np.diff(np.asarray(image, np.float64), axis=-1)[good[..., 1:] & good[..., :-1]]
    if not apart.size:
        return float("nan")
    apart -= np.median(apart)
    half = float(np.diff(np.percentile(apart, _TWO_THIRDS))[0]) / 2
    near = apart[np.abs(apart) <= _FAR * half] if half > 0 else apart
    return float(np.sqrt(np.mean(near**2) / 2))


def grid_step(height: int, width: int, pixels: int = _PIXELS) -> int:
    """Pixels from one of the grid to the next, along rows and columns.

    The grid has about so many ``pixels``. The step is odd, so that no pattern of even and odd
    columns is seen with one eye only.

    Examples
    --------
    >>> grid_step(256, 256), grid_step(4096, 4096)
    (1, 17)
    """
    return max(1, int((height * width / pixels) ** 0.5)) | 1


def spread(number: int, most: int | None) -> list[int]:
    """Return numbers of frames, evenly spread, with the first and the last; all of few.

    Examples
    --------
    >>> spread(3, 20), spread(39, 20)[:3], len(spread(39, 20))
    ([0, 1, 2], [0, 2, 4], 20)
    """
    if most is None or most >= number:
        return list(range(number))
    return np.unique(np.linspace(0, number - 1, max(most, 1)).round().astype(int)).tolist()
