"""What the classes do all the same, and say so."""

import warnings

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, MasterMaker

AREA = {"xmin": 0, "xmax": 8, "ymin": 0, "ymax": 6}


def write(name, level, **cards):
    header = fits.Header({key.replace("_", "-"): value for key, value in cards.items()})
    fits.PrimaryHDU(np.full((6, 8), level), header).writeto(name, overwrite=True)
    return name


@pytest.fixture
def raw(here):
    return write("raw.fits", 1000.0, IMAGETYP="object", EXPTIME=30.0)


def calibrate(raw, **given):
    Calibrator(saturation_threshold=5e4, compress_calibrated=None, **given)(
        raw, calibrated="out.fits", allow_overwrite=True
    )


@pytest.mark.parametrize(
    ("kind", "level", "cards", "message"),
    [
        ("bias", 10.0, {"IMAGETYP": "masterdark"}, "m.fits has IMAGETYP 'masterdark'; it is appl"),
        ("flat", 1.0, {"IMAGETYP": "masterzero"}, "has IMAGETYP 'masterzero'.* the master flat"),
        ("dark", 1.0, {"EXPTIME": 60.0}, "m.fits was exposed 60 s, the frames 30 s"),
        ("flat", 18000.0, {}, "median of 1.8e.04; a master flat is about 1"),
        ("bias", 1.0, {"IMAGAREA": "1 < x < 9, 0 < y < 6"}, "covers the area 1 < x < 9, .*, the"),
    ],
)
def test_warns_of_a_master_that_hardly_belongs(raw, kind, level, cards, message):
    write("m.fits", level, **cards)
    with pytest.warns(aw.AutowispWarning, match=message):
        calibrate(raw, **{f"master_{kind}": "m.fits"})


def test_warns_of_a_master_of_another_channel(raw):
    write("m.fits", 1.0, CLRCHNL="B")
    with pytest.warns(aw.AutowispWarning, match="CLRCHNL 'B', and is given for the channel 'R'"):
        calibrate(raw, split_channels={"R": slice(None)}, master_bias={"R": "m.fits"})


def test_warns_once_for_a_night(raw):
    write("m.fits", 1.0, IMAGETYP="masterflat")
    calibrator = Calibrator(saturation_threshold=5e4, master_bias="m.fits")
    with pytest.warns(aw.AutowispWarning, match="IMAGETYP"):
        calibrator(raw, calibrated="one.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrator(raw, calibrated="two.fits")


def test_masters_that_belong_raise_no_warning(raw):
    write("b.fits", 10.0, IMAGETYP="masterzero", EXPTIME=0.0, IMAGAREA="0 < x < 8, 0 < y < 6")
    write("d.fits", 10.0, IMAGETYP="masterdark", EXPTIME=30.1)
    write("f.fits", 1.1, IMAGETYP="masterflat", EXPTIME=3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(raw, master_bias="b.fits", master_dark="d.fits", master_flat="f.fits")
    assert fits.getdata("out.fits").mean() == pytest.approx(980 / 1.1)


def test_warns_of_a_start_without_a_time_of_day(raw):
    with pytest.warns(aw.AutowispWarning, match="gives the date 2024-03-01 without a time of day"):
        calibrate(raw, exposure_start_utc="'2024-03-01'")


def test_warns_when_a_master_can_have_no_good_pixel(here):
    files = [write(f"f{i}.fits", 10.0 + i, IMAGETYP="zero") for i in range(4)]
    maker = MasterMaker(min_valid_frames=3, outlier_threshold=1.5)
    with pytest.warns(aw.AutowispWarning, match="min_valid_values is 5, more than the 4 frames"):
        assert maker(files, "m.fits") == (True, [])
