from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.camera_facts import read_facts
from autowisp_xr.headers.values import Cards

COLORS = {"R": 3000, "G": 2000, "B": 1000}


@pytest.mark.parametrize("order", ["TOP-DOWN", "BOTTOM-UP", ""])
@pytest.mark.parametrize("pattern", ["RGGB", "GBRG"])
@pytest.mark.parametrize(("y", "x"), [(0, 0), (1, 0), (0, 3), (1, 1)])
def test_a_merged_mosaic_states_the_pattern_with_which_it_starts(
    tmp_path, raw, order, pattern, y, x
):
    pixels = np.empty((8, 12), np.uint16)
    for place, colour in enumerate(pattern):
        pixels[place // 2 :: 2, place % 2 :: 2] = COLORS[colour]
    # of a file that is stored from the bottom, the pattern is that of its last row
    stored = pixels[::-1] if order == "BOTTOM-UP" else pixels
    cards = {"BAYERPAT": pattern, "COLORTYP": pattern, "XBAYROFF": 0} | (
        {"ROWORDER": order} if order else {}
    )
    area = {"xmin": x, "xmax": 12, "ymin": y, "ymax": 8}
    camera = aw.Camera(gain=1, read_noise=2, image_area=area)
    if not order:
        # channels of the user, which differ
        levels = {"R": 9000, "G1": 8000, "G2": 9000, "B": 9500}
        camera = replace(camera, channels=pattern, gain=dict.fromkeys(levels, 1), saturation=levels)
    frames = aw.open_fits(raw("a.fits", stored, cards), camera=camera).autowisp.calibrate()
    (path,) = frames.autowisp.merge_channels().autowisp.to_fits(str(tmp_path / "m.fits"))
    with fits.open(path) as hdus:
        header, image = hdus[0].header, hdus[0].data
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "MASK", "ERROR"]
    facts = read_facts(Cards(header, KeywordAliases()), *image.shape)
    found = "".join(
        next(colour for colour, level in COLORS.items() if level == image[row, column])
        for row in (0, 1)
        for column in (0, 1)
    )
    assert facts["channels"] == found
    assert "COLORTYP" not in header
    assert header.get("SATURATE") == (None if order else 8000)
