"""Reading and writing under one name: files (``frames``) and Zarr stores (``store``)."""

from autowisp_xr.frames import (
    FileRecord,
    copies_of,
    find_files,
    open_fits,
    open_records,
    passed_over,
    scan,
    to_fits,
)
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.store import groups_of, identity_of, open_zarr, to_zarr

__all__ = [
    "FileRecord",
    "Spellings",
    "copies_of",
    "find_files",
    "groups_of",
    "identity_of",
    "open_fits",
    "open_records",
    "open_zarr",
    "passed_over",
    "scan",
    "to_fits",
    "to_zarr",
]
