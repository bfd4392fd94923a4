"""What verbs make of frames at rest is made afresh in any chunks, and in any part."""

import copy
import gc
import pickle
import weakref
from collections import Counter
from dataclasses import replace

import dask
import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from dask.base import collections_to_expr
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import schema, simulate
from autowisp_xr.bridge import blocks, memory_limit, planner
from autowisp_xr.bridge.derived import Derived, numbers_below, settled
from autowisp_xr.errors import MemoryLimitError
from autowisp_xr.stack.scaling import scaled
from autowisp_xr.testing import assert_frames_equal

FRAMES, SHAPE = 5, (16, 24)


@pytest.fixture(scope="module")
def night():
    return simulate.Night(shape=SHAPE, seed=4)


@pytest.fixture(scope="module")
def raw(night, tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    # saturated stars leak over the edges of bands
    paths = aw.to_fits(night.objects(FRAMES), folder / "{frame}.fits")
    return aw.open_fits(paths, camera=replace(night.camera, saturation=1200.0))


@pytest.fixture(scope="module")
def masters(night, tmp_path_factory):
    """A bias in memory, and a flat that rests in Zarr."""
    folder = tmp_path_factory.mktemp("masters")
    bias = aw.master_bias(night.bias(5), camera=night.camera)
    flat = aw.master_flat(night.flat(5), bias=bias, camera=night.camera).high
    return {"bias": bias, "flat": aw.to_zarr(flat, folder / "flat.zarr")}


@pytest.fixture(scope="module")
def late(raw, masters):
    return aw.calibrate(raw, **masters)


@pytest.fixture(scope="module")
def known(raw, masters):
    """The same from memory."""
    masters = {kind: master.compute() for kind, master in masters.items()}
    return aw.calibrate(raw.compute(), **masters)


def is_derived(ds):
    return all(type(ds[name].data) is Derived for name in ("image", "variance", "mask"))


def tasks_of(ds):
    arrays = [plane.data for plane in ds.data_vars.values() if plane.chunks]
    graph = dict(collections_to_expr(arrays).optimize().__dask_graph__())
    return Counter(key[0].rsplit("-", 1)[0] for key in graph if isinstance(key, tuple))


@given(
    frames=st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=FRAMES, unique=True),
    top=st.integers(0, SHAPE[0] - 2),
    height=st.integers(1, SHAPE[0]),
    chunks=st.fixed_dictionaries({"frame": st.integers(1, 3), "y": st.integers(1, 9)}),
    first=st.booleans(),
)
def test_any_part_in_any_chunks_has_the_bits_of_the_whole(
    late, known, frames, top, height, chunks, first
):
    where = {"frame": frames, "y": slice(top, top + height)}
    part = late.chunk(chunks).isel(where) if first else late.isel(where).chunk(chunks)
    assert is_derived(part)
    with dask.config.set(scheduler="synchronous"):
        assert_frames_equal(part.compute(), known.isel(where))


@pytest.mark.parametrize("chunks", [{}, {"frame": 2}, {"frame": -1, "y": 5}, {"y": 3}])
def test_a_stack_has_the_same_bits_in_any_chunks(late, known, chunks):
    found = late.chunk(chunks).autowisp.stack("median", reject=aw.SigmaClip(1.5))
    assert_frames_equal(found.compute(), known.autowisp.stack("median", reject=aw.SigmaClip(1.5)))


def test_a_band_is_read_calibrated_and_stacked_in_one_task(late):
    with dask.config.set(num_workers=1):
        deep = late.autowisp.stack("median", memory_limit="20kB")
    bands = len(deep["image"].chunksizes["y"])
    assert bands > 1
    tasks = tasks_of(deep)
    assert tasks["run"] == bands
    # what is made of masters is made there, but for the rows that show how values are digitised
    assert tasks["union"] == tasks["quotient"] == 1
    assert not any(name.startswith("rechunk-split") for name in tasks)


def test_each_frame_has_two_tasks_and_what_it_is_read_from(late):
    def bytes_of_frames(ds):
        graph = dict(ds["image"].data.__dask_graph__())
        return [len(pickle.dumps(task)) for key, task in graph.items() if key[0][:4] == "run-"]

    whole, some = bytes_of_frames(late), bytes_of_frames(late.isel(frame=slice(2)))
    assert max(whole) < 4096
    assert np.median(whole) == pytest.approx(np.median(some), rel=0.05)
    tasks = tasks_of(late)
    assert tasks["run"] == tasks["measured"] == FRAMES
    assert not any(name.startswith(("array", "as_read", "xarray")) for name in tasks)


