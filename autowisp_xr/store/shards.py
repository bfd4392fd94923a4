"""How planes and coordinates lie in a Zarr store.

Decision: a shard is a whole frame and its inner chunks are bands of rows, so that one tiling
serves calibration, which writes frames, and stacking, which reads a band of all frames. A chunk
is about half a megabyte: with larger ones a band of a hundred frames would not fit in memory.
Integers go through lz4 with bit-shuffle (half the size); the noise of floats does not compress, so
they are left as they are.
"""

from typing import Any

import numpy as np
import xarray as xr
from zarr.codecs import BloscCodec

from autowisp_xr import schema
from autowisp_xr.flags import Flag

_CHUNK_BYTES = 2**19


def storable(coord: xr.DataArray) -> xr.DataArray:
    """A coordinate in the one kind of text, and of time, that every reader of Zarr knows."""
    if coord.dtype.kind == "M":
        return coord.astype("datetime64[ns]")
    if coord.dtype.kind not in "OU":
        return coord
    return coord.copy(data=np.array(coord.values.tolist(), dtype=np.dtypes.StringDType()))


def encoding_of(ds: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Chunks, shards, compression and fill values of all planes; the unit of times."""
    encoding: dict[str, dict[str, Any]] = {}
    # all planes in the same bands, so that none is read twice
    planes = {
        name: variable
        for name, variable in ds.data_vars.items()
        if variable.dims in (schema.DIMS, schema.DIMS[1:])
    }
    widest = max(variable.dtype.itemsize for variable in planes.values())
    rows = max(1, min(ds.sizes["y"], _CHUNK_BYTES // (ds.sizes["x"] * widest)))
    whole = -(-ds.sizes["y"] // rows) * rows
    for name, variable in planes.items():
        outer = (1,) if "frame" in variable.dims else ()
        integers = variable.dtype.kind in "ui"
        encoding[str(name)] = {
            "chunks": (*outer, 1, rows, variable.sizes["x"]),
            "shards": (*outer, variable.sizes["channel"], whole, variable.sizes["x"]),
            "compressors": [
                BloscCodec(cname="lz4", shuffle="bitshuffle", typesize=variable.dtype.itemsize)
            ]
            if integers
            else None,
        }
        if name == "mask":
            # what was never written must not read as good
            encoding["mask"]["fill_value"] = int(Flag.FAULT)
    if "time" in ds.coords and ds["time"].dtype.kind == "M":
        encoding["time"] = {"units": "nanoseconds since 1970-01-01", "dtype": "int64"}
    return encoding
