"""Cosmic rays are flagged in single frames; stars, values and flags stay as they are."""

import sys

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

import autowisp_xr as aw
from autowisp_xr import CosmicRays, Flag, provenance
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.monte_carlo.cosmic_rays import (
    BAYER,
    CAMERA,
    NOISE,
    SKY,
    flagged,
    observed,
    places,
    rays_found,
    star_cores_lost,
    stars,
    tracks,
)
from tests.steps.frames import TWO_CHANNELS, frame_set


@pytest.fixture
def rng():
    return np.random.default_rng(16)


def with_ray(shape=(30, 40), at=((15, 20), (15, 21), (16, 22)), rng=None, **planes):
    """A frame of a sky with three pixels of a ray."""
    image = np.full(shape, SKY) + (0 if rng is None else rng.normal(0, NOISE, shape))
    for y, x in at:
        image[y, x] += 50 * NOISE
    planes = {"variance": NOISE**2, "mask": 0} | planes
    return frame_set(image.astype("f4"), camera=CAMERA, **planes)


def flags(ds):
    return np.argwhere(ds["mask"].values[0, 0] & Flag.COSMIC).tolist()


def test_three_pixels_of_a_ray_are_flagged_and_nothing_else_is_changed():
    ds = with_ray()
    found = aw.flag_cosmic_rays(ds)
    assert flags(found) == [[15, 20], [15, 21], [16, 22]]
    for name in ("image", "variance"):
        np.testing.assert_array_equal(found[name], ds[name])


def test_each_option_is_that_of_l_a_cosmic():
    ds = with_ray()
    record = provenance.history(aw.flag_cosmic_rays(ds, objlim=5, niter=2))[-1]
    assert record["verb"] == "flag_cosmic_rays"
    assert record["options"] == {
        **{"sigclip": 4.5, "sigfrac": 0.3, "objlim": 5, "niter": 2, "sepmed": False}
    }
    assert "astroscrappy" in record["versions"]
    assert flags(aw.flag_cosmic_rays(ds, sigclip=60)) == []
    with pytest.raises(TypeError, match="sigclp"):
        aw.flag_cosmic_rays(ds, sigclp=5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sigclip": 0}, "sigclip is a positive number, not 0"),
        ({"objlim": "5"}, "objlim is a positive number, not '5'"),
        ({"objlim": np.nan}, "objlim is a positive number, not nan"),
        ({"sigfrac": 1.5}, "sigfrac is at most 1"),
        ({"niter": 0}, "niter is a whole number from 1, not 0"),
        ({"niter": True}, "niter is a whole number from 1, not True"),
    ],
)
def test_limits_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        CosmicRays(**wrong)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
@pytest.mark.parametrize("sky", [0.0, 100.0, 30_000.0])
def test_neither_unit_nor_level_of_the_sky_matters(unit, sky, rng):
    """A sky that was subtracted is still in the variance."""
    hit = tracks(100, places(100, rng), 3, rng)
    ds = observed(np.full(hit.shape, SKY), rng, rays=np.where(hit, 50 * NOISE, 0))
    expected = flagged(ds)
    assert expected[hit > 0].mean() > 0.95
    moved = ds.assign(image=(ds["image"].astype("f8") - SKY + sky) * unit)
    moved = moved.assign(variance=ds["variance"].astype("f8") * unit**2)
    np.testing.assert_array_equal(flagged(moved), expected)


@pytest.mark.parametrize("fwhm", [1.5, 2.5])
@pytest.mark.parametrize("flux", [300.0, 3e3, 1e5])
def test_cores_of_undersampled_stars_survive(fwhm, flux):
    assert star_cores_lost(fwhm, flux, side=300, seed=4) <= 0.005


def test_of_stars_as_sharp_as_a_pixel_few_are_lost():
    assert star_cores_lost(1.2, 3e3, side=300, seed=4) < 0.03
    assert star_cores_lost(1.2, 3e3, side=300, seed=4, objlim=5) > 0.3


@pytest.mark.parametrize("flux", [1e3, 1e5])
def test_stars_of_any_color_survive_in_a_mosaic_whose_planes_are_undersampled(flux):
    assert star_cores_lost(2.0, flux, side=300, seed=4, camera=BAYER) <= 0.01


@pytest.mark.parametrize("length", [1, 12])
def test_rays_are_found_across_the_planes_of_a_mosaic(length):
    pixels, whole = rays_found(50, length, side=200, seed=4, camera=BAYER)
    assert pixels > 0.95
    assert whole == 1


