"""``calibrate``: by hand, as the composition of its steps, and with what it refuses."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, Overscan
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import TWO_CHANNELS, frame_set, master

KNOWN = Camera(gain=2.0, read_noise=8.0)
F8 = {"dtype": "float64"}


def values(ds, name="image"):
    return ds[name].values.ravel().tolist()


def test_three_pixels_by_hand():
    camera = Camera(gain=2.0, read_noise=8.0, bias_level=10.0, saturation=500.0)
    raw = frame_set(np.array([110, 20, 600], "u2"), camera=camera, exposure=30.0)
    bias = master([4.0, 16.0, 5.0], [1.0, 1.0, 1.0])
    dark = master([8.0, 4.0, 2.0], [2.0, 2.0, 2.0], [0, Flag.HOT, 0], exposure=60.0)
    flat = master([0.5, 1.0, 2.0], [0.01, 0.01, 0.01], units="1")
    ds = aw.calibrate(
        raw,
        bias=bias,
        dark=dark,
        flat=flat,
        masks=np.array([[64, 0, 0]], "u1"),
        scale_dark="down",
        **F8,
    )
    # raw - 10 - bias, then minus half the dark, over the flat
    before = np.array([96.0, -6.0, 585.0])
    image = np.array([96 - 4, -6 - 2, 585 - 1]) / [0.5, 1.0, 2.0]
    own = np.maximum(before, 0) / 2 + 16 + 1 + 0.25 * 2
    variance = own / [0.25, 1.0, 4.0] + 0.01 / np.array([0.25, 1.0, 4.0]) * image**2
    np.testing.assert_allclose(values(ds), image, rtol=1e-15)
    np.testing.assert_allclose(values(ds, "variance"), variance, rtol=1e-14)
    np.testing.assert_allclose(values(ds, "shared_variance"), 1.5 / np.array([0.25, 1.0, 4.0]))
    assert values(ds, "mask") == [64, Flag.HOT, Flag.OVERSATURATED]


@pytest.fixture
def no_leaks(camera):
    return Camera(
        **{
            name: getattr(camera, name)
            for name in ("channels", "gain", "read_noise", "saturation", "bias_level", "overscan")
        },
        image_area=camera.image_area,
    )


@pytest.mark.parametrize("parts", ["bias dark flat", "bias dark", "flat", "dark flat", "bias", ""])
@pytest.mark.parametrize("overscan", [Overscan(min_pixels=3), False])
@pytest.mark.parametrize("leaks", [True, False])
def test_calibrate_is_the_composition_of_its_steps(
    parts, overscan, leaks, raw, masters, camera, no_leaks
):
    camera = camera if leaks else no_leaks
    area = camera.image_area
    given = {name: aw.trim(masters[name], area) for name in parts.split()}
    mask = aw.trim(masters["bias"], area)
    ds = aw.calibrate(
        raw, **given, masks=mask, overscan=overscan, camera=camera, scale_dark="any", **F8
    )

    expected = aw.subtract_bias_level(raw, camera=camera, **F8)
    level = expected
    if overscan:
        level = aw.subtract_overscan(level, overscan, camera=camera, **F8)
    # saturation is a matter of the level before the overscan; the trimmed frame alone leaks
    flags = aw.flag_saturated(aw.trim(expected, area), camera=camera, **F8)
    expected = aw.trim(level, area).assign(mask=flags["mask"])
    if "bias" in given:
        expected = aw.subtract_bias(expected, given["bias"], **F8)
    expected = aw.add_noise(expected, camera=camera, **F8)
    if "dark" in given:
        expected = aw.subtract_dark(expected, given["dark"], scale_dark="any", **F8)
    if "flat" in given:
        expected = aw.divide_flat(expected, given["flat"], **F8)
    expected = aw.apply_masks(expected, mask, **F8)

    assert set(ds.data_vars) == set(expected.data_vars)
    np.testing.assert_array_equal(ds["mask"], expected["mask"])
    for name in set(ds.data_vars) - {"mask"}:
        np.testing.assert_allclose(ds[name], expected[name], rtol=1e-12, atol=1e-12, err_msg=name)
    assert_frames_equal(ds, expected, ignore=set(ds.data_vars))


def test_with_one_exposure_the_composition_holds_too(raw, masters, camera):
    raw = raw.assign_coords(exposure=("frame", np.full(3, 45.0)))
    given = {name: aw.trim(ds, camera.image_area) for name, ds in masters.items()}
    ds = aw.calibrate(raw, **given, overscan=False, scale_dark="down", **F8)
    assert ds["shared_variance"].dims == ("channel", "y", "x")
    one = aw.add_noise(
        aw.subtract_bias(aw.trim(aw.subtract_bias_level(raw, **F8)), given["bias"], **F8), **F8
    )
    two = aw.subtract_dark(one, given["dark"], scale_dark="down", **F8)
    three = aw.divide_flat(two, given["flat"], **F8)
    for name in ("image", "variance", "shared_variance", "shared_relative_variance"):
        np.testing.assert_allclose(ds[name], three[name], rtol=1e-12, err_msg=name)


def test_float32_is_the_float64_result_rounded_once(raw, masters, camera):
    given = {name: aw.trim(ds, camera.image_area) for name, ds in masters.items()}
    options = {**given, "overscan": False, "scale_dark": "any"}
    double = aw.calibrate(raw, **options, **F8)
    single = aw.calibrate(raw, **options)
    np.testing.assert_array_equal(single["image"], double["image"].astype("f4"))
    np.testing.assert_allclose(single["variance"], double["variance"], rtol=3e-7)


def bias_and_darks(rng):
    """A bias, a dark made with it, and one made with another bias of the same numbers."""
    shape = (2, 2, 3)
    camera = Camera(channels=TWO_CHANNELS, gain=2.0, read_noise=8.0)
    biases = frame_set(rng.normal(100, 3, (5, *shape)).astype("f4"), camera=camera, kind="bias")
    darks = frame_set(rng.normal(150, 3, (6, *shape)).astype("f4"), camera=camera, kind="dark")
    bias = aw.master_bias(biases, **F8)
    other = aw.master_bias(biases.assign_coords(frame=[f"other-{i}" for i in range(5)]), **F8)
    frames = frame_set(rng.normal(400, 3, (2, *shape)).astype("f4"), camera=camera)
    return frames, bias, aw.master_dark(darks, bias=bias, **F8), other


def test_a_dark_made_with_the_same_bias_cancels_its_noise(rng):
    frames, bias, dark, other = bias_and_darks(rng)
    np.testing.assert_allclose(dark["shared_variance"], bias["variance"])
    same = aw.calibrate(frames, bias=bias, dark=dark, **F8)
    np.testing.assert_allclose(same["shared_variance"], dark["variance"] - bias["variance"])
    another = aw.calibrate(frames, bias=other, dark=dark, **F8)
    np.testing.assert_allclose(another["shared_variance"], dark["variance"] + bias["variance"])
    np.testing.assert_array_equal(another["image"], same["image"])
    excess = another["variance"] - same["variance"]
    np.testing.assert_allclose(excess, (2 * bias["variance"]).broadcast_like(excess), rtol=1e-9)


def test_a_subset_of_channels_is_calibrated_as_in_the_whole(rng):
    frames, bias, _, _ = bias_and_darks(rng)
    flat = master(
        np.full((2, 2, 3), 1.25), np.full((2, 2, 3), 1e-4), camera=frames.autowisp.camera, units="1"
    )
    whole = aw.calibrate(frames, bias=bias, flat=flat, **F8)
    part = aw.calibrate(frames.isel(channel=[1]), bias=bias, flat=flat, **F8)
    assert_frames_equal(part, whole.isel(channel=[1]))


def test_the_noise_of_the_bias_cancels_in_a_subset_of_channels_too(rng):
    frames, bias, dark, _ = bias_and_darks(rng)
    whole = aw.calibrate(frames, bias=bias, dark=dark, **F8)
    part = aw.calibrate(frames.isel(channel=[1]), bias=bias, dark=dark, **F8)
    assert_frames_equal(part, whole.isel(channel=[1]))


def test_the_noise_of_the_bias_cancels_in_a_crop_too(rng):
    frames, bias, dark, _ = bias_and_darks(rng)
    whole = aw.calibrate(frames, bias=bias, dark=dark, **F8)
    left = {"x": slice(2)}
    part = aw.calibrate(frames.isel(left), bias=bias.isel(left), dark=dark.isel(left), **F8)
    assert_frames_equal(part, whole.isel(left))


@pytest.mark.parametrize(("scale", "exposure"), [("down", 20.0), ("any", 20.0), ("any", 240.0)])
def test_a_scaled_dark_shares_a_part_of_the_bias(rng, scale, exposure):
    frames, bias, dark, other = bias_and_darks(rng)
    frames = frames.assign_coords(exposure=("frame", [exposure] * 2))
    k = exposure / 60
    b, d = bias["variance"], dark["variance"]
    same = aw.calibrate(frames, bias=bias, dark=dark, scale_dark=scale, **F8)
    np.testing.assert_allclose(
        same["shared_variance"], b + k**2 * (d - b) + ((1 - k) ** 2 - 1) * b, rtol=1e-12
    )
    another = aw.calibrate(frames, bias=other, dark=dark, scale_dark=scale, **F8)
    np.testing.assert_allclose(another["shared_variance"], b + k**2 * d, rtol=1e-12)
    image = frames["image"].values - bias["image"].values - k * dark["image"].values
    np.testing.assert_allclose(same["image"], image, rtol=1e-12)


def test_an_unscaled_dark_wants_the_same_exposure(rng):
    frames, bias, dark, _ = bias_and_darks(rng)
    frames = frames.assign_coords(exposure=("frame", [60.0, 61.0]))
    with pytest.raises(aw.MasterMismatchError, match="exposed 60 s, frame 'object-1' 61 s"):
        aw.calibrate(frames, bias=bias, dark=dark)
    allowed = aw.calibrate(frames, bias=bias, dark=dark, allow_mismatch=["exposure"], **F8)
    assert allowed.autowisp.history()[-1]["options"]["allow_mismatch"] == ["exposure"]


def test_where_a_flat_is_nan_negative_or_zero_a_pixel_is_lost_and_no_other():
    flat = master([np.nan, -0.5, 0.0, 1.0], [0.1] * 4, units="1")
    ds = aw.calibrate(frame_set([50.0] * 4, camera=KNOWN), flat=flat)
    np.testing.assert_array_equal(ds["image"].values.ravel(), [np.nan, np.nan, np.nan, 50.0])
    assert np.isnan(values(ds, "variance")[:3]).all()
    assert np.isfinite(values(ds, "variance")[3])
    assert values(ds, "mask") == [1, 1, 1, 0]


@pytest.mark.parametrize("name", ["bias", "dark", "flat"])
@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (lambda ds: ds.isel(y=slice(3)), r"3 along 'y' .*, the frames cover 4 along 'y'"),
        (lambda ds: ds.assign_coords(x=ds["x"] - 1), "raw pixels 1 to 9.*raw pixels 2 to 10"),
        (lambda ds: ds.isel(channel=[0]), r"the channels \['A'\], the frames have \['A', 'B'\]"),
        (
            lambda ds: ds.assign_coords(x_offset=("channel", [1, 0])),
            "the master .* covers",
        ),
        (
            lambda ds: ds.assign(image=ds["image"].assign_attrs(units="electron")),
            "in units of 'electron'",
        ),
    ],
)
def test_a_master_that_does_not_fit_is_refused(name, fault, text, raw, masters, camera):
    given = {kind: aw.trim(ds, camera.image_area) for kind, ds in masters.items()}
    given[name] = fault(given[name])
    with pytest.raises(aw.MasterMismatchError, match=f"(?s)the master {name} .*{text}|{text}"):
        aw.calibrate(raw, **given, overscan=False, scale_dark="any")


def test_a_master_of_the_untrimmed_frame_is_refused(raw, masters):
    with pytest.raises(aw.MasterMismatchError, match=r"covers 5 along .* the frames cover 4 along"):
        aw.calibrate(raw, bias=masters["bias"], overscan=False)


def test_flats_of_another_filter_are_refused_unless_allowed():
    frames = frame_set([50.0], camera=KNOWN, filter="B")
    flat = master([1.0], units="1", filter="V")
    with pytest.raises(aw.MasterMismatchError, match="of the filter V, not B"):
        aw.calibrate(frames, flat=flat)
    assert values(aw.calibrate(frames, flat=flat, allow_mismatch=["filter"])) == [50.0]
    with pytest.raises(ValueError, match="no mismatch of"):
        aw.calibrate(frames, flat=flat, allow_mismatch=["colour"])


def test_frames_are_calibrated_once():
    once = aw.calibrate(frame_set([50.0], camera=KNOWN))
    with pytest.raises(aw.CalibrationError, match=r"have a variance already.*single verbs"):
        aw.calibrate(once)


@pytest.mark.parametrize("known", [{}, {"gain": 2.0}, {"read_noise": 8.0}])
def test_without_gain_and_read_noise_the_remedy_is_named(known):
    with pytest.raises(aw.CalibrationError, match=r"give Camera\(gain=\.\.\., read_noise=\.\.\.\)"):
        aw.calibrate(frame_set([50.0], camera=Camera(**known)))


def test_the_camera_that_is_given_goes_before_the_one_that_travels():
    frames = frame_set([50.0], camera=Camera(gain=1.0, read_noise=1.0))
    ds = aw.calibrate(frames, camera=KNOWN, **F8)
    assert values(ds, "variance") == [25.0 + 16.0]
    assert ds.autowisp.camera == KNOWN


def test_an_image_area_outside_the_frames_is_refused():
    camera = Camera(gain=2.0, read_noise=8.0, image_area="[1:4,1:1]")
    with pytest.raises(aw.OutsideImageError, match=r"0 < x < 4, 0 < y < 1, .*cover 0 < x < 3"):
        aw.calibrate(frame_set([1.0, 2.0, 3.0], camera=camera))


@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_an_odd_image_area_swaps_no_colours_and_no_gains(corner):
    y, x = corner
    mosaic = np.tile([[100, 200], [300, 400]], (4, 5)).astype("u2")
    gain = {"R": 1.0, "G1": 2.0, "G2": 4.0, "B": 8.0}
    camera = Camera(
        channels="RGGB",
        gain=gain,
        read_noise=0.0,
        image_area={"xmin": x, "xmax": x + 6, "ymin": y, "ymax": y + 4},
    )
    raw = aw.split_channels(frame_set(mosaic, camera=camera))
    ds = aw.calibrate(raw, **F8)
    assert ds["image"].shape == (1, 4, 2, 3)
    for name, level in {"R": 100.0, "G1": 200.0, "G2": 300.0, "B": 400.0}.items():
        assert (ds["image"].sel(channel=name) == level).all()
        assert (ds["variance"].sel(channel=name) == level / gain[name]).all()


def test_the_history_states_what_was_applied_and_what_not(raw, masters, camera):
    bias = aw.trim(masters["bias"], camera.image_area)
    record = aw.calibrate(raw, bias=bias, overscan=False).autowisp.history()[-1]
    assert record["verb"] == "calibrate"
    assert set(record["masters"]) == {"bias"}
    options = record["options"]
    assert options["not_applied"] == ["dark", "flat"]
    assert options["image_area"] == "2 < x < 12, 1 < y < 5"
    assert options["gain"] == {"A": 2.0, "B": 1.25}
    assert options["photons"] == "positive"
    assert options["overscan"] is None
    assert list(record["contents"]) == ["object-0", "object-1", "object-2"]


def test_masters_that_are_given_lazily_make_the_result_lazy(rng):
    frames, bias, dark, _ = bias_and_darks(rng)
    lazy = aw.calibrate(frames, bias=bias.chunk(y=1), dark=dark)
    assert lazy["image"].chunks is not None
    assert_frames_equal(lazy[["image"]], aw.calibrate(frames, bias=bias, dark=dark)[["image"]])


def test_stale_encoding_is_dropped_and_other_attributes_stay(rng):
    frames, bias, _, _ = bias_and_darks(rng)
    frames["image"].encoding["chunks"] = (1, 1, 1, 1)
    frames.attrs["observer"] = "Herschel"
    ds = aw.calibrate(frames, bias=bias)
    assert ds["image"].encoding == {}
    assert ds.attrs["observer"] == "Herschel"


def test_what_two_frame_sets_share_is_kept_when_they_are_joined(rng):
    frames, bias, dark, _ = bias_and_darks(rng)
    flat = master(
        np.full((2, 2, 3), 1.25), np.full((2, 2, 3), 1e-4), camera=frames.autowisp.camera, units="1"
    )
    ds = aw.calibrate(frames, bias=bias, dark=dark, flat=flat, **F8)
    parts = [ds.isel(frame=[0]), ds.isel(frame=[1])]
    joined = xr.concat(parts, "frame", data_vars="minimal", coords="minimal", compat="override")
    assert_frames_equal(joined, ds)


# ---------------------------------------------------------------------- without a known noise


def test_without_gain_or_read_noise_it_raises_unless_asked():
    raw = frame_set([10.0, 20.0])
    with pytest.raises(aw.CalibrationError, match="must be known"):
        aw.calibrate(raw)
    with pytest.raises(ValueError, match="noise is one of required, if known, not 'no'"):
        aw.calibrate(raw, noise="no")
    known = aw.calibrate(raw, noise="if known", camera=KNOWN)
    assert_frames_equal(known, aw.calibrate(raw, camera=KNOWN))


@pytest.mark.parametrize("chunks", [None, {"frame": 1}])
def test_an_unknown_noise_leaves_image_and_mask_as_they_are(raw, masters, camera, chunks):
    blind = Camera(
        channels=camera.channels, saturation=900.0, image_area=camera.image_area, read_noise=3.0
    )
    given = {name: aw.trim(ds, camera.image_area) for name, ds in masters.items()}
    given["scale_dark"] = "any"
    seen = dataclasses.replace(blind, gain=2.0)
    lazy = raw if chunks is None else raw.chunk(chunks)
    found = aw.calibrate(lazy, camera=blind, noise="if known", **given)
    expected = aw.calibrate(raw, camera=seen, **given)
    assert np.isnan(found["variance"]).all()
    for name in ("image", "mask"):
        np.testing.assert_array_equal(found[name], expected[name])
    # nor does a further step flag anything
    other = given["flat"].drop_attrs(deep=False).assign(image=given["flat"]["image"] * 2)
    again = aw.divide_flat(found, other)
    np.testing.assert_array_equal(again["mask"], aw.divide_flat(expected, other)["mask"])
    assert np.isnan(again["variance"]).all()


def test_a_stack_of_unknown_noise_has_the_error_of_its_scatter(rng):
    raw = frame_set(rng.normal(100, 5, (6, 1, 5, 7)))
    frames = aw.calibrate(raw, noise="if known")
    deep = aw.stack(frames, "mean")
    expected = aw.stack(aw.calibrate(raw, camera=KNOWN), "mean", error="scatter")
    np.testing.assert_array_equal(deep["variance"], expected["variance"])
    assert not deep["mask"].any()
    # and a stack knows its variance again
    assert aw.provenance.noise_known(deep)
    flats = aw.master_flat(frame_set(raw["image"].values, kind="flat"), noise="if known")
    assert (flats.high["variance"].values > 0).all()
