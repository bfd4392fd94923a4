"""Planes of a store in a directory are read from its files, and have the values of Zarr."""

import multiprocessing
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.storage import MemoryStore

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.bridge import planner
from autowisp_xr.errors import DamagedStoreError

PLANES = ("image", "variance", "mask")
SHAPE = (3, 1, 20, 24)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Calibrated frames in several chunks each."""
    place = tmp_path_factory.mktemp("store") / "s.zarr"
    sky = simulate.Night(shape=SHAPE[2:], seed=9)
    frames = aw.calibrate(sky.objects(SHAPE[0]), camera=sky.camera)
    frames["mask"][1, 0, 2, 3] = 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "CHUNK_BYTES", 5 * 4 * SHAPE[3])
        frames.autowisp.to_zarr(place)
    assert zarr.open_array(place / "image").chunks != zarr.open_array(place / "image").shards
    return place


@pytest.fixture
def by_zarr(monkeypatch):
    """What Zarr itself has read."""
    read, real = [], zarr.Array.get_orthogonal_selection

    def noted(array, *given, **options):
        read.append(array.basename)
        return real(array, *given, **options)

    monkeypatch.setattr(zarr.Array, "get_orthogonal_selection", noted)
    return read


def parts(size):
    number = st.integers(0, size - 1)
    slices = st.builds(slice, number, st.integers(0, size), st.integers(1, 3))
    return st.one_of(number, slices, st.lists(number, min_size=1, max_size=4).map(np.array))


@given(st.tuples(*map(parts, SHAPE)), st.sampled_from(PLANES))
def test_any_part_has_the_values_that_zarr_has(place, key, name):
    plane = aw.open_zarr(place)[name].variable
    whole = xr.Variable(plane.dims, zarr.open_array(place / name, mode="r")[...])
    np.testing.assert_array_equal(plane[key].values, whole[key].values)


def test_zarr_itself_reads_none_of_it(place, by_zarr):
    aw.open_zarr(place).load()
    assert not by_zarr


def test_other_stores_are_read_by_zarr(place, by_zarr):
    frames, other = aw.open_zarr(place).load(), MemoryStore()
    frames.autowisp.to_zarr(other)
    back = aw.open_zarr(other).load()
    assert set(by_zarr) >= set(PLANES)
    np.testing.assert_array_equal(back["image"], frames["image"])


def test_threads_read_the_same_plane(place):
    ds = aw.open_zarr(place)
    whole = ds["image"].values
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda y: ds["image"][:, :, y % 20].values, range(80)))
    for y, row in enumerate(rows):
        np.testing.assert_array_equal(row, whole[:, :, y % 20])


def _sum(variable):
    return float(variable[...].values.sum())


def test_a_forked_process_reads_for_itself(place):
    plane = aw.open_zarr(place)["image"].variable
    total = _sum(plane)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply_async(_sum, (plane,)).get(timeout=60) == total


def test_what_was_read_is_no_part_of_a_plane(place):
    plane = aw.open_zarr(place)["image"]
    before = pickle.dumps(plane)
    plane.load()
    fresh = aw.open_zarr(place)["image"]
    fresh[0].values  # noqa: B018
    assert len(pickle.dumps(fresh)) == len(before)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fresh)), plane)


def test_a_chunk_that_is_lost_meanwhile_is_noticed(place, tmp_path):
    frames = aw.open_zarr(place).load().autowisp.to_zarr(tmp_path / "s.zarr")
    frames["image"][0].load()
    (tmp_path / "s.zarr" / "image" / "c" / "1" / "0" / "0" / "0").unlink()
    with pytest.raises(DamagedStoreError, match=r"image/c/1/0/0/0 .* is lost"):
        frames["image"].load()
