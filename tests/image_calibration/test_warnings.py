"""The warnings of the classes about masters that they apply all the same."""

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator, MasterMaker, overscan_methods

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
        ("dark", 1.0, {"EXPTIME": 60.0}, "m.fits is exposed 60 s, not 30 s"),
        ("flat", 18000.0, {}, "median of 1.8e.04; a master flat is about 1"),
        ("bias", 1.0, {"IMAGAREA": "1 < x < 9, 0 < y < 6"}, "covers the area 1 < x < 9, .*, the"),
    ],
)
def test_warns_of_a_master_that_hardly_belongs(raw, kind, level, cards, message):
    write("m.fits", level, **cards)
    with pytest.warns(aw.AutowispWarning, match=message):
        calibrate(raw, **{f"master_{kind}": "m.fits"})


@pytest.mark.parametrize(
    ("kind", "level", "cards"),
    [
        ("bias", 10.0, {"CALSTAT": "BDF"}),
        ("dark", 10.0, {"SUBDARK": "d.fits"}),
        ("flat", 1.0, {"FLATCOR": "Mar 5 flat is f"}),
    ],
)
def test_warns_of_what_was_corrected_before(here, kind, level, cards):
    raw = write("raw.fits", 1000.0, IMAGETYP="object", EXPTIME=30.0, **cards)
    write("m.fits", level)
    with pytest.warns(
        aw.AutowispWarning, match=f"{kind} was corrected before .{next(iter(cards))}"
    ):
        calibrate(raw, **{f"master_{kind}": "m.fits"})


@pytest.mark.parametrize(
    ("keyword", "frame", "master", "differ"),
    [
        ("CCD-TEMP", 15.0, -10.0, "at -10.0 C, not 15.0 C"),
        ("CCD-TEMP", -10.0, -8.5, ""),
        ("OFFSET", 50, 10, "of the offset 10, not 50"),
        ("GAIN", 100, 300, "of the gain setting 300, not 100"),
        ("GAIN", 100, 100.0, ""),
        ("READOUTM", "fast", "slow", "of the readout mode slow, not fast"),
        ("INSTRUME", "ZWO ASI", "zwo  asi", ""),
        ("XBINNING", 1, 1, ""),
        ("ROWORDER", "TOP-DOWN", "BOTTOM-UP", "not "),
    ],
)
def test_warns_of_what_the_verbs_refuse_and_of_nothing_else(here, keyword, frame, master, differ):
    """The same judge: traits of the headers, and the tolerances of the verbs."""
    raw = write("raw.fits", 1000.0, IMAGETYP="object", EXPTIME=30.0, **{keyword: frame})
    write("m.fits", 10.0, IMAGETYP="masterzero", **{keyword: master})
    one, other = (aw.open_fits(name) for name in ("raw.fits", "m.fits"))
    if not differ:
        aw.subtract_bias(one, other)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            calibrate(raw, master_bias="m.fits")
        return
    with pytest.raises(aw.MasterMismatchError, match=differ):
        aw.subtract_bias(one, other)
    with pytest.warns(aw.AutowispWarning, match=f"m.fits is .*{differ}"):
        calibrate(raw, master_bias="m.fits")


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


def test_a_flat_without_a_value_raises_no_warning_of_numpy(raw):
    write("f.fits", np.nan, IMAGETYP="masterflat")
    calibrate(raw, master_flat="f.fits")
    assert np.isnan(fits.getdata("out.fits")).all()


def test_warns_of_a_start_without_a_time_of_day(raw):
    with pytest.warns(aw.AutowispWarning, match="gives the date 2024-03-01 without a time of day"):
        calibrate(raw, exposure_start_utc="'2024-03-01'")


def test_warns_when_a_master_can_have_no_good_pixel(here):
    files = [write(f"f{i}.fits", 10.0 + i, IMAGETYP="zero") for i in range(4)]
    maker = MasterMaker(min_valid_frames=3, outlier_threshold=1.5)
    with pytest.warns(aw.AutowispWarning, match="a pixel needs 5 values .*, there are 4 frames"):
        assert maker(files, "m.fits") == (True, [])


