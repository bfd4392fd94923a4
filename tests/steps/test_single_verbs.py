"""The single steps, by hand on three pixels; every formula is written out again here."""

import json

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, provenance
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import TWO_CHANNELS, frame_set, master, text

F8 = {"dtype": "float64"}
KNOWN = Camera(gain=2.0, read_noise=8.0)


def values(ds, name="image"):
    return ds[name].values.ravel().tolist()


# ---------------------------------------------------------------------- subtract_bias_level


def test_the_bias_level_is_subtracted_and_nothing_else():
    raw = frame_set(np.array([100, 90, 65535], "u2"), camera=Camera(bias_level=95.5))
    ds = aw.subtract_bias_level(raw, **F8)
    assert values(ds) == [4.5, -5.5, 65439.5]
    assert values(ds, "variance") == [0.0, 0.0, 0.0]
    assert values(ds, "mask") == [0, 0, 0]
    assert values(aw.subtract_bias_level(raw, camera=Camera(bias_level=1), **F8))[0] == 99.0


def test_a_pixel_that_is_not_finite_becomes_nan_without_variance_and_faulty():
    raw = frame_set(np.array([np.nan, np.inf, 3.0], "f4"), camera=Camera(bias_level=1))
    ds = aw.subtract_bias_level(raw)
    np.testing.assert_array_equal(ds["image"].values.ravel(), [np.nan, np.nan, 2.0])
    np.testing.assert_array_equal(ds["variance"].values.ravel(), [np.nan, np.nan, 0.0])
    assert values(ds, "mask") == [Flag.FAULT, Flag.FAULT, 0]


def test_what_is_too_large_for_its_type_has_no_error_or_no_value():
    raw = frame_set([1e20, 1e39, 3.0], variance=[1e39, 1.0, 1.0])
    ds = aw.subtract_bias_level(raw)
    np.testing.assert_array_equal(ds["image"].values.ravel(), np.float32([1e20, np.nan, 3.0]))
    assert values(ds, "mask") == [Flag.FAULT, Flag.FAULT, 0]
    assert values(aw.subtract_bias_level(raw, **F8), "mask") == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["int", "f2", ">f4", "flat32", np.uint16])
def test_planes_of_other_types_are_refused(dtype):
    raw = frame_set([1.0, 2.0], camera=Camera(gain=1, read_noise=1))
    for verb in (aw.subtract_bias_level, aw.flag_saturated, aw.add_noise, aw.calibrate):
        with pytest.raises(ValueError, match="dtype is 'float32' or 'float64', not "):
            verb(raw, dtype=dtype)


# ---------------------------------------------------------------------- subtract_bias


def test_a_bias_is_subtracted_and_its_variance_added_and_kept_apart():
    frames = frame_set([10.0, 20.0, 30.0], variance=[1.0, 2.0, 3.0], mask=[0, 4, 0])
    bias = master([1.0, -2.0, 0.5], [0.25, 0.5, 0.75], [2, 2, 0])
    ds = aw.subtract_bias(frames, bias, **F8)
    assert values(ds) == [9.0, 22.0, 29.5]
    assert values(ds, "variance") == [1.25, 2.5, 3.75]
    assert values(ds, "shared_variance") == [0.25, 0.5, 0.75]
    assert values(ds, "mask") == [Flag.HOT, Flag.HOT | Flag.COSMIC, 0]


def test_saturation_of_a_master_is_a_fault_of_the_frames():
    frames = frame_set([1.0, 1.0, 1.0, 1.0])
    bias = master(np.zeros(4), mask=[Flag.OVERSATURATED, Flag.LEAKED, Flag.SATURATED | 2, 127])
    ds = aw.subtract_bias(frames, bias)
    assert values(ds, "mask") == [1, 1, 3, 127 - 48]


def test_a_master_without_variance_or_mask_adds_none():
    ds = aw.subtract_bias(frame_set([3.0], variance=[2.0]), master([1.0]), **F8)
    assert values(ds) == [2.0]
    assert values(ds, "variance") == [2.0]
    assert "shared_variance" not in ds


def test_where_the_master_is_nan_the_frames_are():
    ds = aw.subtract_bias(frame_set([3.0, 3.0], variance=[2.0, 2.0]), master([np.nan, 1.0]))
    np.testing.assert_array_equal(ds["image"].values.ravel(), [np.nan, 2.0])
    np.testing.assert_array_equal(ds["variance"].values.ravel(), [np.nan, 2.0])
    assert values(ds, "mask") == [1, 0]


