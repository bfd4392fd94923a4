import gzip

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.errors import AutowispWarning, BadImageError
from autowisp_xr.frames import checked, scan
from autowisp_xr.opening import open_fits


@pytest.fixture
def summed(tmp_path):
    """Writer of a file with sums, in some dress, of which one bit of the pixels may change."""

    def write(name="a.fits", *, garbled=False, dtype="uint16", shape=(5, 7)):
        data = np.random.default_rng(1).integers(0, 60000, shape).astype(dtype)
        hdu = fits.PrimaryHDU(data) if ".fz" not in name else fits.CompImageHDU(data)
        hdu.header["IMAGETYP"] = "object"
        path = tmp_path / name
        plain = path.with_name("plain")
        hdu.writeto(plain, checksum=True)
        content = bytearray(plain.read_bytes())
        plain.unlink()
        if garbled:
            # the first of the pixels, which are the last of a file, and less than a block
            content[len(content) - 2880 + 9] ^= 1
        path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        return path

    return write


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz", "a.fits.fz"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_pixels_that_are_not_those_of_their_sum_are_refused(summed, name, dtype):
    good = summed(name, dtype=dtype)
    assert float(open_fits(good, checksum=True).image.sum()) > 0
    path = summed("bad_" + name, dtype=dtype, garbled=True)
    with pytest.raises(
        BadImageError, match=r"HDU \d are garbled: they add up to \d+, DATASUM states \d+"
    ) as caught:
        open_fits(path, checksum=True)
    assert str(path) in str(caught.value)


def test_garbled_files_may_be_skipped(summed):
    paths = [summed("a.fits"), summed("b.fits", garbled=True)]
    ds = open_fits(paths, checksum=True, on_error="skip")
    assert ds.frame.values.tolist() == ["a"]
    assert "add up to" in ds.attrs["history"]
    assert open_fits(paths).sizes["frame"] == 2


def test_all_planes_of_a_file_are_checked(product):
    path = product()
    with fits.open(path, mode="update", checksum=True) as hdus:
        for hdu in hdus:
            hdu.add_checksum()
    content = bytearray(path.read_bytes())
    content[-2880] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadImageError, match="HDU 2 are garbled"):
        open_fits(path, checksum=True)


def test_a_header_that_was_edited_is_no_reason(summed):
    path = summed()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"'object  '", b"'flat    '"))
    with fits.open(path) as hdus:
        assert hdus[0].verify_checksum() == 0
    assert checked(scan(path))[0].error is None


@pytest.mark.parametrize("value", ["", "none", None, 7.5])
def test_what_is_no_sum_is_not_compared(raw, value):
    path = raw(cards={"DATASUM": value})
    assert checked(scan(path))[0].error is None


def test_long_units_are_summed_in_pieces(summed):
    good = summed(shape=(601, 333))
    assert checked(scan(good))[0].error is None
    bad = summed("b.fits", shape=(601, 333), garbled=True)
    assert "add up to" in str(checked(scan(bad))[0].error)


def test_sums_that_a_program_left_in_a_new_file_state_nothing(summed, tmp_path):
    data, header = fits.getdata(summed(), header=True)
    fits.writeto(tmp_path / "cut.fits", data[1:4], header)
    (record,) = checked(scan(tmp_path / "cut.fits"))
    assert record.error is None
    assert "neither DATASUM holds for the pixels of HDU 0 nor CHECKSUM" in record.doubts[-1]
    with pytest.warns(AutowispWarning, match="nothing shows"):
        open_fits(tmp_path / "cut.fits", checksum=True)


def test_a_sum_of_the_pixels_alone_is_believed(tmp_path):
    hdu = fits.PrimaryHDU(np.ones((5, 7), "f4"))
    hdu.writeto(tmp_path / "a.fits", checksum="datasum")
    content = bytearray((tmp_path / "a.fits").read_bytes())
    content[2880 + 5] ^= 1
    (tmp_path / "a.fits").write_bytes(content)
    assert "are garbled" in str(checked(scan(tmp_path / "a.fits"))[0].error)
