"""Pixels on a regular grid, which show of whole frames what each pixel alone cannot.

The grid is the same however the planes are chunked. Lazy frames are read for it once more, apart
from the stack: with one graph for both, all bands would wait in memory for what the grid states.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from autowisp_xr._compat import apart
from autowisp_xr.bridge import blocks
from autowisp_xr.stats.sampling import grid_step


def grid_of(ds: xr.Dataset, names: Sequence[str], step: int | None = None) -> xr.Dataset:
    """Return the variables of these names that there are, on the grid; lazy where they are."""
    step = step or grid_step(ds.sizes["y"], ds.sizes["x"])
    given = ds[[name for name in names if name in ds]]
    grid = given.isel(y=slice(None, None, step), x=slice(None, None, step))
    lazy = {}
    for name, plane in grid.data_vars.items():
        if plane.chunks is not None:
            moved = blocks.moved(given[name].variable)
            each = plane.data
            if not moved and "frame" in plane.dims:
                # each file is read once
                each = each.rechunk({plane.dims.index("frame"): 1, plane.dims.index("y"): -1})
            # a view of every 33rd pixel would keep all of them in memory
            pixels = each.map_blocks(np.ascontiguousarray, dtype=plane.dtype)
            lazy[name] = (plane.dims, apart(pixels, "grid") if moved else pixels, plane.attrs)
    return grid.assign(lazy)