# ---------------------------------------------------------------------- add_noise


def test_noise_is_that_of_photons_and_of_reading():
    frames = frame_set([100.0, -50.0, 0.0], camera=Camera(gain=2.0, read_noise=8.0))
    # max(I, 0) / g + (r / g)^2
    assert values(aw.add_noise(frames, **F8), "variance") == [50.0 + 16.0, 16.0, 16.0]
    absolute = aw.add_noise(frames, photons="absolute", **F8)
    assert values(absolute, "variance") == [66.0, 25.0 + 16.0, 16.0]
    assert values(aw.add_noise(frames, photons="none", **F8), "variance") == [16.0, 16.0, 16.0]
    assert values(aw.add_noise(frames, **F8)) == [100.0, -50.0, 0.0]


def test_noise_is_added_to_the_variance_that_was_there():
    frames = frame_set([100.0], variance=[7.0], camera=Camera(gain=2.0, read_noise=8.0))
    assert values(aw.add_noise(frames, **F8), "variance") == [73.0]


def test_each_channel_has_its_own_gain_and_read_noise():
    camera = Camera(
        channels=TWO_CHANNELS, gain={"B": 4.0, "A": 2.0}, read_noise={"A": 8.0, "B": 2.0}
    )
    frames = frame_set(np.full((2, 1, 1), 100.0), camera=camera)
    assert values(aw.add_noise(frames, **F8), "variance") == [50.0 + 16.0, 25.0 + 0.25]
    # a selection, or another order, of the channels takes along what belongs to each
    swapped = frames.isel(channel=[1, 0])
    assert values(aw.add_noise(swapped, **F8), "variance") == [25.25, 66.0]
    assert values(aw.add_noise(frames.isel(channel=[1]), **F8), "variance") == [25.25]


def test_in_electrons_the_gain_is_one():
    frames = frame_set([100.0], units="electron", camera=Camera(gain=2.0, read_noise=8.0))
    ds = aw.add_noise(frames, **F8)
    assert values(ds, "variance") == [100.0 + 64.0]
    assert ds["variance"].attrs["units"] == "electron2"


@pytest.mark.parametrize(
    ("camera", "text"),
    [
        (Camera(), r"the gain and the read noise of the camera must be known.*Camera\(gain="),
        (Camera(gain=1), "the read noise of the camera must be known"),
        (Camera(read_noise=1), "the gain of the camera must be known"),
    ],
)
def test_without_gain_or_read_noise_there_is_an_error_that_names_the_remedy(camera, text):
    with pytest.raises(aw.CalibrationError, match=text):
        aw.add_noise(frame_set([1.0], camera=camera))


def test_a_noise_that_is_none_is_refused():
    with pytest.raises(ValueError, match="none, positive, absolute, not 'photon'"):
        aw.add_noise(frame_set([1.0], camera=Camera(gain=1, read_noise=1)), photons="photon")


# ---------------------------------------------------------------------- subtract_dark


def test_a_dark_is_subtracted_as_it_is():
    frames = frame_set([10.0, 20.0, 30.0], variance=[1.0, 2.0, 3.0])
    dark = master([1.0, 2.0, 4.0], [0.5, 0.25, 0.125], [0, 2, 16])
    ds = aw.subtract_dark(frames, dark, **F8)
    assert values(ds) == [9.0, 18.0, 26.0]
    assert values(ds, "variance") == [1.5, 2.25, 3.125]
    assert values(ds, "shared_variance") == [0.5, 0.25, 0.125]
    assert values(ds, "mask") == [0, 2, 1]


@pytest.mark.parametrize("scale", ["any", "down"])
def test_a_scaled_dark_adds_its_variance_times_the_square(scale):
    frames = frame_set([10.0, 20.0, 30.0], variance=[1.0, 2.0, 3.0], exposure=15.0)
    dark = master([1.0, 2.0, 4.0], [0.5, 0.25, 0.125], exposure=60.0)
    ds = aw.subtract_dark(frames, dark, scale_dark=scale, **F8)
    assert values(ds) == [9.75, 19.5, 29.0]
    shared = [0.5 / 16, 0.25 / 16, 0.125 / 16]
    assert values(ds, "shared_variance") == shared
    assert values(ds, "variance") == [1 + shared[0], 2 + shared[1], 3 + shared[2]]


