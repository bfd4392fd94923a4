import gzip
import shutil
import subprocess
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.errors import BadImageError
from autowisp_xr.fits import pixels, tiles
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.pixels import read_rows

KINDS = ["uint8", "int16", "uint16", "int32", "uint32"]
TILES = [(1, 41), (1, 7), (5, 41), (4, 7), (23, 41), (3, 40)]


def image(dtype, content="noise", shape=(23, 41)):
    rng = np.random.default_rng(5)
    info, size = np.iinfo(dtype), shape[0] * shape[1]
    values = {
        "noise": rng.normal(100, 9, size).astype(dtype),
        "equal": np.full(size, info.max, dtype),
        "any": rng.integers(info.min, info.max, size, dtype, endpoint=True),
        "alternating": np.where(np.arange(size) % 2, info.min, info.max).astype(dtype),
        "spikes": np.where(np.arange(size) % 20, 3, info.max).astype(dtype),
    }
    return values[content].reshape(shape)


def write(path, data, tile=(1, 41), method="RICE_1", **options):
    fits.CompImageHDU(data, compression_type=method, tile_shape=tile, **options).writeto(path)
    return path


def plane_of(path):
    return read_layout(str(path)).planes["image"]


def change(path, old, new):
    """Put a card in the place of the one that begins with ``old``."""
    content = path.read_bytes()
    at = content.index(old.encode(), 2880)
    path.write_bytes(content[:at] + new.ljust(80).encode() + content[at + 80 :])


@pytest.fixture
def alone(monkeypatch):
    """Astropy must not be asked."""

    def refuse(*args):
        raise AssertionError("astropy was asked")

    monkeypatch.setattr(pixels, "_from_tiles", refuse)


@pytest.fixture
def asked(monkeypatch):
    """The rows that astropy was asked for."""
    rows, real = [], pixels._from_tiles

    def note(plane, start, stop):
        rows.append((start, stop))
        return real(plane, start, stop)

    monkeypatch.setattr(pixels, "_from_tiles", note)
    return rows


@pytest.mark.parametrize("piece", [1, 500, 1 << 18])
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("dtype", KINDS)
def test_tiles_of_any_shape_are_those_of_astropy(tmp_path, alone, monkeypatch, dtype, tile, piece):
    monkeypatch.setattr(tiles, "_PIECE", piece)
    data = image(dtype)
    path = write(tmp_path / "a.fits.fz", data, tile)
    np.testing.assert_array_equal(fits.getdata(path), data)
    plane = plane_of(path)
    for start, stop in [(0, 23), (0, 1), (3, 4), (4, 17), (22, 23), (9, 9)]:
        rows = read_rows(plane, start, stop)
        assert rows.dtype == data.dtype
        np.testing.assert_array_equal(rows, data[start:stop])


@pytest.mark.parametrize("content", ["equal", "any", "alternating", "spikes"])
@pytest.mark.parametrize("dtype", KINDS)
def test_extreme_pixels_come_back(tmp_path, alone, dtype, content):
    data = image(dtype, content)
    np.testing.assert_array_equal(read_rows(plane_of(write(tmp_path / "a", data)), 0, 23), data)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32"])
@pytest.mark.parametrize("options", [[], ["-w"], ["-t", "10,6"], ["-r", "-t", "41,4"]])
def test_files_of_fpack_are_read(tmp_path, alone, dtype, options):
    program = shutil.which("fpack")
    if program is None:
        pytest.skip("fpack is not installed")
    data = image(dtype)
    fits.PrimaryHDU(data).writeto(tmp_path / "a.fits")
    subprocess.run([program, *options, str(tmp_path / "a.fits")], check=True)
    plane = plane_of(tmp_path / "a.fits.fz")
    np.testing.assert_array_equal(read_rows(plane, 0, 23), data)
    np.testing.assert_array_equal(read_rows(plane, 7, 11), data[7:11])


@pytest.mark.parametrize("dtype", KINDS)
def test_files_of_fitsio_are_read(tmp_path, alone, dtype):
    fitsio = pytest.importorskip("fitsio")
    data = image(dtype)
    fitsio.write(str(tmp_path / "a.fits.fz"), data, compress="rice", tile_dims=[5, 20])
    np.testing.assert_array_equal(read_rows(plane_of(tmp_path / "a.fits.fz"), 0, 23), data)


