"""Pixels that are filled: their value, its variance, and what cannot be filled."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autowisp_xr as aw
from autowisp_xr import Flag
from autowisp_xr.stats.neighbours import estimates
from tests.steps.frames import frame_set, master

MASKS = hnp.arrays(np.uint8, (2, 6, 7), elements=st.sampled_from([0, 0, 1, 2, 4, 128]))


def values(ds, name="image"):
    return ds[name].values.ravel().tolist()


def test_the_middle_of_three_by_hand():
    ds = frame_set([10.0, np.nan, 14.0], variance=[20.0, np.nan, 20.0], mask=[0, Flag.FAULT, 0])
    filled = aw.fill(ds)
    assert values(filled) == [10.0, 12.0, 14.0]
    # half of each neighbour squared, and that of one pixel
    assert values(filled, "variance") == [20.0, 20 / 4 + 20 / 4 + 20, 20.0]
    assert values(filled, "mask") == [0, Flag.FAULT | Flag.INTERPOLATED, 0]
    step = filled.autowisp.history()[-1]
    assert step["options"] == {"flags": "FAULT,COSMIC,OUTER,SATURATED,INTERPOLATED", "reach": 8}


def test_neighbours_that_differ_by_more_than_their_noise_widen_the_error():
    ds = frame_set([10.0, np.nan, 14.0], variance=[5.0, np.nan, 5.0], mask=[0, Flag.FAULT, 0])
    # two values have the variance (14 - 10)^2 / 2
    assert values(aw.fill(ds), "variance")[1] == 5 / 4 + 5 / 4 + 8
    unknown = ds.assign(variance=np.nan * ds["variance"])
    assert values(aw.fill(unknown), "variance")[1] == 8 / 4 + 8 / 4 + 8


def test_hot_pixels_stay_and_fill_others_and_are_filled_where_that_is_asked_for():
    ds = frame_set([10.0, 99.0, 14.0, 5.0], variance=[1.0] * 4, mask=[0, Flag.HOT, 0, Flag.COSMIC])
    filled = aw.fill(ds)
    assert values(filled)[:3] == [10.0, 99.0, 14.0]
    assert values(filled)[3] > 14.0
    both = aw.fill(ds, "HOT")
    assert values(both) == [10.0, 12.0, 14.0, 5.0]
    assert values(both, "mask") == [0, Flag.HOT | Flag.INTERPOLATED, 0, Flag.COSMIC]


@pytest.mark.parametrize("flag", [Flag.OVERSATURATED, Flag.LEAKED])
def test_what_saturates_is_at_least_as_bright_as_it_reads(flag):
    ds = frame_set([10.0, 900.0, 14.0], variance=[1.0] * 3, mask=[0, flag, 0])
    filled = aw.fill(ds)
    full = flag == Flag.OVERSATURATED
    assert values(filled)[1] == (900.0 if full else 12.0)
    assert values(filled, "mask")[1] == (flag if full else flag | Flag.INTERPOLATED)
    assert (values(filled, "variance")[1] == 1.0) == full
    low = frame_set([10.0, 3.0, 14.0], variance=[1.0] * 3, mask=[0, flag, 0])
    assert values(aw.fill(low))[1] == 12.0


@pytest.mark.parametrize("width", [1, 2, 4])
def test_across_columns_the_light_slopes_as_beside_them(width):
    y, x = np.indices((40, 41))
    sloping = 1000.0 + 7 * x - 3 * y
    mask = np.zeros(sloping.shape, np.uint8)
    mask[:, 18 : 18 + width] = Flag.FAULT
    ds = frame_set(np.where(mask, np.nan, sloping), variance=np.ones(sloping.shape), mask=mask)
    inner = aw.fill(ds).isel(y=slice(5, -5))
    np.testing.assert_allclose(inner["image"][0, 0], sloping[5:-5], rtol=1e-12)
    assert (inner["variance"] >= 1).all()


def test_each_channel_of_each_frame_is_filled_by_itself():
    image = np.arange(4.0).reshape(2, 2, 1, 1) + np.zeros((2, 2, 3, 3))
    image[:, :, 1, 1] = np.nan
    mask = np.isnan(image).astype(np.uint8)
    camera = aw.Camera(channels={"A": np.s_[:, 0::2], "B": np.s_[:, 1::2]})
    ds = frame_set(image, camera=camera, variance=np.ones(image.shape), mask=mask)
    middle = aw.fill(ds)["image"].values[:, :, 1, 1]
    assert middle.tolist() == [[0, 1], [2, 3]]


def test_masters_and_stacks_are_filled_too():
    ds = master([10.0, np.nan, 14.0], [20.0, np.nan, 20.0], [0, Flag.FAULT, 0])
    filled = aw.fill(ds)
    assert values(filled) == [10.0, 12.0, 14.0]
    assert "frame" not in filled["image"].dims
    late = aw.fill(ds.chunk(x=1))
    assert late["image"].chunks is not None
    xr.testing.assert_equal(late.compute(), filled)


def test_a_stack_leaves_out_what_was_filled():
    image, mask = [[10.0, np.nan, 14.0], [20.0, 30.0, 40.0]], [[0, 1, 0], [0, 0, 0]]
    ds = frame_set(np.reshape(image, (2, 1, 1, 3)), variance=np.ones((2, 1, 1, 3)),
                   mask=np.reshape(mask, (2, 1, 1, 3)))  # fmt: skip
    assert values(aw.stack(aw.fill(ds), "mean")) == [15.0, 30.0, 27.0]


@pytest.mark.parametrize("reach", [1, 2])
def test_what_has_no_good_pixel_in_reach_stays_nan_and_is_counted(reach):
    image = np.full((9, 9), 5.0)
    image[1:7, 1:7] = np.nan
    ds = frame_set(image, variance=np.ones((9, 9)), mask=np.isnan(image))
    left = (6 - 2 * reach) ** 2
    message = rf"stay NaN: {left} of object-0; a larger reach= fills"
    with pytest.warns(aw.AutowispWarning, match=message):
        filled = aw.fill(ds, reach=reach)
    assert int(np.isnan(filled["image"]).sum()) == left
    assert (filled["mask"].values[np.isnan(filled["image"])] == Flag.FAULT).all()
    np.testing.assert_allclose(filled["image"], np.where(np.isnan(filled["image"]), np.nan, 5.0))
    late = aw.fill(ds.chunk(frame=1), reach=reach)
    with pytest.warns(aw.AutowispWarning, match=message):
        late["image"].compute()


def test_what_cannot_be_filled_and_is_a_number_stays_that():
    ds = frame_set([1.0, 2.0], variance=[1.0, 1.0], mask=[Flag.OUTER, Flag.OUTER])
    filled = aw.fill(ds)
    assert values(filled) == [1.0, 2.0]
    assert values(filled, "mask") == [Flag.OUTER] * 2


@given(MASKS, st.integers(1, 3))
def test_what_is_even_stays_so_whatever_is_missing(masks, reach):
    masks[:, 0, 0] = 0
    image = np.where(masks & 1, np.nan, 7.0)
    ds = frame_set(image[:, None], variance=np.ones(image[:, None].shape), mask=masks[:, None])
    before = ds.copy(deep=True)
    kept = (masks & Flag.UNUSABLE) == 0
    filled = _filled(ds, reach)
    image, variance, mask = (filled[name].values[:, 0] for name in ("image", "variance", "mask"))
    np.testing.assert_allclose(image[np.isfinite(image)], 7.0)
    np.testing.assert_array_equal(mask & ~np.uint8(Flag.INTERPOLATED), masks)
    np.testing.assert_array_equal(variance[kept], 1.0)
    shown = (mask & Flag.INTERPOLATED) != 0
    assert (variance[shown] >= 1).all()
    assert not (shown & kept).any()
    # once more gives the same, from the same neighbours
    again = _filled(filled, reach)
    for name in ("image", "variance", "mask"):
        np.testing.assert_array_equal(again[name], filled[name])
    xr.testing.assert_identical(ds, before)


def _filled(ds, reach):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", aw.AutowispWarning)
        return aw.fill(ds, reach=reach)


@pytest.mark.parametrize(
    ("missing", "width"),
    [(np.s_[5::7, 5::7], 0.94), (np.s_[:, 5:-5:9], 0.94), (np.s_[5:-5, 0], 0.93)],
    ids=["pixels", "columns", "edge"],
)
@pytest.mark.parametrize("slope", [0.0, 5.0])
def test_the_variance_is_that_of_the_difference_from_what_the_pixel_would_have_read(
    missing, width, slope
):
    rng = np.random.default_rng(3)
    pulls = []
    for _ in range(12):
        along = slope * np.arange(160)[:, None]  # the edge has its neighbours on one side only
        image = 1000 + along + 10 * rng.standard_normal((160, 160))
        good = np.ones(image.shape, bool)
        good[missing] = False
        noise = np.full(image.shape, 100.0)
        found, variance = estimates(
            np.where(good, image, np.nan), noise, good, np.argwhere(~good), 8
        )
        assert (variance >= 100).all()
        pulls.append((found - image[~good]) / np.sqrt(variance))
    assert np.concatenate(pulls).std() == pytest.approx(width, abs=0.04)
    assert np.concatenate(pulls).mean() == pytest.approx(0, abs=0.05)


def test_raw_frames_and_no_reach_are_refused():
    raw = frame_set(np.ones((2, 3), "u2"))
    with pytest.raises(aw.CalibrationError, match=r"the frames are raw, .*; calibrate them first"):
        aw.fill(raw)
    ds = frame_set([1.0], variance=[1.0], mask=[0])
    with pytest.raises(ValueError, match="reach is a number of pixels from 1 up, not 0"):
        aw.fill(ds, reach=0)
    with pytest.raises(ValueError, match="'WARM' is not a flag"):
        aw.fill(ds, "WARM")
    assert values(aw.fill(ds.drop_vars("mask"))) == [1.0]