def test_frames_of_several_exposures_each_have_their_factor():
    frames = frame_set(np.full((3, 1, 1, 1), 10.0), exposure=[60.0, 30.0, 120.0])
    ds = aw.subtract_dark(frames, master([4.0], [3.0]), scale_dark="any", **F8)
    assert values(ds) == [6.0, 8.0, 2.0]
    assert values(ds, "variance") == [3.0, 0.75, 12.0]
    assert ds["shared_variance"].dims == ("frame", "channel", "y", "x")
    assert ds.autowisp.history()[-1]["options"]["factor"] == [0.5, 1.0, 2.0]


def test_an_exposure_within_one_percent_is_the_same():
    frames = frame_set([10.0], exposure=60.5)
    assert values(aw.subtract_dark(frames, master([4.0]), **F8)) == [6.0]
    assert values(aw.subtract_dark(frames, master([4.0]), scale_dark="any", **F8)) == [6.0]


def test_another_exposure_is_refused_with_both_and_can_be_allowed():
    frames = frame_set(np.zeros((2, 1, 1, 1)), exposure=[60.0, 30.0])
    with pytest.raises(
        aw.MasterMismatchError,
        match=r"exposed 60 s, frame 'object-1' 30 s; .*scale_dark='any', or allow_mis",
    ):
        aw.subtract_dark(frames, master([4.0]))
    ds = aw.subtract_dark(frames, master([4.0]), allow_mismatch=["exposure"])
    assert values(ds) == [-4.0, -4.0]


def test_a_dark_is_not_scaled_up_unless_asked():
    frames = frame_set([10.0], exposure=90.0)
    with pytest.raises(aw.MasterMismatchError, match=r"at least as long.*60 s, frame .* 90 s"):
        aw.subtract_dark(frames, master([4.0]), scale_dark="down")
    assert values(aw.subtract_dark(frames, master([4.0]), scale_dark="any", **F8)) == [4.0]


@pytest.mark.parametrize(("own", "other"), [(np.nan, 60.0), (60.0, np.nan), (0.0, 60.0)])
def test_a_dark_of_unknown_exposure_cannot_be_scaled(own, other):
    frames = frame_set([10.0], exposure=other)
    with pytest.raises(aw.MasterMismatchError, match="exposures of both must be known"):
        aw.subtract_dark(frames, master([4.0], exposure=own), scale_dark="any")


def test_a_misspelt_scaling_is_no_default():
    with pytest.raises(ValueError, match="scale_dark is False, 'down' or 'any', not 'up'"):
        aw.subtract_dark(frame_set([10.0]), master([4.0]), scale_dark="up")


def test_a_dark_that_holds_the_bias_is_not_scaled():
    darks = frame_set(np.full((3, 1, 1, 1), 10.0), kind="dark")
    dark = aw.stack(darks, "mean")
    frames = frame_set([10.0], exposure=30.0)
    with pytest.raises(aw.CalibrationError, match=r"free of bias.*master_dark\(frames, bias="):
        aw.subtract_dark(frames, dark, scale_dark="any")
    free = aw.stack(aw.subtract_bias(darks, master([2.0])), "mean")
    assert values(aw.subtract_dark(frames, free, scale_dark="any", **F8)) == [6.0]


def bias_and_dark_made_with_it():
    bias = master([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])
    darks = frame_set(np.full((2, 1, 1, 3), 20.0), variance=[8.0, 8.0, 8.0], kind="dark")
    dark = aw.stack(aw.subtract_bias(darks, bias, **F8), "mean", **F8)
    # mean of two of variance 8, and the bias that both share
    assert values(dark, "variance") == [5.0, 6.0, 7.0]
    assert values(dark, "shared_variance") == [1.0, 2.0, 3.0]
    return bias, dark


def test_the_noise_of_a_bias_cancels_against_a_dark_made_with_it():
    bias, dark = bias_and_dark_made_with_it()
    frames = frame_set([100.0, 100.0, 100.0], variance=[10.0, 10.0, 10.0])
    ds = aw.subtract_dark(aw.subtract_bias(frames, bias, **F8), dark, **F8)
    # I - B - (d - B): the bias is gone, what is left is the dark's own
    assert values(ds) == [80.0, 80.0, 80.0]
    assert values(ds, "variance") == [14.0, 14.0, 14.0]
    assert values(ds, "shared_variance") == [4.0, 4.0, 4.0]


