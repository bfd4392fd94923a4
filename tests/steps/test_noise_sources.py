"""Noise that frames of several sets share within each, and how it goes into their stack."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import AutowispWarning, ImageMismatchError, provenance
from tests.steps.frames import frame_set, master, text

F8 = {"dtype": "float64"}


def named_master(name, level, variance, **options):
    made = master(np.full((2, 3), level), np.full((2, 3), variance), **options)
    return provenance.record(made, "stack", {"name": name})


def night(name, *, bias=None, flat=None, level=100.0, number=2, seed=1):
    """Calibrated frames whose own variance is 20."""
    shape = (number, 1, 2, 3)
    values = np.random.default_rng(seed).normal(level, 5, shape)
    frames = frame_set(values, variance=np.full(shape, 20.0))
    frames = frames.assign_coords(frame=text(*(f"{name}{i}" for i in range(number))))
    if bias is not None:
        frames = aw.subtract_bias(frames, bias, **F8)
    return frames if flat is None else aw.divide_flat(frames, flat, **F8)


BIASES = [named_master("one", 0.0, 3.0), named_master("two", 0.0, 5.0)]
FLATS = [named_master(name, 1.0, v, units="1") for name, v in (("one", 1e-3), ("two", 4e-3))]


def joined(*sets):
    return xr.concat(sets, "frame", data_vars="all")


def test_noise_that_each_set_shares_for_itself_averages_down_between_sets():
    sets = [night("a", bias=BIASES[0]), night("b", bias=BIASES[1], number=3)]
    for order in (sets, sets[::-1]):
        stack = aw.stack(joined(*order), "mean", **F8)
        np.testing.assert_allclose(stack["variance"], 20 / 5 + 0.4**2 * 3 + 0.6**2 * 5)
        np.testing.assert_allclose(stack["shared_variance"], 0.4**2 * 3 + 0.6**2 * 5)


def test_noise_of_one_master_is_shared_between_sets():
    sets = [night("a", bias=BIASES[0]), night("b", bias=BIASES[0], number=3)]
    stack = aw.stack(joined(*sets), "mean", **F8)
    np.testing.assert_allclose(stack["variance"], 20 / 5 + 3)


@pytest.mark.parametrize("weights", [None, [1.0, 1.0, 3.0, 3.0]])
def test_flats_of_their_own_average_down_by_what_each_set_adds_to_the_mean(weights):
    """Frames of other exposures have other values; their share of a mean is of its value."""
    sets = [night("a", flat=FLATS[0], level=100.0), night("b", flat=FLATS[1], level=400.0)]
    frames = joined(*sets)
    stack = aw.stack(frames, "mean", weights=weights, allow_mismatch="exposure", **F8)
    p = np.array(weights or [1.0] * 4) / np.sum(weights or [1.0] * 4)
    parts = p[:, None, None, None] * frames["image"].values
    own = 20 * (p**2).sum()
    expected = own + parts[:2].sum(axis=0) ** 2 * 1e-3 + parts[2:].sum(axis=0) ** 2 * 4e-3
    np.testing.assert_allclose(stack["variance"], expected)
    share = p[:2].sum() ** 2 * 1e-3 + p[2:].sum() ** 2 * 4e-3
    np.testing.assert_allclose(stack["shared_relative_variance"], share)


def test_a_median_shares_by_the_number_of_its_frames():
    frames = joined(night("a", flat=FLATS[0]), night("b", flat=FLATS[1], number=3))
    bare = frames.drop_vars(["shared_relative_variance", "shared_relative_variance_from"])
    bare["variance"] = bare["variance"] * 0 + 20.0
    stack, own = (aw.stack(ds, "median", **F8) for ds in (frames, bare))
    share = 0.4**2 * 1e-3 + 0.6**2 * 4e-3
    np.testing.assert_allclose(stack["variance"], own["variance"] + own["image"] ** 2 * share)


def test_rejected_frames_have_no_part_in_what_is_shared():
    frames = joined(night("a", bias=BIASES[0]), night("b", bias=BIASES[1]))
    frames["mask"][:2, 0, 0, 0] = 1
    stack = aw.stack(frames, "mean", **F8)
    assert float(stack["shared_variance"][0, 0, 0]) == pytest.approx(5.0)
    assert float(stack["shared_variance"][0, 1, 1]) == pytest.approx(0.25 * 8)


def test_a_part_of_the_masters_in_common_makes_an_upper_limit_and_is_reported():
    one = night("a", bias=BIASES[0])
    dark = master(np.zeros((2, 3)), np.full((2, 3), 5.0))
    two = aw.subtract_dark(night("b", bias=BIASES[0]), dark, **F8)
    with pytest.warns(AutowispWarning, match="share a part of their masters.*an upper limit"):
        stack = aw.stack(joined(one, two), "mean", **F8)
    limit = (0.5 * np.sqrt(3) + 0.5 * np.sqrt(8)) ** 2
    np.testing.assert_allclose(stack["shared_variance"], limit)


def test_planes_of_the_first_of_several_sets_are_refused_with_the_remedy():
    sets = [night("a", bias=BIASES[0]), night("b", bias=BIASES[1])]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        frames = xr.concat(sets, "frame")
    with pytest.raises(ImageMismatchError, match=r"several nights.*aw\.concat\(\[one, other\]\)"):
        aw.stack(frames, "mean")


def test_stacks_that_share_nothing_may_be_joined_by_xarray():
    stacks = [aw.stack(night(name), "mean", rejected=True) for name in "ab"]
    ours, theirs = aw.concat(stacks), xr.concat(stacks, "frame")
    xr.testing.assert_equal(
        aw.stack(theirs, "mean").reset_coords(drop=True),
        aw.stack(ours, "mean").reset_coords(drop=True),
    )


def test_a_dark_that_is_not_scaled_takes_the_noise_of_its_bias_with_it():
    bias = BIASES[0]
    dark = provenance.record(named_master("d", 0.0, 7.0), "stack", masters={"bias": bias})
    dark = dark.assign_coords(exposure=60.0)
    frames = night("a", bias=bias).assign_coords(exposure=("frame", [60.0, 30.0]))
    found = aw.subtract_dark(frames, dark, scale_dark="down")["shared_variance_from"].values
    ids = [provenance.identity(ds) for ds in (dark, bias)]
    assert [set(names.split()) for names in found] == [{ids[0]}, set(ids)]


def test_masters_that_were_not_found_are_reported_when_their_noise_is_missed():
    frames = night("a").assign_coords(shared_variance_from=("frame", text("?abc", "?abc")))
    with pytest.warns(AutowispWarning, match=r"masters that were not found \(abc\).*masters/"):
        aw.stack(frames, "mean")
    aw.stack(frames, "mean", error="scatter")


def test_a_stack_shares_the_noise_of_all_its_masters():
    frames = joined(night("a", bias=BIASES[0]), night("b", bias=BIASES[1]))
    names = str(aw.stack(frames, "mean")["shared_variance_from"].values).split()
    assert set(names) == {provenance.identity(bias) for bias in BIASES}