def test_the_level_of_a_flat_is_that_of_its_channel(raw):
    for name, level in (("g", 1.0), ("r", 23000.0)):
        fits.PrimaryHDU(np.full((3, 4), level)).writeto(f"{name}.fits")
    split = {"G": (slice(0, None, 2), slice(1, None, 2))}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(raw, split_channels=split, master_flat={"G": "g.fits"})
    split["R"] = (slice(0, None, 2), slice(0, None, 2))
    with pytest.warns(aw.AutowispWarning, match=r"r.fits has a median of 2.3e.04"):
        Calibrator(
            saturation_threshold=5e4,
            split_channels=split,
            master_flat={"G": "g.fits", "R": "r.fits"},
        )(raw, calibrated="{CLRCHNL}.fits")


def test_an_exposure_in_other_units_and_an_area_cut_before_raise_no_warning(raw):
    write("d.fits", 1.0, IMAGETYP="masterdark", EXPTIME=0.03)
    write("b.fits", 1.0, IMAGETYP="masterzero", IMAGAREA="8 < x < 16, 4 < y < 10")
    write("cut.fits", 9.0, IMAGETYP="object", EXPTIME=30.0, IMAGAREA="8 < x < 16, 4 < y < 10")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(raw, master_dark="d.fits", exposure_seconds="EXPTIME/1000")
        calibrate("cut.fits", master_bias="b.fits")


@pytest.mark.parametrize(
    ("cards", "bias", "message"),
    [
        ({"ZEROCOR": "no"}, True, r"d.fits holds the bias \(ZEROCOR = 'no'\), which is subtr"),
        ({"CALSTAT": "B"}, False, r"bias was subtracted from d.fits \(CALSTAT = 'B'\), but is not"),
    ],
)
def test_warns_of_a_bias_that_is_subtracted_twice_or_left_in(raw, cards, bias, message):
    write("d.fits", 10.0, IMAGETYP="masterdark", EXPTIME=30.0, **cards)
    write("b.fits", 5.0, IMAGETYP="masterzero")
    with pytest.warns(aw.AutowispWarning, match=message):
        calibrate(raw, master_dark="d.fits", master_bias="b.fits" if bias else None)
    left = pytest.warns(aw.AutowispWarning, match="counts as light") if bias else nullcontext()
    with left:
        calibrate(raw, master_dark="d.fits", master_bias=None if bias else "b.fits")


def test_warns_of_an_overscan_inside_of_the_image_area_that_was_chosen(raw):
    areas = [{"xmin": 0, "xmax": 2, "ymin": 0, "ymax": 6}]
    overscans = {"areas": areas, "method": overscan_methods.Median(min_pixels=1)}
    with pytest.warns(aw.AutowispWarning, match="overscan area 0, 0 < x < 2.*overlaps the image"):
        calibrate(raw, overscans=overscans, image_area=AREA | {"xmin": 1})
    # a frame that is kept whole holds its overscan
    calibrate(raw, overscans=overscans, image_area=AREA)
    calibrate(raw, overscans=overscans, image_area=AREA | {"xmin": 2})


def test_a_dark_of_flats_is_a_dark(raw):
    write("m.fits", 1.0, IMAGETYP="Dark Flat", EXPTIME=30.0)
    calibrate(raw, master_dark="m.fits")


def test_warns_of_a_gain_that_the_header_contradicts(here):
    raw = write("raw.fits", 1000.0, IMAGETYP="object", EXPTIME=30.0, EGAIN=2.5)
    with pytest.warns(aw.AutowispWarning, match=r"raw.fits states a gain of 2.5 .*with gain=1 all"):
        calibrate(raw)
    calibrate(raw, gain=2.4)


STACK = {"min_valid_frames": 2, "min_valid_values": 2, "outlier_threshold": 1.2}


