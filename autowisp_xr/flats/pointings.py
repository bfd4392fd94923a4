"""The distances between the pointings of frames."""

import numpy as np
from numpy.typing import ArrayLike

from autowisp_xr.arrays import Floats, Integers

_ROWS = 512


def nearest_pointings(ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Integers]:
    r"""Return the distance of each pointing from the nearest other one.

    Parameters
    ----------
    ra, dec : (n,) arrays
        Degrees; NaN where the pointing of a frame is not known.

    Returns
    -------
    separation : (n,) float64 array
        Seconds of arc; NaN for a frame without pointing, or where no other frame has one.
    nearest : (n,) int array
        Which frame that is; -1 where there is none.

    Notes
    -----
    The haversine formula, which keeps its digits at small angles (R. W. Sinnott, "Virtues of the
    Haversine", Sky and Telescope 68 (1984) 159):

    .. math:: \sin^2\frac{d}{2} = \sin^2\frac{\delta_1 - \delta_2}{2}
              + \cos\delta_1 \cos\delta_2 \sin^2\frac{\alpha_1 - \alpha_2}{2}
    """
    ra, dec = (np.radians(np.asarray(angle, dtype=np.float64)) for angle in (ra, dec))
    separation = np.full(ra.shape, np.nan)
    nearest = np.full(ra.shape, -1)
    known = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    if known.size < 2:
        return separation, nearest
    ra, dec = ra[known], dec[known]
    for start in range(0, known.size, _ROWS):
        rows = np.arange(start, min(start + _ROWS, known.size))
        square = np.sin((dec[rows, None] - dec) / 2) ** 2
        square += np.cos(dec[rows, None]) * np.cos(dec) * np.sin((ra[rows, None] - ra) / 2) ** 2
        square[np.arange(rows.size), rows] = np.inf
        closest = square.argmin(axis=1)
        half = np.sqrt(np.minimum(square[np.arange(rows.size), closest], 1.0))
        separation[known[rows]] = np.degrees(2 * np.arcsin(half)) * 3600
        nearest[known[rows]] = known[closest]
    return separation, nearest
