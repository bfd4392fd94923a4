"""A look at a few pixels of a file, where its header does not tell enough."""

from astropy.io import fits

from autowisp_xr.errors import AutowispError
from autowisp_xr.fits.layout import Hdu
from autowisp_xr.fits.pixels import read_rows
from autowisp_xr.headers.bunit import COUNTED, unit_of
from autowisp_xr.headers.cards import value_of
from autowisp_xr.pixel_types import pixel_type

__all__ = ["sampled_type"]


def sampled_type(header: fits.Header, plane: Hdu) -> str:
    """How pixels are stored; three rows of floats in a unit that counts are looked at."""
    if plane.dtype.kind != "f" or unit_of(value_of(header, "BUNIT") or COUNTED[0]) not in COUNTED:
        return pixel_type(plane.dtype)
    rows = [plane.height * quarter // 4 for quarter in (1, 2, 3)]
    try:
        sample = [read_rows(plane, row, row + 1) for row in rows]
    except (AutowispError, OSError):
        # who reads them says why they cannot be
        return pixel_type(plane.dtype)
    return pixel_type(plane.dtype, sample)
