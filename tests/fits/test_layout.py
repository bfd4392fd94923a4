import bz2
import gc
import gzip
import os
import pickle
import warnings

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.errors import BadImageError
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.pixels import read_rows
from autowisp_xr.headers.cards import render_header

INTEGERS = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float32", "float64"]


def check_rows(path, expected):
    plane = read_layout(str(path)).planes["image"]
    assert plane.dtype == expected.dtype
    assert (plane.height, plane.width) == expected.shape
    for start, stop in [(0, 5), (1, 3), (4, 5), (2, 2)]:
        rows = read_rows(plane, start, stop)
        assert rows.dtype == expected.dtype
        assert rows.dtype.isnative
        assert rows.flags.c_contiguous
        np.testing.assert_array_equal(rows, expected[start:stop])


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
@pytest.mark.parametrize("dress", ["plain", "gz", "bz2", "second"])
def test_every_type_is_read_as_it_is(tmp_path, ramp, dtype, dress):
    data = ramp(dtype)
    path = tmp_path / "a.fits"
    hdus = (
        [fits.PrimaryHDU(), fits.ImageHDU(data)] if dress == "second" else [fits.PrimaryHDU(data)]
    )
    fits.HDUList(hdus).writeto(path)
    if dress in ("gz", "bz2"):
        path.write_bytes((gzip if dress == "gz" else bz2).compress(path.read_bytes()))
    check_rows(path, data)


@pytest.mark.parametrize(
    ("dtype", "method"),
    [
        *((dtype, "RICE_1") for dtype in ["uint8", "int16", "uint16", "int32", "uint32"]),
        *((dtype, "GZIP_2") for dtype in ["uint8", "int16", "uint16", "int32", *FLOATS]),
        *((dtype, "GZIP_1") for dtype in ["int16", "uint16", *FLOATS]),
        *((dtype, "HCOMPRESS_1") for dtype in ["int16", "uint16"]),
    ],
)
def test_compressed_types_are_read_as_they_are(tmp_path, dtype, method):
    data = np.arange(35).reshape(5, 7).astype(dtype)
    path = tmp_path / "a.fits.fz"
    tile = (5, 7) if method == "HCOMPRESS_1" else (1, 7)
    fits.CompImageHDU(data, compression_type=method, quantize_level=0.0, tile_shape=tile).writeto(
        path
    )
    check_rows(path, data)


@pytest.mark.parametrize(
    ("bitpix", "dtype", "name"),
    [
        *(("u1", "f4", name) for name in ["a.fits", "a.fits.gz", "a.fits.fz"]),
        *(("i2", "f4", name) for name in ["a.fits", "a.fits.gz", "a.fits.fz"]),
        *(("i4", "f8", name) for name in ["a.fits", "a.fits.fz"]),
        ("i8", "f8", "a.fits"),
        ("f4", "f4", "a.fits"),
        ("f8", "f8", "a.fits"),
    ],
)
def test_scaled_values_are_floats(tmp_path, bitpix, dtype, name):
    stored = np.arange(35, dtype=bitpix).reshape(5, 7)
    path = tmp_path / name
    hdus = [fits.PrimaryHDU(stored)]
    if name.endswith("fz"):
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(stored)]
    fits.HDUList(hdus).writeto(tmp_path / "plain")
    # the scale is a fact about the stored numbers, set beside them afterwards
    with fits.open(tmp_path / "plain", mode="update", disable_image_compression=True) as opened:
        opened[-1].header["BSCALE"], opened[-1].header["BZERO"] = 0.5, 10.0
    content = (tmp_path / "plain").read_bytes()
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    check_rows(path, (stored * 0.5 + 10).astype(dtype))


@pytest.mark.parametrize(
    ("stored", "dtype"), [("u1", "f4"), ("i2", "f4"), ("i4", "f8"), ("i8", "f8")]
)
def test_blank_pixels_are_nan(tmp_path, stored, dtype):
    data = np.arange(35, dtype=stored).reshape(5, 7)
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(data).writeto(path)
    fits.setval(path, "BLANK", value=9)
    expected = data.astype(dtype)
    expected[1, 2] = np.nan
    check_rows(path, expected)


@pytest.mark.parametrize("order", [("image", "error", "mask"), ("image", "mask", "error")])
@pytest.mark.parametrize("empty_primary", [False, True])
def test_planes_are_found_in_any_order(product, order, empty_primary):
    planes = read_layout(str(product(planes=order, empty_primary=empty_primary))).planes
    assert [(name, plane.index) for name, plane in planes.items()] == [
        (name, i + empty_primary) for i, name in enumerate(order)
    ]


def test_a_table_before_the_image_is_passed_over(tmp_path, ramp):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    fits.HDUList([fits.PrimaryHDU(), table, fits.ImageHDU(ramp("int16"))]).writeto(
        tmp_path / "a.fits"
    )
    assert read_layout(str(tmp_path / "a.fits")).planes["image"].index == 2


