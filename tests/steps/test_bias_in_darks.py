"""A bias is neither subtracted twice nor left in, and a pedestal is no light."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import Camera
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.headers.cards import render_header
from tests.steps.frames import frame_set, master

CAMERA = Camera(gain=2.0, read_noise=6.0)
SHAPE = (1, 5, 7)


def shots(level, kind, number=6, exposure=60.0, camera=CAMERA):
    rng = np.random.default_rng(int(level))
    pixels = np.rint(rng.normal(level, 3, (number, *SHAPE))).astype("u2")
    return frame_set(pixels, camera=camera, kind=kind, exposure=exposure)


def foreign(ds, **cards):
    text = np.array(render_header(fits.Header(cards)), dtype=np.dtypes.StringDType())
    return ds.assign_coords(header=((), text), path=((), np.array("d.fits", text.dtype)))


@pytest.fixture
def bias():
    return aw.master_bias(shots(1000, "bias"))


@pytest.fixture
def held():
    return aw.master_dark(shots(1100, "dark"))


def test_beside_a_bias_a_dark_loses_the_one_that_it_holds(bias, held):
    raw = shots(1600, "object")
    science = aw.calibrate(raw, bias=bias, dark=held)
    plain = raw["image"].values - held["image"].values
    np.testing.assert_allclose(science["image"], plain, atol=2e-4)
    np.testing.assert_allclose(science["shared_variance"], held["variance"], rtol=1e-5)
    light = raw["image"].values - bias["image"].values
    own = science["variance"] - science["shared_variance"]
    np.testing.assert_allclose(own, light / 2 + 9, rtol=1e-5)
    history = science.autowisp.history()[-1]
    assert history["masters"]["dark"] == held.autowisp.history()[-1]["id"]


def test_beside_a_bias_a_dark_that_holds_it_may_be_scaled(bias, held):
    raw = shots(1350, "object", exposure=30.0)
    science = aw.calibrate(raw, bias=bias, dark=held, scale_dark="down")
    middle = (bias["image"].values + held["image"].values) / 2
    np.testing.assert_allclose(science["image"], raw["image"].values - middle, atol=2e-4)
    expected = (bias["variance"] + held["variance"]) / 4
    np.testing.assert_allclose(science["shared_variance"], expected, rtol=1e-5)


def test_a_dark_free_of_bias_does_not_leave_the_bias_in(bias):
    free = aw.master_dark(shots(1100, "dark"), bias=bias)
    raw = shots(1600, "object")
    with pytest.raises(aw.CalibrationError, match=r"the bias was subtracted from the master dark"):
        aw.calibrate(raw, dark=free)
    # where the level is gone, what is left is the structure of the bias
    level = Camera(gain=2.0, read_noise=6.0, bias_level=1000.0)
    aw.calibrate(raw, dark=free, camera=level)
    with pytest.raises(aw.CalibrationError, match="not from the frames"):
        aw.subtract_dark(aw.calibrate(raw), free)


def test_a_bias_is_not_subtracted_twice(bias, held):
    frames = aw.subtract_bias(shots(1600, "object"), bias)
    with pytest.raises(aw.CalibrationError, match=r"twice.*calibrate\(bias=\.\.\., dark="):
        aw.subtract_dark(frames, held)


@pytest.mark.parametrize(
    ("kind", "cards"),
    [("bias", {"CALSTAT": "BD"}), ("dark", {"DARKCOR": "done"}), ("flat", {"FLATCOR": True})],
)
def test_frames_that_are_corrected_already_are_not_corrected_again(kind, cards):
    frames = foreign(shots(1600, "object"), **cards)
    given = {kind: master(np.ones(SHAPE), units="1" if kind == "flat" else "adu")}
    with pytest.raises(aw.CalibrationError, match=rf"corrected by a {kind} before"):
        aw.calibrate(frames, **given)


def test_a_dark_of_another_program_is_believed_where_it_is_scaled():
    raw = shots(600, "object", exposure=30.0)
    bias = master(np.full(SHAPE, 500.0), np.zeros(SHAPE))
    dark = master(np.full(SHAPE, 40.0), np.zeros(SHAPE))
    free = foreign(dark, ZEROCOR="Jan 1 Zero level correction image is Zero")
    science = aw.calibrate(raw, bias=bias, dark=free, scale_dark="down")
    np.testing.assert_allclose(science["image"], raw["image"].values - 520.0)
    held = foreign(dark.assign(image=dark["image"] + 500), ZEROCOR="no")
    science = aw.calibrate(raw, bias=bias, dark=held, scale_dark="down")
    np.testing.assert_allclose(science["image"], raw["image"].values - 520.0)
    with pytest.raises(aw.CalibrationError, match="ZEROCOR = 'no'"):
        aw.subtract_dark(frame_set(np.ones(SHAPE), exposure=30.0), held, scale_dark="down")
    unstated = foreign(dark)
    with pytest.warns(AutowispWarning, match=r"d\.fits; it is taken for free.*CALSTAT = 'B'"):
        aw.calibrate(raw, bias=bias, dark=unstated, allow_mismatch="exposure")


def test_the_pedestal_of_a_dark_makes_no_photon_noise(held):
    raw = shots(1600, "object")
    science = aw.calibrate(raw, dark=held)
    np.testing.assert_allclose(science["image"], raw["image"].values - held["image"].values)
    own = science["variance"] - science["shared_variance"]
    # light of 500 ADU; the frames of the dark scatter by the read noise alone
    np.testing.assert_allclose(own.mean(), 500 / 2 + 9, rtol=0.02)


def test_calibrate_is_the_composition_of_its_steps_with_a_dark_that_holds_the_bias(held):
    raw = shots(1600, "object")
    science = aw.calibrate(raw, dark=held)
    steps = aw.subtract_dark(aw.add_noise(raw, dark=held), held)
    np.testing.assert_allclose(science["image"], steps["image"], rtol=1e-6)
    own = [ds["variance"] - ds["shared_variance"] for ds in (science, steps)]
    np.testing.assert_allclose(*own, rtol=1e-4)


def test_chunks_do_not_change_what_a_dark_is_taken_apart_into(held):
    raw = shots(1600, "object")
    whole = aw.calibrate(raw, dark=held)
    parts = aw.calibrate(raw.chunk(y=2, frame=1), dark=held.chunk(y=3, x=2))
    assert parts["image"].chunks is not None
    for name in whole.data_vars:
        np.testing.assert_array_equal(parts[name].values, whole[name].values, err_msg=name)


def test_photons_by_absolute_value_know_no_pedestal(held):
    raw = shots(1600, "object")
    science = aw.calibrate(raw, dark=held, photons="absolute")
    own = science["variance"] - science["shared_variance"]
    np.testing.assert_allclose(own, raw["image"] / 2 + 9, rtol=1e-5)


def test_a_dark_whose_noise_nobody_knows_is_reported():
    held = foreign(master(np.full(SHAPE, 1100.0)), ZEROCOR="no")
    raw = shots(1600, "object")
    with pytest.warns(AutowispWarning, match=r"d\.fits holds the bias \(ZEROCOR = 'no'\), and how"):
        science = aw.calibrate(raw, dark=held)
    light = raw["image"] - 1100.0
    np.testing.assert_allclose(science["variance"], light / 2 + 9, rtol=1e-5)


def test_each_amplifier_has_a_dark_current_of_its_own():
    """Both scatter by 9 ADU^2: read noise of one, read noise and 80 e of dark current of the other.

    The frames hold no light, so that nothing but that is left.
    """
    halves = [
        {"region": {"xmin": 0, "xmax": 20, "ymin": 0, "ymax": 30}, "gain": 2.0, "read_noise": 6.0},
        {"region": {"xmin": 20, "xmax": 40, "ymin": 0, "ymax": 30}, "gain": 4.0, "read_noise": 8.0},
    ]
    rng = np.random.default_rng(8)
    camera = Camera(amplifiers=halves)
    pixels = np.rint(rng.normal(1100, 3, (12, 1, 30, 40))).astype("u2")
    dark = aw.master_dark(frame_set(pixels, camera=camera, kind="dark"))
    raw = frame_set(np.full((1, 1, 30, 40), 1100.0), camera=camera)
    science = aw.calibrate(raw, dark=dark)
    own = (science["variance"] - science["shared_variance"]).values[0, 0]
    for half in (own[:, :20], own[:, 20:]):
        np.testing.assert_allclose(half.mean(), 9.0, rtol=0.05)


def test_a_foreign_bias_that_has_a_level_is_doubted_where_one_is_subtracted():
    raw = shots(1600, "object", camera=Camera(gain=2.0, read_noise=6.0, bias_level=1000.0))
    image = np.random.default_rng(1).normal(0, 2, SHAPE)
    aw.calibrate(raw, bias=foreign(master(image)))
    with pytest.warns(AutowispWarning, match="has a median of 1000, and a level"):
        aw.calibrate(raw, bias=foreign(master(np.round(image) + 1000)))


LEVEL = Camera(gain=2.0, read_noise=6.0, bias_level=1000.0)
OVERSCAN = Camera(gain=2.0, read_noise=6.0, overscan="[1:2,1:5]", image_area="[3:7,1:5]")


@pytest.mark.parametrize("kind", ["bias", "dark"])
@pytest.mark.parametrize(
    ("of_master", "of_frames", "described"),
    [
        (LEVEL, CAMERA, "a level of 1000 ADU was subtracted, from the frames no level"),
        (CAMERA, LEVEL, "no level was subtracted, from the frames a level of 1000 ADU"),
        (LEVEL, replace(LEVEL, bias_level=990.0), "1000 ADU .* 990 ADU"),
    ],
)
def test_a_level_is_neither_subtracted_twice_nor_left_in(kind, of_master, of_frames, described):
    make = {"bias": aw.master_bias, "dark": aw.master_dark}[kind]
    given = {kind: make(shots(1000, kind), camera=of_master)}
    with pytest.raises(aw.CalibrationError, match=rf"master {kind} .*{described}.*same Camera"):
        aw.calibrate(shots(1500, "object"), camera=of_frames, **given)
    aw.calibrate(shots(1500, "object"), camera=of_master, **given)


def test_an_overscan_is_neither_subtracted_twice_nor_left_in():
    some = aw.Overscan(min_pixels=5)
    biases, raw = shots(1000, "bias"), shots(1500, "object")
    free, whole = (aw.master_bias(biases, camera=OVERSCAN, overscan=how) for how in (some, False))
    with pytest.raises(aw.CalibrationError, match=r"its overscan was .* no level"):
        aw.calibrate(raw, bias=free, camera=OVERSCAN, overscan=False)
    with pytest.raises(aw.CalibrationError, match=r"no level was .* its overscan"):
        aw.calibrate(raw, bias=whole, camera=OVERSCAN, overscan=some)
    # the overscan of these frames has the level of their image
    for bias, how, light in ((free, some, 0), (whole, False, 500)):
        science = aw.calibrate(raw, bias=bias, camera=OVERSCAN, overscan=how)
        assert abs(float(science["image"].mean()) - light) < 3


def test_the_single_verbs_know_which_level_was_subtracted():
    bias, held = (
        aw.master_bias(shots(1000, "bias"), camera=LEVEL),
        aw.master_dark(shots(1100, "dark")),
    )
    free_of_level = aw.subtract_bias_level(shots(1600, "object"), camera=LEVEL)
    with pytest.raises(aw.CalibrationError, match=r"no level .* 1000 ADU"):
        aw.subtract_dark(free_of_level, held)
    with pytest.raises(aw.CalibrationError, match=r"1000 ADU .* no level"):
        aw.subtract_bias(aw.trim(aw.subtract_bias_level(shots(1600, "object"))), bias)
    assert abs(float(aw.subtract_bias(free_of_level, bias)["image"].mean()) - 600) < 2


def test_a_bias_and_a_dark_that_holds_it_have_lost_the_same_level(bias):
    dark = aw.master_dark(shots(1100, "dark"), camera=LEVEL)
    with pytest.raises(aw.CalibrationError, match=r"1000 ADU .* from the bias no level"):
        aw.calibrate(shots(1600, "object"), bias=bias, dark=dark)
    free = aw.master_dark(shots(1100, "dark"), bias=bias)
    science = aw.calibrate(shots(1600, "object"), dark=free, camera=LEVEL)
    assert abs(float(science["image"].mean()) - 500) < 2


LEFT = "no bias, dark or level is subtracted from the frames"
LEVEL = replace(CAMERA, bias_level=1000.0)


def test_a_level_that_is_left_in_counts_as_light_by_which_a_response_is_wrong(bias, held):
    """Of 21000 ADU 1000 are bias: a response of 0.5 would be one of 0.52."""
    raw = shots(21_000, "flat")
    with pytest.warns(AutowispWarning, match=f"{LEFT}: .* the response of the pixels is wrong"):
        aw.master_flat(raw)
    flat = aw.master_flat(raw, bias=bias).high
    lights = shots(1500, "object")
    for frames in (lights, lights.chunk(frame=1)):
        with pytest.warns(AutowispWarning, match=LEFT):
            aw.calibrate(frames, flat=flat)
    # where the level goes with something, or went before
    aw.master_flat(raw, dark=held)
    aw.master_flat(raw, camera=LEVEL)
    aw.calibrate(lights, flat=flat, camera=LEVEL)
    aw.calibrate(lights, flat=flat, dark=held)
    aw.calibrate(lights)
    free = lights.assign(image=lights["image"] - np.float32(1000))
    aw.calibrate(free, flat=flat)
    header = np.array([render_header(fits.Header({"CALSTAT": "B"}))] * 6, np.dtypes.StringDType())
    aw.calibrate(lights.assign_coords(header=("frame", header)), flat=flat)


def test_a_level_above_nearly_all_pixels_is_none():
    lights = shots(1500, "object")
    with pytest.warns(AutowispWarning, match=r"bias_level=5000\) is above nearly all pixels"):
        aw.calibrate(lights, camera=replace(CAMERA, bias_level=5000.0))
    aw.calibrate(lights, camera=LEVEL)
    aw.calibrate(lights, camera=replace(CAMERA, bias_level=1500.0))


def test_exposures_that_were_added_up_beside_a_bias_without_a_word_of_it(bias):
    """Four pedestals of 1000 ADU less one would be 3000 ADU of light."""
    lights = shots(4500, "object")
    several = lights.assign_coords(coadds=("frame", [4.0] * 6))
    with pytest.warns(AutowispWarning, match=r"only one side .* frames and the master bias: level"):
        aw.calibrate(several, bias=bias)
    aw.calibrate(several, bias=bias, allow_mismatch="coadds")
    aw.calibrate(several, bias=bias.assign_coords(coadds=4.0))
    aw.calibrate(lights.assign_coords(coadds=("frame", [1.0] * 6)), bias=bias)
    with pytest.raises(aw.MasterMismatchError, match="of 1 exposures in one, not 4"):
        aw.calibrate(several, bias=bias.assign_coords(coadds=1.0))
