"""Stacks of whole numbers: neighbours, values at a threshold, and the error of rounding."""

import warnings

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, NoiseClip, Overscan, Percentile, SigmaClip
from autowisp_xr.overscan_fits.level_fit import fit
from autowisp_xr.stats.rounding import common_rounding
from autowisp_xr.testing import assert_frames_equal
from tests.steps.frames import frame_set

SHAPE = (1, 40, 60)
MAD = SigmaClip(5, scale="mad")


def integers(noise, number, *, step=1, dtype="u2", seed=5, **options):
    rng = np.random.default_rng(seed)
    level = 1000 + rng.random(SHAPE)
    values = step * np.rint(level + rng.normal(0, noise, (number, *SHAPE)))
    return frame_set(values.astype(dtype), **options)


def column(*values, dtype="u2", **options):
    return frame_set(np.array(values, dtype).reshape(-1, 1, 1, 1), **options)


def kept(ds, average, reject):
    return aw.stack(ds, average, reject=reject)["count"].values.ravel().tolist()


@pytest.mark.parametrize("average", ["mean", "median", 0.3])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("reject", [MAD, SigmaClip(5, scale="mad", about="median")], ids=str)
def test_neighbours_are_never_rejected(reject, step, dtype, average):
    frames = integers(0.2, 30, step=step, dtype=dtype)
    stack = aw.stack(frames, average, reject=reject)
    assert (stack["count"] == 30).all()
    assert (stack["variance"] > 0).all()


def test_equal_values_and_one_neighbour_are_all_kept_and_what_is_far_off_is_not():
    equal = [10] * 20
    assert kept(column(*equal, 11), "mean", MAD) == [21]
    assert kept(column(*equal, 16), "mean", MAD) == [20]
    assert kept(column(*equal, 15), "mean", SigmaClip(5, scale="mad", about="median")) == [21]


@pytest.mark.parametrize("bad", [0, 2, 4])
def test_a_noisy_frame_does_not_keep_itself_in_a_master(bad):
    frames = integers(2.0, 5, dtype="f4", kind="bias")
    frames["image"].values[bad] += np.rint(np.random.default_rng(1).normal(0, 300, SHAPE))
    camera = Camera(gain=1.0, read_noise=2.02)
    stack = aw.master_bias(frames, camera=camera)
    assert float((stack["count"] == 4).mean()) > 0.9


def test_what_is_a_step_off_stays_also_where_its_noise_is_less():
    frames = integers(0.1, 30, step=4)
    noise = frames["image"].astype("f4") * 0 + np.float32(0.1)
    stack = aw.stack(frames.assign(variance=noise), "mean", reject=NoiseClip(3))
    assert (stack["count"] == 30).all()


def test_an_outlier_draws_a_mean_but_no_median():
    values = [8, 10, 12, 9, 11, 9000]
    assert kept(column(*values), "mean", SigmaClip((9, -4), scale="mad", max_iter=1)) == [6]
    about = SigmaClip((9, -4), scale="mad", about="median", max_iter=1)
    stack = aw.stack(column(*values), "mean", reject=about)
    assert (stack["count"].item(), stack["image"].item()) == (5, 10.0)
    # of the rms as well: the median is 10.5, an rms of which two lie below 9000
    assert kept(column(*values), "mean", SigmaClip(2.4, about="median")) == [5]
    with pytest.warns(aw.AutowispWarning, match=r"below 2\.24 can"):
        assert kept(column(*values), "mean", SigmaClip(2.4)) == [6]


AT_IT = {
    # 2 rms from the mean, whatever the unit
    "rms": ([10, 10, 10, 10, 11], "mean", SigmaClip((2, -9)), SigmaClip((1.999, -9))),
    # 2 rms from the median
    "rms of 4": ([10, 10, 10, 11], "median", SigmaClip((2, -9)), SigmaClip((1.999, -9))),
    # 7 % and 30 % of the median
    "percentile": ([70, 100, 100, 107], "mean", Percentile(0.3, 0.07), Percentile(0.3, 0.0699)),
}


@pytest.mark.parametrize("unit", [1, 0.1, 1 / 3, 0.37, 1e-5])
@pytest.mark.parametrize("kind", ["f8", "f4"])
@pytest.mark.parametrize("case", AT_IT)
def test_what_is_at_the_threshold_stays_and_what_is_beyond_goes(case, kind, unit):
    values, average, at, beyond = AT_IT[case]
    frames = column(*(unit * np.array(values)), dtype=kind)
    with warnings.catch_warnings():
        # that no value among so few can be beyond
        warnings.simplefilter("ignore", aw.AutowispWarning)
        assert kept(frames, average, at) == [len(values)]
    assert kept(frames, average, beyond) == [len(values) - 1]