def test_hdus_may_be_chosen(product):
    path = str(product())
    assert read_layout(path, 1).planes["image"].index == 1
    chosen = read_layout(path, {"R": 1, "B": 0}).planes
    assert {name: plane.index for name, plane in chosen.items()} == {"R": 1, "B": 0}
    for wrong in (3, -1, {"R": 0, "B": 7}):
        with pytest.raises(BadImageError, match=r"has no HDU"):
            read_layout(path, wrong)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello" * 1000, "not a FITS file"),
        (b"\x1f\x8b" + bytes(100), "cannot be decompressed"),
        (b"\x1f\x8b", "cannot be decompressed"),
        (b"BZh9" + bytes(100), "cannot be decompressed"),
        (b"SIMPLE  =                    T" + b" " * 50, "truncated inside a header"),
    ],
)
def test_what_is_no_fits_file_is_named(tmp_path, content, message):
    path = tmp_path / "bad.fits"
    path.write_bytes(content)
    with pytest.raises(BadImageError, match=message) as caught:
        read_layout(str(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["a.fits", "a.fits.fz", "a.fits.gz", "a.fits.bz2"])
def test_truncated_files_are_refused(raw, name):
    path = raw(name, np.random.default_rng(1).integers(0, 65535, (70, 90), dtype="uint16"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(BadImageError, match="truncated") as caught:
        read_layout(str(path))
    assert str(path) in str(caught.value)


def test_a_last_block_without_its_padding_is_whole(raw, ramp):
    path = raw()
    path.write_bytes(path.read_bytes()[: 2880 + 70])
    check_rows(path, ramp("uint16"))


@pytest.mark.parametrize("axes", ["99999999999999", "-1", "1E400", "nan"])
@pytest.mark.parametrize("keyword", ["NAXIS", "NAXIS1", "BITPIX"])
@pytest.mark.parametrize("dress", [bytes, gzip.compress, bz2.compress])
def test_damaged_sizes_are_refused(raw, axes, keyword, dress):
    path = raw()
    cards = [path.read_bytes()[start : start + 80] for start in range(0, 5760, 80)]
    damaged = f"{keyword:<8}= {axes:>20}".ljust(80).encode()
    content = [damaged if card[:8] == f"{keyword:<8}".encode() else card for card in cards]
    path.write_bytes(dress(b"".join(content)))
    with pytest.raises(BadImageError) as caught:
        read_layout(str(path))
    assert str(path) in str(caught.value)


def _with_card(path, card):
    """Put a card in place of that of its keyword in a file, or behind the others."""
    content = bytearray(path.read_bytes())
    place = content.find(card[:9].encode())
    if place < 0:
        place = content.find(b"END".ljust(80))
        content[place + 80 : place + 160] = b"END".ljust(80)
    content[place : place + 80] = card.ljust(80).encode()
    path.write_bytes(content)


@pytest.mark.parametrize("method", ["RICE_1", "GZIP_1"])
@pytest.mark.parametrize(
    ("cards", "message"),
    [
        (["ZNAXIS2 = 9223372036854775807"], "make .* tiles, and its table has 24"),
        (["ZNAXIS1 = 1000000000", "ZTILE1  = 1000000000"], "which its .* bytes cannot hold"),
        (["TFORM1  = '99999999B'"], "take .* bytes a row, and NAXIS1 states 8"),
        (["TFORM1  = 'many'"], "TFORM1 of HDU 1 is 'many', no column"),
        (["TFIELDS = 2147483648"], "TFIELDS of HDU 1 is 2147483648, and FITS ends at 999"),
    ],
)
def test_tiles_that_claim_more_than_their_bytes_hold_are_refused(tmp_path, method, cards, message):
    path = tmp_path / "a.fits.fz"
    pixels = np.arange(24 * 40, dtype=np.int16).reshape(24, 40)
    compressed = fits.CompImageHDU(pixels, compression_type=method)
    fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(path)
    assert read_layout(str(path)).planes["image"].height == 24
    for card in cards:
        _with_card(path, card)
    with pytest.raises(BadImageError, match=message) as caught:
        read_layout(str(path))
    assert str(path) in str(caught.value)


def test_a_header_without_its_end_is_refused_before_it_takes_memory(tmp_path):
    path = tmp_path / "a.fits"
    start = b"".join(
        card.ljust(80) for card in (b"SIMPLE  =                    T", b"BITPIX  = 16")
    )
    path.write_bytes(start + b" " * (2880 * 6000))
    with pytest.raises(BadImageError, match="has no END card within 16 MB"):
        read_layout(str(path))


@pytest.mark.parametrize("shape", [(2, 5, 7), (7,)])
def test_images_of_other_dimensions_are_refused(tmp_path, shape):
    fits.PrimaryHDU(np.zeros(shape, "f4")).writeto(tmp_path / "a.fits")
    with pytest.raises(BadImageError, match=f"has {len(shape)} dimensions"):
        read_layout(str(tmp_path / "a.fits"))


def test_a_file_without_an_image_is_refused(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "a.fits")
    with pytest.raises(BadImageError, match="holds no image"):
        read_layout(str(tmp_path / "a.fits"))


def test_a_wide_mask_is_refused(product):
    with pytest.raises(BadImageError, match="mask in HDU 2 has 2 bytes a pixel"):
        read_layout(str(product(mask_type="int16")))


def test_planes_of_other_shape_are_refused(tmp_path):
    error = fits.ImageHDU(np.zeros((5, 6)), fits.Header({"IMAGETYP": "ERROR"}))
    fits.HDUList([fits.PrimaryHDU(np.zeros((5, 7))), error]).writeto(tmp_path / "a.fits")
    with pytest.raises(BadImageError, match="5 x 6, 'image' in HDU 0 is 5 x 7"):
        read_layout(str(tmp_path / "a.fits"))


@pytest.mark.parametrize("name", ["a.fits", "a.fits.fz", "a.fits.gz", "a.fits.bz2"])
def test_a_file_that_changed_is_not_read(raw, name):
    path = raw(name)
    plane = read_layout(str(path)).planes["image"]
    status = path.stat()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadImageError, match="changed since it was opened"):
        read_rows(plane, 0, 5)
    # even where the file system did not notice
    os.truncate(path, 0)
    os.truncate(path, status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    if not name.endswith("fits"):
        with pytest.raises(BadImageError, match="cannot be decompressed"):
            read_rows(plane, 0, 5)


@pytest.mark.parametrize("name", ["a.fits", "a.fits.fz"])
def test_headers_are_kept_card_for_card(raw, name):
    path = raw(
        name, cards={"LONG": "long text " * 20, "HIERARCH ESO DET": 3, "COMMENT": "one", "N": 1.5}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path) as hdus:
            hdu = next(hdu for hdu in hdus if hdu.shape)
            text = render_header(hdu.header)
    cards = [line for line in text.split("\n") if line[:8] not in ("BSCALE  ", "BZERO   ")]
    found = read_layout(str(path)).header.split("\n")
    assert {len(card) for card in found} == {80}
    assert [card for card in found if card[:8] not in ("BSCALE  ", "BZERO   ")] == cards


def test_control_characters_become_blanks(raw):
    path = raw()
    content = path.read_bytes().replace(
        b"EXPTIME =                 30.0" + b" ", b"EXPTIME =                 30.0\0"
    )
    path.write_bytes(content)
    assert "\0" not in read_layout(str(path)).header


@pytest.mark.parametrize("name", ["a.fits", "a.fits.fz", "a.fits.gz", "a.fits.bz2"])
def test_no_handle_stays_open(raw, name):
    layout = pickle.loads(pickle.dumps(read_layout(str(raw(name)))))
    gc.collect()
    before = set(os.listdir("/proc/self/fd"))
    rows = read_rows(layout.planes["image"], 0, 5)
    assert rows.base is None or not isinstance(rows.base, np.memmap)
    assert set(os.listdir("/proc/self/fd")) == before


def test_pixels_that_changed_inside_gzip_are_refused(raw):
    path = raw("a.fits.gz", np.random.default_rng(1).integers(0, 65535, (70, 90), dtype="uint16"))
    content = bytearray(path.read_bytes())
    # noise is stored as it is: one bit of it, and nothing but the sum at the end tells
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    plane = read_layout(str(path)).planes["image"]
    with pytest.raises(BadImageError, match=r"cannot be decompressed .*CRC") as caught:
        read_rows(plane, 0, 70)
    assert str(path) in str(caught.value)


def test_letters_beyond_ascii_are_spelled_out_so_that_filters_stay_apart(tmp_path):
    cards = {
        "FILTER  = 'Hα      '           / Filter °": "'Halpha      '           / Filter deg",  # noqa: RUF001
        "FILTER  = 'Hβ      '": "'Hbeta      '",
        "CCD-TEMP= '−10 °C'": "'-10 degC'",  # noqa: RUF001
        "EXPTIME =               5000.0 / [µs]": "5000.0 / [us]",
        "OBSERVER= 'Jörg Ž. Ж'": "'Jorg Z. \\u0416'",
        f"COMMENT {'é' * 36}": f"{'e' * 36}",
        b"OBJECT  = 'M\xfcller'": "'Muller'",
    }
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(np.ones((2, 3), np.int16)).writeto(path)
    raw = path.read_bytes()
    lines = [line if isinstance(line, bytes) else line.encode() for line in cards]
    given = b"".join(line.ljust(80) for line in lines)
    place = raw.index(b"END".ljust(80))
    path.write_bytes((raw[:place] + given + b"END").ljust(2880) + raw[2880:])
    read = read_layout(str(path)).header.split("\n")[-len(cards) :]
    assert [line[8:].removeprefix("= ").strip() for line in read] == list(cards.values())
