import pytest
from astropy.io import fits

from autowisp_xr.errors import AutowispError
from autowisp_xr.frames import find_files, found_in


def touch(directory, *names):
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(b"II*\0")


def test_what_is_no_fits_file_is_counted_by_ending(tmp_path):
    touch(tmp_path, "a.fits", "b.AVI", "in/c.AVI", "d.sbig", "e.fits.xz", "f.X3F", ".g.AVI")
    touch(tmp_path, "lights.ZIP", "old.tar.gz")
    assert found_in(tmp_path, deep=True).passed_over == [
        "passed over 4 files of a format that is not read (2 .AVI, 1 .X3F, 1 .sbig): they take no "
        "part; convert them to FITS first, as Siril does",
        "passed over 3 files packed otherwise than by gzip, bzip2 or fpack (1 .ZIP, 1 .gz, 1 .xz): "
        "they take no part; unpack them first",
    ]
    assert "1 .AVI" in found_in(tmp_path).passed_over[0]
    assert found_in(tmp_path, deep=True, skip=[tmp_path / "in"]).passed_over[0].count("1 .AVI") == 1


def test_pictures_and_texts_are_not_worth_a_word(tmp_path):
    touch(tmp_path, "a.fits", "a.jpg", "notes.TXT", "b.png", "log.csv", "a.axy", "README")
    assert found_in(tmp_path).passed_over == []
    assert found_in(tmp_path / "*.fits").passed_over == []


def test_a_folder_of_other_formats_is_an_error_that_states_so(tmp_path):
    touch(tmp_path, "flat.AVI", "flat2.AVI")
    with pytest.raises(AutowispError, match=r"holds no FITS file .*2 .AVI.*convert them to FITS"):
        find_files(tmp_path)


def test_fits_images_of_another_name_are_reported_unless_they_are_copies(
    tmp_path, ramp, monkeypatch
):
    fits.PrimaryHDU(ramp("int16")).writeto(tmp_path / "a.fits")
    content = (tmp_path / "a.fits").read_bytes()
    for name in ("a.new", "a.fits.bak", "b.new", "c"):
        (tmp_path / name).write_bytes(content)
    fits.PrimaryHDU().writeto(tmp_path / "table.fits")
    (tmp_path / "table.fits").rename(tmp_path / "table.ext")
    (line,) = found_in(tmp_path).passed_over
    assert "2 files with a FITS image under another name (1 .new, 1 no ending)" in line
    monkeypatch.chdir(tmp_path)
    assert found_in(".").passed_over == [line]