@pytest.mark.parametrize("sigma", [0.1, 0.3, 7.0])
@pytest.mark.parametrize("kind", ["f8", "f4"])
def test_what_is_five_times_its_noise_off_stays(kind, sigma):
    values = np.array([1.0, 1.0, 1.0 + 5 * sigma])
    variance = np.full((3, 1, 1, 1), sigma**2)
    frames = column(*values, dtype=kind, variance=variance.astype(kind))
    assert kept(frames, "mean", NoiseClip(5)) == [3]
    assert kept(frames, "mean", NoiseClip(4.999)) == [2]


def test_mad_at_the_threshold_stays():
    # median 10, MAD 1
    values = [9, 9, 10, 11, 11, 10 + 3 * 1.4826]
    values = [*values, 10 - 3 * 1.4826]
    assert kept(column(*values, dtype="f8"), "median", SigmaClip(3, scale="mad")) == [7]
    assert kept(column(*values, dtype="f8"), "median", SigmaClip(2.999, scale="mad")) == [5]


def test_a_median_of_odd_numbers_has_the_rounding_of_one_value():
    noise = 0.5
    camera = Camera(gain=1.0, read_noise=float(np.sqrt(noise**2 + 1 / 12)))
    frames = integers(noise, 5, camera=camera, kind="bias")
    bias = aw.master_bias(frames, average="median")
    # r(5) 0.25 / 5 of the noise
    expected = 1.4341 * 0.25 / 5 + 1 / 12
    np.testing.assert_allclose(bias["variance"], expected, rtol=1e-4)


def test_below_half_a_step_all_values_of_a_pixel_are_off_together():
    noise, step = 0.2, 4
    camera = Camera(gain=1.0, read_noise=step * float(np.sqrt(noise**2 + 1 / 12)))
    bias = aw.master_bias(integers(noise, 50, step=step, camera=camera, kind="bias"))
    common = step**2 * float(common_rounding(noise))
    expected = step**2 * (noise**2 + 1 / 12) / 50 + common * 49 / 50
    np.testing.assert_allclose(bias["variance"], expected, rtol=0.15)
    darks = integers(noise, 50, step=step, camera=camera, kind="dark", seed=6)
    shared = aw.master_dark(darks, bias=bias)["shared_variance"] - bias["variance"]
    np.testing.assert_allclose(shared, common, rtol=0.15)


def test_frames_that_are_read_late_state_the_same_of_their_digits():
    frames = integers(0.4, 6, step=4, kind="bias")
    for average in ("mean", "median"):
        now = aw.master_bias(frames, average=average)
        for chunks in ({"frame": 1}, {"y": 7}):
            assert_frames_equal(aw.master_bias(frames.chunk(chunks), average=average), now)


def test_values_of_any_fraction_have_the_variance_of_normal_ones():
    rng = np.random.default_rng(2)
    frames = frame_set(rng.normal(1000, 0.3, (5, *SHAPE)), variance=np.full((5, *SHAPE), 0.09))
    np.testing.assert_allclose(aw.stack(frames)["variance"], 1.4341 * 0.09 / 5, rtol=1e-4)


@pytest.mark.parametrize("how", ["subtracted", "sky"])
def test_frames_less_a_level_of_their_own_do_not_round_alike(how):
    rng = np.random.default_rng(3)
    truth, levels = rng.random((1, 100, 150)), rng.uniform(0, 40, 31)
    noise = rng.normal(0, 1.0, (31, 1, 100, 150))
    values = np.rint(1000 + truth + levels[:, None, None, None] + noise).astype("f4")
    frames = frame_set(values, variance=np.full_like(values, 1 + 1 / 12))
    sky = {}
    if how == "sky":
        sky = {"sky": levels}
    else:
        frames["image"] = frames["image"] - np.float32(levels)[:, None, None, None]
    for error in ("propagate", "scatter"):
        stack = aw.stack(frames, "median", error=error, **sky)
        true = float((stack["image"] - truth).var())
        assert float(stack["variance"].mean()) / true == pytest.approx(1, abs=0.06)


def test_overscan_pixels_at_the_threshold_stay():
    pixels = np.full((1, 100), 10.0)
    pixels[0, 5] = 11.0
    # s^2 = (0.99^2 + 99 x 0.01^2) / 99 about the mean: 9.9 s off
    for threshold, rejections in ((9.9, 0), (9.899, 1)):
        method = Overscan(average="mean", reject_threshold=threshold, min_pixels=50)
        assert fit(pixels, None, method, "").iterations == rejections
