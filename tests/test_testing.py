import subprocess
import sys

import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from autowisp_xr import schema
from autowisp_xr.flags import Flag
from autowisp_xr.simulate import Night
from autowisp_xr.testing import assert_frames_equal, chunkings, frame_sets, no_compute


@pytest.fixture
def frames():
    return Night(shape=(4, 6), overscan=2, channels="RGGB", seed=3).objects(2)


def test_a_copy_is_equal_whether_lazy_or_not(frames):
    assert_frames_equal(frames, frames.copy(deep=True))
    assert_frames_equal(frames.chunk(frame=1), frames)
    assert_frames_equal(frames.assign_attrs(history="[]"), frames)


def test_a_difference_is_named_with_its_place(frames):
    other = frames.copy(deep=True)
    other["image"][1, 2, 1, 0] = 7
    other["image"][1, 3, 1, 0] = 8
    value = int(frames["image"][1, 2, 1, 0])
    text = rf"variable 'image': 2 of 64 .* frame object-0002, channel G2, y 2, x 0: 7, {value}"
    with pytest.raises(AssertionError, match=text):
        assert_frames_equal(other, frames)
    assert_frames_equal(other, frames, ignore={"image"})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda ds: ds.drop_vars("path"), "coordinate 'path' is missing"),
        (lambda ds: ds.assign(mask=ds.image), "variable 'mask' was not expected"),
        (lambda ds: ds.assign_coords(x=ds.x + 1), r"coordinate 'x': 4 of 4 .* at x 0: 1, 0"),
        (lambda ds: ds.astype("int32"), "type 'int32', 'uint16'"),
        (lambda ds: ds.isel(y=[0]), r"shape \(2, 4, 1, 4\), \(2, 4, 2, 4\)"),
        (lambda ds: ds.transpose("y", ...), "dims"),
        (lambda ds: schema.with_attributes(ds, "electron"), "units 'electron', 'adu'"),
        (lambda ds: ds.assign_coords(filter=("frame", ["V", "R"])), "at frame object-0002"),
    ],
)
def test_each_kind_of_difference_is_reported(frames, change, text):
    with pytest.raises(AssertionError, match=text):
        assert_frames_equal(change(frames), frames)


def test_nan_equals_nan_and_rtol_is_a_choice():
    ds = xr.Dataset({"image": ("x", [1.0, np.nan])})
    assert_frames_equal(ds, ds.copy())
    assert_frames_equal(ds * 1.001, ds, rtol=0.01)
    with pytest.raises(AssertionError, match="1 of 2"):
        assert_frames_equal(ds * 1.001, ds)
    with pytest.raises(AssertionError, match=r"\(\): 2.0, 1.0"):
        assert_frames_equal(xr.Dataset({"a": 2.0}), xr.Dataset({"a": 1.0}))


def test_no_compute_refuses_only_inside():
    lazy = dask.array.ones(3, chunks=1)
    with no_compute():
        total = (lazy + 1).sum()
        with pytest.raises(AssertionError, match="stayed lazy"):
            total.compute()
    assert total.compute() == 6


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_drawn_frame_sets_follow_the_data_model(data):
    raw = data.draw(st.sampled_from([True, False, None]))
    ds = data.draw(frame_sets(raw=raw))
    schema.check(ds)
    if raw is not None:
        assert schema.is_raw(ds) == raw
    if not schema.is_raw(ds):
        nan = np.isnan(ds["image"])
        assert (ds["mask"].values[nan.values] & Flag.FAULT).all()
        assert (ds["variance"].values[~nan.values] >= 0).all()
    chunks = data.draw(chunkings(ds))
    lazy = ds.chunk(chunks)
    assert dict(lazy.chunks) == chunks
    assert_frames_equal(lazy, ds)


def test_importable_without_pytest_and_hypothesis():
    code = (
        "import sys; sys.modules['pytest'] = sys.modules['hypothesis'] = None; "
        "import autowisp_xr.testing"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