@pytest.mark.parametrize("bits", [Flag.FAULT, Flag.HOT, Flag.COSMIC, Flag.OUTER, Flag.SATURATED])
def test_a_pixel_that_bears_a_flag_stays_as_it_is_and_hides_no_neighbour(bits):
    mask = np.zeros((30, 40), np.uint8)
    mask[15, 21] = bits
    found = aw.flag_cosmic_rays(with_ray(mask=mask))
    assert found["mask"].values[0, 0, 15, 21] == bits
    beside = found["mask"].values[0, 0, [15, 16], [20, 22]]
    # what leaks is given to the method as its mask, which grows by a pixel
    assert (beside == (0 if bits & Flag.LEAKED else Flag.COSMIC)).all()


def test_a_strong_ray_is_not_hidden_by_the_flag_of_its_level():
    mask = np.zeros((30, 40), np.uint8)
    mask[15, 20:22] = Flag.NONLINEAR
    found = aw.flag_cosmic_rays(with_ray(mask=mask))["mask"].values[0, 0]
    assert found[15, 20:22].tolist() == [Flag.NONLINEAR | Flag.COSMIC] * 2


def test_pixels_without_a_value_are_no_edge(rng):
    ds = with_ray(rng=rng, at=[])
    image, mask = ds["image"].values.copy(), ds["mask"].values.copy()
    image[0, 0, 10:13, 10] = np.nan
    image[0, 0, 5, 5] = -np.inf
    image[0, 0, 25, 14] -= 500 * NOISE
    image[0, 0, :, 30:], mask[0, 0, :, 30:] = 0.0, Flag.OUTER
    mask[~np.isfinite(image)] = Flag.FAULT
    ds = ds.assign(image=(ds["image"].dims, image), mask=(ds["mask"].dims, mask))
    assert flags(aw.flag_cosmic_rays(ds)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 3), (7, 4)])
def test_small_frames_and_frames_without_a_good_pixel_go_through(shape):
    ds = with_ray(shape, at=[])
    assert flags(aw.flag_cosmic_rays(ds)) == []
    assert_frames_equal(
        aw.flag_cosmic_rays(with_ray(shape, at=[], mask=Flag.FAULT)),
        with_ray(shape, at=[], mask=Flag.FAULT),
    )


def test_rays_are_found_at_the_edges_and_stars_spared(rng):
    ds = with_ray(at=[(0, 7), (29, 0), (12, 39), (13, 38), (1, 20)])
    assert flags(aw.flag_cosmic_rays(ds)) == [[0, 7], [1, 20], [12, 39], [13, 38], [29, 0]]
    at = np.array([(y, x) for y in (0.2, 1.4, 2.6) for x in range(10, 290, 14)])
    at[:, 0] += np.arange(len(at)) % 2 * 296
    found = flagged(observed(SKY + stars(300, at, 2.0, 2e4), rng))
    y, x = np.rint(at).astype(int).T
    assert not maximum_filter(found, 3)[y.clip(0, 299), x].any()


def test_a_saturated_star_is_left_out_with_its_surroundings(rng):
    full = 20_000.0
    field = np.minimum(SKY + stars(60, [(30.2, 29.9)], 4.0, 5e6), full)
    ds = observed(field, rng)
    ds["mask"][:] = np.where(ds["image"] > 0.95 * full, Flag.OVERSATURATED, 0)
    assert not flagged(ds).any()


def test_channels_of_several_detectors_are_looked_at_each_for_itself():
    every = {name: (slice(None), slice(None)) for name in TWO_CHANNELS}
    camera = aw.Camera(channels=every, gain=1, read_noise=5)
    image = np.full((1, 2, 30, 40), SKY, "f4")
    image[:, 1] *= 50
    image[0, 0, 9, 9] += 50 * NOISE
    variance = image.copy()
    variance[0, 0, 9, 9] = SKY
    found = aw.flag_cosmic_rays(frame_set(image, camera=camera, variance=variance, mask=0))
    assert np.argwhere(found["mask"].values).tolist() == [[0, 0, 9, 9]]


def test_each_task_looks_at_one_frame(rng):
    ds = observed(np.full((40, 50), SKY), rng, number=3)
    in_memory, ds = ds.coords, ds.chunk(frame=3, y=7)
    with no_compute():
        found = aw.flag_cosmic_rays(ds.chunk(frame=1).assign_coords(in_memory))
    assert found["mask"].chunks == ((1, 1, 1), (1,), (40,), (50,))
    assert found.chunks["y"] == (40,)
    assert_frames_equal(aw.flag_cosmic_rays(ds), aw.flag_cosmic_rays(ds.compute()))