def test_the_noise_of_another_bias_does_not_cancel():
    bias, dark = bias_and_dark_made_with_it()
    other = bias + 0.0
    frames = frame_set([100.0, 100.0, 100.0], variance=[10.0, 10.0, 10.0])
    other = other.assign(variance=other["variance"] * 1.5)
    ds = aw.subtract_dark(aw.subtract_bias(frames, other, **F8), dark, **F8)
    assert values(ds, "variance") == [10 + 1.5 + 5, 10 + 3 + 6, 10 + 4.5 + 7]
    assert values(ds, "shared_variance") == [6.5, 9.0, 11.5]


@pytest.mark.parametrize("exposure", [15.0, 120.0])
def test_of_a_bias_a_scaled_dark_cancels_only_a_part(exposure):
    bias, dark = bias_and_dark_made_with_it()
    frames = frame_set([100.0] * 3, variance=[10.0] * 3, exposure=exposure)
    ds = aw.subtract_dark(aw.subtract_bias(frames, bias, **F8), dark, scale_dark="any", **F8)
    k = exposure / 60.0
    b = np.array([1.0, 2.0, 3.0])
    d = b + 4.0
    # V += var B, then k^2 (var D - shared) + ((1 - k)^2 - 1) var B
    expected = 10 + b + k**2 * (d - b) + ((1 - k) ** 2 - 1) * b
    np.testing.assert_allclose(values(ds, "variance"), expected, rtol=1e-14)
    np.testing.assert_allclose(values(ds, "shared_variance"), expected - 10, rtol=1e-14)
    np.testing.assert_allclose(values(ds), 100 - bias["image"].values.ravel() * (1 - k) - k * 20)


def test_frames_without_a_bias_step_keep_all_noise_of_the_dark():
    _, dark = bias_and_dark_made_with_it()
    ds = aw.subtract_dark(frame_set([100.0] * 3, variance=[10.0] * 3), dark, **F8)
    assert values(ds, "variance") == [15.0, 16.0, 17.0]


# ---------------------------------------------------------------------- divide_flat


def test_a_flat_divides_image_and_noise_and_adds_its_own():
    frames = frame_set([100.0, 100.0, -50.0], variance=[16.0, 16.0, 16.0], mask=[0, 4, 0])
    flat = master([0.5, 2.0, 1.0], [0.01, 0.04, 0.09], [2, 0, 0], units="1")
    ds = aw.divide_flat(frames, flat, **F8)
    assert values(ds) == [200.0, 50.0, -50.0]
    # V / F^2 + var(F) I^2 / F^4
    expected = [64 + 0.01 * 1e4 / 0.0625, 4 + 0.04 * 1e4 / 16, 16 + 0.09 * 2500]
    np.testing.assert_allclose(values(ds, "variance"), expected, rtol=1e-14)
    np.testing.assert_allclose(
        values(ds, "shared_relative_variance"), [0.04, 0.01, 0.09], rtol=1e-14
    )
    assert values(ds, "mask") == [2, 4, 0]


def test_the_shared_variance_is_divided_too():
    frames = frame_set([100.0, 100.0], variance=[16.0, 16.0])
    frames = aw.subtract_bias(frames, master([0.0, 0.0], [4.0, 8.0]), **F8)
    ds = aw.divide_flat(frames, master([0.5, 2.0], units="1"), **F8)
    assert values(ds, "shared_variance") == [16.0, 2.0]
    assert values(ds, "variance") == [80.0, 6.0]


def test_where_the_flat_is_not_positive_a_pixel_is_nan_and_faulty():
    flat = master([0.0, -1.0, np.nan, np.inf, 1.0], [0.1] * 5, units="1")
    frames = frame_set([5.0] * 5, variance=[1.0] * 5)
    ds = aw.divide_flat(aw.subtract_bias(frames, master([0.0] * 5, [1.0] * 5)), flat, **F8)
    assert np.isnan(ds["image"].values.ravel()[:4]).all()
    assert np.isnan(ds["variance"].values.ravel()[:4]).all()
    assert values(ds, "mask")[:4] == [1, 1, 1, 1]
    assert values(ds, "mask")[4] == 0
    assert values(ds)[4] == 5.0


def test_a_flat_without_any_light_leaves_nothing():
    ds = frame_set([6.0, 9.0], variance=1.0, camera=Camera(saturation=50_000))
    dark = aw.divide_flat(ds, master([0.0, 0.0], [0.0, 0.0], units="1"))
    assert np.isnan(dark["image"]).all()
    assert values(dark, "mask") == [Flag.FAULT] * 2
    assert dark.autowisp.camera.saturation is None