def test_a_limit_that_is_too_small_is_an_error_that_states_what_it_takes(raw, late, tmp_path):
    for verb in (
        lambda: aw.to_fits(late, tmp_path / "{frame}.fits", memory_limit="1kB"),
        lambda: aw.to_zarr(late, tmp_path / "n.zarr", memory_limit="1kB"),
        lambda: aw.stack(late, memory_limit="1kB"),
        lambda: aw.calibrate(raw, memory_limit=100),
    ):
        with pytest.raises(MemoryLimitError, match=r"at least, and the memory limit is 1kB; give"):
            verb()
    with pytest.raises(ValueError, match="positive number of bytes, or such as '2GB', not 'much'"):
        aw.reduce(tmp_path, tmp_path / "out", memory_limit="much")
    assert not (tmp_path / "out").exists()


def test_frames_that_are_too_large_are_calibrated_in_blocks_of_rows(raw, masters, known):
    with dask.config.set(num_workers=1):
        blocks = aw.calibrate(raw, **masters, memory_limit="12kB")
    assert len(blocks["image"].chunksizes["y"]) > 1
    assert_frames_equal(blocks.compute(), known)


def test_frames_that_are_too_large_are_written_rows_by_rows_with_the_same_bytes(
    late, raw, masters, tmp_path, monkeypatch
):
    monkeypatch.setattr(planner, "CHUNK_BYTES", 4 * 2 * SHAPE[1])
    monkeypatch.setattr(planner, "SHARD_BYTES", 4 * 4 * SHAPE[1])
    monkeypatch.setattr(fits.hdu.base._ValidHDU, "_get_timestamp", lambda _: "2024-03-01T12:00:00")
    for limit in ("1GB", "20kB"):
        with dask.config.set(num_workers=1):
            aw.to_fits(late, tmp_path / limit / "{frame}.fits", memory_limit=limit)
            found = aw.to_zarr(late, tmp_path / f"{limit}.zarr", memory_limit=limit)
        assert_frames_equal(found.compute(), late.compute())
        assert found["image"].encoding["shards"][2] == 4
        master = tmp_path / limit / "flat.fits"
        aw.to_fits(masters["flat"], master, memory_limit=limit)
    with memory_limit.limited("20kB"):
        planes = [late[name].variable for name in ("image", "variance", "mask")]
        assert blocks.frames_at_once(planes, 1, unit=4).rows < SHAPE[0]
    names = sorted(path.name for path in (tmp_path / "1GB").iterdir())
    assert len(names) == FRAMES + 1
    for name in names:
        whole, rows = ((tmp_path / limit / name).read_bytes() for limit in ("1GB", "20kB"))
        assert whole == rows


def test_an_integer_takes_its_axis_away(late, known):
    one = late.isel(frame=2)
    assert is_derived(one)
    assert is_derived(one.chunk(y=4))
    assert_frames_equal(one.chunk(y=4).compute(), known.isel(frame=2))
    assert float(late["image"][1, 0, 3, 4]) == float(known["image"][1, 0, 3, 4])


def test_what_the_source_cannot_be_cut_by_is_an_ordinary_array(late, known):
    image, expected = late["image"].data, known["image"].values
    for index in [np.s_[::-1], np.s_[:, None], np.s_[..., ::3], np.s_[:, :, [3, 1], ::2]]:
        found = image[index]
        np.testing.assert_array_equal(found.compute(), expected[index])
    np.testing.assert_array_equal((image[:2] + 1).compute(), expected[:2] + 1)
    assert type(image + 1) is not Derived


def test_channels_that_leak_into_each_other_are_stacked_apart_by_bands(tmp_path):
    night = simulate.Night(shape=SHAPE, channels="RGGB", seed=3)
    raw = aw.open_fits(aw.to_fits(night.objects(4), tmp_path / "{frame}_{channel}.fits"))
    frames, expected = (aw.calibrate(one, camera=night.camera) for one in (raw, raw.compute()))
    for where in ({"channel": [1]}, {"channel": [0, 3]}, {"channel": [2, 3], "frame": [3, 1]}):
        part = frames.isel(where)
        assert is_derived(part)
        assert is_derived(part.chunk(frame=-1, y=3))
        assert_frames_equal(part.chunk(frame=-1, y=3).compute(), expected.isel(where))
        assert_frames_equal(part.autowisp.stack().compute(), expected.isel(where).autowisp.stack())
    one = frames["mask"].isel(channel=2, frame=1)
    np.testing.assert_array_equal(one.values, expected["mask"].values[1, 2])


