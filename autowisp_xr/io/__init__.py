"""Where Datasets enter and leave: FITS files and Zarr stores."""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.headers.spellings import Spellings
    from autowisp_xr.io.arrange import files_of_frames
    from autowisp_xr.io.copies import copies_of
    from autowisp_xr.io.finding import find_files, passed_over
    from autowisp_xr.io.likely import likely_type
    from autowisp_xr.io.open import open_fits, open_records
    from autowisp_xr.io.scanning import FileRecord, checked, damage, scan
    from autowisp_xr.io.store import groups_of, identity_of, open_zarr, to_zarr
    from autowisp_xr.io.type_rules import unused_rules
    from autowisp_xr.io.uniform import Emptiness, emptiness
    from autowisp_xr.io.write import to_fits

__all__ = [
    "Emptiness",
    "FileRecord",
    "Spellings",
    "checked",
    "copies_of",
    "damage",
    "emptiness",
    "files_of_frames",
    "find_files",
    "groups_of",
    "identity_of",
    "likely_type",
    "open_fits",
    "open_records",
    "open_zarr",
    "passed_over",
    "scan",
    "to_fits",
    "to_zarr",
    "unused_rules",
]

__getattr__, __dir__ = attach(
    __name__,
    {
        "Emptiness": f"{__name__}.uniform",
        "FileRecord": f"{__name__}.scanning",
        "Spellings": "autowisp_xr.headers.spellings",
        "checked": f"{__name__}.scanning",
        "copies_of": f"{__name__}.copies",
        "damage": f"{__name__}.scanning",
        "emptiness": f"{__name__}.uniform",
        "files_of_frames": f"{__name__}.arrange",
        "find_files": f"{__name__}.finding",
        "groups_of": f"{__name__}.store",
        "identity_of": f"{__name__}.store",
        "likely_type": f"{__name__}.likely",
        "open_fits": f"{__name__}.open",
        "open_records": f"{__name__}.open",
        "open_zarr": f"{__name__}.store",
        "passed_over": f"{__name__}.finding",
        "scan": f"{__name__}.scanning",
        "to_fits": f"{__name__}.write",
        "to_zarr": f"{__name__}.store",
        "unused_rules": f"{__name__}.type_rules",
    },
)
