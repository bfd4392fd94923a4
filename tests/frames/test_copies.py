import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.frames import copies_of, scan

TIME = {"DATE-OBS": "2024-03-05T01:02:03"}


@pytest.fixture
def pixels():
    return np.random.default_rng(4).integers(0, 900, (5, 7)).astype("u2")


def names(folder):
    records = scan(folder)
    return {Path(path).name: reason for path, reason in copies_of(records).items()}


def test_copies_are_found_under_any_dress_and_the_shortest_name_stays(raw, pixels, tmp_path):
    first = raw("a.fits", pixels, TIME)
    raw("a.fits.gz", pixels, TIME)
    raw("a.fits.fz", pixels, TIME)
    raw("solved-a.fits", pixels.astype("i4"), {**TIME, "CRVAL1": 3.0})
    shutil.copy(first, tmp_path / "a-1.fits")
    os.link(first, tmp_path / "linked.fits")
    found = names(tmp_path)
    copied = "a copy of a.fits, which counts once (the same pixels and time)"
    assert found == {
        **dict.fromkeys(("a.fits.gz", "a.fits.fz", "solved-a.fits", "a-1.fits"), copied),
        "linked.fits": "a copy of a.fits, which counts once (a link to the same file)",
    }


@pytest.mark.parametrize("way", ["steps", "HCOMPRESS_1", "integers"])
def test_what_was_compressed_with_loss_is_a_copy_of_the_raw_and_of_no_other(way, tmp_path):
    rng = np.random.default_rng(3)
    sky = rng.poisson(1000, (3, 40, 60)) + 2000 * (rng.random((40, 60)) < 0.02)
    header = fits.Header({"IMAGETYP": "LIGHT", "EXPTIME": 60.0, "INSTRUME": "A", **TIME})
    for number, pixels in enumerate(sky):
        # written by programs that count whole seconds
        fits.PrimaryHDU(pixels.astype("u2"), header).writeto(tmp_path / f"of-{number}.fits")
    kind = {"steps": "f4", "HCOMPRESS_1": "i2", "integers": "i4"}[way]
    how = {"compression_type": "HCOMPRESS_1", "hcomp_scale": 2.0} if kind == "i2" else {}
    for name, pixels, camera in (("a", sky[1], "A"), ("b", sky[2], "B")):
        pixels = pixels + (kind == "i4") * rng.integers(-3, 4, pixels.shape)
        own = fits.Header({**header, "INSTRUME": camera})
        fits.CompImageHDU(pixels.astype(kind), own, **how).writeto(tmp_path / f"{name}.fits.fz")
    why = "a copy of of-1.fits, which counts once (the same camera and time; compressed with loss)"
    # whole numbers in RICE lose nothing: these are of another exposure
    assert names(tmp_path) == ({} if way == "integers" else {"a.fits.fz": why})


def test_frames_of_one_time_or_of_none_differ_in_their_pixels(raw, pixels, tmp_path):
    for number in range(3):
        raw(f"{number}.fits", pixels + number, TIME)
        raw(f"timeless-{number}.fits", pixels + number)
    assert names(tmp_path) == {}


def test_what_has_one_value_all_over_or_another_time_is_no_copy(raw, pixels, tmp_path):
    for number in range(2):
        raw(f"flat-{number}.fits", np.full((5, 7), 500, "u2"), TIME)
        raw(f"at-{number}.fits", pixels, {"DATE-OBS": f"2024-03-05T01:02:0{number}"})
        raw(f"of-{number}.fits", pixels, {**TIME, "IMAGETYP": ("bias", "dark")[number]})
    assert names(tmp_path) == {}


def test_without_a_time_the_whole_header_has_to_agree(raw, pixels, tmp_path):
    raw("a.fits", pixels)
    raw("b.fits", pixels)
    raw("c.fits", pixels, {"OBJECT": "M 31"})
    assert list(names(tmp_path)) == ["b.fits"]
