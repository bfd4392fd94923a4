# ruff: noqa: C408
"""The examples of the original documentation, with other import lines and nothing else changed.

Frames, masters and areas have the sizes and names of the examples. (The example of Calibrator lacks
a comma behind ``overscan_methods.Median())``.)
"""

import numpy as np
import pytest
from astropy.io import fits

from tests.image_calibration.files import Planes, header_of, read_planes, write_planes, write_raw
from tests.image_calibration.slow import calibrated

HEIGHT, WIDTH, LINES = 4116, 4096, 20
# a part with everything in it: formulas over all pixels would take longer than the example
PART = np.s_[100:140, 2000:2300]


@pytest.fixture
def night(here):
    """Two raw frames, a bias and a dark, and what they are in PART."""
    rng = np.random.default_rng(0)
    (here / "masters").mkdir()
    raws = {}
    for name, level in (("raw1", 1000), ("raw2", 1010)):
        raw = np.empty((HEIGHT, WIDTH), np.uint16)
        row = rng.integers(level, level + 400, (7, WIDTH), dtype=np.uint16)
        raw[LINES:] = np.resize(row, (HEIGHT - LINES, WIDTH))
        raw[:LINES] = np.resize(rng.integers(480, 521, 997, dtype=np.uint16), (LINES, WIDTH))
        raw[LINES + 110, 2100] = 65535
        write_raw(f"{name}.fits", raw)
        raws[name] = raw
    shape = (HEIGHT - LINES, WIDTH)
    masters = {}
    for name, level in (("master_bias1", 3.0), ("master_dark3", 20.0)):
        image = np.resize(rng.normal(level, 1, 1009), shape).astype(np.float32)
        mask = np.zeros(shape, np.uint8)
        mask[120, 2200] = 2
        master = Planes(image, np.full(shape, 0.5, np.float32), mask)
        write_planes(f"masters/{name}.fits", *master)
        masters[name] = master.at(PART)
    return raws, masters


def test_the_example_of_the_calibrator(night):
    from autowisp_xr.image_calibration import Calibrator, overscan_methods

    # Create a calibrator callable instance
    calibrate = Calibrator(
        # The first 20 lines of the image are overscan area and overscan
        # is applied by subtracting the median of all pixels in the
        # overscan area from the remaining image.
        overscans=dict(
            areas=[dict(xmin=0, xmax=4096, ymin=0, ymax=20)],
            method=overscan_methods.Median(),
        ),
        # The master bias frame to use.
        master_bias="masters/master_bias1.fits",
        # The gain (electrons/ADU) to assume for the input images.
        gain=16.0,
        # The area within the raw frame containing the image:
        image_area=dict(xmin=0, xmax=4096, ymin=20, ymax=4116),
    )

    # Specify a master dark after construction.
    calibrate.set_masters(dark="masters/master_dark3.fits")

    # Calibrate an image called 'raw1.fits'
    calibrate(raw="raw1.fits", calibrated="calib1.fits")

    # Calibrate an image, changing the gain assumed for this image only
    # and disabling overscan correction for this image only.
    calibrate(raw="raw2.fits", calibrated="calib2.fits", gain=8.0, overscans=None)

    raws, masters = night
    assert calibrate.configuration["gain"] == 16.0
    for name, raw, gain, overscan in (
        ("calib1", "raw1", 16.0, True),
        ("calib2", "raw2", 8.0, False),
    ):
        strip = raws[raw][:LINES].astype(float)
        # the median of what is no outlier, and its variance as a mean's; 65535 is the ceiling
        level = (np.median(strip), ((strip - np.median(strip)) ** 2).sum() / (strip.size - 1))
        expected = calibrated(
            raws[raw][LINES:][PART],
            gain=gain,
            threshold=65534,
            overscan=(level[0], level[1] / strip.size) if overscan else (0.0, 0.0),
            bias=masters["master_bias1"],
            dark=masters["master_dark3"],
        )
        found = read_planes(f"{name}.fits")
        assert found.image.shape == (4096, 4096)
        part = found.at(PART)
        np.testing.assert_array_equal(part.mask, expected.mask)
        assert set(np.unique(part.mask)) == {0, 2, 16}
        # compressed: within a step of the noise of a row over 16
        dull = expected.mask == 0
        assert np.abs(part.image - expected.image)[dull].max() < 400 / 16
        assert np.abs(part.error - expected.error)[dull].max() < expected.error[dull].std()
        assert abs((part.image - expected.image)[dull].mean()) < 1
        header = header_of(f"{name}.fits")
        assert header["CALBGAIN"] == gain
        assert header["IMAGAREA"] == "0 < x < 4096, 20 < y < 4116"
        assert header["MBIASFNM"] == "masters/master_bias1.fits"
        assert header["MDARKFNM"] == "masters/master_dark3.fits"
        assert "MFLATFNM" not in header
        assert header.get("OVRSCN00") == ("0 < x < 4096, 0 < y < 20" if overscan else None)


