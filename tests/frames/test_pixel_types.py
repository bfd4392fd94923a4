import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr import frames

PIXELS = np.linspace(480, 60000, 35).reshape(5, 7)


@pytest.mark.parametrize(
    ("pixels", "cards", "expected"),
    [
        (PIXELS.astype("u2"), {}, "16-bit integers"),
        (PIXELS.astype("u1"), {}, "8-bit integers"),
        (PIXELS.astype("f4"), {}, "floats"),
        ((PIXELS / 65535).astype("f4"), {}, "floats from 0 to 1"),
        ((PIXELS / 65535).astype("f8"), {"BUNIT": "ADU"}, "floats from 0 to 1"),
        ((PIXELS / 65535).astype("f4"), {"BUNIT": "adu/s"}, "floats"),
        ((PIXELS / 65535).astype("f4"), {"IMAGETYP": "Master Flat"}, "floats"),
    ],
)
@pytest.mark.parametrize("suffix", ["fits", "fits.gz"])
def test_a_scan_states_how_pixels_are_stored(tmp_path, pixels, cards, expected, suffix):
    path = tmp_path / f"a.{suffix}"
    fits.PrimaryHDU(pixels, fits.Header({"IMAGETYP": "object"} | cards)).writeto(path)
    (record,) = frames.scan(path)
    assert record.coordinates["pixel_type"] == expected
