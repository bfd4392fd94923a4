"""Pixels on a regular grid, which show of whole frames what each pixel alone cannot.

The grid is the same however the planes are chunked. Lazy frames are read for it once more, apart
from the stack: with one graph for both, all bands would wait in memory for what the grid states.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from autowisp_xr._compat import apart
from autowisp_xr.stats.sampling import grid_step


def grid_of(ds: xr.Dataset, names: Sequence[str], step: int | None = None) -> xr.Dataset:
    """Return the variables of these names that there are, on the grid; lazy where they are."""
    step = step or grid_step(ds.sizes["y"], ds.sizes["x"])
    grid = ds[[name for name in names if name in ds]].isel(
        y=slice(None, None, step), x=slice(None, None, step)
    )
    # a view of every 33rd pixel would keep all of them in memory
    lazy = {
        name: (
            plane.dims,
            apart(plane.data.map_blocks(np.ascontiguousarray, dtype=plane.dtype), "grid"),
            plane.attrs,
        )
        for name, plane in grid.data_vars.items()
        if plane.chunks is not None
    }
    return grid.assign(lazy)