def test_scaled_and_blank_pixels_are_reported_as_in_a_plain_file(tmp_path, alone):
    data = image("int16")
    hdu = fits.CompImageHDU(data, compression_type="RICE_1", tile_shape=(1, 41))
    hdu.writeto(tmp_path / "a")
    change(tmp_path / "a", "ZVAL1", "ZVAL1   = 32")
    with fits.open(tmp_path / "a", mode="update", disable_image_compression=True) as opened:
        opened[1].header["BSCALE"], opened[1].header["BZERO"] = 0.5, 10.0
        opened[1].header["BLANK"] = 100
    expected = np.where(data == 100, np.nan, data * 0.5 + 10).astype("f4")
    np.testing.assert_array_equal(read_rows(plane_of(tmp_path / "a"), 0, 23), expected)


def test_wide_descriptors_and_a_second_column_are_understood(tmp_path, alone):
    data, path = image("uint16"), tmp_path / "a"
    write(path, data)
    with fits.open(path, disable_image_compression=True) as hdus:
        cells = [np.array(cell) for cell in hdus[1].data["COMPRESSED_DATA"]]
        header = hdus[1].header.copy()
    columns = [
        fits.Column("GZIP_COMPRESSED_DATA", "1PB()", array=[np.zeros(0, "u1")] * 23),
        fits.Column("COMPRESSED_DATA", "1QB()", array=cells),
    ]
    table = fits.BinTableHDU.from_columns(columns)
    for card in header.cards[header.index("ZIMAGE") :]:
        table.header.append(card, end=True)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "b")
    plane = plane_of(tmp_path / "b")
    assert (plane.tiles.descriptor, plane.tiles.descriptor_size) == (8, 16)
    np.testing.assert_array_equal(read_rows(plane, 0, 23), data)
    np.testing.assert_array_equal(read_rows(plane, 11, 12), data[11:12])


def test_the_other_name_of_the_algorithm_is_known(tmp_path, alone):
    data = image("uint16")
    path = write(tmp_path / "a", data)
    change(path, "ZCMPTYPE", "ZCMPTYPE= 'RICE_ONE'")
    np.testing.assert_array_equal(read_rows(plane_of(path), 0, 23), data)


@pytest.mark.parametrize(
    ("dtype", "method", "options"),
    [
        ("uint16", "GZIP_1", {}),
        ("uint16", "GZIP_2", {}),
        ("int16", "HCOMPRESS_1", {"tile_shape": (23, 41)}),
        ("float32", "GZIP_2", {"quantize_level": 0.0}),
        ("float32", "RICE_1", {"quantize_level": 16.0}),
        ("uint8", "PLIO_1", {}),
    ],
)
def test_other_compression_is_left_to_astropy(tmp_path, asked, dtype, method, options):
    data = np.random.default_rng(3).normal(100, 9, (23, 41)).astype(dtype)
    options = {"tile_shape": (1, 41), **options}
    path = tmp_path / "a"
    fits.CompImageHDU(data, compression_type=method, **options).writeto(path)
    plane = plane_of(path)
    assert plane.tiles is None
    np.testing.assert_array_equal(read_rows(plane, 3, 9), fits.getdata(path)[3:9])
    assert asked == [(3, 9)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ZVAL2", "ZVAL2   = 4"),
        ("ZVAL1", "ZVAL1   = 0"),
        ("ZVAL1", "ZVAL1   = 1E30"),
        ("TFORM1", "TFORM1  = '1PJ(99)'"),
        ("TFORM1", "TFORM1  = '8A'"),
        ("TTYPE1", "TTYPE1  = 'PIXELS'"),
        ("TTYPE1", "TTYPE1  = 'GZIP_COMPRESSED_DATA'"),
        ("ZVAL2", "ZBLANK  = 7"),
        ("ZVAL2", "ZMASKCMP= 'RICE_1'"),
        ("ZVAL2", "THEAP   = 3"),
    ],
)
def test_what_is_unusual_is_left_to_astropy(tmp_path, old, new):
    path = write(tmp_path / "a", image("uint16"))
    assert plane_of(path).tiles is not None
    change(path, old, new)
    assert plane_of(path).tiles is None


def test_tiles_inside_gzip_are_left_to_astropy(tmp_path, asked):
    data = image("uint16")
    path = write(tmp_path / "a.fits.fz", data)
    path.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_rows(plane_of(path), 3, 9), data[3:9])
    assert asked == [(3, 9)]


