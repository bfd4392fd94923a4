"""Reading and writing under one name: files (``frames``) and Zarr stores (``store``)."""

from autowisp_xr.frames import find_files, open_records, scan, to_fits
from autowisp_xr.opening import open_fits
from autowisp_xr.recipes import open_zarr
from autowisp_xr.store import groups_of, to_zarr

__all__ = ["find_files", "groups_of", "open_fits", "open_records"]
__all__ += ["open_zarr", "scan", "to_fits", "to_zarr"]
