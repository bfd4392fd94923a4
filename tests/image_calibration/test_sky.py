"""A solved frame keeps its sky through the classes of the original."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, MasterMaker
from tests.image_calibration.files import BAYER, header_of, read_planes
from tests.solved import SKIES, assert_right_sky, mosaic, other_program, solved, write_solved

PLAIN = {"saturation_threshold": 6e4, "compress_calibrated": None, "allow_overwrite": True}
AREA = {"xmin": 5, "xmax": 50, "ymin": 3, "ymax": 40}


def truth_of(path):
    return other_program(header_of(path))


def assert_right(path, truth):
    """The file by itself, and as our other door opens it."""
    assert_right_sky(read_planes(path).image, other_program(header_of(path)), truth)
    ds = aw.open_fits(path)
    assert_right_sky(ds["image"][0, 0], aw.wcs(ds), truth)


@pytest.mark.parametrize("form", SKIES)
def test_every_channel_of_an_odd_area_has_its_own_sky(form):
    truth = truth_of(write_solved("raw.fits", form))
    calibrate = Calibrator(**PLAIN, image_area=AREA, split_channels=BAYER)
    calibrate("raw.fits", calibrated="{CLRCHNL}.fits")
    for name in BAYER:
        assert_right(f"{name}.fits", truth)


@pytest.mark.parametrize("area", [None, AREA])
def test_a_single_channel_has_the_sky_of_its_area(area):
    truth = truth_of(write_solved("raw.fits", "SIP"))
    Calibrator(**PLAIN, image_area=area)("raw.fits", calibrated="out.fits")
    assert_right("out.fits", truth)
    assert ("LTV1" in header_of("out.fits")) == (area is not None)


def test_channels_that_start_beyond_their_first_super_pixel_lie_where_they_do():
    truth = truth_of(write_solved("raw.fits", "SIP"))
    far = {"R": (slice(6, None, 2), slice(9, None, 3))}
    Calibrator(**PLAIN, split_channels=far)("raw.fits", calibrated="out.fits")
    assert_right("out.fits", truth)
    ds = aw.open_fits("out.fits")
    assert (ds["y"].values[0], ds["x"].values[0]) == (6, 9)
    assert int(ds["image"][0, 0, 0, 0]) == 609


def test_a_sky_that_is_given_with_the_call_is_that_of_the_raw_frame():
    write_solved("raw.fits", "CD")
    other = solved("CD", CRVAL1=100.0, CRPIX1=3.0)
    Calibrator(**PLAIN, image_area=AREA)("raw.fits", calibrated="out.fits", extra_header=other)
    assert_right("out.fits", other_program(other))


def test_a_calibrated_frame_may_be_calibrated_again():
    truth = truth_of(write_solved("raw.fits", "SIP"))
    Calibrator(**PLAIN, image_area=AREA)("raw.fits", calibrated="once.fits")
    once = {"xmin": 2, "xmax": 40, "ymin": 1, "ymax": 30}
    Calibrator(**PLAIN, image_area=once)("once.fits", calibrated="twice.fits")
    assert_right("twice.fits", truth)
    header = header_of("twice.fits")
    # areas count the pixels of the file that went in, LTV those of the detector
    assert (header["IMAGAREA"], header["LTV1"]) == ("2 < x < 40, 1 < y < 30", -7.0)


def test_an_hdu_of_its_own_has_the_sky_of_its_own_pixels():
    whole = solved("SIP")
    truth = other_program(whole)
    fits.PrimaryHDU(mosaic(40, 54), whole).writeto("raw.fits")
    ds = aw.open_fits("raw.fits", camera=aw.Camera(channels="RGGB"))
    hdus = [fits.PrimaryHDU()]
    for name in BAYER:
        index = ds["channel"].values.tolist().index(name)
        system = aw.wcs(ds, channel=name).to_header(relax=True)
        hdus.append(fits.ImageHDU(ds["image"].values[0, index], system))
    fits.HDUList(hdus).writeto("planes.fits")
    numbers = {name: number for number, name in enumerate(BAYER, 1)}
    calibrate = Calibrator(**PLAIN, image_area=AREA, split_channels=BAYER, raw_hdu=numbers)
    calibrate("planes.fits", calibrated="{CLRCHNL}.fits")
    for name in BAYER:
        assert_right(f"{name}.fits", truth)


def test_a_stack_of_one_place_on_the_sky_is_still_solved():
    truth = truth_of(write_solved("raw0.fits", "SIP"))
    write_solved("raw1.fits", "SIP")
    calibrate = Calibrator(**PLAIN, image_area=AREA)
    for number in range(2):
        calibrate(f"raw{number}.fits", calibrated=f"cal{number}.fits")
    make = MasterMaker(min_valid_frames=2, min_valid_values=1, outlier_threshold=1)
    assert make(["cal0.fits", "cal1.fits"], "deep.fits") == (True, [])
    assert_right_sky(read_planes("deep.fits").image, other_program(header_of("deep.fits")), truth)


def test_a_frame_that_was_not_solved_names_its_place():
    fits.PrimaryHDU(mosaic()).writeto("raw.fits")
    Calibrator(**PLAIN, image_area=AREA)("raw.fits", calibrated="out.fits")
    header = header_of("out.fits")
    assert [header[name] for name in ("LTV1", "LTV2", "LTM1_1", "LTM2_2")] == [-5, -3, 1, 1]
    assert not [name for name in header if name.startswith(("CRPIX", "CD"))]
    np.testing.assert_array_equal(read_planes("out.fits").image, mosaic()[3:40, 5:50])