def test_many_threads_decode_the_same(tmp_path, alone, monkeypatch):
    monkeypatch.setattr(tiles, "_PIECE", 4 * 82)
    data = image("uint16")
    plane = plane_of(write(tmp_path / "a", data, (3, 40)))
    with ThreadPoolExecutor(8) as pool:
        for rows in pool.map(lambda _: read_rows(plane, 1, 22), range(100)):
            np.testing.assert_array_equal(rows, data[1:22])


def test_other_rows_are_not_read(tmp_path, alone):
    data = image("uint16")
    path = write(tmp_path / "a", data)
    table = plane_of(path).tiles
    content = bytearray(path.read_bytes())
    rows = np.frombuffer(content, ">i4", 46, table.offset).reshape(23, 2)
    for row in [*range(8), *range(12, 23)]:
        length, start = rows[row]
        content[table.heap + start : table.heap + start + length] = bytes(int(length))
        content[table.offset + 8 * row :][:8] = b"\xff" * 8
    path.write_bytes(content)
    np.testing.assert_array_equal(read_rows(plane_of(path), 8, 12), data[8:12])


def test_from_a_damaged_tile_on_astropy_is_asked(tmp_path, monkeypatch, asked):
    monkeypatch.setattr(tiles, "_PIECE", 4 * 82)
    data = image("uint16")
    path = write(tmp_path / "a", data)
    table = plane_of(path).tiles
    content = bytearray(path.read_bytes())
    length, start = np.frombuffer(content, ">i4", 2, table.offset + 8 * 10)
    content[table.heap + start : table.heap + start + length] = bytes(int(length))
    content[table.heap + start + length - 1] = 1
    path.write_bytes(content)
    plane = plane_of(path)
    np.testing.assert_array_equal(read_rows(plane, 0, 8), data[:8])
    assert asked == []
    expected = rows_of_astropy(path, 0, 23)
    if expected is None:
        with pytest.raises(BadImageError, match="cannot be decompressed"):
            read_rows(plane, 0, 23)
    else:
        np.testing.assert_array_equal(read_rows(plane, 0, 23), expected)
    assert asked == [(8, 23)]


@pytest.mark.parametrize(
    ("length", "start"),
    [(0, 0), (-1, 0), (10, -1), (10, 1 << 30), ((1 << 31) - 1, 0), (1, (1 << 31) - 1), (1, 0)],
)
def test_descriptors_that_lead_astray_give_an_error_or_what_astropy_gives(tmp_path, length, start):
    path = write(tmp_path / "a", image("uint16"))
    content = bytearray(path.read_bytes())
    at = plane_of(path).tiles.offset + 8 * 10
    content[at : at + 8] = np.array([length, start], ">i4").tobytes()
    path.write_bytes(content)
    expected = rows_of_astropy(path, 8, 12)
    if expected is None:
        with pytest.raises(BadImageError, match=r"cannot be decompressed|tiles of HDU 1"):
            read_rows(plane_of(path), 8, 12)
    else:
        np.testing.assert_array_equal(read_rows(plane_of(path), 8, 12), expected)


def rows_of_astropy(path, start, stop):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with fits.open(path, memmap=False) as hdus:
                return np.array(hdus[1].section[start:stop])
        except Exception:
            return None


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32"])
def test_mutated_tiles_are_left_to_astropy_or_give_what_it_gives(tmp_path, monkeypatch, dtype):
    rng = np.random.default_rng(8)
    number = 3400
    data = rng.normal(100, 30, (number, 33)).astype(dtype)
    path = write(tmp_path / "a", data, (1, 33))
    table = plane_of(path).tiles
    content = np.frombuffer(bytearray(path.read_bytes()), np.uint8)
    pairs = content[table.offset : table.heap].view(">i4").reshape(number, 2)
    for row, (length, start) in enumerate(pairs):
        places = table.heap + start + rng.integers(0, length, 1 + row % 3)
        content[places] = rng.integers(0, 256, places.size)
        if row % 4 == 0:
            pairs[row, 0] = rng.integers(1, length + 1)
    path.write_bytes(content.tobytes())
    plane = plane_of(path)
    left = []

    def leave(plane, start, stop):
        left.append(start)
        return np.zeros((stop - start, plane.width), plane.stored)

    monkeypatch.setattr(pixels, "_from_tiles", leave)
    with warnings.catch_warnings(), fits.open(path, memmap=False) as hdus:
        warnings.simplefilter("ignore")
        section = hdus[1].section
        for row in range(number):
            found = read_rows(plane, row, row + 1)
            if row not in left[-1:]:
                np.testing.assert_array_equal(found, section[row : row + 1])
    # both happen often
    assert number // 10 < len(left) < number * 9 // 10
