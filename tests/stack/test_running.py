"""``RunningStack``: a mean that is kept up to date, beside ``stack``, which sees all at once."""

import importlib
import pickle

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import (
    AutowispWarning,
    BadImageError,
    ImageMismatchError,
    RunningStack,
    SigmaClip,
    provenance,
)
from autowisp_xr.testing import assert_frames_equal
from tests.stack.running_table import clip, found, night, ran
from tests.steps.frames import frame_set, text

F8 = {"dtype": "float64"}


def one_by_one(ds, *, numbers=None, **options):
    running = RunningStack(rejected=True, **F8, **options)
    for i in range(ds.sizes["frame"]):
        given = {} if numbers is None else {"weights": numbers[i : i + 1]}
        running.update(ds.isel(frame=[i]), **given)
    return running.result()


def column(*values):
    return frame_set(np.reshape(values, (len(values), 1, 1, 1)).astype("f8"))


def assert_same_but_for_rounding(found, expected, but=()):
    assert set(found.variables) == set(expected.variables)
    for name in set(expected.data_vars) - set(but):
        known = expected["count"].values > 0
        np.testing.assert_allclose(
            found[name].values[known], expected[name].values[known], rtol=1e-12, err_msg=name
        )
    for name, coord in expected.coords.items():
        assert found[name].equals(coord), name


@pytest.fixture
def science(raw, camera, masters):
    """Two sets of frames, of which the second was corrected by the bias alone."""
    alike = raw.assign_coords(exposure=("frame", [60.0] * 3))
    options = {"camera": camera, "overscan": False}
    masters = {name: aw.trim(each, camera.image_area) for name, each in masters.items()}
    masters = {
        name: provenance.record(each, "made", {"of": name}) for name, each in masters.items()
    }
    one = aw.calibrate(alike, **masters, **options)
    return one.assign_coords(exposure=raw["exposure"]), aw.calibrate(
        alike, bias=masters["bias"], **options
    )


# ------------------------------------------------------------------ as a stack of all


def test_a_mean_and_its_scatter_by_hand():
    ds = one_by_one(column(1.0, 2.0, 6.0, 7.0), reject=None)
    assert ds["image"].item() == 4.0
    assert ds["variance"].item() == pytest.approx((9 + 4 + 4 + 9) / (4 * 3), rel=1e-15)
    assert (ds["count"].item(), ds["mask"].item()) == (4, 0)


@pytest.mark.parametrize("error", ["propagate", "scatter"])
@pytest.mark.parametrize("weights", [None, "exposure"])
def test_without_rejection_it_is_the_mean_of_all(science, frames, error, weights):
    options = {"error": error, "weights": weights, "reject": None}
    for ds in (science[0], frames):
        whole = aw.stack(ds, "mean", rejected=True, **F8, **options)
        # the scatter of weighted values is another, as unbiased: see below
        but = ["variance"] if weights and error == "scatter" else []
        assert_same_but_for_rounding(one_by_one(ds, **options), whole, but)


def test_given_weights_are_those_of_the_frames(frames):
    weights = np.array([[1.0, 2.0], [0.0, 1.0], [3.0, 0.5]])
    whole = aw.stack(frames, "mean", weights=weights, rejected=True, **F8)
    found = one_by_one(frames, numbers=weights, weights="given", reject=None)
    assert_same_but_for_rounding(found, whole)


def test_the_scatter_of_weighted_frames_is_true_where_noise_goes_as_one_over_the_weight():
    sigma = np.array([1.0, 2.0, 3.0, 1.0])
    image = 100 + sigma[:, None, None, None] * np.random.default_rng(1).normal(
        size=(4, 1, 200, 200)
    )
    found = one_by_one(frame_set(image), numbers=sigma**-2, weights="given", reject=None)
    assert float(found["variance"].mean() / found["image"].var()) == pytest.approx(1, abs=0.02)


def test_frames_of_several_masters_share_noise_as_in_a_stack_of_all(science):
    one, other = science
    one = one.assign_coords(exposure=other["exposure"])
    other = other.assign_coords(frame=text("a", "b", "c"))
    running = RunningStack(reject=None, rejected=True, **F8)
    running.update(one)
    running.update(other)
    assert_same_but_for_rounding(
        running.result(),
        aw.stack(aw.concat([one, other]), "mean", rejected=True, **F8),
    )


