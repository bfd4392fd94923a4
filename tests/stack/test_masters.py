"""Masters of bias, dark and flat frames."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, Overscan, SigmaClip, provenance
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import TWO_CHANNELS, frame_set, master

F8 = {"dtype": "float64"}
KNOWN = Camera(gain=2.0, read_noise=8.0)
SHAPE = (5, 2, 5, 7)
NIGHT = aw.simulate.Night(shape=(6, 8), overscan=0, seed=1)
LEVEL_KNOWN = replace(NIGHT.camera, bias_level=100.0)


def values(ds, name="image"):
    return ds[name].values.ravel().tolist()


def columns(*frames, **options):
    """Frames of a row of pixels."""
    return frame_set(np.array(frames)[:, None, None, :], **options)


# ---------------------------------------------------------------------- master_bias


def test_a_master_bias_is_a_mean_with_read_noise():
    raw = columns([100, 10], [103, 11], [106, 12], camera=KNOWN, kind="bias")
    ds = aw.master_bias(raw, **F8)
    assert values(ds) == [103.0, 11.0]
    # read noise alone, whatever the pedestal
    np.testing.assert_allclose(values(ds, "variance"), 16 / 3, rtol=1e-12)
    assert values(ds, "count") == [3, 3]
    median = aw.master_bias(raw, average="median", **F8)
    np.testing.assert_allclose(values(median, "variance"), 1.3460 * 16 / 3, rtol=1e-4)


def test_without_a_known_camera_the_variance_is_that_of_the_scatter():
    raw = columns([1.0, 5.0], [3.0, 5.0], kind="bias")
    ds = aw.master_bias(raw, average="mean", **F8)
    assert values(ds, "variance") == [1.0, 0.0]
    assert ds.autowisp.history()[-1]["options"]["error"] == "scatter"


def test_a_master_of_one_frame_that_nobody_knows_the_noise_of_is_flagged_unless_that_is_allowed():
    raw = columns([100.0, 10.0], kind="bias")
    with pytest.warns(aw.AutowispWarning, match="one frame .* every pixel is flagged FAULT"):
        ds = aw.master_bias(raw)
    assert values(ds) == [100.0, 10.0]
    assert values(ds, "mask") == [Flag.FAULT] * 2
    allowed = aw.master_bias(raw, noise="if known")
    assert np.isnan(values(allowed, "variance")).all()
    assert values(allowed, "mask") == [0, 0]
    assert values(aw.master_bias(raw, camera=KNOWN), "mask") == [0, 0]
    with pytest.raises(ValueError, match="noise is one of required, if known, not 'maybe'"):
        aw.master_bias(raw, noise="maybe")


def test_a_hot_pixel_that_saturates_in_some_darks_is_flagged_and_a_cosmic_ray_is_not():
    pixels = np.full((6, 2), 100)
    pixels[:, 0] = [65535, 65100, 65535, 65535, 65000, 65300]
    pixels[2, 1] = 65535
    ds = aw.master_dark(frame_set(pixels[:, None, None].astype("u2"), kind="dark"))
    assert values(ds, "mask") == [Flag.OVERSATURATED, 0]
    assert values(ds, "count") == [3, 5]


def test_bias_level_overscan_and_area_are_seen_to():
    camera = Camera(
        bias_level=2.0, image_area="[2:3,1:1]", overscan="[1:1,1:1]", gain=1.0, read_noise=1.0
    )
    raw = columns([10.0, 14.0, 15.0], [20.0, 24.0, 25.0], kind="bias")
    with pytest.raises(aw.ConvergenceError, match="min_pixels is 100"):
        aw.master_bias(raw, camera=camera)
    without = aw.master_bias(raw, camera=camera, overscan=False, average="mean")
    assert values(without) == [17.0, 18.0]
    assert without["x"].values.tolist() == [1, 2]
    wide = frame_set(np.array([[[10.0, 14, 15]] * 2, [[20.0, 24, 25]] * 2])[:, None], kind="bias")
    two = Camera(image_area="[2:3,1:2]", overscan="[1:1,1:2]")
    level = aw.master_bias(wide, camera=two, overscan=Overscan(min_pixels=2))
    assert values(level) == [4.0, 5.0, 4.0, 5.0]


@pytest.mark.parametrize("number", [3, 4, 5, 9, 10, 11])
def test_a_cosmic_ray_in_one_of_few_frames_is_rejected(number, rng):
    biases = rng.normal(1000, 2, (number, 1, 20, 30)).round().astype("u2")
    clean = aw.master_bias(frame_set(biases, kind="bias"))
    assert (clean["count"] == number).all()
    biases[1, 0, 3, 4] += 60
    hit = aw.master_bias(frame_set(biases, kind="bias"), rejected=True)
    assert hit["rejected_high"].values[0, 3, 4] == 1
    assert int(hit["rejected_high"].sum() + hit["rejected_low"].sum()) == 1
    others = np.delete(biases[:, 0, 3, 4], 1).mean()
    assert hit["image"].values[0, 3, 4] == pytest.approx(others, rel=1e-6)
    options = hit.autowisp.history()[-1]["options"]
    assert options["average"] == "mean"
    assert options["reject"] == {
        "type": "SigmaClip",
        "threshold": 5,
        "scale": "mad",
        "max_iter": None,
        "about": "median",
        "floor": "noise",
    }


def test_average_and_rejection_that_were_chosen_are_taken():
    frames = [[100.0 + i % 3] for i in range(9)]
    raw = columns(*frames, [1e5], kind="bias")
    assert values(aw.master_bias(raw), "count") == [9]
    assert values(aw.master_bias(raw, average="median"), "count") == [9]
    assert values(aw.master_bias(raw, reject=None), "count") == [10]
    assert values(aw.master_bias(raw, reject=SigmaClip(2)), "count") == [9]
    few = columns(*frames[:8], [1e5], kind="bias")
    # the median of few frames is robust, and cannot spare any
    assert values(aw.master_bias(few, average="median"), "count") == [9]


def test_flats_are_averaged_from_ten_frames_on(rng):
    flats = frame_set(rng.normal(9000, 60, (10, 1, 6, 8)), camera=KNOWN, kind="flat")
    for number, average in {9: "median", 10: "mean"}.items():
        flat = aw.master_flat(flats.isel(frame=slice(number))).high
        options = flat.autowisp.history()[-1]["options"]
        assert options["average"] == average
        assert (options["reject"] is None) == (number == 9)


def test_calibrated_frames_are_taken_as_they_are():
    frames = columns([1.0], [3.0], variance=[[[2.0]]], kind="bias")
    camera = Camera(gain=1.0, read_noise=100.0, bias_level=50.0)
    assert_frames_equal(
        aw.master_bias(frames, camera=camera, average="mean"), aw.stack(frames, "mean")
    )


def test_raw_frames_that_are_calibrated_first_give_the_same(rng):
    camera = Camera(channels=TWO_CHANNELS, gain=1.5, read_noise=5.0)
    raw = frame_set(rng.integers(90, 110, SHAPE).astype("u2"), camera=camera, kind="bias")
    first = aw.master_bias(aw.calibrate(raw, photons="none", **F8), **F8)
    assert_frames_equal(aw.master_bias(raw, **F8), first)


def test_masters_of_several_types_are_refused():
    raw = columns([1.0], [3.0]).assign_coords(image_type=("frame", ["bias", "dark"]))
    for verb in (aw.master_bias, aw.master_dark):
        with pytest.raises(aw.ImageMismatchError, match="types bias, dark"):
            verb(raw)


@pytest.mark.parametrize(
    ("make", "frames", "kind"),
    [
        (aw.master_bias, "dark", "bias"),
        (aw.master_dark, "objects", "dark"),
        (aw.master_dark, "flat", "dark"),
        (aw.master_flat, "dark", "flat"),
    ],
)
def test_frames_of_another_type_make_no_master_unless_that_is_allowed(make, frames, kind):
    frames = getattr(NIGHT, frames)(3)
    with pytest.raises(aw.ImageMismatchError, match=f"make no master {kind}.*'image_type'"):
        make(frames, camera=LEVEL_KNOWN)
    master = make(frames, camera=LEVEL_KNOWN, allow_mismatch="image_type")
    assert str(getattr(master, "high", master)["image_type"].values) == kind


def test_the_sky_of_lights_makes_a_flat_which_is_one():
    lights = columns([110.0, 90.0], [112.0, 88.0], camera=KNOWN, kind="object")
    sky = aw.master_flat(lights).high
    assert str(sky["image_type"].values) == "flat"
    np.testing.assert_allclose(aw.calibrate(lights, flat=sky)["image"].mean(), 100, rtol=1e-3)


def test_misspelt_options_are_refused():
    with pytest.raises(TypeError, match="rejct"):
        aw.master_bias(columns([1.0], [2.0], kind="bias"), rejct=None)


# ---------------------------------------------------------------------- master_dark


def test_a_master_dark_by_hand():
    raw = columns([110.0, 90.0], [114.0, 92.0], camera=KNOWN, kind="dark")
    bias = master([100.0, 101.0], [1.0, 2.0])
    ds = aw.master_dark(raw, bias=bias, average="mean", **F8)
    assert values(ds) == [12.0, -10.0]
    # max(I, 0) / 2 + 16 each, the mean of two, and the bias once
    assert values(ds, "variance") == [((5 + 16) + (7 + 16)) / 4 + 1, 32 / 4 + 2]
    assert values(ds, "shared_variance") == [1.0, 2.0]


def test_a_flag_of_the_bias_is_in_every_dark_so_that_nothing_is_left_unless_it_is_let_in():
    raw = columns([110.0, 90.0], [114.0, 92.0], camera=KNOWN, kind="dark")
    bias = master([100.0, 101.0], mask=[0, Flag.COSMIC])
    none = aw.master_dark(raw, bias=bias)
    assert np.isnan(values(none)[1])
    assert values(none, "mask") == [0, Flag.COSMIC | Flag.FAULT]
    some = aw.master_dark(raw, bias=bias, exclude="FAULT")
    assert values(some) == [12.0, -10.0]
    assert values(some, "mask") == [0, Flag.COSMIC]


def test_masters_hand_on_what_informs_of_a_pixel_and_keep_its_value():
    bits = [Flag.HOT, Flag.NONLINEAR]
    raw = columns([110.0, 90.0], [114.0, 92.0], camera=KNOWN, kind="dark")
    bias = master([10.0, 11.0], mask=bits)
    dark = aw.master_dark(raw, bias=bias)
    flat = aw.master_flat(columns([90.0, 80.0], camera=KNOWN, kind="flat"), bias=bias).high
    for made in (dark, flat):
        assert values(made, "mask") == bits
        assert np.isfinite(values(made)).all()
    lights = columns([900.0, 900.0], camera=KNOWN, kind="object")
    clean = bias.assign(mask=0 * bias["mask"])
    for given in ({"bias": bias}, {"bias": clean, "dark": dark}, {"bias": clean, "flat": flat}):
        one = aw.calibrate(lights, **given, allow_mismatch=("exposure",))
        assert values(one, "mask") == bits


def test_without_a_bias_photon_noise_would_be_made_up():
    raw = columns([110.0], [114.0], camera=KNOWN, kind="dark")
    ds = aw.master_dark(raw, average="mean", **F8)
    assert values(ds) == [112.0]
    assert values(ds, "variance") == [4.0]  # from the scatter


def test_the_bias_in_a_dark_is_remembered():
    raw = columns([110.0], [114.0], camera=KNOWN, kind="dark")
    bias = aw.master_bias(columns([1.0], [2.0], camera=KNOWN, kind="bias"))
    dark = aw.master_dark(raw, bias=bias)
    assert provenance.identity(bias) in provenance.identities(dark)
    assert [step["verb"] for step in dark.autowisp.history()] == ["calibrate", "stack"]


def test_a_bias_of_another_place_is_refused():
    raw = columns([110.0, 1.0], camera=KNOWN, kind="dark")
    with pytest.raises(aw.MasterMismatchError, match="the master bias covers"):
        aw.master_dark(raw, bias=master([1.0, 2.0], corner=(0, 3)))


def test_a_dark_keeps_its_exposure():
    raw = columns([110.0], [114.0], camera=KNOWN, kind="dark", exposure=30.0)
    assert float(aw.master_dark(raw)["exposure"]) == 30.0


# ---------------------------------------------------------------------- master_flat


def test_a_master_flat_by_hand():
    raw = columns([50.0, 100.0, 150.0], [200.0, 400.0, 600.0], camera=KNOWN, kind="flat")
    flats = aw.master_flat(raw, average="mean", **F8)
    assert values(flats.high) == [0.5, 1.0, 1.5]
    # each frame: (I / 2 + 16) / mean^2, and of the two a mean
    expected = [
        ((25 + 16) / 1e4 + (100 + 16) / 16e4) / 4,
        ((50 + 16) / 1e4 + (200 + 16) / 16e4) / 4,
        ((75 + 16) / 1e4 + (300 + 16) / 16e4) / 4,
    ]
    np.testing.assert_allclose(values(flats.high, "variance"), expected, rtol=1e-14)
    assert flats.high["image"].attrs["units"] == "1"
    assert flats.high["variance"].attrs["units"] == "1"
    assert flats.low is None
    assert flats.frames["class"].values.tolist() == ["high", "high"]
    assert flats.frames["mean"].values.tolist() == [[100.0], [400.0]]
    assert flats.frames["mean"].attrs["units"] == "adu"
    assert all(flats.frames["reason"].values)


def test_each_channel_has_a_mean_of_one(rng):
    image = rng.uniform(900, 1100, SHAPE) * np.array([1.0, 3.0])[:, None, None]
    camera = Camera(channels=TWO_CHANNELS, gain=2.0, read_noise=8.0)
    flat = aw.master_flat(frame_set(image, camera=camera, kind="flat"), average="mean", **F8).high
    np.testing.assert_allclose(flat["image"].mean(["y", "x"]), [1.0, 1.0], rtol=1e-12)


def test_masked_pixels_take_no_part_in_the_mean():
    raw = columns([50.0, 150.0, 60000.0], camera=Camera(gain=2.0, read_noise=8.0, saturation=5e4))
    flat = aw.master_flat(raw, **F8)
    assert flat.frames["mean"].values.tolist() == [[100.0]]
    assert values(flat.high)[:2] == [0.5, 1.5]
    assert np.isnan(values(flat.high)[2])
    assert values(flat.high, "mask") == [0, 0, Flag.FAULT | Flag.OVERSATURATED]


def test_a_frame_without_light_takes_no_part():
    raw = columns([50.0, 150.0], [-1.0, -3.0], [100.0, 300.0], camera=KNOWN, kind="flat")
    flats = aw.master_flat(raw, average="mean", **F8)
    assert np.isnan(flats.frames["mean"].values[1, 0])
    assert values(flats.high) == [0.5, 1.5]
    assert values(flats.high, "count") == [2, 2]


def test_that_no_frame_takes_part_is_reported():
    flats = NIGHT.flat(2)
    saturated = flats.assign(image=xr.full_like(flats["image"], 65535))
    with pytest.warns(aw.AutowispWarning, match="no high master flat: none of the frames .*flag"):
        flats = aw.master_flat(saturated, camera=LEVEL_KNOWN)
    assert np.isnan(flats.high["image"]).all()


def test_bias_and_dark_are_subtracted_and_their_noise_is_scaled():
    raw = columns([70.0, 170.0], [220.0, 620.0], camera=KNOWN, kind="flat", exposure=[5.0, 5.0])
    bias, dark = master([10.0, 10.0], [4.0, 4.0]), master([20.0, 20.0], [8.0, 8.0], exposure=10.0)
    with pytest.raises(aw.MasterMismatchError, match="exposed 10 s, frame 'flat-0' 5 s"):
        aw.master_flat(raw, bias=bias, dark=dark)
    high = aw.master_flat(raw, bias=bias, dark=dark, scale_dark="down", average="mean", **F8).high
    # 50 and 150, 200 and 600
    assert values(high) == [0.5, 1.5]
    amplitude = np.sqrt(4.0 + 8.0 / 4) * (1 / 100 + 1 / 400) / 2
    np.testing.assert_allclose(values(high, "shared_variance"), amplitude**2, rtol=1e-12)
    allowed = aw.master_flat(raw, bias=bias, dark=dark, allow_mismatch=["exposure"], average="mean")
    assert values(allowed.high) != values(high)


def test_calibrated_flats_are_taken_as_they_are(rng):
    raw = frame_set(rng.uniform(900, 1100, (3, 1, 5, 7)), camera=KNOWN, kind="flat")
    first = aw.calibrate(raw, **F8)
    assert_frames_equal(aw.master_flat(first, **F8).high, aw.master_flat(raw, **F8).high)


def test_flats_of_an_unknown_camera_are_refused():
    with pytest.raises(aw.CalibrationError, match="gain and the read noise"):
        aw.master_flat(columns([50.0], kind="flat"))


def test_a_flat_divides_out_the_response(rng):
    response = rng.uniform(0.5, 1.5, (5, 7))
    response /= response.mean()
    raw = frame_set(np.stack([1000 * response, 3000 * response])[:, None], camera=KNOWN)
    flat = aw.master_flat(raw, **F8).high
    science = aw.calibrate(frame_set(500 * response, camera=KNOWN), flat=flat, **F8)
    np.testing.assert_allclose(science["image"], 500.0, rtol=1e-12)


def test_darks_of_several_exposures_and_flats_of_several_filters_make_no_master():
    sky = aw.simulate.Night(shape=(4, 6), overscan=0, seed=1)
    how = {"dim": "frame", "data_vars": "minimal", "coords": "minimal", "compat": "override"}
    darks = xr.concat([sky.dark(2), sky.dark(1, exposure=5, start=8)], **how)
    with pytest.raises(aw.ImageMismatchError, match=r"exposures .*: 2 of 60.0, 1 of 5.0; select"):
        aw.master_dark(darks)
    flats = xr.concat([sky.flat(1), sky.flat(1, filter="R", start=8)], **how)
    with pytest.raises(aw.ImageMismatchError, match=r"filters .*: 1 of V, 1 of R; select"):
        aw.master_flat(flats)


@pytest.mark.parametrize("kind", ["bias", "dark"])
def test_frames_without_light_in_memory_that_are_cut_off_are_reported(kind):
    make = {"bias": aw.master_bias, "dark": aw.master_dark}[kind]
    rng = np.random.default_rng(8)
    dark = np.clip(rng.normal(3, 6, (3, 1, 40, 50)).round(), 0, None).astype("u2")
    raw = frame_set(dark, kind=kind)
    share = 100 * (dark == 0).mean(axis=(1, 2, 3)).max()
    with pytest.warns(aw.AutowispWarning, match=rf"cut off at 0 ADU \(up to {share:.3g} %"):
        make(raw)
    # what is not in memory is not read for that
    make(raw.chunk(frame=1))
    make(frame_set(rng.normal(100, 6, (3, 1, 40, 50)).round(), kind=kind))