def test_warns_of_a_dark_that_the_classes_have_made_without_a_bias_beside_one(raw):
    """No card states it, but the history of its file does."""
    write("b.fits", 10.0, IMAGETYP="masterzero")
    bare = Calibrator(saturation_threshold=5e4)
    for name in ("d0", "d1"):
        write(f"{name}.fits", 10.0, IMAGETYP="dark", EXPTIME=30.0)
        bare(raw=f"{name}.fits", calibrated=f"{name}_c.fits")
    MasterMaker(**STACK)(["d0_c.fits", "d1_c.fits"], "m.fits")
    with pytest.warns(aw.AutowispWarning, match=r"m\.fits holds the bias .its history names no"):
        calibrate(raw, master_bias="b.fits", master_dark="m.fits")
    with pytest.warns(aw.AutowispWarning, match="in the uncertainties it counts as light, as in"):
        calibrate(raw, master_dark="m.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(raw, master_dark="m.fits", bias_level_adu=100.0)


@pytest.mark.parametrize(
    ("kind", "cards", "other", "differ"),
    [
        ("zero", {"GAIN": 100}, {"GAIN": 300}, "of the gain setting 300, not 100"),
        ("dark", {"CCD_TEMP": -20.0}, {"CCD_TEMP": 20.0}, "at 20.0 C, not -20.0 C"),
        ("dark", {"EXPTIME": 60.0}, {"EXPTIME": 30.0}, "exposed 30 s, not 60 s"),
        ("flat", {"EXPTIME": 6.0}, {"EXPTIME": 3.0}, ""),
        ("zero", {"CCD_TEMP": -20.0}, {"CCD_TEMP": -19.0}, ""),
    ],
)
def test_warns_of_frames_of_which_the_verbs_make_no_master(here, kind, cards, other, differ):
    files = [
        write(f"{number}.fits", 10.0, IMAGETYP=kind, **one)
        for number, one in enumerate((cards, cards, other))
    ]
    make = MasterMaker(**STACK)
    if differ:
        with pytest.warns(aw.AutowispWarning, match=rf"2\.fits is {differ} as 0\.fits is"):
            make(files, "m.fits")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(files, "m.fits")


@pytest.mark.parametrize(
    ("kind", "level", "cards", "frame", "message"),
    [
        ("dark", 30.0, {"PEDESTAL": -20}, {}, "states PEDESTAL = -20, a constant that is in its"),
        ("bias", 30.0, {"PEDESTAL": -20}, {"PEDESTAL": -20}, ""),
        ("bias", 30.0, {"BUNIT": "electron"}, {}, "in units of 'electron', the frames of 'adu'"),
        ("dark", 30.0, {"BUNIT": "adu/s"}, {}, "in units of 'adu/s', the frames of 'adu'"),
        ("flat", 1.0, {"BUNIT": "electron"}, {}, ""),
        ("dark", 40.0, {}, {}, "has a median of 40, that of the bias is 40: it seems to hold the"),
        ("dark", 40.0, {"CALSTAT": "B"}, {}, ""),
        (
            "bias",
            30.0,
            {"BUNIT": "adu/s"},
            {"BUNIT": "adu/s"},
            "raw.fits is in units of 'adu/s' .BUNIT., whose n",
        ),
    ],
)
def test_warns_of_masters_and_frames_on_another_scale(here, kind, level, cards, frame, message):
    """What the verbs bring to the scale of the frames, or refuse."""
    raw = write("raw.fits", 1000.0, IMAGETYP="object", EXPTIME=30.0, **frame)
    write("b.fits", 40.0, IMAGETYP="masterzero")
    write("m.fits", level, **cards)
    masters = {"master_bias": "b.fits", f"master_{kind}": "m.fits"}
    if message:
        with pytest.warns(aw.AutowispWarning, match=message):
            calibrate(raw, **masters)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(raw, **masters)


def test_warns_of_a_master_from_zero_to_one(here):
    image = np.linspace(0.1, 0.9, 24 * 32, dtype=np.float32).reshape(24, 32)
    fits.PrimaryHDU(image, fits.Header({"IMAGETYP": "masterdark"})).writeto("m.fits")
    fits.PrimaryHDU(1000 * image, fits.Header({"IMAGETYP": "object"})).writeto("raw.fits")
    with pytest.warns(aw.AutowispWarning, match=r"m\.fits is in floats from 0 to 1; it is applied"):
        calibrate("raw.fits", master_dark="m.fits")
