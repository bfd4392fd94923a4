"""What a camera has written is there after FITS, a store and FITS again, whatever it is."""

import string
import tempfile
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autowisp_xr as aw

TYPES = st.sampled_from(["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8"])
# no word of these begins a card that has a meaning, but for what an observer may invent
KEYWORDS = st.text("QZ7-_", min_size=3, max_size=7).map(lambda name: f"Q{name}")
LONG = KEYWORDS.map(lambda name: f"HIERARCH QQQ {name} {name}")
TEXTS = st.text(string.printable[:95], max_size=150).map(str.rstrip)
VALUES = (
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | TEXTS
    | st.none()
)
CARDS = st.lists(
    st.tuples(KEYWORDS | LONG, VALUES, st.text(string.ascii_letters + " '/", max_size=20))
    | st.tuples(st.sampled_from(["COMMENT", "HISTORY", ""]), TEXTS, st.just("")),
    max_size=8,
)
STRUCTURAL = (
    "BZERO",
    "BSCALE",
    "SIMPLE",
    "BITPIX",
    "NAXIS",
    "EXTEND",
    "PCOUNT",
    "GCOUNT",
    "XTENSION",
)


@st.composite
def frames(draw):
    """Header and pixels of a light."""
    kind = np.dtype(draw(TYPES))
    # infinity stays; which NaN one is does not
    pixels = draw(hnp.arrays(kind, st.tuples(*[st.integers(1, 5)] * 2)))
    header = fits.Header({"IMAGETYP": "LIGHT", "EXPTIME": 60.0, "DATE-OBS": "2024-03-01T21:00:00"})
    for card in draw(CARDS):
        # astropy shortens comments that do not fit
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header.append(card, end=True)
    return header, pixels


def cards(path, number):
    """Cards of an HDU as they are written, without those of its pixels."""
    with fits.open(path) as hdus:
        text = hdus[number].header.tostring(endcard=False, padding=False)
    found = [text[at : at + 80] for at in range(0, len(text), 80)]
    return [card for card in found if not card.startswith(STRUCTURAL)]


@given(frames(), st.sampled_from(["fits", "fits.fz"]))
def test_cards_and_pixels_stay_what_they_were(light, suffix):
    header, pixels = light
    with tempfile.TemporaryDirectory() as top, warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        folder = Path(top)
        fits.PrimaryHDU(pixels, header).writeto(folder / "a.fits")
        raw = aw.open_fits(folder / "a.fits")
        stored = aw.to_zarr(raw, folder / "n.zarr")
        assert stored["image"].dtype == pixels.dtype
        np.testing.assert_array_equal(stored["image"].values[0, 0], pixels)
        (path,) = aw.to_fits(aw.open_zarr(folder / "n.zarr"), folder / f"b.{suffix}")
        number = int(suffix == "fits.fz")
        with fits.open(path) as hdus:
            found = hdus[number].data
        np.testing.assert_array_equal(found, pixels)
        assert found.dtype.newbyteorder("=") == pixels.dtype
        first, last = cards(folder / "a.fits", 0), cards(path, number)
        assert [card for card in last if card in first] == first
