"""The noise of an image as its own neighbours show it, where sky and light change slowly."""

import numpy as np
import xarray as xr

from autowisp_xr.arrays import Floats
from autowisp_xr.plot.stretches import MAD
from autowisp_xr.stats.sampling import is_good

ROWS = 128
"""So many rows of a frame, evenly spread, are enough for its level and noise."""


def some_rows(ds: xr.Dataset) -> xr.Dataset:
    """Return every n-th row of frames, lazy where they are, as many as ``ROWS`` or fewer."""
    return ds.isel(y=slice(None, None, -(-ds.sizes["y"] // ROWS)))


def good_values(plane: xr.Dataset) -> Floats:
    """Return the image of a plane (y, x) in memory; NaN where it bears a flag of BAD."""
    values = plane["image"].values.astype(np.float64)
    good = is_good(values, plane["mask"].values if "mask" in plane else None)
    return np.where(good, values, np.nan)


def differences(values: Floats) -> Floats:
    """Return how far each value is from the mean of those two to the left and to the right.

    They are scaled to the noise of a value. In a mosaic that was not split, these pixels have its
    colour. A slope cancels. The edges are NaN, as is what has such a neighbour that is.
    """
    found = np.full(values.shape, np.nan)
    found[:, 2:-2] = values[:, 2:-2] - (values[:, :-4] + values[:, 4:]) / 2
    # the variance of such a difference is 3/2 of that of a value
    return found * np.sqrt(2 / 3)


def scatter(differences: Floats) -> float:
    """Return the robust standard deviation of differences; NaN where there is none."""
    seen = differences[np.isfinite(differences)]
    return MAD * float(np.median(np.abs(seen))) if seen.size else np.nan
