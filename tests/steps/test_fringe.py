"""Fringes of a known strength, taken off; nothing of ``autowisp_xr.simulate`` is in them."""

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import Flag
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.steps.frames import frame_set, master

SHAPE = (96, 120)
F8 = {"dtype": "float64"}
GAIN, READ = 2.0, 4.0


def pattern(shape=SHAPE):
    y, x = np.indices(shape)
    waves = 0.03 * np.sin(x / 5 + 3 * np.sin(y / 30)) * np.cos(y / 12)
    return waves - np.median(waves)


def stars(rng, number, shape=SHAPE):
    light = np.zeros(shape)
    y, x = np.indices((21, 21)) - 10
    profile = np.exp(-(y**2 + x**2) / 8.0)
    for _ in range(number):
        row, column = rng.integers(10, shape[0] - 11), rng.integers(10, shape[1] - 11)
        light[row - 10 : row + 11, column - 10 : column + 11] += rng.exponential(2000.0) * profile
    return light


def exposed(rng, skies, number=20, slope=0.1):
    """Frames with the pattern, a sky that is brighter on one side, and stars; and their noise."""
    across = 1 + slope * (np.arange(SHAPE[1]) / SHAPE[1] - 0.5)
    images = []
    for sky in skies:
        light = sky * (1 + pattern()) * across + stars(rng, number)
        images.append(rng.poisson(light * GAIN) / GAIN + rng.normal(0, READ, SHAPE))
    image = np.array(images)[:, None]
    variance = np.maximum(image, 0) / GAIN + READ**2
    return frame_set(image, variance=variance, mask=0)


def measured_fringe(rng, error=0.004, shape=SHAPE):
    image = pattern(shape) + rng.normal(0, error, shape)
    return master(image, np.full(shape, error**2), np.zeros(shape), units="1")


def values(ds, name="image"):
    return ds[name].values.ravel().tolist()


def test_a_scale_that_is_given_is_subtracted_by_hand():
    image = np.array([[10.0, 20.0, 30.0], [1.0, 2.0, 3.0]]).reshape(2, 1, 1, 3)
    frames = frame_set(image, variance=1.0, mask=[4, 0, 0])
    fringe = master([0.5, -0.25, np.nan], [0.25, 0.5, 0.0], [2, 0, 0], units="1")
    ds = aw.subtract_fringe(frames, fringe, [2.0, 0.0], **F8)
    np.testing.assert_array_equal(
        ds["image"].values.reshape(2, 3), [[9.0, 20.5, np.nan], [1.0, 2.0, np.nan]]
    )
    np.testing.assert_array_equal(
        ds["variance"].values.reshape(2, 3), [[2.0, 3.0, np.nan], [1.0, 1.0, np.nan]]
    )
    assert values(ds, "shared_variance") == [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]
    assert values(ds, "mask") == [Flag.HOT | Flag.COSMIC, 0, 1] * 2
    assert values(ds, "fringe_scale") == [2.0, 0.0]
    assert [text != "" for text in values(ds, "shared_variance_from")] == [True, False]
    step = ds.autowisp.history()[-1]
    assert (step["verb"], step["options"]["scale"]) == ("subtract_fringe", [0.0, 2.0])
    assert list(step["masters"]) == ["fringe"]


def test_the_variance_of_the_scale_goes_with_the_square_of_the_pattern(rng):
    frames, fringe = exposed(rng, [800.0]), measured_fringe(rng)
    ds = aw.subtract_fringe(frames, fringe, **F8)
    s, error = ds["fringe_scale"].item(), ds["fringe_scale_uncertainty"].item()
    added = ds["variance"] - frames["variance"]
    shape = fringe["image"].values
    np.testing.assert_allclose(added.values[0, 0], s**2 * 0.004**2 + error**2 * shape[0] ** 2)
    np.testing.assert_allclose(ds["shared_variance"].values, s**2 * 0.004**2)