def test_the_first_frames_are_judged_together(rng):
    image = rng.normal(100, 5, (8, 1, 6, 7))
    image[2, 0, 3, 3] = 500
    ds = frame_set(image, variance=np.full(image.shape, 25.0))
    for number in (1, 2, 8):
        some = ds.isel(frame=slice(number))
        whole = aw.stack(some, "mean", reject=clip(5), rejected=True, **F8)
        assert_same_but_for_rounding(one_by_one(some, reject=clip(5)), whole)


def test_stacks_count_what_they_are_made_of(frames):
    halves = [aw.stack(frames.isel(frame=cut), "mean") for cut in (slice(2), slice(2, 3))]
    both = aw.concat(halves)
    whole = aw.stack(both, "mean", rejected=True, **F8)
    assert_same_but_for_rounding(one_by_one(both, reject=None), whole)


# ------------------------------------------------------------------ rejection


@pytest.mark.filterwarnings("ignore:100 %")
def test_what_comes_later_is_judged_by_the_frames_before():
    values = [10.0, 11.0, 9.0, 10.0, 10.5, 9.5, 50.0, 10.0, -30.0, 10.0]
    ds = one_by_one(column(*values), reject=SigmaClip(5), start=4)
    assert (ds["rejected_high"].item(), ds["rejected_low"].item(), ds["count"].item()) == (1, 1, 8)
    assert ds["image"].item() == pytest.approx(10.0)
    assert one_by_one(column(*values), reject=None)["count"].item() == 10


@pytest.mark.filterwarnings("ignore:100 %")
def test_thresholds_of_both_sides_and_the_number_of_frames_count():
    # of 8 values about 0 with s = 1, the next may be sqrt(1 + 1 / 8) t away
    before = np.array([-1.0, 1, -1, 1, -1, 1, -1, 1]) * np.sqrt(7 / 8)
    edge = np.sqrt(1 + 1 / 8)
    for value, kept in ((3.99 * edge, 9), (4.01 * edge, 8), (-5.99 * edge, 9), (-6.01 * edge, 8)):
        ds = one_by_one(column(*before, value), reject=SigmaClip((4, -6)), start=8)
        assert ds["count"].item() == kept, value


def test_frames_of_equal_values_keep_what_is_a_step_off():
    image = np.full((12, 1, 20, 30), 100, np.uint16)
    image[3, 0, 5:], image[10] = 101, 101
    assert (one_by_one(frame_set(image))["count"] == 12).all()


def test_outliers_are_found_and_good_values_kept_nearly_as_by_a_stack_of_all():
    ds, hit = night(20, 12.0, pixels=(1, 120, 150))
    complete, false = found(ds, hit, ran(ds, reject=clip(5)))
    assert complete > 0.985
    assert false < 1e-5


@pytest.mark.parametrize("error", ["propagate", "scatter"])
def test_its_variance_is_true_after_rejection(error):
    ds, _ = night(20, pixels=(1, 200, 300))
    stack = ran(ds, reject=clip(4), error=error)
    assert float(stack["variance"].mean() / stack["image"].var()) == pytest.approx(1, abs=0.02)


def test_a_frame_of_another_level_is_named():
    ds, _ = night(10, pixels=(1, 20, 30))
    ds["image"][9] += 200
    running = RunningStack()
    running.update(ds.isel(frame=slice(9)))
    with pytest.warns(AutowispWarning, match=r"100 % of object-9 was rejected: its level"):
        running.update(ds.isel(frame=[9]))


def test_a_sky_that_changes_hides_no_outlier_and_makes_none():
    ds, _ = night(14, pixels=(1, 30, 40))
    sky = np.linspace(0, 400, 14)
    ds["image"] += xr.DataArray(sky, dims="frame")
    ds["image"][11, 0, 3, 4] += 150
    options = {"sky": ("median", None), "reject": clip(5)}
    found = one_by_one(ds, **options)
    assert (found["rejected_high"].sum(), found["rejected_high"][0, 3, 4]) == (1, 1)
    assert found["rejected_low"].sum() == 0
    whole = aw.stack(ds, "mean", rejected=True, **options, **F8)
    assert_same_but_for_rounding(found, whole)


def test_a_scale_is_matched_where_outliers_are_found():
    ds, _ = night(12, pixels=(1, 30, 40))
    ds = ds * xr.DataArray(np.linspace(1, 0.5, 12), dims="frame")
    ds["image"][10, 0, 3, 4] += 150
    ds["variance"] = ds["variance"].astype("f4")
    ds = aw.schema.with_attributes(ds, "adu")
    region = aw.Match("mean", region={"xmin": 0, "xmax": 40, "ymin": 5, "ymax": 30})
    found = one_by_one(ds, scale=(region, None), reject=clip(5))
    assert (found["rejected_high"].sum(), found["rejected_high"][0, 3, 4]) == (1, 1)
    np.testing.assert_allclose(found["image"][0, 8], ds["image"].mean("frame")[0, 8], rtol=1e-6)