def test_where_no_light_reaches_the_flat_a_pixel_is_nan_and_faulty():
    """Below a twentieth of the mean, or three errors; a vignetted corner is far from either."""
    flat = master(
        [0.049, 0.051, 0.2, 0.2, np.inf, 1.0],
        np.square([1e-4, 1e-4, 0.068, 0.065, 0.01, np.nan]),
        units="1",
    )
    frames = frame_set([5.0] * 6, variance=[1.0] * 6)
    ds = aw.divide_flat(frames, flat)
    # the last flat has no error, which is another fault
    assert values(ds, "mask") == [1, 0, 1, 0, 1, 1]
    assert np.isnan(ds["image"].values.ravel()).tolist() == [True, False, True, False, True, False]
    lazy = aw.divide_flat(frames.chunk(x=2), flat.chunk(x=3))
    assert_frames_equal(lazy, ds)
    once = aw.calibrate(frames.drop_vars("variance"), flat=flat, camera=KNOWN)
    assert values(once, "mask") == values(ds, "mask")


def test_the_floor_of_a_flat_can_be_moved_and_is_remembered():
    flat, frames = master([0.01, 0.3, 1.0], [0.1] * 3, units="1"), frame_set([5.0] * 3)
    assert values(aw.divide_flat(frames, flat, min_flat=0), "mask") == [0, 0, 0]
    high = aw.divide_flat(frames, master([0.01, 0.3, 1.0], units="1"), min_flat=0.4)
    assert values(high, "mask") == [1, 1, 0]
    assert provenance.history(high)[-1]["options"]["min_flat"] == 0.4
    for wrong in (-0.1, 1.0, np.nan):
        with pytest.raises(ValueError, match="min_flat is a share of the mean of a flat"):
            aw.divide_flat(frames, flat, min_flat=wrong)
        with pytest.raises(ValueError, match="min_flat is a share of the mean of a flat"):
            aw.calibrate(frames, flat=flat, min_flat=wrong, camera=KNOWN)


def test_a_flat_in_adu_is_refused():
    with pytest.raises(aw.MasterMismatchError, match=r"in units of 'adu', not '1'.*mean"):
        aw.divide_flat(frame_set([1.0]), master([1.0]))


def test_a_flat_of_another_filter_is_refused_and_can_be_allowed():
    frames, flat = frame_set([2.0], filter="V"), master([1.0], units="1", filter="R")
    with pytest.raises(aw.MasterMismatchError, match=r"of the filter R, not V.*allow_mismatch"):
        aw.divide_flat(frames, flat)
    assert values(aw.divide_flat(frames, flat, allow_mismatch=["filter"])) == [2.0]
    # a bias does not care, and an unknown filter is no mismatch
    aw.subtract_bias(frames, master([1.0], filter="R"))
    aw.divide_flat(frames, master([1.0], units="1", filter=""))
    aw.divide_flat(frame_set([2.0], filter=""), flat)


def test_a_filter_of_a_longer_name_is_another_filter():
    frames = frame_set([2.0], filter="Visual")
    flat = master([1.0], units="1").assign_coords(filter="V")  # NumPy's string of one letter
    with pytest.raises(aw.MasterMismatchError, match="filter V, not Visual"):
        aw.divide_flat(frames, flat)


# ---------------------------------------------------------------------- masters that do not fit


def steps(frames, fault):
    yield aw.subtract_bias, frames, fault(master(np.ones((5, 7))))
    yield aw.subtract_dark, frames, fault(master(np.ones((5, 7))))
    yield aw.divide_flat, frames, fault(master(np.ones((5, 7)), units="1"))


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (lambda ds: ds.isel(x=slice(5)), r"5 along 'x' \(raw pixels 0 to 4\), .*7 along 'x'"),
        (lambda ds: ds.isel(y=slice(1, 4)), r"3 along 'y' \(raw pixels 1 to 3\) .*5 along 'y'"),
        (lambda ds: ds.assign_coords(y=ds["y"] + 2), r"raw pixels 2 to 6.*raw pixels 0 to 4"),
        (lambda ds: ds.assign_coords(channel=["R"]), r"channels \['R'\], the frames have \['mono'"),
        (
            lambda ds: ds.assign(image=ds["image"].assign_attrs(units="electron")),
            "units of 'electron', not '(adu|1)'",
        ),
        (
            lambda ds: ds.assign_coords(gain_setting=200.0),
            "gain setting 200, not 100",
        ),
    ],
)
def test_a_master_that_does_not_fit_is_refused_with_both_values(fault, text):
    frames = frame_set(np.ones((5, 7))).assign_coords(gain_setting=("frame", [100.0]))
    for verb, ds, wrong in steps(frames, fault):
        with pytest.raises(aw.MasterMismatchError, match=text):
            verb(ds, wrong)


