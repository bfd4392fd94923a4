"""Refusals of the calibrator: their messages, and that nothing is left behind."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator
from tests.image_calibration.files import write_raw

SHAPE = (5, 7)
IMAGE = np.ones(SHAPE, np.uint16)
AREA = {"xmin": 0, "xmax": 7, "ymin": 0, "ymax": 5}
NONE = {"areas": None, "method": None}


def master(shape=SHAPE):
    return {
        "filenames": {None: "m.fits"},
        "correction": np.zeros(shape),
        "variance": np.zeros(shape),
        "mask": np.zeros(shape, np.uint8),
    }


@pytest.fixture
def calibrate(here):
    write_raw("raw.fits", IMAGE)
    return Calibrator(saturation_threshold=5e4)


REFUSED = [
    ("inverted", {"image_area": {**AREA, "xmin": 5, "xmax": 3}}, aw.CalibrationError, "inverted"),
    ("inverted in y", {"image_area": {**AREA, "ymin": 5, "ymax": 3}}, aw.CalibrationError, "ymin"),
    ("empty", {"image_area": {**AREA, "xmin": 3, "xmax": 3}}, aw.CalibrationError, "empty"),
    ("too wide", {"image_area": {**AREA, "xmax": 8}}, aw.OutsideImageError, "7 pixels wide"),
    ("too high", {"image_area": {**AREA, "ymax": 6}}, aw.OutsideImageError, "5 high"),
    ("negative", {"image_area": {**AREA, "xmin": -1}}, aw.OutsideImageError, "first pixel"),
    ("incomplete", {"image_area": {"xmin": 0}}, aw.CalibrationError, "xmin, xmax, ymin and ymax"),
    ("half a pixel", {"image_area": {**AREA, "xmax": 3.5}}, aw.CalibrationError, "whole pixels"),
    ("gain of zero", {"gain": 0.0}, aw.CalibrationError, "gain"),
    ("negative gain", {"gain": -1.0}, aw.CalibrationError, "gain"),
    ("infinite gain", {"gain": np.inf}, aw.CalibrationError, "gain"),
    ("NaN gain", {"gain": np.nan}, aw.CalibrationError, "gain"),
    ("gain as text", {"gain": "two"}, aw.CalibrationError, "gain"),
    ("one direction", {"leak_directions": (1, 0)}, aw.CalibrationError, "leak_directions"),
    ("a triple", {"leak_directions": [(1, 0, 0)]}, aw.CalibrationError, "leak_directions"),
    ("half a step", {"leak_directions": [(0.5, 0)]}, aw.CalibrationError, "leak_directions"),
    ("a number", {"leak_directions": 3}, aw.CalibrationError, "leak_directions"),
    ("texts", {"leak_directions": ["up"]}, aw.CalibrationError, "leak_directions"),
]


@pytest.mark.parametrize(
    ("params", "error", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_check_calib_params_refuses_what_cannot_be(params, error, message):
    with pytest.raises(error, match=message) as raised:
        Calibrator.check_calib_params(IMAGE, params)
    # errors of the original are what these are, too
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    ("params", "error", "message"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_so_does_a_call_and_writes_nothing(calibrate, here, params, error, message):
    with pytest.raises(error, match=message):
        calibrate("raw.fits", calibrated="CAL/out.fits", **params)
    assert [path.name for path in here.iterdir()] == ["raw.fits"]


@pytest.mark.parametrize(
    ("area", "error"),
    [
        ({**AREA, "xmin": 5, "xmax": 3}, aw.CalibrationError),
        ({**AREA, "ymin": 2, "ymax": 2}, aw.CalibrationError),
        ({**AREA, "ymax": 6}, aw.OutsideImageError),
        ({**AREA, "ymin": -2}, aw.OutsideImageError),
    ],
)
@pytest.mark.parametrize("position", [0, 1])
def test_each_overscan_area_is_checked(area, error, position):
    areas = [AREA, AREA]
    areas[position] = area
    with pytest.raises(error):
        Calibrator.check_calib_params(IMAGE, {"overscans": {"areas": areas, "method": print}})


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
@pytest.mark.parametrize("plane", ["correction", "variance", "mask"])
def test_each_plane_of_each_master_has_the_shape_of_the_area(kind, plane):
    good = {kind: master()}
    Calibrator.check_calib_params(IMAGE, good)
    bad = {kind: {**master(), plane: np.zeros((5, 6))}}
    with pytest.raises(
        aw.ImageMismatchError, match=rf"the {plane} of the master {kind}.*\(5, 6\).*\(5, 7\)"
    ):
        Calibrator.check_calib_params(IMAGE, bad)
    cut = {"image_area": {**AREA, "xmax": 6}}
    Calibrator.check_calib_params(IMAGE, {**cut, kind: master((5, 6))})
    with pytest.raises(aw.ImageMismatchError):
        Calibrator.check_calib_params(IMAGE, {**cut, **good})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"image_area": AREA, "gain": 2, "leak_directions": [(1, 0)], "overscans": None},
        {"image_area": None, "leak_directions": None, "overscans": NONE, "bias": None},
        {"gain": np.float32(1.5), "leak_directions": ((np.int8(-1), 99),)},
        {"overscans": {"areas": [AREA], "method": None}},
    ],
    ids=str,
)
def test_check_calib_params_accepts_what_is_right(params):
    assert Calibrator.check_calib_params(IMAGE, params) is None


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("saturation_treshold", "saturation_threshold"),
        ("master_bais", "master_bias"),
        ("calibrated_name", "calibrated_fname"),
        ("leak_direction", "leak_directions"),
        ("overscan_areas", "overscans"),
        ("read_noise", "read_noise_electrons"),
    ],
)
def test_names_that_are_no_parameters_are_refused_with_those_near(calibrate, name, near):
    for call in (
        lambda: Calibrator(**{name: 1}),
        lambda: calibrate("raw.fits", calibrated="o.fits", **{name: 1}),
    ):
        with pytest.raises(TypeError, match=rf"'{name}' is no parameter.*near it are.*{near}"):
            call()


@pytest.mark.parametrize(
    "twice",
    [
        {"bias": None, "master_bias": None},
        {"calibrated": "a.fits", "calibrated_fname": "b.fits"},
        {"overscan": None, "overscans": None},
    ],
    ids=str,
)
def test_a_parameter_given_under_two_names_is_refused(calibrate, twice):
    with pytest.raises(TypeError, match="under two names"):
        calibrate("raw.fits", **twice)


def test_positional_arguments_and_wrong_names_of_set_masters_are_refused(calibrate):
    with pytest.raises(TypeError):
        calibrate.set_masters("bias.fits")
    with pytest.raises(TypeError, match="drak"):
        calibrate.set_masters(drak="dark.fits")


@pytest.mark.parametrize("cards", [{}, {"GAIN": "high"}, {"GAIN": ""}], ids=str)
def test_a_gain_that_the_header_does_not_have_is_refused(here, cards):
    write_raw("raw.fits", IMAGE, cards)
    with pytest.raises(aw.CalibrationError, match=r"raw\.fits: gain=None .*GAIN is .*; give gain="):
        Calibrator(gain=None)("raw.fits", calibrated="out.fits")
    assert not (here / "out.fits").exists()


def test_a_negative_gain_of_the_header_is_refused():
    write_raw("raw.fits", IMAGE, {"GAIN": -1.0})
    with pytest.raises(aw.CalibrationError, match="gain"):
        Calibrator(gain=None)("raw.fits", calibrated="out.fits")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("read_noise_electrons", -1.0),
        ("read_noise_electrons", np.nan),
        ("saturation_threshold", -5.0),
        ("bias_level_adu", np.nan),
    ],
)
def test_numbers_that_cannot_be_are_refused_before_anything_is_written(
    calibrate, here, name, value
):
    with pytest.raises(aw.CalibrationError):
        calibrate("raw.fits", calibrated="CAL/out.fits", **{name: value})
    assert not (here / "CAL").exists()


def test_a_raw_frame_that_is_not_there_is_named(calibrate):
    with pytest.raises(FileNotFoundError, match=r"nothing\.fits"):
        calibrate("nothing.fits", calibrated="out.fits")


def test_a_cube_is_refused(calibrate):
    write_raw("cube.fits", np.ones((2, 5, 7)))
    with pytest.raises(aw.BadImageError, match="3 dimensions"):
        calibrate("cube.fits", calibrated="out.fits")


@pytest.mark.parametrize("given", [[], "median", 3, (None, None)], ids=str)
def test_overscans_that_are_no_dictionary_are_refused(calibrate, given):
    with pytest.raises(aw.CalibrationError, match="overscans is None or"):
        calibrate("raw.fits", calibrated="out.fits", overscans=given)
