"""What of the variance is the noise of photons, through the verbs and into stacks."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Amplifier, Camera, NoiseClip, schema
from autowisp_xr.regions import Region
from autowisp_xr.stats.order_statistics import variance_factors
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import TWO_CHANNELS, frame_set, master

F8 = {"dtype": "float64"}
CAMERA = Camera(gain=2.0, read_noise=6.0)


def few_photons(rng, shape=(8, 1, 5, 7), camera=CAMERA):
    """Frames (frame, channel, y, x) of 3 electrons, free of bias."""
    electrons = rng.poisson(3.0, shape) + rng.normal(0, 6.0, shape)
    return frame_set((electrons / 2.0).astype("f4"), camera=camera)


def only(ds, *names):
    found = [float(ds[name].values.ravel()[0]) for name in names]
    return found[0] if len(found) == 1 else found


def test_a_calibrated_frame_states_what_the_photons_make_of_its_variance():
    """Free of bias, it is 30 ADU; k D is 4, the flat 0.5: (13 - 4) / 0.5."""
    raw = frame_set(np.full((2, 1, 1, 1), 113.0), camera=CAMERA, exposure=30.0)
    dark = aw.subtract_bias(frame_set([8.0], kind="dark"), master([0.0])).isel(frame=0)
    masters = {"bias": master([100.0]), "dark": dark, "flat": master([0.5], units="1")}
    ds = aw.calibrate(raw, **masters, scale_dark="any", **F8)
    # 1 / (gain F), and -k D / F
    assert only(ds, "photon_slope", "photon_zero") == [1.0, -8.0]
    assert ds["photon_slope"].dims == ds["photon_zero"].dims == ("channel", "y", "x")
    assert only(ds, "image", "variance") == [18.0, (13 / 2 + 9) / 0.25]
    photons = only(ds, "photon_slope") * (18.0 + 8.0)
    assert photons == 13 / 2 / 0.25
    assert ds["photon_slope"].attrs["units"] == ds["photon_zero"].attrs["units"] == "adu"


def test_frames_without_photons_or_without_errors_state_nothing():
    raw = frame_set([113.0], camera=CAMERA)
    assert "photon_slope" not in aw.add_noise(raw, photons="none")
    assert "photon_slope" not in aw.add_noise(raw, photons="absolute")
    assert "photon_slope" not in aw.calibrate(raw, camera=Camera(), noise="if known")


def test_a_dark_that_holds_the_bias_gives_where_no_light_is():
    rng = np.random.default_rng(1)
    camera = Camera(gain=1.0, read_noise=5.0)
    level = np.linspace(90.0, 110.0, 2000).reshape(1, 1, 40, 50)
    darks = level + rng.poisson(40.0, (9, 1, 40, 50)) + rng.normal(0, 5, (9, 1, 40, 50))
    dark = aw.master_dark(frame_set(darks, kind="dark", camera=camera), average="mean")
    raw = frame_set(level + 60.0, camera=camera)
    noisy = aw.add_noise(raw, dark=dark, **F8)
    whole = aw.calibrate(raw, dark=dark, **F8)
    apart = aw.subtract_dark(noisy, dark, **F8)
    np.testing.assert_allclose(apart["photon_zero"], whole["photon_zero"], atol=1e-9)
    for ds in (noisy, whole):
        photons = ds["photon_slope"] * (ds["image"] - ds["photon_zero"]).clip(0)
        shared = ds.get("shared_variance", 0.0)
        np.testing.assert_allclose(ds["variance"] - shared - photons, 25.0, atol=1e-6)


def test_amplifiers_have_a_slope_each():
    halves = [
        Amplifier(region=Region(xmin=x, xmax=x + 2, ymin=0, ymax=1), gain=gain, read_noise=3.0)
        for x, gain in ((0, 1.0), (2, 4.0))
    ]
    camera = Camera(amplifiers=halves)
    ds = aw.add_noise(frame_set(np.full((1, 1, 1, 4), 20.0), camera=camera))
    assert ds["photon_slope"].values.ravel().tolist() == [1.0, 1.0, 0.25, 0.25]


@pytest.mark.parametrize("average", ["mean", "median"])
def test_a_stack_counts_the_photons_of_its_average(rng, average):
    """With 36 electrons of read noise, 8 frames stand for so many that nothing is added."""
    ds = aw.add_noise(few_photons(rng), **F8)
    stack = aw.stack(ds, average, **F8)
    ratio = 1.0 if average == "mean" else variance_factors(0.5, 8)[1][8]
    expected = ratio * (9.0 + 0.5 * stack["image"]) / 8
    np.testing.assert_allclose(stack["variance"], expected, rtol=1e-12)
    np.testing.assert_allclose(stack["photon_slope"], ratio * 0.5 / 8, rtol=1e-12)
    np.testing.assert_allclose(stack["photon_variance"], expected - ratio * 9 / 8, rtol=1e-9)
    assert stack.autowisp.history()[-1]["options"]["photons"] == "of the average"
    # of each frame: what files of pixels alone leave
    bare = aw.stack(ds.drop_vars("photon_slope"), average, **F8)
    assert float(bare["variance"].mean()) > float(stack["variance"].mean())
    assert bare.autowisp.history()[-1]["options"]["photons"] == "of each frame"


def test_weights_count_the_photons_of_the_average_too(rng):
    ds = aw.add_noise(few_photons(rng), **F8)
    weights = np.arange(1.0, 9.0)
    stack = aw.stack(ds, "mean", weights=weights, **F8)
    part = float(((weights / weights.sum()) ** 2).sum())
    np.testing.assert_allclose(stack["variance"], part * (9 + 0.5 * stack["image"]), rtol=1e-12)


def test_rejection_by_the_noise_takes_that_of_the_median():
    """A value of -20 claims less noise than one of 30, and would go first."""
    values = np.array([-17.0, 2.0, 3.0, 4.0, 24.0])[:, None, None, None]
    ds = aw.add_noise(frame_set(values, camera=Camera(gain=1.0, read_noise=4.0)), **F8)
    alone = ds.drop_vars("photon_slope")
    options = {"reject": NoiseClip(4.7), "rejected": True}
    assert only(aw.stack(alone, "mean", **options), "rejected_low", "rejected_high") == [1, 0]
    assert only(aw.stack(ds, "mean", **options), "rejected_low", "rejected_high") == [0, 1]


def test_stacks_of_stacks_are_those_of_all_frames(rng):
    ds = aw.add_noise(few_photons(rng, (12, 1, 5, 7)), **F8)
    parts = [aw.stack(ds.isel(frame=part), "mean", **F8) for part in (slice(4), slice(4, 12))]
    joined = aw.concat(parts)
    again = aw.stack(
        joined,
        "mean",
        weights=[4.0, 8.0] if int(joined["count"][0, 0, 0, 0]) == 4 else [8.0, 4.0],
        **F8,
    )
    whole = aw.stack(ds, "mean", **F8)
    for name in ("image", "variance", *schema.PHOTON_PLANES):
        np.testing.assert_allclose(again[name], whole[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_joined_sets_state_what_all_of_them_state(rng):
    ds = aw.add_noise(few_photons(rng, (4, 1, 5, 7)), **F8)
    first, second = ds.isel(frame=[0, 1]), ds.isel(frame=[2, 3])
    both = aw.concat([first, second])
    assert both["photon_slope"].dims == schema.DIMS[1:]
    for others in (second.drop_vars("photon_slope"), aw.stack(second, "mean", **F8)):
        assert not set(schema.PHOTON_PLANES) & set(aw.concat([first, others]).data_vars)


def test_where_a_sky_was_taken_off_the_image_alone_the_frames_count(rng):
    """Their variance holds photons of a sky that nobody knows; zero is not theirs any more."""
    sky = np.array([10.0, 50.0, 20.0, 90.0, 30.0, 40.0, 70.0, 60.0])[:, None, None, None]
    electrons = rng.poisson(2 * sky, (8, 1, 50, 70)) + rng.normal(0, 3.0, (8, 1, 50, 70))
    camera = Camera(gain=2.0, read_noise=3.0)
    ds = aw.add_noise(frame_set((electrons / 2.0).astype("f4"), camera=camera), **F8)
    ds = ds.assign(image=ds["image"] - sky)
    stack = aw.stack(ds, "mean", **F8)
    bare = aw.stack(ds.drop_vars("photon_slope"), "mean", **F8)
    np.testing.assert_allclose(stack["variance"], bare["variance"], rtol=1e-9)
    assert not stack["photon_slope"].any()
    assert not stack["photon_variance"].any()


def test_a_flat_that_divides_a_stack_divides_what_its_photons_make(rng):
    ds = aw.add_noise(few_photons(rng), **F8)
    stack = aw.stack(ds, "mean", **F8).expand_dims("frame").drop_vars("count")
    stack = stack.transpose(*schema.DIMS)
    flat = master(np.full((1, 5, 7), 0.5), units="1")
    found = aw.divide_flat(stack.assign_coords(frame=["all"]), flat, **F8)
    for name, factor in (("photon_slope", 2), ("photon_zero", 2), ("photon_variance", 4)):
        np.testing.assert_allclose(found[name], factor * stack[name], rtol=1e-12)


def test_frames_that_are_scaled_to_a_level_state_nothing_more():
    ds = aw.add_noise(frame_set(np.full((3, 1, 5, 7), 2e4), kind="flat", camera=CAMERA))
    flat = aw.master_flat(ds).high
    assert not set(schema.PHOTON_PLANES) & set(flat.data_vars)


def test_any_chunks_give_the_same_bits(rng):
    camera = Camera(gain=2.0, read_noise=6.0, channels=TWO_CHANNELS)
    raw = few_photons(rng, (6, 2, 5, 7), camera)
    dark = master(rng.normal(1, 0.1, (2, 5, 7)), np.full((2, 5, 7), 0.1), camera=camera)
    flat = master(
        rng.uniform(0.8, 1.2, (2, 5, 7)), np.full((2, 5, 7), 1e-4), camera=camera, units="1"
    )
    whole = aw.divide_flat(aw.subtract_dark(aw.add_noise(raw), dark), flat)
    expected = aw.stack(whole, "median")
    for chunks in ({"frame": 1}, {"y": 2}, {"frame": 4, "x": 3}):
        lazy = aw.divide_flat(aw.subtract_dark(aw.add_noise(raw.chunk(chunks)), dark), flat)
        stack = aw.stack(lazy, "median")
        assert stack["variance"].chunks is not None
        assert_frames_equal(lazy.compute(), whole)
        assert_frames_equal(stack.compute(), expected)


def test_what_the_photons_make_goes_through_zarr_and_not_through_fits(rng, tmp_path):
    ds = aw.add_noise(few_photons(rng))
    back = ds.autowisp.to_zarr(tmp_path / "night.zarr")
    assert_frames_equal(aw.stack(back).compute(), aw.stack(ds))
    ds.autowisp.to_fits(str(tmp_path / "{RAWFNAME}.fits"))
    opened = aw.open_fits(tmp_path)
    assert not set(schema.PHOTON_PLANES) & set(opened.data_vars)


def test_planes_are_cut_and_split_with_the_image(rng):
    camera = Camera(gain=2.0, read_noise=6.0, channels=TWO_CHANNELS)
    ds = aw.add_noise(few_photons(rng, (2, 1, 5, 14)).assign_attrs(camera=camera.to_json()))
    split = aw.split_channels(ds)
    assert split["photon_slope"].shape == split["image"].shape[1:]
    xr.testing.assert_equal(aw.merge_channels(split)["photon_slope"], ds["photon_slope"])


def test_a_dark_lends_the_variance_that_it_claims(rng):
    """Less is true on average, but then a dark that is low by chance would claim too little."""
    electrons = rng.normal(0, 1.2, (5, 1, 5, 7))
    camera = Camera(gain=1.0, read_noise=1.2)
    bias = master(np.zeros((1, 5, 7)), np.zeros((1, 5, 7)))
    frames = frame_set(electrons.astype("f4"), kind="dark", camera=camera)
    dark = aw.master_dark(frames, bias=bias, average="mean", **F8)
    master_noise = aw.subtract_dark(frame_set(np.zeros((1, 5, 7)), camera=camera), dark, **F8)
    np.testing.assert_array_equal(master_noise["shared_variance"], dark["variance"])