def test_scales_are_found_to_their_uncertainties_under_stars_and_a_sky_that_slopes(rng):
    skies = rng.uniform(600, 3000, 40)
    pulls, left = [], []
    for some in skies.reshape(4, 10):
        ds = aw.subtract_fringe(exposed(rng, some), measured_fringe(rng))
        scale = ds["fringe_scale"].values[:, 0]
        pulls.extend((scale - some) / ds["fringe_scale_uncertainty"].values[:, 0])
        left.extend(scale / some - 1)
    assert np.mean(pulls) == pytest.approx(0, abs=4 / np.sqrt(40))
    assert np.std(pulls) == pytest.approx(1, abs=0.35)
    # least squares would find a scale that is too small by 7 %, for the noise of the master
    assert np.mean(left) == pytest.approx(0, abs=0.01)
    assert np.abs(left).max() < 0.12


def test_of_the_pattern_less_than_a_twentieth_is_left(rng):
    skies = [2000.0] * 12
    fringe = measured_fringe(rng, error=0.001)
    frames = exposed(rng, skies, number=0, slope=0.0)
    ds = aw.subtract_fringe(frames, fringe)

    def strength(of):
        mean = of["image"].values.mean(axis=(0, 1))
        return np.cov(mean.ravel(), pattern().ravel())[0, 1] / pattern().var()

    assert strength(frames) == pytest.approx(2000, rel=0.02)
    assert abs(strength(ds)) < 0.02 * 2000


def test_frames_that_the_master_was_made_of_have_the_right_scale(rng):
    skies = rng.uniform(1000, 2000, 8)
    frames = exposed(rng, skies)
    made = aw.master_fringe(frames)
    ds = aw.subtract_fringe(frames, made)
    off = ds["fringe_scale"].values[:, 0] / skies - 1
    # the median of pixels with stars is above the sky
    assert np.abs(off.mean()) < 0.05
    assert np.abs(off).max() < 0.15


@pytest.mark.parametrize("frames_in_stack", [1, 20])
def test_the_variance_is_that_of_many_nights_in_a_frame_and_in_a_stack(rng, frames_in_stack):
    shape, nights, error = (48, 56), 50, 0.02
    light = np.full((frames_in_stack, 1, 1), 400.0) * (1 + pattern(shape))
    found, stated = [], []
    for _ in range(nights):
        image = rng.normal(light, np.sqrt(light / GAIN))[:, None]
        frames = frame_set(image, variance=light[:, None] / GAIN, mask=0)
        ds = aw.subtract_fringe(frames, measured_fringe(rng, error, shape), **F8)
        deep = aw.stack(ds, "mean")
        found.append(deep["image"].values[0])
        stated.append(deep["variance"].values[0])
    true = np.var(found, axis=0, ddof=1).mean()
    assert np.mean(stated) / true == pytest.approx(1, abs=0.03)


def test_what_is_not_seen_is_not_subtracted_and_a_warning_names_it(rng):
    frames = exposed(rng, [1500.0])
    flat = frame_set(rng.normal(500, 20, (1, 1, *SHAPE)), variance=400.0, mask=0)
    opposite = frames.assign(image=3000 - frames["image"])
    fringe = measured_fringe(rng)
    with pytest.warns(aw.AutowispWarning, match=r"1 of 1 planes are not significant.*object-0: "):
        ds = aw.subtract_fringe(flat, fringe, **F8)
    np.testing.assert_array_equal(ds["image"], flat["image"])
    assert values(ds, "fringe_scale") == [0.0]
    assert "shared_variance_from" not in ds.coords
    with pytest.warns(aw.AutowispWarning, match="of another pattern"):
        aw.subtract_fringe(opposite, fringe)
    nothing = frames.assign(mask=frames["mask"] | np.uint8(Flag.FAULT))
    with pytest.warns(aw.AutowispWarning, match=r"nan \+- nan"):
        ds = aw.subtract_fringe(nothing, fringe)
    assert np.isfinite(ds["image"]).all()


