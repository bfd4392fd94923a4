from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.fits.writing import NewHdu, append_cards, write_plain

KINDS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


@pytest.fixture(autouse=True)
def one_second(monkeypatch):
    """All files of a test are of the same time, which stands beside the checksums."""
    stamp = "2024-03-01T12:00:00"
    monkeypatch.setattr(fits.hdu.base._ValidHDU, "_get_timestamp", lambda _: stamp)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def by_astropy(planes):
    """The slow obvious way: all of an image at once through each step."""
    content = BytesIO()
    hdus = fits.HDUList()
    for plane in planes:
        values = np.ascontiguousarray(plane.rows(0, len(plane.values)))
        hdus.append(fits.ImageHDU(values) if hdus else fits.PrimaryHDU(values))
        append_cards(hdus[-1], plane.header)
    hdus.writeto(content, output_verify="silentfix+ignore", checksum=True)
    return content.getvalue()


def by_us(planes):
    content = BytesIO()
    write_plain(content, planes)
    return content.getvalue()


def plane(values, cards=None, dtype=None, squared=False):
    return NewHdu(fits.Header(cards or {}), values, np.dtype(dtype or values.dtype), squared)


def anything(rng, shape, kind):
    """Any bit pattern of a type, so NaN and infinities, too."""
    size = np.dtype(kind).itemsize
    return rng.integers(0, 256, (*shape[:-1], shape[-1] * size), "u1").view(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (1440, 1), (3, 70_000), (1200, 301)])
def test_files_have_the_bytes_that_astropy_writes(rng, kind, shape):
    planes = [
        plane(anything(rng, shape, kind), {"OBJECT": "first", "EXPTIME": 3.5}),
        plane(anything(rng, shape, kind), {"IMAGETYP": "error", "EXTNAME": "ERROR"}),
        plane(anything(rng, shape, "u1"), {"IMAGETYP": "mask"}),
    ]
    assert by_us(planes) == by_astropy(planes)


@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.integers(1, 40), st.integers(1, 40)),
        min_size=1,
        max_size=4,
    ),
    st.randoms(),
)
def test_any_images_go_together(chosen, random):
    rng = np.random.default_rng(random.getrandbits(32))
    planes = [plane(anything(rng, shape, kind)) for kind, *shape in chosen]
    content = by_us(planes)
    assert len(content) % 2880 == 0
    assert content == by_astropy(planes)
    with fits.open(BytesIO(content), checksum=True) as hdus:
        assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus)


def test_headers_of_many_blocks_keep_their_cards(rng):
    header = fits.Header({"LONGTEXT": "words " * 30, "DATASUM": "old", "HIERARCH ESO DET": 1})
    for number in range(99):
        header.add_history(f"NAXIS1  =                    1 {number} END")
    header.append(("BLANKED", None), end=True)
    planes = [NewHdu(header, anything(rng, (4, 6), "f4"), np.dtype("f4")), plane(np.zeros((2, 3)))]
    content = by_us(planes)
    assert content == by_astropy(planes)
    assert fits.getheader(BytesIO(content))["NAXIS1"] == 6


def test_a_name_that_cannot_be_read_becomes_a_text():
    header = fits.Header.fromstring("EXTNAME = 'unterminated".ljust(80) + "END".ljust(80))
    content = by_us([NewHdu(header, np.zeros((2, 3), "f4"), np.dtype("f4"))])
    assert "unterminated" in fits.getheader(BytesIO(content))["EXTNAME"]


@pytest.mark.parametrize(
    ("kind", "stored"), [("f4", "f4"), ("f4", "f8"), ("f8", "f8"), ("f8", "f4")]
)
def test_roots_are_those_taken_in_double_precision(rng, kind, stored):
    values = rng.lognormal(3, 5, (200, 301)).astype(kind)
    values[0, :4] = [0, -1, np.nan, np.inf]
    with np.errstate(invalid="ignore"):
        roots = np.sqrt(values, dtype="f8").astype(stored)
    assert by_us([plane(values, dtype=stored, squared=True)]) == by_us([plane(roots)])


def test_any_layout_will_do_and_stays_as_it_is(rng):
    mosaic = anything(rng, (40, 60), "f8")
    before = mosaic.copy()
    cut = mosaic[1::2, ::3]
    assert by_us([plane(cut)]) == by_us([plane(np.ascontiguousarray(cut))])
    assert by_us([plane(cut.T)]) == by_us([plane(np.ascontiguousarray(cut.T))])
    np.testing.assert_array_equal(mosaic.view("u8"), before.view("u8"))


def test_a_file_may_have_something_before_the_image():
    content = BytesIO(b"before")
    content.seek(0, 2)
    write_plain(content, [plane(np.ones((3, 4)))])
    assert content.getvalue()[6:] == by_us([plane(np.ones((3, 4)))])


@given(st.integers(0, 2**32 - 1))
def test_every_checksum_is_encoded_as_astropy_encodes_it(value):
    from autowisp_xr.fits.writing import _encoded

    assert _encoded(value).decode() == fits.PrimaryHDU()._char_encode(value)