def test_an_assigned_value_makes_it_an_ordinary_array(late, known):
    changed = late.copy(deep=True)
    changed["image"][0, 0, 2, 3] = 7.0
    part = changed.isel(frame=slice(0, 2)).chunk(y=5).compute()
    expected = known["image"].values[:2].copy()
    expected[0, 0, 2, 3] = 7.0
    np.testing.assert_array_equal(part["image"].values, expected)
    assert_frames_equal(late.compute(), known)


def test_copies_and_pickles_are_made_of_the_same(late, known):
    for other in (late.copy(deep=True), copy.deepcopy(late), pickle.loads(pickle.dumps(late))):
        assert is_derived(other)
        assert other["image"].data.name == late["image"].data.name
        assert_frames_equal(
            other.isel(frame=[1], y=slice(4, 9)).compute(), known.isel(frame=[1], y=slice(4, 9))
        )


def test_it_goes_where_other_arrays_of_dask_go(late, known):
    image, expected = late["image"], known["image"]
    plain = known["mask"].chunk(frame=1)
    both = xr.Dataset({"image": image, "mask": plain})
    xr.testing.assert_equal(both.compute()["image"], expected)
    xr.testing.assert_equal(both.unify_chunks()["mask"].compute(), known["mask"])
    xr.testing.assert_equal(image.where(plain == 0).compute(), expected.where(known["mask"] == 0))
    np.testing.assert_array_equal(
        np.concatenate([image.data, (image + 0).data]), np.concatenate([expected] * 2)
    )
    joined = xr.Variable.concat([image.variable, plain.variable], "frame")
    np.testing.assert_array_equal(joined.values, np.concatenate([expected, known["mask"]]))
    xr.testing.assert_equal(image.persist().compute(), expected)
    assert float(image.max()) == float(expected.max())


def test_single_verbs_one_after_the_other_are_made_afresh_too(raw, known):
    frames = aw.add_noise(aw.trim(aw.subtract_overscan(raw)))
    assert is_derived(frames)
    expected = aw.add_noise(aw.trim(aw.subtract_overscan(raw.compute())))
    assert_frames_equal(frames.chunk(frame=-1, y=3).compute(), expected)
    assert_frames_equal(frames.autowisp.stack("mean").compute(), expected.autowisp.stack("mean"))


def test_frames_of_a_user_in_chunks_are_calibrated_as_before(raw, masters, known):
    chunked = raw.chunk(frame=2, y=5)
    found = aw.calibrate(chunked, **masters)
    assert type(found["image"].data) is not Derived
    assert_frames_equal(found.compute(), known)
    assert schema.is_raw(raw)


def test_masters_are_let_go_with_the_stack_that_was_made_with_them(night, raw):
    """No matter when the collector comes."""
    bias = aw.master_bias(night.bias(5), camera=night.camera).compute()
    held = weakref.ref(bias["image"].values)
    aw.stack(aw.calibrate(raw, bias=bias), "mean").compute()
    gc.disable()
    try:
        del bias
        assert held() is None
    finally:
        gc.enable()


def test_numbers_that_hold_for_all_rows_are_made_once(night, masters, tmp_path):
    flats = aw.to_zarr(night.flat(4), tmp_path / "flats.zarr")
    made = aw.master_flat(flats, bias=masters["bias"], camera=night.camera).high
    planes = [plane.variable for plane in made.data_vars.values()]
    numbers = numbers_below(planes)
    assert {one.dims for one in numbers.values()} >= {("channel",), ("frame", "channel")}
    found = settled(planes, numbers)
    assert not numbers_below(found)
    # lazy, of the same names
    assert [one.data.name for one in found] == [one.data.name for one in planes]
    for one, other in zip(found, planes, strict=True):
        np.testing.assert_array_equal(one[:, 3:7].values, other.values[:, 3:7])


def test_scaled_rows_in_any_order_have_the_shapes_of_their_places(late):
    level = xr.DataArray(np.ones((FRAMES, 1)), dims=("frame", "channel"))
    shape = np.full((FRAMES, 1), Slope(), object)
    made = scaled(late, level, xr.Variable(("frame", "channel"), shape))
    every = made["image"].values
    for rows in (slice(3, 9), slice(1, 12, 3), [7, 2, 3]):
        np.testing.assert_array_equal(made["image"].isel(y=rows).values, every[:, :, rows])


class Slope:
    """A shape that is different in each row."""

    def rows(self, start, stop):
        return np.repeat(np.arange(start, stop)[:, None] + 1.0, SHAPE[1], axis=1)