def test_another_gain_setting_can_be_allowed_and_an_unknown_one_is_none():
    frames = frame_set([3.0]).assign_coords(gain_setting=("frame", [100.0]))
    bias = master([1.0]).assign_coords(gain_setting=200.0)
    assert values(aw.subtract_bias(frames, bias, allow_mismatch=["gain"])) == [2.0]
    aw.subtract_bias(frames, bias.assign_coords(gain_setting=np.nan))
    aw.subtract_bias(frames.assign_coords(gain_setting=("frame", [np.nan])), bias)


def test_another_binning_is_refused_unless_it_is_allowed():
    frames = frame_set([3.0]).assign_coords(binning=("frame", text("1x1")))
    bias = master([1.0]).assign_coords(binning="2x2")
    with pytest.raises(aw.MasterMismatchError, match="binning 2x2, not 1x1"):
        aw.subtract_bias(frames, bias)
    assert values(aw.subtract_bias(frames, bias, allow_mismatch="binning")) == [2.0]
    assert values(aw.subtract_bias(frames, bias.assign_coords(binning=""))) == [2.0]


def test_a_misspelt_mismatch_is_refused():
    with pytest.raises(ValueError, match=r"no mismatch of filters .*binning, camera"):
        aw.subtract_bias(frame_set([3.0]), master([1.0]), allow_mismatch=["filters"])


def test_channels_of_the_master_are_matched_by_name():
    camera = Camera(channels=TWO_CHANNELS)
    frames = frame_set(np.array([10.0, 20.0]).reshape(2, 1, 1), camera=camera)
    bias = master(np.array([1.0, 2.0]).reshape(2, 1, 1), camera=camera)
    assert values(aw.subtract_bias(frames, bias.isel(channel=[1, 0]))) == [9.0, 18.0]
    assert values(aw.subtract_bias(frames.isel(channel=[1]), bias)) == [18.0]
    with pytest.raises(aw.MasterMismatchError, match=r"channels \['A'\].*have \['A', 'B'\]"):
        aw.subtract_bias(frames, bias.isel(channel=[0]))


def test_a_master_that_was_opened_has_one_frame_and_two_are_refused():
    one = frame_set([1.0], kind="bias")
    assert values(aw.subtract_bias(frame_set([3.0]), one)) == [2.0]
    with pytest.raises(aw.SchemaError, match="the master bias is not a master"):
        aw.subtract_bias(frame_set([3.0]), frame_set(np.ones((2, 1, 1, 1)), kind="bias"))


def test_a_dataset_that_is_no_frame_set_is_refused():
    with pytest.raises(aw.SchemaError, match="it is a DataArray"):
        aw.divide_flat(frame_set([1.0])["image"], master([1.0], units="1"))


def test_masters_are_recorded_by_their_identity():
    bias = master([1.0])
    record = aw.subtract_bias(frame_set([3.0]), bias).autowisp.history()[-1]
    assert record["masters"] == {"bias": provenance.identity(bias)}
    assert json.dumps(record)


def test_one_name_is_allowed_like_a_list_of_one():
    sky = aw.simulate.Night(shape=(6, 8), overscan=0, seed=1, gain_setting=100)
    other = aw.simulate.Night(shape=(6, 8), overscan=0, seed=1, gain_setting=200)
    bias = aw.master_bias(other.bias(2))
    for given in ("gain", ["gain"], {"gain"}):
        assert aw.calibrate(sky.objects(1), bias=bias, allow_mismatch=given).sizes["frame"] == 1
    with pytest.raises(ValueError, match=r"no mismatch of gian"):
        aw.calibrate(sky.objects(1), allow_mismatch="gian")


@pytest.mark.parametrize("dtype", [">u2", ">f4", "f2"])
def test_pixels_in_any_byte_order_and_of_half_precision_are_calibrated(dtype):
    camera = Camera(gain=1.0, read_noise=1.0)
    pixels = np.array([[100, 90, 12]])
    plain = aw.calibrate(frame_set(pixels.astype("f4"), camera=camera))
    xr.testing.assert_equal(
        aw.calibrate(frame_set(pixels.astype(dtype), camera=camera)).drop_vars("mask"),
        plain.drop_vars("mask"),
    )