# ------------------------------------------------------------------ manners


def test_however_the_frames_come_the_bits_are_the_same(science):
    options = {"start": 2, "rejected": True, "allow_mismatch": ["exposure"]}
    ds = science[0].chunk(frame=2, y=2)
    running = RunningStack(**options, **F8)
    before = ds.copy(deep=True)
    running.update(ds)
    assert_frames_equal(
        running.result(), one_by_one(science[0], start=2, allow_mismatch=["exposure"])
    )
    assert ds.identical(before)
    assert len(running) == 3


def test_what_does_not_go_together_is_refused_and_none_of_it_taken_in(frames):
    frames = frames.assign_coords(exposure=("frame", [60.0] * 3))
    running = RunningStack()
    with pytest.raises(ImageMismatchError, match="no frame has come in yet"):
        running.result()
    running.update(frames.isel(frame=[0]))
    new = frames.isel(frame=[1, 2])
    for other, reason in (
        (frames.isel(frame=[0]), "object-0 is in the running stack already"),
        (new.isel(x=slice(3)), "select the same area"),
        (new.drop_vars("variance"), "calibrated"),
        (new.assign_coords(filter=("frame", text("V", "R"))), "several filters"),
        (new.assign(photon_slope=new["variance"]), "no 'photon_slope', object-1 has"),
    ):
        with pytest.raises(ImageMismatchError, match=reason):
            running.update(other)
    assert len(running) == 1
    running.update(new)
    assert len(running) == 3


def test_options_that_there_are_not_are_refused(frames):
    for options, reason in (
        ({"reject": aw.MinMax()}, "rejects by SigmaClip"),
        ({"weights": "size"}, "'given'"),
        ({"start": 0}, "at least 1"),
        ({"sky": "median"}, r"sky is \('median', None\)"),
        ({"scale": ("exposure", None)}, "matches frames to the first one"),
        ({"error": "no"}, "error"),
    ):
        with pytest.raises(ValueError, match=reason):
            RunningStack(**options)
    for weights, given in (
        (None, [1, 1, 1]),
        ("given", None),
        ("given", np.ones(frames.image.shape)),
    ):
        with pytest.raises(ValueError, match="weights"):
            RunningStack(weights=weights).update(frames, weights=given)


def test_a_stack_that_was_interrupted_in_a_frame_is_used_no_more(frames, monkeypatch):
    running = RunningStack(start=1, allow_mismatch=["exposure"])
    running.update(frames.isel(frame=[0]))

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module("autowisp_xr.stack.running"), "taken_in", stop)
    with pytest.raises(KeyboardInterrupt):
        running.update(frames.isel(frame=[1]))
    with pytest.raises(RuntimeError, match="open the one that was saved last"):
        running.result()


@pytest.mark.filterwarnings("ignore:some frames share a part")
@pytest.mark.parametrize("number", [2, 6])
def test_it_is_taken_up_where_it_was_saved(science, tmp_path, number):
    one, other = (ds.assign_coords(exposure=("frame", [60.0] * 3)) for ds in science)
    both = aw.concat([one, other.assign_coords(frame=text("a", "b", "c"))])
    frames = both.isel(frame=slice(number))
    options = {"start": 4, "rejected": True, "reject": SigmaClip((5, -4)), "weights": "exposure"}
    options["sky"] = (aw.Match("mean", region="[3:12,2:5]"), None)
    whole, part = RunningStack(**options), RunningStack(**options)
    part.update(frames.isel(frame=slice(number - 1)))
    whole.update(frames)
    with pytest.raises(FileNotFoundError):
        RunningStack.open(tmp_path / "r.zarr", group="deep")
    part.to_zarr(tmp_path / "r.zarr", group="deep")
    for again in (
        RunningStack.open(tmp_path / "r.zarr", group="deep"),
        pickle.loads(pickle.dumps(part)),
    ):
        again.update(frames.isel(frame=[number - 1]))
        assert_frames_equal(again.result(), whole.result())
    part.to_zarr(tmp_path / "r.zarr", group="deep")
    aw.to_zarr(one, tmp_path / "r.zarr", group="frames")
    with pytest.raises(BadImageError, match="no running stack"):
        RunningStack.open(tmp_path / "r.zarr", group="frames")
