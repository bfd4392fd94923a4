"""``stack``: means in which some frames count more than others."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Flag, MinMax, SigmaClip
from autowisp_xr.bridge.sampled_rows import grid_of
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.stack.weights import weights_of
from autowisp_xr.stats.sampling import grid_step
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.stack.test_stacking import F8, column, one
from tests.steps.frames import TWO_CHANNELS, frame_set, text
from tests.steps.test_contracts import lazy


def slow_mean(values, weights, variance):
    """Weighted mean of some values, its variance from theirs, and from their scatter."""
    p = weights / weights.sum()
    mean = (p * values).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        scatter = (p**2 * (values - mean) ** 2 / (1 - p)).sum()
    return mean, (p**2 * variance).sum(), scatter


def same(found, expected):
    """All planes have the same bits, though histories differ in what they call the weights."""
    assert list(found.data_vars) == list(expected.data_vars)
    for name in expected.data_vars:
        np.testing.assert_array_equal(found[name], expected[name])


def weighted(frames, weights, **options):
    return aw.stack(frames, "mean", weights=weights, **F8, **options)


# ---------------------------------------------------------------------- by hand


def test_a_weighted_mean_by_hand():
    frames = column(1.0, 2.0, 6.0, variance=[4.0, 1.0, 2.0])
    ds = weighted(frames, [1, 2, 1])
    assert one(ds) == 2.75
    assert one(ds, "variance") == pytest.approx((4 + 4 * 1 + 2) / 16, rel=1e-15)
    assert one(ds, "count") == 3
    scatter = weighted(frames, [1, 2, 1], error="scatter")
    expected = 1.75**2 / 16 / 0.75 + 0.75**2 / 4 / 0.5 + 3.25**2 / 16 / 0.75
    assert one(scatter, "variance") == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("error", ["scatter", "propagate"])
def test_equal_weights_are_no_weights(frames, error):
    plain = aw.stack(frames, "mean", error=error, **F8)
    equal = weighted(frames, np.full(3, 7.3), error=error)
    for name in plain.data_vars:
        np.testing.assert_allclose(equal[name], plain[name], rtol=1e-12)


def test_exposures_are_weights():
    frames = column(1.0, 2.0, 6.0, exposure=[30.0, 60.0, 30.0])
    same(weighted(frames, "exposure"), weighted(frames, [30, 60, 30]))
    assert one(weighted(frames, "exposure")) == 2.75


def test_the_inverse_of_the_median_variance_is_a_weight_of_frame_and_channel():
    rng = np.random.default_rng(5)
    image, variance = rng.normal(100, 5, (3, 2, 4, 5)), rng.uniform(10, 50, (3, 2, 4, 5))
    variance[1] *= 4
    mask = np.zeros(image.shape, np.uint8)
    mask[0, 0, 0] = Flag.COSMIC
    variance[0, 0, 0] = 1e9
    image[2, 1, 1, 1] = np.nan
    variance[2, 1, 1, 1] = np.nan
    shared = np.full((2, 4, 5), 5.0)
    camera = aw.Camera(channels=TWO_CHANNELS)
    frames = frame_set(image, camera=camera, variance=variance, mask=mask, shared_variance=shared)
    own = np.where(mask != 0, np.nan, variance - 5.0)
    expected = weighted(frames, 1 / np.nanmedian(own, axis=(2, 3)))
    same(weighted(frames, "variance"), expected)


def test_of_large_frames_a_grid_of_pixels_is_looked_at():
    """512 x 1024: every third pixel of every third row."""
    rng = np.random.default_rng(6)
    image = rng.normal(100, 5, (2, 1, 512, 1024)).astype("f4")
    variance = rng.uniform(10, 50, image.shape).astype("f4")
    frames = frame_set(image, variance=variance)
    medians = np.median(variance[:, :, ::3, ::3].astype("f8"), axis=(2, 3))
    expected = weighted(frames, 1 / medians)
    np.testing.assert_array_equal(weighted(frames, "variance")["image"], expected["image"])
    assert medians == pytest.approx(np.median(variance, axis=(2, 3)), rel=0.01)


def test_a_frame_without_any_pixel_has_no_weight():
    frames = column(1.0, 2.0, 6.0, variance=[1.0, 1.0, 1.0], mask=[0, Flag.COSMIC, 0])
    assert one(weighted(frames, "variance")) == 3.5


def test_a_value_of_no_weight_is_left_out_as_a_flagged_one_is():
    ds = weighted(column(5.0, 1.0, 3.0, variance=[1.0] * 3, mask=[Flag.HOT, 0, 0]), [0, 1, 1])
    assert (one(ds), one(ds, "count"), one(ds, "mask")) == (2.0, 2, 0)
    few = weighted(column(5.0, 1.0, variance=[1.0] * 2), [0, 1], min_values=2)
    assert (one(few), one(few, "count"), one(few, "mask")) == (1.0, 1, Flag.FAULT)
    frames = column(1.0, 2.0, 40.0, 1.5, 99.0, variance=[1.0, 2.0, 3.0, 4.0, 5.0])
    options = {"reject": SigmaClip(1.4), "rejected": True}
    expected = weighted(frames.isel(frame=[0, 1, 3, 4]), [1, 2, 1, 3], **options)
    assert one(expected, "rejected_high") == 1
    for weights in (np.array([1, 2, 0, 1, 3]), np.reshape([1, 2, 0, 1, 3], (5, 1, 1, 1))):
        same(weighted(frames, weights, **options), expected)


def test_weights_of_photon_noise_do_not_pull_the_mean_down():
    """Each pixel weighed by its own variance would: by 1 of 20 electrons."""
    rng = np.random.default_rng(7)
    frames = frame_set(
        rng.poisson(20.0, (10, 1, 200, 300)).astype("f4"),
        camera=aw.Camera(gain=1.0, read_noise=0.5),
    )
    frames = aw.add_noise(frames)
    assert float(weighted(frames, "variance")["image"].mean()) == pytest.approx(20.0, abs=0.02)
    by_pixel = weighted(frames, 1 / frames["variance"].values)
    assert float(by_pixel["image"].mean()) < 19.2


# ---------------------------------------------------------------------- the slow version


@pytest.mark.parametrize("kind", ["frame", "channel", "pixel"])
@pytest.mark.parametrize("error", ["scatter", "propagate"])
def test_the_verb_agrees_with_the_slow_version(frames, kind, error):
    rng = np.random.default_rng(8)
    shape = {"frame": (3,), "channel": (3, 2), "pixel": (3, 2, 5, 7)}[kind]
    weights = rng.uniform(0.5, 2, shape)
    clip = SigmaClip(1.37)
    frames = frames.assign_coords(exposure=("frame", [60.0] * 3))
    before = frames.copy(deep=True)
    ds = weighted(frames, weights, error=error, reject=clip)
    # rejection does not look at weights
    plain = aw.stack(frames, "mean", error=error, reject=clip, **F8)
    np.testing.assert_array_equal(ds["count"], plain["count"])
    np.testing.assert_array_equal(ds["mask"], plain["mask"])
    cube = np.broadcast_to(weights.reshape(shape + (1,) * (4 - len(shape))), (3, 2, 5, 7))
    image, variance = (frames[name].values.astype("f8") for name in ("image", "variance"))
    good = np.isfinite(image) & (frames["mask"].values & Flag.UNUSABLE == 0)
    for c, y, x in np.ndindex(2, 5, 7):
        column = image[:, c, y, x]
        kept = good[:, c, y, x]
        if kept.sum() == 3 and plain["count"].values[c, y, x] == 2:
            kept = np.abs(column - column.mean()) < np.abs(column - column.mean()).max()
        if not kept.any():
            continue
        mean, propagated, scatter = slow_mean(
            column[kept], cube[:, c, y, x][kept], variance[:, c, y, x][kept]
        )
        np.testing.assert_allclose(ds["image"].values[c, y, x], mean, rtol=1e-13)
        expected = propagated if error == "propagate" else scatter
        np.testing.assert_allclose(ds["variance"].values[c, y, x], expected, rtol=1e-11)
    assert_frames_equal(frames, before)


def test_what_frames_share_is_weighed_by_amplitude():
    frames = frame_set(
        np.full((2, 1, 1, 1), 100.0),
        variance=np.reshape([6.0, 9.0], (2, 1, 1, 1)),
        shared_variance=np.reshape([1.0, 4.0], (2, 1, 1, 1)),
        shared_relative_variance=np.full((1, 1, 1), 1e-4),
    )
    ds = weighted(frames, [3.0, 1.0])
    shared = (0.75 * 1 + 0.25 * 2) ** 2
    assert one(ds, "shared_variance") == pytest.approx(shared, rel=1e-14)
    own = (9 * (6 - 1 - 1) + (9 - 4 - 1)) / 16
    assert one(ds, "variance") == pytest.approx(own + shared + 1.0, rel=1e-12)


def test_a_value_with_all_the_weight_has_no_scatter():
    frames = column(1.0, 2.0, 6.0, mask=[0, 4, 4])
    ds = weighted(frames, [49.0, 1.0, 1.0], error="scatter")
    assert (one(ds), one(ds, "mask")) == (1.0, Flag.FAULT)
    assert np.isnan(one(ds, "variance"))
    some = weighted(column(1.0, 2.0, 6.0, mask=[0, 0, 0]), [0.0, 1.0, 0.0], error="scatter")
    assert (one(some), one(some, "mask")) == (2.0, Flag.FAULT)


def test_a_pixel_whose_values_weigh_nothing_is_a_fault():
    frames = column(1.0, 2.0, 6.0, variance=[1.0] * 3, mask=[0, 0, 4])
    ds = weighted(frames, [0, 0, 1])
    assert np.isnan(one(ds))
    assert (one(ds, "count"), one(ds, "mask")) == (0, Flag.FAULT | Flag.COSMIC)
    assert one(weighted(frames, [0, 1, 1])) == 2.0


def test_extremes_go_before_the_rest_is_weighed():
    frames = column(1.0, 2.0, 4.0, 100.0, variance=[1.0] * 4)
    ds = weighted(frames, [5, 1, 3, 1], reject=MinMax())
    assert (one(ds), one(ds, "count")) == (3.5, 2)


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize("average", ["median", 0.3])
def test_only_a_mean_has_weights(average):
    with pytest.raises(ValueError, match="only a mean has weights: choose average='mean'"):
        aw.stack(column(1.0, 2.0), average, weights=[1, 2])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("time", "weights are None, 'exposure', 'variance', 'noise' or an array, not 'time'"),
        ([1, -1], r"a weight of object-1 is -1; weights are finite and not negative"),
        ([1, np.nan], "a weight of object-1 is nan"),
        ([np.inf, 1], "a weight of object-0 is inf"),
        ([0, 0], "all weights are 0"),
        ([1, 2, 3], r"the shape \(3,\); expected \(frame\), .* of the frames: \[\(2,\), \(2, 1\)"),
        (2.0, r"the shape \(\)"),
        (np.ones((2, 1, 1)), r"the shape \(2, 1, 1\)"),
        (xr.DataArray([1.0], dims="channel"), r"the dims \('channel',\)"),
        (xr.DataArray(np.ones((1, 2)), dims=("z", "frame")), r"the dims \('frame', 'z'\)"),
    ],
)
def test_impossible_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        aw.stack(column(1.0, 2.0), "mean", weights=weights)


@pytest.mark.parametrize("unknown", [np.nan, 0.0, -1.0, np.inf])
def test_all_exposures_must_be_known(unknown):
    frames = column(1.0, 2.0, 3.0, exposure=[30.0, unknown, 30.0])
    with pytest.raises(aw.ImageMismatchError, match=r"object-1 has the exposure .* cannot be wei"):
        aw.stack(frames, "mean", weights="exposure")
    with pytest.raises(aw.ImageMismatchError, match="no coordinate 'exposure' to weigh them by"):
        aw.stack(frames.drop_vars("exposure"), "mean", weights="exposure")


def test_there_must_be_a_variance_to_weigh_by():
    with pytest.raises(aw.ImageMismatchError, match=r"needs the variance .*; calibrate them"):
        aw.stack(column(1.0, 2.0), "mean", weights="variance")
    frames = column(1.0, 2.0, variance=[1.0, 0.0])
    with pytest.raises(aw.ImageMismatchError, match=r"pixels of object-1 have no variance but"):
        aw.stack(frames, "mean", weights="variance")


def test_weights_of_other_frames_are_refused():
    frames = column(1.0, 2.0)
    labels = {"frame": text("object-1", "object-0")}
    with pytest.raises(aw.ImageMismatchError, match=r"for other labels along 'frame': \['object-1"):
        aw.stack(frames, "mean", weights=xr.DataArray([1.0, 2.0], labels, dims="frame"))


# ---------------------------------------------------------------------- promises


def test_labelled_weights_come_in_any_order_of_dims(frames):
    values = np.random.default_rng(9).uniform(1, 2, (3, 2))
    labels = {name: frames[name] for name in ("frame", "channel")}
    labelled = xr.DataArray(values, dims=("frame", "channel")).assign_coords(labels)
    expected = weighted(frames, values)
    for given in (labelled, labelled.transpose(), labelled.chunk(frame=1)):
        assert_frames_equal(weighted(frames, given), expected)


@pytest.mark.parametrize("weights", ["exposure", "variance", "channel", "pixel", "lazy"])
@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 2, "x": 3}, {"channel": 1, "frame": 2}])
def test_chunks_change_no_bit(frames, weights, chunks):
    rng = np.random.default_rng(10)
    cube = rng.uniform(1, 2, (3, 2, 5, 7))
    given = {"channel": rng.uniform(1, 2, (3, 2)), "pixel": cube}.get(weights, weights)
    lazily = given
    if weights == "lazy":
        given = xr.DataArray(cube, dims=frames["image"].dims)
        lazily = given.chunk(frame=1, x=2)
    with no_compute():
        found = weighted(lazy(frames, **chunks), lazily, rejected=True)
    assert all(found[name].chunks for name in found.data_vars)
    same(found.compute(), weighted(frames, given, rejected=True))


def test_impossible_weights_that_were_not_computed_are_refused_when_they_are(frames):
    cube = xr.DataArray(np.ones((3, 2, 5, 7)), dims=frames["image"].dims)
    cube[1, 0, 3, 3] = -2.0
    found = weighted(frames, cube.chunk(y=2))
    with pytest.raises(ValueError, match="a weight of object-1 is -2"):
        found.compute()


def test_many_lazy_frames_are_weighed_in_pieces_of_their_own():
    """Sliced and rechunked frames, too; and no piece of the planes is cut for the weights."""
    rng = np.random.default_rng(11)
    image = rng.normal(100, 5, (40, 1, 12, 9))
    frames = frame_set(image, variance=rng.uniform(10, 50, image.shape))
    expected = weighted(frames.isel(frame=slice(2, None), x=slice(1, 8, 2)), "variance")
    chunked = frames.chunk(frame=5, y=4).isel(frame=slice(2, None), x=slice(1, 8, 2)).chunk(y=5)
    same(weighted(chunked, "variance").compute(), expected)


def test_lazy_weights_have_no_task_of_the_frames_and_hold_none_of_their_pieces():
    """Else all bands would wait in memory until the weights are known."""
    image = np.random.default_rng(16).normal(100, 5, (4, 1, 600, 500))
    frames = lazy(frame_set(image, variance=image), frame=1, y=100)
    found = weights_of(frames, "variance", MEAN, int(Flag.BAD))
    assert found.chunksizes["frame"] == (4,)
    tasks = {str(key) for key in dict(found.data.__dask_graph__())}
    theirs = {str(key) for name in ("image", "variance") for key in dict(frames[name].data.dask)}
    assert len(tasks) > len(theirs)
    assert not tasks & theirs
    piece = grid_of(frames, ["variance"])["variance"].data.blocks[0, 0, 0, 0].compute()
    step = grid_step(600, 500)
    assert piece.base is None
    assert step > 1
    np.testing.assert_array_equal(piece, image[:1, :, :100:step, ::step])


def test_frames_from_disk_are_weighed_alike(tmp_path, frames):
    stored = aw.to_zarr(frames, tmp_path / "f.zarr")
    with no_compute():
        found = weighted(stored, "variance")
    same(found.compute(), weighted(frames, "variance"))


def test_the_history_echoes_names_and_digests(frames):
    def echo(weights):
        return weighted(frames, weights).autowisp.history()[-1]["options"]["weights"]

    assert echo(None) is None
    assert echo("exposure") == "exposure"
    cube = np.random.default_rng(12).uniform(1, 2, (3, 2, 5, 7))
    first = echo(cube)
    assert (first["dims"], first["shape"]) == (["frame", "channel", "y", "x"], [3, 2, 5, 7])
    assert echo(cube.copy()) == first
    assert echo(cube + 1)["digest"] != first["digest"]
    chunked = xr.DataArray(cube, dims=first["dims"]).chunk(y=2)
    assert echo(chunked) == echo(chunked)


def test_masters_are_weighed():
    rng = np.random.default_rng(13)
    raw = frame_set(rng.normal(1000, 5, (3, 1, 4, 5)), kind="bias")
    bias = aw.master_bias(raw, average="mean", weights=[1, 2, 1], **F8)
    expected = np.average(raw["image"], axis=0, weights=[1, 2, 1])
    np.testing.assert_allclose(bias["image"], expected, rtol=1e-6)
    darks = frame_set(rng.normal(1100, 5, (3, 1, 4, 5)), kind="dark")
    dark = aw.master_dark(darks, bias=bias, average="mean", weights="exposure", **F8)
    plain = aw.master_dark(darks, bias=bias, average="mean", **F8)
    np.testing.assert_allclose(dark["image"], plain["image"], rtol=1e-12)
    camera = aw.Camera(gain=1.0, read_noise=5.0)
    flats = frame_set(rng.normal(20000, 100, (3, 1, 4, 5)), kind="flat", camera=camera)
    flat = aw.master_flat(flats, bias=bias, average="mean", weights="variance", **F8).high
    assert float(flat["image"].mean()) == pytest.approx(1.0, rel=0.01)


def test_an_exposure_that_all_frames_have_in_common_weighs_them_alike():
    frames = column(1.0, 2.0, 6.0).drop_vars("exposure", errors="ignore")
    assert one(weighted(frames.assign_coords(exposure=60.0), "exposure")) == 3.0
