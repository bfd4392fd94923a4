import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Flag
from tests.steps.frames import frame_set, master, text


@pytest.fixture
def night():
    ds = frame_set(np.arange(8, dtype="u2").reshape(4, 1, 1, 2))
    return ds.assign_coords(image_type=("frame", text("bias", "object", "bias", "flat")))


def test_frames_of_a_type_come_in_their_order_with_their_integers(night):
    ds = aw.where_type(night, "bias")
    assert ds["frame"].values.tolist() == ["object-0", "object-2"]
    assert ds["image"].dtype == np.uint16
    assert ds["image"].values[:, 0, 0, 0].tolist() == [0, 4]
    both = aw.where_type(night, "flat", "object")
    assert both["frame"].values.tolist() == ["object-1", "object-3"]


def test_a_type_that_is_not_there_is_refused_with_a_count_of_those_that_are(night):
    with pytest.raises(
        aw.ImageMismatchError,
        match="no frame is dark or other; there are 2 bias of 60 s in V, 1 object of 60 s in V, 1",
    ):
        aw.where_type(night, "dark", "other")


def test_one_misspelt_type_among_others_is_not_passed_over(night):
    known = (
        "the types of frames are bias, dark, darkflat, flat, object, defects, fringe, other, not"
    )
    with pytest.raises(ValueError, match=rf"{known} \['objcet'\]"):
        aw.where_type(night, "flat", "objcet")
    with pytest.raises(ValueError, match=rf"{known} nothing"):
        aw.where_type(night)


def test_flagged_states_which_pixels_bear_any_of_the_flags():
    ds = frame_set([1.0, 2.0, 3.0, 4.0], mask=[0, Flag.HOT, Flag.LEAKED, Flag.HOT | Flag.COSMIC])
    assert aw.flagged(ds).values.ravel().tolist() == [False, True, True, True]
    assert aw.flagged(ds, "HOT").values.ravel().tolist() == [False, True, False, True]
    assert aw.flagged(ds, "SATURATED").values.ravel().tolist() == [False, False, True, False]
    assert aw.flagged(ds, ["COSMIC", 32]).values.ravel().tolist() == [False, False, True, True]
    assert aw.flagged(ds, 0).values.any() == False  # noqa: E712
    assert aw.flagged(ds).dtype == bool


def test_without_a_mask_nothing_is_flagged():
    flags = aw.flagged(frame_set([1.0, 2.0]))
    assert flags.values.ravel().tolist() == [False, False]
    assert flags.dims == ("frame", "channel", "y", "x")


def test_masked_pixels_become_nan():
    ds = frame_set([1.0, 2.0, 3.0], mask=[0, Flag.HOT, Flag.COSMIC])
    np.testing.assert_array_equal(aw.masked(ds).values.ravel(), [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(aw.masked(ds, "COSMIC").values.ravel(), [1.0, 2.0, np.nan])
    assert aw.masked(ds).attrs["units"] == "adu"


def test_masked_integers_become_floating_point_numbers():
    ds = frame_set(np.array([1, 60001], "u2"), mask=[1, 0])
    image = aw.masked(ds)
    assert image.dtype.kind == "f"
    np.testing.assert_array_equal(image.values.ravel(), [np.nan, 60001])


def test_masters_can_be_masked_too():
    ds = master([1.0, 2.0], mask=[0, 1])
    np.testing.assert_array_equal(aw.masked(ds).values.ravel(), [1.0, np.nan])
    assert aw.flagged(ds).dims == ("channel", "y", "x")


def test_a_flag_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="'WARM' is not a flag; the flags are FAULT, HOT"):
        aw.masked(frame_set([1.0], mask=[0]), "WARM")


def test_flags_alone_of_what_is_no_frame_set_are_refused():
    with pytest.raises(aw.SchemaError, match="mask"):
        aw.masked(frame_set([1.0]).assign(mask=xr.Variable(("frame", "y"), [[0.0]])))


def test_frames_are_selected_by_exposure_and_filter_too():
    sky = aw.simulate.Night(shape=(4, 6), overscan=0, seed=1)
    raw = xr.concat(
        [sky.dark(2), sky.dark(1, exposure=5, start=8), sky.objects(1, filter="R")],
        dim="frame",
        data_vars="minimal",
        coords="minimal",
        compat="override",
    )
    assert aw.where_type(raw, "dark", exposure=60.2)["frame"].values.tolist() == [
        "dark-0001",
        "dark-0002",
    ]
    assert raw.autowisp.where_type("dark", "object", band="R").sizes["frame"] == 1
    with pytest.raises(
        aw.ImageMismatchError,
        match="no frame is dark of 30 s; there are 2 dark of 60 s, 1 dark of 5",
    ):
        aw.where_type(raw, "dark", exposure=30)


def test_frames_that_do_not_state_what_they_are_selected_by_are_refused(night):
    with pytest.raises(aw.ImageMismatchError, match=r"no coordinate 'filter'; give it by"):
        aw.where_type(night.drop_vars("filter", errors="ignore"), "object", band="V")
    with pytest.raises(aw.ImageMismatchError, match=r"no coordinate 'image_type'"):
        aw.where_type(night.drop_vars("image_type"), "object")


def test_a_type_that_all_frames_have_in_common_is_enough():
    frames = frame_set([[1.0, 2.0]] * 2).drop_vars("image_type").assign_coords(image_type="dark")
    assert aw.where_type(frames, "dark").sizes["frame"] == frames.sizes["frame"]
    for kind in ("dark", None):
        with pytest.raises(aw.ImageMismatchError, match="no frame is bias"):
            aw.where_type(frames.assign_coords(image_type=kind), "bias")
