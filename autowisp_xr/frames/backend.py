"""The door of xarray: ``xr.open_dataset(path, engine="autowisp")``."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from autowisp_xr.camera import Camera
from autowisp_xr.fits.hdu_choice import HduChoice
from autowisp_xr.fits.packing import is_packed
from autowisp_xr.fits.units import MAGIC
from autowisp_xr.frames.names import FITS_SUFFIX
from autowisp_xr.frames.open import open_fits
from autowisp_xr.headers.spellings import Spellings

__all__ = ["AutowispBackend"]


class AutowispBackend(BackendEntrypoint):
    """FITS frames as xarray Datasets; the same as :func:`autowisp_xr.frames.open_fits`."""

    description = "Raw and calibrated frames of CCD, CMOS and DSLR cameras in FITS files"
    open_dataset_parameters = (
        *("filename_or_obj", "drop_variables", "camera", "hdu", "spellings", "types"),
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        camera: Camera | None = None,
        hdu: HduChoice = None,
        spellings: Spellings | None = None,
        types: Mapping[str, str] | None = None,
    ) -> xr.Dataset:
        """Open a path, a glob pattern, a directory or a list of these."""
        ds = open_fits(filename_or_obj, camera=camera, hdu=hdu, spellings=spellings, types=types)
        if drop_variables is None:
            return ds
        names = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables)
        return ds.drop_vars(names, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether a path has one of our suffixes, and begins like FITS or what packs it."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        path = os.fspath(filename_or_obj)
        if not isinstance(path, str) or FITS_SUFFIX.search(path) is None:
            return False
        try:
            with open(path, "rb") as file:
                start = file.read(len(MAGIC))
        except OSError:
            return False
        return start == MAGIC or is_packed(start)
