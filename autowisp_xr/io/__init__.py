"""Where Datasets enter and leave: FITS files and Zarr stores."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.io.names import find_files
    from autowisp_xr.io.open import open_fits
    from autowisp_xr.io.scanning import FileRecord, damage, scan
    from autowisp_xr.io.spellings import Spellings
    from autowisp_xr.io.store import open_zarr, to_zarr
    from autowisp_xr.io.write import to_fits

__all__ = [
    "FileRecord",
    "Spellings",
    "damage",
    "find_files",
    "open_fits",
    "open_zarr",
    "scan",
    "to_fits",
    "to_zarr",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "FileRecord": f"{__name__}.scanning",
        "Spellings": f"{__name__}.spellings",
        "damage": f"{__name__}.scanning",
        "find_files": f"{__name__}.names",
        "open_fits": f"{__name__}.open",
        "open_zarr": f"{__name__}.store",
        "scan": f"{__name__}.scanning",
        "to_fits": f"{__name__}.write",
        "to_zarr": f"{__name__}.store",
    },
)