def test_flagged_pixels_take_no_part_in_the_scale(rng):
    frames, fringe = exposed(rng, [1500.0]), measured_fringe(rng)
    once = aw.subtract_fringe(frames, fringe)["fringe_scale"]
    image, mask = frames["image"].copy(), frames["mask"].copy()
    image[0, 0, 20:50, 20:60] += 3e4 * fringe["image"][0, 20:50, 20:60]
    mask[0, 0, 20:50, 20:60] = Flag.COSMIC
    again = aw.subtract_fringe(frames.assign(image=image, mask=mask), fringe)["fringe_scale"]
    assert again.item() == pytest.approx(once.item(), rel=0.1)


def test_each_channel_has_a_scale_of_its_own(rng):
    one, other = exposed(rng, [900.0]), exposed(rng, [2700.0])
    both = xr.concat([one, other], "channel").assign_coords(channel=["A", "B"])
    both = both.transpose("frame", "channel", "y", "x")
    fringe = measured_fringe(rng)
    fringe = xr.concat([fringe, fringe], "channel").assign_coords(channel=["A", "B"])
    scale = aw.subtract_fringe(both, fringe)["fringe_scale"].values
    assert scale[0] == pytest.approx([900, 2700], rel=0.1)


@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 7, "x": 50}, {"frame": 2, "channel": 1}])
def test_chunks_change_nothing_and_the_input_is_as_before(rng, chunks):
    frames, fringe = exposed(rng, [900.0, 1200.0, 2000.0]), measured_fringe(rng)
    before = frames.copy(deep=True)
    expected = aw.subtract_fringe(frames, fringe)
    chunked = frames.chunk(chunks).assign_coords(frames.coords)
    assert_frames_equal(aw.subtract_fringe(chunked, fringe.chunk(y=5)).compute(), expected)
    xr.testing.assert_identical(frames, before)


def test_with_a_scale_that_is_given_nothing_is_computed(rng):
    frames, fringe = exposed(rng, [900.0, 1200.0]), measured_fringe(rng)
    lazy, late = frames.chunk(frame=1), fringe.chunk()
    with no_compute():
        lazy = aw.subtract_fringe(
            lazy.assign_coords(frames.coords), late.assign_coords(fringe.coords), [900.0, 1200.0]
        )
    assert lazy["image"].chunks is not None


def test_calibrate_subtracts_fringes_in_the_end(rng):
    camera = aw.Camera(gain=GAIN, read_noise=READ * GAIN)
    raw = exposed(rng, [900.0, 1200.0]).drop_vars(("variance", "mask"))
    fringe = measured_fringe(rng)
    once = aw.calibrate(raw, camera=camera, fringe=fringe)
    assert_frames_equal(once, aw.subtract_fringe(aw.calibrate(raw, camera=camera), fringe))
    # photons are those of the light that the pattern is a part of
    light = raw["image"].values / GAIN + READ**2
    added = once["variance"].values - light
    assert (added > 0).all()
    of_photons = once["photon_slope"].values * (once["image"] - once["photon_zero"]).values
    np.testing.assert_allclose(of_photons, raw["image"].values / GAIN, rtol=1e-4)
    verbs = [step["verb"] for step in once.autowisp.history()]
    assert verbs[-2:] == ["calibrate", "subtract_fringe"]


def test_saturation_is_below_what_the_strongest_pattern_takes_off(rng):
    frames = exposed(rng, [1000.0])
    frames.attrs["camera"] = aw.Camera(saturation=5000.0).to_json()
    ds = aw.subtract_fringe(frames, measured_fringe(rng), 1000.0)
    assert 4950 < ds.autowisp.camera.saturation < 4990


