"""The largest value that the integers of a file can have, whatever they are read as."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw

CARDS = {"EGAIN": 2.0, "RDNOISE": 6.0}
SATURATED = int(aw.Flag.OVERSATURATED)


def flagged(ds):
    return (aw.calibrate(ds)["mask"].values == SATURATED).sum(axis=(1, 2, 3)).tolist()


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz", "a.fits.fz"])
@pytest.mark.parametrize(
    ("dtype", "ceiling"), [("u1", 255), ("i2", 32767), ("u2", 65535), ("i4", 2**31 - 1)]
)
def test_a_pixel_at_the_ceiling_of_its_file_is_saturated_in_any_type(raw, name, dtype, ceiling):
    path = raw(name, np.array([[1, 2, ceiling - 1], [ceiling, 5, 6]], dtype), CARDS)
    for asked in (None, "float32", "float64"):
        ds = aw.open_fits(path, dtype=asked)
        assert ds["ceiling"].values.tolist() == [ceiling]
        # as float32, a long integer just below cannot be told from it
        rounded = dtype == "i4" and asked == "float32"
        assert flagged(ds) == [2 if rounded else 1]


def test_a_blank_card_takes_nothing_from_the_ceiling(raw):
    path = raw(data=np.array([[1, 65535, 3]], "u2"), cards=CARDS)
    with fits.open(path, mode="update", uint=False, do_not_scale_image_data=True) as hdus:
        hdus[0].header["BLANK"] = -32768
    ds = aw.open_fits(path)
    assert ds["image"].dtype == np.float32
    assert flagged(ds) == [1]


def test_each_file_has_its_own_ceiling(raw):
    pixels = np.array([[1, 65535, 3]])
    short = raw("short.fits", pixels.astype("u2"), CARDS)
    long = raw("long.fits", pixels.astype("i4"), CARDS)
    ds = aw.open_fits([short, long])
    assert ds["image"].dtype == np.int32
    assert flagged(ds) == [1, 0]


def test_a_level_in_the_header_does_not_lift_it(raw):
    path = raw(data=np.array([[1, 65535, 3]], "u2"), cards={**CARDS, "SATURATE": 70000})
    assert flagged(aw.open_fits(path, dtype="float32")) == [1]


def test_it_survives_a_store_and_floats_have_none(raw, tmp_path):
    ds = aw.open_fits(raw(data=np.array([[1, 65535, 3]], "u2"), cards=CARDS), dtype="float32")
    assert flagged(aw.to_zarr(ds, tmp_path / "a.zarr", group="raw")) == [1]
    floats = aw.open_fits(raw("f.fits", np.array([[1.0, 65535.0]], "f4"), CARDS))
    assert "ceiling" not in floats.coords
    assert flagged(floats) == [0]
