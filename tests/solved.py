"""Solved frames whose pixels state where they are: the truth about their sky is one look away."""

import warnings
from typing import Any

import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.wcs import WCS

from autowisp_xr.headers.cards import parse_header

__all__ = [
    "SHAPE",
    "SKIES",
    "assert_right_sky",
    "mosaic",
    "other_program",
    "solved",
    "write_solved",
]

SHAPE = (41, 54)

_CENTER = {"CRPIX1": 20.5, "CRPIX2": 14.25, "CRVAL1": 303.2, "CRVAL2": 46.0}
_CD = {"CD1_1": -2.5e-5, "CD1_2": 2.8e-3, "CD2_1": 2.9e-3, "CD2_2": 1.4e-5}
_TAN = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", **_CENTER}
_SIP = {
    "CTYPE1": "RA---TAN-SIP",
    "CTYPE2": "DEC--TAN-SIP",
    **_CENTER,
    **_CD,
    **{"A_ORDER": 3, "A_0_2": 2e-4, "A_1_1": -3e-4, "A_2_0": 1e-4, "A_1_2": 2e-6, "A_3_0": -1e-6},
    **{"B_ORDER": 3, "B_0_2": -2e-4, "B_1_1": 4e-4, "B_2_0": 3e-4, "B_2_1": 3e-6, "B_0_3": 1e-6},
    **{"AP_ORDER": 2, "AP_0_2": -2e-4, "AP_1_1": 3e-4, "AP_2_0": -1e-4, "AP_0_1": 1e-5},
    **{"BP_ORDER": 2, "BP_0_2": 2e-4, "BP_1_1": -4e-4, "BP_2_0": -3e-4, "BP_1_0": 1e-5},
    **{"A_DMAX": 0.7, "B_DMAX": 0.9},
}
SKIES: dict[str, dict[str, Any]] = {
    "CD": {**_TAN, **_CD},
    "CD and CDELT": {**_TAN, **_CD, "CDELT1": 2.8e-3, "CDELT2": 2.9e-3},
    "PC and CDELT": {
        **_TAN,
        **{"CDELT1": -2.8e-3, "CDELT2": 2.5e-3},
        **{"PC1_1": 0.6, "PC1_2": -0.8, "PC2_1": 0.9, "PC2_2": 0.5},
    },
    "PC alone": {**_TAN, "PC1_1": 1e-4, "PC1_2": 2.8e-3, "PC2_1": 2.9e-3, "PC2_2": -3e-4},
    "CDELT alone": {**_TAN, "CDELT1": -2.8e-3, "CDELT2": 2.5e-3},
    "CROTA": {**_TAN, "CDELT1": -2.8e-3, "CDELT2": 2.5e-3, "CROTA2": 33.0},
    "SIP": _SIP,
    "TPV": {
        **_TAN,
        **_CD,
        **{"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV"},
        **{"PV1_1": 1.01, "PV1_2": 0.02, "PV1_4": 0.3, "PV1_5": -0.2, "PV1_7": 0.1},
        **{"PV2_1": 0.99, "PV2_2": -0.01, "PV2_4": -0.3, "PV2_6": 0.2},
    },
    "an alternative, too": {
        **_TAN,
        **_CD,
        **{"CTYPE1A": "GLON-CAR", "CTYPE2A": "GLAT-CAR", "CRPIX1A": 3.0, "CRPIX2A": 40.0},
        **{"CRVAL1A": 80.0, "CRVAL2A": 0.0, "CDELT1A": 2e-3, "CDELT2A": 3e-3},
        **{"PC1_1A": 0.7, "PC1_2A": 0.7, "PC2_1A": -0.7, "PC2_2A": 0.7},
    },
}
"""Cards of a solved frame, in the ways in which programs write them."""


def solved(form: str, **more: Any) -> fits.Header:
    """Header of a solved frame."""
    return fits.Header({"IMAGETYP": "object", "EXPTIME": 30.0, **SKIES[form], **more})


def mosaic(height: int = SHAPE[0], width: int = SHAPE[1]) -> np.ndarray[Any, Any]:
    """Pixels whose values tell where in the raw frame they are: 100 y + x."""
    assert width <= 100
    y, x = np.mgrid[:height, :width]
    return (100 * y + x).astype(np.uint16)


def write_solved(path: Any, form: str, **more: Any) -> str:
    """A raw file of such a frame."""
    fits.PrimaryHDU(mosaic(), solved(form, **more)).writeto(path)
    return str(path)


def other_program(header: fits.Header | str, key: str = " ") -> WCS:
    """What astropy by itself makes of a header."""
    if isinstance(header, str):
        header = parse_header(header)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(header, naxis=2, key=key)


def assert_right_sky(plane: Any, system: WCS, truth: WCS) -> None:
    """Every pixel of a plane (y, x), by its value, is where the raw frame had it on the sky."""
    values = np.asarray(plane.values if isinstance(plane, xr.DataArray) else plane)
    raw_y, raw_x = np.divmod(np.rint(values).astype(int), 100)
    y, x = np.mgrid[: values.shape[0], : values.shape[1]]
    expected = np.array(truth.all_pix2world(raw_x, raw_y, 0))
    # the pixels themselves must differ, or nothing would be shown
    assert np.ptp(expected[0]) > 1e-2
    found = np.array(system.all_pix2world(x, y, 0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
