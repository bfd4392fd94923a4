"""The order of the single verbs: what comes a second time, or too late, is refused."""

import pytest

import autowisp_xr as aw
from autowisp_xr import Camera
from autowisp_xr.errors import CalibrationError
from tests.steps.frames import frame_set, master

CAMERA = Camera(gain=2.0, read_noise=6.0, overscan="[1:3,1:1]", linearity=[1e-7])
OVERSCAN = aw.Overscan(min_pixels=1)
BIAS, DARK = master([90.0, 95.0, 100.0]), master([5.0, 6.0, 7.0])
FLAT, OTHER = (master([1.0, 1.1, last], units="1") for last in (0.9, 0.8))
VERBS = {
    "subtract_bias_level": lambda ds: aw.subtract_bias_level(ds, camera=Camera(bias_level=10.0)),
    "flag_saturated": lambda ds: aw.flag_saturated(ds, camera=CAMERA),
    "subtract_overscan": lambda ds: aw.subtract_overscan(ds, OVERSCAN, camera=CAMERA),
    "subtract_bias": lambda ds: aw.subtract_bias(ds, BIAS),
    "linearise": lambda ds: aw.linearise(ds, camera=CAMERA),
    "add_noise": lambda ds: aw.add_noise(ds, camera=CAMERA),
    "subtract_dark": lambda ds: aw.subtract_dark(ds, DARK),
    "divide_flat": lambda ds: aw.divide_flat(ds, FLAT),
    "calibrate": lambda ds: aw.calibrate(
        ds, bias=BIAS, dark=DARK, flat=FLAT, camera=Camera(gain=2.0, read_noise=6.0)
    ),
}


def done(*verbs):
    ds = frame_set([613.0, 620.0, 645.0])
    for verb in verbs:
        ds = VERBS[verb](ds)
    return ds


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *((verb, verb) for verb in VERBS if verb not in ("flag_saturated", "subtract_overscan")),
        *(("calibrate", verb) for verb in VERBS if verb != "calibrate"),
        ("add_noise", "subtract_bias"),
        ("subtract_dark", "add_noise"),
        ("divide_flat", "subtract_bias"),
        ("divide_flat", "subtract_dark"),
        ("subtract_bias", "subtract_overscan"),
        ("subtract_bias", "subtract_bias_level"),
        ("subtract_bias", "flag_saturated"),
    ],
)
def test_what_comes_a_second_time_or_too_late_is_refused(first, second):
    ds = done(first)
    with pytest.raises(CalibrationError, match="already"):
        VERBS[second](ds)


def test_the_order_of_calibrate_is_taken():
    verbs = ("flag_saturated", "subtract_bias", "add_noise", "subtract_dark", "divide_flat")
    left, whole = done(*verbs), done("calibrate")
    assert left["image"].values.tolist() == whole["image"].values.tolist()
    assert left["variance"].values.tolist() == whole["variance"].values.tolist()


def test_passes_of_an_overscan_and_another_flat_may_follow():
    once = done("subtract_overscan", "subtract_overscan", "divide_flat")
    assert aw.divide_flat(once, OTHER)["image"].sizes == once["image"].sizes


def test_a_level_of_zero_and_read_noise_alone_come_whenever():
    ds = aw.add_noise(done(), camera=CAMERA, photons="none")
    ds = aw.subtract_bias_level(aw.subtract_bias(ds, BIAS), camera=Camera())
    aw.add_noise(ds, camera=CAMERA)
