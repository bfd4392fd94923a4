"""What must hold for every stack, whatever the frames."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import Flag, SigmaClip
from autowisp_xr.testing import assert_frames_equal, chunkings, frame_sets
from tests.steps.frames import frame_set

AVERAGES = st.sampled_from(["median", "mean", 0.3, 0.0])
CLIPS = st.sampled_from(
    [
        None,
        SigmaClip(1.31),
        SigmaClip((1.17, -2.3), max_iter=1),
        SigmaClip(3.0, scale="mad"),
        SigmaClip(2.1, scale="mad", max_iter=2),
    ]
)
ERRORS = st.sampled_from(["auto", "scatter"])
UNUSABLE_BITS = st.integers(1, 255).filter(lambda bits: bits & Flag.UNUSABLE)
PLANES = ("image", "variance", "mask", "count")


def stacked(ds, average="median", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", aw.AutowispWarning)
        return aw.stack(ds, average, **options)


@given(st.data(), frame_sets(max_frames=6), AVERAGES, CLIPS, ERRORS)
def test_any_order_of_the_frames_gives_the_same(data, ds, average, clip, error):
    order = data.draw(st.permutations(range(ds.sizes["frame"])))
    options = {"reject": clip, "error": error}
    one = stacked(ds, average, **options)
    other = stacked(ds.isel(frame=list(order)), average, **options)
    exact = ["image", "mask", "count"]
    assert_frames_equal(other[exact], one[exact], ignore={"time"})
    # the noise of whole numbers is estimated from neighbours, which a turn and a reversal keep
    neighbours = np.roll(range(ds.sizes["frame"]), order[0])[:: 1 if order[0] % 2 else -1]
    other = stacked(ds.isel(frame=neighbours), average, **options)
    # variances are summed in the order of the frames
    np.testing.assert_allclose(other["variance"], one["variance"], rtol=1e-6)


@given(st.data(), frame_sets(max_frames=6), AVERAGES, CLIPS, ERRORS)
def test_any_chunks_give_the_same_bits(data, ds, average, clip, error):
    chunks = data.draw(chunkings(ds))
    options = {"reject": clip, "error": error}
    assert_frames_equal(stacked(ds.chunk(chunks), average, **options),
                        stacked(ds, average, **options))  # fmt: skip


@given(frame_sets(raw=False, max_frames=5), AVERAGES, CLIPS, st.sampled_from([0.25, 2.0, 1024.0]))
def test_values_that_are_scaled_give_a_stack_that_is_scaled(ds, average, clip, factor):
    """By powers of two, so that rounding is the same."""
    scaled = ds.assign(image=ds["image"] * factor, variance=ds["variance"] * factor**2)
    one = stacked(ds, average, reject=clip, dtype="float64")
    other = stacked(scaled, average, reject=clip, dtype="float64")
    np.testing.assert_array_equal(other["image"], one["image"] * factor)
    np.testing.assert_allclose(other["variance"], one["variance"] * factor**2, rtol=1e-12)
    np.testing.assert_array_equal(other["count"], one["count"])
    np.testing.assert_array_equal(other["mask"], one["mask"])


@given(st.data(), frame_sets(raw=False, min_frames=2, max_frames=6), AVERAGES, CLIPS, ERRORS)
def test_a_frame_that_is_masked_is_as_good_as_absent(data, ds, average, clip, error):
    absent = data.draw(st.integers(0, ds.sizes["frame"] - 1))
    rest = ds.isel(frame=[i for i in range(ds.sizes["frame"]) if i != absent])
    ds = ds.copy(deep=True)
    ds["mask"][absent] |= np.uint8(Flag.COSMIC)
    with_it = stacked(ds, average, reject=clip, error=error)
    without = stacked(rest, average, reject=clip, error=error)
    for name in ("image", "variance", "count"):
        np.testing.assert_array_equal(with_it[name], without[name], err_msg=name)
    some = without["count"].values > 0
    # but for what it hides by having been too bright
    hidden = ds["mask"].values[absent] & np.uint8(Flag.SATURATED)
    expected = without["mask"].values | hidden
    np.testing.assert_array_equal(with_it["mask"].values[some], expected[some])


@given(
    st.sampled_from(["u1", "u2", "i4", "f4", "f8"]),
    st.integers(0, 250),
    st.integers(2, 12),
    AVERAGES,
    CLIPS,
)
def test_constant_frames_give_the_constant_and_no_variance_but_of_rounding(
    dtype, constant, number, average, clip
):
    ds = frame_set(np.full((number, 1, 2, 3), constant, dtype))
    result = stacked(ds, average, reject=clip)
    np.testing.assert_array_equal(result["image"], constant)
    # a level between two whole numbers may be behind all of them
    of_rounding = 1 / 12 if np.dtype(dtype).kind in "iu" else 0.0
    assert (result["variance"] <= np.float32(of_rounding)).all()
    np.testing.assert_array_equal(result["count"], number)
    assert not result["mask"].values.any()


@given(frame_sets(raw=False, max_frames=4), AVERAGES, CLIPS, ERRORS, UNUSABLE_BITS)
def test_where_all_is_unusable_there_is_nan_and_every_flag(ds, average, clip, error, bits):
    ds = ds.assign(mask=ds["mask"] | np.uint8(bits))
    result = stacked(ds, average, reject=clip, error=error)
    assert np.isnan(result["image"]).all()
    assert np.isnan(result["variance"]).all()
    assert not result["count"].values.any()
    expected = np.bitwise_or.reduce(ds["mask"].values, axis=0) | Flag.FAULT
    np.testing.assert_array_equal(result["mask"], expected)


@given(
    frame_sets(max_frames=5), AVERAGES, CLIPS, ERRORS, st.sampled_from(["BAD", "FAULT", 0, "HOT"])
)
def test_nan_is_always_flagged_and_counts_are_those_of_values(ds, average, clip, error, exclude):
    result = stacked(ds, average, reject=clip, error=error, exclude=exclude)
    nan = np.isnan(result["image"].values)
    unknown = ~np.isfinite(result["variance"].values)
    assert (result["mask"].values[nan | unknown] & Flag.FAULT).all()
    np.testing.assert_array_equal(result["count"].values == 0, nan)
    variance = result["variance"].values
    assert not (variance < 0).any()
    image = ds["image"].values.astype("f8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing but NaN in a column
        low, high = np.nanmin(image, axis=0), np.nanmax(image, axis=0)
    inside = (result["image"].values[~nan] >= low[~nan].astype("f4")) & (
        result["image"].values[~nan] <= high[~nan].astype("f4")
    )
    assert inside.all()


@given(frame_sets(max_frames=5, raw=True), CLIPS)
def test_the_array_level_average_agrees_with_the_verb(ds, clip):
    if clip is None or clip.scale == "mad":
        clip = SigmaClip(1.31)
    threshold = clip.threshold
    rounds = np.inf if clip.max_iter is None else clip.max_iter
    for average in ("mean", "median"):
        found, _, count = aw.iterative_rejection_average(
            ds["image"].values, threshold, average_func=average, max_iter=rounds
        )
        result = stacked(ds, average, reject=clip, dtype="float64")
        np.testing.assert_array_equal(result["image"], found)
        np.testing.assert_array_equal(result["count"], count)


@pytest.mark.parametrize(("profile", "same"), [("same", True), ("explore", False)])
def test_both_profiles_are_there(profile, same):
    from hypothesis import settings

    assert settings.get_profile(profile).deadline is None
    assert settings.get_profile(profile).derandomize is same