@pytest.fixture
def four(here):
    rng = np.random.default_rng(1)
    frames = rng.normal(100, 5, (4, 6, 50))
    for number, image in enumerate(frames, 1):
        planes = {"zero": image, "error": image / 10, "mask": np.zeros(image.shape, np.uint8)}
        lossless = {"compression_type": "GZIP_2", "quantize_level": 0}
        hdus = [
            fits.CompImageHDU(plane, fits.Header({"IMAGETYP": kind}), **lossless)
            for kind, plane in planes.items()
        ]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(f"f{number}.fits.fz")
    return frames


@pytest.mark.filterwarnings("ignore:no value among 4")
def test_the_example_of_the_master_maker(here, four):
    from autowisp_xr.image_calibration import MasterMaker

    # Create an object for stacking frames to masters, overwriting the
    # default outlier threshold and requiring at least 10 frames be
    # stacked
    make_master = MasterMaker(outlier_threshold=10.0, min_valid_frames=10)

    # Stack a set of frames to a master, allowing no more than 3
    # averaging/outlier rejection iterations and allowing a minimum of 3
    # valid source pixels to make a master, for this master only.
    result = make_master(
        ["f1.fits.fz", "f2.fits.fz", "f3.fits.fz", "f4.fits.fz"],
        "master.fits.fz",
        max_iter=3,
        min_valid_values=3,
    )

    # four frames are fewer than ten
    assert result == (False, [])
    assert not (here / "master.fits.fz").exists()

    result = make_master(
        ["f1.fits.fz", "f2.fits.fz", "f3.fits.fz", "f4.fits.fz"],
        "master.fits.fz",
        max_iter=3,
        min_valid_values=3,
        min_valid_frames=4,
    )
    assert result == (True, [])
    found = read_planes("master.fits.fz")
    expected = np.median(four, axis=0)
    # compressed to the scatter of a row over 16
    assert 0 < np.abs(found.image - expected).max() < 4 / 16
    assert not found.mask.any()
    header = header_of("master.fits.fz")
    assert header["IMAGETYP"] == "masterzero"
    assert (header["MAXREJIT"], header["MINAVGPX"], header["OUTLTHRS"]) == (3, 3, "10.0")
    assert make_master.stacking_options["max_iter"] == np.inf


def test_documented_defaults_are_ours_too():
    from autowisp_xr.image_calibration import Calibrator, MasterMaker

    documented = {
        "allow_overwrite": False,
        "bias_level_adu": 0.0,
        "compress_calibrated": 16,
        "gain": 1.0,
        "image_area": None,
        "leak_directions": [],
        "overscans": {"areas": None, "method": None},
        "split_channels": False,
    }
    assert documented.items() <= Calibrator.default_configuration.items()
    assert set(Calibrator.module_git_ids) == {"calibrator", "mask_utilities", "overscan_methods"}
    assert MasterMaker.default_exclude_mask == ("BAD",)
    make_master = MasterMaker()
    assert make_master.compress == 16
    ours = {"scale": None, "sky": None}
    assert make_master.stacking_options == ours | {
        "outlier_threshold": 5.0,
        "average_func": np.nanmedian,
        "min_valid_frames": 10,
        "min_valid_values": 5,
        "max_iter": np.inf,
        "exclude_mask": ("BAD",),
        "add_averaged_keywords": (),
    }