def test_what_does_not_go_together_is_refused(rng):
    frames, fringe = exposed(rng, [900.0]), measured_fringe(rng)
    with pytest.raises(aw.CalibrationError, match="these are raw"):
        aw.subtract_fringe(frames.drop_vars("variance"), fringe)
    with pytest.raises(aw.CalibrationError, match="were subtracted from the frames already"):
        aw.subtract_fringe(aw.subtract_fringe(frames, fringe, 1.0), fringe)
    other = fringe.assign_coords(filter=((), np.array("I", np.dtypes.StringDType())))
    with pytest.raises(aw.MasterMismatchError, match="master fringe is of the filter I, not V"):
        aw.subtract_fringe(frames, other)
    with pytest.raises(aw.MasterMismatchError, match="select the same area"):
        aw.subtract_fringe(frames, fringe.isel(x=slice(5, None)))
    with pytest.raises(ValueError, match=r"one a frame \(1\)"):
        aw.subtract_fringe(frames, fringe, [1.0, 2.0])
    with pytest.raises(ValueError, match="has to be finite"):
        aw.subtract_fringe(frames, fringe, np.nan)


def test_a_fringe_frame_of_another_program_is_made_a_pattern_about_zero(rng, tmp_path):
    frames, fringe = exposed(rng, [900.0]), measured_fringe(rng)
    fits.writeto(tmp_path / "fringe.fits", (1000 * fringe["image"].values[0] + 500).astype("f4"))
    foreign = aw.open_fits(tmp_path / "fringe.fits", types={"fringe*": "fringe"})
    with pytest.warns(aw.AutowispWarning, match="so that it is a pattern about zero"):
        ds = aw.subtract_fringe(frames, foreign)
    ours = aw.subtract_fringe(frames, fringe)
    assert ds["fringe_scale"].item() == pytest.approx(ours["fringe_scale"].item() / 1000, rel=0.01)
    assert np.median(ds["image"]) == pytest.approx(np.median(ours["image"]), rel=1e-3)


def test_files_state_the_scale_and_share_the_noise_of_the_fringe_frame_again(rng, tmp_path):
    fringe = aw.master_fringe(exposed(rng, [900.0, 1100.0, 1500.0, 1300.0], number=3))
    (path,) = aw.to_fits(fringe, tmp_path / "masters" / "fringe.fits")
    frames = exposed(rng, [900.0, 1200.0, 2000.0])
    done = aw.subtract_fringe(frames, aw.open_fits(path))
    paths = aw.to_fits(done, tmp_path / "{frame}.fits")
    for number, name in enumerate(paths):
        header = fits.getheader(name)
        assert header["FRINGCOR"] == "fringe.fits"
        scale = done["fringe_scale"].values[number, 0]
        assert header["FRNGSCAL"] == pytest.approx(scale, rel=1e-6)
        assert 0 < header["FRNGUNC"] < 0.3 * scale
    again = aw.open_fits(paths)
    np.testing.assert_allclose(again["shared_variance"], done["shared_variance"], rtol=1e-6)
    np.testing.assert_array_equal(again["shared_variance_from"], done["shared_variance_from"])
    one, other = (aw.stack(ds, "mean", reject=None) for ds in (done, again))
    np.testing.assert_allclose(one["variance"], other["variance"], rtol=1e-5)
    paths = aw.to_fits(one, tmp_path / "deep.fits")
    deep = aw.open_fits(paths)
    np.testing.assert_allclose(deep["shared_variance"][0], one["shared_variance"], rtol=1e-2)


def test_sets_that_are_joined_keep_the_scale_of_each_frame(rng):
    fringe = measured_fringe(rng)
    one = aw.subtract_fringe(exposed(rng, [900.0, 1200.0]), fringe, [900.0, 1200.0])
    other = exposed(rng, [1500.0]).assign_coords(frame=np.array(["z"], np.dtypes.StringDType()))
    done = aw.concat([one, aw.subtract_fringe(other, fringe, 1500.0)])
    assert sorted(values(done, "fringe_scale")) == [900.0, 1200.0, 1500.0]
    mixed = aw.concat([one, other])["fringe_scale"].values
    assert np.isnan(mixed).sum() == 1
