import builtins
import os

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.errors import BadImageError
from autowisp_xr.fits import pixels
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.pixels import convert, read_rows, stored_pieces

KINDS = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "f4", "f8"]


def plane_of(path):
    return read_layout(str(path)).planes["image"]


@pytest.mark.parametrize("piece", [1, 100, 1 << 18])
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_pieces_of_any_size_give_the_same(raw, ramp, monkeypatch, name, dtype, piece):
    monkeypatch.setattr(pixels, "_PIECE", piece)
    plane = plane_of(raw(name, ramp(dtype)))
    np.testing.assert_array_equal(read_rows(plane, 0, 5), ramp(dtype))
    np.testing.assert_array_equal(read_rows(plane, 2, 4), ramp(dtype)[2:4])


def test_pieces_are_whole_rows_in_order(raw, monkeypatch):
    monkeypatch.setattr(pixels, "_PIECE", 2 * 14 + 3)
    plane = plane_of(raw())
    found = [(row, stored.shape) for row, stored in stored_pieces(plane, 0, 5)]
    assert found == [(0, (2, 7)), (2, (2, 7)), (4, (1, 7))]


@pytest.mark.parametrize("name", ["a.fits", "a.fits.fz", "a.fits.gz"])
def test_no_rows_are_no_pieces(raw, name):
    assert list(stored_pieces(plane_of(raw(name)), 3, 3)) == []


@pytest.mark.parametrize("name", ["a.fits", "a.fits.fz", "a.fits.gz"])
def test_a_read_opens_its_file_once_and_asks_nothing_else_of_its_directory(raw, name, monkeypatch):
    plane = plane_of(raw(name))
    expected = read_rows(plane, 0, 5)
    opened, real = [], builtins.open

    def note(path, *args, **kwargs):
        opened.append(path)
        return real(path, *args, **kwargs)

    def refuse(*args, **kwargs):
        raise AssertionError("a second look at the file")

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", note)
        patch.setattr(os, "stat", refuse)
        found = read_rows(plane, 0, 5)
    assert opened == [plane.path]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("out", ["uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("step", [1, 2])
def test_pixels_are_converted_to_any_type_and_from_any_columns(raw, ramp, out, step):
    plane = plane_of(raw())
    (_, stored), *others = stored_pieces(plane, 0, 5)
    assert not others
    before = stored.copy()
    values = np.empty(stored[::step, 1::step].shape, out)
    convert(plane, stored[::step, 1::step], values)
    np.testing.assert_array_equal(values, ramp("uint16")[::step, 1::step].astype(out))
    np.testing.assert_array_equal(stored, before)


def test_a_file_that_ends_while_it_is_read_is_an_error(raw, monkeypatch):
    monkeypatch.setattr(pixels, "_PIECE", 1)
    data = np.arange(6000, dtype="int16").reshape(60, 100)
    path = raw(data=data)
    plane = plane_of(path)
    rows = stored_pieces(plane, 0, 60)
    np.testing.assert_array_equal(next(rows)[1], data[:1])
    os.truncate(path, plane.offset + 50 * 200 + 7)
    with pytest.raises(BadImageError, match="truncated since it was opened") as caught:
        list(rows)
    assert str(path) in str(caught.value)


def test_a_reader_that_stops_early_leaves_no_file_open(raw, monkeypatch):
    monkeypatch.setattr(pixels, "_PIECE", 1)
    plane = plane_of(raw())
    before = set(os.listdir("/proc/self/fd"))
    rows = stored_pieces(plane, 0, 5)
    next(rows)
    del rows
    assert set(os.listdir("/proc/self/fd")) == before


def test_scaled_pixels_of_any_piece_are_those_of_astropy(tmp_path, monkeypatch):
    monkeypatch.setattr(pixels, "_PIECE", 20)
    hdu = fits.PrimaryHDU(np.arange(35, dtype="int16").reshape(5, 7))
    hdu.scale("int16", bscale=0.25, bzero=3)
    hdu.header["BLANK"] = 11
    hdu.writeto(tmp_path / "a.fits")
    np.testing.assert_array_equal(
        read_rows(plane_of(tmp_path / "a.fits"), 0, 5), fits.getdata(tmp_path / "a.fits")
    )