@pytest.mark.filterwarnings("ignore:no bias, dark or level is subtracted")
def test_calibrate_flags_them_last_and_changes_no_other_bit():
    night = aw.simulate.Night(shape=(120, 160), seed=3, cosmic_rays=20)
    raw, how = night.objects(2), {"camera": night.camera, "overscan": False}
    flat = aw.master_flat(night.flat(3), **how).high
    plain = aw.calibrate(raw, flat=flat, **how)
    found = aw.calibrate(raw, flat=flat, cosmic_rays=CosmicRays(objlim=5), **how)
    assert_frames_equal(found.assign(mask=found["mask"] & ~np.uint8(Flag.COSMIC)), plain)
    steps = [step["verb"] for step in provenance.history(found)]
    assert steps[-2:] == ["calibrate", "flag_cosmic_rays"]
    assert_frames_equal(found, aw.flag_cosmic_rays(plain, objlim=5))
    lazy = aw.calibrate(
        raw.chunk(frame=1, y=50), flat=flat, cosmic_rays=CosmicRays(objlim=5), **how
    )
    assert_frames_equal(lazy, found)
    without = aw.calibrate(raw, cosmic_rays=False, **how), aw.calibrate(raw, **how)
    assert len(set(map(provenance.identity, without))) == 1


@pytest.mark.parametrize("average", ["mean", "median"])
def test_a_stack_of_flagged_frames_is_true_where_rays_hit(average, rng):
    side, number = 160, 8
    at = places(side, rng)
    hit = np.stack([tracks(side, rng.permutation(at)[:30], 6, rng) > 0 for _ in range(number)])
    ds = observed(np.full((side, side), SKY), rng, number, rays=np.where(hit, 40 * NOISE, 0))
    stack = aw.stack(aw.flag_cosmic_rays(ds), average)
    where = hit.any(axis=0)
    assert where.sum() > 1000
    pulls = ((stack["image"] - SKY) / np.sqrt(stack["variance"])).values[0]
    plain = aw.stack(ds, average)["image"].values[0]
    assert plain[where].mean() - SKY > 1
    error = 4 / where.sum() ** 0.5
    assert abs(pulls[where].mean()) < error + 0.05
    assert pulls[where].std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("verb", [aw.flag_cosmic_rays, aw.flag_cold_pixels])
def test_frames_come_out_whole_in_all_planes_and_with_what_is_beside_them(verb, rng):
    ds = observed(np.full((40, 50), SKY), rng, number=3).assign(seeing=("frame", [1.0, 2.0, 3.0]))
    found = verb(ds.chunk(frame=2, y=7, x=20))
    assert found.chunks == {"frame": (2, 1), "channel": (1,), "y": (40,), "x": (50,)}
    assert found["image"].attrs == ds["image"].attrs
    np.testing.assert_array_equal(found["seeing"], [1, 2, 3])


def test_frames_of_unknown_noise_are_refused():
    ds = with_ray()
    with pytest.raises(aw.CalibrationError, match=r"variance.*not known.*gain_and_read_noise"):
        aw.flag_cosmic_rays(ds.drop_vars(["variance", "mask"]))
    raw = aw.simulate.Night(shape=(20, 30), seed=1).objects(1)
    with pytest.raises(aw.CalibrationError, match="the variance of the frames is not known"):
        aw.calibrate(raw, camera=aw.Camera(), noise="if known", cosmic_rays=True)
    with pytest.raises(ValueError, match="cosmic_rays is True, None or a CosmicRays, not 'yes'"):
        aw.calibrate(raw, camera=CAMERA, cosmic_rays="yes")


def test_without_astroscrappy_the_extra_is_named_before_any_pixel_is_read(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "astroscrappy", None)
    with pytest.raises(ImportError, match=r"astroscrappy.*pip install '\.\[cosmic\]'"):
        aw.flag_cosmic_rays(with_ray())
    aw.to_fits(aw.simulate.Night(shape=(20, 30), seed=1).objects(1), tmp_path / "raw" / "a.fits")
    with pytest.raises(aw.MissingPackageError):
        aw.reduce(tmp_path / "raw", tmp_path / "out", cosmic_rays=True)
    assert not (tmp_path / "out").exists()
